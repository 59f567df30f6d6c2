"""Tables beside the log, for what can be made anew at any time: a file, or a schema, of its own."""

import contextlib
import logging
import sqlite3
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Final
from urllib.parse import parse_qs, urlsplit, urlunsplit

from actors.store.places import name_to_read
from actors.store.table_schema import Tables, Values, schema_for_sqlite
from engine.errors import StoreCorrupt, StoreError, StoreUnavailable

logger = logging.getLogger("setpoint")

_BUSY_S: Final = 5.0


def place_of(store_url: str) -> str:
    """Return the URL of the read model of a store; in memory it has none: ``memory:``."""
    if store_url.startswith("sqlite:///"):
        path = Path(store_url.removeprefix("sqlite:///"))
        return f"sqlite:///{path.with_name(f'{path.stem}.read{path.suffix}')}"
    if store_url.startswith("memory:"):
        return "memory:"
    parts = urlsplit(store_url)
    schema = parse_qs(parts.query).get("schema", ["public"])[0]
    return urlunsplit(parts._replace(query=f"schema={schema}_read"))


def open_tables(url: str, *, read_only: bool = False) -> Tables | None:
    """Open the tables of a read model; null where there are none to read, or can be none.

    Raises:
        StoreUnavailable: they cannot be used now.
    """
    if url.startswith("sqlite:///"):
        path = Path(url.removeprefix("sqlite:///"))
        return _readable(path) if read_only else _writable(path)
    if url.startswith("memory:"):
        return None
    from actors.store.postgres_tables import PostgresTables  # noqa: PLC0415 - an extra

    return PostgresTables.of(url, read_only=read_only)


def _readable(path: Path) -> Tables | None:
    """Open a file's tables; null where there is none, or none yet: an engine just makes them."""
    if not path.is_file():
        return None
    tables = SqliteTables(name_to_read(path), read_only=True)
    try:
        if tables.are_there():
            return tables
    except StoreError:
        tables.close()
        raise
    tables.close()
    return None


def _writable(path: Path) -> Tables:
    """Open a file's tables; one that is damaged is made anew: nothing is lost with it."""
    try:
        return SqliteTables(str(path))
    except StoreCorrupt as error:
        logger.warning("%s; it is made anew", error)
    for end in ("", "-wal", "-shm"):
        path.with_name(path.name + end).unlink(missing_ok=True)
    return SqliteTables(str(path))


def temporary_tables() -> Tables:
    """Return tables that are gone when they are closed; they need not fit into memory."""
    return SqliteTables("")


class SqliteTables:
    """Tables in a file of SQLite's; losing the newest at a power cut loses nothing."""

    def __init__(self, name: str, *, read_only: bool = False) -> None:
        """Open them; create what is not there."""
        with _translated():
            self._session = sqlite3.connect(
                name, timeout=_BUSY_S, isolation_level=None, check_same_thread=False, uri=True
            )
        try:
            with _translated():
                self._prepare(read_only=read_only)
        except StoreError:
            self._session.close()
            raise

    def _prepare(self, *, read_only: bool) -> None:
        if read_only:
            self._session.execute("PRAGMA query_only=ON")
            return
        self._session.execute("PRAGMA journal_mode=WAL")
        self._session.execute("PRAGMA synchronous=NORMAL")
        # In one transaction, as somebody may read them meanwhile.
        begin = "BEGIN" if self.are_there() else "BEGIN IMMEDIATE"
        self._session.executescript(f"{begin}; {schema_for_sqlite()} COMMIT;")

    def are_there(self) -> bool:
        """Return whether they have been created."""
        return bool(self.rows("SELECT 1 FROM sqlite_master WHERE name = 'meta'"))

    def rows(self, statement: str, values: Values = ()) -> list[tuple[Any, ...]]:
        """See `Tables`."""
        with _translated():
            return self._session.execute(statement, values).fetchall()

    def run(self, statement: str, values: Sequence[Values]) -> None:
        """See `Tables`."""
        with _translated():
            self._session.executemany(statement, values)

    @contextlib.contextmanager
    def transaction(self, *, write: bool) -> Iterator[None]:
        """See `Tables`."""
        with _translated():
            self._session.execute("BEGIN IMMEDIATE" if write else "BEGIN")
        try:
            yield
        except BaseException:
            with _translated():
                self._session.execute("ROLLBACK")
            raise
        with _translated():
            self._session.execute("COMMIT")

    def close(self) -> None:
        """See `Tables`."""
        self._session.close()


@contextlib.contextmanager
def _translated() -> Iterator[None]:
    try:
        yield
    except sqlite3.Error as error:
        if getattr(error, "sqlite_errorname", "") in {"SQLITE_NOTADB", "SQLITE_CORRUPT"}:
            raise StoreCorrupt(f"the read model is damaged: {error}") from error
        raise StoreUnavailable(f"the read model cannot be used: {error}") from error
