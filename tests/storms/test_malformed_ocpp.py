"""Charge points that send whatever a seed makes of real messages, beside some that behave.

CI sends 10,000 frames; ``--setpoint-malformed 1000000`` sends more, ``--setpoint-seed N`` others.
"""

import asyncio
import base64
import contextlib
import itertools
import json
import logging
import math
import random
import secrets
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final

import attrs
import msgspec
import pytest
from ocpp.messages import get_validator

from actors.bench.memory import resident_now_kb
from actors.clock import steady_s, wall_now
from actors.links.ocpp.framing import FRAME_BYTES
from actors.links.ocpp.versions import V16, V201
from actors.sim.charger import ChargerSetup
from actors.sim.connector import Arrival
from actors.sim.depot import Depot
from actors.sim.wirelog import WireEntry, WireLog
from actors.system import ActorSystem
from actors.testing.malformed import OcppMalformer
from actors.testing.waiting import wait_until
from engine import events
from engine.config import OcppListen

KEY: Final = secrets.token_hex(16)
VERSIONS: Final = OcppListen().versions
BAD: Final = 16
"""Charge points that send malformed frames."""
GOOD: Final = tuple(f"good{number}" for number in range(len(VERSIONS)))
BATCH: Final = 50
"""Frames between two questions whether somebody listens."""
RIGHT: Final = 0.2
"""The share of frames that are left as they are."""
PATIENCE_S: Final = 30.0
MOST_BYTES: Final = 150 << 20
"""By how much the process may grow."""

FROM_CHARGERS: Final = {"1.6": V16.theirs, "2.0.1": V201.theirs}
HEAD: Final = """\
[site]
id = "sit_malformed"
[ocpp]
listen = "127.0.0.1:0"
[defaults]
command_timeout_seconds = 2
"""
CHARGER: Final = """\
[[asset]]
id = "ast_{key}"
kind = "ev_charger"
schedule_key = "{key}"
charge_point = "{key}"
password_env = "SETPOINT_MALFORMED_KEY"
max_kw = 22
min_a = 0
"""


# --- what is right


def conversation(entries: list[WireEntry]) -> list[str]:
    """Return the messages of a device's log, in both directions, as they were on the wire."""
    asked: set[str] = set()
    found = []
    for entry in entries:
        own_id = str(entry.message_id)
        if own_id in asked:
            found.append(json.dumps([3, own_id, entry.payload]))
        else:
            found.append(json.dumps([2, own_id, entry.action, entry.payload]))
        asked.add(own_id)
    return found


def strictly(data: bytes) -> Any:  # noqa: ANN401 - any JSON
    """Return what a text is by the letter of RFC 8259.

    Raises:
        ValueError: it is no JSON, or has what others need not understand.
    """

    def number(text: str) -> float:
        value = float(text)
        if not math.isfinite(value):
            raise ValueError(text)
        return value

    def nothing(text: str) -> float:
        raise ValueError(text)

    value = json.loads(data.decode(), parse_float=number, parse_constant=nothing)
    json.dumps(value, ensure_ascii=False).encode()
    return value


def acceptable(data: bytes, version: str) -> str | None:
    """Return the id of a CALL that has to be answered with a result, null for anything else."""
    if len(data) > FRAME_BYTES:
        return None
    try:
        frame = strictly(data)
    except (ValueError, RecursionError):
        return None
    match frame:
        case [int(kind), str(own_id), str(action), dict(payload)] if kind == 2 and kind is not True:
            if not (0 < len(own_id) <= 36 and action in FROM_CHARGERS[version]):
                return None
            validator = get_validator(2, action, version)
            return own_id if next(validator.iter_errors(payload), None) is None else None
    return None


# --- charge points that are wrong


@attrs.define
class Peer:
    """A charge point on a socket of its own, whose websocket frames are made by hand."""

    identity: str
    version: str
    port: int
    counts: Counter[str]
    answered: dict[str, int] = attrs.field(factory=dict)
    """The kind of answer that each id got: 3 a result, 4 an error."""
    asked: str = ""
    """The id of the last CALL that it was sent."""
    _changed: asyncio.Event = attrs.field(factory=asyncio.Event)
    _writer: Any = None
    _reading: Any = None

    async def open(self) -> None:
        """Connect and log in."""
        reader, self._writer = await asyncio.open_connection("127.0.0.1", self.port)
        token = base64.b64encode(f"{self.identity}:{KEY}".encode()).decode()
        self._writer.write(
            f"GET /{self.identity} HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\n"
            "Upgrade: websocket\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
            f"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Protocol: ocpp{self.version}\r\n"
            f"Authorization: Basic {token}\r\n\r\n".encode()
        )
        assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 101")
        self._reading = asyncio.create_task(self._read(reader))

    def send(self, data: bytes, opcode: int = 1, *, is_last: bool = True) -> None:
        """Send a websocket frame [RFC 6455, 5.2], masked with zeros."""
        head = bytes((opcode | (0x80 if is_last else 0),))
        size = len(data)
        if size < 126:
            head += bytes((0x80 | size,))
        elif size < 1 << 16:
            head += bytes((0x80 | 126,)) + size.to_bytes(2, "big")
        else:
            head += bytes((0x80 | 127,)) + size.to_bytes(8, "big")
        self._writer.write(head + bytes(4) + data)

    async def _read(self, reader: asyncio.StreamReader) -> None:
        try:
            while True:
                opcode, size = await reader.readexactly(2)
                if size >= 126:
                    size = int.from_bytes(await reader.readexactly(2 if size == 126 else 8), "big")
                self._take(opcode & 0x0F, await reader.readexactly(size))
        except (asyncio.IncompleteReadError, ConnectionError):
            self.counts["sockets closed by the engine"] += 1
            self._changed.set()

    def _take(self, opcode: int, data: bytes) -> None:
        if opcode == 9:
            self.send(data, 10)
        if opcode != 1:
            return
        frame = msgspec.json.decode(data)
        if frame[0] == 2:
            self.asked = frame[1]
        else:
            self.answered[frame[1]] = frame[0]
            self._changed.set()

    async def listens(self, owed: dict[str, bytes], number: int) -> None:
        """See that each of these was answered with a result, and that somebody still listens."""
        own_id = f"alive-{number}"
        alive = f'[2,"{own_id}","Heartbeat",{{}}]'.encode()
        self.send(alive)
        owed[own_id] = alive
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(PATIENCE_S):
                while not owed.keys() <= self.answered.keys():
                    self._changed.clear()
                    await self._changed.wait()
        assert {one: data for one, data in owed.items() if self.answered.get(one) != 3} == {}
        self.counts["answered with a result"] += len(owed)
        self.counts["answered with an error"] += list(self.answered.values()).count(4)
        self.answered.clear()

    async def close(self) -> None:
        """Hang up."""
        self._reading.cancel()
        self._writer.close()


async def rage(peer: Peer, corpus: list[str], dice: random.Random, frames: int) -> None:
    """Send so many frames, and see that all is well after each batch."""
    malformer = OcppMalformer(dice.getrandbits(32))
    await peer.open()
    owed: dict[str, bytes] = {}
    for number in range(frames):
        data, kind = _made(peer, corpus, dice, malformer, f"{number:x}")
        _send(peer, data, dice)
        peer.counts[kind] += 1
        if acceptable(data, peer.version) == f"{number:x}":  # others may be there twice
            owed[f"{number:x}"] = data
        if number % BATCH == BATCH - 1 or number == frames - 1:
            await peer.listens(owed, number)
            owed = {}
    await peer.close()


def _made(
    peer: Peer, corpus: list[str], dice: random.Random, malformer: OcppMalformer, own_id: str
) -> tuple[bytes, str]:
    """Return a frame and its kind; a result often has the id of what was asked just now."""
    frame = json.loads(dice.choice(corpus))
    frame[1] = own_id if frame[0] == 2 else dice.choice((own_id, peer.asked or own_id))
    text = json.dumps(frame).encode()
    if dice.random() < RIGHT:
        return text, "right"
    made = malformer.of(text)
    return made.data, made.kind


def _send(peer: Peer, data: bytes, dice: random.Random) -> None:
    """Send it as a text, sometimes as bytes or in two fragments; a duplicate twice."""
    how = dice.random()
    if how < 0.05:
        peer.send(data, 2)
    elif how < 0.1:
        peer.send(data[:9], is_last=False)
        peer.send(data[9:], 0)
    else:
        peer.send(data)
        if how < 0.13:
            peer.counts["sent twice"] += 1
            peer.send(data)


# --- the others


@attrs.define
class House:
    """An engine, charge points that behave, and the numbers of those that do not."""

    system: ActorSystem
    depot: Depot
    slowest_s: float = 0.0
    commands: int = 0
    commanded: asyncio.Event = attrs.field(factory=asyncio.Event)

    def charges(self) -> bool:
        """Return whether those that behave have a vehicle that charges."""
        states = self.system.state()
        return all(states[f"ast_{one}"].state == "CHARGING" for one in GOOD)

    def corpus(self, version: str) -> list[str]:
        """Return what was said with the good charge point of a version."""
        log = self.depot.chargers[GOOD[VERSIONS.index(version)]].wire_log
        return conversation(list(log.entries))

    async def command(self, until: asyncio.Event) -> None:
        """Command the good ones, over and over, and the bad ones, to be answered badly."""
        for number in itertools.count():
            if until.is_set():
                return
            for one in range(BAD):
                self._send(f"ast_bad{one}", number)
            for good in GOOD:
                began_s = steady_s()
                handle = self._send(f"ast_{good}", number)
                done = await asyncio.to_thread(handle.wait, PATIENCE_S)
                assert done.status == "COMPLETED"
                self.slowest_s = max(self.slowest_s, steady_s() - began_s)
                self.commands += 1
            self.commanded.set()
            await asyncio.sleep(0.5)

    def _send(self, asset: str, number: int) -> Any:  # noqa: ANN401 - a handle
        kw = 6 + number % 2
        return self.system.send(asset, "SET_CHARGE_RATE", kw=kw, by="anna", reason="a campaign")


@pytest.fixture
def house(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[House]:
    """Give an engine with a good charge point of each version, which charges."""
    monkeypatch.setenv("SETPOINT_MALFORMED_KEY", KEY)
    file = tmp_path / "site.toml"
    keys = (*GOOD, *(f"bad{number}" for number in range(BAD)))
    file.write_text(HEAD + "".join(CHARGER.format(key=key) for key in keys), encoding="utf-8")
    depot = Depot()
    depot.start()
    with ActorSystem.open(file) as system:
        for identity, version in zip(GOOD, VERSIONS, strict=True):
            setup = ChargerSetup(
                identity,
                system.ocpp_url or "",
                wall_now,
                password=KEY,
                arrivals=(Arrival(1, 0.0),),
                version=version,
                meter_s=2.0,
            )
            depot.add_charger(setup, WireLog())
        made = House(system, depot)
        wait_until(made.charges, 30)
        yield made
        depot.stop()


@pytest.mark.timeout(0)
def test_nothing_that_a_charge_point_sends_does_any_harm(
    house: House,
    setpoint_seed: int,
    malformed: int,
    caplog: pytest.LogCaptureFixture,
    record_property: Callable[[str, object], None],
) -> None:
    """No crash, no other charge point that notices, no memory, an answer to all that is right."""
    counts: Counter[str] = Counter()
    port = int((house.system.ocpp_url or "").rpartition(":")[2])

    async def campaign() -> None:
        over = asyncio.Event()
        commanding = asyncio.create_task(house.command(over))
        await house.commanded.wait()  # now there is a conversation to spoil
        peers = [
            Peer(f"bad{number}", VERSIONS[number % len(VERSIONS)], port, counts)
            for number in range(BAD)
        ]
        async with asyncio.TaskGroup() as group:
            for peer in peers:
                dice = random.Random(f"{setpoint_seed} {peer.identity}")
                corpus = house.corpus(peer.version)
                group.create_task(rage(peer, corpus, dice, malformed // len(peers)))
        over.set()
        await commanding

    with caplog.at_level(logging.WARNING, "setpoint"):
        before_kb, began_s = resident_now_kb(), steady_s()
        asyncio.run(campaign())
        grown_kb, took_s = resident_now_kb() - before_kb, steady_s() - began_s
    counts["kB grown"], counts["seconds"] = round(grown_kb), round(took_s)
    counts["commands of the good"] = house.commands
    counts["ms of the slowest of these"] = round(house.slowest_s * 1_000)
    record_property("malformed", dict(counts))
    assert counts["sockets closed by the engine"] == 0
    assert grown_kb * 1_000 < MOST_BYTES
    assert [one.message for one in caplog.records if one.levelno >= logging.ERROR] == []
    told = [record.event for record in house.system.events()]
    assert not [one for one in told if isinstance(one, events.ActorCrashed)]
    lost = [one.header.stream for one in house.system.events() if _lost(one.event)]
    assert not {f"ast_{one}" for one in GOOD} & set(lost)
    assert house.system.verify().ok


def _lost(event: object) -> bool:
    return isinstance(event, events.ConnectionChanged) and not event.connected
