"""On which line of a TOML text a key stands; asked only when something is wrong with it.

tomlkit keeps no line numbers and moves an ``[[asset]]`` that stands behind another table, so the
text is read again here, statement by statement.
"""

import tomllib
from collections.abc import Iterator, Mapping
from typing import TypeAlias

Path: TypeAlias = tuple[str | int, ...]
"""Keys and places in arrays, from the top of the file."""


class Lines:
    """The lines of a text's keys and tables, counted from 1."""

    def __init__(self, text: str) -> None:
        """Look at a valid TOML text later, if at all."""
        self._text = text
        self._found: dict[Path, int] | None = None

    def of(self, path: Path) -> int | None:
        """Return the line of a key, or of the nearest table above it."""
        if self._found is None:
            self._found = _found(self._text)
        while path:
            line = self._found.get(path)
            if line is not None:
                return line
            path = path[:-1]
        return None


def _found(text: str) -> dict[Path, int]:
    """Return the line of each key and table; of a table in several places, the first."""
    found: dict[Path, int] = {}
    lengths: dict[Path, int] = {}
    here: Path = ()
    for line, statement, keys in _statements(text):
        if statement.startswith("["):
            path = here = _entered(keys, lengths, is_array=statement.startswith("[["))
        else:
            path = (*here, *keys)
        for length in range(1, len(path) + 1):
            found.setdefault(path[:length], line)
    return found


def _statements(text: str) -> Iterator[tuple[int, str, Path]]:
    """Give each header and each key with its value: the line it begins on, its text, its keys.

    The beginning of a statement is TOML by itself only when the statement is complete.
    """
    begun, pending = 1, ""
    for number, line in enumerate(text.split("\n"), 1):
        pending += line + "\n"
        try:
            content = tomllib.loads(pending)
        except tomllib.TOMLDecodeError:
            continue
        if content:
            yield begun, pending.lstrip(), _keys(content)
        begun, pending = number + 1, ""


def _keys(content: object) -> Path:
    """Return the keys of a single statement, from the outside in."""
    if isinstance(content, list) and content:
        return _keys(content[0])
    if isinstance(content, Mapping) and content:
        key, inner = next(iter(content.items()))
        return (key, *_keys(inner))
    return ()


def _entered(keys: Path, lengths: dict[Path, int], *, is_array: bool) -> Path:
    """Return the path of a header; of an array of tables, that of its next table."""
    path: Path = ()
    for key in keys[:-1]:
        path = (*path, key)
        if path in lengths:
            path = (*path, lengths[path] - 1)
    path = (*path, *keys[-1:])
    if not is_array:
        return path
    lengths[path] = lengths.get(path, 0) + 1
    return (*path, lengths[path] - 1)
