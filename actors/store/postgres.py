"""A store in a PostgreSQL database, through the eventsourcing library's recorders.

Of one database several sites may have a schema each. Who writes holds a session's advisory lock on
the schema, which ends with the session, however that ends.
"""

import contextlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Final, LiteralString

import psycopg
from eventsourcing.persistence import Notification, StoredEvent
from eventsourcing.postgres import (
    PostgresAggregateRecorder,
    PostgresApplicationRecorder,
    PostgresDatastore,
)
from psycopg.sql import SQL, Identifier

from actors.store.base import Progress
from actors.store.postgres_place import CONNECT_S, Place, translated
from actors.store.sqlite import SqliteStore
from engine.archives import STREAM as ARCHIVE
from engine.codec import Row
from engine.errors import StoreError, StoreInUse, StoreMissing, StoreUnavailable

PAGE: Final = 5_000
_SNAPSHOTS: Final = "snapshots"
_IDLE_S: Final = 5  # what an engine that was stopped had begun does not lock others out
_POOL: Final = 4  # the journal, the bus and readers beside them
_DURABLE: Final = frozenset({"on", "local", "remote_write", "remote_apply"})
# Jumps from stream to stream in the index, whatever their lengths.
_LAST_VERSIONS: Final = SQL("""
WITH RECURSIVE streams(id) AS (
    (SELECT min(originator_id) FROM {table})
    UNION ALL
    SELECT (SELECT min(originator_id) FROM {table} WHERE originator_id > id)
    FROM streams WHERE id IS NOT NULL
)
SELECT id, (SELECT max(originator_version) FROM {table} WHERE originator_id = id) AS version
FROM streams WHERE id IS NOT NULL
""")


class Lock:
    """A session's advisory lock on a schema: one engine writes to it.

    It is a session of its own, so that it lasts as long as the engine does, or its server.
    """

    def __init__(self, place: Place, *, take_over: bool) -> None:
        """Take the lock; ``take_over`` ends the session of an engine that has it.

        Raises:
            StoreInUse: another engine has it.
        """
        self._place = place
        self._session = place.connect()
        self.took_over = False
        if self._try():
            return
        if take_over:
            self._end_holder()
            self._wait()
            self.took_over = True
            return
        where = f"{place.database}, schema {place.schema}{self._holder()}"
        self._session.close()
        raise StoreInUse(f"another engine has the store ({where}); --take-over takes it over")

    def _try(self) -> bool:
        found = self._session.execute("SELECT pg_try_advisory_lock(%s)", (self._place.lock_key,))
        row = found.fetchone()
        return row is not None and bool(row[0])

    def _wait(self) -> None:
        self._session.execute("SET lock_timeout = '5s'")
        self._session.execute("SELECT pg_advisory_lock(%s)", (self._place.lock_key,))

    def _holder(self) -> str:
        """Return from where and since when the lock is held, as far as the server tells."""
        found = self._of_holder(
            "SELECT coalesce(host(client_addr), 'the server itself'), backend_start FROM held "
            "JOIN pg_stat_activity USING (pid)"
        ).fetchone()
        return "" if found is None else f", held from {found[0]} since {found[1]:%Y-%m-%d %H:%M %Z}"

    def _end_holder(self) -> None:
        """End the session that has the lock; its engine finds out at its next commit."""
        self._of_holder("SELECT pg_terminate_backend(pid) FROM held")

    def _of_holder(self, statement: LiteralString) -> "psycopg.Cursor[Any]":
        """Run a statement on ``held``: the session that has the lock."""
        key = self._place.lock_key & (1 << 64) - 1
        held = (
            "WITH held AS (SELECT pid FROM pg_locks WHERE locktype = 'advisory' AND granted "
            "AND database = (SELECT oid FROM pg_database WHERE datname = current_database()) "
            "AND classid = %s AND objid = %s AND objsubid = 1) "
        )
        return self._session.execute(held + statement, (key >> 32, key & 0xFFFFFFFF))

    def renew(self) -> None:
        """Take the lock again if its session was lost; who has it meanwhile fences us anyway."""
        try:
            self._session.execute("SELECT 1")
        except psycopg.Error:
            self._session.close()
            self._session = self._place.connect()
            self._try()

    def release(self) -> None:
        """Give the lock back. Twice is once."""
        self._session.close()


class PostgresStore:
    """A store in a schema of a PostgreSQL database. See `Store`.

    Positions go up, and may leave gaps. A writer takes the table's lock for its transaction, so
    that rows become visible in the order of their positions.
    """

    def __init__(self, place: Place, *, read_only: bool = False, take_over: bool = False) -> None:
        """Open, and unless it is only read create, the store.

        Raises:
            StoreInUse: another engine writes to it.
            StoreUnavailable: the server cannot be reached.
            StoreMissing: there is no such store to read.
            StoreError: commits would not be durable.
        """
        self._place = place
        self._read_only = read_only
        self._lost = False
        with translated():
            place.connect().close()  # says why it cannot; the pool only that it waited in vain
            self._connect()
        self._lock: Lock | None = None
        try:
            with translated():
                if not read_only:
                    self._lock = Lock(place, take_over=take_over)
                    _create_schema(place)
                self._prepare(place)
        except BaseException:
            self.close()
            raise
        self._table = SQL("{}.{}").format(
            Identifier(place.schema), Identifier(self._recorder.events_table_name)
        )
        self._snapshot_table = SQL("{}.{}").format(Identifier(place.schema), Identifier(_SNAPSHOTS))

    def _connect(self) -> None:
        """Make a pool of connections; the first that is needed is made then.

        ``pool_open_timeout`` stays out: with it each use of the pool waits for it to be full,
        which two threads may not do at once, and closes it for good when the server is away.
        """
        place = self._place
        self._datastore = PostgresDatastore(
            place.database,
            place.host,
            place.port,
            place.user,
            place.password,
            connect_timeout=CONNECT_S,
            idle_in_transaction_session_timeout=_IDLE_S,
            pool_size=1,
            max_overflow=_POOL - 1,
            schema=place.schema,
            originator_id_type="text",
        )
        self._recorder = PostgresApplicationRecorder(self._datastore)
        self._snapshots = PostgresAggregateRecorder(self._datastore, events_table_name=_SNAPSHOTS)

    @contextlib.contextmanager
    def _back(self) -> Iterator[None]:
        """Come back first if the server was away: the lock again, and a new pool.

        A pool that failed to connect tries again by itself, but ever more rarely. The journal's
        thread alone asks for this.
        """
        with translated():
            if self._lost:
                if self._lock is not None:
                    self._lock.renew()
                self._datastore.close()
                self._connect()
                self._lost = False
            yield

    def _prepare(self, place: Place) -> None:
        if self._read_only:
            with self._datastore.transaction(commit=False) as cursor:
                cursor.execute(
                    "SELECT 1 FROM information_schema.tables "
                    "WHERE table_schema = %s AND table_name = %s",
                    (place.schema, self._recorder.events_table_name),
                )
                if cursor.fetchone() is None:
                    raise StoreMissing(f"there is no store in schema {place.schema}")
            return
        self._recorder.create_table()
        self._snapshots.create_table()
        with self._datastore.transaction(commit=False) as cursor:
            cursor.execute("SHOW synchronous_commit")
            row = cursor.fetchone()
            if row is None or row["synchronous_commit"] not in _DURABLE:
                raise StoreError("the store does not wait for the disk: synchronous_commit is off")

    @property
    def took_over(self) -> bool:
        """See `Store`."""
        return self._lock is not None and self._lock.took_over

    # --- writing

    def append(self, rows: Sequence[Row]) -> Sequence[int]:
        """See `Store`."""
        if self._read_only:
            raise StoreUnavailable("the store was opened only to be read")
        if not rows:
            return ()
        try:
            with self._back(), self._datastore.transaction(commit=True) as cursor:
                for statement in self._recorder.lock_table_statements:
                    cursor.execute(statement)
                cursor.execute(
                    SQL(
                        "INSERT INTO {} (originator_id, originator_version, topic, state) "
                        "SELECT * FROM unnest(%s::text[], %s::bigint[], %s::text[], %s::bytea[]) "
                        "RETURNING notification_id"
                    ).format(self._table),
                    (
                        [row.stream for row in rows],
                        [row.version for row in rows],
                        [row.topic for row in rows],
                        [row.state for row in rows],
                    ),
                )
                positions = sorted(row["notification_id"] for row in cursor.fetchall())
        except StoreUnavailable:
            self._lost = True
            raise
        return positions

    def archive(self, rows: Sequence[Row], moved: Sequence[tuple[int, int]]) -> None:
        """See `Store`."""
        insert = SQL(
            "INSERT INTO {} (originator_id, originator_version, topic, state) VALUES (%s,%s,%s,%s)"
        ).format(self._table)
        delete = SQL("DELETE FROM {} WHERE notification_id BETWEEN %s AND %s").format(self._table)
        with translated(), self._datastore.transaction(commit=True) as cursor:
            for statement in self._recorder.lock_table_statements:
                cursor.execute(statement)
            for row in rows:
                cursor.execute(insert, (row.stream, row.version, row.topic, row.state))
            for first_last in moved:
                cursor.execute(delete, first_last)

    def save_snapshots(self, rows: Sequence[Row]) -> None:
        """See `Store`."""
        streams = [row.stream for row in rows]
        with translated(), self._datastore.transaction(commit=True) as cursor:
            cursor.execute(
                SQL("DELETE FROM {} WHERE originator_id = ANY(%s)").format(self._snapshot_table),
                (streams,),
            )
            cursor.execute(
                SQL(
                    "INSERT INTO {} (originator_id, originator_version, topic, state) "
                    "SELECT * FROM unnest(%s::text[], %s::bigint[], %s::text[], %s::bytea[])"
                ).format(self._snapshot_table),
                (
                    streams,
                    [row.version for row in rows],
                    [row.topic for row in rows],
                    [row.state for row in rows],
                ),
            )

    # --- reading

    def read_all(self, after: int = 0) -> Iterator[Row]:
        """See `Store`."""
        while True:
            with translated():
                page = self._recorder.select_notifications(after, PAGE, inclusive_of_start=False)
            yield from map(_notified, page)
            if len(page) < PAGE:
                return
            after = page[-1].id

    def read_stream(self, stream: str, after_version: int = 0) -> Iterator[Row]:
        """See `Store`."""
        while True:
            with translated():
                page = self._recorder.select_events(stream, gt=after_version, limit=PAGE)
            yield from map(_row, page)
            if len(page) < PAGE:
                return
            after_version = page[-1].originator_version

    def last_row(self, stream: str) -> Row | None:
        """See `Store`."""
        with translated():
            found = self._recorder.select_events(stream, desc=True, limit=1)
        return _row(found[0]) if found else None

    def row(self, stream: str, version: int) -> Row | None:
        """See `Store`."""
        with self._back():
            found = self._recorder.select_events(stream, gt=version - 1, lte=version)
        return _row(found[0]) if found else None

    def row_at(self, position: int) -> Row | None:
        """See `Store`."""
        with translated():
            found = self._recorder.select_notifications(position, 1, stop=position)
        return _notified(found[0]) if found else None

    def last_versions(self) -> dict[str, int]:
        """See `Store`."""
        with translated(), self._datastore.transaction(commit=False) as cursor:
            cursor.execute(_LAST_VERSIONS.format(table=self._table))
            return {row["id"]: row["version"] for row in cursor.fetchall()}

    def last_position(self) -> int:
        """See `Store`."""
        with translated():
            return self._recorder.max_notification_id() or 0

    def snapshots(self) -> Iterator[Row]:
        """See `Store`."""
        with translated(), self._datastore.transaction(commit=False) as cursor:
            cursor.execute(SQL("SELECT * FROM {}").format(self._snapshot_table))
            yield from [_snapshot(row) for row in cursor.fetchall()]

    def snapshot(self, stream: str) -> Row | None:
        """See `Store`."""
        with translated():
            found = self._snapshots.select_events(stream, limit=1)
        return _row(found[0]) if found else None

    def backup(self, path: Path, progress: Progress) -> None:
        """See `Store`; the copy is a SQLite file, which every verb that reads takes.

        Rows are only ever added, in the order of their positions: those up to the newest one now
        are a consistent copy, however long it takes. Only an archive takes some out.

        Raises:
            StoreUnavailable: that happened meanwhile.
        """
        part = path.with_name(f"{path.name}.part")
        archived, last = self.last_row(ARCHIVE), self.last_position()
        copy = SqliteStore(str(part))
        try:
            batch: list[Row] = []
            for row in self.read_all():
                if (row.position or 0) > last:
                    break
                batch.append(row)
                if len(batch) == PAGE:
                    copy.copy(batch)
                    progress(row.position or 0, last)
                    batch = []
            copy.copy(batch)
            copy.save_snapshots(list(self.snapshots()))
            progress(last, last)
        finally:
            copy.close()
        if archived != self.last_row(ARCHIVE):
            part.unlink()
            raise StoreUnavailable("a part of the store was archived meanwhile: back it up again")
        part.replace(path)

    def close(self) -> None:
        """See `Store`. Twice is once."""
        self._datastore.close()
        if self._lock is not None:
            self._lock.release()


def _create_schema(place: Place) -> None:
    """Make the schema; two engines that start at once are told apart by the lock before."""
    with place.connect() as session:
        session.execute(SQL("CREATE SCHEMA IF NOT EXISTS {}").format(Identifier(place.schema)))


def _row(stored: StoredEvent) -> Row:
    return Row(str(stored.originator_id), stored.originator_version, stored.topic, stored.state)


def _notified(one: Notification) -> Row:
    return Row(str(one.originator_id), one.originator_version, one.topic, one.state, one.id)


def _snapshot(row: "dict[str, Any]") -> Row:
    return Row(row["originator_id"], row["originator_version"], row["topic"], bytes(row["state"]))
