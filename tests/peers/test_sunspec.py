"""What the engine writes to a SunSpec map is what SunSpec's own client reads there.

`pysunspec2` has the model definitions of the SunSpec Alliance, and finds the map by itself.
"""

import tomllib
from pathlib import Path
from typing import Any

import pytest
from sunspec2.modbus.client import SunSpecModbusClientDeviceTCP

from actors.sim.depot import Depot
from actors.sim.sunspec import SUNSPEC, sunspec_battery
from actors.testing.site import TestSite, battery_site
from tests.peers.node import running

WHO = ("--by", "anna", "--reason", "a test")


def seen(port: int) -> dict[int, Any]:
    """Return the models that SunSpec's client finds, read anew."""
    device = SunSpecModbusClientDeviceTCP(slave_id=1, ipaddr="127.0.0.1", ipport=port, timeout=5)
    device.scan()
    try:
        return {key: own[0] for key, own in device.models.items() if isinstance(key, int)}
    finally:
        device.close()


def send(site: TestSite, kind: str, kw: str) -> None:
    """Set a power by hand, and wait until it is COMPLETED."""
    done = site.setpoint(
        "send", str(site.file), "ast_battery", kind, "--kw", kw, "--wait", "20", *WHO
    )
    assert done.returncode == 0, done.stderr
    assert "COMPLETED" in done.stdout


@pytest.mark.timeout(150)
def test_bounds_are_percent_of_the_greatest_power(tmp_path: Path) -> None:
    """Model 124: 6 of 60 kW is ten percent in one bound, and minus ten in the other."""
    battery = sunspec_battery(SUNSPEC["sunspec"], 50_000)
    with battery_site(tmp_path, battery) as site:
        port = battery_port(site.file)
        with running(site):
            for kind, percent in (("SET_CHARGE_RATE", 10.0), ("SET_DISCHARGE_RATE", -10.0)):
                send(site, kind, "6")
                storage = seen(port)[124]
                assert storage.InWRte.cvalue == percent
                assert storage.OutWRte.cvalue == -percent
                assert (storage.StorCtl_Mod.value, storage.InOutWRte_RvrtTms.value) == (3, 900)
        storage = seen(port)[124]
        assert storage.StorCtl_Mod.value == 0  # handed back on stop


@pytest.mark.timeout(150)
def test_a_power_is_watts_with_a_reversion_time(tmp_path: Path) -> None:
    """Model 704, at the base 0: a generator's sign, enabled, and disabled when handed back."""
    battery = sunspec_battery(SUNSPEC["sunspec-704"], 0)
    with battery_site(tmp_path, battery) as site:
        port = battery_port(site.file)
        with running(site):
            for kind, power_w in (("SET_CHARGE_RATE", -4_321), ("SET_DISCHARGE_RATE", 4_321)):
                send(site, kind, "4.321")
                controls = seen(port)[704]
                assert controls.WSet.cvalue == power_w
                assert (controls.WSetEna.value, controls.WSetMod.value) == (1, 1)
                assert controls.WSetRvrtTms.value == 900
                assert (controls.WSetEnaRvrt.value, controls.WSetRvrt.cvalue) == (1, 0)
        assert seen(port)[704].WSetEna.value == 0


def test_the_simulated_maps_are_sound() -> None:
    """SunSpec's own client finds every model, and nothing wrong with any."""
    for name, models in (("sunspec", {1, 103, 124, 802}), ("sunspec-704", {1, 701, 702, 704, 713})):
        depot = Depot()
        depot.start()
        port = depot.add_battery("battery", sunspec_battery(SUNSPEC[name]))
        found = seen(port)
        depot.stop()
        assert set(found) == models
        assert found[1].Mn.value == "Setpoint"
        assert [model.error_info for model in found.values()] == [""] * len(models)


def battery_port(file: Path) -> int:
    """Return the battery's port in a site file."""
    assets = tomllib.loads(file.read_text(encoding="utf-8"))["asset"]
    return next(int(one["port"]) for one in assets if one["id"] == "ast_battery")
