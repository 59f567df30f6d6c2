"""Copies of an asset's values with some fields changed: several for every message."""

from typing import TYPE_CHECKING

from engine import values

__all__ = ["replace"]

if TYPE_CHECKING:
    from attrs import evolve as replace
else:

    def replace(value, /, **changes):  # noqa: ANN001, ANN003, ANN201 - typed above
        """Return a copy of an attrs value with these fields changed.

        The two large ones have no slots: copying their dict takes a third of a constructor's time.
        The type checker sees `attrs.evolve`, so that no field can be misspelt.
        """
        fields = getattr(value, "__dict__", None)
        if fields is None:
            return values.replace(value, **changes)
        copy = object.__new__(type(value))
        copy.__dict__.update(fields, **changes)
        return copy
