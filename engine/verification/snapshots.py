"""Snapshots beside the log that they were folded from."""

from collections.abc import Iterable, Iterator

from engine.asset import AssetState, snapshot
from engine.codec import Record, Row
from engine.discrepancy import Discrepancy


class SnapshotComparison:
    """Compares each asset's snapshot with the fold of its stream up to the snapshot's version.

    A snapshot of another version of the engine is passed over, as a start does.
    """

    def __init__(self, rows: Iterable[Row]) -> None:
        """Begin with the snapshots, one a stream."""
        self._left = {row.stream: row for row in rows}

    def recorded(self, record: Record, state: AssetState | None) -> Iterator[Discrepancy]:
        """See `Comparison`; of a stream that is not as it was nothing can be told."""
        header = record.header
        row = self._left.get(header.stream)
        if row is None or row.version != header.version:
            return
        del self._left[header.stream]
        if state is None or snapshot.is_other_version(row.state):
            return
        if snapshot.decode(row.state) is None:
            yield wrong(row, "the snapshot cannot be read")
        elif snapshot.encode(state) != row.state:
            yield wrong(row, "the snapshot is not the state that the events lead to")

    def finished(self) -> Iterator[Discrepancy]:
        """See `Comparison`."""
        for row in self._left.values():
            yield wrong(row, "the snapshot is of a version that its stream does not have")


def wrong(row: Row, what: str) -> Discrepancy:
    """Return what is wrong with a snapshot."""
    return Discrepancy(0, None, row.stream, row.version, what)
