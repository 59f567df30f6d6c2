"""Why a setpoint does not hold, or is set again, where another controller sets the device too."""

from datetime import UTC

import pytest

from actors.testing.records import THREE, recorded
from actors.testing.rig import Rig, charger_rules
from engine.adapters import base
from engine.asset import AssetState
from engine.why import Explanation, explain

TWO = base.SetpointRead(2.0, None)


def why(rig: Rig) -> Explanation:
    """Return why the asset's setpoint is what it is now."""
    return explain(recorded(rig), AssetState(rig.state.asset_id), rig.now, UTC)


def settled(policy: str) -> Rig:
    """Return a charger that has accepted the first of three slots."""
    rig = Rig(charger_rules(on_interference=policy))
    rig.connect("CHARGING")
    rig.offer(THREE, 2_700)
    rig.answer()
    return rig


@pytest.mark.parametrize("policy", ["yield", "alarm"])
def test_what_is_left_alone_is_told_with_its_end(policy: str) -> None:
    """Until the plan or a person says something else."""
    rig = settled(policy)
    rig.observe(TWO)
    told = why(rig)
    assert told.sentence.endswith(
        "; the charger was found to hold 2 kW instead, and is left alone until the next planned "
        "change or a person's word."
    )
    assert told.chain[-1].text == "the device was found to hold 2 kW, and is left alone"
    rig.advance(900)
    rig.answer()
    assert "left alone" not in why(rig).sentence


def test_who_was_set_again_too_often_is_left_alone_for_an_hour() -> None:
    """With the time at which it is set again."""
    rig = settled("reassert")
    for _ in range(3):
        rig.observe(TWO)
        rig.answer()
    told = why(rig)
    assert "the charger was found to hold 2 kW at 2027-01-15 08:00:00+00:00;" in told.sentence
    assert "the device was found to hold 2 kW, and is set again" in {one.text for one in told.chain}
    rig.observe(TWO)
    assert why(rig).sentence.endswith(
        "instead, and is left alone until 2027-01-15 09:00:00+00:00, as it was set again too "
        "often already."
    )


def test_who_gave_in_explains_no_setpoint() -> None:
    """It is in the chain alone."""
    rig = settled("yield")
    rig.observe(TWO)
    rig.advance(60)
    rig.observe(base.SetpointRead(11.0, None))
    told = why(rig)
    assert "found to hold" not in told.sentence
    assert "the device was found to hold 11 kW, as it should" in {one.text for one in told.chain}


def test_who_else_limits_a_charger_is_told_with_how_much_and_since_when() -> None:
    """One that is over is in the chain alone."""
    rig = settled("reassert")
    rig.observe(
        base.ExternalLimit("SO", 4_200.0, is_critical=True),
        base.ExternalLimit("EMS", 16.0, "A"),
        base.ExternalLimit("Other"),
    )
    since = "since 2027-01-15 08:00:00+00:00"
    told = why(rig)
    assert (
        f"; the grid's operator limits the charger to 4.2 kW, {since}"
        f"; an energy management system limits the charger to 16 A, {since}"
        f"; another controller limits the charger, {since};"
    ) in told.sentence
    rig.observe(base.ExternalLimit("SO", is_over=True))
    told = why(rig)
    assert "operator" not in told.sentence
    texts = {one.text for one in told.chain}
    assert "the grid's operator limits the charger to 4.2 kW, as the grid needs it" in texts
    assert "the grid's operator limits the charger no longer" in texts
