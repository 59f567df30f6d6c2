"""When an engine dies for good, each battery is at its fallback within its lease."""

from pathlib import Path

import pytest

from actors.clock import steady_s
from actors.profiles import register_profile
from actors.sim.battery import SimBattery
from actors.sim.sunspec import SUNSPEC, sunspec_battery
from actors.testing.site import battery_site
from actors.testing.waiting import wait_until
from engine.adapters.profile import BUILTIN

LEASE_S = 120
WITHOUT_TIMEOUT = frozenset({"goodwe-et", "marstek-venus", "sungrow-sh"})
WHO = ("--by", "anna", "--reason", "a test")


@pytest.mark.timeout(150)
@pytest.mark.parametrize("name", [*BUILTIN, *SUNSPEC])
def test_a_battery_is_on_its_own_again_within_the_lease(tmp_path: Path, name: str) -> None:
    """Killed with 2.4 kW on the way; the battery's own clock is moved on from there.

    A device without any time-out holds what it was told: `check` and its profile say so. Model 704
    goes to the fallback, which is given to it with each setpoint.
    """
    if name in SUNSPEC:
        battery = sunspec_battery(SUNSPEC[name])
    else:
        battery = SimBattery(register_profile(name))
    extra = f"[defaults]\nfailsafe_after_s = {LEASE_S}\n"
    with battery_site(tmp_path, battery, extra) as site:
        engine = site.started("run", str(site.file))
        command = ("send", str(site.file), "ast_battery", "SET_CHARGE_RATE", "--kw", "2.4")
        wait_until(lambda: site.setpoint(*command, "--wait", "10", *WHO).returncode == 0, 60)
        assert battery.setpoint_w() == 2_400
        engine.kill()
        engine.wait(10)
        assert battery.is_held()
        battery.now_s = lambda: steady_s() + LEASE_S
        assert battery.is_held() is (name in {*WITHOUT_TIMEOUT, "sunspec-704"})
        assert battery.setpoint_w() == (2_400 if name in WITHOUT_TIMEOUT else 0)
