"""What every store does, whatever it is made of."""

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Protocol

from engine.codec import Row
from engine.errors import StoreError

Progress = Callable[[int, int], None]


class VersionConflict(StoreError):
    """A row of that stream and version is in the store already; nothing was stored."""


class Store(Protocol):
    """An append-only log of rows. Any thread."""

    @property
    def took_over(self) -> bool:
        """Whether it was taken from an engine that had it."""
        ...

    def append(self, rows: Sequence[Row]) -> Sequence[int]:
        """Store rows in one transaction and return their positions.

        Raises:
            VersionConflict: one of them is there already.
            StoreUnavailable: locked, full or gone; nothing was stored, or it is not known.
        """
        ...

    def archive(self, rows: Sequence[Row], moved: Sequence[tuple[int, int]]) -> None:
        """Store rows, and take out those at the positions in ``moved``, in one transaction.

        ``moved`` are ranges, first and last position of each.

        Raises:
            VersionConflict: one of the rows is there already.
            StoreUnavailable: locked, full or gone; nothing was changed, or it is not known.
        """
        ...

    def read_all(self, after: int = 0) -> Iterator[Row]:
        """Return all rows behind a position, in the order of the log."""
        ...

    def read_stream(self, stream: str, after_version: int = 0) -> Iterator[Row]:
        """Return one stream's rows, in the order of their versions."""
        ...

    def last_row(self, stream: str) -> Row | None:
        """Return the newest row of a stream."""
        ...

    def row(self, stream: str, version: int) -> Row | None:
        """Return one row."""
        ...

    def row_at(self, position: int) -> Row | None:
        """Return the row at a position of the log."""
        ...

    def last_versions(self) -> dict[str, int]:
        """Return the newest version of every stream."""
        ...

    def last_position(self) -> int:
        """Return the position of the newest row, 0 when there is none."""
        ...

    def save_snapshots(self, rows: Sequence[Row]) -> None:
        """Keep snapshots, one a stream in place of the older ones; they are no part of the log.

        Raises:
            StoreUnavailable: locked, full or gone; none of them was kept.
        """
        ...

    def snapshots(self) -> Iterator[Row]:
        """Return the snapshot of each stream that has one; ``version`` is the stream's."""
        ...

    def snapshot(self, stream: str) -> Row | None:
        """Return the snapshot of a stream."""
        ...

    def backup(self, path: Path, progress: Progress) -> None:
        """Copy the store to a new file, consistently, while others write."""
        ...

    def close(self) -> None:
        """Let go of the store."""
        ...
