"""A store in a SQLite file, or in memory, through the eventsourcing library's recorders."""

import contextlib
import sqlite3
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Final

from eventsourcing.persistence import Notification, PersistenceError, StoredEvent
from eventsourcing.sqlite import (
    SQLiteAggregateRecorder,
    SQLiteApplicationRecorder,
    SQLiteConnection,
    SQLiteConnectionPool,
    SQLiteCursor,
    SQLiteDatastore,
)

from actors.store.base import Progress, VersionConflict
from actors.store.places import FileLock
from engine.codec import Row
from engine.errors import StoreCorrupt, StoreError, StoreMissing, StoreUnavailable

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
_ROWS: Final = 8_000  # of one statement; SQLite takes 32,766 parameters, four a row


class _Pool(SQLiteConnectionPool):
    """Connections that wait for the disk at every commit (P1), or that only read."""

    read_only = False
    most_pages: int | None = None

    def get_connection(
        self, timeout: float | None = None, *, is_writer: bool | None = None
    ) -> SQLiteConnection:
        """Give a connection; SQLite has a limit of pages for each, and any may write."""
        connection = super().get_connection(timeout, is_writer=is_writer)
        if self.most_pages is not None:
            connection.cursor().execute(f"PRAGMA max_page_count={self.most_pages}")
        return connection

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
    """Inserts many rows with one statement, which is a transaction of its own.

    The library executes one statement a row between two more, and sqlite3 lets go of the
    interpreter's lock for each: beside busy actors every one then waits for a thread switch. One
    statement waits once, and its work is done beside the actors. They are our own rows, as they
    are.
    """

    def insert_events(self, stored_events: Sequence[Any], **_: object) -> Sequence[int]:
        """Store rows, all or none, and return their positions."""
        if len(stored_events) > _ROWS:
            with self.datastore.transaction(commit=True) as cursor:
                return self._insert_events(cursor, stored_events)
        if not stored_events:
            return ()
        with self.datastore.get_connection(commit=True) as connection:
            return self._insert_events(connection.cursor(), stored_events)

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

    def __init__(self, name: str, *, read_only: bool = False, lock: FileLock | None = None) -> None:
        """Open, and unless it is only read create, the store; ``lock`` ends with it."""
        self._lock = lock
        self._datastore = SQLiteDatastore(name, lock_timeout=_BUSY_S, originator_id_type="text")
        self._pool = _Pool(db_name=name, lock_timeout=_BUSY_S)
        self._pool.read_only = read_only
        self._datastore.pool.close()
        self._datastore.pool = self._pool
        self._recorder = _Recorder(self._datastore)
        self._snapshots = SQLiteAggregateRecorder(self._datastore, _SNAPSHOTS)
        with _translated():
            if not read_only:
                self._recorder.create_table()
                self._snapshots.create_table()
            elif not self._has(self._recorder.events_table_name):
                raise StoreMissing(f"there is no store in {name}")

    def _has(self, table: str) -> bool:
        with self._datastore.transaction(commit=False) as cursor:
            return _is_there(cursor, table)

    @property
    def took_over(self) -> bool:
        """See `Store`; a file's lock is never passed over."""
        return False

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
        self._pool.most_pages = count

    def append(self, rows: Sequence[Row]) -> Sequence[int]:
        """See `Store`."""
        stored: Any = rows
        with _translated():
            return self._recorder.insert_events(stored) or ()

    def copy(self, rows: Sequence[Row]) -> None:
        """Store rows of another store at the positions that they have there."""
        kept = [(row.position, row.stream, row.version, row.topic, row.state) for row in rows]
        table = self._recorder.events_table_name
        with _translated(), self._datastore.transaction(commit=True) as cursor:
            cursor.executemany(
                f"INSERT INTO {table} (rowid, originator_id, originator_version, topic, state) "  # noqa: S608 - the library's own table name
                "VALUES (?,?,?,?,?)",
                kept,
            )

    def archive(self, rows: Sequence[Row], moved: Sequence[tuple[int, int]]) -> None:
        """See `Store`. The file keeps its size; the room is used again."""
        table = self._recorder.events_table_name
        stored = [(row.stream, row.version, row.topic, row.state) for row in rows]
        with _translated(), self._datastore.transaction(commit=True) as cursor:
            cursor.executemany(f"INSERT INTO {table} VALUES (?,?,?,?)", stored)  # noqa: S608 - likewise
            cursor.executemany(f"DELETE FROM {table} WHERE rowid BETWEEN ? AND ?", moved)  # noqa: S608 - likewise

    def read_all(self, after: int = 0) -> Iterator[Row]:
        """See `Store`."""
        while True:
            with _translated():
                page = self._recorder.select_notifications(after, PAGE, inclusive_of_start=False)
            yield from map(_notified, page)
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

    def row_at(self, position: int) -> Row | None:
        """See `Store`."""
        with _translated():
            found = self._recorder.select_notifications(position, 1, stop=position)
        return _notified(found[0]) if found else None

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
            if not _is_there(cursor, _SNAPSHOTS):
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


def _is_there(cursor: SQLiteCursor, table: str) -> bool:
    cursor.execute("SELECT 1 FROM sqlite_master WHERE name=?", (table,))
    return cursor.fetchone() is not None


def _row(stored: StoredEvent) -> Row:
    return Row(str(stored.originator_id), stored.originator_version, stored.topic, stored.state)


def _notified(one: Notification) -> Row:
    return Row(str(one.originator_id), one.originator_version, one.topic, one.state, one.id)


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
