"""A SunSpec device of another making: found, walked, held to the watt, and left to its timer."""

from collections.abc import Iterator
from contextlib import contextmanager
from itertools import groupby
from pathlib import Path
from typing import Final

import pytest

from actors.sim.sunspec import sunspec_battery
from actors.testing.site import TestSite
from tests.peers.node import wait_until
from tests.peers.python_device import device_site, play, powers
from tests.peers.test_battery import held_pairs, write_schedule

_SCRIPT: Final = Path(__file__).with_name("sunspec_device.py")
WHO: Final = ("--by", "anna", "--reason", "a test")
DAY: Final = [
    (4.0, 0.0),
    (0.0, 2.5),
    (0.0, 2.5),
    (3.2142, 0.0),
    (0.0, 0.0),
    (0.0, 4.25),
    (0.0, 4.0),
    (5.0, 0.0),
    (0.0, 5.0),
    (0.002, 0.0),
]


@contextmanager
def sunspec_site(
    folder: Path, extra: str = "", **settings: float
) -> Iterator[tuple[TestSite, Path]]:
    """Give a site whose battery is the device, of 5 kW, and the device's wire log."""
    with device_site(_SCRIPT, sunspec_battery(), folder, extra, **settings) as (site, log):
        text = site.file.read_text(encoding="utf-8")
        site.file.write_text(text.replace("charge_kw = 50", "charge_kw = 5"))
        yield site, log


@pytest.mark.timeout(150)
@pytest.mark.parametrize(("control", "base"), [(124, 40_000), (704, 50_000), (124, 0)])
def test_a_day_is_held_to_the_watt(tmp_path: Path, control: int, base: int) -> None:
    """All commands are COMPLETED by what was read back, and it is handed back at the end."""
    schedule = write_schedule(tmp_path / "plan.csv", DAY)
    with sunspec_site(tmp_path, control=control, base=base) as (site, log):
        play(site, schedule, 300)
    pairs = [charge_w - discharge_w for charge_w, discharge_w in held_pairs(DAY)]
    held = [power_w for power_w, _ in groupby(pairs) if power_w]
    during = [power_w for power_w in powers(log) if power_w]
    assert held == during
    assert powers(log)[-1] is None


@pytest.mark.timeout(150)
@pytest.mark.parametrize(("control", "after"), [(124, None), (704, -1_500)])
def test_without_the_engine_its_timer_runs_out(
    tmp_path: Path, control: int, after: int | None
) -> None:
    """Model 124 goes back to its own control, model 704 to the fallback that it was given."""
    extra = "[defaults]\nfailsafe_after_s = 120\n"
    with sunspec_site(tmp_path, extra, control=control, second_s=0.15) as (site, log):
        text = site.file.read_text(encoding="utf-8")
        site.file.write_text(text.replace("fallback_kw = 0", "fallback_kw = -1.5"))
        engine = site.started("run", str(site.file))
        command = ("send", str(site.file), "ast_battery", "SET_CHARGE_RATE", "--kw", "5")
        wait_until(
            lambda: site.setpoint(*command, "--wait", "10", *WHO).returncode == 0, "it charges"
        )
        engine.kill()
        engine.wait(10)
        assert powers(log)[-1] == 5_000
        site.setpoint("probe", str(site.file), "ast_battery")
        wait_until(lambda: _looked_at(site, log) == after, "its timer has run out")


def _looked_at(site: TestSite, log: Path) -> int | None:
    """Return what the device holds, once somebody has read it again."""
    site.setpoint("probe", str(site.file), "ast_battery")
    return powers(log)[-1]
