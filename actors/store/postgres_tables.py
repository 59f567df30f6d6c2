"""The tables of a read model in PostgreSQL."""

import contextlib
from collections.abc import Iterator, Sequence
from typing import Any

import psycopg
from psycopg.sql import SQL, Identifier

from actors.store.postgres_place import Place, translated
from actors.store.table_schema import Values, schema_for_postgres


class PostgresTables:
    """The tables of a read model in a schema of their own. See `Tables`."""

    def __init__(self, session: psycopg.Connection[Any]) -> None:
        """Use a session whose schema is set."""
        self._session = session

    @classmethod
    def of(cls, url: str, *, read_only: bool) -> "PostgresTables | None":
        """Open them; only to be read, null where there are none.

        Raises:
            StoreUnavailable: the server cannot be reached.
        """
        place = Place.of(url)
        with translated():
            session = place.connect()
            schema = Identifier(place.schema)
            there = session.execute(
                "SELECT 1 FROM information_schema.tables "
                "WHERE table_schema = %s AND table_name = 'meta'",
                (place.schema,),
            ).fetchone()
            if there is None and read_only:
                session.close()
                return None
            if there is None:
                session.execute(SQL("CREATE SCHEMA IF NOT EXISTS {}").format(schema))
            session.execute(SQL("SET search_path TO {}").format(schema))
            if there is None:
                session.execute(schema_for_postgres().encode())
        return cls(session)

    def rows(self, statement: str, values: Values = ()) -> list[tuple[Any, ...]]:
        """See `Tables`."""
        with translated():
            return self._session.execute(_percent(statement), values).fetchall()

    def run(self, statement: str, values: Sequence[Values]) -> None:
        """See `Tables`."""
        with translated(), self._session.cursor() as cursor:
            cursor.executemany(_percent(statement), values)

    @contextlib.contextmanager
    def transaction(self, *, write: bool) -> Iterator[None]:
        """See `Tables`."""
        with translated(), self._session.transaction():
            if write:
                self._session.execute("LOCK TABLE meta IN EXCLUSIVE MODE")
            else:
                self._session.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
            yield

    def close(self) -> None:
        """See `Tables`."""
        self._session.close()


def _percent(statement: str) -> bytes:
    return statement.replace("?", "%s").encode()
