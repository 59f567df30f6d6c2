"""Attempts whose outcome nobody knows: the device is asked before anything new is sent (P4)."""

import pytest

from actors.testing.rig import Rig, battery_rules, charger_rules, names_of, plan_of
from engine import events
from engine.adapters import base
from engine.asset import effects as effect
from engine.asset import messages as message
from engine.commands import CommandStatus, CommandType
from engine.events import Setpoint
from engine.types import Channel

CHARGE = Channel.CHARGE
LOST: tuple[base.Outcome, ...] = ("timed_out", "link_lost", "unknown")


def charger(**changes: object) -> Rig:
    """Return a charger that can be asked, with 11 kW on the wire."""
    rig = Rig(charger_rules(failsafe_after_s=100_000, **changes))
    rig.connect("CHARGING")
    rig.offer(plan_of((0, CHARGE, 11_000)), 90_000)
    return rig


def told(rig: Rig, *values: base.Observation) -> list[events.AssetEvent]:
    """Answer the question that is open."""
    about = rig.state.outside.asking
    assert about is not None
    return rig.tell(message.QuestionAnswered(about, base.Answer("raw", values=values)))


def asked(rig: Rig) -> int:
    """Return how often the device was asked."""
    return names_of(rig.effects).count("Ask")


def ordered(rig: Rig, kind: CommandType) -> str:
    """Ask for a command that sets no setpoint; return its id."""
    rig.tell(message.CommandRequested(kind, "ann", "why", {}, rig.replies.append))
    return str(rig.replies[-1])


# --- live


@pytest.mark.parametrize("outcome", LOST)
def test_an_unknown_outcome_is_asked_about(outcome: base.Outcome) -> None:
    """Nothing is sent meanwhile, not even when the backoff is over."""
    rig = charger()
    rig.answer(outcome=outcome)
    assert asked(rig) == 1
    rig.advance(10)
    assert asked(rig) == 1
    assert len(rig.sent) == 1


def test_a_device_that_holds_it_makes_the_command_completed() -> None:
    """With the kind of evidence that the answer is."""
    rig = charger()
    rig.answer(outcome="timed_out")
    happened = told(rig, base.SetpointRead(11.0, None))
    assert names_of(happened) == ["AttemptReconciled"]
    assert rig.history()["cmd_1.0.0"].evidence == "composite"
    assert rig.state.work is None
    assert rig.advance(400) == []


def test_a_device_that_holds_something_else_is_sent_it_again() -> None:
    """After the backoff, as the next attempt of the same command."""
    rig = charger()
    rig.answer(outcome="timed_out")
    happened = told(rig, base.SetpointRead(4.0, None))
    assert names_of(happened) == ["AttemptReconciled", "DeviceChanged"]
    assert rig.state.holding.charge_w == 4_000
    rig.advance(2)
    assert len(rig.sent) == 2
    rig.answer()
    assert [one.outcome for one in rig.history()["cmd_1.0.0"].attempts] == [
        "timed_out",
        "accepted",
    ]


@pytest.mark.parametrize(
    "answer",
    [
        None,
        base.Answer("no", "rejected"),
        base.Answer("{}"),
        base.Answer("{}", values=(base.SetpointRead(None, None),)),
    ],
)
def test_an_absolute_setpoint_goes_again_when_the_device_cannot_tell(
    answer: base.Answer | None,
) -> None:
    """It is no stronger the second time."""
    rig = charger()
    rig.answer(outcome="timed_out")
    rig.tell(message.QuestionAnswered(str(rig.state.outside.asking), answer))
    rig.advance(2)
    assert len(rig.sent) == 2


def test_a_release_of_unknown_outcome_goes_again() -> None:
    """No read-back says that a device is on its own."""
    rig = charger(on_stop="release")
    rig.answer()
    rig.tell(message.Stopping())
    rig.answer(outcome="timed_out")
    told(rig, base.SetpointRead(0.0, 0.0))
    rig.advance(2)
    assert [body["type"] for body in rig.sent[1:]] == ["RELEASE", "RELEASE"]


def test_the_last_attempts_unknown_outcome_is_timed_out() -> None:
    """Four attempts in all."""
    rig = charger(max_retries=1)
    rig.answer(outcome="timed_out")
    told(rig)
    rig.advance(2)
    rig.answer(outcome="timed_out")
    assert rig.story() == ["1.0.0 TIMED_OUT"]
    assert rig.state.unknown is None


def test_a_newer_setpoint_waits_for_the_reconciliation() -> None:
    """The old command is TIMED_OUT; what the device says is about the old value."""
    rig = charger()
    rig.answer(outcome="timed_out")
    rig.offer(plan_of((0, CHARGE, 7_000)), 90_000, sequence=2)
    assert rig.story()[0] in {"1.0.0 TIMED_OUT unknown", "2.0.0 PENDING"}
    assert len(rig.sent) == 1
    happened = told(rig, base.SetpointRead(11.0, None))
    reconciled = happened[0]
    assert isinstance(reconciled, events.AttemptReconciled)
    assert reconciled.command_ids == ()
    assert [body["charge_kw"] for body in rig.sent] == [11, 7]
    assert rig.history()["cmd_1.0.0"].status is CommandStatus.TIMED_OUT
    rig.answer()
    assert rig.history()["cmd_2.0.0"].status is CommandStatus.COMPLETED


@pytest.mark.parametrize("found_kw", [4.0, None])
def test_a_newer_setpoint_has_attempts_of_its_own(found_kw: float | None) -> None:
    """The doubt about the old one is not about the new."""
    rig = charger()
    rig.answer(outcome="timed_out")
    rig.offer(plan_of((0, CHARGE, 7_000)), 90_000, sequence=2)
    told(rig, base.SetpointRead(found_kw, None))
    assert rig.state.attempt is not None
    assert rig.state.attempt.number == 1
    assert rig.state.work is not None
    assert rig.state.work.doubt is None


def test_the_horizon_ends_a_command_of_unknown_outcome_as_timed_out() -> None:
    """Nobody may say CANCELLED of what may have been done."""
    rig = charger()
    rig.offer(plan_of((0, CHARGE, 3_000)), 20, sequence=2)
    rig.answer(outcome="timed_out")
    rig.advance(20)
    assert "1.0.0 TIMED_OUT unknown" in rig.story()


def test_a_lost_connection_keeps_the_question() -> None:
    """It is asked again when the device is back, before anything is sent."""
    rig = charger()
    rig.answer(outcome="link_lost")
    rig.observe(base.Disconnected("gone"))
    rig.tell(message.QuestionAnswered(str(rig.state.outside.asking), None))
    assert rig.state.unknown is not None
    rig.observe(base.Connected())
    assert asked(rig) == 2
    assert len(rig.sent) == 1
    told(rig, base.SetpointRead(11.0, None))
    assert rig.state.work is None or rig.state.work.steps


def test_a_charger_that_goes_under_every_question_gets_its_setpoint_all_the_same() -> None:
    """It replaces itself, and may never be told otherwise; one that answers is believed."""
    rig = charger()
    rig.observe(base.Disconnected("gone"))
    rig.answer(outcome="link_lost")
    for _ in range(2):
        assert len(rig.sent) == 1
        rig.observe(base.Connected())
        rig.observe(base.Disconnected("gone"))
        rig.tell(message.QuestionAnswered(str(rig.state.outside.asking), None))
    assert asked(rig) == 2
    rig.advance(2)
    rig.observe(base.Connected())
    assert len(rig.sent) == 2


def test_a_question_that_a_setpoint_waits_for_is_to_be_brief() -> None:
    """One that is asked for its own sake has its time."""
    rig = charger()
    rig.answer(outcome="timed_out")
    assert names_of(rig.effects)[-2:] == ["Ask", "Hasten"]


def test_a_question_that_is_never_answered_is_asked_again() -> None:
    """A link that forgets it does not stop its asset."""
    rig = charger()
    rig.answer(outcome="timed_out")
    rig.advance(34.9)
    assert asked(rig) == 1
    rig.advance(0.1)
    assert asked(rig) == 2


def test_an_answer_to_a_question_that_is_settled_changes_nothing() -> None:
    """Its attempt has been reconciled."""
    rig = charger()
    rig.answer()
    assert rig.tell(message.QuestionAnswered("att_old", base.Answer("x"))) == []


# --- orders


@pytest.mark.parametrize(
    ("kind", "transaction"),
    [(CommandType.START_CHARGING, True), (CommandType.STOP_CHARGING, False)],
)
def test_start_and_stop_are_reconciled_by_the_transaction(
    kind: CommandType, *, transaction: bool
) -> None:
    """COMPLETED where it runs, or runs no more."""
    rig = charger()
    rig.answer()
    own_id = ordered(rig, kind)
    if transaction:
        rig.observe(base.TransactionChanged("started", "7", "key"))
    rig.answer(outcome="timed_out")
    record = rig.history()[own_id]
    assert (record.status, record.evidence) == (CommandStatus.COMPLETED, "transaction")


@pytest.mark.parametrize(
    ("kind", "transaction"),
    [
        (CommandType.START_CHARGING, False),
        (CommandType.STOP_CHARGING, True),
        (CommandType.CALL, False),
    ],
)
@pytest.mark.parametrize("outcome", LOST)
def test_start_stop_and_call_are_never_repeated(
    kind: CommandType, outcome: base.Outcome, *, transaction: bool
) -> None:
    """Nobody knows whether they were done: TIMED_OUT."""
    rig = charger()
    rig.answer()
    if transaction:
        rig.observe(base.TransactionChanged("started", "7", "key"))
        rig.answer()
    own_id = ordered(rig, kind)
    rig.answer(outcome=outcome)
    rig.advance(100)
    assert rig.history()[own_id].status is CommandStatus.TIMED_OUT
    assert [frame["type"] for frame in rig.sent].count(kind) == 1


@pytest.mark.parametrize(
    ("outcome", "frames"), [("accepted", 3), ("timed_out", 3), ("rejected", 2)]
)
def test_after_a_call_nobody_knows_what_the_device_holds(
    outcome: base.Outcome, frames: int
) -> None:
    """It may have been what clears a limit: the setpoint is set again, unless it was refused."""
    rig = charger()
    rig.answer()
    ordered(rig, CommandType.CALL)
    rig.answer(outcome=outcome)
    assert len(rig.sent) == frames


def test_a_call_that_failed_is_not_repeated_either() -> None:
    """An error may have come after the effect."""
    rig = charger()
    rig.answer()
    own_id = ordered(rig, CommandType.CALL)
    rig.answer(outcome="error")
    assert rig.history()[own_id].status is CommandStatus.FAILED


def test_a_start_that_failed_is_tried_again() -> None:
    """An error is an answer: nothing was started."""
    rig = charger()
    rig.answer()
    own_id = ordered(rig, CommandType.START_CHARGING)
    rig.answer(outcome="error")
    rig.advance(2)
    rig.answer()
    assert rig.history()[own_id].status is CommandStatus.COMPLETED


def test_a_refused_order_fails() -> None:
    """It has one form."""
    rig = charger()
    rig.answer()
    own_id = ordered(rig, CommandType.CHANGE_AVAILABILITY)
    rig.answer(outcome="rejected", reason="Rejected")
    assert rig.history()[own_id].reason == "Rejected"


def test_an_order_that_cannot_be_spelled_fails_and_others_go_on() -> None:
    """The setpoint is not held up by it."""
    rig = charger()
    rig.answer()
    rig.adapter.forms = 0
    own_id = ordered(rig, CommandType.CALL)
    record = rig.history()[own_id]
    assert (record.status, record.reason) == (
        CommandStatus.FAILED,
        "unsupported: no form 0 for ast_ev",
    )


def test_a_change_of_availability_may_go_again() -> None:
    """It says what should be, not what should be done; after the backoff."""
    rig = charger()
    rig.answer()
    own_id = ordered(rig, CommandType.CHANGE_AVAILABILITY)
    rig.answer(outcome="timed_out")
    rig.advance(2)
    rig.answer()
    record = rig.history()[own_id]
    assert record.status is CommandStatus.COMPLETED
    assert len(record.attempts) == 2


def test_an_order_that_expires_while_unknown_is_timed_out() -> None:
    """And it does not block the asset for ever."""
    rig = charger()
    rig.answer()
    own_id = ordered(rig, CommandType.START_CHARGING)
    rig.observe(base.Disconnected())
    rig.answer(outcome="link_lost")
    rig.advance(300)
    assert rig.history()[own_id].reason == "unknown"
    rig.observe(base.Connected())
    assert rig.state.unknown is None
    assert rig.state.attempt is not None


def test_an_order_waits_until_the_state_is_known() -> None:
    """After a restart a charger may say nothing of itself for a while."""
    rig = charger()
    rig.answer()
    own_id = ordered(rig, CommandType.START_CHARGING)
    rig.restart()
    rig.observe(base.Connected())
    assert rig.state.unknown is not None
    rig.observe(base.StateReported("CHARGING", "Charging"))
    assert rig.history()[own_id].status is CommandStatus.TIMED_OUT


# --- after a restart


def test_a_crash_with_an_attempt_on_the_wire_leaves_it_unknown() -> None:
    """The new engine asks before it sends."""
    rig = charger()
    rig.restart()
    assert rig.state.attempt is None
    rig.connect("CHARGING")
    assert asked(rig) == 1
    assert len(rig.sent) == 1
    told(rig, base.SetpointRead(11.0, None))
    assert rig.story() == ["1.0.0 COMPLETED"]


def test_crashes_count_as_attempts() -> None:
    """At most four in all, crashes included."""
    rig = charger()
    rig.adapter.can_ask = False
    for _ in range(4):
        rig.restart()
        rig.connect("CHARGING")
    assert rig.story()[0] == "1.0.0 TIMED_OUT unknown"
    assert len(rig.history()["cmd_1.0.0"].attempts) == 4


def test_crashes_count_as_attempts_of_an_order() -> None:
    """Likewise."""
    rig = charger()
    rig.answer()
    own_id = ordered(rig, CommandType.CHANGE_AVAILABILITY)
    for _ in range(5):
        rig.restart()
        rig.connect("CHARGING")
        if rig.state.attempt is not None and rig.state.attempt.setpoint is not None:
            rig.answer()
    record = rig.history()[own_id]
    assert (record.status, len(record.attempts)) == (CommandStatus.TIMED_OUT, 4)


def test_a_different_value_after_a_crash_is_set_again_within_the_attempts() -> None:
    """TIMED_OUT when none is left."""
    rig = charger(max_retries=0)
    rig.restart()
    rig.connect("CHARGING")
    told(rig, base.SetpointRead(4.0, None))
    assert rig.story()[0] == "1.0.0 TIMED_OUT unknown"


def test_a_battery_is_reconciled_by_its_registers_and_kept_alive() -> None:
    """Evidence readback; the frames of that attempt are repeated from now on."""
    rig = Rig(battery_rules(failsafe_after_s=1_000))
    rig.connect()
    rig.offer(plan_of((0, CHARGE, 5_000)), 900)
    attempt = rig.state.attempt
    assert attempt is not None
    rig.restart()
    rig.connect()
    told(rig, base.SetpointRead(5.0, 0.0))
    assert rig.history()["cmd_1.0.0"].evidence == "readback"
    assert effect.KeepAlive(attempt.payload.frames, attempt.lease_until_us) in rig.effects
    assert rig.state.holding.charge_w == Setpoint(5_000, 0).charge_w


# --- found out by what a device says by itself


@pytest.fixture
def silent() -> Rig:
    """Return a battery that was sent 5 kW and has answered neither that nor a question."""
    rig = Rig(battery_rules(failsafe_after_s=1_000))
    rig.connect()
    rig.offer(plan_of((0, CHARGE, 5_000)), 900)
    rig.answer(outcome="timed_out")
    rig.tell(message.QuestionAnswered(str(rig.state.outside.asking), None))
    assert rig.state.unknown is None
    return rig


def back(rig: Rig, read: base.SetpointRead, *, booted: bool = False) -> list[events.AssetEvent]:
    """Let the battery come back and say what it holds."""
    return rig.observe(base.Disconnected("gone"), read, base.Connected(booted))


@pytest.mark.parametrize("read", [base.SetpointRead(5.0, 0.0), base.SetpointRead(5.1, 0, 0.1)])
def test_a_battery_that_obeyed_in_silence_is_not_written_to_again(
    silent: Rig, read: base.SetpointRead
) -> None:
    """What it holds as it is back is the evidence, and is kept alive from then on."""
    happened = back(silent, read)
    assert names_of(happened) == [
        "ConnectionChanged",
        "CommandHeld",
        "ConnectionChanged",
        "AttemptReconciled",
    ]
    record = silent.history()["cmd_1.0.0"]
    assert (record.status, record.evidence) == (CommandStatus.COMPLETED, "readback")
    assert names_of(silent.effects)[-1] == "KeepAlive"
    assert silent.advance(400) == []
    assert len(silent.sent) == 1


def test_a_poll_shows_it_as_well(silent: Rig) -> None:
    """Here the connection was made anew before anybody called it lost."""
    happened = silent.observe(base.SetpointRead(5.0, None))
    assert names_of(happened) == ["AttemptReconciled"]
    assert silent.advance(400) == []
    assert len(silent.sent) == 1


def test_half_a_pair_that_was_set_in_silence_lets_the_other_half_go() -> None:
    """The second write goes out, the first not again."""
    rig = Rig(battery_rules())
    rig.connect()
    both = plan_of((0, Channel.DISCHARGE, 0), (0, CHARGE, 5_000), columns=("c", "d"))
    rig.offer(both, 900)
    rig.answer(outcome="timed_out")
    rig.tell(message.QuestionAnswered(str(rig.state.outside.asking), None))
    rig.observe(base.SetpointRead(0.0, 0.0))
    assert [one["charge_kw"] for one in rig.sent] == [0, 5]
    rig.read_back()
    assert rig.story() == ["1.0.0 COMPLETED", "1.0.1 COMPLETED"]


def test_a_battery_that_holds_something_else_is_written_to_again(silent: Rig) -> None:
    """That is a change by somebody else."""
    assert "DeviceChanged" in names_of(back(silent, base.SetpointRead(1.0, 0.0)))
    silent.advance(2)
    assert len(silent.sent) == 2


def test_what_a_battery_held_before_it_booted_shows_nothing(silent: Rig) -> None:
    """It may have forgotten."""
    back(silent, base.SetpointRead(5.0, 0.0), booted=True)
    silent.advance(2)
    assert len(silent.sent) == 2


def test_a_battery_that_comes_back_during_the_next_attempt_is_waited_for(silent: Rig) -> None:
    """Its answer is the evidence."""
    silent.advance(2)
    assert silent.state.attempt is not None
    back(silent, base.SetpointRead(5.0, 0.0))
    assert silent.state.attempt is not None
    silent.read_back()
    assert silent.story()[0] == "1.0.0 COMPLETED"


def test_a_crash_is_cleared_up_by_the_first_words_of_the_battery() -> None:
    """It need not be asked."""
    rig = Rig(battery_rules())
    rig.connect()
    rig.offer(plan_of((0, CHARGE, 5_000)), 900)
    rig.restart()
    back(rig, base.SetpointRead(5.0, 0.0))
    assert rig.story() == ["1.0.0 COMPLETED"]
    assert (asked(rig), len(rig.sent)) == (0, 1)


def test_no_reading_shows_a_release() -> None:
    """It goes again."""
    rig = Rig(battery_rules(fallback_w=None))
    rig.connect()
    rig.offer(plan_of((0, CHARGE, 5_000)), 60)
    rig.read_back()
    rig.advance(60)
    rig.answer(outcome="timed_out")
    rig.tell(message.QuestionAnswered(str(rig.state.outside.asking), None))
    back(rig, base.SetpointRead(0.0, 0.0))
    rig.advance(2)
    assert [body["type"] for body in rig.sent[1:]] == ["RELEASE", "RELEASE"]


def test_a_recovery_without_anything_open_is_no_event() -> None:
    """An asset that was never there has nothing to recover."""
    rig = Rig(charger_rules())
    assert rig.restart() == []
    assert rig.state.outside.epoch == 2
