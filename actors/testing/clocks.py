"""Clocks that stand until a test moves them, and the wake-ups that they drive."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Final, Self

import attrs

from actors.clock import Clocks, PlanClock
from actors.wakeups import Wakeups
from engine.types import US_PER_S, to_us

START: Final = datetime(2026, 3, 2, 6, tzinfo=UTC)
"""When a test begins unless it says otherwise."""

_RESTLESS: Final = 100_000


@attrs.define
class ManualTime:
    """Device and wall time as a test sets them, in microseconds since 1970-01-01 UTC."""

    device_us: int = to_us(START)
    wall_ahead_us: int = 0
    """By how much the machine's wall time has jumped since the start."""

    def now_us(self) -> int:
        """Return device time."""
        return self.device_us

    def wall_us(self) -> int:
        """Return wall time."""
        return self.device_us + self.wall_ahead_us


@attrs.frozen
class _Driven:
    """Wake-ups that follow the clocks, and what lets those whom they woke come to rest."""

    wakeups: Wakeups
    settle: Callable[[], object]


@attrs.frozen
class ManualClocks(Clocks):
    """Both clocks, moved by hand, in one thread.

    Moving stops at each wake-up on the way, fires it at its own time, and lets the actors come
    to rest before time goes on.
    """

    source: ManualTime = attrs.field(factory=ManualTime)
    _driven: list[_Driven] = attrs.field(factory=list, init=False)

    @classmethod
    def starting(cls, at: datetime = START, plan: PlanClock | None = None) -> Self:
        """Return clocks that stand at an aware time; without ``plan`` both show the same."""
        return cls(source=ManualTime(to_us(at)), plan=plan or PlanClock())

    def drive(self, wakeups: Wakeups, settle: Callable[[], object]) -> None:
        """From now on fire these wake-ups, each time followed by ``settle``."""
        self._driven.append(_Driven(wakeups, settle))

    def release(self, wakeups: Wakeups) -> None:
        """Drive these wake-ups no more: their system crashed or closed."""
        self._driven[:] = [each for each in self._driven if each.wakeups is not wakeups]

    def advance(self, seconds: float) -> None:
        """Move device time on by real seconds; plan time follows at its speed."""
        self._move_to(self.source.device_us + round(seconds * US_PER_S))

    def advance_to(self, t: datetime | str) -> None:
        """Move on until plan time is ``t``, aware or ISO 8601 with its offset.

        Raises:
            ValueError: the time is past, has no time zone, or plan time stands.
        """
        plan_us = to_us(datetime.fromisoformat(t) if isinstance(t, str) else t)
        device_us = self.device_of_plan(plan_us)
        if device_us is None:
            raise ValueError("plan time stands")
        self._move_to(device_us)

    def _move_to(self, device_us: int) -> None:
        """Move through all wake-ups on the way to a device time.

        Raises:
            ValueError: the time is past.
            RuntimeError: wake-ups at one instant arm each other without end.
        """
        if device_us < self.source.device_us:
            raise ValueError("time does not go back")
        self._settle()
        fired_at_us, count = 0, 0
        while (due_us := self._next_due()) is not None and due_us <= device_us:
            self.source.device_us = max(due_us, self.source.device_us)
            count = count + 1 if fired_at_us == self.source.device_us else 0
            fired_at_us = self.source.device_us
            if count > _RESTLESS:
                raise RuntimeError("wake-ups arm each other at one instant without end")
            for driven in tuple(self._driven):
                driven.wakeups.fire_due()
            self._settle()
        self.source.device_us = device_us

    def _next_due(self) -> int | None:
        """Return the next wake-up's device time, or None."""
        times_us = (driven.wakeups.next_due() for driven in self._driven)
        return min((time_us for time_us in times_us if time_us is not None), default=None)

    def _settle(self) -> None:
        """Let everybody come to rest."""
        for driven in tuple(self._driven):
            driven.settle()
