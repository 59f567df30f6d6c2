"""The phases that a vehicle charges on are measured, where the site file does not say them."""

from datetime import UTC
from typing import Any

import pytest

from actors.testing.records import recorded
from actors.testing.rig import Rig, charger_rules, names_of, plan_of
from engine import events
from engine.adapters import base
from engine.asset import AssetState
from engine.asset.view import reading_of, view_of
from engine.types import Channel
from engine.why import explain

ONE = base.PowerMeasured(3.6, phases=1)
TWO = base.PowerMeasured(7.2, phases=2)


def charging(**options: Any) -> Rig:  # noqa: ANN401 - scalars of a site file
    """Return a charger in a transaction that holds 11 kW."""
    rig = Rig(charger_rules(failsafe_after_s=100_000, options=options))
    rig.connect("CHARGING")
    rig.observe(base.TransactionChanged("started", "7", "key"))
    rig.offer(plan_of((0, Channel.CHARGE, 11_000)), 90_000)
    rig.answer()
    return rig


def test_fewer_phases_are_believed_when_they_were_measured_three_times() -> None:
    """Some vehicles begin on one phase; then the setpoint is set again with those there are."""
    rig = charging()
    assert rig.observe(ONE, TWO, ONE, ONE) == []
    happened = rig.observe(ONE)
    assert names_of(happened) == ["PhasesMeasured", "CommandCreated", "AttemptStarted"]
    assert view_of(rig.state, rig.now).phases == 1
    assert reading_of(rig.state, rig.now).phases == 1


def test_more_phases_are_believed_at_once() -> None:
    """What was reckoned with fewer allows too much."""
    rig = charging()
    rig.observe(ONE, ONE, ONE)
    rig.answer()
    assert rig.observe(TWO)[0] == events.PhasesMeasured(2)


def test_three_phases_are_reckoned_with_before_any_are_measured() -> None:
    """That it is so is nothing new."""
    rig = charging()
    three = base.PowerMeasured(11.0, phases=3)
    assert rig.observe(three, three, three, base.PowerMeasured(11.0)) == []


@pytest.mark.parametrize("phases", [1, 3])
def test_the_site_files_word_outranks_what_is_measured(phases: int) -> None:
    """Nothing is learned then."""
    assert charging(phases=phases).observe(ONE, ONE, ONE) == []


def test_another_transaction_may_be_another_vehicle() -> None:
    """And without one nobody charges."""
    rig = charging()
    rig.observe(ONE, ONE, ONE)
    rig.answer()
    rig.observe(base.TransactionChanged("ended", "7"))
    assert rig.state.device.phases is None
    assert names_of(rig.observe(TWO)) == []
    rig.observe(base.TransactionChanged("started", "8", "other"))
    assert rig.state.device.phases is None


def test_why_tells_of_the_phases() -> None:
    """In the chain of what led to the setpoint."""
    rig = charging()
    rig.observe(ONE, ONE, ONE)
    told = explain(recorded(rig), AssetState(rig.state.asset_id), rig.now, UTC)
    assert "the vehicle was found to charge on 1 phase(s)" in {one.text for one in told.chain}
