"""The base load of a site: fixed, or what the newest schedule says of it."""

from typing import Final

from msgspec import Struct

from engine.plans import Plan
from engine.types import Channel

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
        """Return the base load at a moment of the plan clock."""
        planned = self.planned
        if planned is None:
            return self.fixed_w or 0
        if self.fixed_w is not None and not planned.start_us <= plan_us < planned.horizon_us:
            return self.fixed_w
        return planned.plan.value_at(max(plan_us, planned.start_us), Channel.CHARGE) or 0

    def next_us(self, plan_us: int) -> int | None:
        """Return when the base load may next be another (plan clock), null where it stays."""
        planned = self.planned
        if planned is None:
            return None
        following = planned.plan.next_due_us(plan_us)
        if following is not None:
            return following
        return planned.horizon_us if plan_us < planned.horizon_us else None
