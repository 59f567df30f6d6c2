"""What is said with a charging station in OCPP 2.0.1: its messages answered, its assets told.

Source: OCPP 2.0.1 edition 2, part 2 (use cases in brackets).
"""

from collections.abc import Callable, Mapping
from typing import Final

from actors.links.ocpp.acquaintance import Acquaintance
from actors.links.ocpp.assets import Assets
from actors.links.ocpp.framing import Call
from actors.links.ocpp.manners import Manners
from actors.links.ocpp.questions import Questions201, entries, report
from actors.links.ocpp.session import Session
from actors.links.ocpp.transactions201 import Transactions201
from engine.adapters.base import CapabilitiesLearned, ConnectorReported, ExternalLimit
from engine.adapters.ocpp201_limits import limit_cleared, limit_notified, limit_reported
from engine.adapters.ocpp201_reports import availability_of, part, station_status
from engine.adapters.samples import counted, instant, measured, moment, taken_at

_TEXT: Final = 50
_ASKED_FOR: Final[Mapping[str, bool | None]] = {"triggered": True, "unknown": None, "": None}
"""Whether a boot was asked for, by its reason; with any other it was not."""


class Dialogue201(Acquaintance):
    """See `actors.links.ocpp.dialogue.Dialogue`. The loop thread."""

    def __init__(self, assets: Assets, manners: Manners) -> None:
        """Begin without a socket."""
        super().__init__(assets, manners, Questions201)
        self._transactions = Transactions201(manners, self._freshness, assets)

    def hear(self, session: Session, call: Call) -> None:
        """Answer a CALL of those that OCPP 2.0.1 has."""
        answer = _ANSWERS.get(call.action)
        if answer is not None:
            session.answer(call.id, answer)
        handler = _HANDLERS.get(call.action)
        if handler is not None:
            handler(self, session, call)

    # --- answered with something of now

    def on_boot(self, session: Session, call: Call) -> None:
        """BootNotification [B01]: accepted, with our time and heartbeat interval."""
        asked_for = _ASKED_FOR.get(str(call.payload.get("reason", "")).lower(), False)
        if self._boot(session, call, _described(call), asked_for=asked_for):
            self._transactions.forget()

    def on_authorize(self, session: Session, call: Call) -> None:
        """Authorize [C01]."""
        token = part(call.payload, "idToken").get("idToken")
        session.answer(call.id, {"idTokenInfo": self._manners.tag_info(token)})

    def on_transaction(self, session: Session, call: Call) -> None:
        """TransactionEvent: see `Transactions201.happened`."""
        if call.payload.get("offline") is not True:
            self._hear_time(instant(call.payload.get("timestamp")))
        self._transactions.happened(session, call)

    # --- answered already: see `_ANSWERS`

    def on_status(self, session: Session, call: Call) -> None:
        """StatusNotification [G01]: EVSE 0 speaks for the station."""
        del session
        payload = call.payload
        self._freshness.told_time(moment(payload.get("timestamp")))
        self._hear_time(instant(payload.get("timestamp")))
        connector_id = counted(payload["connectorId"])
        if connector_id is not None:
            self._available(payload["evseId"], payload["connectorStatus"], connector_id)

    def on_event(self, session: Session, call: Call) -> None:
        """NotifyEvent [N07, G01]: some say thus how available they are."""
        del session
        self._hear_time(instant(call.payload.get("generatedAt")))
        for event in entries(call.payload, "eventData"):
            told = availability_of(event)
            if told is not None:
                self._available(*told)

    def _available(self, evse: int, status: str, connector_id: int) -> None:
        if evse == 0:
            self._assets.tell_all(station_status(status))
            return
        self._said(evse)
        self._transactions.told_status(evse, connector_id, status)
        self._assets.tell(evse, ConnectorReported(status, connector_id))

    def on_meter_values(self, session: Session, call: Call) -> None:
        """MeterValues [J01]: EVSE 0 is the meter of the station, which is no asset's own power."""
        del session
        self._hear_time(taken_at(call.payload))
        found = measured(call.payload)
        if found is not None and call.payload["evseId"] != 0:
            self._assets.tell(call.payload["evseId"], found)

    def on_report(self, session: Session, call: Call) -> None:
        """NotifyReport [B07]: whoever asked for it, it tells what the station can do."""
        del session
        self._hear_time(instant(call.payload.get("generatedAt")))
        learned = report(call.payload)
        if learned:
            self._assets.tell_all(CapabilitiesLearned(learned))

    def on_limit(self, session: Session, call: Call) -> None:
        """NotifyChargingLimit [K12]: somebody beside us limits the station, or one EVSE."""
        del session
        self._limited(call, limit_notified(call.payload, self._manners.wall_us()))

    def on_limit_cleared(self, session: Session, call: Call) -> None:
        """ClearedChargingLimit [K13]: and does so no longer."""
        del session
        self._limited(call, limit_cleared(call.payload))

    def on_profiles(self, session: Session, call: Call) -> None:
        """ReportChargingProfiles [K09]: some tell thus what others limit them to."""
        del session
        self._limited(call, limit_reported(call.payload, self._manners.wall_us()))

    def _limited(self, call: Call, found: ExternalLimit | None) -> None:
        """Tell of a limit; EVSE 0, or none, is the station as a whole."""
        evse = call.payload.get("evseId") or 0
        if found is not None and evse == 0:
            self._assets.tell_all(found)
        elif found is not None:
            self._assets.tell(evse, found)


_ANSWERS: Final[Mapping[str, Mapping[str, object]]] = {
    "ClearedChargingLimit": {},
    "DataTransfer": {"status": "UnknownVendorId"},
    "FirmwareStatusNotification": {},
    "Get15118EVCertificate": {"status": "Failed", "exiResponse": ""},
    "GetCertificateStatus": {"status": "Failed"},
    "LogStatusNotification": {},
    "MeterValues": {},
    "NotifyChargingLimit": {},
    "NotifyCustomerInformation": {},
    "NotifyDisplayMessages": {},
    # K15: a schedule is not made for it; what limits the EVSE has been set already.
    "NotifyEVChargingNeeds": {"status": "Rejected"},
    "NotifyEVChargingSchedule": {"status": "Accepted"},
    "NotifyEvent": {},
    "NotifyMonitoringReport": {},
    "NotifyReport": {},
    "PublishFirmwareStatusNotification": {},
    "ReportChargingProfiles": {},
    "ReservationStatusUpdate": {},
    "SecurityEventNotification": {},
    "SignCertificate": {"status": "Rejected"},
    "StatusNotification": {},
}
"""What is answered in the same way always."""

_HANDLERS: Final[Mapping[str, Callable[[Dialogue201, Session, Call], None]]] = {
    "Authorize": Dialogue201.on_authorize,
    "BootNotification": Dialogue201.on_boot,
    "ClearedChargingLimit": Dialogue201.on_limit_cleared,
    "Heartbeat": Dialogue201.on_heartbeat,
    "MeterValues": Dialogue201.on_meter_values,
    "NotifyChargingLimit": Dialogue201.on_limit,
    "NotifyEvent": Dialogue201.on_event,
    "NotifyReport": Dialogue201.on_report,
    "ReportChargingProfiles": Dialogue201.on_profiles,
    "StatusNotification": Dialogue201.on_status,
    "TransactionEvent": Dialogue201.on_transaction,
}


def _described(call: Call) -> dict[str, str]:
    station = part(call.payload, "chargingStation")
    named = (("vendor", "vendorName"), ("model", "model"), ("firmware", "firmwareVersion"))
    return {name: str(station[key])[:_TEXT] for name, key in named if key in station}
