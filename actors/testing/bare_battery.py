"""A battery on bare sockets, made by hand: Modbus over TCP, and no library of ours.

It holds registers and answers reads and writes; how it treats its connections is up to a test.
"""

import socket
import struct
import threading
from collections.abc import Callable
from types import TracebackType
from typing import Final, Self

import attrs

from actors.clock import steady_s

_HEADER: Final = 7
_READS: Final = (3, 4)
_WRITE_ONE: Final = 6


@attrs.frozen
class Asked:
    """One request: on which connection, and what; ``words`` are those of a write."""

    connection: int
    function: int
    address: int
    words: tuple[int, ...] = ()

    @property
    def is_write(self) -> bool:
        """Whether it changes a register."""
        return self.function not in _READS


@attrs.define
class Manner:
    """How it treats its connections.

    It closes one after ``answers``, ``linger_s`` seconds later, and in place of an answer where
    ``goes`` says so of a request; ``resets`` makes that a reset. It takes no other for ``away_s``
    then. What was written shows ``shows_after_s`` seconds later.
    """

    answers: int | None = None
    linger_s: float = 0.0
    shows_after_s: float = 0.0
    resets: bool = False
    goes: Callable[[Asked], bool] = lambda _: False
    away_s: float = 0.0


class BareBattery:
    """A battery that listens; ``asked`` are the requests that it has read, in order."""

    def __init__(self, registers: dict[int, int], manner: Manner | None = None) -> None:
        """Begin to listen; a register that is not named holds 0."""
        self.registers = registers
        self.manner = manner or Manner()
        self.asked: list[Asked] = []
        self._written: list[tuple[float, int, int]] = []
        self._connections = 0
        self._over = threading.Event()
        self._restarting = threading.Event()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._listener.getsockname()[1])
        self._thread = threading.Thread(target=self._serve, daemon=True)

    def __enter__(self) -> Self:
        """Answer."""
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Listen no more."""
        self._over.set()
        self._thread.join(10)
        self._listener.close()

    def restart(self) -> None:
        """Close the connection after the next answer."""
        self._restarting.set()

    @property
    def writes(self) -> list[Asked]:
        """The writes that it has read."""
        return [one for one in self.asked if one.is_write]

    def _serve(self) -> None:
        """Take one connection after the other, as small devices do."""
        self._listener.settimeout(0.05)
        while not self._over.is_set():
            try:
                own, _ = self._listener.accept()
            except TimeoutError:
                continue
            except OSError:
                return
            self._connections += 1
            with own:
                own.settimeout(0.05)
                if self.manner.resets:
                    own.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                self._converse(own, self._connections)
            if self.manner.away_s:
                self._go_away()

    def _go_away(self) -> None:
        """Take no connection for a while."""
        self._listener.close()
        self._over.wait(self.manner.away_s)
        self._listener = socket.create_server(("127.0.0.1", self.port))
        self._listener.settimeout(0.05)

    def _converse(self, own: socket.socket, number: int) -> None:
        answered = 0
        while answered != self.manner.answers:
            request = self._read(own)
            if request is None:
                return
            asked = _parsed(request, number)
            self.asked.append(asked)
            if self.manner.goes(asked):
                return
            own.sendall(self._answer(request, asked))
            answered += 1
            if self._restarting.is_set():
                self._restarting.clear()
                return
        self._over.wait(self.manner.linger_s)

    def _read(self, own: socket.socket) -> bytes | None:
        """Return a request, null if no more come."""
        data = b""
        while len(data) < _HEADER or len(data) < 6 + int.from_bytes(data[4:6], "big"):
            try:
                more = own.recv(260)
            except TimeoutError:
                if self._over.is_set():
                    return None
                continue
            except ConnectionError:
                return None
            if not more:
                return None
            data += more
        return data

    def _answer(self, request: bytes, asked: Asked) -> bytes:
        if asked.is_write:
            shows_s = steady_s() + self.manner.shows_after_s
            for number, word in enumerate(asked.words, asked.address):
                self._written.append((shows_s, number, word))
            body = request[_HEADER : _HEADER + 5]
        else:
            self._show()
            count = int.from_bytes(request[10:12], "big")
            words = [self.registers.get(asked.address + one, 0) for one in range(count)]
            body = struct.pack(f">BB{count}H", asked.function, 2 * count, *words)
        return request[:4] + struct.pack(">HB", len(body) + 1, request[6]) + body

    def _show(self) -> None:
        """Let the registers hold what was written long enough ago."""
        now_s = steady_s()
        while self._written and self._written[0][0] <= now_s:
            _, number, word = self._written.pop(0)
            self.registers[number] = word


def _parsed(request: bytes, connection: int) -> Asked:
    function, address = request[_HEADER], int.from_bytes(request[8:10], "big")
    if function in _READS:
        return Asked(connection, function, address)
    data = request[10:12] if function == _WRITE_ONE else request[13:]
    words = struct.unpack(f">{len(data) // 2}H", data)
    return Asked(connection, function, address, tuple(words))
