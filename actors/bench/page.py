"""The page of benchmarks: rows as Markdown tables, and plots beside it."""

from collections.abc import Sequence
from itertools import groupby
from pathlib import Path
from typing import Any, Final, Self

import attrs

from actors.bench.plots import Plot, number, svg
from actors.bench.rows import Row
from engine.errors import UsageError

BEGIN: Final = "<!-- figures -->"
END: Final = "<!-- end of figures -->"
_NAME: Final = "benchmarks.md"
_BARE: Final = f"# Benchmarks\n\n{BEGIN}\n{END}\n"
_WHAT: Final = {"dispatch": "Dispatch", "replan": "Re-plan", "recover": "Restart"}


@attrs.frozen
class Page:
    """``benchmarks.md`` in a folder, with what stands before and after the figures."""

    place: Path
    before: str
    after: str

    @classmethod
    def of(cls, place: Path) -> Self:
        """Return the page of a folder; one that is not there is begun.

        Raises:
            UsageError: it has no marks to put figures between.
        """
        file = place / _NAME
        written = file.read_text(encoding="utf-8") if file.exists() else _BARE
        before, begun, rest = written.partition(BEGIN)
        _, ended, after = rest.partition(END)
        if not (begun and ended):
            raise UsageError(f"{file} has no lines {BEGIN} and {END}")
        return cls(place, before, after)

    def fill(self, rows: Sequence[Row]) -> None:
        """Write the page with these rows, and a plot for each series of sizes beside it."""
        series, plots = _series(rows), self.place / "benchmarks"
        plots.mkdir(parents=True, exist_ok=True)
        for name, some in series.items():
            (plots / f"{name}.svg").write_text(svg(_plot(name, some)), encoding="utf-8")
        filled = f"{self.before}{BEGIN}\n{_filled(rows, series)}{END}{self.after}"
        (self.place / _NAME).write_text(filled, encoding="utf-8")


def _series(rows: Sequence[Row]) -> dict[str, list[Row]]:
    """Return the rows that have a size, by their bench."""
    sized = [one for one in rows if "size" in one]
    return {str(name): list(some) for name, some in groupby(sized, lambda one: one["bench"])}


def _filled(rows: Sequence[Row], series: dict[str, list[Row]]) -> str:
    parts = []
    single = [one for one in rows if "size" not in one]
    if rows:
        parts.append(f"{rows[0]['machine']}; {_versions(rows[0])}.\n")
    if single:
        parts.append(_table("bench", [(str(one["bench"]), one) for one in single]))
    for name, some in series.items():
        parts.append(f"## {_title(name)}\n\n![{_title(name)}](benchmarks/{name}.svg)\n")
        sizes = [(number(_figure(one, "size")), one) for one in some]
        parts.append(_table(name.rpartition("_")[2], sizes))
    return "".join(f"\n{part}" for part in parts) + "\n"


def _versions(of: Row) -> str:
    versions: Any = of["versions"]
    return ", ".join(f"{name} {version}" for name, version in sorted(versions.items()))


def _table(first: str, rows: Sequence[tuple[str, Row]]) -> str:
    lines = [f"| {first} | figure | times | beside | at least |", "|---|---|---|---|---|"]
    for name, one in rows:
        figure = f"{number(_figure(one, 'value'))} {one['unit']}"
        ratio = "" if one["ratio"] is None else f"{_figure(one, 'ratio'):.2f}"
        floor = "" if one["floor"] is None else f"{_figure(one, 'floor'):g}"
        lines.append(f"| {name} | {figure} | {ratio} | {_beside(one)} | {floor} |")
    return "\n".join(lines) + "\n"


def _beside(one: Row) -> str:
    """Return a limit's name, with its figure where the name does not say it."""
    if one["limit"] is None:
        return ""
    name, figure = str(one["limit_name"]), number(_figure(one, "limit"))
    return name if name.startswith(f"{figure} ") else f"{name}: {figure} {one['unit']}"


def _figure(one: Row, key: str) -> float:
    return float(str(one[key]))


def _title(name: str) -> str:
    what, _, unit = name.partition("_by_")
    return f"{_WHAT.get(what, what)} by {'assets' if unit == 'assets' else 'stored events'}"


def _plot(name: str, rows: Sequence[Row]) -> Plot:
    sizes = [_figure(one, "size") for one in rows]
    return Plot(
        _title(name),
        "assets" if name.endswith("assets") else "events in the store",
        "seconds",
        [(size, _figure(one, "value")) for size, one in zip(sizes, rows, strict=True)],
        [(size, _figure(one, "limit")) for size, one in zip(sizes, rows, strict=True)],
        str(rows[0]["limit_name"]),
    )
