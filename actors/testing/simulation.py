"""A site, its simulated devices and one engine after another, in one thread and under a seed.

Everything is the engine's own: its actors, its journal and store, its links with the protocol
libraries; and the devices speak the real protocols. Only threads, sockets and clocks are not real.
"""

import contextlib
import os
from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, Self

import attrs

from actors.adapters import option_types
from actors.clock import Clocks
from actors.environment import read_site
from actors.ids import Ids
from actors.links.battery import ModbusLink
from actors.links.ocpp.link import OcppLink
from actors.reading import VOCABULARY, Reader
from actors.running import Running
from actors.runtime import Seams
from actors.sim.battery import SimBattery
from actors.sim.charger import SimCharger
from actors.sim.timetable import Arrival
from actors.standing import PlanStart
from actors.store import Store, open_store
from actors.system import ActorSystem
from actors.testing.crashes import Crash, Crashed, CrashingLink, Point
from actors.testing.devices import Device, Devices
from actors.testing.faults import LASTING, WIRE
from actors.testing.faulty_store import FaultyStore
from actors.testing.promises import Judgement, judge
from actors.testing.seeded import SeededRuntime
from actors.testing.struck import StruckStore
from actors.testing.witness import Witness
from actors.testing.world import World
from engine.adapters.base import Link
from engine.adapters.registry import AdapterRegistry
from engine.asset import AssetState
from engine.codec import Codec, Record, Row
from engine.config import Site
from engine.errors import EngineClosed, UsageError
from engine.site import SiteState
from engine.types import US_PER_S, AssetId, from_us, to_us
from engine.verification import Verification

_CLOSE_S = 10.0
_STANDING_S = 20.0  # the engine waits 10 s at most for devices to report
_LOOK_S = 0.5


class Simulation(ActorSystem):
    """A running engine in a simulated site, under a seed. Of one thread.

    It is an `ActorSystem` that can crash and be restarted. ``devices`` has the simulated device of
    each asset; connectors of one charge point share theirs. The store is in memory and outlives
    each engine.
    """

    def __init__(  # noqa: PLR0913 - all but the first have a default
        self,
        site: Site,
        seed: int | World = 0,
        *,
        start: PlanStart | None = None,
        arrivals: Mapping[str, tuple[Arrival, ...]] | None = None,
        versions: Mapping[str, str] | None = None,
        quirks: Mapping[str, Collection[str]] | None = None,
        adapters: AdapterRegistry | None = None,
        snapshot_every: int = 4,
    ) -> None:
        """Let the devices run, and open an engine.

        ``seed`` is a number, or a world that others are in too.
        ``start`` is where the plan clock starts, and how fast; without one it shows device time.
        ``arrivals`` are the vehicles that come, by charge point.
        ``versions`` are those of OCPP that charge points speak; the others speak 1.6.
        ``quirks`` are the bad manners that charge points have from the beginning.
        ``adapters`` are those of others. Their devices are made by who brings them: they are in
        the link, or listen on a loop of the world (``world.loop()``).
        """
        self.world = World(seed) if isinstance(seed, int) else seed
        self._has_own_world = isinstance(seed, int)
        simulated = attrs.evolve(site, store_url=f"memory:{os.urandom(8).hex()}")
        if site.ocpp is not None:
            port = site.ocpp.port or self.world.network.free_port()
            simulated = attrs.evolve(simulated, ocpp=attrs.evolve(site.ocpp, port=port))
        self.witness = Witness(Codec(VOCABULARY))
        self.crash = Crash(self._die)
        self._simulated = simulated
        self._start = start or PlanStart()
        self._adapters = adapters
        self._snapshot_every = snapshot_every
        self._kept = open_store(simulated.store_url)
        self._engines = 0
        self._usurped: list[Running] = []
        self._runtime: SeededRuntime | None = None
        self._store: Store | None = None
        self._clocks = Clocks(self.world.time)
        self._device_loop = self.world.loop()
        around = (self.world, self._device_loop, self._passes, self.witness)
        made = Devices(simulated, *around, versions or {}, quirks or {})
        made.begin(arrivals or {}, lambda: from_us(self._clocks.now().plan_us))
        self.devices: Mapping[str, Device] = made.by_asset
        self.world.turns.add(self, lambda: self.witness.look(self._board))
        self.world.turns.look(self, self._tell_of_crash)
        super().__init__(self._opened())

    @classmethod
    def of(
        cls,
        file: str | os.PathLike[str],
        seed: int | World = 0,
        *,
        adapters: AdapterRegistry | None = None,
        **how: Any,  # noqa: ANN401 - as above
    ) -> Self:
        """Return the run of a site file."""
        site = read_site(Path(file), option_types(adapters))
        return cls(site, seed, adapters=adapters, **how)

    # --- engines

    def restart(self) -> None:
        """Open another engine; the one that runs is closed first, one that crashed is buried.

        Raises:
            Crashed: it came to a point at which it was to crash; it can be restarted again.
        """
        self.stop()
        self._engine = self._opened()

    def stop(self) -> bool:
        """Close the engine, or bury one that has crashed; the devices go on.

        Returns False if it crashed, before or while it was closing.
        """
        while self._usurped:
            with contextlib.suppress(Crashed):  # of the engine that took over
                self._usurped.pop().close(_CLOSE_S)
        if not self.crash.happened:
            with contextlib.suppress(Crashed):
                self._engine.close(_CLOSE_S)
        crashed = self.crash.happened
        if crashed:
            self._bury()
        self.crash.forget()
        return not crashed

    def close(self, timeout: float = _CLOSE_S) -> None:
        """Close the engine, and end the devices. Twice is once."""
        del timeout
        if not self._device_loop.loop.is_closed():
            self.stop()
            self._device_loop.stop()
            self._kept.close()
            if self._has_own_world:
                self.world.close()

    def usurp(self, asleep_s: float = 3.0) -> None:
        """Let another engine take the store over while this one is stopped, and then wake it.

        Charge points connect to the new one; batteries can be reached by both. The old one is left
        running until the run is stopped.
        """
        runtime, engine = self._runtime, self._engine
        if runtime is None:
            raise UsageError("no engine runs")
        asleep = [self.world.turns.suspend(one) for one in (runtime, runtime.loop)]
        self.world.network.leave(runtime.loop.loop)
        self._usurped.append(engine)
        self.crash = self.crash.hand_over(self._die)
        self._engine = self._opened()
        self.advance(asleep_s)
        runtime.loop.slept_s += asleep_s
        for wake in asleep:
            wake()

    def crash_at(self, point: Point, nth: int = 1) -> None:
        """Let the engine crash at the nth time that it comes to a point from now on.

        Raises:
            UsageError: there is no such point, or no such time.
        """
        self.crash.arm(point, nth)

    @property
    def plan_now(self) -> datetime:
        """Plan time, aware, in UTC."""
        return from_us(self._clocks.now().plan_us)

    @property
    def plan_clocks(self) -> Clocks:
        """Both clocks of the engine that runs, or ran last."""
        return self._clocks

    @property
    def site_state(self) -> SiteState:
        """What is known of the site as a whole."""
        return self._running.site_state

    @property
    def _running(self) -> Running:
        if self.crash.happened:
            raise EngineClosed("the engine has crashed; restart() opens another")
        return super()._running

    def _opened(self) -> Running:
        self._engines += 1
        ids = Ids(f"engine-{self._engines}")
        injected = (Clocks(self.world.time), self._runtime_of, ids, self._adapters)
        return Running.open(self._simulated, injected, self._start, self.witness.heard)

    def _board(self) -> Mapping[AssetId, AssetState]:
        running: Running | None = getattr(self, "_engine", None)
        return {} if running is None or self.crash.happened else running.assembly.board

    def _runtime_of(self, clocks: Clocks) -> SeededRuntime:
        seams = Seams(self._in_front, self._wrapped, snapshot_every=self._snapshot_every)
        self._clocks = clocks
        self._runtime = SeededRuntime.of(self.world, clocks, seams)
        return self._runtime

    def _in_front(self, store: Store) -> Store:
        self._store = store
        watched = _Watched(store, witness=self.witness)
        return StruckStore(watched, crash=self.crash, world=self.world)

    def _wrapped(self, link: Link) -> Link:
        is_foreign = not isinstance(link, ModbusLink | OcppLink)
        return CrashingLink(link, self.crash, is_foreign=is_foreign)

    def _tell_of_crash(self) -> None:
        """Let whoever lets time go on know of a crash."""
        self.crash.tell()

    def _passes(self, point: Point) -> None:
        """Come to a point outside of the engine."""
        self.crash.passes(point)

    def _die(self) -> None:
        """Have the engine end as a killed process does. Within one of its own turns."""
        if self._runtime is not None:
            self._runtime.die()

    def _bury(self) -> None:
        """Let go of what a crashed engine has left in this process."""
        if self._runtime is not None:
            self._runtime.bury()
        if self._store is not None:
            self._store.close()

    # --- time

    def advance(self, seconds: float) -> bool:
        """Let device time go on; return False if the engine crashed on the way."""
        return self._run_until(self.world.time.device_us + round(seconds * US_PER_S))

    def run_until(self, at: datetime | str) -> bool:
        """Let plan time go on to an aware time; return False if the engine crashed on the way.

        A plan clock that stands is given time to begin.

        Raises:
            UsageError: it stands still.
        """
        plan_us = to_us(datetime.fromisoformat(at) if isinstance(at, str) else at)
        if not self.wait_for(lambda: self._clocks.plan.mapping is not None, _STANDING_S):
            if self.crash.happened:
                return False
            raise UsageError("the plan clock stands: it begins to run with a schedule")
        return self._run_until(self._clocks.device_of_plan(plan_us) or 0)

    def wait_for(self, done: Callable[[], bool], timeout_s: float = 60.0) -> bool:
        """Let time go on until something is so, which is looked at twice a second.

        Returns False if it is not in time, or the engine has crashed.
        """
        for _ in range(round(timeout_s / _LOOK_S) + 1):
            if self.crash.happened:
                return False
            if done():
                return True
            self.advance(_LOOK_S)
        return False

    def _run_until(self, device_us: int) -> bool:
        try:
            self.world.turns.run_until(device_us)
        except Crashed:
            return False
        return True

    # --- devices

    def charger(self, asset_id: str) -> SimCharger:
        """Return the charge point of an asset."""
        device = self.devices[asset_id]
        if not isinstance(device, SimCharger):
            raise UsageError(f"{asset_id} is no charger")
        return device

    def battery(self, asset_id: str) -> SimBattery:
        """Return the battery of an asset."""
        device = self.devices[asset_id]
        if not isinstance(device, SimBattery):
            raise UsageError(f"{asset_id} is no battery")
        return device

    # --- what is promised

    def assert_promises(self) -> Counter[str]:
        """Hold the whole run against what is promised; return how much was looked at.

        The engine may run on; what it has not finished is judged as far as it is.

        Raises:
            AssertionError: it names each promise that was broken, and where.
        """
        judgement, witness = self.judged(), self.witness
        broken = [*judgement.violations, *witness.violations]
        broken += (str(one) for one in self.verified().problems)
        if broken:
            raise AssertionError("\n".join(broken))
        counts = judgement.counts + Counter({"states compared": witness.compared})
        return counts + Counter(
            {"notices": witness.told, "faults": len(self.world.faults.injected)}
        )

    def judged(self) -> Judgement:
        """Hold the log against what the devices saw."""
        chargers = {}
        batteries = {}
        for asset_id, device in self.devices.items():
            if isinstance(device, SimCharger):
                chargers[device.setup.identity] = device.wire_log.entries
            else:
                batteries[AssetId(asset_id)] = (device.wire_log.entries, heartbeats_of(device))
        struck = [one for one in self.world.faults.injected if one.kind in WIRE | LASTING]
        repeating = {AssetId(one) for one, own in self.devices.items() if is_repeated(own)}
        return judge(self.records(), chargers, batteries, struck, repeating)

    def rows(self) -> list[Row]:
        """Return the whole log as it is stored."""
        return list(self._kept.read_all())

    def copy_store(self, path: Path) -> None:
        """Copy the store to a file."""
        self._kept.backup(path, lambda *_: None)

    def records(self) -> list[Record]:
        """Return the whole log."""
        return list(Reader(self._kept, Codec(VOCABULARY)).records())

    def verified(self) -> Verification:
        """Return what is wrong with the store."""
        return Reader(self._kept, Codec(VOCABULARY)).verify()


@attrs.define
class _Watched(FaultyStore):
    """A store whose commits have a witness."""

    witness: Witness = attrs.field(kw_only=True)

    def append(self, rows: Sequence[Row]) -> Sequence[int]:
        """Store."""
        positions = super().append(rows)
        self.witness.committed(rows, positions)
        return positions


def is_repeated(device: SimCharger | SimBattery) -> bool:
    """Return whether a device is kept alive by its setpoint, written again and again."""
    keepalive = None if isinstance(device, SimCharger) else device.profile.keepalive
    return keepalive is not None and keepalive.role == "setpoint"


def heartbeats_of(battery: SimBattery) -> frozenset[int]:
    """Return the addresses of a battery's heartbeat registers: no control frames go there."""
    keepalive = battery.profile.keepalive
    if keepalive is None or keepalive.role == "setpoint":
        return frozenset()
    return frozenset({battery.profile.register(keepalive.role).address})
