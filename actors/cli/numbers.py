"""Numbers that options take: finite, and within what they are for."""

import math
from typing import Any, Final

import click


class Number(click.FloatRange):
    """A number; NaN and infinities, which click lets pass, are none."""

    def convert(
        self,
        value: Any,  # noqa: ANN401 - as click has it
        param: click.Parameter | None,
        ctx: click.Context | None,
    ) -> float:
        """Return what was typed as a number."""
        number = float(super().convert(value, param, ctx))
        if not math.isfinite(number):
            self.fail(f"{value!r} is not a finite number.", param, ctx)
        return number


POWER_KW: Final = Number()
SPEED: Final = Number(min=0, min_open=True)
WAIT_S: Final = Number(min=0, max=1_000_000)
