"""Logs that released versions wrote can be read for good, and still say the same."""

from pathlib import Path
from typing import Any, Final

import msgspec
import pytest

from actors.reading import VOCABULARY, is_asset
from actors.testing.logs import depot_log, read_log, write_log
from engine.asset import AssetState
from engine.codec import Codec
from engine.history import asset_state, histories
from engine.types import AssetId
from engine.verification import verify

LOGS: Final = Path(__file__).parents[1] / "fixtures" / "logs"
CODEC: Final = Codec(VOCABULARY)


def says(told: Any, now: Any) -> bool:  # noqa: ANN401 - JSON
    """Return whether all that was told then is told now; new fields may have come."""
    if isinstance(told, dict) and isinstance(now, dict):
        return all(key in now and says(value, now[key]) for key, value in told.items())
    if isinstance(told, list) and isinstance(now, list):
        return len(told) == len(now) and all(map(says, told, now))
    return bool(told == now)


@pytest.mark.parametrize("path", sorted(LOGS.glob("*-events.jsonl")), ids=lambda path: path.name)
def test_every_event_of_a_version_says_what_it_said(path: Path) -> None:
    """One of each kind, every field given."""
    rows = list(read_log(path))
    for row, told in rows:
        now = msgspec.to_builtins(CODEC.decode(row).event)
        assert says(told, msgspec.json.decode(msgspec.json.encode(now))), row.topic
    assert len({row.topic for row, _ in rows}) == len(rows)


def test_the_newest_log_has_every_event() -> None:
    """Whoever adds one adds it to the log of the version that will write it."""
    newest = max(LOGS.glob("*-events.jsonl"))
    assert {row.topic for row, _ in read_log(newest)} == set(VOCABULARY)


@pytest.mark.parametrize("path", sorted(LOGS.glob("*-depot.jsonl")), ids=lambda path: path.name)
def test_the_log_of_a_depot_is_sealed_folds_and_gives_its_history(path: Path) -> None:
    """As on the day that it was written."""
    rows = [row for row, _ in read_log(path)]
    records = [CODEC.decode(row) for row in rows]
    found = verify(rows, CODEC)
    assert found.problems == ()
    assert found.assets == 3
    commands = histories(records)
    assert len(commands) == 12
    assert {one.status.value for one in commands} == {"COMPLETED"}
    for asset in {row.stream for row in rows if is_asset(row.stream)}:
        state = asset_state(records, None, AssetState(AssetId(asset)))
        assert state.version == 13
        assert state.holding.charge_w == 7_000


def test_a_log_is_written_as_it_is_read(tmp_path: Path) -> None:
    """Byte for byte."""
    rows = depot_log(1, 1, 3).rows
    write_log(tmp_path / "log.jsonl", rows)
    assert [row for row, _ in read_log(tmp_path / "log.jsonl")] == rows
