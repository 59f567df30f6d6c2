"""What a read model keeps of an asset's history, and how it is recalled.

A row a plan, a row a command that has events of its own, and the little that is neither.
"""

from typing import Protocol

from msgspec import Struct, field

from engine.history.lives import Life
from engine.history.planned import PlanRow, TakenPlan
from engine.types import CommandId, ScheduleId


class Head(Struct, frozen=True):
    """Of an asset: its plans that are open, the one in force, its attempts on the wire.

    ``received`` are sequence and horizon of a schedule that it has not answered yet, ``seen`` is
    the sequence of the last one that names it, ``created`` counts its commands outside of plans.
    """

    open: tuple[ScheduleId, ...] = ()
    newest: ScheduleId | None = None
    received: tuple[int, int] | None = None
    seen: int = 0
    wire: tuple[str, ...] = ()
    created: int = 0


class Recall(Protocol):
    """Knows what is kept of one asset."""

    def plan(self, schedule_id: ScheduleId) -> PlanRow | None:
        """Return a plan."""
        ...

    def life(self, command_id: CommandId) -> Life | None:
        """Return a command that has events of its own."""
        ...

    def attempt(self, attempt_id: str) -> tuple[CommandId, ...]:
        """Return the commands that an attempt served."""
        ...


class _Nothing:
    """Nothing is kept: a history that is folded from the beginning."""

    def plan(self, schedule_id: ScheduleId) -> None:
        """See `Recall`."""

    def life(self, command_id: CommandId) -> None:
        """See `Recall`."""

    def attempt(self, attempt_id: str) -> tuple[CommandId, ...]:
        """See `Recall`."""
        del attempt_id
        return ()


NOTHING = _Nothing()


class Changed(Struct):
    """What changed, by id."""

    plans: dict[ScheduleId, TakenPlan] = field(default_factory=dict)
    lives: dict[CommandId, Life] = field(default_factory=dict)
    attempts: dict[str, tuple[CommandId, ...]] = field(default_factory=dict)

    def plan(self, plan: TakenPlan) -> None:
        """Take note of a plan."""
        self.plans[plan.schedule_id] = plan

    def life(self, life: Life) -> None:
        """Take note of a command."""
        self.lives[life.command_id] = life
