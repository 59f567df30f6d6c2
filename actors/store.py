"""The store: rows in, rows out, by the recorders of the eventsourcing library.

The only module that knows that library and sqlite3; their errors end here.
"""

import contextlib
import fcntl
import os
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, Final, Protocol

from eventsourcing.persistence import PersistenceError, StoredEvent
from eventsourcing.sqlite import (
    SQLiteAggregateRecorder,
    SQLiteApplicationRecorder,
    SQLiteConnection,
    SQLiteConnectionPool,
    SQLiteCursor,
    SQLiteDatastore,
)

from engine.codec import Row
from engine.errors import StoreCorrupt, StoreError, StoreInUse, StoreUnavailable

PAGE: Final = 5_000
_FULL: Final = 2  # PRAGMA synchronous: a commit waits for the disk (SQLite documentation)
_BUSY_S: Final = 1
_SNAPSHOTS: Final = "snapshots"
# Jumps from stream to stream in the index, whatever their lengths.
_LAST_VERSIONS: Final = """
WITH RECURSIVE streams(id) AS (
    SELECT min(originator_id) FROM {table}
    UNION ALL
    SELECT (SELECT min(originator_id) FROM {table} WHERE originator_id > id)
    FROM streams WHERE id IS NOT NULL
)
SELECT id, (SELECT max(originator_version) FROM {table} WHERE originator_id = id)
FROM streams WHERE id IS NOT NULL
"""
_ROWS: Final = 2_000  # of one statement; SQLite takes 32,766 parameters, four a row
_NETWORK: Final = ("nfs", "cifs", "smb", "fuse.sshfs", "9p", "afs", "ceph", "glusterfs")

Progress = Callable[[int, int], None]


class VersionConflict(StoreError):
    """A row of that stream and version is in the store already; nothing was stored."""


class Store(Protocol):
    """An append-only log of rows. Any thread."""

    def append(self, rows: Sequence[Row]) -> Sequence[int]:
        """Store rows in one transaction and return their positions.

        Raises:
            VersionConflict: one of them is there already.
            StoreUnavailable: locked, full or gone; nothing was stored, or it is not known.
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


class _Pool(SQLiteConnectionPool):
    """Connections that wait for the disk at every commit (P1), or that only read."""

    read_only = False

    def _create_connection(self) -> SQLiteConnection:
        connection = super()._create_connection()
        cursor = connection.cursor()
        if self.read_only:
            cursor.execute("PRAGMA query_only=ON")
            return connection
        cursor.execute("PRAGMA synchronous=FULL")
        cursor.execute("PRAGMA synchronous")
        level = cursor.fetchone()[0]
        if level < _FULL:
            raise StoreError("the store does not wait for the disk: synchronous=FULL is refused")
        return connection


class _Recorder(SQLiteApplicationRecorder):
    """Inserts many rows with one statement.

    The library executes one statement a row, and sqlite3 lets go of the interpreter's lock for
    each: beside busy actors every row then waits for a thread switch. One statement for many rows
    waits once, and its work is done beside the actors. They are our own rows, as they are.
    """

    def _insert_events(
        self, c: SQLiteCursor, stored_events: Sequence[Any], **_: object
    ) -> Sequence[int]:
        last = 0
        for first in range(0, len(stored_events), _ROWS):
            chunk = stored_events[first : first + _ROWS]
            values = ",".join(["(?,?,?,?)"] * len(chunk))
            parameters: list[object] = []
            for one in chunk:
                parameters += (one.stream, one.version, one.topic, one.state)
            c.execute(f"INSERT INTO {self.events_table_name} VALUES {values}", parameters)  # noqa: S608 - the library's own table name
            last = c.lastrowid
        # One writer, one transaction, rowids by default: they follow each other.
        return range(last - len(stored_events) + 1, last + 1)


class SqliteStore:
    """A store in a SQLite file, or in memory."""

    def __init__(
        self, name: str, *, read_only: bool = False, lock: "FileLock | None" = None
    ) -> None:
        """Open, and unless it is only read create, the store; ``lock`` ends with it."""
        self._lock = lock
        self._datastore = SQLiteDatastore(name, lock_timeout=_BUSY_S, originator_id_type="text")
        pool = _Pool(db_name=name, lock_timeout=_BUSY_S)
        pool.read_only = read_only
        self._datastore.pool.close()
        self._datastore.pool = pool
        self._recorder = _Recorder(self._datastore)
        self._snapshots = SQLiteAggregateRecorder(self._datastore, _SNAPSHOTS)
        with _translated():
            if not read_only:
                self._recorder.create_table()
                self._snapshots.create_table()
            else:
                self._recorder.max_notification_id()

    def pragmas(self) -> tuple[str, int]:
        """Return the journal mode and the synchronous level of a connection that writes."""
        with self._datastore.get_connection(commit=True) as connection:
            cursor = connection.cursor()
            cursor.execute("PRAGMA journal_mode")
            mode = str(cursor.fetchone()[0])
            cursor.execute("PRAGMA synchronous")
            return mode, int(cursor.fetchone()[0])

    def limit_pages(self, count: int) -> None:
        """Let the file have so many pages at the most: a full disk, for tests."""
        with self._datastore.get_connection(commit=True) as connection:
            connection.cursor().execute(f"PRAGMA max_page_count={count}")

    def append(self, rows: Sequence[Row]) -> Sequence[int]:
        """See `Store`."""
        stored: Any = rows
        with _translated():
            return self._recorder.insert_events(stored) or ()

    def read_all(self, after: int = 0) -> Iterator[Row]:
        """See `Store`."""
        while True:
            with _translated():
                page = self._recorder.select_notifications(after, PAGE, inclusive_of_start=False)
            for one in page:
                yield Row(
                    str(one.originator_id), one.originator_version, one.topic, one.state, one.id
                )
            if len(page) < PAGE:
                return
            after = page[-1].id

    def read_stream(self, stream: str, after_version: int = 0) -> Iterator[Row]:
        """See `Store`."""
        while True:
            with _translated():
                page = self._recorder.select_events(stream, gt=after_version, limit=PAGE)
            yield from map(_row, page)
            if len(page) < PAGE:
                return
            after_version = page[-1].originator_version

    def last_row(self, stream: str) -> Row | None:
        """See `Store`."""
        with _translated():
            found = self._recorder.select_events(stream, desc=True, limit=1)
        return _row(found[0]) if found else None

    def row(self, stream: str, version: int) -> Row | None:
        """See `Store`."""
        with _translated():
            found = self._recorder.select_events(stream, gt=version - 1, lte=version)
        return _row(found[0]) if found else None

    def last_versions(self) -> dict[str, int]:
        """See `Store`."""
        with _translated(), self._datastore.transaction(commit=False) as cursor:
            cursor.execute(_LAST_VERSIONS.format(table=self._recorder.events_table_name))
            return {row[0]: row[1] for row in cursor.fetchall()}

    def last_position(self) -> int:
        """See `Store`."""
        with _translated():
            return self._recorder.max_notification_id() or 0

    def save_snapshots(self, rows: Sequence[Row]) -> None:
        """See `Store`."""
        kept = [(row.stream, row.version, row.topic, row.state) for row in rows]
        with _translated(), self._datastore.transaction(commit=True) as cursor:
            cursor.executemany(
                f"DELETE FROM {_SNAPSHOTS} WHERE originator_id=?",  # noqa: S608 - our own table name
                [one[:1] for one in kept],
            )
            cursor.executemany(f"INSERT INTO {_SNAPSHOTS} VALUES (?,?,?,?)", kept)  # noqa: S608 - our own table name

    def snapshots(self) -> Iterator[Row]:
        """See `Store`."""
        yield from self._select_snapshots("", ())

    def snapshot(self, stream: str) -> Row | None:
        """See `Store`."""
        return next(iter(self._select_snapshots("WHERE originator_id=?", (stream,))), None)

    def _select_snapshots(self, where: str, values: tuple[str, ...]) -> list[Row]:
        """Return snapshots; a store of an older version, that is only read, may have none."""
        with _translated(), self._datastore.transaction(commit=False) as cursor:
            cursor.execute("SELECT 1 FROM sqlite_master WHERE name=?", (_SNAPSHOTS,))
            if cursor.fetchone() is None:
                return []
            cursor.execute(f"SELECT * FROM {_SNAPSHOTS} {where}", values)  # noqa: S608 - our own table name
            return [Row(*row) for row in cursor.fetchall()]

    def backup(self, path: Path, progress: Progress) -> None:
        """See `Store`; a whole copy appears at ``path``, or nothing."""
        part = path.with_name(f"{path.name}.part")
        with _translated(), self._datastore.get_connection(commit=False) as connection:
            source: sqlite3.Connection = connection._sqlite_conn  # noqa: SLF001 - the backup needs the connection itself
            with contextlib.closing(sqlite3.connect(part)) as target:
                source.backup(
                    target, pages=2_000, progress=lambda _, left, all_: progress(all_ - left, all_)
                )
                target.execute("PRAGMA journal_mode=WAL")
        part.replace(path)

    def close(self) -> None:
        """See `Store`. Twice is once."""
        self._datastore.close()
        if self._lock is not None:
            self._lock.release()


def _row(stored: StoredEvent) -> Row:
    return Row(str(stored.originator_id), stored.originator_version, stored.topic, stored.state)


@contextlib.contextmanager
def _translated() -> Iterator[None]:
    """Turn the library's and SQLite's errors into ours."""
    try:
        yield
    except (PersistenceError, sqlite3.Error) as error:
        cause: BaseException | None = error
        while cause is not None and not isinstance(cause, sqlite3.Error):
            cause = cause.__cause__ or (cause.args[0] if _wraps(cause) else None)
        if isinstance(cause, sqlite3.IntegrityError):
            raise VersionConflict(str(cause)) from error
        name = getattr(cause, "sqlite_errorname", "")
        if name in {"SQLITE_CORRUPT", "SQLITE_NOTADB"}:
            raise StoreCorrupt(f"the store's file is damaged: {cause}") from error
        raise StoreUnavailable(f"the store cannot be used: {cause or error}") from error


def _wraps(error: BaseException) -> bool:
    return bool(error.args) and isinstance(error.args[0], BaseException)


class FileLock:
    """An operating system's lock on a side file: it ends with the process, however that ends."""

    def __init__(self, path: Path) -> None:
        """Take the lock.

        Raises:
            StoreInUse: another process, or another engine of this one, has it.
        """
        self._descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            os.close(self._descriptor)
            raise StoreInUse(f"another engine has the store ({path.name} is locked)") from None

    def release(self) -> None:
        """Give the lock back. Twice is once."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1


def open_store(url: str, *, read_only: bool = False) -> Store:
    """Open the store of a URL: ``sqlite:///file`` or ``memory:``.

    A store that is opened for writing is locked against other engines until it is closed.

    Raises:
        StoreInUse: another engine writes to it.
        StoreError: there is no such store to read, or its place does not keep what is written.
        StoreUnavailable: it cannot be used now.
    """
    if url.startswith("memory:"):
        return SqliteStore(f"file:{id(url)}{os.urandom(8).hex()}?mode=memory&cache=shared")
    if not url.startswith("sqlite:///"):
        raise StoreError(f"no store of this version has the URL {url!r}")
    path = Path(url.removeprefix("sqlite:///"))
    if read_only:
        if not path.is_file():
            raise StoreError(f"there is no store at {path}")
        return SqliteStore(str(path), read_only=True)
    if not path.parent.is_dir():
        raise StoreError(f"there is no folder {path.parent}")
    kind = file_system(path)
    if kind.startswith(_NETWORK):
        raise StoreError(f"{path} is on a network file system ({kind}): SQLite needs a local one")
    lock = FileLock(path.with_name(f"{path.name}.lock"))
    try:
        return SqliteStore(str(path), lock=lock)
    except BaseException:
        lock.release()
        raise


def file_system(path: Path, mounts: Path = Path("/proc/mounts")) -> str:
    """Return the type of the file system that a path is on, empty where that cannot be told."""
    try:
        lines = mounts.read_text(encoding="utf-8").splitlines()
    except OSError:
        return ""
    absolute = path.absolute()
    best: tuple[int, str] = (0, "")
    for line in lines:
        parts: list[Any] = line.split()
        point = Path(parts[1].replace("\\040", " "))
        if absolute.is_relative_to(point):
            best = max(best, (len(str(point)), str(parts[2])))
    return best[1]
