"""A network in memory: TCP as asyncio's users see it, between loops that have their turns.

Bytes arrive in order and after a delay drawn from a seed. A process that dies takes its
connections with it: the other ends see them reset.
"""

import asyncio
import random
import socket
from collections import deque
from collections.abc import Callable
from typing import Any, Final, TypeAlias, cast

from actors.testing.wire import Piece

_HOST: Final = "127.0.0.1"
_FIRST_PORT: Final = 50_000
_DELAY_S: Final = (0.000_2, 0.002)

Address: TypeAlias = tuple[str, int]
Way: TypeAlias = Callable[[bytes], list[Piece]]
Ways: TypeAlias = tuple[Way, Way]
"""What becomes of bytes from who connected, and of those that come back."""
Factory: TypeAlias = Callable[[], asyncio.BaseProtocol]


class MemoryTransport(asyncio.Transport):
    """One end of a connection. The turns of its loop."""

    def __init__(self, network: "Network", loop: asyncio.AbstractEventLoop, own: Address) -> None:
        """Begin without another end."""
        super().__init__()
        self.loop = loop
        self._network = network
        self._own = own
        self._peer: MemoryTransport | None = None
        self._protocol: asyncio.Protocol | None = None
        self._closing = False
        self._lost = False
        self._paused = False
        self._on_way: deque[bytes | None] = deque()
        self._arrived: deque[bytes | None] = deque()
        self._free_at_s = 0.0
        self._tap: Way | None = None

    def join(self, peer: "MemoryTransport", tap: Way | None) -> None:
        """Be connected; what is sent goes through ``tap``."""
        self._peer = peer
        self._tap = tap

    def begin(self, factory: Factory) -> asyncio.BaseProtocol:
        """Make a protocol and tell it that the connection is there. The own loop's turn."""
        protocol = factory()
        self.set_protocol(protocol)
        protocol.connection_made(self)
        return protocol

    # --- what asyncio's users call

    def get_extra_info(self, name: str, default: object = None) -> Any:  # noqa: ANN401 - as it is
        """Return an end's address."""
        peer = self._peer
        known = {"sockname": self._own, "peername": None if peer is None else peer._own}  # noqa: SLF001 - the other end
        return known.get(name, default)

    def set_protocol(self, protocol: asyncio.BaseProtocol) -> None:
        """Tell this protocol from now on."""
        self._protocol = cast("asyncio.Protocol", protocol)

    def get_protocol(self) -> asyncio.Protocol:
        """Return who is told."""
        if self._protocol is None:
            raise RuntimeError("the connection is not made yet")
        return self._protocol

    def write(self, data: Any) -> None:  # noqa: ANN401 - whatever bytes are made of
        """Send bytes."""
        if not self._closing and data:
            self._send(bytes(data))

    def writelines(self, list_of_data: Any) -> None:  # noqa: ANN401 - likewise
        """Send bytes."""
        self.write(b"".join(list_of_data))

    def write_eof(self) -> None:
        """Send nothing more."""
        if not self._closing:
            self._send(None)

    def can_write_eof(self) -> bool:
        """Return that a half can be closed."""
        return True

    def is_closing(self) -> bool:
        """Return whether this end is closed."""
        return self._closing

    def pause_reading(self) -> None:
        """Take nothing in for a while."""
        self._paused = True

    def resume_reading(self) -> None:
        """Take in what has come meanwhile."""
        self._paused = False
        self.loop.call_soon(self._take_in)

    def is_reading(self) -> bool:
        """Return whether what comes is taken in."""
        return not self._paused and not self._closing

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        """Let it be: nothing waits to be sent here."""

    def get_write_buffer_size(self) -> int:
        """Return that nothing waits to be sent."""
        return 0

    def close(self) -> None:
        """Close both halves."""
        if not self._closing:
            self._closing = True
            self._send(None)
            self.loop.call_soon(self._lose, None)

    def abort(self) -> None:
        """Reset the connection."""
        if not self._closing:
            self._closing = True
            self.loop.call_soon(self._lose, None)
            if self._peer is not None:
                self._network.soon(self._peer.loop, self._peer.reset)

    # --- what happens on the way

    def reset(self) -> None:
        """The other end is gone without a word."""
        if not self._closing:
            self._closing = True
            self._lose(ConnectionResetError("the connection was reset"))

    def die(self) -> None:
        """This end's process is gone: it hears of nothing more, the other end is reset."""
        if not self._lost:
            self._closing = self._lost = True
            if self._peer is not None:
                self._network.soon(self._peer.loop, self._peer.reset)

    def _send(self, data: bytes | None) -> None:
        """Let bytes, or for None an end of them, arrive at the other end, in order."""
        if data is None or self._tap is None:
            self._carry(data, 0.0)
            return
        for piece in self._tap(data):
            if piece.data:
                self._carry(piece.data, piece.delay_s, piece.latency_s)
            if piece.cuts or piece.resets:
                self._cut()

    def _carry(self, data: bytes | None, delay_s: float, latency_s: float = 0.0) -> None:
        peer = self._peer
        if peer is None:
            raise RuntimeError("the connection is not made yet")
        if peer.loop.is_closed():
            return
        arrives_s = peer.loop.time() + self._network.delay_s() + latency_s
        at_s = max(arrives_s, self._free_at_s) + delay_s
        self._free_at_s = at_s
        self._on_way.append(data)
        peer.loop.call_at(at_s, self._deliver, peer)

    def _cut(self) -> None:
        """Reset the connection from in between, behind what is on its way."""
        peer = self._peer
        if peer is not None and not peer.loop.is_closed():
            peer.loop.call_at(self._free_at_s, peer.reset)
        self._network.soon(self.loop, self.reset)

    def _deliver(self, peer: "MemoryTransport") -> None:
        peer._arrived.append(self._on_way.popleft())  # noqa: SLF001 - the other end
        peer._take_in()  # noqa: SLF001 - likewise

    def _take_in(self) -> None:
        """Tell the protocol of what has arrived."""
        while self._arrived and not self._paused and not self._closing:
            data = self._arrived.popleft()
            if data is not None:
                self.get_protocol().data_received(data)
            elif not self.get_protocol().eof_received():
                self.close()

    def _lose(self, error: Exception | None) -> None:
        if not self._lost:
            self._lost = True
            self._network.forget(self)
            self.get_protocol().connection_lost(error)


class _Socket:
    """What a server tells of its socket."""

    family = socket.AF_INET

    def __init__(self, address: Address) -> None:
        self._address = address

    def getsockname(self) -> Address:
        """Return the address."""
        return self._address


class MemoryServer(asyncio.AbstractServer):
    """Who listens at an address."""

    def __init__(
        self, network: "Network", loop: asyncio.AbstractEventLoop, address: Address
    ) -> None:
        """Be known under an address."""
        self._network = network
        self._loop = loop
        self.address = address
        self.sockets = (_Socket(address),)

    def get_loop(self) -> asyncio.AbstractEventLoop:
        """Return the loop of those who are connected."""
        return self._loop

    def is_serving(self) -> bool:
        """Return whether anybody can connect."""
        return self._network.is_listening(self)

    async def start_serving(self) -> None:
        """Let it be: it does from the start."""

    async def serve_forever(self) -> None:
        """Return at once, likewise."""

    def close(self) -> None:
        """Let nobody connect any more."""
        self._network.unlisten(self)

    async def wait_closed(self) -> None:
        """Return at once: connections are their owners'."""


class Network:
    """All listeners and connections of a run."""

    def __init__(self, seed: int | str = 0) -> None:
        """Begin without any."""
        self._random = random.Random(f"network {seed}")
        self._listeners: dict[int, tuple[MemoryServer, Factory]] = {}
        self._transports: list[MemoryTransport] = []
        self._taps: dict[int, Callable[[], Ways]] = {}
        self._ports = _FIRST_PORT

    def tap(self, port: int, tap: Callable[[], Ways]) -> None:
        """Let what is sent over each connection to a port go through a tap of its own."""
        self._taps[port] = tap

    def delay_s(self) -> float:
        """Return how long bytes are on their way."""
        return self._random.uniform(*_DELAY_S)

    def soon(self, loop: asyncio.AbstractEventLoop, function: Callable[[], object]) -> None:
        """Have something happen on the other side, a delay from now."""
        if not loop.is_closed():
            loop.call_at(loop.time() + self.delay_s(), function)

    def free_port(self) -> int:
        """Return a port that nobody was given before."""
        self._ports += 1
        return self._ports

    # --- listening

    def listen(
        self, loop: asyncio.AbstractEventLoop, factory: Factory, host: str | None, port: int
    ) -> MemoryServer:
        """Listen; port 0 is any free one.

        Raises:
            OSError: the port is taken.
        """
        if port in self._listeners:
            raise OSError(98, "address already in use")
        server = MemoryServer(self, loop, (host or _HOST, port or self.free_port()))
        self._listeners[server.address[1]] = (server, factory)
        return server

    def is_listening(self, server: MemoryServer) -> bool:
        """Return whether a server can be connected to."""
        return self._listeners.get(server.address[1], (None, None))[0] is server

    def unlisten(self, server: MemoryServer) -> None:
        """Let nobody connect to a server any more."""
        if self.is_listening(server):
            del self._listeners[server.address[1]]

    # --- connecting

    async def connect(
        self, loop: asyncio.AbstractEventLoop, factory: Factory, port: int
    ) -> tuple[MemoryTransport, asyncio.BaseProtocol]:
        """Connect to who listens at a port.

        Raises:
            ConnectionRefusedError: nobody does.
        """
        await asyncio.sleep(self.delay_s())
        if port not in self._listeners:
            raise ConnectionRefusedError(111, "connection refused")
        server, accept = self._listeners[port]
        tap = self._taps.get(port)
        ways = (None, None) if tap is None else tap()
        near = MemoryTransport(self, loop, (_HOST, self.free_port()))
        far = MemoryTransport(self, server.get_loop(), server.address)
        near.join(far, ways[0])
        far.join(near, ways[1])
        self._transports += [near, far]
        far.loop.call_soon(far.begin, accept)
        return near, near.begin(factory)

    def forget(self, transport: MemoryTransport) -> None:
        """A connection is no more."""
        if transport in self._transports:
            self._transports.remove(transport)

    def leave(self, loop: asyncio.AbstractEventLoop) -> None:
        """Take a loop's listeners away, and whoever had connected to them with them."""
        for server, _ in tuple(self._listeners.values()):
            if server.get_loop() is loop:
                self.unlisten(server)
                for transport in tuple(self._transports):
                    if transport.get_extra_info("peername") == server.address:
                        self.soon(transport.loop, transport.reset)

    def kill(self, loop: asyncio.AbstractEventLoop) -> None:
        """The process of a loop is gone, and with it its connections and listeners."""
        for server, _ in tuple(self._listeners.values()):
            if server.get_loop() is loop:
                self.unlisten(server)
        for transport in tuple(self._transports):
            if transport.loop is loop:
                transport.die()
                self.forget(transport)
