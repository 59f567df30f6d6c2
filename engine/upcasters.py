"""Events as older versions wrote them, lifted to the present schema.

The schema is one number for the whole vocabulary. A field that is added with a default needs no new
one. For any other change to an event that a released version wrote, count ``SCHEMA`` up by one and
add to ``UPCASTERS``, under the event's topic and the old number, what turns the old fields into the
new ones; rows are lifted step by step as they are read, and never rewritten. A log of each released
version is kept under ``tests/fixtures/logs``.
"""

from collections.abc import Callable, Mapping
from typing import Any, Final, TypeAlias

SCHEMA: Final = 1
"""The version of the schema that is written."""

Upcaster: TypeAlias = Callable[[dict[str, Any]], dict[str, Any]]
"""Turns an event's fields of one schema version into those of the next; pure."""

UPCASTERS: Final[Mapping[tuple[str, int], Upcaster]] = {}
"""What lifts a topic's fields from a schema version to the next; without one they stay."""
