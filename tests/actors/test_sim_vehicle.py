from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from actors.sim.timetable import Arrival, Timetable
from actors.sim.vehicle import PluggedVehicle, Vehicle

START = datetime(2026, 1, 5, 12, tzinfo=UTC)
WIDE_OPEN_W = 22_000.0


def test_power_ramps_up_to_what_the_vehicle_takes() -> None:
    """Half of the ramp gives half of the power."""
    plugged = PluggedVehicle(Vehicle(max_kw=11.0, ramp_s=40.0))
    plugged.advance(20.0, WIDE_OPEN_W)
    assert plugged.power_w == pytest.approx(5_500.0)
    plugged.advance(20.0, WIDE_OPEN_W)
    assert plugged.power_w == pytest.approx(11_000.0)


def test_a_vehicle_takes_no_more_than_it_can() -> None:
    """A charger's 22 kW are no order."""
    plugged = PluggedVehicle(Vehicle(max_kw=7.4))
    plugged.advance(600.0, WIDE_OPEN_W)
    assert plugged.power_w == pytest.approx(7_400.0)


def test_power_falls_within_five_seconds() -> None:
    """IEC 61851 gives a vehicle as long to follow a lower offer."""
    plugged = PluggedVehicle(Vehicle())
    plugged.advance(120.0, WIDE_OPEN_W)
    plugged.advance(5.0, 0.0)
    assert plugged.power_w == 0.0


@pytest.mark.parametrize(("phases", "least_w"), [(1, 1_380.0), (2, 2_760.0), (3, 4_140.0)])
def test_below_six_amperes_a_vehicle_does_not_charge(phases: int, least_w: float) -> None:
    """The least offer depends on the phases."""
    plugged = PluggedVehicle(Vehicle(phases=phases))
    plugged.advance(300.0, least_w - 1.0)
    assert plugged.power_w == 0.0
    plugged.advance(300.0, least_w)
    assert plugged.power_w == pytest.approx(least_w)


def test_above_eighty_percent_a_vehicle_takes_less() -> None:
    """At 90 % it is about half, at the target nothing."""
    vehicle = Vehicle(max_kw=10.0, target_pct=95.0)
    assert vehicle.acceptance_w(80.0) == pytest.approx(10_000.0)
    assert vehicle.acceptance_w(90.0) == pytest.approx(5_500.0)
    assert vehicle.acceptance_w(95.0) == 0.0


def test_a_vehicle_fills_up_and_takes_no_more() -> None:
    """The energy that it took is what was missing in its battery."""
    plugged = PluggedVehicle(Vehicle(battery_kwh=50.0, soc_pct=70.0, target_pct=90.0))
    taken_wh = plugged.advance(6 * 3_600.0, WIDE_OPEN_W)
    assert plugged.full
    assert plugged.soc_pct == pytest.approx(90.0)
    assert plugged.power_w == 0.0
    assert taken_wh == pytest.approx(10_000.0)


@given(
    steps=st.lists(
        st.tuples(st.floats(0.0, 3_600.0), st.floats(0.0, 30_000.0)), min_size=1, max_size=20
    ),
    soc_pct=st.floats(0.0, 100.0),
)
def test_energy_and_charge_always_agree(steps: list[tuple[float, float]], soc_pct: float) -> None:
    """Whatever is offered, no energy is lost, none invented, and the charge never falls."""
    plugged = PluggedVehicle(Vehicle(battery_kwh=40.0, soc_pct=soc_pct))
    taken_wh = 0.0
    for dt_s, offered_w in steps:
        before_w, before_pct = plugged.power_w, plugged.soc_pct
        taken_wh += plugged.advance(dt_s, offered_w)
        assert 0.0 <= plugged.power_w <= max(before_w, min(offered_w, 11_000.0)) + 1e-6
        assert before_pct <= plugged.soc_pct <= 100.0 + 1e-6
        assert dt_s < 5.0 or plugged.power_w <= offered_w + 1e-6
    assert taken_wh == pytest.approx((plugged.soc_pct - soc_pct) / 100.0 * 40_000.0, abs=1e-3)


def test_arrivals_are_due_once_in_their_order() -> None:
    """Seconds count from the start; times of the plan clock stand for themselves."""
    first = Arrival(1, 10.0, departs_at=START + timedelta(seconds=30))
    second = Arrival(2, START + timedelta(seconds=20))
    table = Timetable((second, first), START)
    assert table.due(START + timedelta(seconds=9)) == ()
    due = table.due(START + timedelta(seconds=25))
    assert [("arrives", first), ("arrives", second)] == [(m.kind, m.arrival) for m in due]
    assert [m.kind for m in table.due(START + timedelta(hours=1))] == ["departs"]
    assert table.due(START + timedelta(hours=2)) == ()


def test_who_leaves_makes_room_for_who_comes() -> None:
    """At one moment the departure is first."""
    leaving = Arrival(1, 0.0, departs_at=60.0)
    coming = Arrival(1, 60.0)
    due = Timetable((coming, leaving), START).due(START + timedelta(seconds=60))
    assert [movement.kind for movement in due] == ["arrives", "departs", "arrives"]
    assert coming == due[-1].arrival
