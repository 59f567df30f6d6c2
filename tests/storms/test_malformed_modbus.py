"""Batteries whose answers are whatever a seed makes of right ones.

CI asks for 1,000 answers; ``--setpoint-malformed 1000000`` for 100,000, ``--setpoint-seed N`` for
others.
"""

import asyncio
import random
from collections import Counter
from collections.abc import Callable
from typing import Any, Final

import attrs
import pytest

from actors.bench.memory import resident_now_kb
from actors.clock import steady_s
from actors.links.exchange import Reply, Request, Timing
from actors.links.modbus import ModbusConnection
from actors.testing.battery_rig import GuardClock
from actors.testing.malformed import Malformed, ModbusMalformer
from engine.errors import LinkError

CONNECTIONS: Final = 8
RIGHT: Final = 0.2
REPLY_S: Final = 0.05
MOST_BYTES: Final = 50 << 20
UNIT: Final = 5


@attrs.define
class Device:
    """A device that answers each request once, as the malformer has it."""

    dice: random.Random
    malformer: ModbusMalformer
    counts: Counter[str]
    right: bytes = b""
    sent: Malformed | None = None
    """What the last request got."""
    serving: set[Any] = attrs.field(factory=set)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer on one connection until it ends."""
        self.serving.add(asyncio.current_task())
        try:
            while True:
                head = await reader.readexactly(7)
                request = head + await reader.readexactly(int.from_bytes(head[4:6], "big") - 1)
                await self._answer(request, writer)
        except (asyncio.IncompleteReadError, ConnectionError):
            writer.close()
            self.serving.discard(asyncio.current_task())

    async def _answer(self, request: bytes, writer: asyncio.StreamWriter) -> None:
        self.right = right_answer(request, self.dice)
        kind = "right" if self.dice.random() < RIGHT else None
        self.sent = self.malformer.of(self.right, kind)
        self.counts[self.sent.kind] += 1
        for piece in self.sent.pieces:
            writer.write(piece)
            await writer.drain()
            if len(self.sent.pieces) > 1:
                await asyncio.sleep(0.001)


def right_answer(request: bytes, dice: random.Random) -> bytes:
    """Return what a device answers that holds random words."""
    function, count = request[7], int.from_bytes(request[10:12], "big")
    if function in {3, 4}:
        body = bytes((function, 2 * count)) + dice.randbytes(2 * count)
    else:
        body = request[7:12]
    return request[:4] + (len(body) + 1).to_bytes(2, "big") + request[6:7] + body


def requests(dice: random.Random) -> Request:
    """Return a request of a kind that batteries get."""
    function, address = dice.choice((3, 4, 6, 16)), dice.randrange(100)
    if function in {3, 4}:
        return Request(UNIT, function, address, count=dice.randint(1, 125))
    words = tuple(
        dice.randrange(1 << 16) for _ in range(1 if function == 6 else dice.randint(1, 9))
    )
    return Request(UNIT, function, address, words)


def words_of(answer: bytes) -> tuple[int, ...]:
    """Return the registers that an answer to a read has."""
    return tuple(int.from_bytes(answer[at : at + 2], "big") for at in range(9, len(answer), 2))


def understood(device: Device, request: Request, reply: Reply) -> bool:
    """Return whether a reply is what the device said, by the letter of the specification."""
    assert device.sent is not None
    data, right = device.sent.data, device.right
    size = 6 + int.from_bytes(data[4:6], "big")
    frame = data[:size]
    if frame[:4] != right[:4] or frame[6] != UNIT or len(frame) != size:
        return False
    if reply.exception is not None:
        return size == 9 and frame[7] == right[7] | 0x80 and frame[8] == reply.exception
    if frame[7] != right[7] or size != len(right):
        return False
    if request.function in {3, 4}:
        return frame[8] == right[8] and reply.words == words_of(frame)
    return frame == right


async def ask(device: Device, frames: int) -> None:
    """Ask a device so often, and hold each reply against what was sent."""
    server = await asyncio.start_server(device.serve, "127.0.0.1", 0)
    address = ("127.0.0.1", server.sockets[0].getsockname()[1])
    guards = attrs.evolve(GuardClock().guards(), pauses_s=(0.0005, 0.001))
    connection = ModbusConnection(address, None, guards)
    hearer = _Hearer()
    connection.join(hearer)
    for _ in range(frames):
        await hearer.is_up.wait()
        request = requests(device.dice)
        device.sent = None
        reply, outcome = await _asked(connection, request)
        if reply is None:
            device.counts["refused"] += 1
            is_right = device.sent is not None and device.sent.kind in {"right", "split"}
            assert not is_right or outcome == "timed_out", device.sent  # the machine may be busy
            continue
        assert understood(device, request, reply), (device.sent, request, reply)
        device.counts["understood"] += 1
    await connection.leave(hearer)
    server.close()
    await asyncio.gather(*device.serving)


async def _asked(connection: ModbusConnection, request: Request) -> tuple[Reply | None, str | None]:
    """Return the reply to a request, or of what kind the error is."""
    try:
        async with connection.lock:
            return await connection.exchange(request, Timing(REPLY_S), control=False), None
    except LinkError as error:
        return None, getattr(error, "outcome", None)


class _Hearer:
    """Knows whether there is a connection."""

    def __init__(self) -> None:
        self.is_up = asyncio.Event()

    def up(self) -> None:
        self.is_up.set()

    def down(self, reason: str, *, dropped: bool) -> None:
        del reason, dropped
        self.is_up.clear()


@pytest.mark.timeout(0)
def test_nothing_that_a_battery_answers_is_taken_for_what_it_is_not(
    setpoint_seed: int, malformed: int, record_property: Callable[[str, object], None]
) -> None:
    """A reply is what the device said in a whole frame; all else is no answer, and no harm."""
    counts: Counter[str] = Counter()

    async def campaign() -> None:
        async with asyncio.TaskGroup() as group:
            for number in range(CONNECTIONS):
                seed = f"{setpoint_seed} {number}"
                device = Device(random.Random(seed), ModbusMalformer(seed), counts)
                group.create_task(ask(device, malformed // 10 // CONNECTIONS))

    before_kb, began_s = resident_now_kb(), steady_s()
    asyncio.run(campaign())
    grown_kb, took_s = resident_now_kb() - before_kb, steady_s() - began_s
    counts["kB grown"], counts["seconds"] = round(grown_kb), round(took_s)
    record_property("malformed", dict(counts))
    assert counts["understood"] > counts["right"] > 0
    assert grown_kb * 1_000 < MOST_BYTES
