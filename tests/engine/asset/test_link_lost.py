"""A device that accepted and was not heard of again: its command comes to an end with its lease."""

import pytest

from actors.testing.rig import Rig, battery_rules, charger_rules, plan_of
from engine.adapters import base
from engine.asset import effects as effect
from engine.asset import messages as message
from engine.grants import UNBOUNDED_W, Bound, Grant
from engine.types import US_PER_S, Channel

CHARGE = Channel.CHARGE
FREE = Grant(Bound(UNBOUNDED_W, 0), Bound(UNBOUNDED_W, 0))


def on_its_fallback(verify: str, **rules: object) -> Rig:
    """Return a charger that accepted its fallback after the horizon: nothing will replace that."""
    rig = Rig(charger_rules(verify=verify, stale_s=100_000.0, **rules), grant=FREE)
    rig.connect("CHARGING")
    rig.observe(base.TransactionChanged("started", "7", "key"), base.PowerMeasured(11.0))
    rig.offer(plan_of((0, CHARGE, 11_000)), 60)
    rig.answer()
    rig.advance(60)
    if rig.state.outside.asking is not None:
        rig.tell(message.QuestionAnswered(rig.state.outside.asking, None))
    rig.answer()
    assert rig.story()[-1].endswith("ACKNOWLEDGED")
    return rig


def end_of(rig: Rig) -> tuple[str, str | None, str | None]:
    """Return how the last command stands: status, evidence, reason."""
    record = list(rig.history().values())[-1]
    return record.status.value, record.evidence, record.reason


def holds_w(rig: Rig) -> int:
    """Return what the asset claims that it may hold."""
    return [one.claim for one in rig.effects if isinstance(one, effect.Claimed)][-1].charge.holds_w


@pytest.mark.parametrize("verify", ["composite", "measured"])
def test_who_wanted_to_see_it_has_not(verify: str) -> None:
    """Until its lease is over the device may come back and show it."""
    rig = on_its_fallback(verify)
    rig.observe(base.Disconnected())
    rig.advance(899)
    assert end_of(rig)[0] == "ACKNOWLEDGED"
    rig.advance(1)
    assert end_of(rig) == ("FAILED", verify, "accepted, no effect seen: its link was lost")
    assert rig.state.work is None
    rig.advance(3_600)
    assert rig.state.work is None
    rig.observe(base.Connected())
    assert rig.sent[-1]["charge_kw"] == 4.2


def test_who_takes_what_there_is_believes_the_acceptance() -> None:
    """It says that there was no more; what may be in force beside it is not over for that."""
    rig = on_its_fallback("auto", failsafe_after_s=900.0)
    rig.observe(base.Disconnected())
    assert holds_w(rig) == 11_000
    rig.advance(899)
    assert holds_w(rig) == 11_000
    rig.advance(1)
    assert end_of(rig) == ("COMPLETED", "ack", "no evidence: its link was lost")
    assert rig.state.remains is not None
    rig.advance(60)
    assert holds_w(rig) == 4_200


def test_also_after_a_restart() -> None:
    """The device is not there for the new engine either."""
    rig = on_its_fallback("auto")
    rig.restart()
    rig.advance(900)
    assert end_of(rig) == ("COMPLETED", "ack", "no evidence: its link was lost")


def test_a_sample_that_came_before_its_link_was_lost_is_evidence() -> None:
    """What it shows is on record at once."""
    rig = on_its_fallback("measured")
    rig.advance(10)
    rig.observe(base.PowerMeasured(4.0))
    assert end_of(rig)[:2] == ("COMPLETED", "measured")


def test_a_battery_that_was_not_read_back_is_believed_in_the_end() -> None:
    """Its question was not answered, and it has gone."""
    rig = Rig(battery_rules())
    rig.connect()
    rig.offer(plan_of((0, CHARGE, 5_000), columns=("c",)), 90_000)
    rig.answer()
    rig.observe(base.Disconnected())
    assert rig.story()[0] == "1.0.0 ACKNOWLEDGED"
    since_us = rig.now.device_us
    rig.advance(1_000)
    assert rig.story()[0] == "1.0.0 COMPLETED no evidence: its link was lost"
    ended = max(at.device_us for at in rig.times)
    assert ended == since_us + 900 * US_PER_S


def test_a_device_that_is_back_in_time_is_set_again() -> None:
    """Nobody knows what it did meanwhile."""
    rig = on_its_fallback("auto")
    rig.observe(base.Disconnected())
    rig.advance(100)
    rig.tell(message.Observed(base.Connected()))
    assert list(rig.history().values())[-2].reason == "overtaken"
