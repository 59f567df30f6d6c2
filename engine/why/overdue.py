"""What fell due by a moment and was not acted on: an engine that was down, or has yet to do it.

The horizon is not part of it: a newer schedule that says the same moves it without an event.
"""

from collections.abc import Iterator

from engine.asset.programme import changes_until, first_open, has_commands, part_at
from engine.asset.state import AssetState
from engine.types import Instant
from engine.why.words import Words


def overdue(state: AssetState, now: Instant, words: Words) -> str:
    """Return what should have been acted on by now, first of all; nothing where all was."""
    due = [one for one in _due(state, now) if one[0] <= now.plan_us]
    if not due:
        return ""
    due_us, what = min(due)
    return f"; {what} {words.time(due_us)} has not been taken up yet"


def _due(state: AssetState, now: Instant) -> Iterator[tuple[int, str]]:
    override, programme = state.override, state.programme
    if override is not None and override.until_us is not None:
        yield override.until_us, "the end of the override at"
    part = part_at(programme, now.plan_us)
    if part is None:
        return
    first = first_open(programme, part)
    last = changes_until(part, now.plan_us, first)
    if has_commands(part, first, last):
        index = next(one for one in range(first, last) if one not in part.skipped)
        yield max(part.plan.due_us(index), part.from_us), "what is planned since"
