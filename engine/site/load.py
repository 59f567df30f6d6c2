"""The base load of a site: fixed, or what the newest schedule says of it."""

from typing import Final

from msgspec import Struct

from engine.plans import Plan
from engine.types import US_PER_S, Channel

AHEAD_US: Final = 60 * US_PER_S
"""A rise that is planned counts so much earlier: what makes room for it takes a moment."""

COLUMN: Final = "load_kw"
"""The schedule's column of the base load."""


class Load(Struct, frozen=True, gc=False):
    """What a schedule says from ``start_us`` to ``horizon_us`` (plan clock), as a packed plan."""

    plan: Plan
    start_us: int
    horizon_us: int


class BaseLoad(Struct, frozen=True, gc=False):
    """The base load in whole watts: planned while a schedule says so, else the fixed one.

    Without a fixed one the planned load's nearest value goes on, and without either it is 0.
    """

    fixed_w: int | None = None
    planned: Load | None = None

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
        planned = self.planned
        if planned is None:
            return self.fixed_w or 0
        if self.fixed_w is not None and not planned.start_us <= plan_us < planned.horizon_us:
            return self.fixed_w
        return planned.plan.value_at(max(plan_us, planned.start_us), Channel.CHARGE) or 0

    def _change_us(self, plan_us: int) -> int | None:
        """Return when the base load changes next after a moment, null where it stays."""
        planned = self.planned
        if planned is None:
            return None
        following = planned.plan.next_due_us(plan_us)
        if following is not None:
            return following
        return planned.horizon_us if plan_us < planned.horizon_us else None
