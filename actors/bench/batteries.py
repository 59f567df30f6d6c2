"""Batteries in a process of their own, as light as they can be: ``-m actors.bench.batteries``.

Each has a port and registers of its own, laid out like those of the built-in profile
``generic-battery``. By hand, so that what is measured is not the load on it: MODBUS Messaging on
TCP/IP V1.0b, 3.1.3, for the header, MODBUS Application Protocol V1.1b3, section 6, for the frames.
"""

import asyncio
import struct
from array import array
from collections import Counter
from collections.abc import Callable
from typing import Final

from actors.bench.peer import serve

WORDS: Final = 64
MODEL: Final = 802
"""What the profile expects at address 0."""

_HEADER: Final = 7
_LEAST: Final = _HEADER + 5
_READ, _WRITE_ONE, _WRITE_MANY = 3, 6, 16
_EXCEPTION: Final = 0x80
_ILLEGAL_FUNCTION, _ILLEGAL_ADDRESS = 1, 2


class Battery(asyncio.Protocol):
    """One connection to a battery's registers."""

    def __init__(
        self, words: "array[int]", asked: Callable[[int, int], None], delay_s: float = 0.0
    ) -> None:
        """Serve these words; ``asked`` hears each request's function code and address."""
        self._words = words
        self._delay_s = delay_s
        self._asked = asked
        self._data = b""
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin to serve."""
        if not isinstance(transport, asyncio.Transport):
            raise TypeError(type(transport).__name__)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        """Answer what came, as far as it is complete."""
        self._data += data
        while len(self._data) >= _LEAST:
            end = _HEADER - 1 + int.from_bytes(self._data[4:6], "big")
            if len(self._data) < end:
                return
            request, self._data = self._data[:end], self._data[end:]
            self._answer(request)

    def _answer(self, request: bytes) -> None:
        body = reply(self._words, request[_HEADER:])
        self._asked(request[_HEADER], int.from_bytes(request[8:10], "big"))
        answer = request[:4] + (len(body) + 1).to_bytes(2, "big") + request[6:7] + body
        if self._delay_s:
            asyncio.get_running_loop().call_later(self._delay_s, self._write, answer)
        else:
            self._write(answer)

    def _write(self, answer: bytes) -> None:
        if self._transport is not None:
            self._transport.write(answer)


def reply(words: "array[int]", request: bytes) -> bytes:
    """Do what a request says, both without the header, and return its reply."""
    function = request[0]
    address = int.from_bytes(request[1:3], "big")
    told = int.from_bytes(request[3:5], "big")
    count = 1 if function == _WRITE_ONE else told
    if function not in {_READ, _WRITE_ONE, _WRITE_MANY}:
        return bytes((function | _EXCEPTION, _ILLEGAL_FUNCTION))
    if address + count > len(words):
        return bytes((function | _EXCEPTION, _ILLEGAL_ADDRESS))
    if function == _READ:
        held = words[address : address + count]
        return bytes((function, 2 * count)) + struct.pack(f">{count}H", *held)
    written = request[3:5] if function == _WRITE_ONE else request[6:]
    words[address : address + count] = array("H", struct.unpack(f">{count}H", written))
    return request[:5]


class Batteries:
    """All batteries of the process, and what was asked of them."""

    def __init__(self) -> None:
        """Begin with none."""
        self._asked: Counter[tuple[int, int]] = Counter()

    async def answer(self, words: list[str]) -> str:
        """Do what a line says.

        ``listen COUNT SECONDS`` answers with the ports of batteries that take so long for an
        answer; ``count ADDRESS`` with how many writes and how many reads have begun at an address
        since the last.

        Raises:
            ValueError: it says neither.
        """
        match words:
            case ["listen", count, delay_s]:
                ports = [await self._listen(float(delay_s)) for _ in range(int(count))]
                return " ".join(map(str, ports))
            case ["count", told]:
                asked, self._asked = self._asked, Counter()
                address = int(told)
                writes = asked[_WRITE_ONE, address] + asked[_WRITE_MANY, address]
                return f"{writes} {asked[_READ, address]}"
            case _:
                raise ValueError(" ".join(words))

    async def _listen(self, delay_s: float) -> int:
        words = array("H", [MODEL] + [0] * (WORDS - 1))
        server = await asyncio.get_running_loop().create_server(
            lambda: Battery(words, self._count, delay_s), "127.0.0.1", 0
        )
        return int(server.sockets[0].getsockname()[1])

    def _count(self, function: int, address: int) -> None:
        self._asked[function, address] += 1


if __name__ == "__main__":
    serve(Batteries().answer)
