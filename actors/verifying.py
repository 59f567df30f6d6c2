"""Verify a store: its log, read once, and what is kept beside it."""

from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Final

from actors.accepted import SCHEDULES, decode_accepted, is_other_version
from actors.comparing import ReadModelComparison
from actors.store import Progress, Store
from engine import events
from engine.archives import STREAM as ARCHIVE
from engine.archives import Bases
from engine.asset import AssetState
from engine.codec import Codec, Record, Row
from engine.discrepancy import Discrepancy
from engine.errors import StoreCorrupt
from engine.seals import SealMark
from engine.verification import Comparison, SnapshotComparison, Verification, Verifier

if TYPE_CHECKING:
    from engine.types import AssetId

_EVERY: Final = 2_000  # rows from one sign of progress to the next


def verify_store(
    store: Store,
    codec: Codec,
    known: Sequence[SealMark] = (),
    progress: Progress | None = None,
    model_url: str | None = None,
) -> Verification:
    """Return what is wrong with a store; it may be written to meanwhile.

    Args:
        store: whatever is in it; it is only read.
        codec: knows the events of its log.
        known: seals that were told elsewhere, by an export or an earlier verification.
        progress: is told how many rows of how many were looked at.
        model_url: where the store's read model is, if it has one.

    Raises:
        StoreCorrupt: the file itself is damaged, so that rows cannot even be listed.
        StoreUnavailable: it cannot be used now.
    """
    kept = {row.stream: row for row in store.snapshots()}
    schedules = kept.pop(SCHEDULES, None)
    bases = Bases.of(_event_of(codec, row) for row in store.read_stream(ARCHIVE))
    comparisons: list[Comparison] = [
        SnapshotComparison(_that_count(kept.values(), bases)),
        _Schedules(schedules, bases),
    ]
    if model_url is not None:
        comparisons.append(ReadModelComparison(model_url, store, codec))
    verifier = Verifier(codec, known=known, comparisons=comparisons, bases=bases)
    total = store.last_position()
    for done, row in enumerate(store.read_all()):
        verifier.feed(row)
        if progress is not None and done % _EVERY == 0:
            progress(done, total)
    return verifier.finish()


def _event_of(codec: Codec, row: Row) -> object:
    """Return a row's event, null if it cannot be read: that is told when the log is followed."""
    try:
        return codec.decode(row).event
    except StoreCorrupt:
        return None


def _that_count(rows: Iterable[Row], bases: Bases) -> Iterator[Row]:
    """Yield the snapshots that are newer than what was moved to an archive."""
    begins = bases.begins()
    return (row for row in rows if row.version > begins.get(row.stream, 0))


class _Schedules:
    """Compares the snapshot of the accepted schedules with their events."""

    def __init__(self, row: Row | None, bases: Bases) -> None:
        self._row = None if row is None or row.version < bases.schedules.sequence else row
        self._digests = dict(bases.schedules.digests)
        self._in_force: dict[AssetId, str] = {}
        self._loads: set[str] = set()

    def recorded(self, record: Record, state: AssetState | None) -> Iterable[Discrepancy]:
        """See `Comparison`."""
        del state
        row, event = self._row, record.event
        if (
            row is not None
            and isinstance(event, events.ScheduleReceived)
            and event.sequence <= row.version
        ):
            self._digests[event.schedule_id] = event.digest
            self._in_force.update(dict.fromkeys(event.plans, event.schedule_id))
            if event.load is not None:
                self._loads.add(event.schedule_id)
        return ()

    def finished(self) -> Iterator[Discrepancy]:
        """See `Comparison`."""
        row = self._row
        if row is None or is_other_version(row.state):
            return
        kept = decode_accepted(row.state)
        wanted = frozenset(self._in_force.values())  # beside those that say the base load
        is_whole = wanted <= kept.wanted <= wanted | self._loads
        if (kept.sequence, kept.digests) != (row.version, self._digests) or not is_whole:
            what = "the snapshot is not what the schedules' events lead to"
            yield Discrepancy(0, None, row.stream, row.version, what)
