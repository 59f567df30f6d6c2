"""Limits that are exceeded all the same: told once, when it begins and when it is over."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Final

from msgspec import Struct

from engine import events
from engine.phases import PHASES, WHOLE, measured_on
from engine.rules import AssetRules
from engine.site.limits import IMPORT, Book
from engine.site.state import SiteState
from engine.tolerance import tolerance_w

RESERVED: Final = "reserved"
MEASURED: Final = "measured"


class Excess(Struct, frozen=True, gc=False):
    """A limit that is exceeded, and by what power: see `LimitExceeded`."""

    name: str
    kind: str
    power_w: int


class Meter:
    """What all devices draw together, held against the limits; short excesses are left out."""

    def __init__(self, settle_us: int) -> None:
        """Begin with nothing measured; what is within ``settle_us`` over again is no excess."""
        self._settle_us = settle_us
        self._since_us: dict[str, int] = {}

    def read(self, book: Book, measured_w: Mapping[str, int], now_us: int) -> Iterator[Excess]:
        """Yield what is exceeded by what is measured for long enough (device clock).

        That is the power of all devices, charging positive, of the connection as a whole and of
        its phases.
        """
        for name, direction, line in book.lines():
            power_w = measured_w[name if name in PHASES else WHOLE]
            if direction != IMPORT:
                power_w = -power_w
            if power_w <= line.left_w + tolerance_w(line.limit_w):
                self._since_us.pop(name, None)
            elif now_us >= self._since_us.setdefault(name, now_us) + self._settle_us:
                yield Excess(name, MEASURED, power_w)


class Drawn(Struct, frozen=True, gc=False):
    """What a device was measured to draw, charging positive, and on how many phases if known."""

    rules: AssetRules
    power_w: int
    phases: int | None = None


def together(book: Book, drawn: Iterable[Drawn]) -> dict[str, int]:
    """Return what devices draw together, of the connection as a whole and of its phases."""
    own = tuple(drawn)
    total_w = {WHOLE: sum(one.power_w for one in own), **dict.fromkeys(PHASES, 0)}
    if any(name in PHASES for name, _, _ in book.lines()):
        for one in own:
            for phase, power_w in measured_on(one.rules, one.power_w, one.phases):
                total_w[phase] += power_w
    return total_w


def reserved(book: Book) -> Iterator[Excess]:
    """Yield the limits that are exceeded by what is reserved."""
    for name, power_w in book.excess():
        yield Excess(name, RESERVED, power_w)


def news(state: SiteState, book: Book, found: Iterable[Excess]) -> tuple[events.SiteEvent, ...]:
    """Return what is to be recorded: limits that are exceeded by now, and those kept again."""
    by_name = {f"{one.name}:{one.kind}": one for one in found}
    lines = {name: line for name, _, line in book.lines()}
    begun = [
        events.LimitExceeded(
            one.name,
            one.kind,
            one.power_w,
            lines[one.name].limit_w,
            lines[one.name].present_w,
        )
        for name, one in by_name.items()
        if name not in state.exceeded
    ]
    over = [events.LimitKept(*name.split(":")) for name in state.exceeded if name not in by_name]
    return (*begun, *over)
