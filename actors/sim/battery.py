"""A simulated battery behind a Modbus TCP server: registers, physics, and bad manners on demand.

The frames are pymodbus's; the server is our own, as it has to stay silent, lie and hang up by name,
and to write down each frame with its transaction id.
"""

import asyncio
import contextlib
import ssl
from collections.abc import Callable, Iterable, Mapping
from typing import Final

import attrs
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
from actors.sim.battery_quirks import known_quirk, refusal
from actors.sim.registers import Memory, Refused
from actors.sim.spoiling import spoilt_answer, spoilt_words
from actors.sim.storage import Cells, Storage
from actors.sim.wirelog import Direction, WireLog
from engine.adapters.registers import RegisterProfile, Space

_READS: Final = frozenset({3, 4})
_WRITES: Final = frozenset({6, 16})
_ILLEGAL_FUNCTION: Final = 1
_NO_TARGET: Final = 11
_BUSY: Final = 6
_FAULT_BIT: Final = 0x80
_HEADER: Final = 7
_STEADY_REQUESTS: Final = 10
_FORGETS_S: Final = 60.0
_WORN_S: Final = 10.0
_MEDDLES_S: Final = 10.0
_MEDDLED_W: Final = 1_000.0
_ONE_FUNCTION: Final = {"fc6_only": 16, "fc16_only": 6}
"""The function code that a battery with the quirk does not know."""


@attrs.define(eq=False)
class _Line:
    """One connection, and how many requests have come over it."""

    writer: asyncio.StreamWriter
    framer: FramerSocket = attrs.field(factory=lambda: FramerSocket(DecodePDU(is_server=True)))
    requests: int = 0

    def send(self, answer: ModbusPDU) -> None:
        """Write an answer."""
        self.writer.write(self.framer.buildFrame(answer))


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
        self.late_s = 35.0
        self.connections = 0
        self._speed = speed
        self._quirks: frozenset[str] = frozenset()
        self._memory = Memory(profile)
        self._storage = Storage(Cells() if cells is None else cells)
        self._seen_s: float | None = None
        self._alive_s = 0.0
        self._set_s: float | None = None
        self._is_ours = False
        self._server: asyncio.Server | None = None
        self._writers: dict[asyncio.Task[None] | None, asyncio.StreamWriter] = {}
        self._happened = asyncio.Condition()

    # --- what a demo or a test does with it

    @property
    def quirks(self) -> frozenset[str]:
        """The bad manners it has now."""
        return self._quirks

    def fail(self, *quirks: str) -> None:
        """Take on bad manners, by the names of `battery_quirks`.

        Raises:
            ValueError: there is none of this name; names the nearest.
        """
        self._quirks |= {known_quirk(quirk) for quirk in quirks}

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

    def add_words(self, words: Mapping[int, int]) -> None:
        """Put holding registers beside those of the profile, by address."""
        self._memory.add(words)

    def press(self, role: str, value: float) -> None:
        """Change a register at the device itself, as another controller would."""
        self._advance()
        self._memory.put(role, value)
        self._obey()

    async def until(self, condition: Callable[[], bool]) -> None:
        """Wait for a condition that a request, an answer or a connection may bring about."""
        async with self._happened:
            await self._happened.wait_for(condition)

    async def start(
        self, host: str = "127.0.0.1", port: int = 0, tls: ssl.SSLContext | None = None
    ) -> int:
        """Listen, and return the port; 0 takes any that is free. ``tls`` null is in the clear."""
        self._seen_s = self._alive_s = self.now_s()
        self._server = await asyncio.start_server(self._serve, host, port, ssl=tls)
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
        if "one_client" in self._quirks and self._writers:
            writer.close()
            return
        self._writers[asyncio.current_task()] = writer
        self.connections += 1
        # `stop` cancels; asyncio's streams complain of a handler that ends so.
        with contextlib.suppress(ConnectionError, asyncio.CancelledError):
            await self._notify()
            await self._frames(reader, _Line(writer))
        del self._writers[asyncio.current_task()]
        writer.close()

    async def _frames(self, reader: asyncio.StreamReader, line: _Line) -> None:
        framer = line.framer
        data = b""
        while received := await reader.read(4_096):
            data += received
            while data:
                try:
                    used, request = framer.handleFrame(data, 0, 0)
                except ModbusIOException:
                    line.send(self._unknown(data))
                    used, request = framer.decode(data)[0], None
                data = data[used:]
                if request is not None:
                    await self._answer(request, line)
                if not used:
                    break
            if len(data) > framer.MAX_SIZE:
                return

    def _unknown(self, data: bytes) -> ModbusPDU:
        """Refuse a function code that this device has not."""
        answer = ExceptionResponse(
            data[_HEADER],
            _ILLEGAL_FUNCTION,
            device_id=data[6],
            transaction=int.from_bytes(data[:2], "big"),
        )
        self._log("out", answer, {"unit": data[6], "exception": _ILLEGAL_FUNCTION})
        return answer

    async def _answer(self, request: ModbusPDU, line: _Line) -> None:
        line.requests += 1
        self._log("in", request, _told(request))
        await self._notify()
        quirks = self._quirks | set(self.struck(request.function_code))
        if "drop_connection" in quirks:
            line.writer.transport.abort()
        elif request.dev_id == self.unit and "silent" not in quirks:
            await self._answer_slowly(request, line, quirks)
        await self._notify()

    async def _answer_slowly(self, request: ModbusPDU, line: _Line, quirks: frozenset[str]) -> None:
        """Do what is asked and answer, in the time and as often as the quirks have it."""
        if "slow" in quirks:
            await asyncio.sleep(self.slow_s)
        answer = self._handle(request, quirks)
        if "drifts" in quirks and line.requests > _STEADY_REQUESTS:
            answer.transaction_id -= 1
        if request.function_code not in _WRITES:
            self._say(answer, request, line)
        elif "mute" not in quirks:
            if "late" in quirks:
                await asyncio.sleep(self.late_s)
            for _ in range(2 if "answer_twice" in quirks else 1):
                self._say(answer, request, line)

    def _say(self, answer: ModbusPDU, request: ModbusPDU, line: _Line) -> None:
        self._log("out", answer, _told(answer, request))
        line.send(answer)

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
        return spoilt_answer(answer, quirks) if request.function_code in _WRITES else answer

    def _done(self, request: ModbusPDU, quirks: frozenset[str]) -> ModbusPDU:
        """Do what is asked, and return the answer of a device without bad manners.

        Raises:
            Refused: it cannot be done.
        """
        if "gateway_fault" in quirks:
            raise Refused(_NO_TARGET)
        if request.function_code in _READS:
            return self._read(request, quirks)
        if request.function_code in _WRITES:
            return self._write(request, quirks)
        raise Refused(_ILLEGAL_FUNCTION)

    def _read(self, request: ModbusPDU, quirks: frozenset[str]) -> ModbusPDU:
        space: Space = "holding" if request.function_code == 3 else "input"  # noqa: PLR2004 - function code
        place = (space, request.address)
        words = self._memory.read(*place, request.count)
        words = spoilt_words(self.profile, place, words, quirks)
        if space == "holding":
            return ReadHoldingRegistersResponse(registers=words)
        return ReadInputRegistersResponse(registers=words)

    def _write(self, request: ModbusPDU, quirks: frozenset[str]) -> ModbusPDU:
        self._check_write(request, quirks)
        words = list(request.registers)
        if "ignore_write" not in quirks:
            place: tuple[Space, int] = ("holding", request.address)
            stored = spoilt_words(self.profile, place, words, quirks - {"nan_readings"})
            taken = self._memory.write(request.address, stored, quirks)
            self._written(taken)
        if request.function_code == 6:  # noqa: PLR2004 - function code
            return WriteSingleRegisterResponse(address=request.address, registers=words)
        return WriteMultipleRegistersResponse(address=request.address, count=len(words))

    def _check_write(self, request: ModbusPDU, quirks: frozenset[str]) -> None:
        """Refuse a write by the quirks.

        Raises:
            Refused: one of them does.
        """
        code = refusal(quirks)
        if code is not None:
            raise Refused(code)
        if any(_ONE_FUNCTION.get(quirk) == request.function_code for quirk in quirks):
            raise Refused(_ILLEGAL_FUNCTION)
        rests = self._set_s is not None and self.now_s() < self._set_s + _WORN_S
        if "flash_wear" in quirks and rests and self._memory.is_setpoint(request.address):
            raise Refused(_BUSY)

    def _written(self, roles: set[str]) -> None:
        """Do what follows from a write: it is a sign of life, and may be a setpoint."""
        if self._memory.keeps_alive(roles):
            self._alive_s = self.now_s()
        if any(register.role in roles for register in self.profile.setpoints):
            self._set_s = self.now_s()
            self._is_ours = True
        self._obey()

    # --- time

    def _advance(self) -> None:
        """Let the physics catch up, and the setpoint lapse where nothing kept it alive."""
        now_s = self.now_s()
        seen_s = now_s if self._seen_s is None else self._seen_s
        timeout_s = self._timeout_s()
        if timeout_s is not None:
            lapses_s = self._alive_s + timeout_s
            if lapses_s <= now_s and self._memory.is_held():
                self._storage.advance(max(0.0, lapses_s - seen_s) * self._speed)
                seen_s = max(seen_s, lapses_s)
                self._memory.lapse()
        self._be_meddled_with(now_s)
        self._obey()
        self._storage.advance((now_s - seen_s) * self._speed)
        self._seen_s = now_s
        self._memory.show(self._state(), self._storage.power_w, self._storage.soc_pct)

    def _timeout_s(self) -> float | None:
        """Return after how long without a sign of life the setpoint lapses, null for never."""
        if "never_lapses" in self._quirks:
            return None
        own_s = self._memory.timeout_s()
        return _FORGETS_S if own_s is None and "forgets_setpoint" in self._quirks else own_s

    def _be_meddled_with(self, now_s: float) -> None:
        """Let somebody else set it, a while after each setpoint that came over the wire."""
        if "other_controller" not in self._quirks or not self._is_ours or self._set_s is None:
            return
        if now_s >= self._set_s + _MEDDLES_S:
            self._is_ours = False
            self._memory.aim(_MEDDLED_W)

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
