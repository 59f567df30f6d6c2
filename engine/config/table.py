"""One table of a TOML file, read key by key; what is wrong is collected, not raised."""

import difflib
import math
from collections.abc import Collection, Iterable, Mapping
from typing import Any, Final

from engine.config.lines import Lines, Path
from engine.errors import Problem

_NAMES: Final = {bool: "true or false", int: "a whole number", float: "a number", str: "a text"}


class Findings:
    """All problems of one file."""

    def __init__(self, file: str, lines: Lines) -> None:
        """Begin without any."""
        self._file = file
        self._lines = lines
        self._found: dict[Path, Problem] = {}

    def add(self, path: Path, rule: str, message: str, value: object = None) -> None:
        """Note a problem; a key has one at the most."""
        self._found.setdefault(
            path,
            Problem(
                rule,
                message,
                column=".".join(str(one) for one in path if isinstance(one, str)) or None,
                value=None if value is None else repr(value),
                file=self._file,
                line=self._lines.of(path),
            ),
        )

    def all(self) -> tuple[Problem, ...]:
        """Return the problems in the order of their lines."""
        return tuple(sorted(self._found.values(), key=lambda one: one.line or 0))


class Table:
    """A table's keys; what is asked for and wrong becomes a finding and gives the default."""

    def __init__(self, values: object, path: Path, findings: Findings) -> None:
        """Read a table that stands at ``path``."""
        self.path = path
        self.findings = findings
        self._values: Mapping[str, Any] = values if isinstance(values, Mapping) else {}
        if not isinstance(values, Mapping):
            self.findings.add(path, "type", "this is a table", values)

    def __contains__(self, key: str) -> bool:
        """Return whether the table has a key."""
        return key in self._values

    def refuse(self, key: str, rule: str, message: str) -> None:
        """Note a problem of one key."""
        self.findings.add((*self.path, key), rule, message, self._values.get(key))

    def known(self, keys: Iterable[str]) -> None:
        """Refuse all other keys, each with the nearest of these."""
        known = sorted(keys)
        for key in self._values:
            if key not in known:
                near = difflib.get_close_matches(key, known, 1, cutoff=0.5)
                hint = f"; did you mean {near[0]!r}?" if near else f"; there are {', '.join(known)}"
                self.findings.add(
                    (*self.path, key), "unknown_key", f"no key is called {key!r}{hint}"
                )

    def table(self, key: str) -> "Table":
        """Return a table in this one; an empty one where it is not there."""
        return Table(self._values.get(key, {}), (*self.path, key), self.findings)

    def raw(self, key: str) -> Any:  # noqa: ANN401 - whatever stands there
        """Return what stands at a key, null where nothing does."""
        return self._values.get(key)

    def _typed(self, key: str, kind: type, default: Any, *, needed: bool = False) -> Any:  # noqa: ANN401 - checked here
        if key not in self._values:
            if needed:
                self.refuse(key, "missing", "this key is needed")
            return default
        value = self._values[key]
        fits = isinstance(value, kind) or (kind is float and isinstance(value, int))
        if not fits or (isinstance(value, bool) and kind is not bool):
            self.refuse(key, "type", f"this is {_NAMES[kind]}")
            return default
        return value

    def text(self, key: str, default: str | None = None, *, needed: bool = False) -> str | None:
        """Return a text."""
        value: str | None = self._typed(key, str, default, needed=needed)
        return value

    def number(  # noqa: PLR0913 - the bounds, of which one or two are given
        self,
        key: str,
        default: float | None = None,
        *,
        least: float = -math.inf,
        most: float = math.inf,
        above: float = -math.inf,
        needed: bool = False,
    ) -> float | None:
        """Return a finite number from ``least`` to ``most``, and above ``above``."""
        value: float | None = self._typed(key, float, default, needed=needed)
        if key not in self._values or value is None:
            return value
        if not math.isfinite(value):
            self.refuse(key, "range", "this is a finite number")
            return default
        if not least <= value <= most or value <= above:
            self.refuse(key, "range", _range(least, most, above))
            return default
        return float(value)

    def whole(self, key: str, default: int, *, least: int, most: int) -> int:
        """Return a whole number from ``least`` to ``most``."""
        value: int = self._typed(key, int, default)
        if not least <= value <= most:
            self.refuse(key, "range", _range(least, most, -math.inf))
            return default
        return value

    def choice(
        self, key: str, default: str, options: Collection[str], later: Collection[str] = ()
    ) -> str:
        """Return one of the options; ``later`` names those that this version does not do yet."""
        value: str = self._typed(key, str, default)
        if value in later:
            self.refuse(key, "not_yet", f"{value!r} is not in this version")
        elif value not in options:
            near = difflib.get_close_matches(value, sorted(options), 1, cutoff=0.3)
            hint = f"; did you mean {near[0]!r}?" if near else ""
            self.refuse(key, "choice", f"this is one of {', '.join(sorted(options))}{hint}")
        else:
            return value
        return default


def _range(least: float, most: float, above: float) -> str:
    if math.isfinite(above):
        return f"this is above {above:g}" + (f", at most {most:g}" if math.isfinite(most) else "")
    if math.isfinite(least) and math.isfinite(most):
        return f"this is from {least:g} to {most:g}"
    return f"this is at least {least:g}" if math.isfinite(least) else f"this is at most {most:g}"
