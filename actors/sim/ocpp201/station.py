"""What a charging station says of itself in OCPP 2.0.1."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Final

from actors.sim.cabinet import Cabinet
from actors.sim.ocpp201.connector import Connector201
from actors.sim.ocpp201.variables import DeviceModel, Variable
from actors.sim.outbox import Notice
from actors.sim.station import FIRMWARE, MODEL, VENDOR, Station

_PART: Final = 10
"""How many variables go into one NotifyReport."""


class Station201(Station):
    """A charging station of OCPP 2.0.1; each of its EVSEs has one connector."""

    def __init__(
        self,
        cabinet: Cabinet,
        connectors: int,
        restart: Callable[[str], None],
        accepted: Callable[[Mapping[str, Any]], None],
    ) -> None:
        """Begin available."""
        super().__init__(cabinet, connectors, restart, accepted)
        self.evses: Mapping[int, Connector201] = {
            number: each
            for number, each in self.connectors.items()
            if isinstance(each, Connector201)
        }
        self.model = DeviceModel(self)
        self.resets_when_idle = False
        self._boot_reason = "PowerUp"

    def _connector(self, number: int) -> Connector201:
        return Connector201(number, self.cabinet, self.refresh)

    # --- life

    def advance(self, dt_s: float, plan_now: datetime) -> None:
        """Let simulated seconds pass; a reset that waits is done when no transaction runs [B12]."""
        super().advance(dt_s, plan_now)
        if self.resets_when_idle and not any(each.is_busy for each in self.evses.values()):
            self.reset("ImmediateReset")

    def restart(self, reason: str) -> None:
        """Lose power for a moment."""
        self.resets_when_idle = False
        self._boot_reason = "RemoteReset" if reason == "ImmediateReset" else "PowerUp"
        super().restart(reason)

    # --- reports

    def boot_notification(self) -> dict[str, object]:
        """Return a BootNotification [B01]."""
        station = {"vendorName": VENDOR, "model": MODEL, "firmwareVersion": FIRMWARE}
        return {"reason": self._boot_reason, "chargingStation": station}

    def replay(self) -> None:
        """Say TransactionEvent [E12] of yesterday."""
        begun = self.cabinet.now() - timedelta(days=1)
        for number, kind in enumerate(("Started", "Ended")):
            moment = begun + timedelta(hours=number)
            event: dict[str, object] = {
                "eventType": kind,
                "timestamp": f"{moment:%Y-%m-%dT%H:%M:%SZ}",
                "triggerReason": "ChargingStateChanged",
                "seqNo": number,
                "offline": True,
                "transactionInfo": {"transactionId": "yesterday"},
                "evse": {"id": 1, "connectorId": 1},
            }
            self.cabinet.post(Notice("TransactionEvent", event, keep=True))

    def report(self, number: int | None) -> None:
        """Say the status of one, or of all (null, 0) [G01]."""
        for connector in self.connectors.values():
            if not number or connector.number == number:
                connector.report()

    def sample(self, number: int | None, context: str) -> None:
        """Say what the meters show: one that is named [J01], or all transactions (null) [J02]."""
        for evse in self.evses.values():
            if number is None:
                evse.sample("MeterValuePeriodic", context)
            elif evse.number == number:
                payload = {"evseId": number, "meterValue": [evse.meter_value(context)]}
                self.say("MeterValues", payload)

    def report_variables(self, request_id: int, variables: Sequence[Variable]) -> None:
        """Say NotifyReport in as many parts as it takes [B07]."""
        bodies = [self.model.report(each) for each in variables]
        for number, (part, more) in enumerate(_parts(bodies, _PART)):
            payload: dict[str, object] = {
                "requestId": request_id,
                "generatedAt": self.cabinet.timestamp(),
                "seqNo": number,
                "tbc": more,
                "reportData": part,
            }
            self.say("NotifyReport", payload)

    def report_profiles(self, request_id: int, profiles: Mapping[int, Sequence[Any]]) -> None:
        """Say ReportChargingProfiles, EVSE by EVSE [K09]."""
        left = len(profiles)
        for evse, bodies in profiles.items():
            left -= 1
            payload: dict[str, object] = {
                "requestId": request_id,
                "chargingLimitSource": "CSO",
                "evseId": evse,
                "chargingProfile": list(bodies),
                "tbc": left > 0,
            }
            self.say("ReportChargingProfiles", payload)

    def say(self, action: str, payload: dict[str, object]) -> None:
        """Say something that may be lost with the connection."""
        self.cabinet.post(Notice(action, payload))

    def progress(self, action: str, request_id: int, statuses: Iterable[str]) -> None:
        """Say how something that was asked for goes on, from status to status [L01, N01]."""
        for status in statuses:
            self.say(action, {"status": status, "requestId": request_id})


def _parts(bodies: Sequence[Any], most: int) -> Iterator[tuple[Sequence[Any], bool]]:
    """Yield the bodies in parts, and whether more of them follow."""
    for first in range(0, len(bodies), most):
        yield bodies[first : first + most], first + most < len(bodies)
