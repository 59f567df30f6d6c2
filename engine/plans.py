"""Packed plans: one asset's part of a schedule as a step function of whole watts.

A plan stays packed from the schedule's event to the moment that a change falls due; what is asked
of it on the way is answered from the bytes. All times are plan clock, microseconds since 1970 UTC.
"""

import re
import struct
import sys
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from itertools import pairwise
from typing import Final, TypeAlias

from msgspec import Struct

from engine.types import Channel, CommandId, ScheduleId

Pair: TypeAlias = tuple[int | None, int | None]
"""The watts of both channels, in the order of ``Channel``; null before a channel's first change."""

_DUE: Final = struct.Struct("<q")
_WATTS: Final = struct.Struct("<i")
_due_at: Final = _DUE.unpack_from
_watts_at: Final = _WATTS.unpack_from
_DUE_BYTES: Final = _DUE.size
_WATTS_BYTES: Final = _WATTS.size
_BIG_ENDIAN: Final = sys.byteorder == "big"
_CHANNELS: Final = tuple(Channel)
_MARKS: Final = tuple(bytes((channel,)) for channel in Channel)
_COUNT: Final = "(0|[1-9][0-9]{0,9})"
_COMMAND_ID: Final = re.compile(rf"cmd_(.+)\.{_COUNT}\.{_COUNT}", re.DOTALL)


class PlannedChange(Struct, frozen=True, gc=False):
    """Change number ``index`` of a plan: from ``due_us`` on ``channel`` holds ``watts``."""

    index: int
    due_us: int
    channel: Channel
    watts: int


class Plan(Struct, frozen=True, gc=False):
    """One asset's value changes, packed: change n is due at ``due[n]`` on ``channel[n]``.

    ``due`` holds int64 little-endian microseconds since 1970 UTC (plan clock), ascending;
    ``channel`` one byte each (``Channel``); ``watts`` int32 little-endian. At one instant of a
    battery the channel that goes to zero comes first. The first slot is a change on every channel.
    ``columns`` names the schedule's column of each channel, in the order of ``Channel``; it is
    empty for a channel that the schedule did not name and that is therefore planned as 0.
    """

    columns: tuple[str, ...]
    due: bytes
    channel: bytes
    watts: bytes

    def __len__(self) -> int:
        """Return the number of changes."""
        return len(self.channel)

    def change(self, index: int) -> PlannedChange:
        """Return one change.

        Raises:
            IndexError: there is no change of that number.
        """
        if not 0 <= index < len(self.channel):
            raise IndexError(f"change {index} of a plan of {len(self)}")
        return PlannedChange(
            index,
            _due_at(self.due, _DUE_BYTES * index)[0],
            _CHANNELS[self.channel[index]],
            _watts_at(self.watts, _WATTS_BYTES * index)[0],
        )

    def changes(self) -> Iterator[PlannedChange]:
        """Yield all changes in order."""
        return map(self.change, range(len(self.channel)))

    def index_at(self, plan_us: int, known: int = 0) -> int:
        """Return how many changes are due at a moment or before it, ``known`` at the least."""
        due = self.due
        if known:
            # Seldom has more than one change fallen due since: two looks save the search.
            for index in (known, known + 1):
                place = _DUE_BYTES * index
                if place >= len(due) or _due_at(due, place)[0] > plan_us:
                    return index
        return bisect_right(_instants(due), plan_us, known)

    def due_us(self, index: int) -> int:
        """Return when a change is due; it has to be there."""
        due_us: int = _due_at(self.due, _DUE_BYTES * index)[0]
        return due_us

    def value_at(self, plan_us: int, channel: Channel) -> int | None:
        """Return a channel's watts at a moment; null before its first change."""
        return self._value_before(self.index_at(plan_us), channel)

    def values_at(self, plan_us: int, known: int = 0) -> Pair:
        """Return the watts of both channels at a moment; null before a channel's first change.

        So many changes are ``known`` to be due by then.
        """
        return self.before(self.index_at(plan_us, known))

    def before(self, index: int) -> Pair:
        """Return the watts of both channels as the changes before ``index`` leave them."""
        return self._value_before(index, 0), self._value_before(index, 1)

    def next_due_us(self, after_us: int) -> int | None:
        """Return when the first change after a moment is due; null where there is none."""
        index = self.index_at(after_us)
        if index == len(self.channel):
            return None
        return self.due_us(index)

    def next_on_channel(self, index: int) -> int | None:
        """Return the number of the next change on the same channel; null after the last."""
        found = self.channel.find(_MARKS[self.channel[index]], index + 1)
        return None if found < 0 else found

    def _value_before(self, index: int, channel: int) -> int | None:
        last = self.channel.rfind(_MARKS[channel], 0, index)
        if last < 0:
            return None
        watts: int = _watts_at(self.watts, _WATTS_BYTES * last)[0]
        return watts


def _instants(due: bytes) -> Sequence[int]:
    if _BIG_ENDIAN:
        return struct.unpack(f"<{len(due) // _DUE_BYTES}q", due)
    return memoryview(due).cast("q")


def pack(changes: Iterable[PlannedChange], columns: tuple[str, ...] = ()) -> Plan:
    """Return changes as a plan; they are numbered anew, in the order given.

    Raises:
        ValueError: a change is due before the one in front of it.
    """
    taken = tuple(changes)
    if any(one.due_us > other.due_us for one, other in pairwise(taken)):
        raise ValueError("the changes of a plan are in order of time")
    return Plan(
        columns,
        b"".join(_DUE.pack(change.due_us) for change in taken),
        bytes(change.channel for change in taken),
        b"".join(_WATTS.pack(change.watts) for change in taken),
    )


def same_over(one: Plan, other: Plan, start_us: int, end_us: int) -> bool:
    """Return whether two plans want the same at every moment from ``start_us`` until ``end_us``.

    Each holds its last values beyond its last change; ``end_us`` itself is not looked at. Names of
    columns do not count, nor do changes to the value that holds already.
    """
    if end_us <= start_us or _goes_on(one, other, start_us):
        return True
    if one.values_at(start_us) != other.values_at(start_us):
        return False
    spans = [(plan, plan.index_at(start_us), plan.index_at(end_us - 1)) for plan in (one, other)]
    return _packed(*spans[0]) == _packed(*spans[1]) or list(_steps(*spans[0])) == list(
        _steps(*spans[1])
    )


def _goes_on(plan: Plan, rest: Plan, start_us: int) -> bool:
    """Return whether another plan is what one has left from a moment on; False says nothing.

    Quickly told for the most of all re-plans: of a single channel, and behind the newer plan's
    first change the same bytes.
    """
    count = len(plan.channel)
    first = count - len(rest.channel)
    return (
        0 <= first < count
        and plan.watts.endswith(rest.watts)
        and plan.due.endswith(rest.due[_DUE_BYTES:])
        and plan.channel.endswith(rest.channel)
        and plan.channel.count(rest.channel[:1]) == count
        and _due_at(rest.due)[0] <= start_us >= _due_at(plan.due, _DUE_BYTES * first)[0]
    )


def _packed(plan: Plan, first: int, last: int) -> tuple[bytes, bytes, bytes]:
    return (
        plan.due[_DUE_BYTES * first : _DUE_BYTES * last],
        plan.channel[first:last],
        plan.watts[_WATTS_BYTES * first : _WATTS_BYTES * last],
    )


def _steps(plan: Plan, first: int, last: int) -> Iterator[tuple[int, Pair]]:
    """Yield each instant of a range of changes at which the pair really becomes another."""
    index = first
    before = plan.values_at(plan.change(first).due_us - 1) if first < last else (None, None)
    while index < last:
        due_us = plan.change(index).due_us
        index = plan.index_at(due_us)
        pair = plan.values_at(due_us)
        if pair != before:
            yield due_us, pair
        before = pair


class PlanRef(Struct, frozen=True, gc=False):
    """Which accepted schedule a plan came with, and the asset's place in it."""

    schedule_id: ScheduleId
    sequence: int
    ordinal: int


def command_id(ref: PlanRef, index: int) -> CommandId:
    """Return the id of a planned command: change ``index`` of the plan that ``ref`` names."""
    return CommandId(f"cmd_{ref.schedule_id.removeprefix('sch_')}.{ref.ordinal}.{index}")


def parse_command_id(command_id: str) -> tuple[ScheduleId, int, int] | None:
    """Return schedule id, asset's ordinal and change's number; null if not a planned one."""
    found = _COMMAND_ID.fullmatch(command_id)
    if found is None:
        return None
    name, ordinal, index = found.groups()
    return ScheduleId(f"sch_{name}"), int(ordinal), int(index)
