"""The store: an append-only log of rows, and snapshots beside it, in SQLite or PostgreSQL.

The only place that knows the eventsourcing library, sqlite3 and psycopg; their errors end here.
"""

from actors.store.base import Progress, Store, VersionConflict
from actors.store.opening import open_store
from actors.store.places import FileLock, file_system
from actors.store.sqlite import SqliteStore

__all__ = [
    "FileLock",
    "Progress",
    "SqliteStore",
    "Store",
    "VersionConflict",
    "file_system",
    "open_store",
]
