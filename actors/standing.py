"""The start of the plan clock: where it stands, when it begins to run, and its record."""

import math
from datetime import UTC, datetime
from typing import Final, TypeAlias

import attrs

from actors.clock import ClockMapping, Clocks, PlanClock
from engine import events
from engine.errors import UsageError
from engine.types import to_us

_FIRST_US: Final = 0
_END_US: Final = to_us(datetime(9999, 1, 1, tzinfo=UTC))


@attrs.frozen
class PlanStart:
    """Where the plan clock starts on an empty store (microseconds since 1970), and how fast."""

    start_at_us: int | None = None
    speed: float = 1.0

    def __attrs_post_init__(self) -> None:
        """Refuse a speed that is none, and times that no schedule has."""
        if not 0 < self.speed < math.inf:
            raise UsageError(f"the plan clock's speed is a number above 0, not {self.speed}")
        if self.start_at_us is not None and not _FIRST_US <= self.start_at_us < _END_US:
            raise UsageError("the plan clock starts in the years 1970 to 9998, as schedules do")


Recorded: TypeAlias = events.ClockSet | events.ClockStarted


def clocks_for(
    recorded: Recorded | None, wanted: PlanStart, *, empty: bool, given: Clocks | None = None
) -> Clocks:
    """Return the clocks of a system: what is on record goes on, else what is wanted starts.

    ``given`` ones are read in place of the machine's.

    Raises:
        UsageError: the store has events, and other values than its own are wanted.
    """
    given = given or Clocks()
    source = given.source
    if recorded is not None:
        _check(recorded, wanted)
        if isinstance(recorded, events.ClockSet):
            return Clocks(source, PlanClock.standing(recorded.plan_us, recorded.speed))
        mapping = ClockMapping(recorded.wall_us, recorded.plan_us, recorded.speed)
        return Clocks(source, PlanClock(mapping))
    if wanted.start_at_us is None and wanted.speed == 1.0:
        return given
    if not empty:
        raise UsageError("the store has events of a clock that runs as wall time does")
    start_at_us = source.now_us() if wanted.start_at_us is None else wanted.start_at_us
    return Clocks(source, PlanClock.standing(start_at_us, wanted.speed))


def _check(recorded: Recorded, wanted: PlanStart) -> None:
    if wanted.start_at_us is not None and wanted.start_at_us != recorded.plan_us:
        raise UsageError("the store's plan clock was started at another time: leave --start-at out")
    if wanted.speed not in (1.0, recorded.speed):
        raise UsageError(f"the store's plan clock runs {recorded.speed} times as fast")
