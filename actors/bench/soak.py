"""The bench ``soak``: a month of plan time in twelve minutes, and whether memory grows.

Charge points on real websockets; every power changes every quarter of an hour, and every day
brings the schedule of the next two.
"""

import gc
from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Final

import attrs

from actors.bench.engine import herd
from actors.bench.memory import resident_now_kb
from actors.bench.peer import peer
from actors.bench.rest import until
from actors.bench.rows import Row, row, within
from actors.bench.scale import DEVICES, EVERY_S, connect, opened
from actors.clock import ClockMapping, Clocks, DeviceClock, PlanClock
from actors.system import ActorSystem
from engine.commands import CommandStatus
from engine.types import to_us

CHARGERS: Final = 20
DAYS: Final = 30
SPEED: Final = 3_600.0
BEGIN: Final = datetime(2025, 1, 1, tzinfo=UTC)

_SLOTS_A_DAY: Final = 96
_AHEAD: Final = timedelta(hours=12)
_DAY: Final = timedelta(days=1)
_SETTLED: Final = 5
"""The day after which memory is compared with that at the end."""
_LOOK_S: Final = 0.05
_FINE: Final = frozenset({CommandStatus.COMPLETED, CommandStatus.CANCELLED})


@attrs.frozen
class Soak:
    """The process's memory after each day, and how the commands of all of them ended."""

    memory_kb: Sequence[float]
    ended: Counter[CommandStatus]


def measured(chargers: int = CHARGERS, days: int = DAYS, speed: float = SPEED) -> Soak:
    """Run so many charge points for so many days.

    Raises:
        ValueError: a command failed, or is not over.
    """
    source = DeviceClock()
    start = ClockMapping(source.now_us(), to_us(BEGIN - _AHEAD), speed)
    clocks = Clocks(source, PlanClock(start))
    memory_kb = []
    with opened(chargers, clocks) as system, peer(DEVICES) as devices:
        connect(system, devices, chargers)
        devices.ask("busy", EVERY_S)
        for day in range(days):
            _submit(system, chargers, day)
            over_us = to_us(BEGIN + (day + 1) * _DAY - _AHEAD)
            until(lambda over_us=over_us: clocks.now().plan_us >= over_us, _LOOK_S)  # type: ignore[misc]
            gc.collect()
            memory_kb.append(resident_now_kb())
        end_us = to_us(BEGIN + (days + 1) * _DAY)
        until(lambda: clocks.now().plan_us >= end_us, _LOOK_S)
        until(lambda: not any(one.open_commands for one in system.state().values()))
        ended = Counter(one.status for one in system.history())
    if not ended.keys() <= _FINE:
        raise ValueError(f"not all commands came to a good end: {dict(ended)}")
    return Soak(memory_kb, ended)


def _submit(system: ActorSystem, chargers: int, day: int) -> None:
    """Plan two days; of the first only the part that is left takes the place of the last plan."""
    keys = [str(number) for number in range(chargers)]
    system.submit(herd(keys, 2 * _SLOTS_A_DAY, BEGIN + day * _DAY))


def rows(found: Soak) -> Iterator[Row]:
    """Yield what was measured."""
    settled = found.memory_kb[min(_SETTLED, len(found.memory_kb)) - 1]
    grown = 100 * found.memory_kb[-1] / settled
    yield within("soak_growth", [grown], 105.0, "% of the fifth day's memory")
    yield row("soak", [found.ended[CommandStatus.COMPLETED]], "commands completed")


def measure() -> Iterator[Row]:
    """Yield the bench's rows."""
    yield from rows(measured())
