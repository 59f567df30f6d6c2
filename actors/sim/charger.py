"""A simulated OCPP-J charge point: a real websocket, real messages, vehicles that come and go.

It frames its messages itself, so that it can also misbehave.
"""

import asyncio
import base64
import contextlib
import random
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime, timedelta
from typing import Any

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import WebSocketException
from websockets.typing import Subprotocol

from actors.sim.cabinet import Cabinet
from actors.sim.configuration import Configuration
from actors.sim.connector import Connector
from actors.sim.conversation import Conversation
from actors.sim.habits import as_they_come
from actors.sim.outbox import Outbox
from actors.sim.parts import Parts
from actors.sim.quirks import Quirk, Quirks
from actors.sim.setup import ChargerSetup, Pace
from actors.sim.vehicle import Vehicle
from actors.sim.versions import VERSIONS
from actors.sim.wirelog import WireLog

__all__ = ["ChargerSetup", "Pace", "SimCharger"]


class SimCharger:
    """One charge point; `run` connects and goes on until `stop`. Loop thread only.

    ``connected`` is set while there is a websocket, ``booted`` from an accepted BootNotification
    to the next restart.
    """

    def __init__(self, setup: ChargerSetup, log: WireLog | None = None) -> None:
        """Make a charge point that is not connected.

        Raises:
            UsageError: there is no quirk of a name.
        """
        self.setup = setup
        self.wire_log = log or WireLog()
        self.quirks = Quirks(setup.quirks)
        self.struck: Callable[[str], Iterable[str]] = lambda _: ()
        """Returns the quirks that it has for one message that it gets, by the message's action."""
        self.connected = asyncio.Event()
        self.booted = asyncio.Event()
        outbox = Outbox()
        version = VERSIONS[setup.version]
        cabinet = _cabinet(setup, self.quirks, outbox, self._is_online)
        self.station = version.station(cabinet, setup.connectors, self._reset, self._accepted)
        self._parts = Parts(
            setup=setup,
            version=version,
            log=self.wire_log,
            quirks=self.quirks,
            outbox=outbox,
            station=self.station,
            random=random.Random(f"{setup.seed} {setup.identity}"),
            booted=self.booted,
            accepted=self._accepted,
            look=self._look,
            struck=self._struck,
        )
        self._conversation: Conversation | None = None
        self._reachable = asyncio.Event()
        if Quirk.OFFLINE not in self.quirks:
            self._reachable.set()
        self._stopping = asyncio.Event()
        self._ended = asyncio.Event()
        self._ended.set()
        self._watchers: list[tuple[Callable[[], bool], asyncio.Future[None]]] = []

    # --- what tests and scenarios do with it

    @property
    def connectors(self) -> Mapping[int, Connector]:
        """The connectors by number, from 1 on."""
        return self.station.connectors

    def connector(self, number: int) -> Connector:
        """Return a connector."""
        return self.station.connectors[number]

    def plug_in(self, number: int, vehicle: Vehicle | None = None) -> None:
        """Plug a vehicle in.

        Raises:
            UsageError: another one is plugged in.
        """
        self.connector(number).attach(vehicle or Vehicle())

    def unplug(self, number: int) -> None:
        """Take the vehicle away."""
        self.connector(number).detach()

    def fail(self, quirk: str) -> None:
        """Begin to misbehave.

        Raises:
            UsageError: no quirk has this name.
        """
        if self.quirks.add(quirk) is Quirk.OFFLINE:
            self._reachable.clear()
            self._cut()

    def heal(self, quirk: str) -> None:
        """Behave again.

        Raises:
            UsageError: no quirk has this name.
        """
        if self.quirks.discard(quirk) is Quirk.OFFLINE:
            self._reachable.set()

    async def reboot(self) -> None:
        """Lose power for a moment; return when the connection is gone. Then await ``booted``.

        Transactions end, and StopTransaction is said after the boot; with the quirk
        ``resumes_transaction`` they go on.
        """
        self.booted.clear()
        self.station.restart("Reboot")
        self._cut()
        await self.until(lambda: self._conversation is None)

    async def drop(self) -> None:
        """Lose the connection without a word; it is made anew."""
        self._cut()
        await self.until(lambda: self._conversation is None)

    async def until(self, true: Callable[[], bool]) -> None:
        """Wait until something is true of this charge point."""
        if not true():
            waiting: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            self._watchers.append((true, waiting))
            await waiting

    def _look(self) -> None:
        for watcher in tuple(self._watchers):
            true, waiting = watcher
            if waiting.done() or true():
                self._watchers.remove(watcher)
                if not waiting.done():
                    waiting.set_result(None)

    def _struck(self, action: str) -> Iterable[str]:
        return self.struck(action)

    def _is_online(self) -> bool:
        return self.connected.is_set() and self.booted.is_set()

    def _reset(self, reason: str) -> None:
        self.booted.clear()
        self.station.restart(reason)
        if self._conversation is not None:
            self._conversation.close_soon()

    def _cut(self) -> None:
        if self._conversation is not None:
            self._conversation.cut()

    def _accepted(self, conf: Mapping[str, Any]) -> None:
        """Note the answer to a BootNotification; any but Accepted lets it be said again."""
        if conf["status"] == "Accepted":
            self.station.cabinet.configuration.note("HeartbeatInterval", str(conf["interval"]))
            self.booted.set()
            self._look()

    # --- life

    async def run(self) -> None:
        """Connect, boot, and go on, reconnecting by itself, until stopped."""
        self._ended.clear()
        try:
            async with asyncio.TaskGroup() as group:
                tasks = [group.create_task(self._live()), group.create_task(self._keep_calling())]
                await self._stopping.wait()
                if self._conversation is not None:
                    await self._conversation.close()
                for task in tasks:
                    task.cancel()
        finally:
            self._ended.set()

    async def stop(self) -> None:
        """Disconnect for good, and return when `run` has ended."""
        self._stopping.set()
        await self._ended.wait()

    async def _live(self) -> None:
        """Let time pass: vehicles come, charge and go; the meter is read, the heart beats."""
        loop = asyncio.get_running_loop()
        plan_now = self.setup.plan_now or _scaled(self.setup, loop)
        last = plan_now()
        self.station.begin(as_they_come(self.setup.arrivals, self.quirks), last)
        read_s = beat_s = loop.time()
        while True:
            now = plan_now()
            self.station.advance(max(0.0, (now - last).total_seconds()), now)
            last = now
            if self._is_time("MeterValueSampleInterval", read_s):
                read_s = loop.time()
                self.station.sample(None, "Sample.Periodic")
            if not self._is_online():
                beat_s = loop.time()
            elif self._is_time("HeartbeatInterval", beat_s):
                beat_s = loop.time()
                self.station.beat()
            self._look()
            await asyncio.sleep(self.setup.pace.tick_s)

    def _is_time(self, key: str, last_s: float) -> bool:
        """Tell whether a configured interval has passed since; 0 is never."""
        interval_s = self.station.cabinet.configuration.number(key)
        return 0 < interval_s <= asyncio.get_running_loop().time() - last_s

    async def _keep_calling(self) -> None:
        """Connect again and again, waiting longer each time that it does not come to that."""
        pace = self.setup.pace
        pause_s = pace.reconnect_s
        while True:
            await self._reachable.wait()
            with contextlib.suppress(OSError, TimeoutError, WebSocketException):
                async with _connection(self.setup) as websocket:
                    pause_s = pace.reconnect_s
                    if Quirk.TWO_SOCKETS in self.quirks:
                        await self._converse_twice(websocket)
                    else:
                        await self._converse(websocket)
            least_s = 0.0 if self.booted.is_set() else pace.reboot_s
            jittered_s = pause_s * self._parts.random.uniform(0.5, 1.0)
            await asyncio.sleep(max(least_s, jittered_s))
            pause_s = min(2 * pause_s, pace.reconnect_most_s)

    async def _converse_twice(self, first: ClientConnection) -> None:
        """Open a second socket beside the first, which is closed when the second is in use."""
        pause_s = self.setup.pace.slow_s
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(pause_s):
                await self._converse(first)
        async with _connection(self.setup) as second:
            closing = asyncio.ensure_future(_close_later(first, pause_s))
            try:
                await self._converse(second)
            finally:
                closing.cancel()

    async def _converse(self, websocket: ClientConnection) -> None:
        self._conversation = Conversation(self._parts, websocket)
        self.connected.set()
        try:
            if self._reachable.is_set():
                await self._conversation.run()
        finally:
            self._conversation = None
            self.connected.clear()
            self._look()


def _cabinet(
    setup: ChargerSetup, quirks: Quirks, outbox: Outbox, is_online: Callable[[], bool]
) -> Cabinet:
    given = {
        "NumberOfConnectors": str(setup.connectors),
        "MeterValueSampleInterval": f"{setup.meter_s:g}",
        **setup.configuration,
    }
    return Cabinet(
        setup.identity,
        setup.now,
        outbox,
        is_online,
        quirks,
        Configuration(VERSIONS[setup.version].keys, quirks, given),
        max_w=setup.max_kw * 1_000,
        starts_itself=setup.start == "charger",
    )


def _scaled(setup: ChargerSetup, loop: asyncio.AbstractEventLoop) -> Callable[[], datetime]:
    """Return a clock that begins at the real time of now and runs ``speed`` times as fast."""
    began_s, began = loop.time(), setup.now()
    return lambda: began + timedelta(seconds=(loop.time() - began_s) * setup.speed)


async def _close_later(websocket: ClientConnection, pause_s: float) -> None:
    await asyncio.sleep(pause_s)
    await websocket.close()


def _connection(setup: ChargerSetup) -> connect:
    """Return a connection to be entered: OCPP-J, with Basic auth where there is a password."""
    headers = {}
    if setup.password is not None:
        token = base64.b64encode(f"{setup.identity}:{setup.password}".encode()).decode()
        headers["Authorization"] = f"Basic {token}"
    return connect(
        f"{setup.url.rstrip('/')}/{setup.identity}",
        subprotocols=[Subprotocol(VERSIONS[setup.version].protocol)],
        additional_headers=headers,
        compression=None,
        close_timeout=1.0,
        proxy=None,
        ssl=setup.tls,
    )
