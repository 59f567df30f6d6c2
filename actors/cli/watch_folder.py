"""A folder in which schedule files are put down."""

from pathlib import Path

from engine.errors import UsageError

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

    def new(self) -> list[Path]:
        """Return the files that have not changed since the last look and were not told yet."""
        ready = []
        for path in sorted(self._path.iterdir()):
            if path.suffix not in _ENDINGS or path.name.startswith("."):
                continue
            status = path.stat()
            mark = (status.st_mtime_ns, status.st_size)
            if self._seen.get(path) == mark and self._told.get(path) != mark:
                self._told[path] = mark
                ready.append(path)
            self._seen[path] = mark
        return ready
