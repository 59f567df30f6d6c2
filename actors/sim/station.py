"""A simulated charge point without its socket: what all its connectors come to."""

import abc
from collections.abc import Callable, Mapping
from datetime import datetime
from types import MappingProxyType
from typing import Any, Final

import attrs

from actors.sim.cabinet import Cabinet
from actors.sim.connector import Connector
from actors.sim.limits import Situation
from actors.sim.outbox import Notice
from actors.sim.quirks import Quirk
from actors.sim.timetable import Arrival, Timetable
from actors.sim.vehicle import VOLTS

VENDOR: Final = "Setpoint"
MODEL: Final = "Simulated"
FIRMWARE: Final = "1"


class Station(abc.ABC):
    """The connectors by number, from 1 on, and the charge point as a whole (0)."""

    def __init__(
        self,
        cabinet: Cabinet,
        connectors: int,
        restart: Callable[[str], None],
        accepted: Callable[[Mapping[str, Any]], None],
    ) -> None:
        """Begin available; ``restart`` is called for a Reset, ``accepted`` with a Boot's answer."""
        self.cabinet = cabinet
        self.reset = restart
        self.operative = True
        self.connectors: Mapping[int, Connector] = {
            number: self._connector(number) for number in range(1, connectors + 1)
        }
        self._accepted = accepted
        self._timetable: Timetable | None = None

    # --- what a version says of it

    @abc.abstractmethod
    def _connector(self, number: int) -> Connector:
        """Return a connector of the version's kind."""

    @abc.abstractmethod
    def boot_notification(self) -> dict[str, object]:
        """Return a BootNotification of now."""

    @abc.abstractmethod
    def report(self, number: int | None) -> None:
        """Say the status of one, of the charge point (0), or of all (null)."""

    @abc.abstractmethod
    def replay(self) -> None:
        """Say again that a transaction of yesterday began and ended."""

    @abc.abstractmethod
    def sample(self, number: int | None, context: str) -> None:
        """Say what the meter of one connector shows, or of all in a transaction (null)."""

    # --- time

    def begin(self, arrivals: tuple[Arrival, ...], start: datetime) -> None:
        """Let vehicles come as planned; ``start`` is the plan time from which seconds count."""
        self._timetable = Timetable(arrivals, start)

    def advance(self, dt_s: float, plan_now: datetime) -> None:
        """Let ``dt_s`` simulated seconds pass, up to the plan time ``plan_now``."""
        for connector in self.connectors.values():
            connector.advance(dt_s)
        for movement in () if self._timetable is None else self._timetable.due(plan_now):
            connector = self.connectors[movement.arrival.connector]
            connector.detach()
            if movement.kind == "arrives":
                connector.attach(movement.arrival.vehicle)
        self.refresh()

    def refresh(self) -> None:
        """Reckon every limit anew, and report each status that has changed.

        What the charge point as a whole may take is shared evenly by the running transactions.
        """
        busy = sum(each.transaction_id is not None for each in self.connectors.values())
        for connector in self.connectors.values():
            situation = connector.situation
            own_w = self.cabinet.limits.own_limit_w(situation)
            whole_w = self.cabinet.limits.whole_limit_w(situation)
            share_w = None if whole_w is None else whole_w / max(1, busy)
            known = [each for each in (own_w, share_w) if each is not None]
            connector.follow(min([self.cabinet.max_w, *known]))
        for connector in self.connectors.values():
            connector.report_change()

    def limited(self) -> None:
        """Do what follows from a limit that was set."""
        self.refresh()
        for connector in self.connectors.values():
            connector.nudge()

    # --- life

    def restart(self, reason: str) -> None:
        """Lose power for a moment."""
        for connector in self.connectors.values():
            connector.restart(reason)
        if Quirk.FORGETS_LIMIT in self.cabinet.quirks:
            self.cabinet.limits.forget()

    def booted(self) -> None:
        """Say what there is, as after every boot, and let vehicles that wait charge."""
        if Quirk.NO_STATUS_AFTER_BOOT not in self.cabinet.quirks:
            self.report(None)
        for connector in self.connectors.values():
            connector.present()

    def reconnected(self) -> None:
        """Say what has changed since the connection went."""
        for connector in self.connectors.values():
            connector.report_missed()

    def change_availability(self, number: int, *, operative: bool) -> str:
        """Set a connector, or with 0 all of them, operative or not; return the status."""
        meant = [each for each in self.connectors.values() if number in {0, each.number}]
        later = Quirk.AVAILABILITY_SCHEDULED in self.cabinet.quirks
        waits = [each for each in meant if not operative and (later or each.is_busy)]
        for connector in meant:
            connector.closing = connector in waits
            connector.operative = operative or connector.closing
        if number == 0:
            self.operative = operative
        return "Scheduled" if waits else "Accepted"

    # --- reports

    def boot(self) -> None:
        """Say BootNotification again, as when it is triggered."""
        notice = Notice("BootNotification", self.boot_notification(), then=self._accepted)
        self.cabinet.post(notice)

    def beat(self) -> None:
        """Say Heartbeat."""
        self.cabinet.post(Notice("Heartbeat", {}))

    def whole(self) -> Situation:
        """Return the situation of the charge point as a whole."""
        return Situation(connector=0, at=self.cabinet.now())


@attrs.frozen
class Reading:
    """One value that the meter shows, and of which phase, if it is of one."""

    measurand: str
    unit: str
    value: float
    phase: str | None = None


@attrs.frozen
class _Measurand:
    value: Callable[[Connector], float | None]
    unit: str
    phases: tuple[str, ...] = ()


_MEASURANDS: Final[Mapping[str, _Measurand]] = MappingProxyType(
    {
        "Power.Active.Import": _Measurand(lambda c: c.power_w, "W"),
        "Power.Offered": _Measurand(lambda c: c.offered_w, "W"),
        "Energy.Active.Import.Register": _Measurand(lambda c: c.meter_wh, "Wh"),
        "SoC": _Measurand(lambda c: c.soc_pct, "Percent"),
        "Current.Import": _Measurand(
            lambda c: c.power_w / VOLTS / c.situation.phases, "A", ("L1", "L2", "L3")
        ),
    }
)


def readings(connector: Connector, measurands: str) -> list[Reading]:
    """Return what the meter shows now, of the measurands in a list with commas."""
    found = []
    for name in (each.strip() for each in measurands.split(",")):
        measurand = _MEASURANDS.get(name)
        value = None if measurand is None else measurand.value(connector)
        if measurand is not None and value is not None:
            phases = measurand.phases[: connector.situation.phases] or (None,)
            found += [Reading(name, measurand.unit, value, each) for each in phases]
    return found
