from datetime import UTC, datetime

from actors.testing.records import (
    BATTERY,
    EV,
    START_US,
    after,
    charger,
    ended,
    history_of,
    received,
    record,
    recorded,
    started,
    taken,
)
from engine import events
from engine.asset import AssetState
from engine.commands import CommandStatus
from engine.history import History, asset_state, histories, summary, to_json
from engine.types import US_PER_S, Channel, from_us

CHARGE, DISCHARGE = Channel.CHARGE, Channel.DISCHARGE


# --- commands


def test_a_history_is_a_sequence() -> None:
    """Length, index, slice, iteration, comparison; and it does not print a million commands."""
    found = history_of(charger())
    assert len(found) == len(list(found))
    assert found[0] in found
    assert found[:2] == History(list(found)[:2])
    assert hash(found[:]) == hash(found)
    assert found != list(found)
    assert repr(History()) == "<History of 0 commands>"


def test_a_history_becomes_a_frame() -> None:
    """One row per command; times are aware, the cause is spread over columns."""
    rig = charger()
    rig.answer()
    frame = history_of(rig).to_frame()
    assert len(frame) == 3
    first = frame.iloc[0].to_dict()
    assert (first["id"], first["type"], first["status"]) == (
        "cmd_1.0.0",
        "SET_CHARGE_RATE",
        "COMPLETED",
    )
    assert (first["cause"], first["column"], first["attempts"]) == ("schedule", "ev_kw", 1)
    assert first["due_at"] == after(0)
    assert list(History().to_frame().columns) == list(frame.columns)


def test_the_json_of_a_command_is_the_contracts() -> None:
    """Every field by its name, times as ISO 8601 UTC with microseconds and Z."""
    rig = charger()
    rig.advance(0.5)
    rig.answer()
    done = to_json(history_of(rig)[0])
    start = datetime(2027, 1, 15, 8, tzinfo=UTC)
    assert from_us(START_US) == start
    attempts = done.pop("attempts")
    assert done == {
        "id": "cmd_1.0.0",
        "asset_id": "ast_ev",
        "type": "SET_CHARGE_RATE",
        "value_kw": 11.0,
        "applied_kw": 11.0,
        "priority": 1,
        "due_at": "2027-01-15T08:00:00.000000Z",
        "expires_at": "2027-01-15T08:15:00.000000Z",
        "status": "COMPLETED",
        "reason": None,
        "schedule_id": "sch_1",
        "cause": {
            "kind": "schedule",
            "slot": "2027-01-15T08:00:00.000000Z",
            "column": "ev_kw",
            "by": None,
            "reason": None,
            "event_id": None,
        },
        "created_at": "2027-01-15T08:00:00.000000Z",
        "dispatched_at": "2027-01-15T08:00:00.000000Z",
        "acknowledged_at": "2027-01-15T08:00:00.500000Z",
        "finished_at": "2027-01-15T08:00:00.500000Z",
        "evidence": "ack",
        "ended_by": None,
        "acknowledged_kw": 11.0,
        "found_kw": None,
        "measured_kw": None,
        "measured_s": None,
        "energy_kwh": None,
        "above_plan_kwh": None,
        "below_plan_kwh": None,
        "off_plan_s": None,
    }
    assert attempts == [
        {
            "id": history_of(rig)[0].attempts[0].id,
            "number": 1,
            "sent_at": "2027-01-15T08:00:00.000000Z",
            "answered_at": "2027-01-15T08:00:00.500000Z",
            "outcome": "accepted",
            "answer": {"raw": "raw"},
        }
    ]


def test_the_json_tells_wall_time_of_the_wire_and_late_answers() -> None:
    """Sending and answering are told in wall time, everything else in plan time."""
    log = [
        record(taken()),
        record(started(), 1, wall_s=100),
        record(ended("timed_out", CommandStatus.TIMED_OUT), 2, wall_s=101),
        record(events.LateAnswered("att_1", "ok"), 3, wall_s=102),
    ]
    done = to_json(histories(log)[0])
    assert done["dispatched_at"] == "2027-01-15T08:00:01.000000Z"
    assert done["attempts"] == [
        {
            "id": "att_1",
            "number": 1,
            "sent_at": "2027-01-15T08:01:40.000000Z",
            "answered_at": None,
            "outcome": "timed_out",
            "answer": {
                "raw": None,
                "late": [{"raw": "ok", "answered_at": "2027-01-15T08:01:42.000000Z"}],
            },
        }
    ]
    silent = to_json(histories(log[:2])[0])["attempts"]
    assert isinstance(silent, list)
    assert (silent[0]["answer"], silent[0]["outcome"]) == (None, None)


def test_a_summary_counts_every_status() -> None:
    """Those without commands too."""
    rig = charger()
    rig.answer()
    counts = summary(history_of(rig))
    assert list(counts) == list(CommandStatus)
    assert (counts[CommandStatus.COMPLETED], counts[CommandStatus.PENDING]) == (1, 2)
    assert sum(counts.values()) == 3


# --- what was known when


def test_the_state_at_a_moment_is_the_fold_until_then() -> None:
    """At the end it is the live state; before, nothing later is known of."""
    rig = charger()
    rig.answer()
    rig.advance(1000)
    log = [*recorded(rig), record(received(5, 9000, EV))]
    blank = AssetState(EV, outside=rig.state.outside)
    assert asset_state(log, None, blank) == rig.state
    half_us = START_US + 500 * US_PER_S
    then = asset_state(log, half_us, blank)
    assert then.desired is not None
    assert then.desired.target == events.Setpoint(11_000, 0)
    assert asset_state(log, START_US - 1, blank) == blank


def test_the_state_at_a_moment_may_begin_with_a_snapshot() -> None:
    """A fold over what follows it gives the same as one over everything."""
    rig = charger()
    rig.answer()
    rig.advance(1000)
    log = recorded(rig)
    blank = AssetState(EV)
    whole = asset_state(log, None, blank)
    for at in range(len(log)):
        assert asset_state(log[at:], None, asset_state(log[:at], None, blank)) == whole


def test_other_streams_say_nothing_of_an_asset() -> None:
    """Records of another asset, of the site and of schedules are passed over."""
    log = [*recorded(charger()), record(events.StoreLost(0, "gone"), stream=EV)]
    blank = AssetState(BATTERY)
    assert asset_state(log, None, blank) == blank
