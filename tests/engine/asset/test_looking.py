"""A charger that does otherwise than it was set is asked what it allows."""

import pytest

from actors.testing.rig import FakeSpelling, Rig, charger_rules, names_of, plan_of
from engine import events
from engine.adapters import base
from engine.asset import effects as effect
from engine.asset import messages as message
from engine.asset.looking import ABOUT
from engine.asset.view import view_of
from engine.commands import Attempt, Command
from engine.types import Channel, from_us

CHARGE = Channel.CHARGE
KEPT_OFF = base.StateReported("SUSPENDED", "SuspendedEVSE", detail={"suspended_by": "evse"})
SATED = base.StateReported("SUSPENDED", "SuspendedEV", detail={"suspended_by": "ev"})
CHARGING = base.StateReported("CHARGING", "Charging")


def settled(watts: int = 7_400, *, shared: bool = False, **changes: object) -> Rig:
    """Return a charger that was seen to take a setpoint, two minutes ago."""
    given = {"verify": "auto", "failsafe_after_s": 100_000, "least_w": 4_140, **changes}
    rig = Rig(charger_rules(**given), shared_slot=shared)
    rig.connect("CHARGING")
    rig.observe(base.TransactionChanged("started", "7", "key"))
    measure(rig, 3.0)
    rig.offer(plan_of((0, CHARGE, watts), (36_000, CHARGE, 0)), 90_000)
    if shared:
        rig.tell(message.SlotGranted())
    rig.answer()
    rig.advance(30)
    measure(rig, min(3.0, watts / 1_000))
    assert rig.state.work is None
    rig.advance(90)
    return rig


def measure(rig: Rig, power_kw: float) -> list[events.AssetEvent]:
    """Let a power be measured now."""
    return rig.observe(base.PowerMeasured(power_kw, from_us(rig.now.device_us)))


def looks(rig: Rig) -> int:
    """Return how often it was asked what it allows."""
    return sum(isinstance(one, effect.Ask) and one.attempt_id == ABOUT for one in rig.effects)


def allows(rig: Rig, limit_kw: float) -> list[events.AssetEvent]:
    """Answer the question that is open."""
    assert rig.state.outside.asking == ABOUT
    read = base.SetpointRead(limit_kw, None, 0.07)
    return rig.tell(message.QuestionAnswered(ABOUT, base.Answer("raw", "accepted", (read,))))


def alarms(rig: Rig) -> tuple[str, ...]:
    """Return the alarms that people see."""
    return view_of(rig.state, rig.now).alarms


def test_a_charger_that_gives_more_than_it_was_set_is_asked() -> None:
    """Not for what meters are off by."""
    rig = settled()
    measure(rig, 7.7)
    assert looks(rig) == 0
    measure(rig, 11.0)
    assert looks(rig) == 1


def test_one_that_allows_more_was_set_by_another_controller() -> None:
    """It is set again, as its rules say."""
    rig = settled()
    measure(rig, 11.0)
    assert names_of(allows(rig, 11.0)) == ["DeviceChanged", "CommandCreated", "AttemptStarted"]
    assert rig.sent[-1]["charge_kw"] == 7.4


def test_one_that_yields_leaves_it_alone() -> None:
    """And asks no more."""
    rig = settled(on_interference="yield")
    measure(rig, 11.0)
    assert names_of(allows(rig, 11.0)) == ["DeviceChanged"]
    measure(rig, 11.0)
    rig.advance(900)
    assert looks(rig) == 1


def test_one_that_says_what_it_was_set_and_gives_more_is_asked_again_after_a_while() -> None:
    """After ``reassert_s``, and as long as it does."""
    rig = settled()
    measure(rig, 11.0)
    assert allows(rig, 7.4) == []
    rig.advance(299)
    measure(rig, 11.0)
    assert looks(rig) == 1
    rig.advance(1)
    assert looks(rig) == 2
    allows(rig, 5.0)
    assert rig.state.device.limits == ()
    measure(rig, 7.0)
    rig.advance(900)
    assert looks(rig) == 2


def test_one_that_gives_nothing_by_itself_is_limited_by_somebody() -> None:
    """Nobody told of it; that is on record, an alarm, and not fought."""
    rig = settled()
    rig.observe(KEPT_OFF)
    assert names_of(allows(rig, 0.0)) == ["ExternalLimitTold"]
    (found,) = rig.state.device.limits
    assert (found.source, found.limit, found.unit) == ("found", 0.0, "W")
    assert alarms(rig) == ("external_limit",)
    sent = len(rig.sent)
    rig.advance(300)
    assert looks(rig) == 2
    assert allows(rig, 0.0) == []
    assert len(rig.sent) == sent


@pytest.mark.parametrize("status", [CHARGING, SATED])
def test_the_limit_that_was_found_is_over_once_the_charger_gives_again(
    status: base.StateReported,
) -> None:
    """A vehicle that takes nothing is another matter."""
    rig = settled()
    rig.observe(KEPT_OFF)
    allows(rig, 0.0)
    assert names_of(rig.observe(status)) == ["StateChanged", "ExternalLimitTold"]
    assert alarms(rig) == ()


def test_or_once_it_says_that_it_allows_what_it_should() -> None:
    """Whatever it waits for then."""
    rig = settled()
    rig.observe(KEPT_OFF)
    allows(rig, 0.0)
    rig.advance(300)
    assert names_of(allows(rig, 7.4)) == ["ExternalLimitTold"]
    assert alarms(rig) == ()


def test_or_once_we_pause_it_ourselves() -> None:
    """Then it is kept off by us."""
    rig = settled()
    rig.observe(KEPT_OFF)
    allows(rig, 0.0)
    rig.offer(plan_of((130, CHARGE, 0)), 90_000, sequence=2)
    rig.advance(30)
    rig.answer()
    rig.advance(1)
    measure(rig, 0.0)
    assert rig.state.holding.charge_w == 0
    assert alarms(rig) == ()


@pytest.mark.parametrize(
    "rig",
    [settled(verify="ack"), settled(0), settled(3_000)],
    ids=["asks nothing", "paused", "below its minimum"],
)
def test_who_is_not_asked(rig: Rig) -> None:
    """Whoever wants no evidence, or holds too little for a vehicle to charge."""
    rig.observe(KEPT_OFF)
    rig.advance(900)
    assert looks(rig) == 0


def test_a_limit_that_was_told_of_explains_it() -> None:
    """Nothing is left to be asked."""
    rig = settled()
    rig.observe(base.ExternalLimit("SO", 0.0), KEPT_OFF)
    rig.advance(900)
    assert looks(rig) == 0


def test_one_that_is_told_of_while_it_is_asked_stands_alone() -> None:
    """The answer says nothing more."""
    rig = settled()
    rig.observe(KEPT_OFF, base.ExternalLimit("SO", 0.0))
    assert allows(rig, 0.0) == []


def test_an_answer_that_tells_no_power_says_nothing() -> None:
    """Nor does one that cannot be read."""
    rig = settled()
    rig.observe(KEPT_OFF)
    read = base.SetpointRead(None, 1.0)
    told = message.QuestionAnswered(ABOUT, base.Answer("raw", "accepted", (read,)))
    assert rig.tell(told) == []
    rig.advance(300)
    refused = message.QuestionAnswered(ABOUT, base.Answer("raw", "rejected"))
    assert rig.tell(refused) == []
    assert looks(rig) == 2


def test_the_question_waits_for_the_links_turn() -> None:
    """A charge point takes one CALL at a time."""
    rig = settled(shared=True)
    rig.observe(KEPT_OFF)
    assert looks(rig) == 0
    rig.tell(message.SlotGranted())
    assert looks(rig) == 1


def test_who_cannot_be_reached_is_not_asked() -> None:
    """When it is back it is set anew first."""
    rig = settled()
    rig.observe(base.Disconnected())
    rig.observe(KEPT_OFF)
    rig.advance(900)
    assert looks(rig) == 0


def test_what_a_charger_takes_as_another_power_is_compared_with_that() -> None:
    """A tenth of an ampere, say, or its minimum."""
    rig = Rig(charger_rules(verify="auto", failsafe_after_s=100_000), Halving())
    rig.connect("PREPARING")
    rig.offer(plan_of((0, CHARGE, 10_000)), 90_000)
    rig.answer()
    rig.advance(1)
    read = base.SetpointRead(5.0, None, 0.07)
    about = rig.state.outside.asking or ""
    rig.tell(message.QuestionAnswered(about, base.Answer("raw", "accepted", (read,))))
    assert rig.state.work is None
    rig.advance(400)
    rig.observe(KEPT_OFF)
    assert allows(rig, 5.0) == []
    rig.advance(300)
    assert names_of(allows(rig, 4.0)) == ["ExternalLimitTold"]


class Halving(FakeSpelling):
    """A charger's adapter that makes half of what it is told."""

    def translate(self, command: Command, asset: base.AssetView, attempt: Attempt) -> base.Payload:
        """Spell a command."""
        made = super().translate(command, asset, attempt)
        return base.Payload(made.frames, (attempt.charge_kw or 0) / 2)
