"""One table of a TOML file, read key by key; what is wrong is collected, not raised."""

import math
from collections.abc import Collection, Mapping
from typing import Any, Final, TypeVar

import attrs

from engine.config.lines import Lines, Path
from engine.errors import Problem
from engine.naming import nearest

T = TypeVar("T")

_NAMES: Final[Mapping[type, str]] = {
    bool: "true or false",
    int: "a whole number",
    float: "a number",
    str: "a text",
    list: "a list",
    dict: "a table",
}
_NO_ELSEWHERE: Final[Mapping[str, str]] = {}
_LONGEST_SHOWN: Final = 80
WHOLE_BITS: Final = 63
"""TOML 1.0: whole numbers are of 64 bits, with sign; Python's tomllib takes longer ones."""


def name_of(kind: type) -> str:
    """Return what people call a type of TOML value."""
    return _NAMES.get(kind, "a date or time")


def is_a(value: object, kind: type) -> bool:
    """Return whether a value is of a type: a whole number is a number, true and false are none."""
    if isinstance(value, bool):
        return kind is bool
    return isinstance(value, kind) or (kind is float and isinstance(value, int))


@attrs.frozen
class Range:
    """The numbers from ``least`` to ``most`` that are also above ``above``; NaN is in none."""

    most: float
    least: float = -math.inf
    above: float = -math.inf

    def __contains__(self, value: float) -> bool:
        return self.least <= value <= self.most and value > self.above

    def __str__(self) -> str:
        """Return the range as the end of a sentence."""
        bounds = ((self.above, "above"), (self.least, "at least"), (self.most, "at most"))
        return " and ".join(f"{word} {end:.15g}" for end, word in bounds if math.isfinite(end))


class Findings:
    """All problems of one file."""

    def __init__(self, file: str, lines: Lines) -> None:
        """Begin without any."""
        self._file = file
        self._lines = lines
        self._found: dict[Path, Problem] = {}

    def __contains__(self, path: Path) -> bool:
        return any(path[:length] in self._found for length in range(1, len(path) + 1))

    def add(self, path: Path, rule: str, message: str, value: object = None) -> None:
        """Note a problem; a key has one at the most, and none inside what is wrong itself."""
        if path in self:
            return
        self._found[path] = Problem(
            rule,
            message,
            column=".".join(one for one in path if isinstance(one, str)),
            value=_shown(value),
            file=self._file,
            line=self._lines.of(path),
        )

    def all(self) -> tuple[Problem, ...]:
        """Return the problems in the order of their lines."""
        return tuple(sorted(self._found.values(), key=lambda one: one.line or 0))


class Table:
    """A table's keys; what is asked for and wrong becomes a finding and gives null."""

    def __init__(self, values: object, path: Path, findings: Findings) -> None:
        """Read a table that stands at ``path``."""
        self.path = path
        self.findings = findings
        self._values: Mapping[str, Any] = values if isinstance(values, Mapping) else {}
        if not isinstance(values, Mapping):
            findings.add(path, "type", f"must be a table, not {name_of(type(values))}", values)

    def __contains__(self, key: str) -> bool:
        return key in self._values

    def refuse(self, key: str, rule: str, message: str, *, secret: bool = False) -> None:
        """Note a problem of one key, with its value unless that is ``secret``."""
        value = None if secret else self._values.get(key)
        self.findings.add((*self.path, key), rule, message, value)

    def refused(self, key: str) -> bool:
        """Return whether a key has a problem."""
        return (*self.path, key) in self.findings

    def known(self, keys: Collection[str], elsewhere: Mapping[str, str] = _NO_ELSEWHERE) -> None:
        """Refuse all other keys, each with the nearest of these; never shows their values.

        ``elsewhere`` says of keys that stand in the wrong table where they belong.
        """
        for key in self._values:
            if key in keys:
                continue
            near = nearest(key, keys, cutoff=0.5)
            hint = f"did you mean {near[0]!r}?" if near else f"there are {_listed(keys)}"
            message = elsewhere.get(key, f"no key is called {key!r}; {hint}")
            self.refuse(key, "unknown_key", message, secret=True)

    def table(self, key: str) -> "Table":
        """Return a table in this one; an empty one where it is not there."""
        return Table(self._values.get(key, {}), (*self.path, key), self.findings)

    def raw(self, key: str) -> object:
        """Return what stands at a key, null where nothing does."""
        return self._values.get(key)

    def _typed(self, key: str, kind: type[T], *, needed: bool) -> T | None:
        if key not in self._values:
            if needed:
                self.refuse(key, "missing", "this key is needed")
            return None
        value: T = self._values[key]
        if not is_a(value, kind):
            self.refuse(key, "type", f"must be {name_of(kind)}, not {name_of(type(value))}")
            return None
        return value

    def text(self, key: str, *, needed: bool = False) -> str | None:
        """Return a text that is not empty."""
        value = self._typed(key, str, needed=needed)
        if value is not None and not value.strip():
            self.refuse(key, "range", "must not be empty")
            return None
        return value

    def number(self, key: str, within: Range, *, needed: bool = False) -> float | None:
        """Return a finite number in a range."""
        value = self._typed(key, float, needed=needed)
        if value is None or not self._is_within(key, value, within):
            return None
        return float(value)

    def whole(self, key: str, within: Range) -> int | None:
        """Return a whole number in a range."""
        value = self._typed(key, int, needed=False)
        return value if value is not None and self._is_within(key, value, within) else None

    def _is_within(self, key: str, value: float, within: Range) -> bool:
        if value not in within:
            self.refuse(key, "range", f"must be {within}")
            return False
        return True

    def choice(self, key: str, options: Collection[str], default: str) -> str:
        """Return one of the options."""
        value = self._typed(key, str, needed=False)
        if value is None or value in options:
            return default if value is None else value
        near = nearest(value, options, cutoff=0.3)
        hint = f"; did you mean {near[0]!r}?" if near else ""
        self.refuse(key, "choice", f"must be one of {_listed(options)}{hint}")
        return default


def _shown(value: object) -> str | None:
    """Return a scalar for a message; null where it is none, or beyond what people write."""
    if isinstance(value, int) and value.bit_length() > WHOLE_BITS:
        return None
    if not isinstance(value, str | int | float):
        return None
    text = repr(value)
    return text if len(text) <= _LONGEST_SHOWN else f"{text[:_LONGEST_SHOWN]}..."


def _listed(names: Collection[str]) -> str:
    return ", ".join(sorted(names))
