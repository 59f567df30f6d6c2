"""A link that serves several assets: its slot is queued for, used once and given back."""

import pytest
from msgspec.structs import replace

from actors.testing.rig import FakeSpelling, Rig, battery_rules, charger_rules, names_of, plan_of
from engine.adapters import base
from engine.asset import messages as message
from engine.commands import CommandType
from engine.types import Channel

CHARGE = Channel.CHARGE
GRANTED = message.SlotGranted()


@pytest.fixture
def rig() -> Rig:
    """Return a charger that has asked for the slot to send 11 kW."""
    rig = Rig(charger_rules(failsafe_after_s=100_000), shared_slot=True)
    rig.connect("CHARGING")
    rig.tell(message.NothingOffered())
    rig.offer(plan_of((0, CHARGE, 11_000), (60, CHARGE, 7_000)), 900)
    return rig


def slots(rig: Rig) -> list[str]:
    """Return what was wanted of the link, in order."""
    wanted = {"RequestSlot", "ReleaseSlot", "Send", "Ask"}
    return [name for name in names_of(rig.effects) if name in wanted]


def test_the_slot_is_granted_before_anything_is_decided(rig: Rig) -> None:
    """Only then is the attempt recorded and sent."""
    assert slots(rig) == ["RequestSlot"]
    assert names_of(rig.events)[-1] == "PlanReplaced"
    assert names_of(rig.tell(GRANTED)) == ["AttemptStarted"]
    assert slots(rig) == ["RequestSlot", "Send"]


def test_the_slot_is_asked_for_once(rig: Rig) -> None:
    """However often the asset is woken."""
    rig.advance(30)
    rig.tell(message.Woke(), message.Woke())
    assert slots(rig) == ["RequestSlot"]


def test_what_is_current_at_the_grant_is_sent(rig: Rig) -> None:
    """Not what was current when the slot was asked for."""
    rig.advance(60)
    rig.tell(GRANTED)
    assert [body["charge_kw"] for body in rig.sent] == [7]
    assert rig.story()[0] == "1.0.0 CANCELLED superseded"


def test_each_attempt_ends_the_turn(rig: Rig) -> None:
    """With nothing more to send the slot is only given back."""
    rig.tell(GRANTED)
    rig.answer()
    assert slots(rig) == ["RequestSlot", "Send", "ReleaseSlot"]
    assert rig.state.outside.slot == "idle"


def test_what_waits_behind_an_attempt_queues_anew(rig: Rig) -> None:
    """So that the other assets of the link come first."""
    rig.tell(GRANTED)
    reply = rig.replies.append
    rig.tell(message.CommandRequested(CommandType.CALL, "ann", "why", {}, reply))
    rig.answer()
    assert slots(rig)[2:] == ["ReleaseSlot", "RequestSlot"]
    rig.tell(GRANTED)
    assert rig.state.attempt is not None
    assert rig.state.attempt.type is CommandType.CALL


@pytest.mark.parametrize("outcome", ["rejected", "not_sent"])
def test_an_attempt_to_be_repeated_at_once_queues_anew(rig: Rig, outcome: base.Outcome) -> None:
    """A refusal's next form, and what was not sent."""
    rig.adapter.forms = 2
    rig.tell(GRANTED)
    rig.answer(outcome=outcome)
    assert slots(rig)[2:] == ["ReleaseSlot", "RequestSlot"]


def test_a_retry_asks_for_the_slot_when_its_time_has_come(rig: Rig) -> None:
    """It does not sit on it through the backoff."""
    rig.adapter.can_ask = False
    rig.tell(GRANTED)
    rig.answer(outcome="error")
    assert slots(rig)[2:] == ["ReleaseSlot"]
    rig.advance(2)
    assert slots(rig)[3:] == ["RequestSlot"]


def test_a_question_is_a_turn_of_its_own(rig: Rig) -> None:
    """The attempt's turn is over; the question queues, and so does what follows it."""
    rig.tell(GRANTED)
    rig.answer(outcome="timed_out")
    assert slots(rig)[2:] == ["ReleaseSlot", "RequestSlot"]
    rig.tell(GRANTED)
    assert slots(rig)[4:] == ["Ask"]
    rig.advance(3)
    rig.tell(message.QuestionAnswered(str(rig.state.outside.asking), None))
    assert slots(rig)[5:] == ["ReleaseSlot", "RequestSlot"]


def test_evidence_is_asked_for_in_a_turn_of_its_own() -> None:
    """Likewise after an acceptance without a read-back."""
    rig = Rig(battery_rules(), shared_slot=True)
    rig.connect()
    rig.offer(plan_of((0, CHARGE, 5_000)), 900)
    rig.tell(GRANTED)
    rig.answer()
    rig.tell(GRANTED)
    assert slots(rig) == ["RequestSlot", "Send", "ReleaseSlot", "RequestSlot", "Ask"]


def test_a_slot_that_is_not_needed_any_more_is_given_back(rig: Rig) -> None:
    """The device went while the asset was queueing."""
    rig.observe(base.Disconnected())
    rig.tell(GRANTED)
    assert slots(rig) == ["RequestSlot", "ReleaseSlot"]
    rig.observe(base.Connected())
    assert slots(rig)[2:] == ["RequestSlot"]


def test_a_slot_that_is_granted_to_an_asset_in_backoff_is_given_back(rig: Rig) -> None:
    """Nothing of it may go now."""
    rig.adapter.can_ask = False
    rig.tell(GRANTED)
    rig.answer(outcome="error")
    rig.tell(message.CommandRequested(CommandType.CALL, "ann", "why", {}, rig.replies.append))
    call = str(rig.replies[-1])
    rig.tell(message.CancelRequested(rig.state.orders[0].command_id, "ann", "no", print))
    rig.tell(GRANTED)
    assert rig.history()[call].status == "CANCELLED"
    assert rig.state.outside.slot == "idle"


def test_a_slot_is_kept_while_the_attempt_is_on_the_wire(rig: Rig) -> None:
    """Also when the device goes: the link says what became of it."""
    rig.tell(GRANTED)
    rig.observe(base.Disconnected())
    assert rig.state.outside.slot == "granted"
    rig.answer(outcome="link_lost")
    assert rig.state.outside.slot == "idle"


def test_a_slot_is_kept_while_a_question_is_open(rig: Rig) -> None:
    """Also when the device goes."""
    rig.tell(GRANTED)
    rig.answer(outcome="timed_out")
    rig.tell(GRANTED)
    rig.observe(base.Disconnected())
    assert rig.state.outside.slot == "granted"
    rig.tell(message.QuestionAnswered(str(rig.state.outside.asking), None))
    assert rig.state.outside.slot == "idle"


def test_a_slot_granted_to_a_retired_asset_is_given_back(rig: Rig) -> None:
    """It has no use for it."""
    rig.tell(message.Configured(None), GRANTED)
    assert slots(rig) == ["RequestSlot", "ReleaseSlot"]


def test_a_turn_that_nobody_waits_for_is_given_back(rig: Rig) -> None:
    """It was asked for before a crash, which has ended the waiting: another one is asked for."""
    rig.state = replace(rig.state, outside=replace(rig.state.outside, slot="idle"))
    rig.tell(GRANTED)
    assert slots(rig) == ["RequestSlot", "ReleaseSlot", "RequestSlot"]
    assert rig.state.outside.slot == "waiting"


def test_a_turn_that_a_retired_asset_does_not_wait_for_is_given_back(rig: Rig) -> None:
    """Else nobody else would have one."""
    rig.tell(message.Configured(None), GRANTED, GRANTED)
    assert slots(rig) == ["RequestSlot", "ReleaseSlot", "ReleaseSlot"]


def test_a_command_that_cannot_be_spelled_gives_the_slot_back() -> None:
    """Nothing was sent in the turn."""
    rig = Rig(charger_rules(), FakeSpelling(0), shared_slot=True)
    rig.connect("CHARGING")
    rig.offer(plan_of((0, CHARGE, 11_000)), 900)
    rig.tell(GRANTED)
    assert slots(rig) == ["RequestSlot", "ReleaseSlot"]


def test_a_link_that_wants_its_slot_gets_it_between_two_attempts() -> None:
    """An asset that shares with no other keeps it else, and queues once it was given away."""
    rig = Rig(charger_rules(failsafe_after_s=100_000))
    rig.connect("CHARGING")
    rig.offer(plan_of((0, CHARGE, 11_000), (60, CHARGE, 7_000), (120, CHARGE, 0)), 900)
    rig.tell(message.SlotWanted())
    assert slots(rig) == ["Send"]
    rig.answer()
    assert slots(rig)[1:] == ["ReleaseSlot"]
    rig.advance(60)
    assert slots(rig)[2:] == ["RequestSlot"]
    rig.tell(GRANTED)
    rig.answer()
    rig.advance(60)
    assert slots(rig)[3:] == ["Send", "Send"]


def test_a_link_that_wants_its_slot_of_an_asset_at_rest_gets_it_at_once() -> None:
    """Nothing is about to use it."""
    rig = Rig(charger_rules())
    rig.connect()
    rig.tell(message.SlotWanted())
    assert slots(rig) == ["ReleaseSlot"]


def test_a_setpoint_that_waits_behind_a_question_of_its_own_makes_that_brief() -> None:
    """The question is in the way; nothing else is hastened."""
    rig = Rig(charger_rules(verify="composite", failsafe_after_s=100_000))
    rig.connect("CHARGING")
    rig.offer(plan_of((0, CHARGE, 11_000), (60, CHARGE, 7_000)), 900)
    rig.answer()
    rig.advance(5)
    assert rig.state.outside.asking is not None
    assert "Hasten" not in names_of(rig.effects)
    rig.advance(55)
    assert names_of(rig.effects)[-1] == "Hasten"
    assert len(rig.sent) == 1
    rig.tell(message.QuestionAnswered(str(rig.state.outside.asking), None))
    assert [body["charge_kw"] for body in rig.sent] == [11, 7]


def test_a_link_of_its_own_has_no_turns() -> None:
    """Nothing is asked for and nothing given back."""
    rig = Rig(charger_rules())
    rig.connect("CHARGING")
    rig.offer(plan_of((0, CHARGE, 11_000)), 900)
    rig.answer()
    assert slots(rig) == ["Send"]
