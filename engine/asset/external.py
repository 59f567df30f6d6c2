"""What somebody beside us limits a charger to: an energy management system, the grid's operator.

Such a limit lies over what we set and leaves it as it is. It is known and told, and never fought.
"""

from typing import Final

from msgspec import Struct

from engine.events import ExternalLimitTold

EXTERNAL_LIMIT: Final = "external_limit"
"""The alarm of a charger that somebody beside us limits."""

FOUND: Final = "found"
"""The source of a limit that nobody told of: the charger was asked what it allows."""


class Limit(Struct, frozen=True, gc=False):
    """A limit that holds since ``since_us`` (plan clock); see `ExternalLimitTold`."""

    source: str
    limit: float | None
    unit: str
    is_critical: bool
    since_us: int


def after(limits: tuple[Limit, ...], event: ExternalLimitTold, at_us: int) -> tuple[Limit, ...]:
    """Return the limits after one was told of, ``at_us`` plan clock; a source has one at a time."""
    others = tuple(one for one in limits if one.source != event.source)
    if event.is_over:
        return others
    made = Limit(event.source, event.limit, event.unit, event.is_critical, at_us)
    return (*others, made)


def is_news(limits: tuple[Limit, ...], told: ExternalLimitTold) -> bool:
    """Return whether what is told of a limit is not known yet."""
    known = next((one for one in limits if one.source == told.source), None)
    if known is None or told.is_over:
        return (known is None) is not told.is_over
    before = (known.limit, known.unit, known.is_critical)
    return before != (told.limit, told.unit, told.is_critical)


def is_found(limits: tuple[Limit, ...]) -> bool:
    """Return whether there is a limit that nobody told of."""
    return any(one.source == FOUND for one in limits)


def is_told(limits: tuple[Limit, ...]) -> bool:
    """Return whether somebody told of a limit."""
    return any(one.source != FOUND for one in limits)


def keeps_off(limits: tuple[Limit, ...]) -> bool:
    """Return whether somebody beside us lets the charger give nothing at all."""
    return any(one.limit == 0 for one in limits)
