"""Whole engines, as their users run them, against simulated devices over real sockets."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from actors.testing.site import TestSite, simulated_site


@pytest.fixture
def depot(tmp_path: Path) -> Iterator[TestSite]:
    """Give a site with two chargers, vehicles plugged in, and a battery."""
    with simulated_site(tmp_path, ("a", "b")) as site:
        yield site


@pytest.fixture
def schedule(tmp_path: Path) -> Path:
    """Give a schedule file of eight quarter-hours for that site."""
    return write_schedule(tmp_path / "plan.csv")


def write_schedule(path: Path) -> Path:
    """Write eight quarter-hours in which every asset changes most of the time."""
    lines = ["timestamp,ev_a_kw,ev_b_kw,battery_charge_kw,battery_discharge_kw"]
    for slot in range(8):
        charge = (12.5, 0.0, 3.2142)[slot % 3]
        discharge = (0.0, 20.0, 0.0)[slot % 3]
        lines.append(
            f"2025-03-30T{slot // 4:02}:{slot % 4 * 15:02}:00+01:00,"
            f"{(7.4, 11.0, 0.0)[slot % 3]},{3.6 + slot % 2},{charge},{discharge}"
        )
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path
