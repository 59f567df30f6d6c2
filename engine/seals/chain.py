"""The chain of seals, followed once through a log with no more kept than one transaction.

What is wrong is told of the first row at which it shows. Where a seal is gone or cannot be read,
the chain goes on from the next one, so that one thing wrong is told once.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Final

from engine.codec import Codec, Row
from engine.discrepancy import Discrepancy
from engine.errors import StoreCorrupt
from engine.seals.judged import SEAL_CHANGED, Judged, Placed, between
from engine.seals.sealed import BEGINNING, STREAM, LogSealed, SealMark, digest_of

MOST_UNSEALED: Final = 50_000
"""Rows that are kept until their seal comes; a transaction has a tenth of that."""


class SealChain:
    """Follows the seals of a log, or of a part of one that begins behind a known seal."""

    def __init__(
        self, after: SealMark = BEGINNING, known: Mapping[int, bytes] | None = None
    ) -> None:
        """Begin behind a seal; ``known`` are the digests of seals that were told elsewhere."""
        self.last = after
        self.seals = 0
        self._known = dict(known or {})
        self._rows: tuple[Placed | None, Placed | None] = (None, None)  # of the last two seals
        self._doubted = False
        self._epoch = 0
        self._pending: list[Placed] = []

    def feed(self, placed: Placed) -> Judged | None:
        """Take the next row of the log; return what it completes."""
        if placed.row.stream != STREAM:
            self._pending.append(placed)
            return self._unsealed() if len(self._pending) > MOST_UNSEALED else None
        judged = Judged(self._pending)
        event = None if placed.record is None else placed.record.event
        if isinstance(event, LogSealed):
            self._judge(judged, placed, event)
            sound = all(one.place != placed.place for one in judged.found)
            rows = event.first + event.count if sound else None
            mark = SealMark(event.n, digest_of((placed.row,)), rows)
            self.last = max(self.last, mark, key=lambda one: one.n)
        else:
            judged.found += self._followed(holds=True)
            self.last = SealMark(placed.row.version, b"")
        self.seals += 1
        self._rows = (self._rows[1], placed)
        self._pending = []
        return judged

    def finish(self, place: int) -> Judged:
        """Return what shows only at the end of the log; ``place`` is one past its last row's."""
        judged = self._unsealed()
        judged.found += self._followed(holds=True)
        for n in sorted(self._known):
            if n > self.last.n:
                what = f"missing: the log ends with seal {self.last.n}"
                judged.found.append(Discrepancy(place, None, STREAM, n, what))
        return judged

    def _unsealed(self) -> Judged:
        judged = Judged(self._pending)
        if self._pending:
            which = f"{len(self._pending):,} rows" if len(self._pending) > 1 else "row"
            judged.found.append(self._pending[0].wrong(f"no seal covers the {which} from here on"))
        self._pending = []
        return judged

    def _judge(self, judged: Judged, own: Placed, seal: LogSealed) -> None:
        lost = seal.n - self.last.n - 1
        covered, before = self._pending, self._rows[1]
        if lost > 0:
            uncovered = max(0, len(covered) - seal.count)
            before = covered[uncovered - 1] if uncovered else before
            covered = covered[uncovered:]
            judged.found += self._followed(holds=True)
            judged.found.append(self._lost(seal, before, (*covered, own)[0]))
        elif lost < 0:
            judged.found.append(own.wrong(f"seal {seal.n} comes behind seal {self.last.n}"))
        else:
            holds = not self.last.digest or seal.previous == self.last.digest
            judged.found += self._followed(holds=holds)
        judged.compare(covered, own, seal, before)
        judged.found += self._placed(own, seal)
        judged.found += self._written(covered, own, seal)

    # --- between seals

    def _lost(self, seal: LogSealed, before: Placed | None, behind: Placed) -> Discrepancy:
        """Tell of the seals that are not there; for the rows that they covered nobody vouches."""
        first, last = self.last.n + 1, seal.n - 1
        which = f"seal {first}" if first == last else f"seals {first} to {last}"
        what = f"missing: {which}, {between(before, behind)}"
        if before is not self._rows[1]:
            start = self._pending[0].row.position
            what += f"; no seal covers the rows from position {start} to there"
        return Discrepancy(behind.place, None, STREAM, first, what)

    def _followed(self, *, holds: bool) -> Iterator[Discrepancy]:
        """Follow the link from the last seal to the next one.

        A link that does not hold is the later seal's fault if the link behind it does not hold
        either; else that of the earlier one.
        """
        if not self._doubted:
            self._doubted = not holds
            return
        self._doubted = False
        earlier, later = self._rows
        suspects = [one for one in (earlier if holds else None, later) if one is not None]
        yield from (one.wrong(SEAL_CHANGED) for one in suspects[:1])

    # --- one seal

    def _placed(self, own: Placed, seal: LogSealed) -> Iterator[Discrepancy]:
        """Compare a seal with where it stands."""
        first = self.last.rows if seal.n == self.last.n + 1 else None
        if own.row.version != seal.n or first not in {None, seal.first - 1}:
            yield own.wrong(SEAL_CHANGED)
        known = self._known.get(seal.n)
        if known is not None and known != digest_of((own.row,)):
            yield own.wrong(f"this is not the seal {seal.n} that was given")

    def _written(
        self, covered: Sequence[Placed], own: Placed, seal: LogSealed
    ) -> Iterator[Discrepancy]:
        """Compare the engine that sealed with those that sealed and wrote before."""
        if seal.epoch < self._epoch:
            yield own.wrong(f"engine {seal.epoch} sealed it, behind engine {self._epoch}")
        self._epoch = max(seal.epoch, self._epoch)
        for one in covered:
            if one.record is not None and one.record.header.epoch != seal.epoch:
                epoch = one.record.header.epoch
                yield one.wrong(f"engine {epoch} wrote it, engine {seal.epoch} sealed it")


def broken_seals(rows: Iterable[Row], codec: Codec) -> Iterator[str]:
    """Yield what is wrong with the seals of a whole log, in its order; nothing when all hold.

    No other row than a seal is decoded.
    """
    chain = SealChain()
    place = 0
    for row in rows:
        place += 1
        record = None
        if row.stream == STREAM:
            try:
                record = codec.decode(row)
            except StoreCorrupt as error:
                yield str(error)
        judged = chain.feed(Placed(row, record, place))
        if judged is not None:
            yield from _told(judged)
    yield from _told(chain.finish(place + 1))


def _told(judged: Judged) -> Iterator[str]:
    yield from map(str, judged.found)
    for one in judged.missing.values():
        yield f"missing: row {one.number} of the log, {one.between}"
