"""A vehicle on a charger's cable: its battery, what it takes, how fast it follows. Pure."""

from typing import Final

import attrs

VOLTS: Final = 230.0
_TAPER_PCT: Final = 80.0
_TAPERED: Final = 0.1
_FALL_S: Final = 5.0
_STEP_S: Final = 5.0
_STEADY_S: Final = 60.0  # of a power that is as it wants to be
_S_PER_H: Final = 3_600.0
_WHOLE: Final = 100.0
_HAIR: Final = 1e-9


@attrs.frozen
class Vehicle:
    """A vehicle as it arrives. Powers in kW at the plug, ``soc_pct`` and ``target_pct`` 0 to 100.

    ``min_a`` is the least current per phase that it charges with (IEC 61851: 6); ``ramp_s`` is
    how long it takes from nothing to ``max_kw``.
    """

    battery_kwh: float = attrs.field(default=60.0, validator=attrs.validators.gt(0))
    soc_pct: float = 30.0
    target_pct: float = 100.0
    max_kw: float = attrs.field(default=11.0, validator=attrs.validators.gt(0))
    phases: int = attrs.field(default=3, validator=attrs.validators.in_((1, 2, 3)))
    min_a: float = 6.0
    ramp_s: float = attrs.field(default=45.0, validator=attrs.validators.gt(0))
    id_tag: str = attrs.field(default="TAG-1", validator=attrs.validators.max_len(20))

    @property
    def max_w(self) -> float:
        """The most that it takes, in watts."""
        return self.max_kw * 1_000

    @property
    def min_w(self) -> float:
        """The least offer that it charges at, in watts."""
        return self.min_a * VOLTS * self.phases

    def acceptance_w(self, soc_pct: float) -> float:
        """Return what its battery takes at a state of charge, in watts: less above 80 %."""
        if soc_pct >= self.target_pct - _HAIR:
            return 0.0
        above = max(0.0, soc_pct - _TAPER_PCT) / (_WHOLE - _TAPER_PCT)
        return self.max_w * (1 - above * (1 - _TAPERED))


@attrs.define
class PluggedVehicle:
    """A vehicle on the cable; ``soc_pct`` and ``power_w`` are those of now."""

    vehicle: Vehicle
    soc_pct: float = attrs.field(
        default=attrs.Factory(lambda self: self.vehicle.soc_pct, takes_self=True)
    )
    power_w: float = 0.0

    @property
    def full(self) -> bool:
        """Whether it has all that it wants."""
        return self.soc_pct >= self.vehicle.target_pct - _HAIR

    def advance(self, dt_s: float, offered_w: float) -> float:
        """Let ``dt_s`` seconds pass under an offer in watts; return the energy taken, in Wh."""
        taken_wh = 0.0
        left_s = dt_s
        while left_s > _HAIR:
            steady = self.power_w == self._wanted(offered_w)
            step_s = min(left_s, _STEADY_S if steady else _STEP_S)
            taken_wh += self._step(step_s, offered_w)
            left_s -= step_s
        return taken_wh

    def _step(self, step_s: float, offered_w: float) -> float:
        before_w = self.power_w
        self.power_w = self._follow(step_s, self._wanted(offered_w))
        room_wh = (self.vehicle.target_pct - self.soc_pct) / _WHOLE * self._capacity_wh
        energy_wh = (before_w + self.power_w) / 2 * step_s / _S_PER_H
        if energy_wh >= room_wh:
            energy_wh, self.power_w = max(0.0, room_wh), 0.0
        self.soc_pct += energy_wh / self._capacity_wh * _WHOLE
        return energy_wh

    @property
    def _capacity_wh(self) -> float:
        return self.vehicle.battery_kwh * 1_000

    def _wanted(self, offered_w: float) -> float:
        if offered_w < self.vehicle.min_w - _HAIR:
            return 0.0
        return min(offered_w, self.vehicle.acceptance_w(self.soc_pct))

    def _follow(self, step_s: float, wanted_w: float) -> float:
        """Return the power after a step: up within ``ramp_s``, down within five seconds."""
        if wanted_w >= self.power_w:
            return min(wanted_w, self.power_w + self.vehicle.max_w / self.vehicle.ramp_s * step_s)
        return max(wanted_w, self.power_w - self.vehicle.max_w / _FALL_S * step_s)
