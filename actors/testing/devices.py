"""The simulated devices of a site file, in a world without threads and sockets."""

import os
from collections.abc import Callable, Collection, Mapping
from datetime import datetime
from typing import Final, TypeAlias

import attrs

from actors.sim.battery import SimBattery
from actors.sim.charger import ChargerSetup, SimCharger
from actors.sim.setup import Pace
from actors.sim.sunspec import simulated
from actors.sim.timetable import Arrival
from actors.testing.crashes import CrashingLog, Point
from actors.testing.faults import Fault
from actors.testing.frames import ModbusSplitter, OcppSplitter
from actors.testing.network import Ways
from actors.testing.stepped import SteppedLoop
from actors.testing.wire import Tap
from actors.testing.witness import Witness
from actors.testing.world import World
from engine.adapters.modbus import ModbusOptions
from engine.adapters.ocpp16 import OcppOptions
from engine.config import Site
from engine.types import US_PER_S, from_us

Device: TypeAlias = SimCharger | SimBattery

PACE: Final = Pace(tick_s=1.0, slow_s=2.0, late_s=7.0, reconnect_s=0.2, reconnect_most_s=2.0)

_USUAL: Final = "1.6"
_CHARGERS: Final = {
    "reject": "reject_profile",
    "error": "callerror",
    "ignore": "accept_ignore",
    "alter": "accept_ignore",
    "wrong_echo": "callerror",
}
"""What the kinds of `faults.DEVICE` are called among a charger's quirks."""
_BATTERIES: Final = {
    "reject": "exception_3",
    "error": "exception_4",
    "ignore": "ignore_write",
    "alter": "clamp",
}
"""And among a battery's."""


def _is_of_device(fault: Fault) -> bool:
    return fault.is_of_device


def _is_of_battery(fault: Fault) -> bool:
    """A battery has no clock that could be wrong."""
    return fault.is_of_device and fault.kind != "skew"


@attrs.define
class _OwnClock:
    """A charge point's own clock."""

    world: World
    ahead_s: float = 0.0

    def now(self) -> datetime:
        return from_us(self.world.time.wall_us() + round(self.ahead_s * US_PER_S))


@attrs.define
class Devices:
    """The devices of a site; ``by_asset`` has each under its assets' ids, once they have begun.

    ``versions`` are the versions of OCPP that charge points speak, by identity; the others speak
    1.6, or what the site offers if it does not offer that.
    """

    site: Site
    world: World
    loop: SteppedLoop
    passes: Callable[[Point], object]
    witness: Witness
    versions: Mapping[str, str]
    quirks: Mapping[str, Collection[str]]
    by_asset: dict[str, Device] = attrs.field(factory=dict)
    _assets_of: dict[str, list[str]] = attrs.field(factory=dict)

    def begin(
        self, arrivals: Mapping[str, tuple[Arrival, ...]], plan_now: Callable[[], datetime]
    ) -> None:
        """Let all devices run; vehicles arrive by the plan clock."""
        port = 0 if self.site.ocpp is None else self.site.ocpp.port
        self.world.network.tap(port, self._ocpp_tap)
        connectors = self._connectors()
        for asset in self.site.assets:
            asset_id, own = asset.rules.asset_id, asset.options
            if isinstance(own, ModbusOptions):
                self.by_asset[asset_id] = self._battery(asset_id, own)
            elif isinstance(own, OcppOptions):
                self._assets_of.setdefault(own.charge_point, []).append(asset_id)
        for asset in self.site.assets:
            own = asset.options
            if isinstance(own, OcppOptions):
                assets = self._assets_of[own.charge_point]
                if assets[0] == asset.rules.asset_id:
                    clock = _OwnClock(self.world)
                    setup = self._setup(own, port, clock, plan_now)
                    coming = arrivals.get(own.charge_point, ())
                    count = connectors[own.charge_point]
                    setup = attrs.evolve(setup, connectors=count, arrivals=coming)
                    charger = self._charger(setup, clock, assets)
                    self.by_asset |= dict.fromkeys(assets, charger)
        self.world.turns.settle()

    def _connectors(self) -> Mapping[str, int]:
        """Return the highest connector of each charge point that the site names."""
        most: dict[str, int] = {}
        for asset in self.site.assets:
            own = asset.options
            if isinstance(own, OcppOptions):
                most[own.charge_point] = max(own.connector, most.get(own.charge_point, 0))
        return most

    # --- chargers

    def _setup(
        self, own: OcppOptions, port: int, clock: _OwnClock, plan_now: Callable[[], datetime]
    ) -> ChargerSetup:
        return ChargerSetup(
            own.charge_point,
            f"ws://127.0.0.1:{port}",
            clock.now,
            password=own.password or os.environ.get(own.password_env or ""),
            seed=self.world.seed,
            plan_now=plan_now,
            pace=PACE,
            version=self.versions.get(own.charge_point) or self._usual_version(),
            quirks=self.quirks.get(own.charge_point, ()),
        )

    def _usual_version(self) -> str:
        offered = () if self.site.ocpp is None else self.site.ocpp.versions
        return offered[0] if offered and _USUAL not in offered else _USUAL

    def _charger(
        self, setup: ChargerSetup, clock: _OwnClock, assets: Collection[str]
    ) -> SimCharger:
        made: list[SimCharger] = []

        def struck(action: str) -> Collection[str]:
            fault = self.world.faults.strike(_is_of_device, assets, "in", action)
            if fault is not None and fault.kind == "reboot":
                self.loop.submit(made[0].reboot())
            if fault is not None and fault.kind == "skew":
                clock.ahead_s += fault.seconds
            return _quirks(fault, _CHARGERS)

        async def life() -> None:
            charger = SimCharger(
                setup, CrashingLog(self.passes, self.world.time.now_us, self.witness.received)
            )
            charger.struck = struck
            made.append(charger)
            await charger.run()

        self.loop.submit(life())
        self.world.turns.settle(lambda: bool(made))
        return made[0]

    def _ocpp_tap(self) -> Ways:
        splitter = OcppSplitter()
        tap = Tap(
            splitter, self.world.faults, lambda: self._assets_of.get(splitter.identity or "", ())
        )
        return lambda data: tap.through("out", data), lambda data: tap.through("in", data)

    # --- batteries

    def _battery(self, asset_id: str, own: ModbusOptions) -> SimBattery:
        log = CrashingLog(self.passes, self.world.time.now_us, _by_place)
        battery = simulated(own.profile, own.unit, wire_log=log)
        battery.now_s = lambda: self.world.time.device_us / US_PER_S

        def struck(function: int) -> Collection[str]:
            fault = self.world.faults.strike(_is_of_battery, (asset_id,), "in", function)
            if fault is not None and fault.kind == "reboot":
                battery.hang_up()
            return _quirks(fault, _BATTERIES)

        battery.struck = struck
        self.world.tap(own.port, ModbusSplitter, asset_id)
        self.loop.submit(battery.start(own.host, own.port))
        return battery


def _by_place(_device: str, _transaction: str) -> None:
    """A Modbus frame does not say which attempt it is of: the judge goes by its place."""


def _quirks(fault: Fault | None, names: Mapping[str, str]) -> Collection[str]:
    """Return the quirks that a fault comes to, for one message."""
    if fault is None or fault.kind in {"reboot", "skew"}:
        return ()
    return (names.get(fault.kind, fault.kind),)
