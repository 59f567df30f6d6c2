from collections.abc import Iterable

import pytest
from msgspec.structs import replace

from actors.testing.records import (
    BATTERY,
    EV,
    FIRST,
    THREE,
    at_us,
    battery,
    by_hand,
    charger,
    ended,
    received,
    record,
    recorded,
    started,
    taken,
)
from actors.testing.rig import Rig, charger_rules, plan_of
from engine import bus, events
from engine.adapters import base
from engine.codec import Record
from engine.commands import Cause, CauseKind, CommandStatus, CommandType
from engine.notices import REMEMBERED, Notices
from engine.types import Channel, CommandId, ScheduleId, from_us


def told(records: Iterable[Record], *, expand: bool = False) -> list[bus.Event]:
    """Return what subscribers are told of a log."""
    notices = Notices()
    return [one for given in records for one in notices.of(given, expand=expand)]


def kinds(heard: Iterable[bus.Event]) -> list[str]:
    """Return the types of what was told, in order, but for the device's own news."""
    own = {bus.EventType.ASSET_CONNECTED, bus.EventType.STATE_CHANGED}
    return [one.type.value for one in heard if one.type not in own]


def start_order(command_id: str = "cmd_a") -> events.CommandCreated:
    """Return an operator's START."""
    cause = Cause(CauseKind.OPERATOR, by="ann", reason="test")
    return events.CommandCreated(
        CommandId(command_id), CommandType.START_CHARGING, None, cause, at_us(0), at_us(300)
    )


# --- the life of a command


def test_a_planned_command_is_told_from_dispatch_to_completion() -> None:
    """With evidence at once both ACKNOWLEDGED and COMPLETED are told, in this order."""
    rig = charger()
    rig.answer()
    heard = told(recorded(rig))
    assert kinds(heard) == ["COMMAND_DISPATCHED", "COMMAND_ACKNOWLEDGED", "COMMAND_COMPLETED"]
    attempt_id = heard[-3].data["attempt_id"]
    assert dict(heard[-3].data) == {
        "command_id": FIRST,
        "type": "SET_CHARGE_RATE",
        "value_kw": 11.0,
        "status": "DISPATCHED",
        "attempt_id": attempt_id,
        "number": 1,
    }
    assert heard[-2].data["status"] == "ACKNOWLEDGED"
    assert dict(heard[-1].data) == {
        "command_id": FIRST,
        "type": "SET_CHARGE_RATE",
        "value_kw": 11.0,
        "status": "COMPLETED",
        "reason": None,
        "evidence": "ack",
        "attempt_id": attempt_id,
    }


def test_a_notice_says_when_and_where() -> None:
    """Plan time, the position in the log, and the asset, which the site's own news lack."""
    (first,) = told([record(started(), 5, wall_s=9)])
    assert (first.at, first.position, first.asset_id) == (from_us(at_us(5)), 7, EV)
    (second,) = told([record(received(1, 900, EV), stream="sch_1")])
    assert second.asset_id is None


@pytest.mark.parametrize("expand", [False, True])
def test_planned_commands_are_told_one_by_one_only_when_asked_for(*, expand: bool) -> None:
    """Changes that are no commands are left out."""
    heard = told([record(replace(taken(), skipped=(0,)))], expand=expand)
    assert [one.data["command_id"] for one in heard] == ["cmd_1.0.1", "cmd_1.0.2"] * expand
    if expand:
        assert dict(heard[0].data) == {
            "command_id": "cmd_1.0.1",
            "type": "SET_CHARGE_RATE",
            "value_kw": 7.0,
            "status": "PENDING",
            "due_at": "2027-01-15T08:15:00.000000Z",
            "cause": "schedule",
            "schedule_id": "sch_1",
        }


def test_a_command_outside_the_plan_is_always_told() -> None:
    """With its cause, and what it asks for."""
    rig = charger(None)
    made = by_hand(rig)
    rig.answer()
    heard = [one for one in told(recorded(rig)) if one.data.get("command_id") == made]
    assert kinds(heard) == [
        "COMMAND_CREATED",
        "OVERRIDE_SET",
        "COMMAND_DISPATCHED",
        "COMMAND_ACKNOWLEDGED",
        "COMMAND_COMPLETED",
    ]
    assert (heard[0].data["cause"], heard[0].data["value_kw"]) == ("operator", 5.0)
    assert (heard[-1].data["type"], heard[-1].data["value_kw"]) == ("SET_CHARGE_RATE", 5.0)


def test_a_command_without_a_power_has_none() -> None:
    """START is told with its type."""
    log = [
        record(start_order()),
        record(
            started(
                "cmd_a",
                type=CommandType.START_CHARGING,
                value_w=None,
                applied_w=None,
                setpoint=None,
            )
        ),
    ]
    created, dispatched = told(log)
    assert (created.data["type"], created.data["value_kw"]) == ("START_CHARGING", None)
    assert (dispatched.data["type"], dispatched.data["value_kw"]) == ("START_CHARGING", None)


def test_a_retry_is_told_as_another_dispatch() -> None:
    """Failure is told at the end, not per attempt."""
    rig = charger()
    rig.answer(outcome="error")
    rig.advance(2)
    rig.answer(outcome="rejected", reason="no")
    heard = told(recorded(rig))
    assert kinds(heard) == ["COMMAND_DISPATCHED", "COMMAND_DISPATCHED", "COMMAND_FAILED"]
    assert heard[-1].data["reason"] == "no"


def test_a_command_that_has_to_wait_is_told() -> None:
    """With the reason that the history shows, and what it asks for."""
    rig = Rig(charger_rules())
    rig.offer(THREE, 2700)
    (held,) = told(recorded(rig))
    assert held.type == bus.EventType.COMMAND_HELD
    assert (held.data["reason"], held.data["status"]) == ("held:offline", "PENDING")
    assert (held.data["command_id"], held.data["value_kw"]) == (FIRST, 11.0)


def test_evidence_that_comes_later_is_told_later() -> None:
    """ACKNOWLEDGED first, COMPLETED by what was verified."""
    ids = (FIRST,)
    heard = told(
        [
            record(started()),
            record(ended("accepted", CommandStatus.ACKNOWLEDGED)),
            record(events.CommandVerified(ids, CommandStatus.COMPLETED, "readback")),
        ]
    )
    assert kinds(heard) == ["COMMAND_DISPATCHED", "COMMAND_ACKNOWLEDGED", "COMMAND_COMPLETED"]
    assert (heard[-1].data["evidence"], heard[-1].data["value_kw"]) == ("readback", 11.0)


def test_a_device_that_accepted_and_holds_another_value_is_told_as_both() -> None:
    """ACKNOWLEDGED, then FAILED."""
    rig = battery(plan_of((0, Channel.CHARGE, 20_000), columns=("battery_charge_kw", "")))
    rig.answer(base.SetpointRead(5.0, 0.0))
    expected = ["COMMAND_DISPATCHED", "COMMAND_ACKNOWLEDGED", "COMMAND_FAILED"]
    assert kinds(told(recorded(rig)))[:3] == expected


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        (CommandStatus.COMPLETED, ["COMMAND_ACKNOWLEDGED", "COMMAND_COMPLETED"]),
        (CommandStatus.TIMED_OUT, ["COMMAND_TIMED_OUT"]),
        (CommandStatus.PENDING, []),
    ],
)
def test_what_is_reconciled_is_told(status: CommandStatus, expected: list[str]) -> None:
    """Who is found to hold a command has accepted it; one that waits on is not news."""
    event = events.AttemptReconciled("att_1", (FIRST,), "holds", status)
    assert kinds(told([record(started()), record(event)])) == ["COMMAND_DISPATCHED", *expected]


@pytest.mark.parametrize("status", [CommandStatus.CANCELLED, CommandStatus.FAILED])
def test_a_command_that_ends_unsent_is_told_by_its_status(status: CommandStatus) -> None:
    """Most are CANCELLED; what no adapter can spell has FAILED."""
    event = events.CommandCancelled((CommandId("cmd_a"),), "superseded", status)
    *_, over = told([record(start_order()), record(event)])
    assert over.type == f"COMMAND_{status}"
    assert (over.data["reason"], over.data["type"]) == ("superseded", "START_CHARGING")
    assert (over.data["evidence"], over.data["attempt_id"]) == (None, None)


def test_both_commands_of_a_signed_register_are_told_as_what_they_are() -> None:
    """They share an attempt; each has its own type and value."""
    plan = plan_of(
        (0, Channel.CHARGE, 0),
        (0, Channel.DISCHARGE, 20_000),
        (300, Channel.DISCHARGE, 0),
        (300, Channel.CHARGE, 8_000),
        columns=("battery_charge_kw", "battery_discharge_kw"),
    )
    rig = battery(plan, shared_register=True)
    rig.read_back()
    rig.advance(300)
    asked = {
        one.data["command_id"]: (one.data["type"], one.data["value_kw"])
        for one in told(recorded(rig))
        if one.type == bus.EventType.COMMAND_DISPATCHED
    }
    assert asked["cmd_1.0.0"] == ("SET_CHARGE_RATE", 0.0)
    assert asked["cmd_1.0.1"] == ("SET_DISCHARGE_RATE", 20.0)
    assert asked["cmd_1.0.2"] == ("SET_DISCHARGE_RATE", 0.0)
    assert asked["cmd_1.0.3"] == ("SET_CHARGE_RATE", 8.0)


def test_the_second_half_of_a_pair_is_known_before_it_is_sent() -> None:
    """Blocked by the first half's failure, it is told with what it asked for."""
    plan = plan_of(
        (0, Channel.CHARGE, 0),
        (0, Channel.DISCHARGE, 20_000),
        columns=("battery_charge_kw", "battery_discharge_kw"),
    )
    rig = battery(plan)
    rig.answer(outcome="rejected")
    over = [one for one in told(recorded(rig)) if one.type == bus.EventType.COMMAND_CANCELLED]
    assert [(one.data["type"], one.data["value_kw"]) for one in over] == [
        ("SET_DISCHARGE_RATE", 20.0)
    ]


# --- what is remembered


def test_an_outcome_that_began_unheard_is_not_told() -> None:
    """Which commands it is about is not known; later ones are told again."""
    heard = told(
        [
            record(ended("accepted", CommandStatus.COMPLETED, "att_0")),
            record(started()),
            record(ended("accepted", CommandStatus.COMPLETED, "att_0")),
        ]
    )
    assert kinds(heard) == ["COMMAND_DISPATCHED"]


def test_a_command_that_began_unheard_is_told_by_its_id() -> None:
    """What it asks for is left open."""
    (over,) = told([record(events.CommandCancelled((FIRST,), "operator"))])
    assert over.data["command_id"] == FIRST
    assert (over.data["type"], over.data["value_kw"]) == (None, None)


def test_assets_are_not_mixed_up() -> None:
    """The same attempt on another asset's stream is another one."""
    log = [record(started()), record(ended("accepted", CommandStatus.COMPLETED), stream=BATTERY)]
    assert kinds(told(log)) == ["COMMAND_DISPATCHED"]


def test_what_is_remembered_is_bounded() -> None:
    """The oldest command is forgotten first, one that is over at once."""
    log = [record(start_order(f"cmd_{number}")) for number in range(REMEMBERED + 1)]
    ids = (CommandId("cmd_0"), CommandId("cmd_1"))
    log.append(record(events.CommandHeld(ids, "offline")))
    assert [one.data["type"] for one in told(log)[-2:]] == [None, "START_CHARGING"]
    over = record(events.CommandCancelled(ids, "operator"))
    assert [one.data["type"] for one in told([*log, over, over])[-2:]] == [None, None]


# --- alarms


@pytest.mark.parametrize(
    ("outcome", "status"),
    [("rejected", CommandStatus.FAILED), ("timed_out", CommandStatus.TIMED_OUT)],
)
def test_power_that_could_not_be_taken_away_is_an_alarm(
    outcome: base.Outcome, status: CommandStatus
) -> None:
    """A 0 kW setpoint that failed or timed out is told twice: as what it is, and as an alarm."""
    zero = started(value_w=0, setpoint=events.Setpoint(0, 0))
    *_, over, alarm = told([record(zero), record(ended(outcome, status))])
    assert (over.type, alarm.type) == (f"COMMAND_{status}", bus.EventType.ALARM)
    assert alarm.data["alarm"] == "decrease_failed"
    assert (alarm.data["command_id"], alarm.data["status"]) == (FIRST, status)


@pytest.mark.parametrize(
    ("evidence", "found", "measured_w", "is_alarm"),
    [
        ("measured", None, 16_000, True),
        ("composite", events.Setpoint(16_000, 0), None, True),
        ("composite", None, None, False),
        ("readback", events.Setpoint(4_000, 0), None, False),
    ],
)
def test_power_beyond_what_was_accepted_is_an_alarm(
    evidence: str,
    found: events.Setpoint | None,
    measured_w: int | None,
    is_alarm: bool,  # noqa: FBT001 - a row of the table
) -> None:
    """The vehicle takes more, or may; with what was found and measured."""
    verified = events.CommandVerified(
        (FIRST,), CommandStatus.FAILED, evidence, "accepted, no effect", found, measured_w
    )
    accepted = record(ended("accepted", CommandStatus.ACKNOWLEDGED))
    heard = told([record(started()), accepted, record(verified)])
    failed = next(one for one in heard if one.type == "COMMAND_FAILED")
    found_kw = None if found is None or found.charge_w is None else found.charge_w / 1_000
    measured_kw = None if measured_w is None else measured_w / 1_000
    assert (failed.data["found_kw"], failed.data["measured_kw"]) == (found_kw, measured_kw)
    assert ("ALARM" in kinds(heard)) is is_alarm


def test_power_that_could_not_be_given_is_no_alarm() -> None:
    """Nor is a command by hand that has no power."""
    rig = charger()
    rig.answer(outcome="rejected")
    assert "ALARM" not in kinds(told(recorded(rig)))


@pytest.mark.parametrize("gave_up", [False, True])
def test_an_actor_that_gave_up_is_an_alarm(*, gave_up: bool) -> None:
    """A crash that it got over is not."""
    heard = told([record(events.ActorCrashed("Woke", "KeyError", 5, gave_up=gave_up))])
    assert [one.data["alarm"] for one in heard] == ["actor_gave_up"] * gave_up


def test_a_link_that_could_not_be_opened_is_an_alarm() -> None:
    """Of its asset."""
    (alarm,) = told([record(events.LinkFailed("KeyError"))])
    assert dict(alarm.data) == {"alarm": "link_failed", "error": "KeyError"}


def test_a_wrong_clock_is_an_alarm() -> None:
    """One that is right again is none."""
    heard = told([record(events.ClockSkewed(-3_600)), record(events.ClockSkewed(0))])
    assert [dict(one.data) for one in heard] == [{"alarm": "clock_skew", "ahead_s": -3_600}]


def test_a_limit_by_others_is_an_alarm() -> None:
    """One that is over is none."""
    told_of = (
        events.ExternalLimitTold("SO", 4_200.0, is_critical=True),
        events.ExternalLimitTold("SO", is_over=True),
    )
    (alarm,) = told(list(map(record, told_of)))
    assert dict(alarm.data) == {
        "alarm": "external_limit",
        "source": "SO",
        "limit": 4_200.0,
        "unit": "W",
        "is_critical": True,
    }


@pytest.mark.parametrize(
    ("gave_up", "alarm"), [(False, "dispatcher_failed"), (True, "dispatcher_gave_up")]
)
def test_a_crash_of_the_sites_own_actors_is_an_alarm(*, gave_up: bool, alarm: str) -> None:
    """Of the whole site."""
    crash = events.SiteActorCrashed("dispatcher", "Submitted", "KeyError", gave_up=gave_up)
    (heard,) = told([record(crash, stream="site")])
    assert dict(heard.data) == {"alarm": alarm, "error": "KeyError"}


def test_a_lost_store_is_an_alarm() -> None:
    """It is the whole site's."""
    (alarm,) = told([record(events.StoreLost(at_us(0), "disk full"), stream="site")])
    assert (alarm.type, alarm.asset_id) == (bus.EventType.ALARM, None)
    assert dict(alarm.data) == {"alarm": "store_lost", "reason": "disk full"}


def test_another_controller_that_is_left_alone_is_an_alarm_once() -> None:
    """With what was found and until when it is left alone; what was set again is none."""
    found = events.Setpoint(1_000, 0)
    again, first, later = (
        record(events.DeviceChanged(found, "set_again")),
        record(events.DeviceChanged(found, "left_alone", at_us(3_600), alarm=True)),
        record(events.DeviceChanged(found, "left_alone", at_us(3_600))),
    )
    (alarm,) = told([again, first, later])
    assert alarm.type == bus.EventType.ALARM
    assert dict(alarm.data) == {
        "alarm": "interference",
        "found_charge_kw": 1.0,
        "found_discharge_kw": 0.0,
        "reaction": "left_alone",
        "again_at": "2027-01-15T09:00:00.000000Z",
    }


def test_an_alarm_of_another_controller_may_have_no_end() -> None:
    """It is left alone until the next planned change, or was set again beyond a limit."""
    found = events.Setpoint(60_000, None)
    (alarm,) = told([record(events.DeviceChanged(found, "set_again", alarm=True))])
    assert (alarm.data["reaction"], alarm.data["again_at"]) == ("set_again", None)


# --- everything else


def test_a_schedule_is_told_with_its_extent() -> None:
    """Its plans are counted, not listed."""
    (heard,) = told([record(received(3, 2700, EV, BATTERY), stream="sch_3")])
    assert heard.type == bus.EventType.SCHEDULE_RECEIVED
    assert dict(heard.data) == {
        "schedule_id": "sch_3",
        "sequence": 3,
        "start_at": "2027-01-15T08:00:00.000000Z",
        "horizon_at": "2027-01-15T08:45:00.000000Z",
        "assets": 2,
        "changes": 6,
    }


def test_the_end_of_a_schedule_is_told() -> None:
    """With the horizon that passed."""
    (heard,) = told([record(events.ScheduleExhausted(ScheduleId("sch_1"), 1, at_us(2700)))])
    assert (heard.type, heard.data["schedule_id"]) == (bus.EventType.SCHEDULE_EXHAUSTED, "sch_1")
    assert heard.data["horizon_at"] == "2027-01-15T08:45:00.000000Z"


def test_a_device_that_comes_and_goes_is_told() -> None:
    """Its state too, with what it said itself."""
    rig = Rig(charger_rules())
    rig.connect("PREPARING")
    rig.observe(base.Disconnected("closed"))
    connected, changed, gone = told(recorded(rig))
    assert (connected.type, dict(connected.data)) == ("ASSET_CONNECTED", {"booted": True})
    assert changed.type == bus.EventType.STATE_CHANGED
    assert (changed.data["source"], changed.data["target"]) == ("AVAILABLE", "PREPARING")
    assert (changed.data["trigger"], changed.data["raw"]) == ("plug_in", "PREPARING")
    assert (gone.type, dict(gone.data)) == ("ASSET_DISCONNECTED", {"reason": "closed"})


def test_the_detail_of_a_state_is_told() -> None:
    """Each under a name of its own."""
    event = events.StateChanged("CHARGING", "SUSPENDED", "suspend", "x", {"suspended_by": "ev"})
    (heard,) = told([record(event)])
    assert heard.data["detail_suspended_by"] == "ev"


@pytest.mark.parametrize(
    ("until_us", "until"), [(at_us(600), "2027-01-15T08:10:00.000000Z"), (None, None)]
)
def test_overrides_are_told(until_us: int | None, until: str | None) -> None:
    """Who set it and why, what it sets, how it ends; and that it ended."""
    override = events.OverrideSet(
        "ovr_1",
        events.Setpoint(5_000, None),
        "time",
        until_us,
        "ann",
        "test",
        CommandId("cmd_a"),
        CommandType.SET_CHARGE_RATE,
        "override",
    )
    begun, over = told([record(override), record(events.OverrideEnded("ovr_1", "cleared", "bob"))])
    assert begun.type == bus.EventType.OVERRIDE_SET
    assert dict(begun.data) == {
        "override_id": "ovr_1",
        "command_id": "cmd_a",
        "charge_kw": 5.0,
        "discharge_kw": None,
        "ends": "time",
        "until": until,
        "by": "ann",
        "reason": "test",
    }
    assert over.type == bus.EventType.OVERRIDE_ENDED
    assert dict(over.data) == {"override_id": "ovr_1", "reason": "cleared", "by": "bob"}


def test_what_no_subscriber_asked_for_is_not_told() -> None:
    """Configuration, cuts, late answers and the engine's own news have no notice."""
    quiet = [
        record(events.AssetConfigured(charger_rules())),
        record(events.PlanCut(ScheduleId("sch_1"), 0, 1, "expired")),
        record(events.LateAnswered("att_1", "ok")),
        record(events.EngineStarted(1, "i", "0.1"), stream="site"),
    ]
    assert told(quiet, expand=True) == []


def test_a_device_above_its_grant_is_an_alarm() -> None:
    """Once; that it is within it again is no news."""
    (alarm,) = told([record(events.GrantExceeded("measured", 15_000, 11_000))])
    assert dict(alarm.data) == {
        "alarm": "above_grant",
        "how": "measured",
        "power_kw": 15.0,
        "granted_kw": 11.0,
    }
    assert told([record(events.GrantKept())]) == []


def test_a_limit_that_is_exceeded_is_an_alarm() -> None:
    """Which, by what, and what there is to it."""
    exceeded = events.LimitExceeded("import", "reserved", 66_000, 60_000, 8_000)
    (alarm,) = told([record(exceeded)])
    assert dict(alarm.data) == {
        "alarm": "import_limit",
        "kind": "reserved",
        "power_kw": 66.0,
        "limit_kw": 60.0,
        "base_load_kw": 8.0,
    }
    assert told([record(events.LimitKept("import", "reserved"))]) == []
    (alarm,) = told([record(events.LimitExceeded("L2", "measured", 16_000, 14_490))])
    assert alarm.data["alarm"] == "l2_limit"
