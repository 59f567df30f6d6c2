"""A change of availability that is scheduled is accepted, and done when the status says so."""

import pytest
from msgspec.structs import replace

from actors.testing.rig import FakeSpelling, Rig, charger_rules, names_of
from engine import events
from engine.adapters import base
from engine.asset import AssetState, evolve
from engine.asset import messages as message
from engine.asset.state import Remains
from engine.commands import CommandStatus, CommandType
from engine.types import AssetId, CommandId, Instant

AVAILABLE = base.StateReported("AVAILABLE", "Available")
CHARGING = base.StateReported("CHARGING", "Charging")
FINISHING = base.StateReported("FINISHING", "Finishing")
UNAVAILABLE = base.StateReported("UNAVAILABLE", "Unavailable")
ENDED = base.TransactionChanged("ended", "7")


class Deferring(FakeSpelling):
    """An adapter of devices that may put off what they accept."""

    def defers(self, answer: base.Answer) -> bool:
        """Return whether the device does it later."""
        return "later" in answer.values


def asked(*, operative: bool = False, charges: bool = True) -> Rig:
    """Return a charger at which a vehicle charges, with a change of availability on the wire."""
    rig = Rig(charger_rules(settle_s=90), Deferring())
    rig.connect("CHARGING" if charges else "AVAILABLE")
    if charges:
        rig.observe(base.TransactionChanged("started", "7", "key"))
    ask(rig, operative=operative)
    return rig


def ask(rig: Rig, *, operative: bool) -> None:
    """Ask for a change of availability."""
    kind, arguments = CommandType.CHANGE_AVAILABILITY, {"operative": operative}
    reply = rig.replies.append
    rig.tell(message.CommandRequested(kind, "ann", "a test", dict(arguments), reply))


def scheduled(**given: bool) -> Rig:
    """Return a charger that has put the change off."""
    rig = asked(**given)
    rig.answer("later")
    return rig


def last(rig: Rig, number: int = -1) -> tuple[str, str | None, str | None]:
    """Return how a command stands: status, evidence, reason; the last unless told."""
    record = list(rig.history().values())[number]
    return record.status.value, record.evidence, record.reason


def test_what_is_done_at_once_is_completed_at_once() -> None:
    """The device has said so."""
    rig = asked()
    rig.answer()
    assert last(rig) == ("COMPLETED", "ack", None)


def test_what_is_put_off_is_acknowledged_until_the_status_says_that_it_is_done() -> None:
    """However long the vehicle stays."""
    rig = scheduled()
    assert last(rig) == ("ACKNOWLEDGED", None, "scheduled")
    rig.advance(7_200)
    rig.observe(ENDED, FINISHING)
    rig.advance(7_200)
    assert last(rig)[0] == "ACKNOWLEDGED"
    rig.observe(AVAILABLE)
    rig.advance(89)
    assert names_of(rig.observe(UNAVAILABLE))[-1] == "CommandVerified"
    assert last(rig) == ("COMPLETED", "status", None)
    assert rig.state.orders == ()


def test_the_station_as_a_whole_may_say_so_too() -> None:
    """Connector 0 overlays all connectors."""
    rig = scheduled()
    rig.observe(base.StateReported("UNAVAILABLE", "Unavailable", whole_device=True))
    assert last(rig) == ("COMPLETED", "status", None)


def test_one_that_is_free_and_stays_in_service_has_not_done_it() -> None:
    """It had as long as anything has to show."""
    rig = scheduled()
    rig.observe(ENDED, AVAILABLE)
    rig.advance(89)
    assert last(rig)[0] == "ACKNOWLEDGED"
    rig.advance(1)
    why = "accepted, no effect seen: its state is AVAILABLE"
    assert last(rig) == ("FAILED", "status", why)
    assert rig.state.orders == ()


def test_who_cannot_be_reached_is_waited_for() -> None:
    """Its state is not known meanwhile; a restart of the engine changes nothing."""
    rig = scheduled()
    rig.observe(ENDED, AVAILABLE, base.Disconnected())
    rig.advance(900)
    rig.restart()
    rig.advance(900)
    assert last(rig) == ("ACKNOWLEDGED", None, "scheduled")
    rig.observe(base.Connected(), UNAVAILABLE)
    assert last(rig) == ("COMPLETED", "status", None)


def test_back_in_service_is_whatever_is_not_out_of_it() -> None:
    """What is so already is done."""
    rig = scheduled(operative=True)
    assert last(rig) == ("COMPLETED", "status", None)


def test_one_that_stays_out_of_service_has_not_come_back() -> None:
    """Some never say that they have: then nobody knows better."""
    rig = Rig(charger_rules(settle_s=90), Deferring())
    rig.connect("UNAVAILABLE")
    ask(rig, operative=True)
    rig.answer("later")
    rig.advance(90)
    assert last(rig) == ("FAILED", "status", "accepted, no effect seen: its state is UNAVAILABLE")


@pytest.mark.parametrize("second", [(), ("later",)])
def test_a_newer_change_takes_the_place_of_one_that_is_put_off(second: tuple[str, ...]) -> None:
    """Once the device has accepted it."""
    rig = scheduled()
    ask(rig, operative=True)
    assert last(rig, 0) == ("ACKNOWLEDGED", None, "scheduled")
    rig.answer(*second)
    assert last(rig, 0) == ("COMPLETED", "ack", "overtaken")
    assert last(rig)[0] == "COMPLETED"


def test_a_newer_change_that_is_refused_leaves_it() -> None:
    """It is still to come."""
    rig = scheduled()
    ask(rig, operative=True)
    rig.answer(outcome="rejected")
    assert last(rig, 0) == ("ACKNOWLEDGED", None, "scheduled")


def test_it_holds_up_nothing_and_is_not_sent_again() -> None:
    """Nor does it expire, or can be taken back."""
    rig = scheduled()
    sent = len(rig.sent)
    rig.tell(message.CommandRequested(CommandType.STOP_CHARGING, "ann", "a test", {}, print))
    assert len(rig.sent) == sent + 1
    rig.answer()
    rig.advance(600)
    assert len(rig.sent) == sent + 1
    own_id = CommandId(next(iter(rig.history())))
    rig.tell(message.CancelRequested(own_id, "ann", "a test", rig.replies.append))
    assert "was accepted already" in str(rig.replies[-1])


def test_an_asset_that_goes_ends_it_as_far_as_it_has_come() -> None:
    """Accepted."""
    rig = scheduled()
    rig.tell(message.Configured(None))
    assert last(rig) == ("COMPLETED", "ack", "overtaken")


def test_an_adapter_that_knows_nothing_of_it_has_nothing_put_off() -> None:
    """Accepted is done."""
    rig = Rig(charger_rules())
    rig.connect("CHARGING")
    ask(rig, operative=False)
    rig.answer("later")
    assert last(rig) == ("COMPLETED", "ack", None)
    assert isinstance(rig.events[-1], events.AttemptEnded)


def test_it_says_nothing_of_what_the_device_may_still_hold() -> None:
    """What was set and not seen to end remains."""
    state = replace(AssetState(AssetId("ast_1")), remains=Remains(9_000, 0, None))
    done = CommandStatus.COMPLETED
    for evidence, remains in (("status", state.remains), ("measured", None)):
        event = events.CommandVerified((CommandId("cmd_1"),), done, evidence)
        assert evolve(state, event, Instant(0, 0)).remains == remains
