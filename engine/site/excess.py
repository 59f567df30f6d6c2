"""Limits that are exceeded all the same: told once, when it begins and when it is over."""

from collections.abc import Iterable, Iterator
from typing import Final

from msgspec import Struct

from engine import events
from engine.site.limits import IMPORT, Book
from engine.site.state import SiteState

RESERVED: Final = "reserved"
MEASURED: Final = "measured"
_LEAST_W: Final = 200
_SHARE: Final = 20
"""What is measured may be a twentieth above the limit, or 200 W."""


class Excess(Struct, frozen=True, gc=False):
    """A limit that is exceeded, and by what power: see `LimitExceeded`."""

    direction: str
    kind: str
    power_w: int


class Meter:
    """What all devices draw together, held against the limits; short excesses are left out."""

    def __init__(self, settle_us: int) -> None:
        """Begin with nothing measured; what is within ``settle_us`` over again is no excess."""
        self._settle_us = settle_us
        self._since_us: dict[str, int] = {}

    def read(self, book: Book, measured_w: int, now_us: int) -> Iterator[Excess]:
        """Yield what is exceeded by a power, charging positive, for long enough (device clock)."""
        for direction, ledger in book.ledgers.items():
            is_import = direction == IMPORT
            power_w = measured_w if is_import else -measured_w
            most_w = ledger.left_w if is_import else ledger.limit_w
            if power_w <= most_w + max(ledger.limit_w // _SHARE, _LEAST_W):
                self._since_us.pop(direction, None)
            elif now_us >= self._since_us.setdefault(direction, now_us) + self._settle_us:
                yield Excess(direction, MEASURED, power_w)


def reserved(book: Book) -> Iterator[Excess]:
    """Yield the limits that are exceeded by what is reserved."""
    for direction, power_w in book.excess():
        yield Excess(direction, RESERVED, power_w)


def news(state: SiteState, book: Book, found: Iterable[Excess]) -> tuple[events.SiteEvent, ...]:
    """Return what is to be recorded: limits that are exceeded by now, and those kept again."""
    by_name = {f"{one.direction}:{one.kind}": one for one in found}
    begun = [
        events.LimitExceeded(
            one.direction,
            one.kind,
            one.power_w,
            book.ledgers[one.direction].limit_w,
            book.ledgers[one.direction].present_w,
        )
        for name, one in by_name.items()
        if name not in state.exceeded
    ]
    over = [events.LimitKept(*name.split(":")) for name in state.exceeded if name not in by_name]
    return (*begun, *over)
