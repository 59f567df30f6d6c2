"""A folder in which schedule files are put down."""

import hashlib
import logging
from collections.abc import Iterator
from pathlib import Path

from engine.errors import UsageError

logger = logging.getLogger("setpoint")

_ENDINGS = frozenset({".csv", ".json", ".parquet"})


class Folder:
    """Tells which files are new or were written again, once each, when they have come to rest."""

    def __init__(self, path: Path) -> None:
        """Watch a folder; the files that are in it now count as new.

        Raises:
            UsageError: there is no such folder.
        """
        if not path.is_dir():
            raise UsageError(f"{path} is no folder")
        self._path = path
        self._seen: dict[Path, tuple[int, int]] = {}
        self._told: dict[Path, tuple[int, int]] = {}
        self._lost = False

    def new(self) -> list[Path]:
        """Return the files that have not changed since the last look and were not told yet.

        The one that was written last comes last. A folder that cannot be read has none.
        """
        ready = []
        for mark, path in sorted(self._marks()):
            if self._seen.get(path) == mark and self._told.get(path) != mark:
                self._told[path] = mark
                ready.append(path)
            self._seen[path] = mark
        return ready

    def _marks(self) -> Iterator[tuple[tuple[int, int], Path]]:
        """Yield when each schedule file was written, with its size."""
        try:
            for path in self._path.iterdir():
                if path.suffix in _ENDINGS and not path.name.startswith(".") and path.is_file():
                    status = path.stat()
                    yield (status.st_mtime_ns, status.st_size), path
        except OSError as error:
            if not self._lost:
                logger.warning("the folder %s cannot be read: %s", self._path, error)
            self._lost = True
        else:
            self._lost = False


def schedule_id(path: Path) -> str:
    """Return the id of the schedule in a file: another one whenever the file is written again.

    A file that is still there at the next start is so known to have been taken.

    Raises:
        UsageError: the file cannot be read.
    """
    try:
        written_ns = path.stat().st_mtime_ns
        content = path.read_bytes()
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {error}") from None
    digest = hashlib.sha256(f"{path.name}:{written_ns}:".encode() + content)
    return f"sch_{digest.hexdigest()[:16]}"
