"""The network in memory: TCP as asyncio's users see it."""

import asyncio
from collections.abc import Coroutine, Iterator
from typing import Any

import pytest

from actors.testing.stepped import SteppedLoop
from actors.testing.world import World


class Pair:
    """A server on one loop that sends back what it gets, and clients on another."""

    def __init__(self, seed: int = 0) -> None:
        """Listen at port 7."""
        self.world = World(seed)
        self.near, self.far = self.world.loop(), self.world.loop()
        self.ended: list[str] = []
        self.server: asyncio.Server = self.do(self.far, asyncio.start_server(self._serve, port=7))

    def do(self, loop: SteppedLoop, work: Coroutine[Any, Any, Any]) -> Any:  # noqa: ANN401 - whatever it gives
        """Return what some work gives, on a loop."""
        future = loop.submit(work)
        assert self.world.turns.wait_for(future.done, 60)
        return future.result(0)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while data := await reader.read(100):
                writer.write(data.upper())
        except ConnectionResetError:
            self.ended.append("reset")
        else:
            self.ended.append("end")
        writer.close()


async def said(*parts: bytes) -> bytes:
    """Say something, half-close, and return what comes back until the other end closes."""
    reader, writer = await asyncio.open_connection("127.0.0.1", 7)
    for part in parts:
        writer.write(part)
    writer.write_eof()
    back = await reader.read()
    writer.close()
    await writer.wait_closed()
    return back


@pytest.fixture
def seed() -> int:
    """Give a seed, where a test does not name more."""
    return 0


@pytest.fixture
def pair(seed: int) -> Iterator[Pair]:
    """Give a server, and a loop for its clients."""
    made = Pair(seed)
    yield made
    made.world.turns.run_until(made.world.time.device_us + 1_000_000)
    made.near.stop()
    made.far.stop()


@pytest.mark.parametrize("seed", range(5))
def test_bytes_arrive_in_order(pair: Pair) -> None:
    """However long each is on its way."""
    assert pair.do(pair.near, said(b"a", b"b", b"c", b"d")) == b"ABCD"
    assert pair.ended == ["end"]


def test_time_passes_on_the_way(pair: Pair) -> None:
    """There and back."""
    before_us = pair.world.time.device_us
    pair.do(pair.near, said(b"a"))
    assert pair.world.time.device_us - before_us > 400


def test_nobody_listens(pair: Pair) -> None:
    """As a closed port says it."""
    pair.server.close()
    with pytest.raises(ConnectionRefusedError):
        pair.do(pair.near, said(b"a"))


def test_a_port_is_taken_once(pair: Pair) -> None:
    """As a socket's is."""
    with pytest.raises(OSError, match="in use"):
        pair.do(pair.near, asyncio.start_server(lambda *_: None, port=7))


def test_a_process_that_dies_resets_its_connections(pair: Pair) -> None:
    """The other end hears of it; the dead one of nothing."""
    heard: list[bytes] = []

    async def talk() -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", 7)
        writer.write(b"a")
        heard.append(await reader.read(1))
        heard.append(await reader.read(1))

    pair.near.submit(talk())
    assert pair.world.turns.wait_for(lambda: heard == [b"A"], 60)
    pair.near.die()
    pair.world.network.kill(pair.near.loop)
    assert pair.world.turns.wait_for(lambda: bool(pair.ended), 60)
    assert pair.ended == ["reset"]
    assert heard == [b"A"]


def test_an_aborted_connection_is_reset(pair: Pair) -> None:
    """What was still on its way does not matter."""

    async def talk() -> None:
        _, writer = await asyncio.open_connection("127.0.0.1", 7)
        writer.transport.abort()

    pair.do(pair.near, talk())
    assert pair.world.turns.wait_for(lambda: bool(pair.ended), 60)
    assert pair.ended == ["reset"]


def test_what_comes_while_reading_is_paused_is_not_lost(pair: Pair) -> None:
    """It is there when reading goes on."""

    async def talk() -> bytes:
        reader, writer = await asyncio.open_connection("127.0.0.1", 7)
        transport = writer.transport
        assert isinstance(transport, asyncio.Transport)
        transport.pause_reading()
        writer.write(b"abc")
        asyncio.get_running_loop().call_later(1, transport.resume_reading)
        back = await reader.readexactly(3)
        writer.close()
        await writer.wait_closed()
        return back

    assert pair.do(pair.near, talk()) == b"ABC"
