"""When a sample was taken: a device's clock may be wrong, and it may have kept it for long."""

from typing import Final

from msgspec import Struct

from engine.adapters.device_clock import Reading
from engine.types import US_PER_S, CommandId

_NEAR_S: Final = 2
AGE_US: Final = 300 * US_PER_S
"""A sample stands for so long at the most (device clock); what comes later is not measured."""


class Sample(Struct, frozen=True, gc=False):
    """A measured power, charging positive. Times are device clock.

    ``taken_us`` is the device's own time of it, put right by what is known of its clock;
    ``heard_us`` is when it came.
    """

    power_w: int
    taken_us: int
    heard_us: int


class Tally(Struct, frozen=True, gc=False):
    """What was measured since ``from_us`` of a stretch in which ``planned_w`` is planned.

    ``command_id`` is the command whose slot it is, ``sequence`` the plan's. Up to ``at_us`` it is
    summed up, ``power_w`` is what was measured last, at ``heard_us`` (device clock; all other times
    and durations are plan clock). Sums are watts by microseconds.
    """

    command_id: CommandId | None
    sequence: int
    planned_w: int
    from_us: int
    until_us: int
    at_us: int
    heard_us: int
    power_w: int
    measured_us: int = 0
    energy_wus: int = 0
    above_wus: int = 0
    below_wus: int = 0
    off_us: int = 0


def stands(sample: Sample, now_us: int) -> bool:
    """Return whether a sample still says something of now (device clock)."""
    return now_us - sample.taken_us <= AGE_US


def sampled(power_w: int, stamp_us: int | None, clock: Reading, now_us: int) -> Sample:
    """Return a power with the time at which it was taken: by the device's clock, if it told one.

    A clock that is known to be wrong is put right. A sample that was queued looks like one of a
    slow clock, so of a clock that is not known it counts as old.
    """
    if stamp_us is None:
        return Sample(power_w, now_us, now_us)
    ahead_s = clock.ahead_s or 0
    ahead_us = ahead_s * US_PER_S if abs(ahead_s) > _NEAR_S else 0
    return Sample(power_w, min(stamp_us - ahead_us, now_us), now_us)
