"""From a store's URL to the store."""

import os
from pathlib import Path
from typing import Final

from actors.store.base import Store
from actors.store.places import FileLock, file_system, name_to_read
from actors.store.sqlite import SqliteStore
from engine.errors import StoreError, StoreMissing, StoreUnavailable

_MAGIC: Final = b"SQLite format 3\x00"
"""How each of SQLite's files begins."""

_NETWORK: Final = ("nfs", "cifs", "smb", "fuse.sshfs", "9p", "afs", "ceph", "glusterfs")


def open_store(url: str, *, read_only: bool = False, take_over: bool = False) -> Store:
    """Open the store of a URL: ``sqlite:///file``, ``postgresql://…`` or ``memory:``.

    ``memory:NAME`` is the same store for all of this process, for as long as one of them is open.
    A store that is opened for writing is locked against other engines until it is closed. On
    PostgreSQL ``take_over`` passes over the lock of another engine.

    Raises:
        StoreInUse: another engine writes to it.
        StoreMissing: there is no such store to read, or there can be none.
        StoreError: its place does not keep what is written.
        StoreUnavailable: it cannot be used now.
    """
    if url.startswith("memory:"):
        name = url.removeprefix("memory:") or os.urandom(16).hex()
        return SqliteStore(f"file:{name}?mode=memory&cache=shared")
    if url.startswith(("postgresql://", "postgres://")):
        return _postgres(url, read_only=read_only, take_over=take_over)
    if not url.startswith("sqlite:///"):
        raise StoreMissing(f"a store's URL begins with sqlite:/// or postgresql://, not as {url!r}")
    return _sqlite(Path(url.removeprefix("sqlite:///")), read_only=read_only)


def _postgres(url: str, *, read_only: bool, take_over: bool) -> Store:
    try:
        from actors.store.postgres import PostgresStore  # noqa: PLC0415 - an extra
        from actors.store.postgres_place import Place  # noqa: PLC0415 - likewise
    except ImportError as error:
        raise StoreError(
            f"PostgreSQL needs what pip install 'setpoint[postgres]' brings: {error}"
        ) from error
    return PostgresStore(Place.of(url), read_only=read_only, take_over=take_over)


def _sqlite(path: Path, *, read_only: bool) -> Store:
    _check_file(path)
    if read_only:
        if not path.is_file():
            raise StoreMissing(f"there is no store at {path}")
        return SqliteStore(name_to_read(path), read_only=True)
    if not path.parent.is_dir():
        raise StoreMissing(f"there is no folder {path.parent}")
    kind = file_system(path)
    if kind.startswith(_NETWORK):
        raise StoreError(f"{path} is on a network file system ({kind}): SQLite needs a local one")
    lock = FileLock(path.with_name(f"{path.name}.lock"))
    try:
        return SqliteStore(str(path), lock=lock)
    except BaseException:
        lock.release()
        raise


def _check_file(path: Path) -> None:
    """Refuse a folder, and a file that is something else; an empty one can become a store."""
    if path.is_dir():
        raise StoreMissing(f"{path} is a folder, not a store")
    if not path.is_file():
        return
    try:
        with path.open("rb") as file:
            beginning = file.read(len(_MAGIC))
    except OSError as error:
        raise StoreUnavailable(f"{path} cannot be read: {error.strerror}") from None
    if beginning and beginning != _MAGIC:
        raise StoreMissing(
            f"{path} is no store, or its beginning is damaged: a store is a file of SQLite's, "
            "and a site file's name ends with .toml"
        )
