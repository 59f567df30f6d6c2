"""One connection of a simulated charge point: it boots, tells what there is, and answers."""

import asyncio
import contextlib
from collections.abc import Coroutine, Mapping
from typing import Any

from websockets.asyncio.client import ClientConnection
from websockets.exceptions import ConnectionClosed

from actors.sim.answers import answer
from actors.sim.ocppj import CallRefused, Exchange, Request
from actors.sim.outbox import Notice
from actors.sim.parts import Parts
from actors.sim.quirks import Quirk
from actors.sim.reply import Reply
from actors.sim.spoken import said


class Conversation:
    """What is said on one websocket. Loop thread only."""

    def __init__(self, parts: Parts, websocket: ClientConnection) -> None:
        """Use an open websocket."""
        self._parts = parts
        self._websocket = websocket
        self._exchange = Exchange(websocket, parts.write, self._take)
        self._later: set[asyncio.Task[None]] = set()

    async def run(self) -> None:
        """Listen and speak until the connection ends.

        Raises:
            ConnectionClosed: it ended while something was being said.
        """
        tasks = {asyncio.ensure_future(each) for each in (self._exchange.read(), self._speak())}
        try:
            done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                task.result()
        finally:
            tasks |= self._later
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    def cut(self) -> None:
        """End the connection without a closing handshake."""
        self._websocket.transport.abort()

    async def close(self) -> None:
        """End the connection with a closing handshake."""
        await self._websocket.close()

    def close_soon(self) -> None:
        """Begin to end the connection with a closing handshake."""
        self._begin(self.close())

    def _begin(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.ensure_future(work)
        self._later.add(task)
        task.add_done_callback(self._later.discard)

    # --- speaking

    async def _speak(self) -> None:
        """Boot if need be, then say one thing after the other; one CALL is out at a time."""
        parts = self._parts
        parts.outbox.drop_passing()
        if not parts.booted.is_set() or Quirk.BOOTS_ON_RECONNECT in parts.quirks:
            await self._boot()
            parts.outbox.drop_passing()
            parts.station.booted()
        elif Quirk.SAYS_NOTHING not in parts.quirks:
            parts.station.reconnected()
        if Quirk.REPLAYS in parts.quirks:
            parts.station.replay()
        while True:
            await self._deliver(await parts.outbox.head())

    async def _boot(self) -> None:
        """Say BootNotification until it is accepted."""
        parts = self._parts
        while True:
            wait_s = parts.setup.pace.boot_retry_s
            with contextlib.suppress(CallRefused, TimeoutError):
                conf = await self._call("BootNotification", parts.station.boot_notification())
                parts.accepted(conf)
                if parts.booted.is_set():
                    return
                wait_s = conf["interval"] or wait_s
            await asyncio.sleep(wait_s)

    async def _deliver(self, notice: Notice) -> None:
        """Say one thing; what belongs to a transaction is said again until it is answered [4.1]."""
        parts = self._parts
        try:
            conf = await self._call(notice.action, notice.payload)
            if notice.starts and Quirk.REPEATS_START in parts.quirks:
                conf = await self._call(notice.action, notice.payload)
        except TimeoutError:
            if not notice.keep:
                parts.outbox.done(notice)
        except CallRefused:
            self._refused(notice)
        else:
            parts.outbox.done(notice)
            notice.then(conf)
        parts.look()

    def _refused(self, notice: Notice) -> None:
        configuration = self._parts.station.cabinet.configuration
        notice.tries += 1
        wait_s = configuration.number("TransactionMessageRetryInterval") * notice.tries
        notice.not_before_s = asyncio.get_running_loop().time() + wait_s
        if not notice.keep or notice.tries >= configuration.number("TransactionMessageAttempts"):
            self._parts.outbox.done(notice)

    async def _call(self, action: str, payload: Mapping[str, object]) -> dict[str, Any]:
        unique_id = f"{self._parts.random.getrandbits(64):016x}"
        payload = said(action, payload, self._parts.quirks)
        return await self._exchange.call(unique_id, action, payload, self._parts.setup.pace.call_s)

    # --- answering

    async def _take(self, request: Request) -> None:
        """Answer a CALL, in the manner of the quirks and of those that it has for this message."""
        with self._parts.quirks.for_now(self._parts.struck(request.action)):
            await self._answer(request)

    async def _answer(self, request: Request) -> None:
        quirks, pace = self._parts.quirks, self._parts.setup.pace
        control = request.action in self._parts.version.control
        if control and Quirk.SILENT in quirks:
            return
        if Quirk.ONE_AT_A_TIME in quirks and self._later:
            self.cut()
            return
        try:
            reply = answer(self._parts.version, self._parts.station, request)
        except CallRefused as refusal:
            await self._exchange.refuse(request, refusal)
            return
        if control and (Quirk.UNANSWERED in quirks or Quirk.LATE_ANSWER in quirks):
            reply.then()
            if Quirk.LATE_ANSWER in quirks:
                self._begin(self._give_later(request, Reply(reply.payload), pace.late_s))
        elif Quirk.SLOW_ANSWERS in quirks or Quirk.ONE_AT_A_TIME in quirks:
            self._begin(self._give_later(request, reply, pace.slow_s))
        else:
            await self._give(request, reply)
        self._parts.look()

    async def _give_later(self, request: Request, reply: Reply, delay_s: float) -> None:
        await asyncio.sleep(delay_s)
        with contextlib.suppress(ConnectionClosed):
            await self._give(request, reply)

    async def _give(self, request: Request, reply: Reply) -> None:
        payload = dict(reply.payload)
        if Quirk.EXTRA_FIELD in self._parts.quirks:
            payload["vendorNote"] = "hello"
        await self._exchange.reply(request, payload)
        reply.then()
        self._parts.look()
