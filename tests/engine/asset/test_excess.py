"""A device above what its site granted: each case is on record once, with its end."""

import pytest

from actors.testing.rig import Rig, battery_rules, charger_rules, names_of, plan_of
from engine import events
from engine.adapters import base
from engine.asset import messages as message
from engine.asset.above import drawn_w
from engine.grants import UNBOUNDED_W, Bound, Grant
from engine.types import Channel

CHARGE, DISCHARGE = Channel.CHARGE, Channel.DISCHARGE
FREE = Bound(UNBOUNDED_W, 0)


def charger(**rules: object) -> Rig:
    """Return a charger that holds 11 kW, just what it was granted."""
    rules = {"failsafe_after_s": 100_000.0, "settle_s": 90.0, "verify": "ack", **rules}
    rig = Rig(charger_rules(**rules), grant=Grant(Bound(11_000, 11_000, 30_000), FREE))
    rig.connect("CHARGING")
    if rig.state.attempt is not None:
        rig.answer()
    rig.offer(plan_of((0, CHARGE, 11_000)), 90_000)
    rig.answer()
    return rig


def grant(rig: Rig, most_w: int) -> list[events.AssetEvent]:
    """Let the site grant so much."""
    own = rig.state.outside.grant
    assert own is not None
    return rig.tell(message.Granted(Grant(Bound(most_w, 11_000, 30_000), FREE, own.number + 1)))


def exceeded(rig: Rig) -> list[events.GrantExceeded]:
    """Return the cases that are on record."""
    return [one for one in rig.events if isinstance(one, events.GrantExceeded)]


def test_a_device_that_draws_more_for_longer_than_it_takes_to_settle_lies() -> None:
    """It said that it had taken the lower setpoint."""
    rig = charger()
    grant(rig, 5_000)
    rig.answer()
    rig.observe(base.PowerMeasured(11.0))
    rig.advance(60)
    rig.observe(base.PowerMeasured(10.9))
    assert exceeded(rig) == []
    rig.advance(30)
    rig.observe(base.PowerMeasured(10.9))
    assert exceeded(rig) == [events.GrantExceeded("measured", 10_900, 5_000)]
    assert "above_grant" in rig.state.alarms
    rig.advance(60)
    rig.observe(base.PowerMeasured(10.9))
    assert len(exceeded(rig)) == 1
    assert names_of(rig.observe(base.PowerMeasured(5.25))) == ["GrantKept"]
    assert "above_grant" not in rig.state.alarms


def test_a_device_that_refuses_to_go_down_is_above_its_grant() -> None:
    """What it holds is known, and no more is tried for a while."""
    rig = charger()
    grant(rig, 5_000)
    rig.answer(outcome="rejected")
    assert exceeded(rig) == [events.GrantExceeded("refused", 11_000, 5_000)]
    rig.advance(299)
    assert len(exceeded(rig)) == 1
    rig.advance(2)
    rig.answer()
    assert "above_grant" not in rig.state.alarms
    assert names_of(rig.events)[-1] == "GrantKept"


def test_another_refusal_is_none_of_the_sites_business() -> None:
    """What failed is no less than what it holds."""
    rig = charger()
    rig.offer(plan_of((0, CHARGE, 8_000)), 90_000, sequence=2)
    rig.answer(outcome="rejected")
    assert exceeded(rig) == []


def test_a_failure_of_something_else_is_no_refusal_of_a_grant() -> None:
    """A setpoint of before failed, and the grant was lowered since."""
    rig = charger()
    rig.offer(plan_of((0, CHARGE, 8_000)), 90_000, sequence=2)
    rig.answer(outcome="rejected")
    grant(rig, 5_000)
    assert exceeded(rig) == []


def test_a_battery_that_somebody_else_set_above_its_grant_is_told_of() -> None:
    """It is set right at once, and then it is within its grant again."""
    rules = battery_rules(failsafe_after_s=100_000.0)
    rig = Rig(rules, grant=Grant(FREE, Bound(5_000, 5_000, 5_000)))
    rig.connect()
    while rig.state.attempt is not None:
        rig.read_back()
    rig.offer(plan_of((0, CHARGE, 0), (0, DISCHARGE, 5_000), columns=("c", "d")), 90_000)
    while rig.state.attempt is not None:
        rig.read_back()
    rig.observe(base.SetpointRead(0.0, 9.0))
    assert exceeded(rig) == [events.GrantExceeded("found", -9_000, 5_000)]
    rig.read_back()
    assert "above_grant" not in rig.state.alarms


def test_a_battery_that_was_handed_back_may_take_all_that_it_can() -> None:
    """On its own it knows of no grant."""
    rules = battery_rules(failsafe_after_s=100_000.0)
    rig = Rig(rules, grant=Grant(Bound(0, 0, 5_000), FREE))
    rig.connect()
    rig.offer(plan_of((0, CHARGE, 0), (0, DISCHARGE, 0), columns=("c", "d")), 90_000)
    while rig.state.attempt is not None:
        rig.read_back()
    rig.observe(base.SetpointRead(None, None, released=True))
    assert exceeded(rig) == [events.GrantExceeded("found", rules.max_charge_w, 0)]


def test_a_battery_that_discharges_more_than_it_was_granted_lies() -> None:
    """It is held against the bound of its direction."""
    rig = Rig(battery_rules(settle_s=0.0), grant=Grant(FREE, Bound(5_000, 5_000, 5_000)))
    rig.connect()
    rig.observe(base.PowerMeasured(-5.25))
    assert exceeded(rig) == []
    rig.observe(base.PowerMeasured(-5.26))
    assert exceeded(rig) == [events.GrantExceeded("measured", -5_260, 5_000)]


def test_a_discharge_that_is_not_given_up_is_a_refusal() -> None:
    """Told as what it may still give."""
    rules = battery_rules(failsafe_after_s=100_000.0)
    rig = Rig(rules, grant=Grant(FREE, Bound(5_000, 5_000, 5_000)))
    rig.connect()
    while rig.state.attempt is not None:
        rig.read_back()
    rig.offer(plan_of((0, CHARGE, 0), (0, DISCHARGE, 5_000), columns=("c", "d")), 90_000)
    while rig.state.attempt is not None:
        rig.read_back()
    rig.tell(message.Granted(Grant(FREE, Bound(2_000, 5_000, 5_000), 1)))
    rig.answer(outcome="rejected")
    assert exceeded(rig) == [events.GrantExceeded("refused", -5_000, 2_000)]


def test_after_a_restart_nothing_is_a_refusal_before_a_plan_was_offered() -> None:
    """Nothing should hold yet that could have been refused."""
    rig = charger()
    rig.offer(plan_of((0, CHARGE, 8_000)), 90_000, sequence=2)
    rig.answer(outcome="rejected")
    rig.restart()
    assert exceeded(rig) == []


def test_a_sample_does_not_stand_for_ever() -> None:
    """A device that is heard, and measures no more, is above nothing after five minutes."""
    rig = charger()
    rig.observe(base.PowerMeasured(11.0))
    grant(rig, 5_000)
    rig.answer()
    rig.advance(91)
    assert exceeded(rig) == [events.GrantExceeded("measured", 11_000, 5_000)]
    rig.advance(200)
    rig.observe(base.Seen())
    assert "above_grant" in rig.state.alarms
    assert drawn_w(rig.state, rig.now) == 11_000
    rig.advance(10)
    rig.tell(message.Woke())
    assert drawn_w(rig.state, rig.now) is None
    assert "above_grant" not in rig.state.alarms
    assert exceeded(rig)[1:] == []
    rig.observe(base.PowerMeasured(11.0))
    rig.advance(91)
    rig.observe(base.Seen())
    assert len(exceeded(rig)) == 2


def test_a_sample_of_a_transaction_that_is_over_says_nothing_of_now() -> None:
    """What is measured without one does."""
    rig = charger()
    rig.observe(base.TransactionChanged("started", "7", key="a"))
    rig.observe(base.PowerMeasured(11.0))
    rig.observe(base.TransactionChanged("ended", "6"))
    assert drawn_w(rig.state, rig.now) == 11_000
    rig.observe(base.TransactionChanged("ended", "7"))
    assert drawn_w(rig.state, rig.now) is None
    grant(rig, 5_000)
    rig.advance(91)
    rig.observe(base.Seen())
    assert exceeded(rig) == []
    rig.observe(base.PowerMeasured(11.0))
    rig.advance(91)
    rig.observe(base.Seen())
    assert exceeded(rig) == [events.GrantExceeded("measured", 11_000, 5_000)]


# --- beside another controller, or unable to charge


def left_alone(policy: str, found_kw: float) -> Rig:
    """Return a battery that is to charge with 3 kW, and is left alone with what was found."""
    rules = battery_rules(failsafe_after_s=100_000.0, on_interference=policy)
    rig = Rig(rules, grant=Grant(Bound(11_000, 3_000, 30_000), FREE))
    rig.connect()
    while rig.state.attempt is not None:
        rig.read_back()
    rig.offer(plan_of((0, CHARGE, 3_000), (0, DISCHARGE, 0), columns=("c", "d")), 90_000)
    while rig.state.attempt is not None:
        rig.read_back()
    while not rig.state.interference.left:
        rig.advance(70)
        rig.observe(base.SetpointRead(found_kw, 0.0))
        while rig.state.attempt is not None:
            rig.read_back()
    return rig


@pytest.mark.parametrize("policy", ["yield", "alarm", "reassert"])
def test_a_device_left_alone_is_set_right_when_its_grant_falls_below_it(policy: str) -> None:
    """Whatever the policy, and at once; a grant that it keeps changes nothing."""
    rig = left_alone(policy, 7.0)
    assert names_of(grant(rig, 7_000)) == []
    assert "AttemptStarted" in names_of(grant(rig, 5_000))
    rig.read_back()
    assert rig.state.holding.charge_w == 3_000
    assert not rig.state.interference.left


def test_what_is_left_alone_and_takes_more_is_reserved_at_once() -> None:
    """Though it was told of less than a minute ago; what it takes less can wait."""
    rig = left_alone("yield", 1.0)
    rig.advance(5)
    rig.observe(base.SetpointRead(10.0, 0.0))
    assert claimed_w(rig) == 10_000
    rig.advance(5)
    assert names_of(rig.observe(base.SetpointRead(2.0, 0.0))) == []
    assert claimed_w(rig) == 10_000
    rig.advance(60)
    rig.observe(base.SetpointRead(2.0, 0.0))
    assert claimed_w(rig) == 2_000


@pytest.mark.parametrize("state", ["UNAVAILABLE", "FAULTED"])
def test_a_grant_of_nothing_goes_to_a_charger_that_cannot_charge(state: str) -> None:
    """A 0 always goes, and once; what is more waits until it can charge again."""
    rig = charger(fallback_w=0)
    rig.observe(base.StateReported(state, state.title()))
    assert names_of(grant(rig, 5_000)) == []
    assert "AttemptStarted" in names_of(grant(rig, 0))
    assert rig.sent[-1]["charge_kw"] == 0
    rig.answer()
    assert rig.state.holding.charge_w == 0
    sent = len(rig.sent)
    rig.advance(600)
    assert len(rig.sent) == sent


def test_a_grant_of_nothing_waits_for_a_charger_that_is_offline() -> None:
    """Nothing can be sent to it."""
    rig = charger(fallback_w=0)
    rig.observe(base.Disconnected())
    assert names_of(grant(rig, 0)) == []


def claimed_w(rig: Rig) -> int:
    """Return what the site reserves for an asset's charging."""
    claim = rig.state.outside.claimed
    assert claim is not None
    return claim.charge.holds_w
