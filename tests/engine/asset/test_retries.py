"""Attempts that fail: backoff, other forms, giving up, and answers that come too late."""

import pytest
from msgspec.structs import replace

from actors.testing.rig import FakeSpelling, Rig, battery_rules, charger_rules, names_of, plan_of
from engine import events
from engine.adapters import base
from engine.asset import effects as effect
from engine.asset import messages as message
from engine.asset.state import AssetState
from engine.commands import CommandStatus, CommandType
from engine.types import US_PER_S, Channel

CHARGE = Channel.CHARGE
ONE = plan_of((0, CHARGE, 11_000))


def charger(forms: int = 1, **changes: object) -> Rig:
    """Return a charger whose device cannot be asked, with a plan of one setpoint on the wire."""
    rig = Rig(
        charger_rules(failsafe_after_s=100_000, **changes), FakeSpelling(forms, can_ask=False)
    )
    rig.connect("CHARGING")
    rig.offer(ONE, 90_000)
    return rig


def frames(rig: Rig) -> int:
    """Return how many frames were sent."""
    return len(rig.sent)


def test_an_error_is_tried_again_after_a_growing_while() -> None:
    """2, 4 and 8 seconds: four attempts in all, then FAILED."""
    rig = charger()
    for number, wait_s in enumerate((2, 4, 8), 1):
        rig.answer(outcome="error")
        rig.advance(wait_s - 0.001)
        assert frames(rig) == number
        rig.advance(0.001)
        assert frames(rig) == number + 1
    rig.answer(outcome="error", reason="GenericError")
    assert rig.story() == ["1.0.0 FAILED GenericError"]
    assert [one.number for one in rig.history()["cmd_1.0.0"].attempts] == [1, 2, 3, 4]


def test_silence_to_the_end_is_timed_out() -> None:
    """No answer and no retry left."""
    rig = charger(max_retries=0)
    rig.answer(outcome="timed_out")
    assert rig.story() == ["1.0.0 TIMED_OUT"]


def test_the_backoff_outlives_the_reconciliation() -> None:
    """A device that cannot be asked is not tried again at once."""
    rig = charger()
    happened = rig.answer(outcome="timed_out")
    assert names_of(happened) == ["AttemptEnded", "AttemptReconciled"]
    rig.advance(1.9)
    assert frames(rig) == 1
    rig.advance(0.1)
    assert frames(rig) == 2


def test_a_refusal_is_not_repeated_in_the_same_form() -> None:
    """The next form goes at once; with the last FAILED."""
    rig = charger(forms=3)
    for form in (0, 1, 2):
        assert rig.state.attempt is not None
        assert rig.state.attempt.form == form
        rig.answer(outcome="rejected", reason="Rejected")
    assert rig.story() == ["1.0.0 FAILED Rejected"]
    assert frames(rig) == 3


TRANSACTION = base.TransactionChanged("started", "7", "key")
ENDED = base.TransactionChanged("ended", "7")


@pytest.mark.parametrize("refused_before", [0, 1])
def test_a_refusal_for_a_transaction_that_is_over_says_nothing_of_the_form(
    refused_before: int,
) -> None:
    """A charger that was offline refuses a profile for what it had ended meanwhile."""
    rig = charger(forms=3)
    rig.answer()
    rig.observe(TRANSACTION)
    for _ in range(refused_before):
        rig.answer(outcome="rejected")
    rig.observe(ENDED)
    rig.answer(outcome="rejected")
    assert rig.state.attempt is not None
    assert rig.state.attempt.form == 0
    rig.answer()
    assert rig.state.form == 0


def test_a_retry_for_another_transaction_begins_the_ladder_anew() -> None:
    """The first form was refused for the one before, the second met an error."""
    rig = charger(forms=3)
    rig.answer()
    rig.observe(TRANSACTION)
    rig.answer(outcome="rejected")
    rig.answer(outcome="error")
    rig.observe(ENDED)
    rig.advance(4)
    assert rig.state.attempt is not None
    assert rig.state.attempt.form == 0


def test_a_last_refusal_for_a_transaction_that_is_over_is_not_waited_upon() -> None:
    """Its command has FAILED; the setpoint goes at once for what runs now."""
    rig = charger(max_retries=0)
    rig.answer()
    rig.observe(TRANSACTION, ENDED)
    rig.answer(outcome="rejected")
    assert frames(rig) == 3
    rig.answer()
    assert [one.split()[1] for one in rig.story()] == ["COMPLETED", "FAILED", "COMPLETED"]


def test_what_is_unsupported_for_a_transaction_that_is_over_is_not_waited_upon() -> None:
    """The charger may know the profile of what runs now."""
    rig = charger(forms=2)
    rig.answer()
    rig.observe(TRANSACTION, ENDED)
    rig.answer(outcome="rejected", reason="unsupported")
    assert frames(rig) == 3


def test_a_release_that_is_refused_across_a_boot_goes_in_its_own_form() -> None:
    """The form of a rate is none of a release."""
    rig = charger(forms=2, on_stop="release")
    rig.answer(outcome="rejected")
    rig.answer()
    rig.tell(message.Stopping())
    rig.observe(base.Connected(booted=True))
    rig.answer(outcome="rejected")
    assert rig.state.attempt is not None
    assert rig.state.attempt.form == 0


def test_a_command_has_four_attempts_whatever_the_reason() -> None:
    """The forms that are left go with a command of their own, at once; then there is a pause."""
    rig = charger(forms=6)
    for form in range(6):
        assert rig.state.attempt is not None
        assert rig.state.attempt.form == form
        rig.answer(outcome="rejected")
    assert [one.split()[1:] for one in rig.story()] == [["FAILED", "rejected"]] * 2
    assert [len(one.attempts) for one in rig.history().values()] == [4, 2]
    assert frames(rig) == 6
    rig.advance(299)
    assert frames(rig) == 6


def test_when_all_forms_were_refused_all_may_be_tried_again() -> None:
    """After the pause the charger may have changed its mind."""
    rig = charger(forms=2)
    rig.answer(outcome="rejected")
    rig.answer(outcome="rejected")
    rig.advance(301)
    assert rig.state.attempt is not None
    assert rig.state.attempt.form == 0
    assert rig.state.refused == ()


def test_a_refused_form_is_not_tried_again_for_another_setpoint() -> None:
    """Not before the charger had reason to change its mind: here, that it connects anew."""
    rig = charger(forms=3)
    rig.answer(outcome="rejected")
    rig.answer()
    rig.offer(plan_of((0, CHARGE, 7_000)), 90_000, sequence=2)
    rig.answer(outcome="rejected")
    assert rig.state.attempt is not None
    assert rig.state.attempt.form == 2
    assert rig.state.refused
    rig.observe(base.Connected(booted=True))
    assert not rig.state.refused


def test_what_a_charger_says_of_itself_changes_its_forms() -> None:
    """Those that it refused before may be others now."""
    rig = charger(forms=3)
    rig.answer(outcome="rejected")
    rig.observe(base.CapabilitiesLearned({"ChargeProfileMaxStackLevel": "0"}))
    assert rig.state.refused == ()


def test_what_is_unsupported_is_not_tried_in_other_forms() -> None:
    """NotSupported and NotImplemented end the ladder."""
    rig = charger(forms=3)
    rig.answer(outcome="rejected", reason="unsupported")
    assert rig.story() == ["1.0.0 FAILED unsupported"]
    assert frames(rig) == 1


def test_the_form_that_worked_is_remembered() -> None:
    """The next setpoint begins with it; one that fails forgets it."""
    rig = charger(forms=2)
    rig.answer(outcome="rejected")
    rig.answer()
    rig.offer(plan_of((0, CHARGE, 7_000)), 90_000, sequence=2)
    assert rig.state.attempt is not None
    assert rig.state.attempt.form == 1
    rig.answer(outcome="rejected")
    assert rig.state.form == 0


def test_a_release_begins_with_its_own_first_form() -> None:
    """What a rate needed says nothing of it."""
    rig = charger(forms=2, on_stop="release")
    rig.answer(outcome="rejected")
    rig.answer()
    rig.tell(message.Stopping())
    assert rig.state.attempt is not None
    assert rig.state.attempt.form == 0


def test_an_adapter_without_any_form_fails_the_command() -> None:
    """Nothing is sent; nothing is tried again for a while."""
    rig = charger(forms=0)
    assert rig.story() == ["1.0.0 FAILED unsupported: no form 0 for ast_ev"]
    assert frames(rig) == 0
    assert rig.advance(299) == []


def test_a_retry_without_any_form_fails_the_command() -> None:
    """Capabilities may have been learned meanwhile."""
    rig = charger()
    rig.answer(outcome="error")
    rig.adapter.forms = 0
    rig.advance(2)
    assert rig.story()[0].startswith("1.0.0 FAILED unsupported")


def test_an_asset_without_adapter_fails_its_commands() -> None:
    """There is nobody to spell them."""
    rig = charger()
    rig.answer(outcome="timed_out")
    outside = rig.state.outside
    rig.adapter.forms = 1
    rig.state = _without_adapter(rig)
    rig.advance(2)
    assert rig.story() == ["1.0.0 FAILED unsupported: no adapter"]
    assert outside.adapter is not None


def _without_adapter(rig: Rig) -> AssetState:
    return replace(rig.state, outside=replace(rig.state.outside, adapter=None))


# --- giving up


def test_what_failed_is_tried_again_after_reassert_s() -> None:
    """As a new command, and not before."""
    rig = charger()
    rig.answer(outcome="rejected")
    assert rig.advance(299.9) == []
    rig.advance(0.1)
    assert frames(rig) == 2
    assert rig.story()[0] == "1.0.0 FAILED rejected"
    assert rig.story()[1].endswith("DISPATCHED")


@pytest.mark.parametrize(
    "seen",
    [
        base.Connected(booted=True),
        base.StateReported("SUSPENDED", "SuspendedEV"),
        base.TransactionChanged("started", "7", "key"),
    ],
)
def test_what_failed_is_tried_again_when_something_happens(seen: base.Observation) -> None:
    """A connect, boot, transaction or state change."""
    rig = charger()
    rig.answer(outcome="rejected")
    rig.observe(seen)
    assert frames(rig) == 2


def test_what_failed_is_not_tried_again_for_a_sign_of_life() -> None:
    """Nothing has changed."""
    rig = charger()
    rig.answer(outcome="rejected")
    assert rig.observe(base.Seen(), base.PowerMeasured(3.0)) == []


def test_a_new_setpoint_ends_the_giving_up() -> None:
    """It is another value."""
    rig = charger()
    rig.answer(outcome="rejected")
    rig.offer(plan_of((0, CHARGE, 7_000)), 90_000, sequence=2)
    assert frames(rig) == 2


def test_a_command_by_hand_ends_the_giving_up() -> None:
    """An operator may have done something about it."""
    rig = charger()
    rig.answer(outcome="rejected")
    rig.tell(message.CommandRequested(CommandType.CALL, "ann", "why", {}, rig.replies.append))
    rig.answer()
    assert frames(rig) == 3


def test_a_failed_decrease_raises_an_alarm() -> None:
    """It is gone with the next setpoint that works."""
    rig = charger()
    rig.answer()
    rig.offer(plan_of((0, CHARGE, 0)), 90_000, sequence=2)
    rig.answer(outcome="rejected")
    assert rig.state.alarms == ("decrease_failed",)
    rig.advance(300)
    rig.answer(outcome="rejected")
    assert rig.state.alarms == ("decrease_failed",)
    rig.advance(300)
    rig.answer()
    assert not rig.state.alarms


def test_a_failed_zero_is_an_alarm_although_nothing_is_known() -> None:
    """The device may be at full power."""
    rig = Rig(charger_rules())
    rig.connect("CHARGING")
    rig.offer(plan_of((0, CHARGE, 0)), 900)
    rig.answer(outcome="rejected")
    assert rig.state.alarms == ("decrease_failed",)


def test_a_failed_increase_is_no_alarm() -> None:
    """Less power than planned is safe."""
    rig = charger()
    rig.answer(outcome="rejected")
    assert not rig.state.alarms


def test_a_failed_release_is_no_alarm() -> None:
    """It is no decrease."""
    rig = charger(on_stop="release")
    rig.answer()
    rig.tell(message.Stopping())
    rig.answer(outcome="rejected")
    assert not rig.state.alarms


def test_an_alarm_goes_when_evidence_comes_later() -> None:
    """The read-back came beside the wire."""
    rig = Rig(battery_rules())
    rig.connect()
    rig.offer(plan_of((0, CHARGE, 0)), 9_000)
    rig.answer(outcome="rejected")
    assert rig.state.alarms == ("decrease_failed",)
    rig.advance(300)
    rig.answer()
    rig.tell(
        message.QuestionAnswered(
            str(rig.state.outside.asking), base.Answer("raw", values=(base.SetpointRead(0, 0),))
        )
    )
    assert not rig.state.alarms


# --- not sent


def test_not_sent_is_no_attempt_and_goes_again_at_once() -> None:
    """The number stays; the second time in a row there is a pause of a second."""
    rig = charger()
    rig.answer(outcome="not_sent", reason="the send window had passed")
    assert rig.state.attempt is not None
    assert rig.state.attempt.number == 1
    rig.answer(outcome="not_sent")
    assert rig.state.attempt is None
    rig.advance(1)
    assert rig.state.attempt.number == 1
    rig.answer()
    assert rig.story() == ["1.0.0 COMPLETED"]


def test_a_call_that_was_not_sent_goes_again() -> None:
    """It was never on the wire, so this repeats nothing."""
    rig = charger()
    rig.answer()
    rig.tell(message.CommandRequested(CommandType.CALL, "ann", "why", {}, rig.replies.append))
    rig.answer(outcome="not_sent")
    rig.answer(outcome="not_sent")
    rig.advance(1)
    rig.answer()
    assert rig.history()[str(rig.replies[0])].status is CommandStatus.COMPLETED


def test_pauses_begin_anew_once_something_was_sent() -> None:
    """Only not-sent ones in a row count."""
    rig = charger()
    rig.answer(outcome="not_sent")
    rig.answer(outcome="error")
    rig.advance(2)
    rig.answer(outcome="not_sent")
    assert rig.state.attempt is not None


# --- late answers and silent links


def test_an_answer_to_an_attempt_that_is_over_changes_nothing() -> None:
    """It is recorded as received."""
    rig = charger()
    attempt = rig.state.attempt
    assert attempt is not None
    rig.answer(outcome="timed_out")
    before = rig.state
    happened = rig.tell(
        message.AttemptAnswered(attempt.attempt_id, base.Answer('{"a":1}'), "accepted")
    )
    assert happened == [events.LateAnswered(attempt.attempt_id, '{"a":1}')]
    assert rig.state.work == before.work


def test_a_late_answer_without_text_is_recorded_by_its_outcome() -> None:
    """Nothing more is known of it."""
    rig = charger()
    happened = rig.tell(message.AttemptAnswered("att_old", None, "link_lost"))
    assert happened == [events.LateAnswered("att_old", "link_lost")]


def test_a_late_answer_that_the_link_noticed_is_recorded() -> None:
    """It came as an observation."""
    rig = charger()
    assert rig.observe(base.LateAnswer("att_old", "raw")) == [events.LateAnswered("att_old", "raw")]


def test_a_link_that_says_nothing_does_not_hold_its_asset() -> None:
    """After the time-out and a little more the attempt counts as timed out."""
    rig = charger()
    rig.advance(34.9)
    assert rig.state.attempt is not None
    assert names_of(rig.advance(0.1))[0] == "AttemptEnded"


def test_the_wait_for_a_link_grows_with_the_frames() -> None:
    """Each frame has the whole time-out."""
    rig = charger()
    sent = next(one for one in rig.effects if isinstance(one, effect.Send))
    assert sent.timeout_s == 30
    assert rig.state.attempt is not None
    assert rig.state.attempt.started_us == rig.now.device_us
    rig.advance(36)
    assert rig.state.work is not None
    assert rig.state.work.retry_at_us == rig.now.device_us + 1 * US_PER_S


def test_a_yes_without_an_answer_is_a_yes() -> None:
    """A link of another make may give no text."""
    rig = charger()
    assert rig.state.attempt is not None
    rig.tell(message.AttemptAnswered(rig.state.attempt.attempt_id, None, "accepted"))
    assert rig.story() == ["1.0.0 COMPLETED"]
