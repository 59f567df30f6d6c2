"""What is said with a charge point in OCPP 1.6: its messages answered, its assets told.

Sources: OCPP 1.6 edition 2, section 4 (sections in brackets); security whitepaper edition 3.
"""

from collections.abc import Callable
from typing import Final

from actors.links.ocpp.acquaintance import Acquaintance
from actors.links.ocpp.assets import Assets
from actors.links.ocpp.framing import Call
from actors.links.ocpp.manners import Manners
from actors.links.ocpp.questions import Questions16
from actors.links.ocpp.session import Session
from actors.links.ocpp.transactions16 import Transactions16
from engine.adapters.base import StateReported
from engine.adapters.ocpp16_reports import status_of
from engine.adapters.samples import instant, taken_at

_TEXT: Final = 50


class Dialogue16(Acquaintance):
    """See `actors.links.ocpp.dialogue.Dialogue`. The loop thread."""

    def __init__(self, assets: Assets, manners: Manners) -> None:
        """Begin without a socket."""
        super().__init__(assets, manners, Questions16)
        self._transactions = Transactions16(manners, self._freshness, assets.tell)

    def hear(self, session: Session, call: Call) -> None:
        """Answer a CALL of those that OCPP 1.6 has."""
        _HANDLERS[call.action](self, session, call)

    def on_boot(self, session: Session, call: Call) -> None:
        """BootNotification [4.2]: accepted, with our time and heartbeat interval."""
        if self._boot(session, call, _described(call)):
            self._transactions.forget()

    def on_status(self, session: Session, call: Call) -> None:
        """StatusNotification [4.9]: connector 0 speaks for all."""
        session.answer(call.id, {})
        connector, reported = call.payload["connectorId"], status_of(call.payload)
        self._freshness.told_time(reported.reported_at)
        self._hear_time(instant(call.payload.get("timestamp")))
        if connector == 0:
            self._assets.tell_all(reported)
            return
        self._said(connector)
        self._assets.tell(connector, reported)

    def on_authorize(self, session: Session, call: Call) -> None:
        """Authorize [4.1]."""
        session.answer(call.id, {"idTagInfo": self._manners.tag_info(call.payload["idTag"])})

    def on_start(self, session: Session, call: Call) -> None:
        """StartTransaction [4.8]: see `Transactions16.started`."""
        self._hear_time(instant(call.payload.get("timestamp")))
        self._transactions.started(session, call)

    def on_stop(self, session: Session, call: Call) -> None:
        """StopTransaction [4.10]: accepted always; one that nobody knows is told to all."""
        session.answer(call.id, {"idTagInfo": {"status": "Accepted"}})
        connectors, changed = self._transactions.stopped(call.payload)
        for connector in connectors:
            self._assets.tell(connector, changed)
        if not connectors:
            self._assets.tell_all(changed)

    def on_meter_values(self, session: Session, call: Call) -> None:
        """MeterValues [4.7]: see `Transactions16.metered`."""
        session.answer(call.id, {})
        self._hear_time(taken_at(call.payload))
        self._transactions.metered(call.payload)
        self._infer(call.payload["connectorId"])

    def _infer(self, connector: int) -> None:
        """A connector that does not tell its status, and meters a transaction, is charging."""
        transaction_id = self._transactions.running(connector)
        if transaction_id is None or self._upkeep is None or not self._upkeep.is_mute(connector):
            return
        raw = f"MeterValues of transaction {transaction_id}"
        self._assets.tell(connector, StateReported("CHARGING", raw))

    def on_data_transfer(self, session: Session, call: Call) -> None:
        """DataTransfer [4.3]: we know no vendor."""
        session.answer(call.id, {"status": "UnknownVendorId"})

    def on_notice(self, session: Session, call: Call) -> None:
        """Notifications on diagnostics, logs, firmware and security [4.4, 4.5; whitepaper]."""
        session.answer(call.id, {})

    def on_sign(self, session: Session, call: Call) -> None:
        """SignCertificate [whitepaper]: we sign nothing."""
        session.answer(call.id, {"status": "Rejected"})


_HANDLERS: Final[dict[str, Callable[[Dialogue16, Session, Call], None]]] = {
    "Authorize": Dialogue16.on_authorize,
    "BootNotification": Dialogue16.on_boot,
    "DataTransfer": Dialogue16.on_data_transfer,
    "DiagnosticsStatusNotification": Dialogue16.on_notice,
    "FirmwareStatusNotification": Dialogue16.on_notice,
    "Heartbeat": Dialogue16.on_heartbeat,
    "LogStatusNotification": Dialogue16.on_notice,
    "MeterValues": Dialogue16.on_meter_values,
    "SecurityEventNotification": Dialogue16.on_notice,
    "SignCertificate": Dialogue16.on_sign,
    "SignedFirmwareStatusNotification": Dialogue16.on_notice,
    "StartTransaction": Dialogue16.on_start,
    "StatusNotification": Dialogue16.on_status,
    "StopTransaction": Dialogue16.on_stop,
}


def _described(call: Call) -> dict[str, str]:
    named = (
        ("vendor", "chargePointVendor"),
        ("model", "chargePointModel"),
        ("firmware", "firmwareVersion"),
    )
    return {name: call.payload[key][:_TEXT] for name, key in named if key in call.payload}
