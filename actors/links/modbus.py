"""Modbus over TCP: one connection per host and port, and the adapter for batteries.

All of it runs on the loop thread. The only module that imports pymodbus for real devices: the
library does the transport and the codec, one write on the wire per request (``retries=0``); it
does not compare replies with requests, so every reply passes `exchange.reply_fault` first.
"""

import asyncio
import contextlib
import logging
from collections.abc import Callable, Mapping
from typing import Final

from pymodbus.client import AsyncModbusTcpClient
from pymodbus.exceptions import ModbusException
from pymodbus.pdu import ModbusPDU
from pymodbus.pdu.register_message import (
    ReadHoldingRegistersRequest,
    ReadInputRegistersRequest,
    WriteMultipleRegistersRequest,
    WriteSingleRegisterRequest,
)
from pymodbus.transport import CommParams, CommType

from actors.links.battery import ModbusLink
from actors.links.exchange import (
    ClosedUnheard,
    Guards,
    Hearer,
    Pending,
    Reply,
    Request,
    Timing,
    is_complete,
    reply_fault,
)
from actors.links.habits import ClosingHabit
from actors.tls import client_context
from engine.adapters.base import Link, Observation
from engine.adapters.modbus import ModbusOptions, ModbusSpelling, ModbusTls, options_of
from engine.adapters.registers import RegisterProfile
from engine.errors import NotSent

# Without any handler its warnings of each failed connect would end on stderr. Where a process sets
# up logging, it is that process that says what it wants to hear of them.
logging.getLogger("pymodbus.logging").addHandler(logging.NullHandler())

_CONNECT_S: Final = 5.0
_NEVER_S: Final = 86_400.0  # our own time-out ends the waiting, never the library's


class ModbusAdapter(ModbusSpelling):
    """The adapter of the site file's name ``modbus``: the spelling, and links that share hubs."""

    def __init__(self, profiles: Mapping[str, RegisterProfile], guards: Guards) -> None:
        """Take the register profiles by name, and what links ask before they send."""
        super().__init__(profiles)
        self._guards = guards
        self._hub = ModbusHub(guards)

    def link(self, options: object, report: Callable[[Observation], None]) -> Link:
        """Return the link of one battery; it shares its connection with others of its host."""
        own = options_of(options)
        return ModbusLink((self, own), self._hub.at(own), report, self._guards)


class ModbusHub:
    """The connections of all batteries, one per host and port."""

    def __init__(self, guards: Guards) -> None:
        """Begin without any."""
        self._guards = guards
        self._connections: dict[tuple[str, int], ModbusConnection] = {}

    def at(self, own: ModbusOptions) -> "ModbusConnection":
        """Return the connection to a host and port; it opens with its first hearer."""
        address = (own.host, own.port)
        connection = self._connections.get(address)
        if connection is None:
            connection = ModbusConnection(address, own.tls, self._guards)
            self._connections[address] = connection
        return connection


class _Client(AsyncModbusTcpClient):
    """The library's client with parameters of our own: that for TLS takes frames for whole ones."""

    def __init__(
        self,
        params: CommParams,
        hooks: tuple[Callable[[bool, bytes], bytes], Callable[[bool], None]],
    ) -> None:
        self.comm_params = params
        on_packet, on_connect = hooks
        super().__init__("", retries=0, trace_packet=on_packet, trace_connect=on_connect)


class ModbusConnection:
    """One TCP connection that makes itself anew, and the requests that go over it one by one.

    Whoever sends holds ``lock`` for as long as its frames belong together. A device may close it
    once it has answered: then it rests, which is no loss, until something is to be sent. To one
    that does so by habit nothing is written over a connection that it may be about to close.
    """

    def __init__(self, address: tuple[str, int], tls: ModbusTls | None, guards: Guards) -> None:
        """Begin closed; ``tls`` null is in the clear."""
        self.lock = asyncio.Lock()
        self.generation = 0
        self._address = address
        self._tls = tls
        how = "" if tls is None else " over TLS"
        self._unreachable = f"cannot connect to {address[0]}:{address[1]}{how}"
        self._guards = guards
        self._hearers: list[Hearer] = []
        self._client: AsyncModbusTcpClient | None = None
        self._pending: Pending | None = None
        self._task: asyncio.Task[None] | None = None
        self._looking: asyncio.Task[None] | None = None
        self._lost = asyncio.Event()
        self._gone = asyncio.Event()
        self._reason = ""
        self._answered = False
        self._habit = ClosingHabit()
        self._rests = False
        self._free_at = 0.0

    @property
    def is_up(self) -> bool:
        """Whether there is a connection now, or will be once something is to be sent."""
        return self._client is not None or self._rests

    def join(self, hearer: Hearer) -> None:
        """Tell ``hearer`` how the connection is; the first one opens it."""
        self._hearers.append(hearer)
        if self._task is None:
            self._task = asyncio.create_task(self._run(), name=f"modbus {self._address[0]}")
        elif self.is_up:
            hearer.up()

    async def leave(self, hearer: Hearer) -> None:
        """Tell ``hearer`` nothing more; the last one closes the connection."""
        self._hearers.remove(hearer)
        if self._hearers or self._task is None:
            return
        tasks = [one for one in (self._task, self._looking) if one is not None]
        self._task = self._looking = None
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        self.drop("closed")

    def drop(self, reason: str) -> None:
        """Close the connection, so that no late reply is taken for a later one; it comes back."""
        if self.is_up:
            self._let_go()
            self._went(reason, dropped=True)

    def _let_go(self) -> None:
        client, self._client, self._rests = self._client, None, False
        self._gone.set()
        if client is not None:
            client.close()

    # --- one request

    async def exchange(self, request: Request, timing: Timing, *, control: bool) -> Reply:
        """Send one request, once, and return its reply. The caller holds the lock.

        Raises:
            NotSent: no byte left: no connection, too late, or not allowed any more.
            OutcomeUnknown: no reply, or none that fits; the connection is made anew.
        """
        end_s = max(_now(), self._free_at) + timing.timeout_s
        if self._answered and not control:
            pending = Pending(timing, end_s, control, is_repeatable=True)
            with contextlib.suppress(ClosedUnheard):
                return await self._once(request, pending)
        return await self._once(request, Pending(timing, end_s, control, is_repeatable=False))

    async def _once(self, request: Request, pending: Pending) -> Reply:
        if self._free_at > _now():
            await asyncio.sleep(self._free_at - _now())
        if pending.control and self._habit.ends_by_s > _now():
            await self._outwait_closing()
        client = self._client or await self._made_again(pending.end_s)
        self._pending = pending
        try:
            return await self._reply(client, request, pending)
        except BaseException as error:
            if pending.sent is not None and not isinstance(error, ClosedUnheard):
                self.drop(str(error) or "interrupted")
            raise
        finally:
            self._pending = None
            if pending.sent is not None:
                self._free_at = _now() + pending.timing.gap_s

    async def _reply(
        self, client: AsyncModbusTcpClient, request: Request, pending: Pending
    ) -> Reply:
        timeout_s = pending.timing.timeout_s
        try:
            async with asyncio.timeout_at(pending.end_s) as pending.waiting:
                pdu = await _execute(client, _pdu(request))
        except TimeoutError:
            raise pending.error(f"no answer in {timeout_s:g} s", "timed_out") from None
        except ModbusException as error:
            raise pending.error(str(error), "unknown") from error
        if pending.failure is not None:
            raise pending.failure
        raw = pending.raw or ""
        if pdu.isError():
            return Reply(raw, exception=pdu.exception_code)
        return Reply(raw, tuple(pdu.registers) if request.count else ())

    def _on_packet(self, sending: bool, data: bytes) -> bytes:  # noqa: FBT001 - pymodbus calls it so
        """Look at the bytes before they leave and before the library takes them in."""
        pending = self._pending
        if sending:
            self._check_leave(pending)
        if pending is None:
            self.drop("an answer that nobody waits for")
            return b""
        if sending:
            pending.sent = data
            return data
        if pending.answered:  # a second answer is not what is on record as the first
            return b""
        pending.raw = data.hex()
        fault = reply_fault(pending.sent or b"", data)
        if fault is None:
            if is_complete(data):
                pending.answered = self._answered = True
                self._habit.answered(_now())
            return data
        pending.fail(fault, "unknown")
        return b""

    def _check_leave(self, pending: Pending | None) -> None:
        """Refuse a first byte that is too late or that another engine forbids."""
        if pending is None:
            raise NotSent("nobody waits for the answer any more")
        begin_by_us = pending.timing.begin_by_us
        if begin_by_us is not None and self._guards.device_us() > begin_by_us:
            raise NotSent("the send window had passed")
        if pending.control and not self._guards.may_send():
            raise NotSent("sending is not allowed now")

    # --- the connection itself

    async def _run(self) -> None:
        first_s, longest_s = self._guards.pauses_s
        pause_s = first_s
        while True:
            self._lost.clear()
            self._answered = False
            if await self._connect():
                self.generation += 1
                for hearer in tuple(self._hearers):
                    hearer.up()
            else:
                self._went(self._unreachable, dropped=False)
            await self._lost.wait()
            pause_s = first_s if self._answered else pause_s
            await asyncio.sleep(pause_s)
            pause_s = min(2 * pause_s, longest_s)

    async def _connect(self) -> bool:
        """Connect; return whether there is a connection."""
        client = None
        try:
            client = self._new_client()
            connected = await client.connect()
        except (OSError, UnicodeError):
            connected = False
        _heed_cancellation()
        if client is None or not connected:
            return False
        client.ctx.comm_params.timeout_connect = _NEVER_S
        self._client = client
        self._rests = False
        self._gone.clear()
        self._habit.opened()
        return True

    async def _made_again(self, end_s: float) -> AsyncModbusTcpClient:
        """Return a new connection in place of one that rests.

        Who closes by habit may take none for a moment.

        Raises:
            NotSent: there is none by ``end_s``.
        """
        pause_s, _ = self._guards.pauses_s
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout_at(min(end_s, _now() + _CONNECT_S)):
                while self._rests and not await self._connect() and self._habit.is_brief:  # noqa: ASYNC110 - nobody tells when
                    await asyncio.sleep(pause_s)
        if self._rests:
            self._rests = False
            self._went(self._unreachable, dropped=False)
        if self._client is None:
            raise NotSent(f"not connected: {self._reason or 'connecting'}")
        return self._client

    async def _outwait_closing(self) -> None:
        """Wait while the device may be about to close. It may have room for no other connection."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout_at(self._habit.ends_by_s):
                await self._gone.wait()

    async def _look(self) -> None:
        """Connect soon to a device that has closed: if it is not there any more that is told."""
        async with self.lock:
            await asyncio.sleep(max(0.0, self._free_at - _now()))
            if self._rests:
                with contextlib.suppress(NotSent):
                    await self._made_again(_now() + _CONNECT_S)

    def _new_client(self) -> AsyncModbusTcpClient:
        """Return a client; files of TLS are read anew, as a certificate may have been renewed.

        Raises:
            OSError: one of them cannot be used.
        """
        host, port = self._address
        tls = self._tls
        context = None if tls is None else client_context(tls.ca, tls.cert, tls.key, tls.name)
        return _Client(
            CommParams(
                comm_type=CommType.TCP if context is None else CommType.TLS,
                host=host,
                port=port,
                sslctx=context,
                reconnect_delay=0,
                timeout_connect=_CONNECT_S,
            ),
            (self._on_packet, self._on_connect),
        )

    def _on_connect(self, up: bool) -> None:  # noqa: FBT001 - pymodbus calls it so
        """Hear that the device closed the connection; after an answer that may be its way.

        Our own closing is not told here.
        """
        if up:
            return
        pending, self._client = self._pending, None
        self._gone.set()
        self._habit.closed(_now())
        is_waiting = pending is not None and not pending.answered
        is_looking = self._looking is not None and not self._looking.done()
        self._rests = self._answered and (self._habit.is_brief or self.lock.locked())
        if pending is not None and is_waiting:
            self._rests = pending.is_repeatable
            pending.closed("the connection was closed")
        if not self._rests:
            self._went("the connection was closed", dropped=False)
        elif self._habit.answers and not is_waiting and not is_looking:
            self._looking = asyncio.ensure_future(self._look())

    def _went(self, reason: str, *, dropped: bool) -> None:
        self._reason = reason
        self._lost.set()
        for hearer in tuple(self._hearers):
            hearer.down(reason, dropped=dropped)


async def _execute(client: AsyncModbusTcpClient, pdu: ModbusPDU) -> ModbusPDU:
    try:
        reply: ModbusPDU = await client.execute(False, pdu)  # noqa: FBT003 - pymodbus has it so
    finally:
        _heed_cancellation()
    return reply


def _heed_cancellation() -> None:
    """Be cancelled also where `asyncio.wait_for` of Python 3.11 has forgotten it over a reply."""
    task = asyncio.current_task()
    if task is not None and task.cancelling():
        raise asyncio.CancelledError


def _now() -> float:
    return asyncio.get_running_loop().time()


def _pdu(request: Request) -> ModbusPDU:
    unit, address = request.unit, request.address
    match request.function:
        case 3:
            return ReadHoldingRegistersRequest(unit, address=address, count=request.count)
        case 4:
            return ReadInputRegistersRequest(unit, address=address, count=request.count)
        case 6:
            return WriteSingleRegisterRequest(unit, address=address, registers=request.words)
        case _:
            return WriteMultipleRegistersRequest(unit, address=address, registers=request.words)
