"""A relay between a client and a server over real sockets: it can be re-pointed, and remembers."""

import asyncio
import contextlib
from collections.abc import Iterator
from typing import Final

import attrs

from actors.clock import steady_s

_HEAD: Final = 7  # of a Modbus frame: transaction, protocol, length, unit


@attrs.define
class Relay:
    """Passes on what comes in on its port to ``target``, a port of loopback. The loop thread.

    ``sent`` has what clients sent, each piece with the steady time in seconds.
    """

    target: int
    port: int = 0
    sent: list[tuple[float, bytes]] = attrs.field(factory=list)
    _server: asyncio.Server | None = None
    _writers: set[asyncio.StreamWriter] = attrs.field(factory=set)

    async def start(self) -> int:
        """Listen; return the port."""
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", self.port)
        self.port = self._server.sockets[0].getsockname()[1]
        return self.port

    async def point(self, target: int) -> None:
        """Send everybody elsewhere: cut what is there, so that clients connect anew."""
        self.target = target
        self._cut()

    async def stop(self) -> None:
        """Cut everything, and listen no more."""
        if self._server is not None:
            self._server.close()
        self._cut()

    def _cut(self) -> None:
        for writer in tuple(self._writers):
            writer.transport.abort()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            there = await asyncio.open_connection("127.0.0.1", self.target)
        except OSError:
            writer.transport.abort()
            return
        self._writers |= {writer, there[1]}
        passing = [
            asyncio.create_task(self._pass(reader, there[1], remember=True)),
            asyncio.create_task(self._pass(there[0], writer, remember=False)),
        ]
        await asyncio.wait(passing, return_when=asyncio.FIRST_COMPLETED)
        for each in (writer, there[1]):
            each.transport.abort()
            self._writers.discard(each)
        await asyncio.gather(*passing, return_exceptions=True)

    async def _pass(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, remember: bool
    ) -> None:
        with contextlib.suppress(OSError):
            while piece := await reader.read(65_536):
                if remember:
                    self.sent.append((steady_s(), piece))
                writer.write(piece)
                await writer.drain()


def modbus_requests(relay: Relay) -> Iterator[tuple[float, int]]:
    """Yield when each Modbus TCP request was sent, and its function code.

    Source: MODBUS Messaging on TCP/IP Implementation Guide V1.0b, section 3.1.3 (MBAP header).
    """
    for at_s, piece in relay.sent:
        rest = piece
        while len(rest) > _HEAD:
            length = int.from_bytes(rest[4:6], "big") + 6
            yield at_s, rest[_HEAD]
            rest = rest[length:]
