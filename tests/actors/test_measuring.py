"""A charge point is had to measure what is needed, and what it measures is reckoned with."""

from collections.abc import Callable

import pytest

from actors.sim.charger import SimCharger
from actors.sim.vehicle import Vehicle
from actors.testing.simulation import Simulation
from actors.testing.sites import site_text
from actors.testing.world import WorldClock

Site = Callable[..., Simulation]
CHARGER = "ast_charger_1"


@pytest.mark.parametrize(
    ("version", "action"), [("1.6", "ChangeConfiguration"), ("2.0.1", "SetVariables")]
)
def test_a_vehicle_on_one_phase_gets_its_power_in_amperes_of_one_phase(
    setpoint_site: Site, setpoint_clock: WorldClock, version: str, action: str
) -> None:
    """7 kW are 10.1 A on three phases, and 30.4 A on the one that it charges on."""
    text = site_text(1, 0) + "sample_interval_s = 5\n"
    system = setpoint_site(text, versions={"CP-1": version})
    charger = system.devices[CHARGER]
    assert isinstance(charger, SimCharger)
    charger.fail("amps_only")
    setpoint_clock.advance(20)
    configured = [one for one in system.history() if one.cause.kind == "rule:configure"]
    assert [one.status for one in configured] == ["COMPLETED", "COMPLETED"]
    heard = [one.action for one in charger.wire_log.entries if one.direction == "in"]
    assert heard.count(action) == len(configured)
    sampled = charger.station.cabinet.configuration["MeterValuesSampledData"]
    assert sampled == "Power.Active.Import,Energy.Active.Import.Register,SoC,Current.Import"
    charger.plug_in(1, Vehicle(phases=1))
    system.send(CHARGER, "SET_CHARGE_RATE", kw=7.0, by="ann", reason="a test")
    setpoint_clock.advance(80)
    assert system.state()[CHARGER].phases == 1
    assert 6_900 <= charger.connector(1).power_w <= 7_000
    system.assert_promises()
