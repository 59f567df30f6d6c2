"""Tables of a TOML file, read key by key; every fault is kept with its file and line."""

import difflib
import re
from collections.abc import Iterable, Mapping
from decimal import Decimal
from fractions import Fraction
from typing import Final, TypeAlias, TypeGuard

from engine.errors import Problem

Place: TypeAlias = tuple[str, int]
"""A table: its dotted header and which of that header it is, from 0."""

_HEADER: Final = re.compile(r"\s*\[{1,2}\s*([^\[\]]+?)\s*\]{1,2}")
_KEY: Final = re.compile(r"\s*\"?([A-Za-z0-9_-]+)\"?\s*=")


class Lines:
    """On which line of a TOML text each table and key stands, counted from 1."""

    def __init__(self, text: str) -> None:
        """Look through the text once."""
        self._lines: dict[tuple[Place, str | None], int] = {}
        seen: dict[str, int] = {}
        place: Place = ("", 0)
        for number, line in enumerate(text.splitlines(), 1):
            if header := _HEADER.match(line):
                name = header[1]
                place = (name, seen.get(name, 0))
                seen[name] = place[1] + 1
                self._lines[place, None] = number
            elif key := _KEY.match(line):
                self._lines.setdefault((place, key[1]), number)

    def of(self, place: Place, key: str | None = None) -> int:
        """Return the line of a key, else of its table, else the first."""
        return self._lines.get((place, key)) or self._lines.get((place, None), 1)


class Faults:
    """The problems found in one file."""

    def __init__(self, file: str, text: str) -> None:
        """Begin without any."""
        self.file = file
        self.lines = Lines(text)
        self.problems: list[Problem] = []

    def add(self, rule: str, message: str, line: int, key: str, value: object = None) -> None:
        """Keep one problem."""
        shown = None if value is None else str(value)
        self.problems.append(
            Problem(rule, message, column=key, value=shown, file=self.file, line=line)
        )


class Table:
    """One table of the file; what cannot be read is a fault and gives the default."""

    def __init__(self, table: object, place: Place, faults: Faults) -> None:
        """Take a table as tomllib gave it, floats as Decimal."""
        self._table: Mapping[str, object] = table if isinstance(table, dict) else {}
        self._place = place
        self._faults = faults
        if not isinstance(table, dict):
            self.refuse(place[0], f"[{place[0]}] is a table", table)

    def __contains__(self, key: str) -> bool:
        """Return whether the key is given."""
        return key in self._table

    def refuse(self, key: str, message: str, value: object = None, rule: str = "value") -> None:
        """Keep a fault of this key."""
        self._faults.add(rule, message, self._faults.lines.of(self._place, key), key, value)

    def only(self, keys: Iterable[str]) -> None:
        """Refuse every other key, naming the nearest that exists."""
        known = tuple(keys)
        for key in self._table:
            if key not in known:
                self.refuse(key, f"unknown key{nearest(key, known)}", rule="unknown_key")

    def get(self, key: str) -> object:
        """Return the value as it stands, null where it is not given."""
        return self._table.get(key)

    def require(self, key: str) -> bool:
        """Return whether the key is given; refuse the table if not."""
        if key not in self._table:
            self.refuse(key, f"[{self._place[0]}] needs the key {key!r}", rule="missing")
        return key in self._table

    def text(self, key: str, default: str = "") -> str:
        """Return a text that is not empty."""
        value = self._table.get(key, default)
        if not isinstance(value, str) or (key in self._table and not value.strip()):
            self.refuse(key, "a text is expected", value)
            return default
        return value

    def choice(self, key: str, allowed: tuple[str, ...], default: str) -> str:
        """Return one of the allowed words."""
        value = self._table.get(key, default)
        if not isinstance(value, str) or value not in allowed:
            near = nearest(str(value), allowed)
            self.refuse(key, f"one of {', '.join(allowed)} is expected{near}", value)
            return default
        return value

    def flag(self, key: str) -> bool:
        """Return true or false; false where it is not given."""
        value = self._table.get(key, False)
        if not isinstance(value, bool):
            self.refuse(key, "true or false is expected", value)
            return False
        return value

    def number(self, key: str, *, above: Fraction | None = None) -> Fraction | None:
        """Return a finite number, exactly as written, null where it is not given or refused."""
        value = self._table.get(key)
        found = fraction(value)
        if found is None:
            if value is not None:
                self.refuse(key, "a number is expected", value)
        elif above is not None and found <= above:
            self.refuse(key, f"a number above {above} is expected", value)
            return None
        return found

    def within(self, key: str, low: int, high: int) -> Fraction | None:
        """Return a number in a range, null where it is not given or refused."""
        found = self.number(key)
        if found is None or low <= found <= high:
            return found
        self.refuse(key, f"a number from {low} to {high} is expected", self._table[key])
        return None

    def whole(self, key: str, low: int, high: int) -> int | None:
        """Return an integer in a range, null where it is not given or refused."""
        value = self._table.get(key)
        if value is None:
            return None
        if not is_whole(value) or not low <= value <= high:
            self.refuse(key, f"an integer from {low} to {high} is expected", value)
            return None
        return value


def is_whole(value: object) -> TypeGuard[int]:
    """Return whether a TOML value is an integer (a boolean is none)."""
    return isinstance(value, int) and not isinstance(value, bool)


def fraction(value: object) -> Fraction | None:
    """Return a finite TOML number exactly, null for anything else."""
    if isinstance(value, bool) or not isinstance(value, int | Decimal):
        return None
    if isinstance(value, Decimal) and not value.is_finite():
        return None
    return Fraction(value)


def nearest(word: str, known: Iterable[str]) -> str:
    """Return a hint at the nearest known word, empty where none is near."""
    near = difflib.get_close_matches(word, list(known), 1)
    return f"; did you mean {near[0]!r}?" if near else ""
