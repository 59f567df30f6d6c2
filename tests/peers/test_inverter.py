"""An inverter with modes and a timer, on another library: a day, and the end of its timer."""

from contextlib import AbstractContextManager
from pathlib import Path
from typing import Final

import msgspec
import pytest

from actors.profiles import register_profile
from actors.sim.battery import SimBattery
from actors.testing.site import TestSite
from tests.peers.node import wait_until
from tests.peers.python_device import device_site, play, powers
from tests.peers.test_battery import held_pairs, write_schedule

_SCRIPT: Final = Path(__file__).with_name("inverter.py")
WHO: Final = ("--by", "anna", "--reason", "a test")
DAY: Final = [
    (4.0, 0.0),
    (0.0, 2.5),
    (0.0, 2.5),
    (3.2142, 0.0),
    (0.0, 0.0),
    (0.0, 7.25),
    (0.0, 7.0),
    (30.0, 0.0),
]


def inverter_site(
    folder: Path, extra: str = "", **settings: float
) -> AbstractContextManager[tuple[TestSite, Path]]:
    """Give a site whose battery is the inverter, and the inverter's wire log."""
    battery = SimBattery(register_profile("huawei-luna2000"))
    return device_site(_SCRIPT, battery, folder, extra, **settings)


@pytest.mark.timeout(150)
def test_a_day_is_held_to_the_watt(tmp_path: Path) -> None:
    """All commands are COMPLETED by what was read back, and it is handed back at the end."""
    schedule = write_schedule(tmp_path / "plan.csv", DAY)
    with inverter_site(tmp_path) as (site, log):
        play(site, schedule, 300)
    held = [charge_w - discharge_w for charge_w, discharge_w in held_pairs(DAY)]
    *during, last = powers(log)
    assert held == during
    assert last is None


@pytest.mark.timeout(150)
def test_without_the_engine_its_timer_runs_out(tmp_path: Path) -> None:
    """A lease of two minutes, which last twenty seconds here."""
    extra = "[defaults]\nfailsafe_after_s = 120\n"
    with inverter_site(tmp_path, extra, minute_s=10) as (site, log):
        engine = site.started("run", str(site.file))
        command = ("send", str(site.file), "ast_battery", "SET_CHARGE_RATE", "--kw", "5")
        wait_until(
            lambda: site.setpoint(*command, "--wait", "10", *WHO).returncode == 0, "it charges"
        )
        engine.kill()
        assert powers(log)[-1] == 5_000
        wait_until(lambda: _probed(site) == "0000 0000", "it is on its own")
        assert powers(log)[-1] is None


def _probed(site: TestSite) -> str:
    """Return the words of the power that a probe reads."""
    done = site.setpoint("probe", str(site.file), "ast_battery", "--json")
    registers = msgspec.json.decode(done.stdout)["registers"]
    words = next(one["words"] for one in registers if one["role"] == "power_w")
    return " ".join(f"{word:04x}" for word in words)
