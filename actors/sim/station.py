"""A simulated charge point without its socket: what all its connectors come to."""

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

BOOT: Final[Mapping[str, object]] = MappingProxyType(
    {
        "chargePointVendor": "Setpoint",
        "chargePointModel": "Simulated",
        "firmwareVersion": "1",
    }
)
_PHASES: Final = 3


class Station:
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
        self.connectors = {
            number: Connector(number, cabinet, self.refresh) for number in range(1, connectors + 1)
        }
        self._accepted = accepted
        self._timetable: Timetable | None = None

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
            connector.limit_w = min([self.cabinet.max_w, *known])
        for connector in self.connectors.values():
            connector.report_change()

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
        """Set a connector, or with 0 all of them, operative or not [5.2]; return the status."""
        meant = [each for each in self.connectors.values() if number in {0, each.number}]
        waits = [each for each in meant if not operative and each.transaction is not None]
        for connector in meant:
            connector.closing = connector in waits
            connector.operative = operative or connector.closing
        if number == 0:
            self.operative = operative
        return "Scheduled" if waits else "Accepted"

    # --- reports

    def report(self, number: int | None) -> None:
        """Say the status of one, of the charge point (0), or of all (null) [4.9]."""
        if not number:
            payload: dict[str, object] = {
                "connectorId": 0,
                "errorCode": "NoError",
                "status": "Available" if self.operative else "Unavailable",
                "timestamp": self.cabinet.timestamp(),
            }
            self.cabinet.post(Notice("StatusNotification", payload))
        for connector in self.connectors.values():
            if number in {None, connector.number}:
                connector.report()

    def boot(self) -> None:
        """Say BootNotification again, as when it is triggered."""
        self.cabinet.post(Notice("BootNotification", dict(BOOT), then=self._accepted))

    def beat(self) -> None:
        """Say Heartbeat [4.6]."""
        self.cabinet.post(Notice("Heartbeat", {}))

    def sample(self, number: int | None, context: str) -> None:
        """Say MeterValues [4.7] of one connector, or of all in a transaction (null)."""
        for connector in self.connectors.values():
            running = number is None and connector.transaction_id is not None
            if running or connector.number == number:
                payload = meter_values(connector, self.cabinet, context)
                self.cabinet.post(Notice("MeterValues", payload, keep=running))

    def whole(self) -> Situation:
        """Return the situation of the charge point as a whole."""
        return Situation(connector=0, at=self.cabinet.now())


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


def meter_values(connector: Connector, cabinet: Cabinet, context: str) -> dict[str, object]:
    """Return a MeterValues of now with the measurands that are configured [9.1]."""
    samples: list[dict[str, str]] = []
    for name in cabinet.configuration["MeterValuesSampledData"].split(","):
        measurand = _MEASURANDS.get(name.strip())
        value = None if measurand is None else measurand.value(connector)
        if measurand is None or value is None:
            continue
        sample = {
            "value": f"{value:.1f}",
            "context": context,
            "measurand": name.strip(),
            "unit": measurand.unit,
        }
        phases = measurand.phases[: connector.situation.phases]
        samples += [{**sample, "phase": each} for each in phases] or [sample]
    payload: dict[str, object] = {
        "connectorId": connector.number,
        "meterValue": [{"timestamp": cabinet.timestamp(), "sampledValue": samples}],
    }
    if connector.transaction_id is not None:
        payload["transactionId"] = connector.transaction_id
    return payload
