"""A vehicle that sleeps on after a pause is given its limit again, a few times."""

import pytest

from actors.testing.rig import FakeSpelling, Rig, battery_rules, charger_rules, names_of, plan_of
from engine.adapters import base
from engine.asset import messages as message
from engine.commands import Attempt, Command
from engine.types import Channel

CHARGE = Channel.CHARGE
PAUSED = plan_of((0, CHARGE, 0), (100, CHARGE, 11_000))
SUSPENDED = base.StateReported("SUSPENDED", "SuspendedEV")


def resumed(adapter: FakeSpelling | None = None) -> Rig:
    """Return a charger whose vehicle slept through a pause, with 11 kW accepted again."""
    rig = Rig(charger_rules(failsafe_after_s=100_000, settle_s=90), adapter)
    rig.connect("CHARGING")
    rig.observe(base.TransactionChanged("started", "7", "key"))
    rig.offer(PAUSED, 90_000)
    rig.answer()
    rig.observe(SUSPENDED)
    rig.advance(100)
    rig.answer()
    return rig


def test_its_limit_is_set_again_twice_and_then_no_more() -> None:
    """By a command of its own each time; it may as well be full."""
    rig = resumed()
    sent = len(rig.sent)
    for number in (1, 2):
        rig.advance(89)
        assert len(rig.sent) == sent + number - 1
        assert names_of(rig.advance(1)) == ["CommandCreated", "AttemptStarted"]
        rig.answer()
    rig.advance(900)
    assert len(rig.sent) == sent + 2
    kinds = [one.cause.kind for one in rig.history().values()]
    assert kinds[-2:] == ["rule:reassert", "rule:reassert"]


@pytest.mark.parametrize(
    "woken",
    [
        base.StateReported("CHARGING", "Charging"),
        base.TransactionChanged("ended", "7"),
    ],
)
def test_a_vehicle_that_charges_or_is_done_is_left_alone(woken: base.Observation) -> None:
    """Also when it is suspended again."""
    rig = resumed()
    rig.observe(woken)
    if rig.state.attempt is not None:
        rig.answer()
    rig.observe(SUSPENDED)
    sent = len(rig.sent)
    rig.advance(900)
    assert len(rig.sent) == sent


def test_a_pause_ends_the_trying() -> None:
    """And so does the device's own control."""
    rig = resumed()
    rig.tell(message.Stopping())
    rig.answer()
    assert rig.state.resumed is None


def test_a_vehicle_that_was_never_paused_is_not_woken() -> None:
    """It is suspended of itself; nor is a battery."""
    rig = Rig(charger_rules(failsafe_after_s=100_000))
    rig.connect("CHARGING")
    rig.observe(base.TransactionChanged("started", "7", "key"))
    rig.offer(plan_of((0, CHARGE, 11_000)), 90_000)
    rig.answer()
    rig.observe(SUSPENDED)
    rig.advance(900)
    assert len(rig.sent) == 1
    battery = Rig(battery_rules(failsafe_after_s=100_000))
    battery.connect()
    battery.offer(PAUSED, 90_000)
    battery.read_back()
    battery.advance(100)
    battery.read_back()
    assert battery.state.resumed is None


class Counting(FakeSpelling):
    """An adapter that tells how often a vehicle is given its limit."""

    def translate(self, command: Command, asset: base.AssetView, attempt: Attempt) -> base.Payload:
        """Spell a command."""
        del asset
        body: dict[str, object] = {"nudge": attempt.nudge}
        return base.Payload((base.Frame("set", body),), command.value_kw)


def test_an_adapter_is_told_how_often_it_is() -> None:
    """It may do something else the second time."""
    rig = resumed(Counting())
    assert [one["nudge"] for one in rig.sent] == [0, 0]
    for _ in range(2):
        rig.advance(90)
        rig.answer()
    assert [one["nudge"] for one in rig.sent][2:] == [1, 2]
