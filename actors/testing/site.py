"""A simulated depot with its site file, for tests that run whole engines over real sockets."""

import contextlib
import os
import secrets
import socket
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import attrs
import msgspec

from actors.clock import wall_now
from actors.profiles import register_profile
from actors.sim.battery import SimBattery
from actors.sim.charger import ChargerSetup, SimCharger
from actors.sim.connector import Arrival
from actors.sim.depot import Depot
from actors.sim.setup import Pace
from actors.sim.wirelog import WireEntry, WireLog
from actors.testing.promises import CONTROL_ACTIONS
from engine.adapters.modbus import limits_w

KEY_VARIABLE = "SETPOINT_TEST_KEY"
_PACE = Pace(reconnect_most_s=0.4)
_WRITES = frozenset({6, 16})
_LOWEST_PORT: Final = 10_000
_CONNECTIONS: Final = Path("/proc/sys/net/ipv4/ip_local_port_range")

_CHARGER = """
[[asset]]
id = "ast_{key}"
kind = "ev_charger"
schedule_key = "{key}"
adapter = "ocpp"
charge_point = "CP-{key}"
password_env = "SETPOINT_TEST_KEY"
max_kw = 22
min_a = 0
fallback_kw = 1.4
"""

BATTERY = """
[[asset]]
id = "ast_battery"
kind = "battery"
schedule_key = "battery"
adapter = "modbus"
host = "127.0.0.1"
port = {port}
max_charge_kw = 50
max_discharge_kw = 50
fallback_kw = 0
"""


def free_port() -> int:
    """Return a port of loopback that nobody listened on just now.

    It is none of those that the system gives to connections: one of them could be another
    connection's by the time that somebody listens on it.
    """
    first, last = _given_to_connections()
    others = [*range(_LOWEST_PORT, first), *range(last + 1, 1 << 16)]
    while True:
        port: int = secrets.choice(others or range(_LOWEST_PORT, 1 << 16))
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port


def _given_to_connections() -> tuple[int, int]:
    try:
        first, last = map(int, _CONNECTIONS.read_text(encoding="ascii").split())
    except OSError:
        return 49_152, 65_535  # by RFC 6335
    return first, last


@attrs.define
class TestSite:
    """A site file in a folder, and the simulated devices that it names."""

    __test__ = False

    folder: Path
    keys: tuple[str, ...]
    depot: Depot
    ocpp_port: int
    engines: "list[subprocess.Popen[str]]" = attrs.field(factory=list)

    @property
    def file(self) -> Path:
        """The site file."""
        return self.folder / "site.toml"

    def charger(self, key: str) -> SimCharger:
        """Return one charge point."""
        return self.depot.chargers[f"CP-{key}"]

    @property
    def battery(self) -> SimBattery:
        """The battery."""
        return self.depot.batteries["battery"]

    def command(self, *arguments: str) -> list[str]:
        """Return the command line of a verb."""
        return [sys.executable, "-m", "actors.cli", *arguments]

    def setpoint(
        self, *arguments: str, timeout_s: float = 120.0
    ) -> "subprocess.CompletedProcess[str]":
        """Run a verb to its end."""
        return subprocess.run(  # noqa: S603 - our own command
            self.command(*arguments), capture_output=True, text=True, timeout=timeout_s, check=False
        )

    def started(self, *arguments: str) -> "subprocess.Popen[str]":
        """Start a verb in the background, its output in files of the folder."""
        with (self.folder / "out.txt").open("a") as out, (self.folder / "err.txt").open("a") as err:
            engine = subprocess.Popen(  # noqa: S603 - our own command
                self.command(*arguments), stdout=out, stderr=err, text=True
            )
        self.engines.append(engine)
        return engine

    def killed(self) -> None:
        """Leave nothing running in the background, whatever became of the test."""
        for engine in self.engines:
            engine.kill()
            engine.wait(10)

    def rows(self, verb: str, *arguments: str) -> list[dict[str, object]]:
        """Return what a read verb prints as JSON."""
        done = self.setpoint(verb, str(self.file), *arguments, "--json")
        if done.returncode:
            raise RuntimeError(done.stderr)
        return [msgspec.json.decode(line) for line in done.stdout.splitlines()]

    def history(self) -> "list[dict[str, object]]":
        """Return every command."""
        return self.rows("history")

    def control_frames(self) -> list[WireEntry]:
        """Return all control frames in the OCPP devices' own logs."""
        return [
            entry
            for log in self.depot.logs().values()
            for entry in log.entries
            if entry.direction == "in" and entry.action in CONTROL_ACTIONS
        ]

    def writes(self) -> list[WireEntry]:
        """Return all register writes in the battery's own log."""
        return [
            entry
            for entry in self.battery.wire_log.entries
            if entry.direction == "in" and entry.action in _WRITES
        ]


@contextmanager
def battery_site(folder: Path, battery: SimBattery, extra: str = "") -> Iterator[TestSite]:
    """Give a site that is this simulated battery alone; ``extra`` is text for the site file."""
    depot = Depot()
    depot.start()
    site = TestSite(folder, (), depot, free_port())
    try:
        port = depot.add_battery("battery", battery)
        head = f'[site]\nid = "sit_test"\n{extra}\n'
        site.file.write_text(head + _entry(battery, port), encoding="utf-8")
        yield site
    finally:
        site.killed()
        depot.stop()


def _entry(battery: SimBattery, port: int) -> str:
    """Return a battery's entry, its greatest power no more than its registers hold."""
    profile, text = battery.profile, BATTERY.format(port=port)
    for key, most_w in zip(("max_charge_kw", "max_discharge_kw"), limits_w(profile), strict=True):
        text = text.replace(f"{key} = 50", f"{key} = {min(50_000, most_w) / 1_000:g}")
    return f'{text}profile = "{profile.name}"\nunit = {battery.unit}\n'


@contextmanager
def simulated_site(
    folder: Path,
    keys: Sequence[str],
    *,
    plugged: bool = True,
    extra: str = "",
    versions: Mapping[str, str] | None = None,
) -> Iterator[TestSite]:
    """Give a site of one charge point per key and a battery, all simulated and running.

    ``extra`` is added to its ``[ocpp]``; ``versions`` are those that are not 1.6, by key.
    """
    os.environ[KEY_VARIABLE] = secrets.token_hex(16)
    depot = Depot()
    depot.start()
    site = None
    try:
        battery = SimBattery(register_profile("generic-battery"))
        port = depot.add_battery("battery", battery)
        site = TestSite(folder, tuple(keys), depot, free_port())
        chargers = "".join(_CHARGER.format(key=key) for key in keys)
        head = f'[site]\nid = "sit_test"\n[ocpp]\nlisten = "127.0.0.1:{site.ocpp_port}"\n{extra}\n'
        site.file.write_text(head + chargers + BATTERY.format(port=port), encoding="utf-8")
        for key in keys:
            arrivals = (Arrival(1, 0.0),) if plugged else ()
            setup = ChargerSetup(
                f"CP-{key}",
                f"ws://127.0.0.1:{site.ocpp_port}",
                wall_now,
                password=os.environ[KEY_VARIABLE],
                arrivals=arrivals,
                pace=_PACE,
                version=(versions or {}).get(key, "1.6"),
            )
            depot.add_charger(setup, WireLog())
        yield site
    finally:
        if site is not None:
            site.killed()
        depot.stop()
