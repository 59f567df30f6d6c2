"""A device whose clock is wrong is told of, and set again by its own clock."""

from datetime import UTC

import pytest

from actors.testing.records import recorded
from actors.testing.rig import Rig, charger_rules, names_of, plan_of
from engine import events
from engine.adapters import base
from engine.asset import AssetState
from engine.asset.view import reading_of, view_of
from engine.types import Channel
from engine.why import explain


@pytest.fixture
def rig() -> Rig:
    """Return a charger that holds 11 kW."""
    rig = Rig(charger_rules(failsafe_after_s=100_000))
    rig.connect("CHARGING")
    rig.offer(plan_of((0, Channel.CHARGE, 11_000)), 90_000)
    rig.answer()
    return rig


def test_a_wrong_clock_is_an_alarm_and_the_setpoint_is_set_again(rig: Rig) -> None:
    """What was set by it may not have begun, or have ended already."""
    happened = rig.observe(base.ClockRead(-3_600))
    assert names_of(happened) == ["ClockSkewed", "CommandCreated", "AttemptStarted"]
    assert rig.state.alarms == ("clock_skew",)
    assert view_of(rig.state, rig.now).clock_ahead_s == -3_600
    assert reading_of(rig.state, rig.now).clock_ahead_s == -3_600


def test_only_another_amount_is_news(rig: Rig) -> None:
    """Clocks are told in whole seconds, and messages take their time."""
    assert rig.observe(base.ClockRead(12)) == []
    rig.observe(base.ClockRead(-3_600))
    rig.answer()
    assert rig.observe(base.ClockRead(-3_605)) == []
    assert names_of(rig.observe(base.ClockRead(-3_700)))[0] == "ClockSkewed"


def test_a_clock_that_is_right_again_ends_the_alarm(rig: Rig) -> None:
    """The setpoint is set once more, by the right clock."""
    rig.observe(base.ClockRead(600))
    rig.answer()
    happened = rig.observe(base.ClockRead(1))
    assert happened[0] == events.ClockSkewed(0)
    assert names_of(happened)[-1] == "AttemptStarted"
    assert rig.state.alarms == ()


def test_a_wrong_clock_outlives_a_restart(rig: Rig) -> None:
    """The next engine sets setpoints by it from the first on."""
    rig.observe(base.ClockRead(600))
    rig.answer()
    rig.restart()
    assert rig.state.device.clock_ahead_s == 600


def test_why_tells_of_a_wrong_clock_for_as_long_as_it_is_wrong(rig: Rig) -> None:
    """In the sentence and in the chain."""
    for ahead_s, said in ((-3_600, "3600 s behind"), (90, "90 s ahead")):
        rig.observe(base.ClockRead(ahead_s))
        rig.answer()
        told = explain(recorded(rig), AssetState(rig.state.asset_id), rig.now, UTC)
        assert f"the device's clock is {said}, since 2027-01-15" in told.sentence
        assert f"the device's clock is {said}" in {one.text for one in told.chain}
    rig.observe(base.ClockRead(0))
    rig.answer()
    told = explain(recorded(rig), AssetState(rig.state.asset_id), rig.now, UTC)
    assert "clock" not in told.sentence
    assert "the device's clock is right again" in {one.text for one in told.chain}
