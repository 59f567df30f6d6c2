"""The base load of a site: fixed, or what the schedules in force say of it."""

from typing import Final

from msgspec import Struct

from engine.plans import Plan
from engine.types import US_PER_S, Channel, ScheduleId

AHEAD_US: Final = 60 * US_PER_S
"""A rise that is planned counts so much earlier: what makes room for it takes a moment."""

COLUMN: Final = "load_kw"
"""The schedule's column of the base load."""


class Load(Struct, frozen=True, gc=False):
    """What a schedule says from ``start_us`` to ``horizon_us`` (plan clock), as a packed plan."""

    plan: Plan
    start_us: int
    horizon_us: int
    schedule_id: ScheduleId


class Loads(Struct, frozen=True, gc=False):
    """What the schedules in force say, by their starts: each rules until the next one's start."""

    in_order: tuple[Load, ...] = ()

    def replaced(self, load: Load) -> "Loads":
        """Return what is said with a newer schedule: it rules from its start on."""
        before = tuple(one for one in self.in_order if one.start_us < load.start_us)
        return Loads((*before, load))

    def since(self, plan_us: int) -> "Loads":
        """Return what is said from a moment on (plan clock)."""
        over = sum(one.start_us <= plan_us for one in self.in_order[1:])
        return Loads(self.in_order[over:])

    def at(self, plan_us: int) -> Load | None:
        """Return what rules at a moment (plan clock): before all starts it is the first."""
        started = [one for one in self.in_order if one.start_us <= plan_us]
        return next(iter(started[-1:] or self.in_order), None)

    def next_start_us(self, plan_us: int) -> int | None:
        """Return when another one rules after a moment (plan clock), null where none does."""
        return next((one.start_us for one in self.in_order if one.start_us > plan_us), None)


class BaseLoad(Struct, frozen=True, gc=False):
    """The base load in whole watts: planned while a schedule says so, else the fixed one.

    Without a fixed one the planned load's nearest value goes on, and without either it is 0.
    """

    fixed_w: int | None = None
    planned: Loads = Loads()

    def at_w(self, plan_us: int) -> int:
        """Return what is to be reckoned with at a moment of the plan clock."""
        return max(self.value_w(plan_us), self.value_w(plan_us + AHEAD_US))

    def next_us(self, plan_us: int) -> int | None:
        """Return when that may next be another (plan clock), null where it stays."""
        now_us, ahead_us = self._change_us(plan_us), self._change_us(plan_us + AHEAD_US)
        if now_us is None or ahead_us is None:
            return now_us
        return min(now_us, ahead_us - AHEAD_US)

    def value_w(self, plan_us: int) -> int:
        """Return the base load at a moment of the plan clock."""
        planned = self.planned.at(plan_us)
        if planned is None:
            return self.fixed_w or 0
        if self.fixed_w is not None and not planned.start_us <= plan_us < planned.horizon_us:
            return self.fixed_w
        return planned.plan.value_at(max(plan_us, planned.start_us), Channel.CHARGE) or 0

    def _change_us(self, plan_us: int) -> int | None:
        """Return when the base load changes next after a moment, null where it stays."""
        planned = self.planned.at(plan_us)
        if planned is None:
            return None
        changes = (
            planned.plan.next_due_us(plan_us),
            planned.horizon_us if plan_us < planned.horizon_us else None,
            self.planned.next_start_us(plan_us),
        )
        return min((one for one in changes if one is not None), default=None)
