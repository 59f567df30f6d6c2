"""Rows with their places in a log, and what was found when their seal came."""

from collections.abc import Sequence
from typing import Final

from msgspec import Struct, field

from engine.codec import Record, Row
from engine.discrepancy import Discrepancy
from engine.seals.alignment import CHANGED, EXTRA, MISSING, Alignment, Difference
from engine.seals.sealed import Checksum, LogSealed, checksums_in, digest_of

SEAL_CHANGED: Final = "the seal is not as it was made"


class Placed(Struct, frozen=True, gc=False):
    """A row and its place in the log as it is; ``record`` is null where it cannot be read."""

    row: Row
    record: Record | None
    place: int

    def wrong(self, what: str) -> Discrepancy:
        """Return what is wrong with it."""
        row = self.row
        return Discrepancy(self.place, row.position, row.stream, row.version, what)


class Missing(Struct, frozen=True, gc=False):
    """A row that was sealed and is not there: row ``number`` of the log as it was written.

    It is missing in front of the row at ``place``; ``between`` says where in people's words.
    """

    place: int
    number: int
    between: str


class Judged(Struct, gc=False):
    """The rows that came with one seal, and what is wrong with them.

    ``strangers`` are the places of rows that stand where something else was sealed, ``displaced``
    what was sealed there, ``missing`` what was sealed and is gone: both by `identity_of` it.
    """

    rows: Sequence[Placed]
    found: list[Discrepancy] = field(default_factory=list)
    strangers: set[int] = field(default_factory=set)
    displaced: set[int] = field(default_factory=set)
    missing: dict[int, Missing] = field(default_factory=dict)

    def compare(
        self, covered: Sequence[Placed], own: Placed, seal: LogSealed, before: Placed | None
    ) -> None:
        """Compare those rows that a seal covers with what it says.

        ``own`` is the seal's row, ``before`` the one in front of those that it covers.
        """
        rows = [one.row for one in covered]
        matches = digest_of(rows) == seal.digest
        if matches and len(rows) == seal.count:
            return
        sealed = checksums_in(seal)
        if not matches and not sealed:
            what = f"the rows from here up to seal {seal.n} are not those that it was made of"
            self.found.append((*covered, own)[0].wrong(what))
            return
        differences = () if matches else tuple(Alignment(sealed, rows).differences())
        befores, heres = (before, *covered), (*covered, own)
        for one in differences:
            here = heres[one.actual]
            if one.what == MISSING:
                where = between(befores[one.actual], here)
                missing = Missing(here.place, seal.first + one.sealed, where)
                self.missing[sealed[one.sealed][0]] = missing
            else:
                self._stands(here, one, sealed)
        if not differences:
            self.found.append(own.wrong(SEAL_CHANGED))

    def _stands(self, here: Placed, one: Difference, sealed: Sequence[Checksum]) -> None:
        """Take a row that is not the one that was sealed, or not as it was."""
        self.found.append(here.wrong(one.what))
        if one.what != CHANGED:
            self.strangers.add(here.place)
        if one.what not in {CHANGED, EXTRA}:
            self.displaced.add(sealed[one.sealed][0])


def between(before: Placed | None, behind: Placed) -> str:
    """Return where something is missing."""
    if before is None:
        return f"in front of position {behind.row.position}"
    return f"between positions {before.row.position} and {behind.row.position}"
