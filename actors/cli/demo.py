"""The verb that shows it all: a simulated depot through one day, over real sockets."""

import csv
import os
import random
import secrets
import sys
import tempfile
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Final

import attrs
import click

from actors.cli.live import Feed, feed_for
from actors.cli.run import Interrupts
from actors.clock import steady_s, wall_now
from actors.profiles import register_profile
from actors.sim.battery import SimBattery
from actors.sim.charger import ChargerSetup
from actors.sim.connector import Arrival
from actors.sim.depot import Depot
from actors.sim.vehicle import Vehicle
from actors.standing import PlanStart
from actors.system import ActorSystem
from engine.commands import CommandStatus
from engine.errors import UsageError
from engine.history import History
from engine.types import from_us, to_us

if TYPE_CHECKING:
    from engine.frames import DataFrame

DAY: Final = datetime(2025, 6, 3, 6, 0, tzinfo=UTC)
SLOTS: Final = 64
SLOT: Final = timedelta(minutes=15)
SPEED: Final = 1_800.0
_LOOK_S: Final = 0.05
_LONGEST_S: Final = 300.0
_BAYS: Final = (("CP-NORTH", 1), ("CP-NORTH", 2), ("CP-EAST", 1), ("CP-WEST", 1))
_VARIABLE: Final = "SETPOINT_DEMO_KEY"

_SITE: Final = """
[site]
id = "sit_demo_depot"
timezone = "UTC"
[store]
url = "sqlite:///{store}"
[defaults]
command_timeout_seconds = 2
retry_backoff_factor = 1.2
dispatch_interval_seconds = 1
[ocpp]
listen = "127.0.0.1:0"
{bays}
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

_BAY: Final = """
[[asset]]
id = "ast_bay_{number}"
kind = "ev_charger"
schedule_key = "bay_{number}"
adapter = "ocpp"
charge_point = "{point}"
connector = {connector}
password_env = "SETPOINT_DEMO_KEY"
max_kw = 22
fallback_kw = 4.2
"""


@attrs.frozen
class Step:
    """Something that happens at a time of the demo's day."""

    hour: float
    what: str
    act: Callable[[], None]


@click.command()
@click.option("--store", type=click.Path(path_type=Path), help="Keep the store in this file.")
@click.option("--speed", type=float, default=SPEED, help="How many times as fast the day goes.")
@click.option("--seed", type=int, default=1, help="Another seed, another day.")
def demo(store: Path | None, speed: float, seed: int) -> None:
    """Run a simulated depot through a day: three charge points, a battery, an optimiser's plan.

    Real OCPP and real Modbus on loopback; a re-plan, a fault and a vehicle that leaves early.
    Ends with what became of every command. Exit status 1 if any did not end as it should.
    """
    if not 0 < speed <= 100 * SPEED:
        raise UsageError(f"--speed is above 0, and at most {100 * SPEED:g}")
    if store is not None and store.exists():
        raise UsageError(f"{store} is there already: the demo starts on a new store")
    interrupts = Interrupts()
    with tempfile.TemporaryDirectory(prefix="setpoint-demo-") as name, interrupts.caught():
        folder = Path(name)
        kept = (folder / "demo.db") if store is None else store.absolute()
        fine = _Day(folder, kept, speed, seed).run(interrupts)
    if store is not None:
        click.echo(f"The store is kept: setpoint history {store}")
    raise click.exceptions.Exit(0 if fine else 1)


class _Day:
    """One day of the demo."""

    def __init__(self, folder: Path, store: Path, speed: float, seed: int) -> None:
        self._folder = folder
        self._store = store
        self._speed = speed
        self._random = random.Random(seed)
        self._depot = Depot()

    def run(self, interrupts: Interrupts) -> bool:
        """Run the day; return whether everything ended as it should."""
        os.environ[_VARIABLE] = secrets.token_hex(16)
        self._depot.start()
        try:
            feed = feed_for(as_json=False)
            start = PlanStart(to_us(DAY), self._speed)
            with ActorSystem.open(self._site(), start=start, on_event=feed.heard) as system:
                return self._attend(system, feed, interrupts)
        finally:
            self._depot.stop()

    def _site(self) -> Path:
        battery = SimBattery(register_profile("generic-battery"), speed=self._speed)
        port = self._depot.add_battery("battery", battery)
        bays = "".join(
            _BAY.format(number=number, point=point, connector=connector)
            for number, (point, connector) in enumerate(_BAYS, 1)
        )
        path = self._folder / "site.toml"
        text = _SITE.format(store=self._store, bays=bays, port=port)
        path.write_text(text, encoding="utf-8")
        return path

    def _connect(self, url: str) -> None:
        for point in sorted({point for point, _ in _BAYS}):
            connectors = sum(name == point for name, _ in _BAYS)
            self._depot.add_charger(
                ChargerSetup(
                    point,
                    url,
                    wall_now,
                    connectors,
                    os.environ[_VARIABLE],
                    self._speed,
                    meter_s=1.0,
                )
            )

    def _attend(self, system: ActorSystem, feed: Feed, interrupts: Interrupts) -> bool:
        began_s = steady_s()
        try:
            feed.started(system)
            self._connect(system.ocpp_url or "")
            feed.accepted(system.submit(self.schedule(0)))
            script = self._script(system, feed)
            while not interrupts.stopping.wait(_LOOK_S):
                feed.refresh()
                self._play(script, system, feed)
                if (system.is_done() and not script) or steady_s() - began_s > _LONGEST_S:
                    break
            feed.note("the day is over")
        finally:
            feed.close()
        return summarise(system.history(), steady_s() - began_s)

    # --- the day's script

    def _script(self, system: ActorSystem, feed: Feed) -> list[Step]:
        def replan() -> None:
            feed.accepted(system.submit(self.schedule(24)))

        def come(bay: int, soc_pct: float) -> Callable[[], None]:
            point, connector = _BAYS[bay - 1]
            arrival = Arrival(connector, 0.0, Vehicle(soc_pct=soc_pct))
            return lambda: self._depot.plug_in(point, arrival)

        def go(bay: int) -> Callable[[], None]:
            return lambda: self._depot.unplug(*_BAYS[bay - 1])

        return [
            Step(6.1, "a vehicle comes to bay 1", come(1, 35.0)),
            Step(6.6, "a vehicle comes to bay 2", come(2, 20.0)),
            Step(7.2, "a vehicle comes to bay 3", come(3, 50.0)),
            Step(8.4, "a vehicle comes to bay 4", come(4, 15.0)),
            Step(10.1, "the charger of bay 3 breaks down", self._break_down),
            Step(11.4, "the charger of bay 3 works again", self._repair),
            Step(12.0, "the optimiser plans anew", replan),
            Step(14.1, "the vehicle of bay 2 leaves early", go(2)),
            Step(16.1, "another vehicle comes to bay 2", come(2, 40.0)),
            Step(21.5, "the vehicle of bay 1 leaves", go(1)),
        ]

    def _break_down(self) -> None:
        self._depot.begin(self._depot.chargers["CP-EAST"].connectors[1].fault())

    def _repair(self) -> None:
        self._depot.begin(self._depot.chargers["CP-EAST"].connectors[1].repair())

    @staticmethod
    def _play(script: list[Step], system: ActorSystem, feed: Feed) -> None:
        now = from_us(system.clocks.now().plan_us)
        while script and DAY + timedelta(hours=script[0].hour - DAY.hour) <= now:
            step = script.pop(0)
            feed.note(f"{now:%H:%M}  *** {step.what}")
            step.act()

    # --- the plan

    def schedule(self, first: int) -> "DataFrame":
        """Return a plan in kW from slot ``first`` on: cheap hours charge, dear ones discharge."""
        from engine.frames import load_file

        count = SLOTS - first
        columns: dict[str, list[float]] = {}
        for bay in range(1, len(_BAYS) + 1):
            columns[f"ev_bay_{bay}_kw"] = self._steps(count, (0.0, 4.6, 7.4, 11.0), 2)
        power = self._steps(count, (-30.0, -12.5, 0.0, 15.0, 42.0), 1)
        columns["battery_charge_kw"] = [max(0.0, each) for each in power]
        columns["battery_discharge_kw"] = [max(0.0, -each) for each in power]
        path = self._folder / f"plan_{first}.csv"
        with path.open("w", encoding="utf-8", newline="") as out:
            writer = csv.writer(out)
            writer.writerow(["timestamp", *columns])
            for slot, powers in enumerate(zip(*columns.values(), strict=True)):
                writer.writerow([(DAY + (first + slot) * SLOT).isoformat(), *powers])
        return load_file(path)

    def _steps(self, count: int, levels: tuple[float, ...], least: int) -> list[float]:
        values: list[float] = []
        while len(values) < count:
            level = self._random.choice(levels)
            values += [level] * self._random.randint(least, least + 3)
        return values[:count]


_FINE: Final = frozenset({"superseded", "early_departure", "override", "operator"})


def summarise(history: History, took_s: float) -> bool:
    """Tell what became of every command; return whether each ended as it should."""
    counts = Counter((one.asset_id, str(one.status), one.reason or "") for one in history)
    bad = 0
    click.echo("")
    click.echo(f"{len(history)} commands in {took_s:.0f} s:")
    for (asset, status, reason), count in sorted(counts.items()):
        fine = status == CommandStatus.COMPLETED or reason in _FINE
        bad += 0 if fine else count
        mark = "" if fine else "  <-"
        click.echo(f"  {asset:<14} {status:<10} {reason:<18} {count:>4}{mark}")
    evidence = Counter(one.evidence for one in history if one.evidence)
    told = ", ".join(f"{count} by {kind}" for kind, count in evidence.most_common())
    click.echo(f"  evidence: {told}")
    sys.stdout.flush()
    return bad == 0
