"""Where a store's file may be, and who may write to it."""

import contextlib
import fcntl
import os
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote

from engine.errors import StoreInUse, StoreUnavailable

_PID_BYTES: Final = 20


class FileLock:
    """An operating system's lock on a side file: it ends with the process, however that ends."""

    def __init__(self, path: Path) -> None:
        """Take the lock.

        Raises:
            StoreInUse: another process, or another engine of this one, has it.
            StoreUnavailable: the place cannot be written to.
        """
        try:
            self._descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise StoreUnavailable(f"{path} cannot be written: {error.strerror}") from error
        try:
            fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            holder = os.pread(self._descriptor, _PID_BYTES, 0).decode(errors="replace").strip()
            os.close(self._descriptor)
            by = f"process {holder} holds {path.name}" if holder else f"{path.name} is locked"
            raise StoreInUse(f"another engine has the store: {by}") from None
        self._sign()

    def _sign(self) -> None:
        """Write down whose the lock is, for who is refused; on a full disk it holds unsigned."""
        with contextlib.suppress(OSError):
            os.ftruncate(self._descriptor, 0)
            os.pwrite(self._descriptor, f"{os.getpid()}\n".encode(), 0)

    def release(self) -> None:
        """Give the lock back. Twice is once."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1


def name_to_read(path: Path) -> str:
    """Return the name by which SQLite opens a file that is only read.

    Beside a file with a write-ahead log SQLite makes another, also to read. Where that cannot be,
    and no such log is left, nobody writes: then it reads the file alone.
    """
    log = path.with_name(f"{path.name}-wal")
    if os.access(path.parent, os.W_OK) or log.exists():
        return str(path)
    return f"file:{quote(str(path.absolute()))}?immutable=1"


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
