"""A proxy between real sockets: it strikes what passes with the faults of the wire, and remembers.

It does by `Tap` what the network in memory does, and what only sockets can: a connection that is
refused, one that ends with RST in place of FIN, one whose other end is gone without either.
"""

import asyncio
import contextlib
import socket
import struct
from collections.abc import Callable, Collection, Iterator, Mapping
from typing import Final, Literal, TypeAlias

import attrs

from actors.clock import DeviceClock, steady_s
from actors.testing.faults import SOCKETS, Direction, Fault, Faults
from actors.testing.frames import ModbusSplitter, OcppSplitter, Splitter
from actors.testing.wire import Piece, Tap

Protocol: TypeAlias = Literal["ocpp", "modbus"]

_HOST: Final = "127.0.0.1"
_CHUNK: Final = 65_536
_WITH_RST: Final = struct.pack("ii", 1, 0)  # SO_LINGER on, for 0 s
_SPLITTERS: Final[Mapping[Protocol, Callable[[], Splitter]]] = {
    "ocpp": OcppSplitter,
    "modbus": ModbusSplitter,
}
_FROM_CLIENT: Final[Mapping[Protocol, Direction]] = {"ocpp": "out", "modbus": "in"}
"""A charge point connects to the engine, and the engine to a battery."""


@attrs.frozen
class Passed:
    """Bytes that the proxy passed on, at a steady time; ``connection`` counts from 1."""

    at_s: float
    connection: int
    direction: Direction
    data: bytes


@attrs.frozen
class PassedMessage:
    """A message that the proxy passed on, as `Passed`; ``action`` as in `Message`."""

    at_s: float
    connection: int
    direction: Direction
    action: str | int | None


def _no_faults() -> Faults:
    return Faults(DeviceClock().now_us)


@attrs.define(eq=False)
class Proxy:
    """Takes connections on a port of loopback and makes each go on to ``target``, another one.

    Args:
        protocol: what is spoken; the direction of a fault is seen from the device.
        target: the port that connections go on to.
        faults: what is struck; rules may be added from any thread.
        assets: whose device it is.
        port: where it listens; 0 takes a free one.

    The methods belong to the loop that it was started on.
    """

    protocol: Protocol
    target: int
    faults: Faults = attrs.field(factory=_no_faults)
    assets: Collection[str] = ()
    port: int = 0
    passed: list[Passed] = attrs.field(factory=list, init=False)
    """What was passed on, in order."""
    taken: int = attrs.field(default=0, init=False)
    """How many connections were taken, refused ones among them."""
    _server: asyncio.Server | None = attrs.field(default=None, init=False)
    _connections: "dict[asyncio.Task[None], _Connection]" = attrs.field(factory=dict, init=False)

    async def start(self) -> int:
        """Listen; return the port."""
        self._server = await asyncio.start_server(self._serve, _HOST, self.port)
        self.port = self._server.sockets[0].getsockname()[1]
        return self.port

    async def point(self, target: int) -> None:
        """Send everybody elsewhere: cut what is there, so that clients connect anew."""
        self.target = target
        await self.cut()

    async def cut(self) -> None:
        """Reset all connections that there are, also half-open ones; new ones are taken."""
        running = dict(self._connections)
        for connection in running.values():
            connection.reset()
        await asyncio.gather(*running)

    async def stop(self) -> None:
        """Listen no more, and reset what there is. Twice is once."""
        if self._server is not None:
            self._server.close()
        await self.cut()

    @property
    def open(self) -> int:
        """How many connections there are now."""
        return len(self._connections)

    def messages(self) -> Iterator[PassedMessage]:
        """Yield the messages that were passed on, each with the time of its last byte."""
        splitters: dict[int, Splitter] = {}
        for one in tuple(self.passed):
            splitter = splitters.setdefault(one.connection, _SPLITTERS[self.protocol]())
            for message in splitter.feed(one.direction, one.data):
                yield PassedMessage(one.at_s, one.connection, one.direction, message.action)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.taken += 1
        number = self.taken
        client = _End(reader, writer)
        if self.faults.strike(_is_of_sockets, self.assets) is not None:
            client.reset()
            return
        try:
            device = _End(*await asyncio.open_connection(_HOST, self.target))
        except OSError:
            client.reset()
            return
        if self._server is None or not self._server.is_serving():  # stopped meanwhile
            client.reset()
            device.reset()
            return
        tap = Tap(_SPLITTERS[self.protocol](), self.faults, lambda: self.assets)
        outwards = _FROM_CLIENT[self.protocol]
        homewards: Direction = "in" if outwards == "out" else "out"

        def note(direction: Direction, data: bytes) -> None:
            self.passed.append(Passed(steady_s(), number, direction, data))

        ways = (
            _Way(outwards, client, device, tap, note),
            _Way(homewards, device, client, tap, note),
        )
        connection = _Connection(ways, tap)
        task = asyncio.ensure_future(connection.run())
        self._connections[task] = connection
        task.add_done_callback(self._connections.pop)


@attrs.define(eq=False)
class _End:
    """One of the two sockets of a connection."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter

    def reset(self) -> None:
        """End with RST; what waits to be sent is thrown away."""
        own = self.writer.get_extra_info("socket")
        if own is not None and not self.writer.transport.is_closing():
            own.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _WITH_RST)
        self.writer.transport.abort()

    def close(self) -> None:
        """End with FIN, behind what waits to be sent."""
        self.writer.close()


@attrs.define(eq=False)
class _Way:
    """One direction of a connection: what is read at one end is written at the other, in order."""

    direction: Direction
    source: _End
    sink: _End
    tap: Tap
    note: Callable[[Direction, bytes], None]
    _due: "asyncio.Queue[tuple[float, Piece | None]]" = attrs.field(factory=asyncio.Queue)
    _free_at_s: float = 0.0

    async def read(self) -> None:
        """Take in what comes, until there is an end; an end passes on too.

        Raises:
            OSError: the source was reset.
        """
        while data := await self.source.reader.read(_CHUNK):
            for piece in self.tap.through(self.direction, data):
                arrives_s = _now() + piece.latency_s
                self._free_at_s = max(arrives_s, self._free_at_s) + piece.delay_s
                self._due.put_nowait((self._free_at_s, piece))
        if not self.tap.is_half_open:
            self._due.put_nowait((self._free_at_s, None))

    async def write(self) -> bool:
        """Give out what is due, until the end; return whether both directions end with it.

        Raises:
            OSError: the sink was reset.
        """
        while True:
            due_s, piece = await self._due.get()
            await asyncio.sleep(due_s - _now())
            if piece is None:
                self.sink.writer.write_eof()
                return False
            if piece.data:
                self.note(self.direction, piece.data)
                self.sink.writer.write(piece.data)
                await self.sink.writer.drain()
            if piece.resets:
                raise ConnectionResetError
            if piece.cuts:
                return True


@attrs.define(eq=False)
class _Connection:
    """Both directions of one connection, until it ends."""

    ways: tuple[_Way, _Way]
    tap: Tap
    _over: asyncio.Event = attrs.field(factory=asyncio.Event)
    _resets: bool = False
    _read_out: int = 0
    _written_out: int = 0

    async def run(self) -> None:
        """Pass on until both ends are closed, and close both."""
        works = [work(way) for way in self.ways for work in (self._read, self._write)]
        tasks = [asyncio.ensure_future(work) for work in works]
        await self._over.wait()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        for way in self.ways:
            if self._resets:
                way.source.reset()
            else:
                way.source.close()
        for way in self.ways:
            with contextlib.suppress(OSError):
                await way.source.writer.wait_closed()

    def reset(self) -> None:
        """End at once, both ends with RST."""
        self._end(resets=True)
        for way in self.ways:
            way.source.reset()

    def _end(self, *, resets: bool) -> None:
        self._resets = self._resets or resets
        self._over.set()

    async def _read(self, way: _Way) -> None:
        try:
            await way.read()
        except OSError:
            if not self.tap.is_half_open:
                self._end(resets=True)
        self._read_out += 1
        if self.tap.is_half_open and self._read_out == len(self.ways):
            self._end(resets=True)  # both ends have given up by themselves

    async def _write(self, way: _Way) -> None:
        try:
            cuts = await way.write()
        except OSError:
            if not self.tap.is_half_open:
                self._end(resets=True)
            return
        self._written_out += 1
        if cuts or self._written_out == len(self.ways):
            self._end(resets=False)


def _is_of_sockets(fault: Fault) -> bool:
    return fault.kind in SOCKETS


def _now() -> float:
    return asyncio.get_running_loop().time()
