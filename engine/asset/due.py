"""Planned changes whose time has come."""

from msgspec import Struct

from engine.asset.desire import running_part
from engine.asset.programme import changes_until, first_open, first_untaken, has_commands
from engine.asset.state import AssetState, Part
from engine.types import Instant


class Due(Struct, frozen=True, gc=False):
    """Planned changes that fell due untaken: ``first`` up to ``last`` of a part's plan."""

    part: Part
    first: int
    last: int


def due_changes(state: AssetState, now: Instant) -> Due | None:
    """Return the planned changes that fell due since the last decision, null if none did."""
    part = running_part(state, now)
    if part is None:
        return None
    programme = state.programme
    absence = programme.absence
    is_back = absence is not None and absence.back
    first = (first_untaken if is_back else first_open)(programme, part)
    last = changes_until(part, now.plan_us, first)
    return Due(part, first, last) if has_commands(part, first, last) else None
