"""Why less is set than was asked for, and when it is lifted, under a site limit."""

from datetime import UTC

from actors.testing.records import THREE, recorded
from actors.testing.rig import Rig, charger_rules
from engine.adapters import base
from engine.asset import AssetState
from engine.asset import messages as message
from engine.grants import UNBOUNDED_W, Bound, Grant
from engine.why import Explanation, explain

FREE = Bound(UNBOUNDED_W, 0)


def why(rig: Rig) -> Explanation:
    """Return why the asset's setpoint is what it is now."""
    return explain(recorded(rig), AssetState(rig.state.asset_id), rig.now, UTC)


def grant(most_w: int, number: int, base_w: int = 0) -> message.Granted:
    """Return a grant of a limit of 60 kW, of which the others have 40 kW."""
    return message.Granted(Grant(Bound(most_w, 11_000, 60_000, base_w, 40_000), FREE, number))


def throttled(base_w: int = 0) -> Rig:
    """Return a charger for which 11 kW are planned, and 6.2 kW were granted."""
    rig = Rig(charger_rules(), grant=grant(4_200, 0).grant)
    rig.connect("CHARGING")
    rig.offer(THREE, 2_700)
    rig.tell(grant(6_200, 1, base_w))
    rig.answer()
    return rig


def test_what_was_asked_and_granted_is_told_with_the_limit() -> None:
    """And where the rest of the limit is."""
    told = why(throttled(13_800))
    assert (
        "6.2 kW should hold, because schedule sch_1 plans it from 2027-01-15 08:00:00+00:00 on "
        "(column ev_kw); 11 kW was asked and 6.2 kW granted, because the site's import limit is "
        "60 kW and the base load takes 13.8 kW and 40 kW are reserved for the other assets;"
    ) in told.sentence
    texts = [one.text for one in told.chain]
    assert any("decided on 6.2 kW by the import limit over 11 kW by" in one for one in texts)


def test_without_a_base_load_none_is_told() -> None:
    """The others alone have the rest."""
    assert "is 60 kW and 40 kW are reserved for the other assets;" in why(throttled()).sentence


def test_what_is_lifted_is_asked_for_by_the_plan_alone() -> None:
    """The limit has no part in it any more."""
    rig = throttled()
    rig.tell(grant(11_000, 2))
    rig.answer()
    assert "granted" not in why(rig).sentence
    assert "11 kW should hold, because schedule sch_1 plans it" in why(rig).sentence


def test_a_device_above_its_grant_is_in_the_chain() -> None:
    """With how it was seen, and its end."""
    rig = throttled()
    rig.observe(base.PowerMeasured(11.0))
    rig.advance(90)
    rig.observe(base.PowerMeasured(11.0))
    assert why(rig).chain[-1].text == "above its grant (measured): 11 kW against 6.2 kW granted"
    rig.observe(base.PowerMeasured(6.0))
    assert why(rig).chain[-1].text == "within its grant again"


def test_a_phase_that_leaves_no_more_is_named_with_its_amperes() -> None:
    """It has the least room of all that is limited."""
    rig = throttled()
    bound = Bound(5_000, 11_000, 14_490, 0, 9_490, "L2")
    rig.tell(message.Granted(Grant(bound, FREE, 2)))
    rig.answer()
    told = why(rig)
    assert "because the site's L2 limit is 14.49 kW (63 A) and 9.49 kW are" in told.sentence
    assert any("by the L2 limit over 11 kW" in one.text for one in told.chain)
