"""One connector of a simulated charge point: its vehicle, its limit, what it reports.

What a transaction is, and how it is told of, differs between the versions of OCPP.
"""

import abc
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import Any, Final

import attrs

from actors.sim.cabinet import Cabinet
from actors.sim.habits import Follower, Overflow, Sleeper, as_it_comes
from actors.sim.limits import Situation
from actors.sim.outbox import Notice
from actors.sim.profiles import ChargingProfile, TransactionId
from actors.sim.timetable import Arrival
from actors.sim.vehicle import PluggedVehicle, Vehicle
from engine.errors import UsageError

__all__ = ["Arrival", "Connector", "Permission"]

_HAIR_W: Final = 1e-6
_FINE: Final = "NoError"


@attrs.frozen
class Permission:
    """That somebody may charge here; without a vehicle it waits for one until ``expires_at``.

    One that came from afar may have a number (2.0.1) and bring a profile.
    """

    id_tag: str
    expires_at: datetime
    profile: ChargingProfile | None = None
    remote_start_id: int | None = None


class Connector(abc.ABC):
    """A connector; ``changed`` is called after each change, to reckon limits and report status.

    ``limit_w`` is what it may give now, by its size and by all profiles. ``meter_wh`` never falls.
    ``operative`` is ChangeAvailability's, ``closing`` an Inoperative that waits for the
    transaction's end.
    """

    def __init__(self, number: int, cabinet: Cabinet, changed: Callable[[], None]) -> None:
        """Begin available."""
        self.number = number
        self.limit_w = cabinet.max_w
        self.meter_wh = 0.0
        self.operative = True
        self.closing = False
        self.error_code = _FINE
        self.plugged: PluggedVehicle | None = None
        self._presented: PluggedVehicle | None = None
        self._said = "Available"
        self._heard: str | None = None
        self._cabinet = cabinet
        self._changed = changed
        self._follower = Follower(cabinet.quirks)
        self._sleeper = Sleeper(cabinet.quirks)
        self._overflow = Overflow(cabinet.quirks)

    # --- what a version says of it

    @property
    @abc.abstractmethod
    def transaction_id(self) -> TransactionId | None:
        """The id of the transaction that runs here."""

    @property
    @abc.abstractmethod
    def started_at(self) -> datetime | None:
        """When the transaction that runs here began."""

    @property
    @abc.abstractmethod
    def is_busy(self) -> bool:
        """Whether a transaction runs here, or is about to."""

    @property
    @abc.abstractmethod
    def may_charge(self) -> bool:
        """Whether somebody may charge here now, as far as permission goes."""

    @property
    @abc.abstractmethod
    def use(self) -> str:
        """The status of now, while it is neither broken nor out of service."""

    @abc.abstractmethod
    def stop(self, reason: str) -> None:
        """End the transaction, if there is one, and drop its profiles."""

    @abc.abstractmethod
    def restart(self, reason: str) -> None:
        """Lose power for a moment; transactions end unless a quirk carries them over."""

    @abc.abstractmethod
    def _permit(self, permission: Permission) -> None:
        """Let somebody charge here."""

    @abc.abstractmethod
    def _arrived(self) -> None:
        """Do what follows from a vehicle that has come."""

    @abc.abstractmethod
    def _left(self) -> None:
        """Do what follows from the vehicle having gone."""

    @abc.abstractmethod
    def _authorize(self, id_tag: str) -> dict[str, object]:
        """Return an Authorize."""

    @abc.abstractmethod
    def _welcomes(self, conf: Mapping[str, Any]) -> bool:
        """Tell whether the answer to an Authorize lets somebody charge."""

    @abc.abstractmethod
    def _notification(self, status: str) -> dict[str, object]:
        """Return a StatusNotification of now."""

    # --- what can be read

    @property
    def power_w(self) -> float:
        """What the vehicle takes, in watts."""
        return 0.0 if self.plugged is None else self.plugged.power_w

    @property
    def soc_pct(self) -> float | None:
        """The vehicle's state of charge, null without a vehicle."""
        return None if self.plugged is None else self.plugged.soc_pct

    @property
    def offered_w(self) -> float:
        """What the vehicle may take, in watts: nothing without permission."""
        return self.limit_w if self._gives else 0.0

    @property
    def beneath_w(self) -> float | None:
        """What the next vehicle might take, in watts, by the default; null where there is none."""
        ended = attrs.evolve(self.situation, transaction_id=None, charge_start=None)
        limit_w = self._cabinet.limits.own_limit_w(ended)
        return None if limit_w is None else min(limit_w, self._cabinet.max_w)

    @property
    def _gives(self) -> bool:
        return self.may_charge and self.operative and self.error_code == _FINE

    @property
    def status(self) -> str:
        """The status of now, before any quirk has its way with it."""
        if self.error_code != _FINE:
            return "Faulted"
        return self.use if self.operative else "Unavailable"

    @property
    def situation(self) -> Situation:
        """What its limit depends on now."""
        return Situation(
            connector=self.number,
            at=self._cabinet.now(),
            transaction_id=self.transaction_id,
            charge_start=self.started_at,
            phases=3 if self.plugged is None else self.plugged.vehicle.phases,
        )

    def flow(self, plugged: PluggedVehicle) -> str:
        """Return how a charge that is permitted goes, as a status."""
        if self.offered_w < plugged.vehicle.min_w - _HAIR_W:
            return "SuspendedEVSE"
        return "SuspendedEV" if plugged.full or self._sleeper.asleep else "Charging"

    # --- what is done to it

    async def plug_in(self, arrival: Arrival) -> None:
        """Plug in the vehicle of an arrival, at once. A coroutine: it runs on the loop."""
        self.attach(arrival.vehicle)

    async def unplug(self) -> None:
        """Take the vehicle away. A coroutine: it runs on the loop."""
        self.detach()

    async def fault(self, error_code: str = "GroundFailure") -> None:
        """Break down: no power flows, and the transaction stays."""
        self.error_code = error_code
        self._changed()

    async def repair(self) -> None:
        """Work again."""
        self.error_code = _FINE
        self._changed()

    def attach(self, vehicle: Vehicle) -> None:
        """Plug in a vehicle; a permission that waits is used, or else the vehicle's own tag is.

        Raises:
            UsageError: another vehicle is plugged in.
        """
        if self.plugged is not None:
            raise UsageError(f"connector {self.number} has a vehicle already")
        self.plugged = PluggedVehicle(as_it_comes(vehicle, self._cabinet.quirks))
        self._arrived()

    def detach(self) -> None:
        """Take the vehicle away; a transaction ends with it."""
        if self.plugged is not None:
            self._left()

    def advance(self, dt_s: float) -> None:
        """Let ``dt_s`` seconds of simulated time pass."""
        if self.closing and not self.is_busy:
            self.closing, self.operative = False, False
        self._sleeper.look(self.plugged, self.offered_w)
        if self.plugged is not None:
            offered_w = 0.0 if self._sleeper.asleep else self.offered_w
            most_w = self._cabinet.max_w if self._gives else 0.0
            given_w = self._overflow.give(offered_w, most_w, dt_s)
            self.meter_wh += self.plugged.advance(dt_s, given_w)

    def follow(self, limit_w: float) -> None:
        """Take a limit on, as soon and as far as the habits have it."""
        situation = self.situation
        self.limit_w = self._follower.follow(self.limit_w, limit_w, situation.phases, situation.at)

    def nudge(self) -> None:
        """Take note that a limit was set."""
        self._sleeper.nudge(self.plugged, self.offered_w)

    # --- who may charge

    def present(self) -> None:
        """Show the vehicle's own tag, if the charge point starts by itself and nothing runs."""
        plugged = self.plugged
        free = not self.is_taken and self.operative and self._presented is not plugged
        if plugged is None or not free or not self._cabinet.starts_itself:
            return
        self._presented = plugged
        tag = plugged.vehicle.id_tag

        def answered(conf: Mapping[str, Any]) -> None:
            self._presented = None
            waits = self.plugged is plugged and not self.is_taken
            if waits and self._welcomes(conf):
                self._permit(Permission(tag, self._cabinet.now()))

        self._cabinet.post(Notice("Authorize", self._authorize(tag), keep=True, then=answered))

    @property
    def is_taken(self) -> bool:
        """Whether somebody has begun to charge here, so that nobody else is asked."""
        return self.is_busy

    def start_remotely(
        self, id_tag: str, profile: ChargingProfile | None = None, number: int | None = None
    ) -> None:
        """Begin a transaction, or wait for a vehicle first."""
        wait_s = self._cabinet.configuration.number("ConnectionTimeOut")
        expires_at = self._cabinet.now() + timedelta(seconds=wait_s)
        self._permit(Permission(id_tag, expires_at, profile, number))

    # --- status

    @property
    def _told(self) -> str:
        """The status as this charge point puts it."""
        return self.status

    def report_change(self) -> None:
        """Say the status if it is another than was said last."""
        if self._told != self._said:
            self.report()

    def report_missed(self) -> None:
        """Say the status if another one was the last to arrive, as after a lost connection."""
        if self._told != self._heard:
            self.report()

    def report(self) -> None:
        """Say the status."""
        status = self._said = self._told

        def heard(conf: Mapping[str, Any]) -> None:
            del conf
            self._heard = status

        self._cabinet.post(Notice("StatusNotification", self._notification(status), then=heard))
