"""The bench ``scale``: two thousand charge points on real websockets, for ten minutes.

Each has a password and says every ten seconds that it is there and which power it measures, while
all setpoints change every minute. Then all sockets close at once, and all come back.
"""

import gc
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Final

import attrs

from actors.bench.chargers import IDENTITY
from actors.bench.engine import folder, herd
from actors.bench.lateness import Late
from actors.bench.memory import resident_now_kb
from actors.bench.peer import Peer, peer
from actors.bench.rest import until
from actors.bench.rows import Row, row, within
from actors.clock import Clocks, steady_s
from actors.passwords import hash_password
from actors.system import ActorSystem
from engine.types import US_PER_S, from_us

CHARGERS: Final = 2_000
MINUTES: Final = 10
DEVICES: Final = "actors.bench.chargers"
EVERY_S: Final = 10
"""How often a charge point sends a heartbeat and a meter value."""

_KEY: Final = "0123456789abcdef0123456789abcdef"
_AHEAD_S: Final = 10
_SLOT_S: Final = 60.0
_LOOKED_AT: Final = 0.8
"""The part of a slot after which is looked at what came in it."""
_LAST_MS: Final = 1_000.0
_BACK_S: Final = 30.0
_SETTLED: Final = 2
"""The slot after which memory is compared with that at the end."""

_HEAD: Final = """
[site]
id = "sit_bench"
timezone = "UTC"
[store]
url = "sqlite:///bench.db"
[ocpp]
listen = "127.0.0.1:0"
"""
_CHARGER: Final = """
[[asset]]
id = "ast_{number}"
kind = "ev_charger"
schedule_key = "{number}"
adapter = "ocpp"
charge_point = "{identity}"
password_hash = "{hashed}"
max_kw = 22
fallback_kw = 4.2
on_stop = "hold"
verify = "ack"
"""


@attrs.frozen
class Scale:
    """What was measured: how late each slot's setpoints arrived, and what the engine took.

    ``memory_kb`` is the process's after each slot, less what it was before the engine was opened;
    ``cpu`` the share of one core that its process took; ``back_s`` from when all sockets closed
    until each charge point was told its setpoint again.
    """

    chargers: int
    slots: Sequence[Late]
    memory_kb: Sequence[float]
    cpu: float
    back_s: float


def measured(chargers: int = CHARGERS, slots: int = MINUTES, slot_s: float = _SLOT_S) -> Scale:
    """Run so many charge points for so many slots, and let all of them come back.

    Raises:
        ValueError: a charge point was not told a slot's setpoint, or more than once.
        TimeoutError: they do not come back.
    """
    before_kb = resident_now_kb()
    clocks = Clocks()
    with opened(chargers, clocks) as system, peer(DEVICES) as devices:
        connect(system, devices, chargers)
        devices.ask("busy", EVERY_S)
        first_us = clocks.device_us() + _AHEAD_S * US_PER_S
        table = herd([str(number) for number in range(chargers)], slots, from_us(first_us), slot_s)
        system.submit(table)
        late, memory_kb = [], []
        began_s, cpu_s = steady_s(), time.process_time()
        for number in range(slots):
            due_us = first_us + round(number * slot_s * US_PER_S)
            due_s = steady_s() + (due_us - clocks.device_us()) / US_PER_S
            late.append(_slot(devices, chargers, due_s, due_s + slot_s * _LOOKED_AT))
            gc.collect()
            memory_kb.append(resident_now_kb() - before_kb)
        cpu = (time.process_time() - cpu_s) / (steady_s() - began_s)
        closed_s = steady_s()
        devices.ask("close")
        connect(system, devices, chargers)
        back_s = max(_arrived(devices, chargers)) - closed_s
    return Scale(chargers, late, memory_kb, cpu, back_s)


@contextmanager
def opened(chargers: int, clocks: Clocks) -> Iterator[ActorSystem]:
    """Give a running engine with so many charge points that have not come yet."""
    hashed = hash_password(_KEY)
    entries = (
        _CHARGER.format(number=number, identity=IDENTITY.format(number=number), hashed=hashed)
        for number in range(chargers)
    )
    with folder() as place:
        file = place / "site.toml"
        file.write_text("".join((_HEAD, *entries)), encoding="utf-8")
        with ActorSystem.open(file, clocks=clocks) as system:
            yield system


def connect(system: ActorSystem, devices: Peer, chargers: int) -> None:
    """Let all connect, and wait until the engine knows each one's state."""
    port = (system.ocpp_url or "").rpartition(":")[2]
    devices.ask("connect", port, chargers, _KEY)
    board = system.assembly.board
    until(lambda: all(one.device.connected and one.device.state_known for one in board.values()))


def _slot(devices: Peer, chargers: int, due_s: float, look_s: float) -> Late:
    """Return how late each charge point was told of what was due."""
    devices.ask("arrived")
    until(lambda: steady_s() >= look_s)
    arrived = _times(devices)
    if len(arrived) != chargers:
        raise ValueError(f"{len(arrived)} setpoints arrived at {chargers} charge points")
    return Late(sorted(at - due_s for at in arrived))


def _arrived(devices: Peer, chargers: int) -> Sequence[float]:
    """Wait for a setpoint for each charge point, and return when they came."""
    arrived: list[float] = []

    def all_there() -> bool:
        arrived.extend(_times(devices))
        return len(arrived) >= chargers

    until(all_there, 0.1)
    return arrived


def _times(devices: Peer) -> list[float]:
    return [float(at) for at in devices.ask("arrived") if at != "-"]


def measure() -> Iterator[Row]:
    """Yield the bench's rows; each slot is a run of the first two."""
    yield from rows(measured())


def rows(found: Scale) -> Iterator[Row]:
    """Yield what was measured, beside its limits where there are some."""
    yield row("scale_lateness", [one.p99_ms for one in found.slots], "ms, 99 of 100")
    last = [one.last_ms for one in found.slots]
    yield within("scale_last", last, _LAST_MS, "ms", "the last")
    yield row("scale_cpu", [100 * found.cpu], "% of a core")
    each = [kb / found.chargers for kb in found.memory_kb]
    yield row("scale_memory", each[-1:], "KB a charge point")
    settled = each[min(_SETTLED, len(each) - 1)]
    yield within("scale_growth", [100 * each[-1] / settled], 105.0, "% of the third minute's")
    yield within("scale_reconnect", [found.back_s], _BACK_S, "s")
