"""Charge points in a process of their own, as light as they can be: ``-m actors.bench.chargers``.

By hand down to the bytes, so that what is measured is the central system and not the load on it:
RFC 6455 for the websocket, OCPP-J 1.6 for the frames.
"""

import asyncio
import base64
from collections import Counter
from collections.abc import Callable
from typing import Final

import msgspec

from actors.bench.peer import serve
from actors.clock import steady_s, wall_now

IDENTITY: Final = "CP-{number}"
SECONDS: Final = 30.0
"""How long all of them together may take to be ready."""

_AT_ONCE: Final = 32
_BREATH_S: Final = 0.02
_CALL, _RESULT = 2, 3
_TEXT, _CLOSE, _PING, _PONG = 0x1, 0x8, 0x9, 0xA
_FINAL, _MASKED = 0x80, 0x80
_HEADER, _SHORT, _IN_TWO_BYTES = 2, 125, 126
# A client masks what it sends [RFC 6455, 5.3]; by zeros that costs nothing.
_MASK: Final = bytes(4)
_BOOT: Final = {"chargePointVendor": "Setpoint", "chargePointModel": "bench"}
_STATUS: Final = {"connectorId": 1, "errorCode": "NoError", "status": "Preparing"}
_ACCEPTED: Final = {"status": "Accepted"}
_SET: Final = "SetChargingProfile"

_decode: Final = msgspec.json.Decoder(list).decode
_encode: Final = msgspec.json.Encoder().encode


class Charger(asyncio.Protocol):
    """One charge point: it says that it booted and that a vehicle is there, then accepts all."""

    def __init__(self, identity: str, key: str, asked: Callable[[str], None]) -> None:
        """Begin without a socket; ``asked`` hears the action of each CALL that was answered.

        ``key`` is its password.
        """
        self._identity = identity
        self._key = key
        self._asked = asked
        self._said = 0
        self._data = b""
        self._upgraded = False
        self._transport: asyncio.Transport | None = None
        loop = asyncio.get_running_loop()
        self.ready: asyncio.Future[None] = loop.create_future()
        self.gone: asyncio.Future[None] = loop.create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Ask for the upgrade [RFC 6455, 4.1]."""
        if not isinstance(transport, asyncio.Transport):
            raise TypeError(type(transport).__name__)
        self._transport = transport
        basic = base64.b64encode(f"{self._identity}:{self._key}".encode()).decode()
        transport.write(
            f"GET /{self._identity} HTTP/1.1\r\n"
            "Host: 127.0.0.1\r\n"
            f"Authorization: Basic {basic}\r\n"
            "Upgrade: websocket\r\n"
            "Connection: Upgrade\r\n"
            "Sec-WebSocket-Key: c2V0cG9pbnQtYmVuY2gtMQ==\r\n"
            "Sec-WebSocket-Version: 13\r\n"
            "Sec-WebSocket-Protocol: ocpp1.6\r\n\r\n".encode()
        )

    def connection_lost(self, exc: Exception | None) -> None:
        """Be gone; who still waits for it to be ready hears why."""
        if not self.ready.done():
            self.ready.set_exception(exc or ConnectionError(f"{self._identity} was refused"))
        self.gone.set_result(None)

    def close(self) -> None:
        """Begin to hang up."""
        if self._transport is not None:
            self._transport.close()

    def data_received(self, data: bytes) -> None:
        """Take what came, as far as it is complete."""
        self._data += data
        if not self._upgraded:
            self._upgrade()
        while self._upgraded and (found := frame(self._data)) is not None:
            opcode, payload, self._data = found
            self._take(opcode, payload)

    def _upgrade(self) -> None:
        head, end, rest = self._data.partition(b"\r\n\r\n")
        if not end:
            return
        if not head.startswith(b"HTTP/1.1 101 "):
            self.close()
            return
        self._upgraded, self._data = True, rest
        self._send([_CALL, "boot", "BootNotification", _BOOT])

    def _take(self, opcode: int, payload: bytes) -> None:
        if opcode == _TEXT:
            self._hear(_decode(payload))
        elif opcode == _PING:
            self._write(_PONG, payload)
        elif opcode == _CLOSE:
            self._write(_CLOSE, payload)
            self.close()

    def go_on(self, power_w: int) -> None:
        """Say that it is there, and which power it measures."""
        self._said += 1
        at = wall_now().strftime("%Y-%m-%dT%H:%M:%SZ")
        power = {"value": str(power_w), "measurand": "Power.Active.Import", "unit": "W"}
        values = {"timestamp": at, "sampledValue": [power]}
        metered = {"connectorId": 1, "meterValue": [values]}
        self._send([_CALL, f"h{self._said}", "Heartbeat", {}])
        self._send([_CALL, f"m{self._said}", "MeterValues", metered])

    def _hear(self, message: list[object]) -> None:
        if message[0] == _CALL:
            self._send([_RESULT, message[1], _ACCEPTED])
            self._asked(str(message[2]))
        elif message[1] == "boot":
            self._send([_CALL, "status", "StatusNotification", _STATUS])
        elif not self.ready.done():
            self.ready.set_result(None)

    def _send(self, message: list[object]) -> None:
        self._write(_TEXT, _encode(message))

    def _write(self, opcode: int, payload: bytes) -> None:
        if self._transport is not None:
            self._transport.write(masked(opcode, payload))


def frame(data: bytes) -> tuple[int, bytes, bytes] | None:
    """Return opcode, payload and what follows, null while a server's frame is not complete.

    Longer ones than 64 KiB are not expected [RFC 6455, 5.2].
    """
    if len(data) < _HEADER:
        return None
    start, length = _HEADER, data[1]
    if length == _IN_TWO_BYTES:
        start, length = _HEADER + 2, int.from_bytes(data[2:4], "big")
    end = start + length
    return None if len(data) < end else (data[0] & 0xF, data[start:end], data[end:])


def masked(opcode: int, payload: bytes) -> bytes:
    """Return a client's frame."""
    length = len(payload)
    if length <= _SHORT:
        head = bytes((_FINAL | opcode, _MASKED | length))
    else:
        head = bytes((_FINAL | opcode, _MASKED | _IN_TWO_BYTES)) + length.to_bytes(2, "big")
    return head + _MASK + payload


class Chargers:
    """All charge points of the process, and how often each action was asked of them."""

    def __init__(self) -> None:
        """Begin with none."""
        self._chargers: list[Charger] = []
        self._calls: Counter[str] = Counter()
        self._arrivals: list[float] = []
        self._busy: asyncio.Task[None] | None = None

    async def answer(self, words: list[str]) -> str:
        """Do what a line says.

        ``connect PORT COUNT [KEY]``: so many charge points connect, with this password.
        ``busy SECONDS``: from now on each sends a heartbeat and a meter value so often.
        ``arrived``: when setpoints came since it was asked last, in seconds of the steady clock.
        ``close``: all hang up; how many setpoints they were sent.

        Raises:
            ValueError: it says none of these.
        """
        match words:
            case ["connect", port, count, *key]:
                async with asyncio.timeout(SECONDS):
                    await self._connect(int(port), int(count), "".join(key))
                return "connected"
            case ["busy", seconds]:
                self._busy = asyncio.create_task(self._go_on(float(seconds)))
                return "busy"
            case ["arrived"]:
                arrived, self._arrivals = self._arrivals, []
                return " ".join(f"{at:.6f}" for at in arrived) or "-"
            case ["close"]:
                await self._close()
                calls, self._calls, self._arrivals = self._calls, Counter(), []
                return str(calls[_SET])
            case _:
                raise ValueError(" ".join(words))

    async def _connect(self, port: int, count: int, key: str) -> None:
        turns = asyncio.Semaphore(_AT_ONCE)  # a listener has no endless backlog

        async def one(number: int) -> Charger:
            async with turns:
                loop = asyncio.get_running_loop()
                charger = Charger(IDENTITY.format(number=number), key, self._count)
                await loop.create_connection(lambda: charger, "127.0.0.1", port)
                await charger.ready
                return charger

        self._chargers = await asyncio.gather(*map(one, range(count)))

    async def _go_on(self, every_s: float) -> None:
        """Let one charge point after the other speak, all of them once in ``every_s``."""
        number, begin_s = 0, steady_s()
        while True:
            chargers = self._chargers
            due = int((steady_s() - begin_s) / every_s * len(chargers))
            for n in range(number, due):
                chargers[n % len(chargers)].go_on(1_000 + n % 7_000)
            number = max(number, due)
            await asyncio.sleep(_BREATH_S)

    async def _close(self) -> None:
        if self._busy is not None:
            self._busy.cancel()
            self._busy = None
        for charger in self._chargers:
            charger.close()
        await asyncio.gather(*(charger.gone for charger in self._chargers))
        self._chargers = []

    def _count(self, action: str) -> None:
        self._calls[action] += 1
        if action == _SET:
            self._arrivals.append(steady_s())


if __name__ == "__main__":
    serve(Chargers().answer)
