"""What was found wrong with a log, gathered while it is read."""

from collections.abc import Iterable
from typing import Final

from msgspec.structs import replace

from engine.discrepancy import Discrepancy

MOST: Final = 1_000
"""Problems that are listed; further ones are counted."""


class Findings:
    """Gathers what is wrong, one problem a row.

    Where something is gone or was changed, what follows in its stream makes no sense: what an
    event does wrong is told only of a stream whose rows are as they were up to there.
    """

    def __init__(self) -> None:
        """Begin with nothing."""
        self.more = 0
        self._rows: dict[int, Discrepancy] = {}
        self._gone: list[Discrepancy] = []
        self._events: list[Discrepancy] = []
        self._beside: list[Discrepancy] = []
        self._broken: dict[str, int] = {}

    def breaks(self, stream: str, place: int) -> None:
        """Take note that a stream is not as it was, from a place in the log on."""
        self._broken[stream] = min(place, self._broken.get(stream, place))

    def is_broken(self, stream: str) -> bool:
        """Return whether a stream is not as it was."""
        return stream in self._broken

    def add(self, one: Discrepancy) -> None:
        """Take something that is wrong with a row, or a row that is missing."""
        if one.stream is not None:
            self.breaks(one.stream, one.place)
        known = None if one.position is None else self._rows.get(one.place)
        if known is not None and one.what in known.what.split("; "):
            return
        if known is not None:
            self._rows[one.place] = replace(known, what=f"{known.what}; {one.what}")
        elif len(self._rows) + len(self._gone) >= MOST:
            self.more += 1
        elif one.position is None:
            self._gone.append(one)
        else:
            self._rows[one.place] = one

    def add_event(self, one: Discrepancy) -> None:
        """Take something that an event does wrong."""
        if len(self._events) < MOST:
            self._events.append(one)

    def add_beside(self, found: Iterable[Discrepancy]) -> None:
        """Take what is wrong with something that is kept beside the log."""
        for one in found:
            if len(self._beside) < MOST:
                self._beside.append(one)
            else:
                self.more += 1

    def listed(self) -> tuple[Discrepancy, ...]:
        """Return the problems in the order of the log, then those of what is kept beside it."""
        events = (
            one
            for one in self._events
            if one.stream not in self._broken or one.place < self._broken[one.stream]
        )
        log = sorted((*self._gone, *self._rows.values(), *events), key=lambda one: one.place)
        beside = (one for one in self._beside if one.stream not in self._broken)
        return (*log, *beside)
