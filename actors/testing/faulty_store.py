"""A store with faults: locked, slow, gone, and a reply that is lost after the commit."""

import threading
from collections.abc import Iterator, Sequence
from pathlib import Path

import attrs

from actors.store import Progress, Store
from engine.codec import Row
from engine.errors import StoreUnavailable


def _open() -> threading.Event:
    gate = threading.Event()
    gate.set()
    return gate


@attrs.define
class FaultyStore:
    """A store that fails as a test wants it to. Any thread.

    So many times in a row an append fails ``before`` it has stored, or loses its answer ``after``
    that; it waits while the ``gate`` is shut. The head of the log cannot be read while it is
    ``lost``; nothing can be archived while it is ``full``; ``after_archiving`` happens behind that
    commit, as when its answer is lost. ``tries`` and ``reads`` count appends
    and looks at the head.
    """

    inner: Store
    before: int = 0
    after: int = 0
    lost: bool = False
    full: bool = False
    after_archiving: BaseException | None = None
    tries: int = 0
    reads: int = 0
    gate: threading.Event = attrs.field(factory=_open)
    read: threading.Event = attrs.field(factory=threading.Event)

    def append(self, rows: Sequence[Row]) -> Sequence[int]:
        """Store, or fail as often as is wanted."""
        self.gate.wait()
        self.tries += 1
        if self.before:
            self.before -= 1
            raise StoreUnavailable("locked")
        positions = self.inner.append(rows)
        if self.after:
            self.after -= 1
            raise StoreUnavailable("the answer was lost")
        return positions

    def archive(self, rows: Sequence[Row], moved: Sequence[tuple[int, int]]) -> None:
        """As the store, unless it is full."""
        if self.full:
            raise StoreUnavailable("full")
        self.inner.archive(rows, moved)
        if self.after_archiving is not None:
            raise self.after_archiving

    def read_all(self, after: int = 0) -> Iterator[Row]:
        """As the store."""
        return self.inner.read_all(after)

    def read_stream(self, stream: str, after_version: int = 0) -> Iterator[Row]:
        """As the store."""
        return self.inner.read_stream(stream, after_version)

    def last_row(self, stream: str) -> Row | None:
        """As the store, if it can be reached."""
        self.reads += 1
        self.read.set()
        if self.lost:
            raise StoreUnavailable("gone")
        return self.inner.last_row(stream)

    def row(self, stream: str, version: int) -> Row | None:
        """As the store."""
        return self.inner.row(stream, version)

    def row_at(self, position: int) -> Row | None:
        """As the store."""
        return self.inner.row_at(position)

    def last_versions(self) -> dict[str, int]:
        """As the store."""
        return self.inner.last_versions()

    @property
    def took_over(self) -> bool:
        """As the store."""
        return self.inner.took_over

    def last_position(self) -> int:
        """As the store."""
        return self.inner.last_position()

    def save_snapshots(self, rows: Sequence[Row]) -> None:
        """As the store."""
        self.inner.save_snapshots(rows)

    def snapshots(self) -> Iterator[Row]:
        """As the store."""
        return self.inner.snapshots()

    def snapshot(self, stream: str) -> Row | None:
        """As the store."""
        return self.inner.snapshot(stream)

    def backup(self, path: Path, progress: Progress) -> None:
        """As the store."""
        self.inner.backup(path, progress)

    def close(self) -> None:
        """As the store."""
        self.inner.close()
