"""An EVSE with its one connector in OCPP 2.0.1: the station numbers its own transactions.

OCPP 2.0.1 edition 3, part 2: chapters E (transactions), F (remote control) and G (availability).
"""

import functools
import uuid
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, Final

import attrs

from actors.sim.cabinet import Cabinet
from actors.sim.connector import Connector, Permission
from actors.sim.outbox import Notice
from actors.sim.quirks import Quirk
from actors.sim.station import readings

_IDS: Final = uuid.UUID("5e7901a7-0000-4000-8000-000000000000")
_FEW: Final = {"SuspendedEV": "Charging", "SuspendedEVSE": "Charging"}
_UNKNOWN: Final = {"SuspendedEV": "Suspended", "SuspendedEVSE": "Suspended"}
_TRIGGERS: Final = {
    "DeAuthorized": "Deauthorized",
    "EVDisconnected": "EVCommunicationLost",
    "ImmediateReset": "ResetCommand",
    "Remote": "RemoteStop",
    "Timeout": "EVConnectTimeout",
}
"""What makes a transaction end, by the reason for which it has stopped."""

_PERMITTING: Final = frozenset({"Authorized", "RemoteStart"})
_CONTEXTS: Final = {"Started": "Transaction.Begin", "Ended": "Transaction.End"}
_SAMPLED: Final = {
    "Transaction.Begin": "TxStartedMeasurands",
    "Transaction.End": "TxEndedMeasurands",
}


@attrs.define(eq=False)
class Transaction:
    """A transaction; ``state`` is the charging state that was said last."""

    id: str
    evse: int
    started_at: datetime
    state: str = ""
    _events: int = 0

    def event(self, kind: str, trigger: str, timestamp: str, state: str) -> dict[str, Any]:
        """Return the next TransactionEvent, as far as every one has this."""
        self.state = state
        self._events += 1
        return {
            "eventType": kind,
            "timestamp": timestamp,
            "triggerReason": trigger,
            "seqNo": self._events - 1,
            "transactionInfo": {"transactionId": self.id, "chargingState": state},
            "evse": {"id": self.evse, "connectorId": 1},
        }


class Connector201(Connector):
    """An EVSE; ``permission`` is that somebody may charge here, or wait for a vehicle here."""

    def __init__(self, number: int, cabinet: Cabinet, changed: Callable[[], None]) -> None:
        """Begin available."""
        super().__init__(number, cabinet, changed)
        self.transaction: Transaction | None = None
        self.permission: Permission | None = None
        self._begun = 0

    @property
    def transaction_id(self) -> str | None:
        """The id of the transaction that runs here."""
        return None if self.transaction is None else self.transaction.id

    @property
    def started_at(self) -> datetime | None:
        """When the transaction that runs here began."""
        return None if self.transaction is None else self.transaction.started_at

    @property
    def is_busy(self) -> bool:
        """Whether a transaction runs here, or is about to."""
        return self.transaction is not None

    @property
    def is_taken(self) -> bool:
        """Whether somebody has begun to charge here, so that nobody else is asked."""
        return self.permission is not None

    @property
    def may_charge(self) -> bool:
        """Whether somebody may charge here now, as far as permission goes."""
        return self.transaction is not None and self.permission is not None

    @property
    def use(self) -> str:
        """The status of now, while it is neither broken nor out of service."""
        return "Available" if self.plugged is None else "Occupied"

    @property
    def charging_state(self) -> str:
        """How the charge goes, as this station puts it."""
        if self.plugged is None:
            return "Idle"
        if self.permission is None:
            return "EVConnected"
        state = self.flow(self.plugged)
        if Quirk.FEW_STATES in self._cabinet.quirks:
            return _FEW.get(state, state)
        if Quirk.UNKNOWN_STATUS in self._cabinet.quirks:
            return _UNKNOWN.get(state, state)
        return state

    def advance(self, dt_s: float) -> None:
        """Let ``dt_s`` seconds of simulated time pass."""
        if self._waits_in_vain():
            self.permission = None
            self.stop("Timeout")
        super().advance(dt_s)

    def _waits_in_vain(self) -> bool:
        """Tell whether no vehicle has come in time for who may charge here."""
        if self.permission is None or self.plugged is not None:
            return False
        return self._cabinet.now() >= self.permission.expires_at

    # --- what a transaction begins and ends with

    def _arrived(self) -> None:
        super().report_change()
        self._step("CablePluggedIn")
        self._changed()
        self.present()

    def _left(self) -> None:
        self.plugged = None
        self._lose({"EVConnected", "PowerPathClosed"}, "EVDisconnected")

    def _permit(self, permission: Permission) -> None:
        self.permission = permission
        self._step("Authorized" if permission.remote_start_id is None else "RemoteStart")
        self._changed()

    def withdraw(self, reason: str) -> None:
        """Let nobody charge here any more."""
        self.permission = None
        self._lose({"Authorized", "PowerPathClosed"}, reason)

    def _step(self, trigger: str) -> None:
        """Say what has happened, if a transaction runs or begins with it [E01]."""
        if self.transaction is not None:
            self._say("Updated", trigger)
        elif self._reached() & self._points("TxStartPoint"):
            self._begin(trigger)
        permission = self.permission
        if self.transaction is None or permission is None or permission.profile is None:
            return
        self._cabinet.limits.put(permission.profile, self.situation)
        self.permission = attrs.evolve(permission, profile=None)

    def _begin(self, trigger: str) -> None:
        cabinet = self._cabinet
        self._begun += 1
        name = f"{cabinet.identity} {self.number} {cabinet.timestamp()} {self._begun}"
        self.transaction = Transaction(str(uuid.uuid5(_IDS, name)), self.number, cabinet.now())
        if Quirk.FORGETS_LIMIT in cabinet.quirks:
            cabinet.limits.forget()
        self._say("Started", trigger)

    def _lose(self, points: set[str], reason: str) -> None:
        """End the transaction if it stops with one of these [E06], or say that it goes on."""
        if points & self._points("TxStopPoint"):
            self.stop(reason)
        elif self.transaction is not None:
            self._say("Updated", _TRIGGERS.get(reason, "AbnormalCondition"))
        self._changed()

    def _reached(self) -> set[str]:
        reached = set()
        if self.plugged is not None:
            reached.add("EVConnected")
        if self.permission is not None:
            reached.add("Authorized")
        return reached | ({"PowerPathClosed"} if len(reached) > 1 else set())

    def _points(self, key: str) -> set[str]:
        return {each.strip() for each in self._cabinet.configuration[key].split(",")}

    def stop(self, reason: str) -> None:
        """End the transaction, if there is one, and drop its profiles."""
        if self.transaction is None:
            return
        self.permission = None
        self._say("Ended", _TRIGGERS.get(reason, "AbnormalCondition"), stoppedReason=reason)
        self.transaction = None
        self._cabinet.limits.end_transaction(self.number)
        if self.closing:
            self.closing, self.operative = False, False
        self._changed()

    def restart(self, reason: str) -> None:
        """Lose power for a moment; transactions end unless a quirk carries them over."""
        if Quirk.RESUMES_TRANSACTION not in self._cabinet.quirks:
            self.stop(reason)
            self.permission = None

    # --- what is said of it

    def _authorize(self, id_tag: str) -> dict[str, object]:
        return {"idToken": {"idToken": id_tag, "type": "ISO14443"}}

    def _welcomes(self, conf: Mapping[str, Any]) -> bool:
        return bool(conf["idTokenInfo"]["status"] == "Accepted")

    def _notification(self, status: str) -> dict[str, object]:
        return {
            "timestamp": self._cabinet.timestamp(),
            "connectorStatus": status,
            "evseId": self.number,
            "connectorId": 1,
        }

    def report_change(self) -> None:
        """Say the status, and how the charge goes, if it is another than was said last."""
        super().report_change()
        if self.transaction is not None and self.transaction.state != self.charging_state:
            self._say("Updated", "ChargingStateChanged")

    def sample(self, trigger: str, context: str) -> None:
        """Say what the meter shows, as a part of the transaction."""
        self._say("Updated", trigger, context)

    def meter_value(self, context: str) -> dict[str, Any]:
        """Return what the meter shows, with the measurands that are configured."""
        key = _SAMPLED.get(context, "MeterValuesSampledData")
        samples: list[dict[str, object]] = []
        for reading in readings(self, self._cabinet.configuration[key]):
            phase = {} if reading.phase is None else {"phase": reading.phase}
            samples.append(
                {
                    "value": round(reading.value, 1),
                    "context": context,
                    "measurand": reading.measurand,
                    "unitOfMeasure": {"unit": reading.unit},
                    **phase,
                }
            )
        return {"timestamp": self._cabinet.timestamp(), "sampledValue": samples}

    def _say(self, kind: str, trigger: str, context: str | None = None, **more: object) -> None:
        """Say TransactionEvent of the transaction that runs [E03 to E07, E11]; ``more`` of it."""
        transaction = self.transaction
        if transaction is None:
            return
        state = self.charging_state if kind == "Updated" else self._still
        payload = transaction.event(kind, trigger, self._cabinet.timestamp(), state)
        payload["transactionInfo"] |= more
        if self._leaves_out_place(kind):
            del payload["evse"]
        if self.permission is not None and (kind == "Started" or trigger in _PERMITTING):
            payload |= self._who(self.permission, payload["transactionInfo"])
        context = _CONTEXTS.get(kind, context)
        samples = None if context is None else self.meter_value(context)
        if samples is not None and samples["sampledValue"]:
            payload["meterValue"] = [samples]
        if not self._cabinet.is_online():
            payload["offline"] = True
        answered = functools.partial(self._answered, transaction)
        self._cabinet.post(Notice("TransactionEvent", payload, keep=True, then=answered))

    def _leaves_out_place(self, kind: str) -> bool:
        quirks = self._cabinet.quirks
        return Quirk.EVSE_NEVER in quirks or (Quirk.EVSE_ONCE in quirks and kind != "Started")

    @property
    def _still(self) -> str:
        """The charging state before power flows, and when it does not flow any more."""
        return "Idle" if self.plugged is None else "EVConnected"

    def _who(self, permission: Permission, info: dict[str, object]) -> dict[str, object]:
        """Return whose token it is; a remote start's number goes into the transaction's info."""
        kind = "ISO14443"
        if permission.remote_start_id is not None:
            info["remoteStartId"], kind = permission.remote_start_id, "Central"
        return {"idToken": {"idToken": permission.id_tag, "type": kind}}

    def _answered(self, transaction: Transaction, conf: Mapping[str, Any]) -> None:
        """Let nobody charge whose token the central system does not know [E05]."""
        verdict = conf.get("idTokenInfo", {}).get("status", "Accepted")
        obeys = self._cabinet.configuration["StopTransactionOnInvalidId"] == "true"
        if verdict != "Accepted" and obeys and self.transaction is transaction:
            self.withdraw("DeAuthorized")
