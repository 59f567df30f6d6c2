from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Final

import attrs
import pytest

from actors.testing.rig import Rig, battery_rules, charger_rules, plan_of
from engine import events
from engine.adapters import base
from engine.adapters.base import Payload
from engine.asset import AssetState
from engine.asset import messages as message
from engine.codec import Header, Record
from engine.commands import Cause, CauseKind, CommandStatus, CommandType
from engine.history import (
    CommandHistory,
    CommandRecord,
    Filters,
    History,
    asset_state,
    histories,
    summary,
    to_json,
)
from engine.plans import Plan, PlanRef
from engine.types import US_PER_S, AssetId, Channel, CommandId, ScheduleId, from_us, to_us

CHARGE, DISCHARGE = Channel.CHARGE, Channel.DISCHARGE
START_US: Final = Rig.START_US
EV: Final = AssetId("ast_ev")
BATTERY: Final = AssetId("ast_batt")
OPERATOR: Final = Cause(CauseKind.OPERATOR, by="ann", reason="test")
THREE: Final = plan_of((0, CHARGE, 11_000), (900, CHARGE, 7_000), (1800, CHARGE, 0))


def after(seconds: float) -> datetime:
    """Return the moment so many seconds after the rig's start."""
    return from_us(START_US + round(seconds * US_PER_S))


def record(
    event: events.Event, at_s: float = 0.0, stream: str = EV, *, wall_s: float | None = None
) -> Record:
    """Return an event as a record; wall time is plan time unless told."""
    at_us = START_US + round(at_s * US_PER_S)
    wall_us = at_us if wall_s is None else START_US + round(wall_s * US_PER_S)
    return Record(Header(1, stream, 1, at_us, wall_us), "a.topic", event, 1)


def recorded(rig: Rig) -> list[Record]:
    """Return what an asset did as records of its stream."""
    stream = rig.state.asset_id
    return [
        Record(Header(1, stream, version, at.plan_us, at.device_us), "a.topic", event, version)
        for version, (event, at) in enumerate(zip(rig.events, rig.times, strict=True), 1)
    ]


def history_of(*rigs: Rig, **filters: object) -> History:
    """Return the history of what assets did."""
    records = sorted(
        (one for rig in rigs for one in recorded(rig)), key=lambda one: one.header.at_us
    )
    return histories(records, Filters(**filters))  # type: ignore[arg-type]  # tests name the filters


def charger(plan: Plan | None = THREE, horizon_s: float = 2700, **rules: object) -> Rig:
    """Return a connected charger with a car and, where one is given, a plan."""
    rig = Rig(charger_rules(**rules))
    rig.connect("CHARGING")
    if plan is not None:
        rig.offer(plan, horizon_s)
    return rig


def battery(plan: Plan, **rules: object) -> Rig:
    """Return a connected battery with a plan."""
    rig = Rig(battery_rules(**rules))
    rig.connect("IDLE")
    rig.offer(plan, 2700)
    return rig


def taken(
    plan: Plan, *, sequence: int = 1, from_s: float = 0, horizon_s: float = 2700
) -> events.PlanReplaced:
    """Return a plan as taken; times in seconds after the rig's start."""
    ref = PlanRef(ScheduleId(f"sch_{sequence}"), sequence, 0)
    from_us, horizon_us = (START_US + round(s * US_PER_S) for s in (from_s, horizon_s))
    return events.PlanReplaced(ref, plan, from_us, horizon_us)


def received(sequence: int, horizon_s: float, *assets: AssetId) -> Record:
    """Return a schedule as received, which names these assets."""
    event = events.ScheduleReceived(
        ScheduleId(f"sch_{sequence}"),
        sequence,
        START_US,
        START_US + round(horizon_s * US_PER_S),
        b"",
        dict.fromkeys(assets, THREE),
    )
    return record(event, stream=event.schedule_id)


def started(
    command_id: str = "cmd_1.0.0", attempt_id: str = "att_1", **changes: object
) -> events.AttemptStarted:
    """Return the beginning of an attempt at the first change of `THREE`."""
    event = events.AttemptStarted(
        attempt_id,
        1,
        0,
        (CommandId(command_id),),
        CommandType.SET_CHARGE_RATE,
        11_000,
        11_000,
        events.Setpoint(11_000, 0),
        Payload(()),
        None,
    )
    return attrs.evolve(event, **changes)  # type: ignore[arg-type]  # the fields of AttemptStarted


def ended(
    outcome: base.Outcome, status: CommandStatus, attempt_id: str = "att_1", **more: object
) -> events.AttemptEnded:
    """Return the end of an attempt."""
    return events.AttemptEnded(attempt_id, outcome, status, **more)  # type: ignore[arg-type]  # its fields


def statuses(history: Iterable[CommandRecord]) -> list[str]:
    """Return how far commands have come."""
    return [one.status.value for one in history]


# --- the life of a planned command


def test_a_planned_command_is_known_from_its_plan_on() -> None:
    """Without an event of its own it is PENDING, with its slot, its column and its expiry."""
    rig = charger()
    pending = history_of(rig)[1]
    assert pending.id == "cmd_1.0.1"
    assert (pending.type, pending.value_kw) == (CommandType.SET_CHARGE_RATE, 7.0)
    assert (pending.due_at, pending.expires_at) == (after(900), after(1800))
    assert (pending.cause.kind, pending.cause.slot) == (CauseKind.SCHEDULE, after(900))
    assert (pending.cause.column, pending.schedule_id) == ("ev_kw", "sch_1")
    assert (pending.status, pending.reason) == (CommandStatus.PENDING, None)
    assert (pending.created_at, pending.dispatched_at) == (after(0), None)
    assert pending.attempts == ()


def test_a_command_is_followed_to_its_end() -> None:
    """Dispatch, acknowledgement, end, evidence and the answer as received are all told."""
    rig = charger()
    rig.advance(2)
    rig.answer()
    done = history_of(rig)[0]
    assert (done.status, done.evidence, done.applied_kw) == (CommandStatus.COMPLETED, "ack", 11.0)
    assert (done.dispatched_at, done.acknowledged_at, done.finished_at) == (
        after(0),
        after(2),
        after(2),
    )
    (attempt,) = done.attempts
    assert (attempt.number, attempt.outcome) == (1, "accepted")
    assert (attempt.sent_at, attempt.answered_at) == (after(0), after(2))
    assert attempt.answer is not None
    assert attempt.answer.raw == "raw"


def test_an_open_attempt_has_no_outcome() -> None:
    """While the device is silent the command is DISPATCHED and its attempt without an answer."""
    (attempt,) = history_of(charger())[0].attempts
    assert (attempt.outcome, attempt.answer, attempt.answered_at) == (None, None, None)


def test_a_command_of_an_absent_device_is_held() -> None:
    """It stays PENDING and says why it waits."""
    rig = Rig(charger_rules())
    rig.offer(THREE, 2700)
    waiting = history_of(rig)[0]
    assert (waiting.status, waiting.reason) == (CommandStatus.PENDING, "held:offline")


def test_a_retry_is_another_attempt_of_the_same_command() -> None:
    """The command waits as PENDING; its dispatch remains the first one."""
    rig = charger()
    rig.advance(3)
    rig.answer(outcome="error", reason="busy")
    between = history_of(rig)[0]
    assert (between.status, between.reason) == (CommandStatus.PENDING, "busy")
    rig.advance(2)
    rig.answer()
    done = history_of(rig)[0]
    assert [one.outcome for one in done.attempts] == ["error", "accepted"]
    assert [one.number for one in done.attempts] == [1, 2]
    assert (done.dispatched_at, done.acknowledged_at) == (after(0), after(5))
    assert (done.status, done.reason) == (CommandStatus.COMPLETED, None)


def test_an_attempt_that_never_left_is_no_dispatch() -> None:
    """NOT_SENT stays in the list of attempts, and the command counts as not dispatched."""
    log = [
        record(taken(THREE)),
        record(started()),
        record(ended("not_sent", CommandStatus.PENDING), 1),
        record(started(attempt_id="att_2"), 2),
    ]
    before, now = histories(log[:3])[0], histories(log)[0]
    assert (before.status, before.dispatched_at) == (CommandStatus.PENDING, None)
    assert (now.status, now.dispatched_at) == (CommandStatus.DISPATCHED, after(2))
    assert [one.outcome for one in now.attempts] == ["not_sent", None]


def test_a_refused_command_has_failed() -> None:
    """The device's answer is kept; it never acknowledged."""
    rig = charger()
    rig.answer(outcome="rejected", reason="no")
    failed = history_of(rig)[0]
    assert (failed.status, failed.reason) == (CommandStatus.FAILED, "no")
    assert (failed.acknowledged_at, failed.finished_at) == (None, after(0))


def test_silence_is_no_answer() -> None:
    """An attempt that timed out has no time of an answer."""
    log = [record(taken(THREE)), record(started())]
    log.append(record(ended("timed_out", CommandStatus.TIMED_OUT), 30))
    lost = histories(log)[0]
    assert lost.status == CommandStatus.TIMED_OUT
    assert (lost.attempts[0].answered_at, lost.attempts[0].answer) == (None, None)


def test_an_unreadable_answer_is_kept() -> None:
    """What could not be read came all the same: when and what is told."""
    log = [record(taken(THREE)), record(started())]
    log.append(record(ended("unknown", CommandStatus.PENDING, answer="ff 00"), 1, wall_s=9))
    (attempt,) = histories(log)[0].attempts
    assert attempt.answered_at == after(9)
    assert attempt.answer is not None
    assert attempt.answer.raw == "ff 00"


def test_a_late_answer_changes_nothing() -> None:
    """It is shown with its attempt; the command stays as it was."""
    log = [
        record(taken(THREE)),
        record(started()),
        record(ended("timed_out", CommandStatus.TIMED_OUT), 30),
        record(events.LateAnswered("att_1", "ok"), 31, wall_s=40),
        record(events.LateAnswered("att_unheard", "ok"), 31),
    ]
    lost = histories(log)[0]
    (attempt,) = lost.attempts
    assert lost.status == CommandStatus.TIMED_OUT
    assert attempt.outcome == "timed_out"
    assert attempt.answer is not None
    assert attempt.answer.raw is None
    assert [(one.raw, one.answered_at) for one in attempt.answer.late] == [("ok", after(40))]


def test_final_is_final() -> None:
    """Nothing that is recorded later moves a command that is over (P8)."""
    log = [
        record(taken(THREE)),
        record(started()),
        record(
            events.CommandCancelled((CommandId("cmd_1.0.0"),), "unknown", CommandStatus.TIMED_OUT)
        ),
        record(ended("accepted", CommandStatus.COMPLETED, evidence="ack"), 1),
        record(started(attempt_id="att_2"), 2),
        record(
            events.AttemptReconciled(
                "att_1", (CommandId("cmd_1.0.0"),), "holds", CommandStatus.COMPLETED
            ),
            3,
        ),
        record(events.CommandCancelled((CommandId("cmd_1.0.0"),), "operator", by="ann"), 4),
    ]
    over = histories(log)[0]
    assert (over.status, over.reason, over.ended_by) == (CommandStatus.TIMED_OUT, "unknown", None)
    assert (over.finished_at, over.acknowledged_at, over.evidence) == (after(0), None, None)
    assert [one.id for one in over.attempts] == ["att_1", "att_2"]


def test_an_attempt_across_a_restart_is_unknown_until_it_is_reconciled() -> None:
    """Without a recorded outcome it is unknown (P4); who is found to hold it has accepted it."""
    rig = charger()
    rig.advance(5)
    rig.tell(message.Recovered(2))
    lost = history_of(rig)[0]
    assert (lost.status, lost.attempts[0].outcome) == (CommandStatus.PENDING, "unknown")
    assert lost.reason == "held:offline"
    rig.observe(base.Connected(), base.StateReported("CHARGING", "Charging"))
    asked = rig.state.unknown
    assert asked is not None
    held = base.Answer("read", values=(base.SetpointRead(11.0, 0.0),))
    rig.tell(message.QuestionAnswered(asked.attempt_id, held))
    found = history_of(rig)[0]
    assert (found.status, found.evidence) == (CommandStatus.COMPLETED, "composite")
    assert (found.acknowledged_at, found.finished_at) == (after(5), after(5))
    assert found.attempts[0].outcome == "unknown"


def test_an_attempt_that_is_reconciled_to_nothing_goes_on() -> None:
    """A device that cannot tell leaves the command PENDING."""
    log = [record(taken(THREE)), record(started())]
    log.append(record(ended("timed_out", CommandStatus.PENDING), 1))
    ids = (CommandId("cmd_1.0.0"),)
    event = events.AttemptReconciled("att_1", ids, "no_answer", CommandStatus.PENDING)
    log.append(record(event, 2))
    waiting = histories(log)[0]
    assert (waiting.status, waiting.acknowledged_at) == (CommandStatus.PENDING, None)


def test_evidence_beside_the_wire_ends_a_command() -> None:
    """ACKNOWLEDGED is not over; what is verified later is, by that evidence."""
    log = [record(taken(THREE)), record(started())]
    log.append(record(ended("accepted", CommandStatus.ACKNOWLEDGED), 1))
    ids = (CommandId("cmd_1.0.0"),)
    verified = events.CommandVerified(ids, CommandStatus.COMPLETED, "readback")
    before, now = histories(log)[0], histories([*log, record(verified, 2)])[0]
    assert (before.status, before.finished_at) == (CommandStatus.ACKNOWLEDGED, None)
    assert (now.status, now.evidence) == (CommandStatus.COMPLETED, "readback")
    assert (now.acknowledged_at, now.finished_at) == (after(1), after(2))


def test_a_battery_that_holds_another_value_has_failed_after_its_acknowledgement() -> None:
    """The readback is the evidence, what was found the reason."""
    rig = battery(plan_of((0, CHARGE, 20_000), columns=("battery_charge_kw", "")))
    rig.answer(base.SetpointRead(5.0, 0.0))
    failed = history_of(rig)[0]
    assert failed.status == CommandStatus.FAILED
    assert failed.reason is not None
    assert failed.reason.startswith("clamped")
    assert (failed.evidence, failed.acknowledged_at) == ("readback", after(0))


# --- plans that cover plans


def test_a_later_plan_supersedes_what_it_covers() -> None:
    """Changes from its first slot on end by it; those before go on, the open one too."""
    rig = charger()
    rig.answer()
    rig.advance(60)
    rig.offer(plan_of((900, CHARGE, 3_000), (1800, CHARGE, 5_000)), 3600, sequence=2)
    old = list(history_of(rig, schedule="sch_1"))
    new = list(history_of(rig, schedule="sch_2"))
    assert statuses(old) == ["COMPLETED", "CANCELLED", "CANCELLED"]
    assert statuses(new) == ["PENDING", "PENDING"]
    assert (old[1].reason, old[1].ended_by) == ("superseded", "sch_2")
    assert (old[1].finished_at, old[1].attempts) == (after(60), ())


def test_of_several_plans_the_first_that_covers_a_command_ends_it() -> None:
    """The one after it finds only what that one left open."""
    log = [
        record(taken(THREE)),
        record(taken(THREE, sequence=2, from_s=1800), 60),
        record(taken(THREE, sequence=3, from_s=1800), 61),
        record(taken(THREE, sequence=4, from_s=900), 62),
    ]
    first = histories(log, Filters(schedule="sch_1"))
    assert statuses(first) == ["PENDING", "CANCELLED", "CANCELLED"]
    assert [one.ended_by for one in first] == [None, "sch_4", "sch_2"]


def test_a_plan_that_rules_at_once_ends_all_before_it() -> None:
    """What had fallen due untaken in that very moment is not left PENDING for ever."""
    log = [record(taken(THREE)), record(taken(THREE, sequence=2, from_s=901), 901)]
    first = histories(log, Filters(schedule="sch_1"))
    assert statuses(first) == ["CANCELLED"] * 3
    assert {one.ended_by for one in first} == {"sch_2"}


def test_a_plan_whose_time_is_over_is_not_covered_again() -> None:
    """A plan that begins later cannot end what was due before it."""
    log = [
        record(taken(THREE)),
        record(taken(THREE, sequence=2, from_s=1800), 60),
        record(taken(THREE, sequence=3, from_s=3600), 2000),
    ]
    first = histories(log, Filters(schedule="sch_1"))
    assert statuses(first) == ["PENDING", "PENDING", "CANCELLED"]


def test_cut_changes_are_cancelled_for_the_reason_of_the_cut() -> None:
    """A cut names a plan and a range; a cut of an unknown plan says nothing."""
    log = [
        record(taken(THREE)),
        record(events.PlanCut(ScheduleId("sch_1"), 0, 2, "early_departure"), 5),
        record(events.PlanCut(ScheduleId("sch_1"), 1, 9, "expired"), 6),
        record(events.PlanCut(ScheduleId("sch_9"), 0, 3, "expired"), 7),
    ]
    found = histories(log)
    assert [one.reason for one in found] == ["early_departure", "early_departure", "expired"]
    assert [one.finished_at for one in found] == [after(5), after(5), after(6)]


def test_what_was_taken_up_goes_by_its_own_events_alone() -> None:
    """A cut around a command, or a plan over it, leaves the command that was decided on."""
    step = events.Step(
        (CommandId("cmd_1.0.1"),), CommandType.SET_CHARGE_RATE, 7_000, events.Setpoint(7_000, 0)
    )
    decision = events.Decision(events.Setpoint(7_000, 0), "schedule", (step,), START_US)
    log = [
        record(taken(THREE)),
        record(events.PlanCut(ScheduleId("sch_1"), 0, 2, "superseded"), 900),
        record(events.SetpointDecided(decision), 900),
        record(taken(THREE, sequence=2, from_s=900), 900),
    ]
    found = histories(log, Filters(schedule="sch_1"))
    assert statuses(found) == ["CANCELLED", "PENDING", "CANCELLED"]


def test_skipped_changes_are_no_commands() -> None:
    """The first slot's change that the setpoint equals already is not in the history."""
    event = attrs.evolve(taken(THREE), skipped=(0,))
    log = [record(event), record(started("cmd_1.0.0"), 1)]
    assert [one.id for one in histories(log)] == ["cmd_1.0.1", "cmd_1.0.2"]


def test_past_commands_of_a_downtime_are_expired() -> None:
    """What ran out by the horizon is CANCELLED expired by one event."""
    rig = Rig(charger_rules())
    rig.offer(THREE, 2700)
    rig.advance(2700)
    found = history_of(rig, cause="schedule")
    assert statuses(found)[-1] == "CANCELLED"
    assert found[-1].reason == "expired"


# --- horizons


def test_the_last_command_of_a_channel_expires_at_the_horizon() -> None:
    """Each channel has its own next change."""
    plan = plan_of((0, CHARGE, 5_000), (0, DISCHARGE, 0), (900, CHARGE, 0), columns=("c", "d"))
    found = histories([record(taken(plan), stream=BATTERY)])
    assert [one.expires_at for one in found] == [after(900), after(2700), after(2700)]
    assert [one.cause.column for one in found] == ["c", "d", "c"]


def test_a_schedule_that_leaves_the_plan_unchanged_prolongs_it() -> None:
    """Its horizon is that of the plan in force, though the asset stored nothing."""
    log = [
        record(taken(THREE)),
        received(2, 3600, EV),
        received(3, 4500, EV),
        received(4, 9000, BATTERY),
    ]
    assert [one.expires_at for one in histories(log)] == [after(900), after(1800), after(4500)]


@pytest.mark.parametrize("sequence", [2, 3])
def test_a_plan_taken_later_has_a_horizon_of_its_own(sequence: int) -> None:
    """The plan before it keeps the horizon that it had last."""
    log = [
        record(taken(THREE)),
        received(2, 3600, EV),
        record(taken(THREE, sequence=sequence, from_s=1800, horizon_s=9000), 1),
    ]
    last = [one.expires_at for one in histories(log)][-2:]
    assert last == [after(3600 if sequence == 3 else 2700), after(9000)]


def test_a_schedule_received_early_is_not_lost() -> None:
    """A plan of an older schedule, taken late, does not use up a newer one's horizon."""
    log = [
        record(taken(THREE)),
        received(3, 3600, EV),
        record(taken(THREE, sequence=2, from_s=0, horizon_s=9000), 1),
    ]
    assert histories(log, Filters(schedule="sch_2"))[-1].expires_at == after(3600)


def test_a_rejected_plan_prolongs_nothing() -> None:
    """The plan in force keeps its horizon."""
    rejected = events.PlanRejected(PlanRef(ScheduleId("sch_2"), 2, 0), "no")
    log = [record(taken(THREE)), received(2, 3600, EV), record(rejected)]
    assert histories(log)[-1].expires_at == after(2700)


def test_a_horizon_that_passed_stays() -> None:
    """What the asset ran out at is told by its event; later schedules are another plan's."""
    exhausted = events.ScheduleExhausted(ScheduleId("sch_1"), 2, START_US + 3_600 * US_PER_S)
    log = [
        record(taken(THREE)),
        received(2, 3600, EV),
        record(exhausted, 3600),
        received(3, 9000, EV),
        record(attrs.evolve(exhausted, sequence=3), 9000),
    ]
    assert histories(log)[-1].expires_at == after(3600)


# --- commands that are not planned


def by_hand(rig: Rig, kw: float = 5.0) -> str:
    """Set a rate by hand; return the command's id."""
    replies: list[object] = []
    target = events.Setpoint(round(kw * 1_000), 0)
    rig.tell(
        message.OverrideRequested(
            target,
            CommandType.SET_CHARGE_RATE,
            "time",
            START_US + 600 * US_PER_S,
            "ann",
            "test drive",
            "operator",
            replies.append,
        )
    )
    return str(replies[0])


def test_a_command_by_hand_says_who_and_why() -> None:
    """Its expiry is the end of its override, plan clock."""
    rig = charger(None)
    made = by_hand(rig)
    rig.answer()
    (found,) = history_of(rig)
    assert found.id == made
    assert (found.cause.kind, found.cause.by, found.cause.reason) == (
        CauseKind.OPERATOR,
        "ann",
        "test drive",
    )
    assert (found.value_kw, found.expires_at, found.schedule_id) == (5.0, after(600), None)
    assert found.status == CommandStatus.COMPLETED


def test_who_cancels_a_command_is_told() -> None:
    """An operator's name is what ended it."""
    rig = Rig(charger_rules())
    made = CommandId(by_hand(rig))
    rig.tell(message.CancelRequested(made, "bob", "no", rig.replies.append))
    (found,) = history_of(rig)
    assert (found.status, found.reason, found.ended_by) == (
        CommandStatus.CANCELLED,
        "operator",
        "bob",
    )


@pytest.mark.parametrize(("speed", "expires_s"), [(None, 310.0), (60.0, 18_010.0)])
def test_an_order_expires_by_the_device_clock(speed: float | None, expires_s: float) -> None:
    """START has 300 real seconds; the history tells them in plan time, scaled as the clock is."""
    command = events.CommandCreated(
        CommandId("cmd_a"),
        CommandType.START_CHARGING,
        None,
        OPERATOR,
        START_US,
        START_US + 400 * US_PER_S,
    )
    log = [record(command, 10, wall_s=100)]
    if speed is not None:
        log.insert(0, record(events.ClockStarted(START_US, START_US, speed), stream="site"))
    (found,) = histories(log)
    assert (found.expires_at, found.value_kw) == (after(expires_s), None)
    (endless,) = histories([record(attrs.evolve(command, expires_us=None))])
    assert endless.expires_at is None


def test_a_command_may_name_a_schedules_cell() -> None:
    """A rule's command that stands for a planned one keeps slot and column."""
    cause = Cause(CauseKind.PLUG_IN, START_US, "ev_kw", event_id="e1", schedule_id=ScheduleId("s"))
    command = events.CommandCreated(
        CommandId("cmd_a"), CommandType.SET_CHARGE_RATE, 0, cause, START_US, None, 2
    )
    (found,) = histories([record(command)], Filters(schedule="s"))
    assert (found.cause.slot, found.cause.event_id, found.schedule_id) == (after(0), "e1", "s")
    assert (found.priority, found.value_kw) == (2, 0.0)


def test_two_commands_share_an_attempt_on_one_signed_register() -> None:
    """Both list it and end with it; what each applies is its own channel's."""
    plan = plan_of(
        (0, CHARGE, 0), (0, DISCHARGE, 20_000), columns=("battery_charge_kw", "battery_d_kw")
    )
    rig = battery(plan, shared_register=True)
    rig.read_back()
    charge, discharge = history_of(rig)
    assert charge.attempts == discharge.attempts
    assert len(charge.attempts) == 1
    assert (charge.applied_kw, discharge.applied_kw) == (0.0, 20.0)
    assert statuses([charge, discharge]) == ["COMPLETED", "COMPLETED"]


# --- filters


def mixed_log() -> list[Record]:
    """Return two assets' records with commands of many kinds, in log order."""
    plan = plan_of(
        (0, CHARGE, 5_000), (0, DISCHARGE, 0), (900, CHARGE, 0), columns=("c_kw", "d_kw")
    )
    store = battery(plan)
    store.read_back()
    car = charger()
    car.answer()
    for rig in (car, store):
        rig.advance(60)
    car.offer(plan_of((900, CHARGE, 3_000), (1800, CHARGE, 5_000)), 3600, sequence=2)
    by_hand(car)
    car.answer(outcome="rejected")
    car.advance(1000)
    logs = [*recorded(car), *recorded(store), received(9, 9000, EV)]
    return sorted(logs, key=lambda one: one.header.at_us)


def is_in(found: CommandRecord, filters: Filters) -> bool:
    """Return whether filters, taken one by one, let a command pass."""
    since_us, until_us = filters.since_us or 0, filters.until_us or 1 << 62
    wanted = (filters.asset, filters.type, filters.status, filters.cause, filters.schedule)
    given = (found.asset_id, found.type, found.status, found.cause.kind, found.schedule_id)
    return (
        all(want is None or want == is_ for want, is_ in zip(wanted, given, strict=True))
        and since_us <= to_us(found.due_at) < until_us
        and filters.id in {None, found.id}
    )


@pytest.mark.parametrize(
    "filters",
    [
        Filters(asset=EV),
        Filters(asset="ast_nobody"),
        Filters(type=CommandType.SET_DISCHARGE_RATE),
        Filters(status=CommandStatus.CANCELLED),
        Filters(cause=CauseKind.SCHEDULE),
        Filters(cause=CauseKind.OPERATOR),
        Filters(schedule="sch_2"),
        Filters(schedule="sch_1", status=CommandStatus.COMPLETED),
        Filters(since_us=START_US + 900 * US_PER_S),
        Filters(until_us=START_US + 900 * US_PER_S),
        Filters(since_us=START_US + 1, until_us=START_US + 901 * US_PER_S),
        Filters(since_us=START_US + 1800 * US_PER_S, until_us=START_US),
        Filters(id="cmd_1.0.1"),
        Filters(id="cmd_1.0.99"),
        Filters(id="cmd_1.7.1"),
        Filters(id="cmd_by_hand"),
        Filters(id="cmd_2.0.0", until_us=START_US),
    ],
    ids=str,
)
def test_a_filter_takes_what_it_names_and_changes_nothing_else(filters: Filters) -> None:
    """What is filtered early comes to the same as all commands, filtered afterwards."""
    log = mixed_log()
    expected = [one for one in histories(log) if is_in(one, filters)]
    assert list(histories(log, filters)) == expected


def test_the_filters_meet_something() -> None:
    """The log that they are tried on has commands of every kind."""
    found = histories(mixed_log())
    assert {one.cause.kind for one in found} >= {CauseKind.SCHEDULE, CauseKind.OPERATOR}
    assert {one.status for one in found} >= {
        CommandStatus.COMPLETED,
        CommandStatus.CANCELLED,
        CommandStatus.FAILED,
    }
    assert {one.asset_id for one in found} == {EV, BATTERY}


def test_filters_take_plain_text_and_refuse_nonsense() -> None:
    """The command line hands them on as they were typed."""
    assert Filters(type="RELEASE", status="PENDING", cause="rule:renew") == Filters(
        type=CommandType.RELEASE, status=CommandStatus.PENDING, cause=CauseKind.RENEW
    )
    with pytest.raises(ValueError, match="LATE"):
        Filters(status="LATE")


def test_one_assets_history_needs_no_other_assets_records() -> None:
    """Its own stream and the schedules' say everything."""
    log = mixed_log()
    own = [one for one in log if one.header.stream != BATTERY]
    assert histories(own, Filters(asset=EV)) == histories(log, Filters(asset=EV))


def test_events_of_unknown_commands_are_passed_over() -> None:
    """A log that begins in the middle tells what it can."""
    log = [
        record(started("cmd_8.0.0")),
        record(ended("accepted", CommandStatus.COMPLETED)),
        record(taken(THREE)),
        record(started("cmd_8.0.0")),
        record(started("cmd_unheard")),
        record(started("cmd_1.3.0")),
        record(ended("accepted", CommandStatus.COMPLETED)),
        record(events.CapabilitiesLearned({})),
    ]
    assert statuses(histories(log)) == ["PENDING"] * 3


# --- what the fold gives


def test_a_history_can_be_read_while_it_grows() -> None:
    """Reading changes nothing; what is fed afterwards is in the next reading."""
    history = CommandHistory()
    log = mixed_log()
    for at, one in enumerate(log, 1):
        history.feed(one)
        assert list(history.commands()) == list(histories(log[:at]))


def test_commands_come_by_due_time() -> None:
    """Of one moment, asset by asset."""
    found = histories(mixed_log())
    assert list(found) == sorted(found, key=lambda one: (one.due_at, one.asset_id))


def test_a_history_is_a_sequence() -> None:
    """Length, index, slice, iteration, comparison; and it does not print a million commands."""
    found = histories(mixed_log())
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
        record(taken(THREE)),
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
    log = [*recorded(rig), received(5, 9000, EV)]
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
