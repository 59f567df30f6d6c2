"""Turns: what works on threads elsewhere has its turns here, in one thread, as a seed has it.

Time stands while anybody has something to do, and then goes to the next moment at which somebody
will have.
"""

import random
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Final

import attrs

from engine.types import US_PER_S, to_us

START: Final = datetime(2026, 3, 2, 6, tzinfo=UTC)
"""When a test begins unless it says otherwise."""

_RESTLESS: Final = 200_000


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


def never() -> int | None:
    """Return when there is something to do by itself: never."""
    return None


@attrs.frozen
class _Part:
    """``step`` does a little of what there is to do, and returns nothing true if there is nothing.

    ``due_us`` returns when there will be, on the device clock.
    """

    owner: object
    step: Callable[[], object]
    due_us: Callable[[], int | None]


class Turns:
    """Gives the parts of a run without threads their turns, drawn from a seed. Of one thread."""

    def __init__(self, time: ManualTime, seed: int | str = 0) -> None:
        """Begin with nobody."""
        self._time = time
        self._random = random.Random(f"turns {seed}")
        self._parts: list[_Part] = []
        self._looks: dict[object, Callable[[], object]] = {}
        self._restless = 0

    def add(
        self,
        owner: object,
        step: Callable[[], object],
        due_us: Callable[[], int | None] = never,
    ) -> None:
        """Let a part of ``owner`` have its turns."""
        self._parts.append(_Part(owner, step, due_us))

    def suspend(self, owner: object) -> Callable[[], None]:
        """Give no part of ``owner`` a turn until what is returned is called."""
        asleep = [one for one in self._parts if one.owner is owner]
        self.remove(owner)
        return lambda: self._parts.extend(asleep)

    def look(self, owner: object, after_each: Callable[[], object]) -> None:
        """Call something of ``owner`` after each turn; what it raises ends the run there."""
        self._looks[owner] = after_each

    def remove(self, owner: object) -> None:
        """Let no part of ``owner`` have a turn any more."""
        self._parts = [one for one in self._parts if one.owner is not owner]

    def settle(self, done: Callable[[], bool] = lambda: False) -> None:
        """Let everybody do what there is to do now, or as much as it takes for ``done``.

        Raises:
            RuntimeError: they give each other work without end.
        """
        for _ in range(_RESTLESS):
            if done() or not self._one_turn():
                return
        raise RuntimeError("they give each other work at one instant without end")

    def run_until(self, device_us: int) -> None:
        """Let time go on to a device time, and stop at each moment at which somebody is due.

        Raises:
            ValueError: that time is past.
            RuntimeError: somebody is due without end.
        """
        if device_us < self._time.device_us:
            raise ValueError("time does not go back")
        self.settle()
        while self._moved(device_us):
            self.settle()

    def wait_for(self, done: Callable[[], bool], timeout_s: float | None) -> bool:
        """Let time go on until something is so; return False if it is not in time.

        Raises:
            RuntimeError: it never will be, as nobody has anything to do any more.
        """
        end_us = None if timeout_s is None else self._time.device_us + round(timeout_s * US_PER_S)
        while True:
            self.settle(done)
            if done():
                return True
            if not self._moved(end_us):
                if end_us is None:
                    raise RuntimeError("nobody has anything to do any more")
                return False

    def _one_turn(self) -> bool:
        """Give one part that has something to do a turn; return whether there was one.

        Who comes first is drawn; the others follow in their order.
        """
        parts = self._parts
        first = int(self._random.random() * len(parts))
        try:
            return any(part.step() for part in parts[first:]) or any(
                part.step() for part in parts[:first]
            )
        finally:
            for look in self._looks.values():
                look()

    def _moved(self, latest_us: int | None) -> bool:
        """Let time go on to when somebody is due, ``latest_us`` at most; False if nobody was."""
        times_us = [due_us for one in self._parts if (due_us := one.due_us()) is not None]
        due_us = min(times_us, default=None)
        if due_us is None or (latest_us is not None and due_us > latest_us):
            if latest_us is not None:
                self._time.device_us = max(latest_us, self._time.device_us)
            return False
        self._restless = 0 if due_us > self._time.device_us else self._restless + 1
        if self._restless > _RESTLESS:
            raise RuntimeError("somebody is due at one instant without end")
        self._time.device_us = max(due_us, self._time.device_us)
        return True
