"""The physics of a simulated battery: charge, power that ramps, losses, and full and empty."""

from typing import Final

import attrs

_J_PER_KWH: Final = 3_600_000.0
_PERCENT: Final = 100.0


@attrs.frozen
class Cells:
    """What a battery is made of: capacity in kWh, losses one way, watts per second of ramp."""

    capacity_kwh: float = 100.0
    efficiency: float = attrs.field(default=0.96, validator=attrs.validators.gt(0))
    ramp_w_per_s: float = attrs.field(default=20_000.0, validator=attrs.validators.gt(0))
    soc_pct: float = 50.0


class Storage:
    """The state of charge and the power of a battery, charging positive, as time is told to it."""

    def __init__(self, cells: Cells) -> None:
        """Begin at rest."""
        self._cells = cells
        self.soc_pct = cells.soc_pct
        self.power_w = 0.0
        self.target_w = 0.0

    def advance(self, seconds: float) -> None:
        """Let time pass: power goes to its target by the ramp, and stops at full and at empty."""
        while seconds > 0:
            ends_w = self._next_corner()
            needed_s = abs(ends_w - self.power_w) / self._cells.ramp_w_per_s
            if needed_s == 0:
                self._fill(self.power_w * seconds)
                return
            passes_s = min(needed_s, seconds)
            if passes_s < needed_s:
                ends_w = self.power_w + (ends_w - self.power_w) * passes_s / needed_s
            mean_w = (self.power_w + ends_w) / 2
            self.power_w = ends_w
            self._fill(mean_w * passes_s)
            seconds -= passes_s

    def _next_corner(self) -> float:
        """Return where the ramp goes next: to zero first, if the power changes its sign."""
        if self._is_blocked(self.target_w):
            return 0.0
        return 0.0 if self.power_w * self.target_w < 0 else self.target_w

    def _is_blocked(self, power_w: float) -> bool:
        return (power_w > 0 and self.soc_pct >= _PERCENT) or (power_w < 0 and self.soc_pct <= 0)

    def _fill(self, energy_j: float) -> None:
        """Add energy taken from the grid (negative: given), less what is lost on the way."""
        efficiency = self._cells.efficiency
        stored_j = energy_j * efficiency if energy_j > 0 else energy_j / efficiency
        soc_pct = self.soc_pct + _PERCENT * stored_j / (self._cells.capacity_kwh * _J_PER_KWH)
        self.soc_pct = min(max(soc_pct, 0.0), _PERCENT)
        if self._is_blocked(self.power_w):
            self.power_w = 0.0
