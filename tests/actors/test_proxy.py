"""The fault proxy between real sockets: what passes, what is struck, and how connections end."""

import asyncio
import socket
import threading
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest

from actors.clock import DeviceClock
from actors.loop import LoopThread
from actors.testing.faults import Direction, Fault, Faults
from actors.testing.proxy import Proxy

WRITE = 6
READ = 3


def frame(number: int, function: int = WRITE) -> bytes:
    """Return a Modbus frame of 12 bytes with a transaction's number."""
    return (
        number.to_bytes(2, "big")
        + b"\x00\x00\x00\x06\x01"
        + bytes([function])
        + b"\x00\x14\x00\x07"
    )


class Device:
    """A server that sends each frame back, and keeps what it got."""

    def __init__(self) -> None:
        """Begin without a connection."""
        self.got: list[bytes] = []
        self.ends: list[str] = []
        self.heard = asyncio.Event()
        self.ended = asyncio.Event()
        self.port = 0
        self.writers: list[asyncio.StreamWriter] = []
        self._server: asyncio.Server | None = None

    async def start(self) -> None:
        """Listen."""
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        """Listen no more."""
        if self._server is not None:
            self._server.close()
        for writer in self.writers:
            writer.transport.abort()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.writers.append(writer)
        try:
            while True:
                whole = await reader.readexactly(12)
                self.got.append(whole)
                self.heard.set()
                writer.write(whole)
        except asyncio.IncompleteReadError as error:
            self.ends.append(f"end after {len(error.partial)} bytes")
        except ConnectionResetError:
            self.ends.append("reset")
        self.ended.set()
        writer.close()


class Client:
    """Who connects to the proxy."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Use a connection."""
        self.reader = reader
        self.writer = writer

    async def ask(self, *numbers: int) -> list[int]:
        """Send frames at once and return the numbers of as many answers."""
        self.send(*numbers)
        return [await self.number() for _ in numbers]

    def send(self, *numbers: int) -> None:
        """Send frames in one piece."""
        self.writer.write(b"".join(frame(number) for number in numbers))

    async def number(self) -> int:
        """Return the number of the next answer."""
        return int.from_bytes((await self.reader.readexactly(12))[:2], "big")

    async def end(self) -> str:
        """Return how the connection ends."""
        try:
            rest = await self.reader.read()
        except ConnectionResetError:
            return "reset"
        return f"end after {len(rest)} bytes"


class Bench:
    """A device, a proxy in front of it, and clients."""

    def __init__(self) -> None:
        """Begin with nothing that runs."""
        self.device = Device()
        self.faults = Faults(DeviceClock().now_us)
        self.proxy = Proxy("modbus", 0, self.faults, ("ast_battery",))
        self.clients: list[Client] = []

    async def client(self) -> Client:
        """Connect."""
        made = Client(*await asyncio.open_connection("127.0.0.1", self.proxy.port))
        self.clients.append(made)
        return made

    def strike(self, kind: str, direction: Direction = "in", seconds: float = 1.0) -> None:
        """Let the next write be struck."""
        fault = Fault(kind=kind, direction=direction, action=WRITE, seconds=seconds)
        self.faults.add(fault)

    def struck(self) -> list[str]:
        """Return the kinds of what was struck."""
        return [one.kind for one in self.faults.injected]


@asynccontextmanager
async def bench() -> AsyncIterator[Bench]:
    """Give a bench that runs."""
    made = Bench()
    await made.device.start()
    made.proxy.target = made.device.port
    await made.proxy.start()
    try:
        async with asyncio.timeout(20):
            yield made
    finally:
        await made.proxy.stop()
        await made.device.stop()
        for client in made.clients:
            client.writer.transport.abort()


def run(story: Callable[[Bench], Awaitable[None]]) -> None:
    """Run a story on a bench."""

    async def told() -> None:
        async with bench() as made:
            await story(made)

    asyncio.run(told())


# --- without faults


def test_everything_passes_both_ways_and_is_remembered() -> None:
    """Messages carry their direction, seen from the device, and their function."""

    async def story(own: Bench) -> None:
        client = await own.client()
        assert await client.ask(1, 2) == [1, 2]
        assert [
            (one.direction, one.action) for one in own.proxy.messages() if one.direction == "in"
        ] == [("in", WRITE)] * 2
        assert len(list(own.proxy.messages())) == 4
        assert own.struck() == []

    run(story)


def test_a_frame_in_single_bytes_passes_when_it_is_whole() -> None:
    """The device gets it in one piece."""

    async def story(own: Bench) -> None:
        client = await own.client()
        for byte in frame(1):
            client.writer.write(bytes([byte]))
            await client.writer.drain()
        assert await client.number() == 1
        assert [frame(1)] == [one.data for one in own.proxy.passed if one.direction == "in"]

    run(story)


def test_an_end_is_passed_on_and_the_answer_still_comes() -> None:
    """One direction can be closed while the other goes on."""

    async def story(own: Bench) -> None:
        client = await own.client()
        client.send(1)
        client.writer.write_eof()
        assert await client.end() == "end after 12 bytes"
        assert own.device.ends == ["end after 0 bytes"]

    run(story)


def test_a_reset_is_passed_on() -> None:
    """The device sees a client's RST as one."""

    async def story(own: Bench) -> None:
        client = await own.client()
        await client.ask(1)
        own_socket = client.writer.get_extra_info("socket")
        own_socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        client.writer.transport.abort()
        await own.device.ended.wait()
        assert own.device.ends == ["reset"]

    run(story)


def test_who_is_not_there_resets_the_client() -> None:
    """The target's port is nobody's."""

    async def story(own: Bench) -> None:
        await own.device.stop()
        client = await own.client()
        assert await client.end() == "reset"
        assert own.proxy.open == 0

    run(story)


def test_a_proxy_that_points_elsewhere_cuts_and_connects_anew() -> None:
    """The second device gets what comes after."""

    async def story(own: Bench) -> None:
        client, other = await own.client(), Device()
        await client.ask(1)
        await other.start()
        await own.proxy.point(other.port)
        assert await client.end() == "reset"
        assert await (await own.client()).ask(2) == [2]
        assert ([frame(1)], [frame(2)]) == (own.device.got, other.got)
        await other.stop()

    run(story)


def test_a_stopped_proxy_takes_nobody_and_can_be_stopped_twice() -> None:
    """Its port is free again."""

    async def story(own: Bench) -> None:
        client = await own.client()
        await client.ask(1)
        await own.proxy.stop()
        await own.proxy.stop()
        assert await client.end() == "reset"
        with pytest.raises(ConnectionRefusedError):
            await own.client()

    run(story)


def test_a_connection_that_is_being_made_when_the_proxy_stops_is_reset() -> None:
    """However far it has come, nothing of it stays."""

    async def story(own: Bench) -> None:
        clients = [await own.client() for _ in range(20)]
        await own.proxy.stop()
        assert [await client.end() for client in clients] == ["reset"] * 20
        assert own.proxy.open == 0

    run(story)


# --- the faults of the wire


def test_a_dropped_request_does_not_arrive() -> None:
    """The next one does."""

    async def story(own: Bench) -> None:
        own.strike("drop")
        client = await own.client()
        client.send(1, 2)
        assert await client.number() == 2
        assert [frame(2)] == own.device.got

    run(story)


def test_a_dropped_answer_does_not_arrive() -> None:
    """The device got both requests."""

    async def story(own: Bench) -> None:
        own.strike("drop", "out")
        client = await own.client()
        client.send(1, 2)
        assert await client.number() == 2
        assert [frame(1), frame(2)] == own.device.got

    run(story)


@pytest.mark.parametrize("direction", ["in", "out"])
def test_a_delayed_message_holds_up_the_next(direction: Direction) -> None:
    """As TCP does."""

    async def story(own: Bench) -> None:
        own.strike("delay", direction, seconds=0.05)
        client, loop = await own.client(), asyncio.get_running_loop()
        begin_s = loop.time()
        assert await client.ask(1, 2) == [1, 2]
        assert loop.time() - begin_s >= 0.05

    run(story)


def test_a_duplicated_request_arrives_twice() -> None:
    """And so does its answer."""

    async def story(own: Bench) -> None:
        own.strike("duplicate")
        client = await own.client()
        client.send(1)
        assert [await client.number(), await client.number()] == [1, 1]

    run(story)


def test_a_duplicated_answer_arrives_twice() -> None:
    """The device got one request."""

    async def story(own: Bench) -> None:
        own.strike("duplicate", "out")
        client = await own.client()
        client.send(1)
        assert [await client.number(), await client.number()] == [1, 1]
        assert [frame(1)] == own.device.got

    run(story)


@pytest.mark.parametrize("direction", ["in", "out"])
def test_a_reordered_message_arrives_behind_the_next(direction: Direction) -> None:
    """Two change places."""

    async def story(own: Bench) -> None:
        own.strike("reorder", direction)
        assert await (await own.client()).ask(1, 2, 3) == [2, 1, 3]

    run(story)


@pytest.mark.parametrize("direction", ["in", "out"])
def test_garbage_keeps_the_frame_and_spoils_its_content(direction: Direction) -> None:
    """The head is as it was."""

    async def story(own: Bench) -> None:
        own.strike("garbage", direction)
        client = await own.client()
        client.send(1)
        got = await client.reader.readexactly(12)
        assert frame(1)[:7] == got[:7]
        assert frame(1)[7:] != got[7:]

    run(story)


def test_a_cut_ends_in_the_middle_of_a_request_with_fin() -> None:
    """Both ends are closed, none is reset."""

    async def story(own: Bench) -> None:
        own.strike("cut")
        client = await own.client()
        client.send(1)
        assert await client.end() == "end after 0 bytes"
        await own.device.ended.wait()
        assert own.device.ends == ["end after 6 bytes"]

    run(story)


def test_a_cut_ends_in_the_middle_of_an_answer_with_fin() -> None:
    """The device has got the request whole."""

    async def story(own: Bench) -> None:
        own.strike("cut", "out")
        client = await own.client()
        client.send(1)
        assert await client.end() == "end after 6 bytes"
        await own.device.ended.wait()
        assert own.device.ends == ["end after 0 bytes"]

    run(story)


@pytest.mark.parametrize("direction", ["in", "out"])
def test_a_reset_ends_both_ends_with_rst(direction: Direction) -> None:
    """In place of the message."""

    async def story(own: Bench) -> None:
        own.strike("reset", direction)
        client = await own.client()
        client.send(1)
        assert await client.end() == "reset"
        await own.device.ended.wait()
        assert own.device.ends == ["reset"]

    run(story)


@pytest.mark.parametrize("direction", ["in", "out"])
def test_a_dripping_message_arrives_in_pieces_and_whole(direction: Direction) -> None:
    """Three bytes at a time."""

    async def story(own: Bench) -> None:
        own.strike("drip", direction, seconds=0.04)
        client, loop = await own.client(), asyncio.get_running_loop()
        begin_s = loop.time()
        assert await client.ask(1) == [1]
        assert loop.time() - begin_s >= 0.04
        sizes = [len(one.data) for one in own.proxy.passed if one.direction == direction]
        assert sizes == [3, 3, 3, 3]

    run(story)


@pytest.mark.parametrize("direction", ["in", "out"])
def test_latency_holds_everything_of_a_direction_until_it_is_removed(direction: Direction) -> None:
    """It is on record once."""

    async def story(own: Bench) -> None:
        fault = Fault(kind="latency", direction=direction, seconds=0.03)
        own.faults.add(fault)
        client, loop = await own.client(), asyncio.get_running_loop()
        for number in range(3):
            begin_s = loop.time()
            await client.ask(number)
            assert loop.time() - begin_s >= 0.03
        own.faults.remove(fault)
        await client.ask(4)
        assert own.struck() == ["latency"]
        assert own.faults.latency_s(("ast_battery",), direction) == 0.0

    run(story)


@pytest.mark.parametrize("direction", ["in", "out"])
def test_a_half_open_connection_passes_nothing_not_even_its_end(direction: Direction) -> None:
    """The client goes, the device hears nothing; a connection after it is as any other."""

    async def story(own: Bench) -> None:
        own.strike("half_open", direction)
        silent = await own.client()
        silent.send(1)
        other = await own.client()
        assert await other.ask(2) == [2]
        silent.send(3)
        silent.writer.close()
        assert await other.ask(4) == [4]
        assert own.proxy.open == 2
        assert own.device.ends == []
        assert frame(3) not in own.device.got
        other.writer.close()
        await own.device.ended.wait()
        assert own.device.ends == ["end after 0 bytes"]
        own.device.ended.clear()
        await own.proxy.cut()
        await own.device.ended.wait()
        assert own.device.ends == ["end after 0 bytes", "reset"]

    run(story)


def test_a_half_open_connection_is_over_when_both_ends_have_gone() -> None:
    """Nobody is there to be told."""

    async def story(own: Bench) -> None:
        own.strike("half_open", "out")
        client = await own.client()
        client.send(1)
        client.writer.write_eof()
        await own.device.heard.wait()
        own.device.writers[0].transport.abort()
        assert await client.end() == "reset"
        assert [frame(1)] == own.device.got

    run(story)


def test_a_refused_connection_is_reset_and_the_next_one_is_taken() -> None:
    """The device hears of neither."""

    async def story(own: Bench) -> None:
        own.faults.add(Fault(kind="refuse", asset="ast_battery", times=2))
        for _ in range(2):
            assert await (await own.client()).end() == "reset"
        assert await (await own.client()).ask(1) == [1]
        assert (own.proxy.taken, len(own.device.writers)) == (3, 1)
        assert own.struck() == ["refuse", "refuse"]

    run(story)


# --- directions, and threads


def test_a_charge_points_own_bytes_go_out() -> None:
    """The opening handshake passes, and then a masked frame is struck by its action."""

    async def story(own: Bench) -> None:
        proxy = Proxy("ocpp", own.device.port, own.faults)
        await proxy.start()
        own.faults.add(Fault(kind="drop", direction="out", action="Heartbeat"))
        client = Client(*await asyncio.open_connection("127.0.0.1", proxy.port))
        own.clients.append(client)
        text = b'[2,"1","Heartbeat",{}]'
        masked = bytes(byte ^ b"abcd"[place % 4] for place, byte in enumerate(text))
        heartbeat = bytes([0x81, 0x80 | len(text)]) + b"abcd" + masked
        handshake, ping = b"GET /CP-1 HTTP/1.1\r\n\r\n", bytes([0x89, 0x80]) + b"abcd"
        client.writer.write(handshake + heartbeat + ping)
        client.writer.write_eof()
        await own.device.ended.wait()
        passed = [one.data for one in proxy.passed if one.direction == "out"]
        assert [handshake, ping] == passed
        assert [(one.kind, one.action) for one in own.faults.injected] == [("drop", "Heartbeat")]
        await proxy.stop()

    run(story)


def test_rules_can_be_added_by_another_thread_while_the_proxy_runs() -> None:
    """The proxy is on a loop thread, the test on its own."""
    loop = LoopThread()
    loop.start()

    async def begin() -> Bench:
        own = Bench()
        await own.device.start()
        own.proxy.target = own.device.port
        await own.proxy.start()
        return own

    async def end(own: Bench) -> None:
        await own.proxy.stop()
        await own.device.stop()

    own = loop.submit(begin()).result(10)
    with socket.create_connection(("127.0.0.1", own.proxy.port), 10) as client:
        client.sendall(frame(1))
        answers = client.makefile("rb")
        assert frame(1) == answers.read(12)
        own.strike("duplicate")
        client.sendall(frame(2))
        assert frame(2) + frame(2) == answers.read(24)
        answers.close()
    loop.submit(end(own)).result(10)
    assert loop.stop()


def test_a_fault_strikes_as_often_as_it_may_from_however_many_threads() -> None:
    """Four threads, one rule of a hundred times."""
    faults = Faults(DeviceClock().now_us)
    faults.add(Fault(kind="drop", times=100))
    together = threading.Barrier(4)

    def strike() -> None:
        together.wait()
        for _ in range(200):
            faults.strike(lambda fault: fault.kind == "drop")

    threads = [threading.Thread(target=strike) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert len(faults.injected) == 100
