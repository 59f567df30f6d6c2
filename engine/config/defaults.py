"""The settings that all assets share, and that each may have for itself."""

from collections.abc import Mapping
from typing import Any, Final

import attrs

from engine.config.model import Defaults
from engine.config.table import Range, Table

LONGEST_S: Final = 100_000_000.0
"""Some three years: more is a slip of the pen, and endless seconds do not fit into a date."""

SECONDS: Final = Range(above=0, most=LONGEST_S)
_SECONDS_OR_NONE: Final = Range(least=0, most=LONGEST_S)
_RANGES: Final[Mapping[str, Range]] = {
    "max_retries": Range(least=0, most=100),
    "retry_backoff_factor": Range(least=1, most=1_000),
    "departure_grace_s": _SECONDS_OR_NONE,
    "settle_s": _SECONDS_OR_NONE,
}
NAMES: Final = tuple(field.name for field in attrs.fields(Defaults))


def read_defaults(table: Table, base: Defaults) -> Defaults:
    """Return the settings of a table, which may have other keys too, over those of ``base``."""
    changes: dict[str, Any] = {}
    for field in attrs.fields(Defaults):
        read = table.whole if field.type is int else table.number
        value = read(field.name, _RANGES.get(field.name, SECONDS))
        if value is not None:
            changes[field.name] = value
    return attrs.evolve(base, **changes)
