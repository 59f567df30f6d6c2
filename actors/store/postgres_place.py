"""Where a PostgreSQL store is, and its errors as ours."""

import contextlib
import hashlib
from collections.abc import Iterator
from typing import Any, Final
from urllib.parse import parse_qs, unquote, urlsplit

import attrs
import psycopg
from eventsourcing.persistence import IntegrityError, PersistenceError

from actors.store.base import VersionConflict
from engine.errors import StoreMissing, StoreUnavailable

_PORT: Final = 5432
CONNECT_S: Final = 5
"""How long a connection may take to come about."""


@attrs.frozen
class Place:
    """Where a store is: a database, as whom, and the site's schema in it."""

    host: str
    port: int
    database: str
    user: str
    password: str = attrs.field(repr=False)
    schema: str

    @classmethod
    def of(cls, url: str) -> "Place":
        """Read ``postgresql://user:password@host:port/database?schema=name``.

        Raises:
            StoreMissing: it is no URL, names no database, or something that is not known.
        """
        try:
            parts = urlsplit(url)
            port = parts.port or _PORT
        except ValueError as error:
            raise StoreMissing(f"the store's URL cannot be read: {error}") from None
        query = parse_qs(parts.query)
        unknown = sorted(set(query) - {"schema"})
        if unknown:
            raise StoreMissing(f"a store's URL takes schema=, not {unknown[0]}=")
        database = unquote(parts.path.removeprefix("/"))
        if not database:
            raise StoreMissing("the store's URL names no database: postgresql://user@host/database")
        return cls(
            parts.hostname or "localhost",
            port,
            database,
            unquote(parts.username or "postgres"),
            unquote(parts.password or ""),
            query.get("schema", ["public"])[0],
        )

    def connect(self) -> "psycopg.Connection[Any]":
        """Return a connection of its own, beside the pool's."""
        return psycopg.connect(
            host=self.host,
            port=self.port,
            dbname=self.database,
            user=self.user,
            password=self.password,
            connect_timeout=CONNECT_S,
            autocommit=True,
        )

    @property
    def lock_key(self) -> int:
        """The number of the schema's advisory lock in its database."""
        digest = hashlib.sha256(f"setpoint:{self.schema}".encode()).digest()
        return int.from_bytes(digest[:8], "big", signed=True)


@contextlib.contextmanager
def translated() -> Iterator[None]:
    """Turn the library's and psycopg's errors into ours."""
    try:
        yield
    except (IntegrityError, psycopg.IntegrityError) as error:
        raise VersionConflict(str(error)) from error
    except (PersistenceError, psycopg.Error) as error:
        raise StoreUnavailable(f"the store cannot be used: {error}") from error
    except OSError as error:
        raise StoreUnavailable(f"the store cannot be reached: {error}") from error
