"""A simulated OCPP 1.6-J charge point: a real websocket, real messages, vehicles that come and go.

It frames its messages itself, so that it can also misbehave.
"""

import asyncio
import base64
import contextlib
import json
import random
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any, Final

import attrs
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import InvalidHandshake, WebSocketException
from websockets.typing import Subprotocol

from actors.sim.answers import answer
from actors.sim.connector import Arrival, Connector
from actors.sim.limits import Limits
from actors.sim.quirks import QUIRKS
from actors.sim.wirelog import Direction, WireLog

_TICK_S: Final = 0.05
_ANSWER_S: Final = 30.0


@attrs.frozen
class ChargerSetup:
    """What a simulated charge point is.

    ``now`` is wall time; ``speed`` scales what its vehicles do, never the protocol. ``quirks`` are
    names of `QUIRKS`.
    """

    identity: str
    url: str
    now: Callable[[], datetime]
    connectors: int = 1
    password: str | None = None
    speed: float = 1.0
    seed: int = 0
    quirks: frozenset[str] = frozenset()
    arrivals: tuple[Arrival, ...] = ()
    meter_s: float = 10.0


class SimCharger:
    """One charge point; `run` connects and goes on until `stop`."""

    def __init__(self, setup: ChargerSetup, log: WireLog | None = None) -> None:
        """Make a charge point that is not connected.

        Raises:
            ValueError: a quirk has no such name.
        """
        unknown = setup.quirks - QUIRKS.keys()
        if unknown:
            raise ValueError(f"no quirk is called {', '.join(sorted(unknown))}")
        self.setup = setup
        self.log = log or WireLog()
        self.limits = Limits()
        self.quirks = set(setup.quirks)
        self.connectors = {
            number: Connector(number, self) for number in range(1, setup.connectors + 1)
        }
        self.configuration = {
            "ChargingScheduleAllowedChargingRateUnit": "Current,Power",
            "ChargeProfileMaxStackLevel": "10",
            "ChargingScheduleMaxPeriods": "10",
            "NumberOfConnectors": str(setup.connectors),
            "HeartbeatInterval": "30",
            "MeterValueSampleInterval": str(round(setup.meter_s)),
        }
        self.booted = asyncio.Event()
        self.available = True
        self._random = random.Random(setup.seed)
        self._socket: ClientConnection | None = None
        self._waiting: dict[str, asyncio.Future[Any]] = {}
        self._ids = 0
        self._stopping = asyncio.Event()
        self._arrivals: Sequence[Arrival] = sorted(setup.arrivals, key=lambda one: one.at_s)
        self._elapsed_s = 0.0
        self._tasks: set[asyncio.Task[Any]] = set()

    # --- life

    async def run(self) -> None:
        """Connect, boot, and go on, reconnecting by itself, until stopped."""
        self.spawn(self._pass_time())
        pause_s = 0.1
        while not self._stopping.is_set():
            try:
                await self._converse()
                pause_s = 0.1
            except (OSError, InvalidHandshake, WebSocketException, TimeoutError):
                pause_s = min(2 * pause_s, 5.0)
            self.booted.clear()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._stopping.wait(), pause_s)
        for task in tuple(self._tasks):
            task.cancel()

    async def stop(self) -> None:
        """Disconnect for good."""
        self._stopping.set()
        await self.drop()

    async def drop(self) -> None:
        """Let the connection go; it is made anew."""
        if self._socket is not None:
            await self._socket.close()

    async def reboot(self) -> None:
        """Start again: transactions are over, and with ``forgets_limit`` the profiles too."""
        if "forgets_limit" in self.quirks:
            self.limits.forget()
        await self.drop()

    def fail(self, quirk: str) -> None:
        """Begin to misbehave.

        Raises:
            ValueError: no quirk has this name.
        """
        if quirk not in QUIRKS:
            raise ValueError(f"no quirk is called {quirk}")
        self.quirks.add(quirk)

    def heal(self, quirk: str) -> None:
        """Behave again."""
        self.quirks.discard(quirk)

    def spawn(self, work: Any) -> None:  # noqa: ANN401 - a coroutine
        """Run something beside the conversation."""
        task = asyncio.ensure_future(work)
        self._tasks.add(task)
        task.add_done_callback(self._done)

    def _done(self, task: asyncio.Task[Any]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and isinstance(task.exception(), ConnectionError | TimeoutError):
            return  # the connection went while something was said; it is said again after it
        if not task.cancelled() and task.exception() is not None:
            raise RuntimeError(f"{self.setup.identity} failed") from task.exception()

    async def _converse(self) -> None:
        setup = self.setup
        headers = {}
        if setup.password is not None:
            token = base64.b64encode(f"{setup.identity}:{setup.password}".encode()).decode()
            headers["Authorization"] = f"Basic {token}"
        async with connect(
            f"{setup.url.rstrip('/')}/{setup.identity}",
            subprotocols=[Subprotocol("ocpp1.6")],
            additional_headers=headers,
            compression=None,
        ) as socket:
            self._socket = socket
            try:
                self.spawn(self._boot())
                async for text in socket:
                    self._heard(str(text))
            finally:
                self._socket = None
                for waiting in self._waiting.values():
                    if not waiting.done():
                        waiting.set_exception(ConnectionError("the socket closed"))
                self._waiting.clear()

    async def _boot(self) -> None:
        boot = {"chargePointVendor": "Setpoint", "chargePointModel": "Simulated"}
        while True:
            conf = await self.call("BootNotification", boot)
            if conf.get("status") == "Accepted":
                break
            await asyncio.sleep(max(1, conf.get("interval", 1)))
        if "no_status_after_boot" not in self.quirks:
            await self.call("StatusNotification", self.status(0))
            for connector in self.connectors.values():
                await self.call("StatusNotification", self.status(connector.number))
        self.booted.set()
        self.spawn(self._beat(float(conf.get("interval", 30))))

    async def _beat(self, interval_s: float) -> None:
        socket = self._socket
        while socket is not None and self._socket is socket:
            await asyncio.sleep(interval_s)
            if self._socket is socket:
                await self.call("Heartbeat", {})

    # --- messages

    def status(self, connector: int) -> dict[str, Any]:
        """Return a StatusNotification's payload."""
        state = "Available" if connector == 0 else self.connectors[connector].status
        if connector == 0 and not self.available:
            state = "Unavailable"
        return {
            "connectorId": connector,
            "errorCode": "NoError",
            "status": state,
            "timestamp": self.timestamp(),
        }

    def timestamp(self) -> str:
        """Return the time as messages carry it."""
        return self.setup.now().strftime("%Y-%m-%dT%H:%M:%S.%fZ")

    async def call(self, action: str, payload: dict[str, Any]) -> dict[str, Any]:
        """Send a CALL and return its result.

        Raises:
            ConnectionError: there is no connection, or it went.
            TimeoutError: no answer came.
        """
        self._ids += 1
        own_id = f"{self.setup.identity}-{self._random.randrange(10**9)}-{self._ids}"
        waiting: asyncio.Future[dict[str, Any]] = asyncio.get_running_loop().create_future()
        self._waiting[own_id] = waiting
        await self._send([2, own_id, action, payload], own_id, action, payload)
        try:
            return await asyncio.wait_for(waiting, _ANSWER_S)
        finally:
            self._waiting.pop(own_id, None)

    async def _send(
        self, frame: list[Any], own_id: str, action: str | None, payload: object
    ) -> None:
        socket = self._socket
        if socket is None:
            raise ConnectionError("not connected")
        self._write("out", own_id, action, payload)
        try:
            await socket.send(json.dumps(frame))
        except WebSocketException as error:
            raise ConnectionError("the socket closed") from error

    def _write(
        self, direction: Direction, own_id: str, action: str | None, payload: object
    ) -> None:
        self.log.write(
            self.setup.identity,
            "ocpp1.6",
            direction,
            message_id=own_id,
            action=action,
            payload=payload,
        )

    def _heard(self, text: str) -> None:
        frame = json.loads(text)
        kind, own_id = frame[0], frame[1]
        if kind == 2:  # noqa: PLR2004 - CALL
            self._write("in", own_id, frame[2], frame[3])
            self.spawn(self._answer(own_id, frame[2], frame[3]))
            return
        self._write("in", own_id, None, frame[2])
        waiting = self._waiting.get(own_id)
        if waiting is not None and not waiting.done():
            result = frame[2] if kind == 3 and isinstance(frame[2], dict) else {}  # noqa: PLR2004 - CALLRESULT
            waiting.set_result(result)

    async def _answer(self, own_id: str, action: str, payload: dict[str, Any]) -> None:
        given = answer(self, action, payload)
        delay_s = QUIRKS["slow_answers"].delay_s if "slow_answers" in self.quirks else 0.0
        if delay_s and given.control:
            await asyncio.sleep(delay_s)
        if given.control and "silent" in self.quirks:
            return
        if given.error is not None:
            frame: list[Any] = [4, own_id, given.error, "", {}]
        else:
            frame = [3, own_id, given.payload]
        await self._send(frame, own_id, action, given.payload)
        if given.after is not None:
            await given.after()

    # --- time

    async def _pass_time(self) -> None:
        loop = asyncio.get_running_loop()
        last_s = loop.time()
        while not self._stopping.is_set():
            await asyncio.sleep(_TICK_S)
            now_s = loop.time()
            seconds = (now_s - last_s) * self.setup.speed
            last_s = now_s
            self._elapsed_s += seconds
            while self._arrivals and self._arrivals[0].at_s <= self._elapsed_s:
                arrival, self._arrivals = self._arrivals[0], self._arrivals[1:]
                self.spawn(self.connectors[arrival.connector].plug_in(arrival))
            for connector in self.connectors.values():
                await connector.advance(seconds, self._elapsed_s)
