import pytest
from msgspec.structs import replace

from actors.testing.records import (
    FIRST,
    OPERATOR,
    START_US,
    THREE,
    after,
    battery,
    by_hand,
    charger,
    ended,
    history_of,
    record,
    started,
    statuses,
    taken,
)
from actors.testing.rig import Rig, charger_rules, plan_of
from engine import events
from engine.adapters import base
from engine.asset import messages as message
from engine.commands import Cause, CauseKind, CommandStatus, CommandType
from engine.history import (
    Filters,
    histories,
)
from engine.types import US_PER_S, Channel, CommandId, ScheduleId

CHARGE, DISCHARGE = Channel.CHARGE, Channel.DISCHARGE


# --- planned commands


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
        record(taken()),
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
    log = [record(taken()), record(started())]
    log.append(record(ended("timed_out", CommandStatus.TIMED_OUT), 30))
    lost = histories(log)[0]
    assert lost.status == CommandStatus.TIMED_OUT
    assert (lost.attempts[0].answered_at, lost.attempts[0].answer) == (None, None)


def test_an_unreadable_answer_is_kept() -> None:
    """What could not be read came all the same: when and what is told."""
    log = [record(taken()), record(started())]
    log.append(record(ended("unknown", CommandStatus.PENDING, answer="ff 00"), 1, wall_s=9))
    (attempt,) = histories(log)[0].attempts
    assert attempt.answered_at == after(9)
    assert attempt.answer is not None
    assert attempt.answer.raw == "ff 00"


def test_a_late_answer_changes_nothing() -> None:
    """It is shown with its attempt; the command stays as it was."""
    log = [
        record(taken()),
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
        record(taken()),
        record(started()),
        record(events.CommandCancelled((FIRST,), "unknown", CommandStatus.TIMED_OUT)),
        record(ended("accepted", CommandStatus.COMPLETED, evidence="ack"), 1),
        record(started(attempt_id="att_2"), 2),
        record(
            events.AttemptReconciled("att_1", (FIRST,), "holds", CommandStatus.COMPLETED),
            3,
        ),
        record(events.CommandCancelled((FIRST,), "operator", by="ann"), 4),
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
    log = [record(taken()), record(started())]
    log.append(record(ended("timed_out", CommandStatus.PENDING), 1))
    ids = (FIRST,)
    event = events.AttemptReconciled("att_1", ids, "no_answer", CommandStatus.PENDING)
    log.append(record(event, 2))
    waiting = histories(log)[0]
    assert (waiting.status, waiting.acknowledged_at) == (CommandStatus.PENDING, None)


def test_evidence_beside_the_wire_ends_a_command() -> None:
    """ACKNOWLEDGED is not over; what is verified later is, by that evidence."""
    log = [record(taken()), record(started())]
    log.append(record(ended("accepted", CommandStatus.ACKNOWLEDGED), 1))
    ids = (FIRST,)
    verified = events.CommandVerified(ids, CommandStatus.COMPLETED, "readback")
    before, now = histories(log)[0], histories([*log, record(verified, 2)])[0]
    assert (before.status, before.finished_at) == (CommandStatus.ACKNOWLEDGED, None)
    assert (now.status, now.evidence) == (CommandStatus.COMPLETED, "readback")
    assert (now.acknowledged_at, now.finished_at) == (after(1), after(2))


def test_evidence_of_a_command_that_is_over_changes_nothing() -> None:
    """Its end stands (P8), and what was measured for it too."""
    log = [record(taken()), record(started())]
    log.append(record(ended("accepted", CommandStatus.ACKNOWLEDGED), 1))
    first = events.CommandVerified((FIRST,), CommandStatus.COMPLETED, "measured", measured_w=3_000)
    second = events.CommandVerified((FIRST,), CommandStatus.FAILED, "measured", measured_w=9_000)
    once = histories([*log, record(first, 2)])[0]
    assert histories([*log, record(first, 2), record(second, 3)])[0] == once


def test_a_battery_that_holds_another_value_has_failed_after_its_acknowledgement() -> None:
    """The readback is the evidence, what was found the reason."""
    rig = battery(plan_of((0, CHARGE, 20_000), columns=("battery_charge_kw", "")))
    rig.answer(base.SetpointRead(5.0, 0.0))
    failed = history_of(rig)[0]
    assert failed.status == CommandStatus.FAILED
    assert failed.reason is not None
    assert failed.reason.startswith("clamped")
    assert (failed.evidence, failed.acknowledged_at) == ("readback", after(0))


# --- commands that are not planned


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
    made = by_hand(rig)
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
    (endless,) = histories([record(replace(command, expires_us=None))])
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
