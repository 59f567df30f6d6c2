"""A row of `setpoint bench`: a figure, the limit beside it, and what it was measured on."""

import importlib.metadata
import os
import platform
import statistics
from collections.abc import Sequence
from typing import Final

Row = dict[str, object]
_LIBRARIES: Final = (
    *("attrs", "eventsourcing", "msgspec", "numpy", "ocpp", "pandas", "pykka", "pymodbus"),
    "websockets",
)


def machine() -> str:
    """Return what this machine is, in one line."""
    return f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}"


def versions() -> dict[str, str]:
    """Return the versions of what a figure depends on."""
    return {name: importlib.metadata.version(name) for name in _LIBRARIES}


def row(
    bench: str,
    values: Sequence[float],
    unit: str,
    limit: tuple[float | None, str | None] = (None, None),
    judged: tuple[float | None, float | None] = (None, None),
) -> Row:
    """Return a bench's row: the median of its runs.

    ``limit`` is a figure in the same unit and its name, ``judged`` the ratio and its floor.
    """
    ratio, floor = judged
    return {
        "bench": bench,
        "value": round(statistics.median(values), 4),
        "unit": unit,
        "limit": None if limit[0] is None else round(limit[0], 4),
        "limit_name": limit[1],
        "ratio": None if ratio is None else round(ratio, 3),
        "floor": floor,
        "runs": [round(value, 4) for value in values],
        "machine": machine(),
        "versions": versions(),
    }


def within(bench: str, values: Sequence[float], limit: float, unit: str, name: str = "") -> Row:
    """Return the row of a bench that is to stay below a limit; ``name`` says what of it."""
    named = f"{limit:g} {unit}{name and ', '}{name}"
    return row(bench, values, unit, (limit, named), (limit / statistics.median(values), 1.0))
