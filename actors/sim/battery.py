"""A simulated battery behind a Modbus TCP server: registers, physics, and bad manners on demand.

The frames are pymodbus's; the server is our own, as it has to stay silent, lie and hang up by name,
and to write down each frame with its transaction id.
"""

import asyncio
import contextlib
import re
from collections.abc import Callable, Iterable
from typing import Final

from pymodbus.exceptions import ModbusIOException
from pymodbus.framer import FramerSocket
from pymodbus.pdu import DecodePDU, ExceptionResponse, ModbusPDU
from pymodbus.pdu.register_message import (
    ReadHoldingRegistersResponse,
    ReadInputRegistersResponse,
    WriteMultipleRegistersResponse,
    WriteSingleRegisterResponse,
)

from actors.clock import steady_s
from actors.sim.registers import Memory, Refused
from actors.sim.storage import Cells, Storage
from actors.sim.wirelog import Direction, WireLog
from engine.adapters.registers import RegisterProfile, Space
from engine.adapters.tables import nearest

QUIRKS: Final = (
    "silent",  # neither answers nor does anything
    "slow",  # does it and answers `slow_s` later
    "drop_connection",  # hangs up on every request
    "gateway_fault",  # answers everything like a gateway whose device is off
    "mute",  # does what is written and does not answer
    "ignore_write",  # answers and does nothing
    "clamp",  # takes half of what is written to a setpoint
    "wrong_echo",  # does it and answers with another value
    "wrong_transaction",  # answers under another transaction id
    "zero_transaction",  # answers under transaction id 0
    "wrong_function",  # answers with another function code
    "answer_twice",  # answers every write twice
    "faulted",  # reports FAULTED and does not move
    "unavailable",  # reports UNAVAILABLE and does not move
    "exception_N",  # refuses writes with exception code N
)
_EXCEPTION: Final = re.compile(r"exception_(\d{1,3})")
_READS: Final = frozenset({3, 4})
_WRITES: Final = frozenset({6, 16})
_ILLEGAL_FUNCTION: Final = 1
_NO_TARGET: Final = 11
_FAULT_BIT: Final = 0x80
_HEADER: Final = 7


class SimBattery:
    """One battery of a register profile. On one asyncio loop; `fail` and `heal` from any thread.

    Power follows the written setpoint and, where the profile has modes, only in the mode that was
    written for it. Without a keep-alive in the device's time-out, or when the timer has run out
    that was written with it, the setpoint falls back to 0 and the mode to the device's own.
    ``speed`` makes the physics run faster than real time; the time-out stays real.
    """

    def __init__(
        self,
        profile: RegisterProfile,
        unit: int = 1,
        *,
        cells: Cells | None = None,
        wire_log: WireLog | None = None,
        speed: float = 1.0,
    ) -> None:
        """Make a battery that nobody can reach yet."""
        self.profile = profile
        self.unit = unit
        self.name = profile.name
        self.wire_log = WireLog() if wire_log is None else wire_log
        self.now_s: Callable[[], float] = steady_s
        self.struck: Callable[[int], Iterable[str]] = lambda _: ()
        """Returns the quirks that it has for one request, by its function code."""
        self.slow_s = 2.0
        self.connections = 0
        self._speed = speed
        self._quirks: frozenset[str] = frozenset()
        self._memory = Memory(profile)
        self._storage = Storage(Cells() if cells is None else cells)
        self._seen_s: float | None = None
        self._alive_s = 0.0
        self._server: asyncio.Server | None = None
        self._writers: dict[asyncio.Task[None] | None, asyncio.StreamWriter] = {}
        self._happened = asyncio.Condition()

    # --- what a demo or a test does with it

    @property
    def quirks(self) -> frozenset[str]:
        """The bad manners it has now."""
        return self._quirks

    def fail(self, *quirks: str) -> None:
        """Take on bad manners, by name: one of `QUIRKS`.

        Raises:
            ValueError: there is none of this name; names the nearest.
        """
        for quirk in quirks:
            if quirk not in QUIRKS and _EXCEPTION.fullmatch(quirk) is None:
                raise ValueError(f"no quirk is called {quirk!r}{nearest(quirk, QUIRKS)}")
        self._quirks |= set(quirks)

    def heal(self, *quirks: str) -> None:
        """Give up these bad manners, without names all of them."""
        self._quirks = self._quirks - set(quirks) if quirks else frozenset()

    def soc_pct(self) -> float:
        """Return the state of charge now, in percent."""
        self._advance()
        return self._storage.soc_pct

    def power_w(self) -> float:
        """Return the power now, in watts, charging positive."""
        self._advance()
        return self._storage.power_w

    def setpoint_w(self) -> float:
        """Return the power that it was told to hold, in watts, charging positive."""
        self._advance()
        return self._memory.setpoint_w()

    def is_held(self) -> bool:
        """Return whether it holds somebody's setpoint, and not what it wants itself."""
        self._advance()
        return self._memory.is_held()

    def press(self, role: str, value: float) -> None:
        """Change a register at the device itself, as another controller would."""
        self._advance()
        self._memory.put(role, value)
        self._obey()

    async def until(self, condition: Callable[[], bool]) -> None:
        """Wait for a condition that a request, an answer or a connection may bring about."""
        async with self._happened:
            await self._happened.wait_for(condition)

    async def start(self, host: str = "127.0.0.1", port: int = 0) -> int:
        """Listen, and return the port; 0 takes any that is free."""
        self._seen_s = self._alive_s = self.now_s()
        self._server = await asyncio.start_server(self._serve, host, port)
        return int(self._server.sockets[0].getsockname()[1])

    async def stop(self) -> None:
        """Close all connections and listen no more; the registers stay for the next `start`."""
        server, self._server = self._server, None
        if server is None:
            return
        server.close()
        self.hang_up()
        serving = [task for task in self._writers if task is not None]
        for task in serving:
            task.cancel()
        await asyncio.gather(*serving)
        await server.wait_closed()

    def hang_up(self) -> None:
        """Close all connections, as a device that restarts does."""
        for writer in tuple(self._writers.values()):
            writer.transport.abort()

    # --- frames

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writers[asyncio.current_task()] = writer
        self.connections += 1
        # `stop` cancels; asyncio's streams complain of a handler that ends so.
        with contextlib.suppress(ConnectionError, asyncio.CancelledError):
            await self._notify()
            await self._frames(reader, writer)
        del self._writers[asyncio.current_task()]
        writer.close()

    async def _frames(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        framer = FramerSocket(DecodePDU(is_server=True))
        data = b""
        while received := await reader.read(4_096):
            data += received
            while data:
                try:
                    used, request = framer.handleFrame(data, 0, 0)
                except ModbusIOException:
                    writer.write(self._unknown(framer, data))
                    used, request = framer.decode(data)[0], None
                data = data[used:]
                if request is not None:
                    await self._answer(framer, request, writer)
                if not used:
                    break
            if len(data) > framer.MAX_SIZE:
                return

    def _unknown(self, framer: FramerSocket, data: bytes) -> bytes:
        """Refuse a function code that this device has not."""
        answer = ExceptionResponse(
            data[_HEADER],
            _ILLEGAL_FUNCTION,
            device_id=data[6],
            transaction=int.from_bytes(data[:2], "big"),
        )
        self._log("out", answer, {"unit": data[6], "exception": _ILLEGAL_FUNCTION})
        return framer.buildFrame(answer)

    async def _answer(
        self, framer: FramerSocket, request: ModbusPDU, writer: asyncio.StreamWriter
    ) -> None:
        self._log("in", request, _told(request))
        await self._notify()
        quirks = self._quirks | set(self.struck(request.function_code))
        if "drop_connection" in quirks:
            writer.transport.abort()
        elif request.dev_id == self.unit and "silent" not in quirks:
            if "slow" in quirks:
                await asyncio.sleep(self.slow_s)
            answer = self._handle(request, quirks)
            is_write = request.function_code in _WRITES
            if not (is_write and "mute" in quirks):
                for _ in range(2 if is_write and "answer_twice" in quirks else 1):
                    self._log("out", answer, _told(answer, request))
                    writer.write(framer.buildFrame(answer))
        await self._notify()

    async def _notify(self) -> None:
        async with self._happened:
            self._happened.notify_all()

    def _log(self, direction: Direction, pdu: ModbusPDU, payload: dict[str, object]) -> None:
        self.wire_log.write(
            self.name,
            "modbus",
            direction,
            message_id=pdu.transaction_id,
            action=pdu.function_code,
            payload=payload,
        )

    # --- requests

    def _handle(self, request: ModbusPDU, quirks: frozenset[str]) -> ModbusPDU:
        self._advance()
        try:
            answer = self._done(request, quirks)
        except Refused as refused:
            answer = ExceptionResponse(request.function_code, refused.code)
        answer.dev_id = request.dev_id
        answer.transaction_id = request.transaction_id
        return _spoilt(answer, quirks) if request.function_code in _WRITES else answer

    def _done(self, request: ModbusPDU, quirks: frozenset[str]) -> ModbusPDU:
        """Do what is asked, and return the answer of a device without bad manners.

        Raises:
            Refused: it cannot be done.
        """
        if "gateway_fault" in quirks:
            raise Refused(_NO_TARGET)
        if request.function_code in _READS:
            return self._read(request)
        if request.function_code in _WRITES:
            return self._write(request, quirks)
        raise Refused(_ILLEGAL_FUNCTION)

    def _read(self, request: ModbusPDU) -> ModbusPDU:
        space: Space = "holding" if request.function_code == 3 else "input"  # noqa: PLR2004 - function code
        words = self._memory.read(space, request.address, request.count)
        if space == "holding":
            return ReadHoldingRegistersResponse(registers=words)
        return ReadInputRegistersResponse(registers=words)

    def _write(self, request: ModbusPDU, quirks: frozenset[str]) -> ModbusPDU:
        for quirk in sorted(quirks):
            if code := _EXCEPTION.fullmatch(quirk):
                raise Refused(int(code[1]))
        words = list(request.registers)
        if "ignore_write" not in quirks:
            roles = self._memory.write(request.address, words, halve="clamp" in quirks)
            if self._memory.keeps_alive(roles):
                self._alive_s = self.now_s()
            self._obey()
        if request.function_code == 6:  # noqa: PLR2004 - function code
            return WriteSingleRegisterResponse(address=request.address, registers=words)
        return WriteMultipleRegistersResponse(address=request.address, count=len(words))

    # --- time

    def _advance(self) -> None:
        """Let the physics catch up, and the setpoint lapse where nothing kept it alive."""
        now_s = self.now_s()
        seen_s = now_s if self._seen_s is None else self._seen_s
        timeout_s = self._memory.timeout_s()
        if timeout_s is not None:
            lapses_s = self._alive_s + timeout_s
            if lapses_s <= now_s and self._memory.is_held():
                self._storage.advance(max(0.0, lapses_s - seen_s) * self._speed)
                seen_s = max(seen_s, lapses_s)
                self._memory.lapse()
        self._obey()
        self._storage.advance((now_s - seen_s) * self._speed)
        self._seen_s = now_s
        self._memory.show(self._state(), self._storage.power_w, self._storage.soc_pct)

    def _obey(self) -> None:
        stuck = self._quirks & {"faulted", "unavailable"}
        self._storage.target_w = 0.0 if stuck else self._memory.target_w()

    def _state(self) -> str:
        for quirk in ("faulted", "unavailable"):
            if quirk in self._quirks:
                return quirk.upper()
        power_w = self._storage.power_w
        if not power_w:
            return "IDLE"
        return "CHARGING" if power_w > 0 else "DISCHARGING"


def _told(pdu: ModbusPDU, request: ModbusPDU | None = None) -> dict[str, object]:
    """Return a frame for the wire log: unit, address, and values or count."""
    told: dict[str, object] = {"unit": pdu.dev_id, "address": (request or pdu).address}
    if pdu.function_code & _FAULT_BIT:
        return {**told, "exception": pdu.exception_code}
    if pdu.registers:
        return {**told, "values": list(pdu.registers)}
    return {**told, "count": pdu.count}


def _spoilt(answer: ModbusPDU, quirks: frozenset[str]) -> ModbusPDU:
    """Return the answer to a write with what the quirks make of it."""
    if "wrong_transaction" in quirks:
        answer.transaction_id = (answer.transaction_id + 1) % 65_536
    if "zero_transaction" in quirks:
        answer.transaction_id = 0
    if "wrong_function" in quirks:
        address, count = answer.address, len(answer.registers) or 1
        spoilt = WriteMultipleRegistersResponse(address=address, count=count)
        spoilt.dev_id, spoilt.transaction_id = answer.dev_id, answer.transaction_id
        return spoilt
    if "wrong_echo" in quirks:
        if answer.registers:
            answer.registers = [answer.registers[0] ^ 1]
        else:
            answer.count += 1
    return answer
