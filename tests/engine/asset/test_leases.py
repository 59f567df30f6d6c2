"""A setpoint holds as long as its lease; half of it is over when a new command renews it."""

import pytest

from actors.testing.rig import Rig, battery_rules, charger_rules, plan_of
from engine import events
from engine.adapters import base
from engine.asset import messages as message
from engine.commands import CauseKind
from engine.rules import AssetRules
from engine.types import US_PER_S, Channel

CHARGE = Channel.CHARGE


def holding(rules: AssetRules) -> Rig:
    """Return an asset that holds 5 kW with a lease of 900 s."""
    rig = Rig(rules)
    rig.connect()
    rig.offer(plan_of((0, CHARGE, 5_000)), 90_000)
    rig.read_back()
    return rig


def renewals(rig: Rig) -> list[float]:
    """Return when renewals were created, in seconds."""
    return [
        (one.due_us - Rig.START_US) / US_PER_S
        for one in rig.events
        if isinstance(one, events.CommandCreated) and one.cause.kind is CauseKind.RENEW
    ]


@pytest.mark.parametrize("rules", [charger_rules(), battery_rules()])
def test_a_lease_is_renewed_at_half_by_a_new_command(rules: AssetRules) -> None:
    """On both protocols, as long as the setpoint holds."""
    rig = holding(rules)
    for _ in range(3):
        rig.advance(450)
        rig.read_back()
    assert renewals(rig) == [450, 900, 1350]
    assert rig.state.holding.lease_until_us == rig.now.device_us + 900 * US_PER_S


def test_a_lease_is_device_time_whatever_the_plan_clock_says() -> None:
    """It is never divided by the speed."""
    rig = Rig(charger_rules(), ahead_s=5_000)
    rig.connect()
    rig.offer(plan_of((0, CHARGE, 5_000)), 90_000)
    attempt = rig.state.attempt
    assert attempt is not None
    assert attempt.lease_until_us == rig.now.device_us + 900 * US_PER_S


def test_zero_has_a_lease_too() -> None:
    """Without one a charger would take its fallback."""
    rig = Rig(charger_rules())
    rig.connect()
    rig.offer(plan_of((0, CHARGE, 0)), 90_000)
    rig.answer()
    rig.advance(450)
    assert renewals(rig) == [450]


def test_a_release_has_no_lease() -> None:
    """The device is on its own."""
    rig = holding(charger_rules(on_schedule_end="release"))
    rig.offer(plan_of((0, CHARGE, 3_000)), 60, sequence=2)
    rig.answer()
    rig.advance(60)
    rig.answer()
    assert rig.state.holding.released
    assert rig.advance(2_000) == []


def test_a_renewal_that_fails_is_not_repeated_in_a_flood() -> None:
    """Once in `reassert_s`, until the lease is over and after."""
    rig = holding(charger_rules())
    rig.advance(450)
    rig.answer(outcome="rejected")
    assert rig.state.attempt is None
    assert rig.advance(299) == []
    rig.advance(1)
    assert renewals(rig) == [450, 750]


def test_after_its_lease_a_setpoint_holds_no_more() -> None:
    """It is asserted again, not renewed."""
    rig = holding(charger_rules(reassert_s=600))
    rig.advance(450)
    rig.answer(outcome="rejected")
    rig.advance(449)
    rig.advance(1, alive=False)
    rig.advance(150)
    created = rig.events[-2]
    assert isinstance(created, events.CommandCreated)
    assert created.cause.kind is CauseKind.REASSERT


def test_a_rate_whose_lease_is_over_is_an_increase() -> None:
    """A stale device is not sent it."""
    rig = holding(charger_rules(reassert_s=600))
    rig.advance(450)
    rig.answer(outcome="rejected")
    rig.advance(600, alive=False)
    assert rig.story()[-1].endswith("PENDING held:stale")


def test_a_renewal_for_a_faulted_device_is_held() -> None:
    """Above zero it could not take it anyway."""
    rig = holding(charger_rules())
    rig.observe(base.StateReported("FAULTED", "Faulted"))
    rig.advance(450)
    assert rig.story()[-1].endswith("PENDING held:faulted")


def test_a_disconnected_device_is_not_renewed() -> None:
    """There is nobody to send it to."""
    rig = holding(charger_rules())
    rig.observe(base.Disconnected())
    assert rig.advance(2_000) == []


def test_a_value_that_was_only_read_gets_a_lease_of_ours() -> None:
    """Nobody keeps it alive before it was set by a command."""
    rig = Rig(battery_rules())
    rig.observe(base.SetpointRead(5.0, 0.0), base.Connected(), base.StateReported("IDLE", "1"))
    rig.offer(plan_of((0, CHARGE, 5_000)), 900)
    assert len(rig.sent) == 1


def test_after_a_restart_a_battery_that_kept_its_setpoint_is_renewed_at_once() -> None:
    """The new engine's link keeps nothing alive yet."""
    rig = holding(battery_rules())
    rig.restart()
    rig.observe(base.SetpointRead(5.0, 0.0), base.Connected(), base.StateReported("IDLE", "1"))
    assert renewals(rig) == [0]
    rig.read_back()
    assert rig.state.work is None


def test_a_reconnected_battery_that_kept_its_setpoint_is_left_alone() -> None:
    """Its lease goes on, and so does its keep-alive."""
    rig = holding(battery_rules())
    rig.observe(base.Disconnected())
    rig.observe(base.SetpointRead(5.0, 0.0), base.Connected())
    assert len(rig.sent) == 1
    connected = rig.events[-1]
    assert isinstance(connected, events.ConnectionChanged)
    assert connected.kept


def test_a_renewal_gives_way_to_a_planned_change() -> None:
    """What is due at the same moment is sent instead."""
    rig = Rig(charger_rules())
    rig.connect()
    rig.offer(plan_of((0, CHARGE, 5_000), (450, CHARGE, 3_000)), 90_000)
    rig.answer()
    rig.advance(450)
    assert renewals(rig) == []
    assert rig.sent[-1]["charge_kw"] == 3
    rig.tell(message.Woke())
    assert len(rig.sent) == 2
