"""The rows of one transaction beside the checksums in its seal: which row is not as it was."""

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Final

from msgspec import Struct

from engine.codec import Row
from engine.seals.sealed import Checksum, checksum_of

MISSING: Final = "is missing"
EXTRA: Final = "was put in after its neighbours were sealed"
CHANGED: Final = "was changed after it was sealed"
RENAMED: Final = "was moved to another stream or version after it was sealed"
MOVED: Final = "is not in its place among the rows that were sealed with it"
REPLACED: Final = "is not the row that was sealed here"


class Difference(Struct, frozen=True, gc=False):
    """What is wrong beside the row of index ``actual``; the sealed row's index is ``sealed``."""

    what: str
    sealed: int
    actual: int


class Alignment:
    """What was sealed and what is there, walked through side by side."""

    def __init__(self, sealed: Sequence[Checksum], rows: Sequence[Row]) -> None:
        self._sealed = sealed
        self._actual = [checksum_of(row) for row in rows]
        self._wanted = Counter(sealed)
        self._there = Counter(self._actual)

    def differences(self) -> Iterator[Difference]:
        """Yield every difference, in the order of the rows; none when all are as they were."""
        at_sealed = at_actual = 0
        while at_sealed < len(self._sealed) or at_actual < len(self._actual):
            what = self._compared(at_sealed, at_actual)
            if what is not None:
                yield Difference(what, at_sealed, at_actual)
            at_sealed += what != EXTRA
            at_actual += what != MISSING

    def _compared(self, at_sealed: int, at_actual: int) -> str | None:
        if at_actual == len(self._actual):
            return MISSING
        if at_sealed == len(self._sealed):
            return EXTRA
        sealed, actual = self._sealed[at_sealed], self._actual[at_actual]
        if sealed == actual:
            self._wanted[sealed] -= 1
            self._there[actual] -= 1
            return None
        comes_later, was_sealed = self._there[sealed] > 0, self._wanted[actual] > 0
        if comes_later and was_sealed:
            return MOVED
        if was_sealed:
            return MISSING
        return EXTRA if comes_later else _unlike(sealed, actual)


def _unlike(sealed: Checksum, actual: Checksum) -> str:
    if sealed[0] == actual[0]:
        return CHANGED
    return RENAMED if sealed[1] == actual[1] else REPLACED
