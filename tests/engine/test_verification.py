"""Verification of a whole log: what was written as it should not have been, and what is gone."""

from typing import TYPE_CHECKING, Any

import attrs
import pytest
from msgspec.structs import replace

from actors.reading import VOCABULARY
from actors.testing.logs import START_US, SealedLog, asset_name, depot_log
from engine import events
from engine.asset import AssetState, snapshot
from engine.codec import Codec, Record, Row
from engine.commands import CommandStatus
from engine.discrepancy import Discrepancy
from engine.seals import SealMark
from engine.types import CommandId, Instant
from engine.verification import (
    SnapshotComparison,
    Verification,
    findings,
    folds,
    verify,
)
from engine.verification.result import to_json

if TYPE_CHECKING:
    from collections.abc import Callable

CODEC = Codec(VOCABULARY)
BAY = asset_name(1)
AT = Instant(START_US + 3_600_000_000, START_US + 3_600_000_000)


def depot() -> SealedLog:
    """Return the log of two assets with three changes each, in transactions of four events."""
    return depot_log(2, 3, 4)


def checked(rows: list[Row]) -> Verification:
    """Return what is found in rows."""
    return verify(rows, CODEC)


def problems(log: SealedLog) -> list[str]:
    """Return what is wrong with a log, the place left out."""
    return [one.what for one in checked(log.rows).problems]


def adding(stream: str, *wrong: object) -> list[str]:
    """Return what is wrong with a depot's log to which events were added and sealed."""
    log = depot()
    log.commit(*((stream, event, AT) for event in wrong))
    return problems(log)


def test_a_sound_log_has_no_problems() -> None:
    """All that was looked at is counted, and it can be told as plain values."""
    log = depot()
    found = checked(log.rows)
    assert found.ok
    assert (found.assets, found.streams, found.rows) == (2, 4, len(log.rows))
    assert found.last_seal is not None
    told = to_json(found)
    assert told["last_seal"] == {"n": found.seals, "digest": found.last_seal.digest.hex()}
    assert (told["ok"], told["problems"], told["more_problems"]) == (True, [], 0)


def test_what_shows_in_two_ways_is_told_once() -> None:
    """A seal with another digest is not of its rows, and the next does not go on from it."""
    rows = depot().rows
    place = next(n for n, row in enumerate(rows) if (row.stream, row.version) == ("log", 2))
    record = CODEC.decode(rows[place])
    changed = CODEC.encode(record.header, attrs.evolve(record.event, digest=bytes(32)))
    rows[place] = replace(changed, position=rows[place].position)
    (found,) = checked(rows).problems
    assert (found.version, found.what) == (2, "the seal is not as it was made")


def test_an_empty_log_has_no_problems() -> None:
    """And no seal."""
    found = checked([])
    assert (found.ok, found.last_seal, to_json(found)["last_seal"]) == (True, None, None)


def ended(attempt_id: str = f"att_{BAY}_0") -> events.AttemptEnded:
    """Return an attempt's acceptance."""
    return events.AttemptEnded(attempt_id, "accepted", CommandStatus.COMPLETED, evidence="ack")


def test_a_second_outcome_is_found() -> None:
    """An attempt has one."""
    assert adding(BAY, ended()) == [f"att_{BAY}_0 has an outcome and was not on the wire"]


def test_a_second_attempt_beside_one_on_the_wire_is_found() -> None:
    """Of one asset one attempt is on the wire."""
    rows = depot().rows
    began = next(row for row in rows if row.topic == "asset.attempt_started")
    event = CODEC.decode(began).event
    twice = [
        replace(event, attempt_id=f"att_{n}", command_ids=(CommandId(f"cmd_{n}"),)) for n in "ab"
    ]
    assert adding(BAY, *twice) == ["att_b began while att_a had no outcome"]


def test_an_attempt_cleared_up_that_was_not_in_doubt_is_found() -> None:
    """What is certain needs no clearing up."""
    cleared = events.AttemptReconciled("att_x", (), "holds", CommandStatus.COMPLETED)
    assert adding(BAY, cleared) == ["att_x was cleared up and was not in doubt"]


def test_a_command_that_is_over_stays_over() -> None:
    """Terminal states are final; the version at which it ended is told."""
    held = events.CommandHeld((CommandId("cmd_1.0.0"),), "offline")
    (problem,) = adding(BAY, held)
    assert problem.startswith("it turns cmd_1.0.0, which ended with version ")
    assert problem.endswith(", to PENDING")


def test_of_very_many_commands_the_last_are_remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    """So that the memory that it takes does not grow with the log."""
    monkeypatch.setattr(folds, "REMEMBERED", 1)
    held = events.CommandHeld((CommandId("cmd_1.0.0"),), "offline")
    assert not adding(BAY, held)


@pytest.mark.parametrize(
    ("stream", "event"),
    [
        (BAY, events.EngineStopped(1, "closed")),
        ("site", events.AssetRetired()),
        ("sch_1", events.AssetRetired()),
    ],
)
def test_an_event_in_a_stream_of_another_kind_is_found(stream: str, event: object) -> None:
    """An asset's stream holds what happens to assets, and so on."""
    (problem, *_) = adding(stream, event)
    assert problem.endswith("does not belong in this stream")


def test_a_stream_of_any_other_name_may_hold_anything() -> None:
    """Third parties have streams of their own."""
    assert not adding("their_own", events.AssetRetired())


@pytest.mark.parametrize(
    ("stream", "event", "fold", "whose"),
    [
        (BAY, events.AssetRetired(), "evolve", "asset's"),
        ("site", events.EngineStopped(1, "closed"), "evolve_site", "site's"),
    ],
)
def test_an_event_that_cannot_be_folded_is_found(
    monkeypatch: pytest.MonkeyPatch, stream: str, event: object, fold: str, whose: str
) -> None:
    """Whatever it stumbles over, the row is named."""
    real: Callable[..., Any] = getattr(folds, fold)

    def stumbling(state: object, one: object, at: Instant) -> object:
        if one == event:
            raise ValueError("no sense")
        return real(state, one, at)

    monkeypatch.setattr(folds, fold, stumbling)
    assert adding(stream, event) == [
        f"the {whose} state cannot be worked out: ValueError: no sense"
    ]


def test_a_row_that_cannot_be_read_is_found() -> None:
    """Though it was sealed so; and what follows in its stream is not judged."""
    log = depot()
    rows = [replace(row, state=b"\x93") if row.position == 3 else row for row in log.rows]
    found = checked(rows)
    (problem,) = found.problems
    assert problem.position == 3
    assert problem.what.startswith("it cannot be read: ")
    assert "was changed after it was sealed" in problem.what


def test_values_of_other_types_are_found() -> None:
    """A store may hold anything."""
    rows = depot().rows
    odd: Any = replace(rows[2], version="x", state="text")
    found = checked([*rows[:2], odd, *rows[3:]])
    assert not found.ok
    assert found.problems[0].position == 3


def test_rows_that_come_twice_are_found() -> None:
    """The second is behind its stream's version."""
    rows = depot().rows
    again = replace(rows[1], position=len(rows) + 1)
    found = checked([*rows, again])
    assert [one.position for one in found.problems] == [len(rows) + 1]


def test_a_gap_that_no_seal_explains_is_found() -> None:
    """Versions that were never written."""
    log = depot()
    log._versions[BAY] += 2  # noqa: SLF001 - a log as no engine writes it
    log.commit((BAY, events.AssetRetired(), AT))
    (problem,) = checked(log.rows).problems
    assert problem.what.startswith("missing, and those up to version ")
    rows = [row for row in log.rows if (row.stream, row.version) != (asset_name(2), 2)]
    assert [one.version for one in checked(rows).problems] == [2, problem.version]


def test_rows_of_streams_that_nothing_names_are_counted_all_the_same() -> None:
    """The seal tells that they are gone, and between which rows they were."""
    log = depot()
    log.commit(("their_own", events.AssetRetired(), AT))
    rows = [row for row in log.rows if row.stream != "their_own"]
    (problem,) = checked(rows).problems
    assert problem.stream is None
    assert problem.what.startswith(f"missing: row {len(log.rows) - 1} of the log, ")


def test_no_more_than_so_many_problems_are_listed(monkeypatch: pytest.MonkeyPatch) -> None:
    """The others are counted."""
    monkeypatch.setattr(findings, "MOST", 2)
    rows = [replace(row, state=b"\x93") if row.stream == BAY else row for row in depot().rows]
    found = verify(rows, CODEC, comparisons=(Disagreeing(4),))
    assert len(found.problems) == 4
    assert found.more > 2
    log = depot()
    log.commit(*((BAY, ended(), AT) for _ in range(4)))
    assert len(checked(log.rows).problems) == 2


class Disagreeing:
    """Something beside the log that disagrees so many times."""

    def __init__(self, count: int) -> None:
        self.count = count

    def recorded(self, record: Record, state: AssetState | None) -> tuple[Discrepancy, ...]:
        """Disagree with nothing yet."""
        del record, state
        return ()

    def finished(self) -> tuple[Discrepancy, ...]:
        """Disagree with everything."""
        return (Discrepancy(0, None, None, None, "no"),) * self.count


def test_a_known_seal_has_to_be_there() -> None:
    """As it was."""
    rows = depot().rows
    other = SealMark(1, b"\x01" * 32)
    found = verify(rows, CODEC, known=(other,))
    assert [one.what for one in found.problems] == ["this is not the seal 1 that was given"]
    assert to_json(found)["known_seals"] == [str(other)]
    assert to_json(found)["problems"] != []


def test_snapshots_are_compared_with_the_fold() -> None:
    """Of another version of the engine they are passed over; one that is right says nothing."""
    log = depot()
    assets = folds.Folds()
    for row in log.rows:
        assets.feed(CODEC.decode(row))
    state = assets.assets[BAY]
    right = Row(BAY, state.version, "t", snapshot.encode(state))
    stale = replace(right, state=snapshot.encode(replace(state, crashes=1)))
    foreign = replace(right, state=b"\x93\x63\x01\x80")
    ahead = replace(right, version=state.version + 1)
    unread = replace(right, state=b"\x93")

    def told(row: Row) -> list[str]:
        found = verify(log.rows, CODEC, comparisons=(SnapshotComparison([row]),))
        return [one.what for one in found.problems]

    assert [told(one) for one in (right, foreign)] == [[], []]
    assert told(stale) == ["the snapshot is not the state that the events lead to"]
    assert told(ahead) == ["the snapshot is of a version that its stream does not have"]
    assert told(unread) == ["the snapshot cannot be read"]


def test_a_snapshot_of_a_stream_that_is_not_as_it_was_is_not_judged() -> None:
    """What follows a missing event makes no sense."""
    log = depot()
    rows = [row for row in log.rows if (row.stream, row.version) != (BAY, 3)]
    wrong = Row(BAY, 6, "t", b"\x93")
    found = verify(rows, CODEC, comparisons=(SnapshotComparison([wrong]),))
    assert [one.version for one in found.problems] == [3]
