"""An electric vehicle at a connector: it ramps up, charges, fills up. Pure; time is handed in."""

import attrs

RAMP_S = 40.0
TAPER_FROM_PCT = 80.0
MIN_KW_PER_PHASE = 1.38
"""6 A at 230 V: below it a vehicle does not charge (IEC 61851)."""


@attrs.frozen
class Vehicle:
    """What arrives: battery in kWh, state of charge in percent, the most that it takes in kW."""

    battery_kwh: float = 60.0
    soc_pct: float = 30.0
    max_kw: float = 11.0
    target_pct: float = 100.0
    phases: int = 3


@attrs.define
class Charging:
    """One vehicle while it is plugged in."""

    vehicle: Vehicle
    soc_pct: float
    power_kw: float = 0.0
    energy_kwh: float = 0.0

    @classmethod
    def of(cls, vehicle: Vehicle) -> "Charging":
        """Return a vehicle as it is plugged in."""
        return cls(vehicle, vehicle.soc_pct)

    @property
    def is_full(self) -> bool:
        """Whether it takes no more."""
        return self.soc_pct >= self.vehicle.target_pct

    def wanted_kw(self, limit_kw: float) -> float:
        """Return what the vehicle would draw under a limit, once it has ramped."""
        if self.is_full or limit_kw < MIN_KW_PER_PHASE * self.vehicle.phases:
            return 0.0
        most_kw = self.vehicle.max_kw
        if self.soc_pct > TAPER_FROM_PCT:
            left = (100.0 - self.soc_pct) / (100.0 - TAPER_FROM_PCT)
            most_kw *= max(left, 0.1)
        return min(most_kw, limit_kw)

    def advance(self, seconds: float, limit_kw: float) -> None:
        """Let time pass under a limit: power follows at once downwards, by a ramp upwards."""
        wanted_kw = self.wanted_kw(limit_kw)
        if wanted_kw <= self.power_kw:
            self.power_kw = wanted_kw
        else:
            step_kw = self.vehicle.max_kw * seconds / RAMP_S
            self.power_kw = min(wanted_kw, self.power_kw + step_kw)
        gained_kwh = self.power_kw * seconds / 3_600.0
        self.energy_kwh += gained_kwh
        gained_pct = 100.0 * gained_kwh / self.vehicle.battery_kwh
        self.soc_pct = min(self.vehicle.target_pct, self.soc_pct + gained_pct)
