"""When vehicles come to a simulated charge point and when they leave. Pure."""

from datetime import datetime, timedelta
from typing import Literal, TypeAlias

import attrs

from actors.sim.vehicle import Vehicle

Moment: TypeAlias = float | datetime


@attrs.frozen
class Arrival:
    """A vehicle that comes to a connector and, where ``departs_at`` is given, leaves again.

    Both moments are seconds of simulated time since the start, or aware times of the plan clock.
    """

    connector: int
    at: Moment
    vehicle: Vehicle = attrs.field(factory=Vehicle)
    departs_at: Moment | None = None


@attrs.frozen
class Movement:
    """What an arrival comes to at one of its moments."""

    at: datetime
    kind: Literal["arrives", "departs"]
    arrival: Arrival


class Timetable:
    """All that is still to come, in order; who leaves at the same moment goes first."""

    def __init__(self, arrivals: tuple[Arrival, ...], start: datetime) -> None:
        """Count seconds from ``start``, an aware plan time."""
        self._start = start
        self._movements: list[Movement] = []
        for arrival in arrivals:
            self._add(Movement(self._moment(arrival.at), "arrives", arrival))
            self.add_departure(arrival)

    def add_departure(self, arrival: Arrival) -> None:
        """Let the vehicle of an arrival leave again, if it does."""
        if arrival.departs_at is not None:
            self._add(Movement(self._moment(arrival.departs_at), "departs", arrival))

    def due(self, at: datetime) -> tuple[Movement, ...]:
        """Return, once, what has happened up to and including a plan time."""
        count = sum(movement.at <= at for movement in self._movements)
        due, self._movements = self._movements[:count], self._movements[count:]
        return tuple(due)

    def _add(self, movement: Movement) -> None:
        self._movements.append(movement)
        self._movements.sort(key=lambda each: (each.at, each.kind == "arrives"))

    def _moment(self, moment: Moment) -> datetime:
        return moment if isinstance(moment, datetime) else self._start + timedelta(seconds=moment)
