"""Habits of connectors and vehicles that quirks bring about."""

from datetime import datetime, timedelta
from typing import Final

import attrs

from actors.sim.quirks import Quirk, Quirks
from actors.sim.timetable import Arrival, Moment
from actors.sim.vehicle import VOLTS, PluggedVehicle, Vehicle

_LATE: Final = timedelta(seconds=60)
_LAG: Final = timedelta(seconds=20)
_LEAST_A: Final = 6.0
_SLOW_KW: Final = 7.4
_SLOW_S: Final = 80.0
_NUDGES: Final = 2
_DRIFT_W_PER_S: Final = 1_000 / 60
_DRIFT_MOST_W: Final = 3_000.0


@attrs.define
class Follower:
    """How a connector follows its limit; ``lower_at`` is when it will have come down to it."""

    quirks: Quirks
    lower_at: datetime | None = None

    def follow(self, held_w: float, limit_w: float, phases: int, now: datetime) -> float:
        """Return the limit that holds now, of the one that held and the one that should."""
        if Quirk.MIN_6A in self.quirks and limit_w > 0:
            limit_w = max(limit_w, _LEAST_A * VOLTS * phases)
        if Quirk.LAGS not in self.quirks or limit_w >= held_w:
            self.lower_at = None
            return limit_w
        if self.lower_at is None:
            self.lower_at = now + _LAG
        return held_w if now < self.lower_at else limit_w


@attrs.define
class Sleeper:
    """Whether a vehicle sleeps, and how often a limit was set, or power offered anew, since."""

    quirks: Quirks
    asleep: bool = False
    nudges: int = 0
    offers: int = 0
    is_offered: bool = False

    def look(self, plugged: PluggedVehicle | None, offered_w: float) -> None:
        """Fall asleep where nothing is offered to a vehicle that has charged; wake with another."""
        if plugged is None or not self._may_sleep:
            self.asleep = False
            return
        was_offered, self.is_offered = self.is_offered, offered_w >= plugged.vehicle.min_w
        if plugged.power_w and not self.is_offered:
            self.asleep, self.nudges, self.offers = True, 0, 0
        elif self.is_offered and not was_offered:
            self.offers += 1
            wakes = Quirk.DEEP_SLEEPER in self.quirks and self.offers >= _NUDGES
            self.asleep = self.asleep and not wakes

    @property
    def _may_sleep(self) -> bool:
        return Quirk.SLEEPY_VEHICLE in self.quirks or Quirk.DEEP_SLEEPER in self.quirks

    def nudge(self, plugged: PluggedVehicle | None, offered_w: float) -> None:
        """Take note that a limit was set; the second one wakes."""
        if plugged is not None and offered_w >= plugged.vehicle.min_w:
            self.nudges += 1
            wakes = Quirk.SLEEPY_VEHICLE in self.quirks and self.nudges >= _NUDGES
            self.asleep = self.asleep and not wakes


@attrs.define
class Overflow:
    """What a connector gives beyond its limit: so much ``drift_w`` since ``limit_w`` was new."""

    quirks: Quirks
    limit_w: float = 0.0
    drift_w: float = 0.0

    def give(self, offered_w: float, most_w: float, dt_s: float) -> float:
        """Return what is given in ``dt_s`` seconds of what is offered, ``most_w`` at the most."""
        if Quirk.EXCEEDS_LIMIT in self.quirks:
            return most_w
        if Quirk.DRIFTS not in self.quirks or offered_w <= 0 or offered_w != self.limit_w:
            self.limit_w, self.drift_w = offered_w, 0.0
            return offered_w
        self.drift_w = min(self.drift_w + _DRIFT_W_PER_S * dt_s, _DRIFT_MOST_W)
        return min(offered_w + self.drift_w, most_w)


def as_it_comes(vehicle: Vehicle, quirks: Quirks) -> Vehicle:
    """Return the vehicle that is plugged in."""
    if Quirk.SLOW_VEHICLE not in quirks:
        return vehicle
    return attrs.evolve(vehicle, max_kw=min(vehicle.max_kw, _SLOW_KW), ramp_s=_SLOW_S)


def as_they_come(arrivals: tuple[Arrival, ...], quirks: Quirks) -> tuple[Arrival, ...]:
    """Return the arrivals as they happen."""
    if Quirk.LATE_VEHICLE not in quirks:
        return arrivals
    return tuple(attrs.evolve(one, at=_later(one.at)) for one in arrivals)


def _later(moment: Moment) -> Moment:
    return moment + _LATE if isinstance(moment, datetime) else moment + _LATE.total_seconds()
