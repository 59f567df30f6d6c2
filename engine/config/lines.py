"""On which line of a TOML text a key stands; asked only when something is wrong with it."""

from collections.abc import Mapping
from typing import TypeAlias

Path: TypeAlias = tuple[str | int, ...]
"""Keys and places in arrays, from the top of the file."""


class Lines:
    """Finds lines by following the text's tables; 1-based."""

    def __init__(self, text: str) -> None:
        """Look at a text later, if at all."""
        self._text = text
        self._found: dict[Path, int] | None = None

    def of(self, path: Path) -> int | None:
        """Return the line of a key, or of the nearest table above it."""
        if self._found is None:
            self._found = _lines(self._text)
        while path:
            line = self._found.get(path)
            if line is not None:
                return line
            path = path[:-1]
        return None


def _lines(text: str) -> dict[Path, int]:
    """Return the line of every key and table, as tomlkit reads the text."""
    import tomlkit  # noqa: PLC0415 - only when something is wrong

    document = tomlkit.parse(text)
    return dict(_walk(document, (), _Cursor(text.splitlines())))


class _Cursor:
    """Goes down a text, from one key to the next that is asked for."""

    def __init__(self, lines: list[str]) -> None:
        self.lines = lines
        self.at = 0

    def find(self, key: str, *, header: bool) -> int | None:
        """Return the line of the next header or key of this name, and go on behind it."""
        for index in range(self.at, len(self.lines)):
            line = self.lines[index].strip()
            if header and line.startswith("[") and key in line:
                self.at = index + 1
                return index + 1
            if not header and _key_of(line) == key:
                self.at = index + 1
                return index + 1
        return None


def _key_of(line: str) -> str:
    return line.split("=", 1)[0].strip().strip("\"'") if "=" in line else ""


def _walk(values: Mapping[str, object], path: Path, cursor: _Cursor) -> "list[tuple[Path, int]]":
    found: list[tuple[Path, int]] = []
    for key, value in values.items():
        place = (*path, key)
        if isinstance(value, Mapping) and not _is_inline(value):
            found += _entered(key, place, value, cursor)
        elif isinstance(value, list) and value and isinstance(value[0], Mapping):
            for number, one in enumerate(value):
                found += _entered(key, (*place, number), one, cursor)
        else:
            line = cursor.find(key, header=False)
            if line is not None:
                found.append((place, line))
    return found


def _is_inline(value: object) -> bool:
    return type(value).__name__ == "InlineTable"


def _entered(
    key: str, place: Path, value: Mapping[str, object], cursor: _Cursor
) -> "list[tuple[Path, int]]":
    line = cursor.find(key, header=True)
    own = [] if line is None else [(place, line)]
    return own + _walk(value, place, cursor)
