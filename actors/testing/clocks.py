"""Clocks that stand until a test moves them."""

from datetime import datetime
from typing import Self

import attrs

from actors.clock import Clocks, PlanClock
from actors.testing.turns import START, ManualTime, Turns
from engine.types import US_PER_S, to_us

__all__ = ["START", "ManualClocks", "ManualTime"]


@attrs.frozen
class ManualClocks(Clocks):
    """Both clocks, moved by hand, in one thread.

    Moving stops whenever somebody who has ``turns`` is due, and lets all come to rest before time
    goes on.
    """

    source: ManualTime = attrs.field(factory=ManualTime)
    turns: Turns = attrs.field(init=False)

    @turns.default
    def _turns(self) -> Turns:
        return Turns(self.source)

    @classmethod
    def starting(cls, at: datetime = START, plan: PlanClock | None = None) -> Self:
        """Return clocks that stand at an aware time; without ``plan`` both show the same."""
        return cls(source=ManualTime(to_us(at)), plan=plan or PlanClock())

    def advance(self, seconds: float) -> None:
        """Move device time on by real seconds; plan time follows at its speed."""
        self.turns.run_until(self.source.device_us + round(seconds * US_PER_S))

    def advance_to(self, t: datetime | str) -> None:
        """Move on until plan time is ``t``, aware or ISO 8601 with its offset.

        Raises:
            ValueError: the time is past, has no time zone, or plan time stands.
        """
        plan_us = to_us(datetime.fromisoformat(t) if isinstance(t, str) else t)
        device_us = self.device_of_plan(plan_us)
        if device_us is None:
            raise ValueError("plan time stands")
        self.turns.run_until(device_us)
