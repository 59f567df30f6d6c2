"""One pass through a log: seals, streams and folds are looked at together.

Kept on the way are the rows of one transaction, a number a stream, a state an asset.
"""

from collections.abc import Iterable, Sequence
from typing import Final

from engine.archives import Bases, LogArchived
from engine.asset import AssetState
from engine.codec import Codec, Record, Row
from engine.discrepancy import Discrepancy
from engine.errors import StoreCorrupt
from engine.seals import BEGINNING, Judged, Missing, Placed, SealChain, SealMark
from engine.seals import STREAM as LOG
from engine.types import AssetId
from engine.verification.comparison import Comparison
from engine.verification.findings import Findings
from engine.verification.folds import Folds
from engine.verification.missing import of_gap, of_seals
from engine.verification.result import Verification
from engine.verification.streams import StreamVersions

_NOTHING_MOVED: Final = Bases()


class Verifier:
    """Takes the rows of a log in order, then tells what is wrong with it.

    A log that begins behind a seal (``after``) is not folded: its assets began elsewhere.
    """

    def __init__(
        self,
        codec: Codec,
        *,
        after: SealMark = BEGINNING,
        known: Sequence[SealMark] = (),
        comparisons: Sequence[Comparison] = (),
        bases: Bases = _NOTHING_MOVED,
    ) -> None:
        """Begin; ``known`` are seals told elsewhere, which have to be there as they were.

        ``bases`` are what the log rests on, where its beginning was moved to an archive.
        """
        self._codec = codec
        self._known = tuple(known)
        self._comparisons = comparisons
        archived = bases.archived
        self._kept: list[Placed] | None = None if archived is None else []
        self._archived = archived
        before = after if archived is None else archived.mark
        later = {mark.n: mark.digest for mark in known if mark.n >= before.n}
        self._chain = SealChain(before, later)
        self._streams = StreamVersions(from_the_start=after.n == 0, begins=bases.begins())
        start = {asset_id: bases.state(asset_id) for asset_id in bases.readable()}
        self._folds = Folds(start, bases.site) if after.n == 0 else None
        self._first = self._place = after.rows or 0
        self._missing: dict[int, Missing] = {}
        self._displaced: set[int] = set()
        self._findings = Findings()

    def feed(self, row: Row) -> None:
        """Take the next row."""
        self._place += 1
        row = _sound(row)
        placed = Placed(row, self._read(row), self._place)
        if self._kept is not None and self._archived is not None:
            self._keep(placed, self._kept, self._archived)
            return
        judged = self._chain.feed(placed)
        if judged is not None:
            self._take(judged)

    def _keep(self, placed: Placed, kept: list[Placed], archived: LogArchived) -> None:
        """Take a row from before the cut, up to the seal at which it was made."""
        kept.append(placed)
        row = placed.row
        if row.stream == LOG and row.version >= archived.mark.n:
            judged = Judged(kept)
            judged.compare(kept, placed, archived.kept, None)
            self._kept = None
            self._take(judged)

    def finish(self) -> Verification:
        """Return what came of it. Once."""
        if self._kept:
            end = self._kept[-1]
            self._add((end.wrong("the seal at which the log was cut for an archive is missing"),))
        self._take(self._chain.finish(self._place + 1))
        for comparison in self._comparisons:
            self._findings.add_beside(comparison.finished())
        self._name_what_is_missing()
        last = self._chain.last
        return Verification(
            self._findings.listed(),
            self._findings.more,
            self._place - self._first,
            self._chain.seals,
            len(self._streams.heads),
            0 if self._folds is None else len(self._folds.assets),
            last if last.digest and self._chain.seals else None,
            self._known,
        )

    def _read(self, row: Row) -> Record | None:
        try:
            return self._codec.decode(row)
        except StoreCorrupt as error:
            wrong = f"it cannot be read: {error.__cause__}"
            self._add((Placed(row, None, self._place).wrong(wrong),))
            return None

    def _add(self, found: Iterable[Discrepancy]) -> None:
        for one in found:
            self._findings.add(one)

    def _take(self, judged: Judged) -> None:
        """Take the rows of a transaction, now that it is known which of them are as they were."""
        self._add(judged.found)
        self._missing |= judged.missing
        self._displaced |= judged.displaced
        for placed in judged.rows:
            if placed.place not in judged.strangers:
                self._follow(placed)

    def _follow(self, placed: Placed) -> None:
        wrong = self._streams.feed(placed)
        if wrong is not None:
            self._findings.add(placed.wrong(wrong))
        record = placed.record
        if record is None:
            return
        state = self._fold(record, placed)
        for comparison in self._comparisons:
            self._findings.add_beside(comparison.recorded(record, state))

    def _fold(self, record: Record, placed: Placed) -> AssetState | None:
        if self._folds is None or self._findings.is_broken(record.header.stream):
            return None
        wrong = self._folds.feed(record)
        if wrong is not None:
            self._findings.add_event(placed.wrong(wrong))
        return self._folds.assets.get(AssetId(record.header.stream))

    def _name_what_is_missing(self) -> None:
        known = self._missing.keys() | self._displaced
        names = self._streams.named(known)
        self._add(of_seals(self._missing, names))
        for gap in self._streams.gaps:
            found = of_gap(gap, known)
            if found is None:
                self._findings.breaks(gap.stream, gap.place)
            else:
                self._findings.add(found)


def verify(
    rows: Iterable[Row],
    codec: Codec,
    *,
    known: Sequence[SealMark] = (),
    comparisons: Sequence[Comparison] = (),
    bases: Bases = _NOTHING_MOVED,
) -> Verification:
    """Return what is wrong with a whole log, read once in its order.

    Seals follow each other and cover just the rows that are there; every stream's versions go up by
    one from 1; every row can be read; every asset's events fold into a state; an attempt has one
    beginning and one outcome; a command that is over stays over (of the last 200,000).

    Args:
        rows: all rows of the log, in its order; their positions need only go up.
        codec: knows the events of the log.
        known: seals that were told elsewhere, by an export or an earlier verification: with them it
            shows when the log's end was cut off.
        comparisons: compare what is kept beside the log.
        bases: what the log rests on, where its beginning was moved to an archive.
    """
    verifier = Verifier(codec, known=known, comparisons=comparisons, bases=bases)
    for row in rows:
        verifier.feed(row)
    return verifier.finish()


def _sound(row: Row) -> Row:
    """Return a row with values of the types that it should have; a store may hold others."""
    if type(row.version) is int and type(row.topic) is str and type(row.state) is bytes:
        return row
    version = row.version if type(row.version) is int else 0
    state = row.state if type(row.state) is bytes else str(row.state).encode()
    return Row(str(row.stream), version, str(row.topic), state, row.position)
