"""Batteries that are Python programs of their own, each in a site that has nothing else."""

import tomllib
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import groupby
from pathlib import Path
from typing import Any

import msgspec

from actors.sim.battery import SimBattery
from actors.testing.site import TestSite, battery_site
from tests.peers.node import Node, whole_lines


@contextmanager
def device_site(
    script: Path, battery: SimBattery, folder: Path, extra: str = "", **settings: float
) -> Iterator[tuple[TestSite, Path]]:
    """Give a site whose battery is the program, and the program's wire log.

    ``battery`` is the simulated one whose profile the program's registers have.
    """
    log = folder / "device.jsonl"
    device = Node(script, folder)
    port = msgspec.json.decode(device.start({"log": str(log), **settings}))["ready"]
    try:
        with battery_site(folder, battery, extra) as site:
            text = site.file.read_text(encoding="utf-8")
            simulated = tomllib.loads(text)["asset"][0]["port"]
            site.file.write_text(text.replace(f"port = {simulated}", f"port = {port}"))
            yield site, log
    finally:
        device.kill()


def powers(log: Path) -> list[int | None]:
    """Return what the device was to hold, each once; null is its own control."""
    rows: list[dict[str, Any]] = [msgspec.json.decode(one) for one in whole_lines(log)]
    return [power for power, _ in groupby(one["power_w"] for one in rows if one["kind"] == "power")]


def play(site: TestSite, schedule: Path, speed: int) -> None:
    """Run a schedule of 2025-03-12 to its end: all of it is COMPLETED by what was read back."""
    start = "2025-03-12T00:00:00+01:00"
    timing = ("--start-at", start, "--speed", str(speed), "--until-done")
    done = site.setpoint("run", str(site.file), "--schedule", str(schedule), *timing)
    assert done.returncode == 0, done.stderr
    history: list[dict[str, Any]] = site.history()
    planned = [one for one in history if one["cause"]["kind"] == "schedule"]
    assert {("COMPLETED", "readback")} == {(one["status"], one["evidence"]) for one in planned}
