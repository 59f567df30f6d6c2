"""A charge point whose clock is wrong holds its setpoint all the same, for as long as it should."""

from collections.abc import Callable

import pytest

from actors.sim.charger import SimCharger
from actors.testing.faults import Fault, Faults
from actors.testing.simulation import Simulation
from actors.testing.world import WorldClock

Site = Callable[..., Simulation]
CHARGER = "ast_charger_1"


@pytest.mark.parametrize("ahead_s", [-7_200.0, -50.0, 90.0, 86_400.0])
def test_a_wrong_clock_is_found_out_and_reckoned_with(
    setpoint_site: Site, setpoint_clock: WorldClock, setpoint_faults: Faults, ahead_s: float
) -> None:
    """An hour behind, a profile would not have begun; an hour ahead, its lease would be over."""
    setpoint_faults.add(Fault(kind="skew", asset=CHARGER, direction="in", seconds=ahead_s, times=1))
    system = setpoint_site()
    charger = system.devices[CHARGER]
    assert isinstance(charger, SimCharger)
    setpoint_clock.advance(20)
    charger.plug_in(1)
    system.send(CHARGER, "SET_CHARGE_RATE", kw=7.0, by="ann", reason="a test")
    setpoint_clock.advance(40)
    view = system.state()[CHARGER]
    assert view.alarms == ("clock_skew",)
    assert view.clock_ahead_s == pytest.approx(ahead_s, abs=2)
    assert charger.connector(1).limit_w == 7_000.0
    system.stop()
    setpoint_clock.advance(900)
    assert charger.connector(1).limit_w != 7_000.0
    system.assert_promises()


def test_a_clock_that_is_right_is_nothing(setpoint_site: Site, setpoint_clock: WorldClock) -> None:
    """Neither an alarm nor an event."""
    system = setpoint_site()
    setpoint_clock.advance(120)
    view = system.state()[CHARGER]
    assert (view.alarms, view.clock_ahead_s) == ((), 0)
