"""A charger that was given the plan ahead goes on with it while it cannot be reached."""

from collections.abc import Callable

import pandas as pd

from actors.sim.charger import SimCharger
from actors.testing.simulation import Simulation
from actors.testing.sites import site_text
from actors.testing.world import WorldClock

Site = Callable[..., Simulation]
CHARGER = "ast_charger_1"


def test_a_charger_out_of_reach_follows_the_plan_and_then_falls_back(
    setpoint_site: Site, setpoint_clock: WorldClock
) -> None:
    """For as long as its lease lasts; without the option it would hold the first value."""
    system = setpoint_site(site_text(1, 0) + "periods_ahead = 4\n")
    charger = system.devices[CHARGER]
    assert isinstance(charger, SimCharger)
    setpoint_clock.advance(20)
    charger.plug_in(1)
    setpoint_clock.advance(20)
    times = pd.date_range(setpoint_clock.now, periods=6, freq="5min")
    system.submit(pd.DataFrame({"ev_1_kw": [11.0, 7.0, 9.0, 5.0, 6.0, 8.0]}, index=times))
    setpoint_clock.advance(10)
    charger.fail("offline")
    connector = charger.connector(1)
    held = []
    for _ in range(4):
        setpoint_clock.advance(270)
        held.append(connector.limit_w)
        setpoint_clock.advance(30)
    assert held == [11_000.0, 7_000.0, 9_000.0, 4_200.0]
    charger.heal("offline")
    setpoint_clock.advance(30)
    assert connector.limit_w == 6_000.0
    system.assert_promises()


def test_a_new_plan_reaches_a_charger_that_has_the_old_one_ahead(
    setpoint_site: Site, setpoint_clock: WorldClock
) -> None:
    """At once, although nothing changes now."""
    system = setpoint_site(site_text(1, 0) + "periods_ahead = 4\n")
    charger = system.devices[CHARGER]
    assert isinstance(charger, SimCharger)
    setpoint_clock.advance(20)
    charger.plug_in(1)
    setpoint_clock.advance(20)
    times = pd.date_range(setpoint_clock.now, periods=3, freq="5min")
    for kw in (7.0, 5.0):
        system.submit(pd.DataFrame({"ev_1_kw": [11.0, kw, 9.0]}, index=times))
        setpoint_clock.advance(10)
    charger.fail("offline")
    setpoint_clock.advance(300)
    assert charger.connector(1).limit_w == 5_000.0
    system.assert_promises()
