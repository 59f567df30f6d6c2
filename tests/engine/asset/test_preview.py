"""What an offer would do, as told in a receipt; and the state as people see it."""

import pytest

from actors.testing.rig import Rig, battery_rules, charger_rules, plan_of
from engine.adapters import base
from engine.asset import Wake, next_wake
from engine.asset import messages as message
from engine.asset.messages import PlanOffered
from engine.asset.preview import Preview, preview
from engine.asset.view import reading_of, view_json, view_of
from engine.plans import Plan, PlanRef
from engine.types import US_PER_S, Channel, Instant, ScheduleId, from_us

CHARGE = Channel.CHARGE
DAY = plan_of((0, CHARGE, 11_000), (900, CHARGE, 7_000), (1800, CHARGE, 0))


@pytest.fixture
def rig() -> Rig:
    """Return a charger that holds 11 kW by its plan."""
    rig = Rig(charger_rules(failsafe_after_s=100_000))
    rig.connect("CHARGING")
    rig.tell(message.NothingOffered())
    rig.offer(DAY, 2700)
    rig.answer()
    return rig


def offer(plan: Plan, horizon_s: float = 2700) -> PlanOffered:
    """Return a plan as schedule 2 offers it."""
    horizon_us = Rig.START_US + round(horizon_s * US_PER_S)
    return PlanOffered(PlanRef(ScheduleId("sch_2"), 2, 0), plan, plan.change(0).due_us, horizon_us)


@pytest.mark.parametrize(
    ("plan", "expected"),
    [
        (DAY, Preview(changed=False)),
        (plan_of((0, CHARGE, 3_000)), Preview(changed=True, commands=1, cancelled=2)),
        (
            plan_of((0, CHARGE, 11_000), (60, CHARGE, 1_000)),
            Preview(changed=True, commands=1, cancelled=2),
        ),
        (plan_of((1000, CHARGE, 1_000)), Preview(changed=True, commands=1, cancelled=1)),
        (plan_of((900, CHARGE, 1_000)), Preview(changed=True, commands=1, cancelled=2)),
        (plan_of((2000, CHARGE, 1_000)), Preview(changed=True, commands=1, cancelled=0)),
    ],
)
def test_a_preview_counts_what_an_offer_brings_and_replaces(
    rig: Rig, plan: Plan, expected: Preview
) -> None:
    """The very numbers that the asset's events then make true."""
    assert preview(rig.state, offer(plan), rig.now) == expected
    before = {key: one.status for key, one in rig.history().items()}
    rig.tell(offer(plan))
    after = rig.history()
    ended = [key for key, status in before.items() if status != after[key].status]
    assert len(ended) == expected.cancelled
    assert len(set(after) - set(before)) == expected.commands


def test_a_preview_counts_the_parts_of_two_plans(rig: Rig) -> None:
    """Each up to where the next begins."""
    rig.tell(offer(plan_of((1000, CHARGE, 1_000), (1100, CHARGE, 2_000))))
    found = preview(rig.state, offer(plan_of((0, CHARGE, 1_000))), rig.now)
    assert found == Preview(changed=True, commands=1, cancelled=3)


def test_an_asset_without_a_plan_has_nothing_to_replace() -> None:
    """Everything is new."""
    rig = Rig(charger_rules())
    found = preview(rig.state, offer(DAY), rig.now)
    assert found == Preview(changed=True, commands=3, cancelled=0)


# --- views


def test_a_view_of_a_charger(rig: Rig) -> None:
    """The fields of ``setpoint state``."""
    rig.observe(base.PowerMeasured(10.5), base.TransactionChanged("started", "7", "key"))
    seen = view_json(view_of(rig.state, rig.now))
    assert seen["asset_id"] == "ast_ev"
    assert (seen["state"], seen["state_known"], seen["connected"]) == ("CHARGING", True, True)
    assert (seen["setpoint_kw"], seen["charge_kw"], seen["discharge_kw"]) == (11, None, None)
    assert (seen["setpoint_source"], seen["transaction_id"]) == ("schedule", "7")
    assert (seen["measured_kw"], seen["stale"]) == (10.5, False)
    assert seen["last_seen_at"] == "2027-01-15T08:00:00.000000Z"
    assert len(seen["open_commands"]) == 1  # type: ignore[arg-type]  # a list


def test_a_view_of_a_battery_is_signed() -> None:
    """Charging positive; the pair beside it."""
    rig = Rig(battery_rules())
    rig.connect()
    both = plan_of((0, CHARGE, 0), (0, Channel.DISCHARGE, 3_000), columns=("c", "d"))
    rig.offer(both, 900)
    view = view_of(rig.state, rig.now)
    assert (view.setpoint_kw, view.charge_kw, view.discharge_kw) == (-3, 0, 3)


def test_a_planned_setpoint_is_valid_until_the_plan_changes(rig: Rig) -> None:
    """Also when it was asserted again, or the plan was replaced by one that says the same."""
    start_us = Rig.START_US
    at_the_change = Instant(start_us + 900 * US_PER_S, start_us + 900 * US_PER_S)
    assert view_of(rig.state, at_the_change).valid_until == from_us(start_us + 900 * US_PER_S)
    rig.restart()
    rig.connect("CHARGING")
    rig.answer()
    assert view_of(rig.state, rig.now).valid_until == from_us(start_us + 900 * US_PER_S)
    rig.offer(plan_of((0, CHARGE, 11_000)), 1_800, sequence=2)
    assert view_of(rig.state, rig.now).valid_until == from_us(start_us + 1_800 * US_PER_S)


def test_a_view_of_an_asset_that_nothing_is_known_of() -> None:
    """Null where unknown, and stale."""
    rig = Rig(charger_rules())
    rig.tell(message.Configured(None))
    seen = view_json(view_of(rig.state, rig.now))
    assert seen["setpoint_kw"] is None
    assert seen["valid_until"] is None
    assert seen["stale"] is True


def test_a_view_of_a_released_battery_has_no_setpoint() -> None:
    """It is on its own."""
    rig = Rig(battery_rules(fallback_w=None))
    rig.connect()
    rig.offer(plan_of((0, CHARGE, 1_000)), 60)
    rig.read_back()
    rig.advance(60)
    view = view_of(rig.state, rig.now)
    assert (view.setpoint_kw, view.charge_kw, view.setpoint_source) == (None, None, "release")


def test_an_adapter_reads_the_same_in_a_reading(rig: Rig) -> None:
    """Field by field as in the view."""
    rig.observe(base.TransactionChanged("started", "7", "key"))
    view, reading = view_of(rig.state, rig.now), reading_of(rig.state, rig.now)
    for name in view.__struct_fields__:
        assert getattr(reading, name) == getattr(view, name), name


# --- when to look again


def test_an_asset_that_left_the_site_file_is_never_woken(rig: Rig) -> None:
    """Nothing can happen to it by itself."""
    rig.tell(message.Configured(None))
    assert next_wake(rig.state, rig.told) == Wake(None, None)


def test_an_asset_is_woken_for_what_comes_first(rig: Rig) -> None:
    """The next planned change; half of the lease."""
    wake = next_wake(rig.state, rig.told)
    assert wake.plan_us == Rig.START_US + 900 * US_PER_S
    assert wake.device_us == Rig.START_US + 50_000 * US_PER_S


def test_while_an_attempt_is_out_only_its_guard_wakes(rig: Rig) -> None:
    """The change is due and its attempt waits behind another."""
    rig.advance(900)
    assert rig.state.attempt is not None
    rig.offer(plan_of((900, CHARGE, 1_000), (905, CHARGE, 2_000)), 2700, sequence=3)
    rig.advance(5)
    assert next_wake(rig.state, rig.told) == Wake(None, Rig.START_US + 935 * US_PER_S)
