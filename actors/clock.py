"""The two clocks: device time, which is real, and plan time, which schedules live in.

The only module that reads the machine's clocks; everyone else is handed a `Clocks`.
"""

import math
import time
from datetime import UTC, datetime
from typing import Final, Protocol

import attrs

from engine.types import Instant, to_us

_NS_PER_US: Final = 1_000
# Counts on while the machine is suspended, as the devices do; CLOCK_MONOTONIC does not.
_STEADY: Final = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)


def wall_now() -> datetime:
    """Return the machine's wall time, aware, in UTC. Any thread."""
    return datetime.now(UTC)


def steady_s() -> float:
    """Return seconds of a clock that never goes back, for time-outs and gaps. Any thread."""
    return time.clock_gettime(_STEADY)


class TimeSource(Protocol):
    """What a `Clocks` reads: the real one here, the one that tests move in actors.testing."""

    def now_us(self) -> int:
        """Return device time, steady, in microseconds since 1970-01-01 UTC."""
        ...

    def wall_us(self) -> int:
        """Return wall time, as the machine has it, in microseconds since 1970-01-01 UTC."""
        ...


class DeviceClock:
    """Real time that never jumps: the wall time when it was made, plus what elapsed since."""

    def __init__(self) -> None:
        self._offset_us = to_us(wall_now()) - time.clock_gettime_ns(_STEADY) // _NS_PER_US

    def now_us(self) -> int:
        """Return device time in microseconds since 1970-01-01 UTC. Any thread."""
        return self._offset_us + time.clock_gettime_ns(_STEADY) // _NS_PER_US

    def wall_us(self) -> int:
        """Return wall time in microseconds since 1970-01-01 UTC; it may jump. Any thread."""
        return to_us(wall_now())


@attrs.frozen
class ClockMapping:
    """From when, from where and how fast plan time runs; what ClockStarted records.

    At wall time ``wall_us`` the plan clock stood at ``plan_us``; since then it has run ``speed``
    times as fast. A restarted process continues it, as its device clock starts at wall time.
    """

    wall_us: int
    plan_us: int
    speed: float = attrs.field(default=1.0, validator=attrs.validators.gt(0))

    def plan_of(self, device_us: int) -> int:
        """Return the plan time at a device time, both in microseconds since 1970."""
        return self.plan_us + math.floor((device_us - self.wall_us) * self.speed)

    def device_of(self, plan_us: int) -> int:
        """Return a device time at which the plan time is reached, late by at most 1 us or so."""
        device_us = self.wall_us + math.ceil((plan_us - self.plan_us) / self.speed)
        while self.plan_of(device_us) < plan_us:
            device_us += 1
        return device_us


IDENTITY: Final = ClockMapping(wall_us=0, plan_us=0)


class PlanClock:
    """Plan time as a function of device time; it stands at one instant or runs.

    The mapping is replaced as a whole, once, so any thread may read it without a lock.
    """

    def __init__(
        self,
        mapping: ClockMapping | None = IDENTITY,
        *,
        start_at_us: int = 0,
        speed: float = 1.0,
    ) -> None:
        """Run by ``mapping``, or without one stand at ``start_at_us`` until `start`."""
        self._mapping = mapping
        self._start_at_us = start_at_us
        self._speed = speed

    @classmethod
    def standing(cls, start_at_us: int, speed: float = 1.0) -> "PlanClock":
        """Return a clock that stands at ``start_at_us`` and will run at ``speed``."""
        return cls(None, start_at_us=start_at_us, speed=speed)

    @property
    def mapping(self) -> ClockMapping | None:
        """How plan time runs, to be recorded and restored; None while it stands."""
        return self._mapping

    def start(self, device_us: int) -> ClockMapping:
        """Begin to run at this device time; a clock that runs already keeps its mapping."""
        if self._mapping is None:
            self._mapping = ClockMapping(device_us, self._start_at_us, self._speed)
        return self._mapping

    def peek(self, device_us: int) -> ClockMapping:
        """Return the mapping that `start` at this device time makes, or the one that runs."""
        return self._mapping or ClockMapping(device_us, self._start_at_us, self._speed)

    def plan_us(self, device_us: int) -> int:
        """Return the plan time at a device time, both in microseconds since 1970."""
        mapping = self._mapping
        return self._start_at_us if mapping is None else mapping.plan_of(device_us)

    def device_us(self, plan_us: int) -> int | None:
        """Return the device time at which a plan time is reached; None while standing."""
        mapping = self._mapping
        return None if mapping is None else mapping.device_of(plan_us)


@attrs.frozen
class Clocks:
    """Both clocks of one system. Any thread."""

    source: TimeSource = attrs.field(factory=DeviceClock)
    plan: PlanClock = attrs.field(factory=PlanClock)

    def now(self) -> Instant:
        """Return this moment on both clocks, taken from one reading."""
        device_us = self.source.now_us()
        return Instant(plan_us=self.plan.plan_us(device_us), device_us=device_us)

    def device_us(self) -> int:
        """Return device time in microseconds since 1970-01-01 UTC."""
        return self.source.now_us()

    def wall_us(self) -> int:
        """Return wall time in microseconds since 1970-01-01 UTC."""
        return self.source.wall_us()

    def device_of_plan(self, plan_us: int) -> int | None:
        """Return the device time at which a plan time is reached; None while plan time stands."""
        return self.plan.device_us(plan_us)
