"""The oldest part of a log, moved to a file: both answer for what they have, and verify."""

import contextlib
import random
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final, Self

import pandas as pd
import pytest
from click.testing import CliRunner

from actors.archiving import Archived, archive
from actors.audit import StoreAudit
from actors.bench.device import InstantAdapter
from actors.cli import setpoint
from actors.following import rebuild
from actors.reading import VOCABULARY, Reader
from actors.sim.timetable import Arrival
from actors.standing import PlanStart
from actors.store import Store, open_store
from actors.store.tables import place_of
from actors.system import ActorSystem
from actors.testing.instant import opened, plan, site
from actors.testing.logs import START_US, depot_log
from actors.testing.simulation import Simulation
from actors.testing.sites import site_file
from actors.testing.waiting import wait_until
from engine.adapters.registry import AdapterRegistry
from engine.codec import Codec
from engine.errors import StoreError, StoreInUse, UsageError
from engine.history import CommandRecord
from engine.types import US_PER_S, from_us, to_us

pytestmark = pytest.mark.timeout(240)

START: Final = datetime(2026, 3, 2, 6, tzinfo=UTC)
ASSETS: Final = ("ast_charger_1", "ast_charger_2", "ast_battery_1")
CODEC: Final = Codec(VOCABULARY)


def schedule(begins: datetime, slots: int, shift: int) -> pd.DataFrame:
    """Return quarter-hours in which everything changes."""
    index = pd.date_range(begins, periods=slots, freq="15min")
    numbers = [(slot + shift) % 3 for slot in range(slots)]
    return pd.DataFrame(
        {
            "ev_1_kw": [(7.0, 11.0, 0.0)[one] for one in numbers],
            "ev_2_kw": [(11.0, 7.0, 5.0)[one] for one in numbers],
            "battery_b1_charge_kw": [(12.5, 0.0, 3.2)[one] for one in numbers],
            "battery_b1_discharge_kw": [(0.0, 20.0, 0.0)[one] for one in numbers],
        },
        index=index,
    )


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give the store of six hours with three plans, an override, a crash and a charger that is off.

    The third plan replaces the second at 09:00.
    """
    folder = tmp_path_factory.mktemp("day")
    arrivals = {"CP-1": (Arrival(1, 0.0),), "CP-2": (Arrival(1, 5_000.0),)}
    start = PlanStart(to_us(START), 900.0)
    with Simulation.of(site_file(None, folder), start=start, arrivals=arrivals) as run:
        run.submit(schedule(START, 8, 0))
        run.run_until(START + timedelta(hours=1, minutes=50))
        run.submit(schedule(START + timedelta(hours=2), 16, 1))
        run.run_until(START + timedelta(hours=2, minutes=20))
        run.override(
            "ast_charger_1", 3.0, until=START + timedelta(hours=4), by="anna", reason="a test"
        )
        run.charger("ast_charger_2").fail("offline")
        run.crash_at("after_send", 3)
        run.run_until(START + timedelta(hours=3))
        run.restart()
        run.submit(schedule(START + timedelta(hours=3), 10, 0))
        run.run_until(START + timedelta(hours=5, minutes=30))
        run.stop()
        run.copy_store(folder / "whole.db")
    return folder / "whole.db"


@pytest.fixture
def store(whole: Path, store_url: str) -> Iterator[Store]:
    """Give a copy of that store, on each kind."""
    made = open_store(store_url)
    with opened_store(whole) as rows:
        made.append([*rows._reader._store.read_all()])  # noqa: SLF001 - rows as they are
    yield made
    made.close()


class opened_store(StoreAudit):  # noqa: N801 - a context
    """A store that is asked for a while."""

    def __init__(self, path: Path) -> None:
        """Open it."""
        self._url = f"sqlite:///{path}"
        self._opened = open_store(self._url, read_only=True)
        super().__init__(Reader(self._opened, CODEC, place_of(self._url)))

    def __enter__(self) -> Self:
        """Return itself."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close it."""
        self._opened.close()


def audit(store: Store) -> StoreAudit:
    """Return who answers for a store that is open."""
    return StoreAudit(Reader(store, CODEC))


def moved(store: Store, path: Path, hours: float) -> Archived:
    """Move what was recorded in the first hours."""
    return archive(store, path, to_us(START + timedelta(hours=hours)), lambda *_: None)


def commands(asked: StoreAudit) -> dict[str, CommandRecord]:
    """Return all commands by id."""
    return {one.id: one for one in asked.history()}


@pytest.mark.parametrize("hours", [0.7, 1.95, 2.4, 3.1, 4.5, 5.9])
def test_two_parts_tell_what_the_whole_told(
    whole: Path, store: Store, store_url: str, tmp_path: Path, hours: float
) -> None:
    """Every command, and from the cut on each state and each reason."""
    file = tmp_path / "old.db"
    done = moved(store, file, hours)
    assert done.rows > 10
    rest = audit(store)
    assert rest.verify().problems == ()
    place = place_of(store_url)
    rebuild(place, store, CODEC, lambda *_: None)
    assert Reader(store, CODEC, place).history() == rest.history()
    with opened_store(whole) as before, opened_store(file) as old:
        assert old.verify().problems == ()
        assert commands(old) | commands(rest) == commands(before)
        for minutes in range(round(60 * hours) + 1, 6 * 60, 17):
            at = START + timedelta(minutes=minutes)
            assert rest.state_at(at) == before.state_at(at)
            for asset in ASSETS:
                assert rest.why(asset, at).sentence == before.why(asset, at).sentence
        early = START + timedelta(minutes=10)
        assert old.why(ASSETS[0], early) == before.why(ASSETS[0], early)
        end = START + timedelta(hours=6)
        assert rest.diff(at, end) == before.diff(at, end)


def test_what_was_moved_is_asked_for_in_the_file(store: Store, tmp_path: Path) -> None:
    """The refusal names it; a wrong answer would be worse."""
    moved(store, tmp_path / "old.db", 4.5)
    early = START + timedelta(minutes=10)
    rest = audit(store)
    for ask in (
        lambda: rest.state_at(early),
        lambda: rest.why("ast_battery_1", early),
        lambda: rest.diff(early, START + timedelta(hours=6)),
        lambda: rest.export(tmp_path / "e.jsonl", early),
    ):
        with pytest.raises(UsageError, match=r"archive old\.db"):
            ask()
    assert rest.export(tmp_path / "e.jsonl").rows > 10


def test_an_archive_continues_where_the_one_before_ended(
    whole: Path, store: Store, tmp_path: Path
) -> None:
    """Each part verifies by itself, and together they tell everything."""
    for number, hours in enumerate((1.0, 2.4, 3.2, 5.0)):
        moved(store, tmp_path / f"{number}.db", hours)
        assert audit(store).verify().problems == ()
    told: dict[str, CommandRecord] = {}
    for number in range(4):
        with opened_store(tmp_path / f"{number}.db") as part:
            assert part.verify().problems == ()
            told |= commands(part)
    with opened_store(whole) as before:
        assert told | commands(audit(store)) == commands(before)


def test_a_listing_of_old_times_says_where_they_are(
    store: Store, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """What it lists is all that the store has."""
    moved(store, tmp_path / "old.db", 4.5)
    rest = audit(store)
    assert rest.history(since=START + timedelta(hours=5))
    assert caplog.messages == []
    rest.history(until=START + timedelta(hours=1))
    assert "is in the archive old.db" in caplog.messages[0]


@pytest.mark.parametrize("seed", range(4))
def test_a_kill_leaves_every_row_in_one_place_at_least(tmp_path: Path, seed: int) -> None:
    """At any moment: then it is done again, and nothing is lost."""
    path, file = tmp_path / "depot.db", tmp_path / "old.db"
    store = open_store(f"sqlite:///{path}")
    rows = depot_log(100, 19, 500, schedules=4).rows
    store.append(rows)
    ids = {one.id for one in audit(store).history()}
    store.close()
    middle = from_us((START_US + CODEC.decode(rows[-1]).header.at_us) // 2).isoformat()
    verb = [sys.executable, "-m", "actors.cli", "archive", str(path), str(file), "--before", middle]
    wait_s = random.Random(seed).uniform(0.2, 2.5)
    with subprocess.Popen(verb, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(wait_s)
        process.send_signal(signal.SIGKILL)
    for _ in range(2):
        found: set[str] = set()
        for part in (path, file):
            if part.exists():
                with opened_store(part) as asked:
                    assert asked.verify().problems == ()
                    found |= {one.id for one in asked.history()}
        assert found == ids
        with opened_store(path) as asked:
            if asked._reader.bases.archived is not None:  # noqa: SLF001 - it is done
                return
        file.unlink(missing_ok=True)
        subprocess.run(verb, check=True, capture_output=True)


def test_nothing_happens_when_it_cannot_be_done(store: Store, tmp_path: Path) -> None:
    """No file is left, and the store is as it was."""
    before = list(store.read_all())
    there = tmp_path / "there.db"
    there.write_text("something else")
    with pytest.raises(UsageError, match="there already"):
        moved(store, there, 3)
    with pytest.raises(UsageError, match="nothing was recorded before"):
        moved(store, tmp_path / "none.db", -1)
    with pytest.raises(UsageError, match="cannot be written"):
        moved(store, tmp_path / "no" / "folder.db", 3)
    assert list(store.read_all()) == before
    assert [one.name for one in tmp_path.iterdir() if "old" in one.name] == []
    moved(store, tmp_path / "old.db", 3)
    with pytest.raises(UsageError, match="nothing was recorded before"):
        moved(store, tmp_path / "older.db", 3)


def test_what_is_not_as_it_was_written_is_not_moved(whole: Path, tmp_path: Path) -> None:
    """An archive is evidence: a damaged one would hide when it was damaged."""
    path = tmp_path / "whole.db"
    path.write_bytes(whole.read_bytes())
    connection = sqlite3.connect(path)
    connection.execute(
        "UPDATE stored_events SET state = CAST(state || x'00' AS BLOB) WHERE rowid = 20"
    )
    connection.commit()
    connection.close()
    store = open_store(f"sqlite:///{path}")
    with pytest.raises(StoreError, match=r"not as it was written|cannot be read"):
        moved(store, tmp_path / "old.db", 3)
    store.close()
    assert not (tmp_path / "old.db").exists()


def test_an_engine_goes_on_from_what_stays(tmp_path: Path) -> None:
    """It holds what it held, takes a schedule under a new id, and knows the old one's."""
    place = site(tmp_path)
    with opened(tmp_path) as system:
        first = system.submit(plan(5.0, 7.0), schedule_id="sch_own")
        wait_until(lambda: all(v.setpoint_kw == 5.0 for v in system.state().values()))
        system.submit(plan(6.0, 7.0))
        wait_until(lambda: all(v.setpoint_kw == 6.0 for v in system.state().values()))
        open_ids = {one.id for one in system.history() if one.status == "PENDING"}
    store = open_store(place.store_url)
    archive(store, tmp_path / "old.db", to_us(datetime.now(UTC) + timedelta(days=1)), print)  # noqa: TID251 - the engine ran on the real clock
    rebuild(place_of(place.store_url), store, CODEC, lambda *_: None)
    with pytest.raises(StoreInUse):
        open_store(place.store_url)
    store.close()
    adapters = AdapterRegistry({"instant": InstantAdapter()})
    with ActorSystem.open(place, adapters=adapters) as system:
        wait_until(lambda: all(v.setpoint_kw == 6.0 for v in system.state().values()))
        assert open_ids <= {one.id for one in system.history()}
        assert system.submit(plan(5.0, 7.0), schedule_id="sch_own").unchanged
        assert system.submit(plan(9.0, 9.0)).schedule_id not in {first.schedule_id, "sch_2"}
        wait_until(lambda: all(v.setpoint_kw == 9.0 for v in system.state().values()))
    with opened_store(tmp_path / "t.db") as asked:
        assert asked.verify().problems == ()


def test_half_of_a_hundred_thousand_events(tmp_path: Path) -> None:
    """The store, the archive and a backup pass; together they have every command."""
    path = tmp_path / "depot.db"
    store = open_store(f"sqlite:///{path}")
    for first in range(0, len(rows := depot_log(500, 19, 1_000, schedules=5).rows), 20_000):
        store.append(rows[first : first + 20_000])
    before = len(audit(store).history())
    middle_us = (START_US + CODEC.decode(rows[-1]).header.at_us) // 2
    done = archive(store, tmp_path / "old.db", middle_us, lambda *_: None)
    assert done.rows > 20_000
    rest = audit(store)
    assert rest.verify().problems == ()
    store.backup(tmp_path / "backup.db", lambda *_: None)
    store.close()
    ids: set[str] = set()
    for name in ("depot.db", "old.db", "backup.db"):
        with opened_store(tmp_path / name) as part:
            assert part.verify().problems == ()
            ids |= {one.id for one in part.history()}
    assert len(ids) == before


def test_the_verb_says_what_it_did(whole: Path, tmp_path: Path) -> None:
    """As text, as JSON, and as a plain line where it cannot."""
    path = tmp_path / "depot.db"
    path.write_bytes(whole.read_bytes())
    run = CliRunner()
    at = from_us(to_us(START) + 3 * 3_600 * US_PER_S).isoformat()
    told = run.invoke(setpoint, ["archive", str(path), str(tmp_path / "a.db"), "--before", at])
    assert told.exit_code == 0, told.output
    assert "rows moved" in told.output
    later = (START + timedelta(hours=5)).isoformat()
    told = run.invoke(
        setpoint, ["archive", str(path), str(tmp_path / "b.db"), "--before", later, "--json"]
    )
    assert '"rows":' in told.output
    assert run.invoke(setpoint, ["verify", str(tmp_path / "b.db")]).exit_code == 0
    assert run.invoke(setpoint, ["verify", str(path)]).exit_code == 0
