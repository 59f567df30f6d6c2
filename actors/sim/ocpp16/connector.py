"""A connector of OCPP 1.6: its transaction has an id once the central system has given one."""

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, Final

import attrs

from actors.sim.cabinet import Cabinet
from actors.sim.connector import Connector, Permission
from actors.sim.outbox import Notice
from actors.sim.profiles import ChargingProfile
from actors.sim.quirks import Quirk

_FEW: Final = {
    "Preparing": "Available",
    "SuspendedEV": "Charging",
    "SuspendedEVSE": "Charging",
    "Finishing": "Available",
}
_UNKNOWN: Final = {"SuspendedEV": "Suspended", "SuspendedEVSE": "Suspended"}


@attrs.define(eq=False)
class Transaction:
    """A transaction; ``id`` is null until the central system has given one.

    ``stop`` is what StopTransaction will say beside the id, once it is over. ``profile`` came with
    the remote start.
    """

    id_tag: str
    started_at: datetime
    meter_start_wh: int
    profile: ChargingProfile | None = None
    id: int | None = None
    stop: dict[str, object] | None = None


class Connector16(Connector):
    """A connector with the statuses of OCPP 1.6 [4.9]."""

    def __init__(self, number: int, cabinet: Cabinet, changed: Callable[[], None]) -> None:
        """Begin available; ``remote_start`` is one that waits for a vehicle [5.11].

        ``reservation`` is the id of one that keeps it for somebody [5.13], until a vehicle comes.
        """
        super().__init__(number, cabinet, changed)
        self.reservation: int | None = None
        self.transaction: Transaction | None = None
        self.remote_start: Permission | None = None
        self._ended = False

    @property
    def transaction_id(self) -> int | None:
        """The id of the transaction that runs here."""
        return None if self.transaction is None else self.transaction.id

    @property
    def started_at(self) -> datetime | None:
        """When the transaction that runs here began."""
        running = self.transaction
        return None if running is None or running.id is None else running.started_at

    @property
    def is_busy(self) -> bool:
        """Whether a transaction runs here, or is about to."""
        return self.transaction is not None

    @property
    def may_charge(self) -> bool:
        """Whether somebody may charge here now, as far as permission goes."""
        return self.transaction_id is not None

    @property
    def use(self) -> str:
        """The status of now, while it is neither broken nor out of service."""
        if self.plugged is None:
            if self.remote_start is not None:
                return "Preparing"
            return "Available" if self.reservation is None else "Reserved"
        if self.transaction_id is None:
            return "Finishing" if self._ended else "Preparing"
        return self.flow(self.plugged)

    def advance(self, dt_s: float) -> None:
        """Let ``dt_s`` seconds of simulated time pass."""
        if self.remote_start is not None and self._cabinet.now() >= self.remote_start.expires_at:
            self.remote_start = None
        super().advance(dt_s)

    def _arrived(self) -> None:
        self._ended = False
        self.reservation = None
        self._changed()
        if self.remote_start is not None:
            self.begin(self.remote_start)
        else:
            self.present()

    def _left(self) -> None:
        self.stop("EVDisconnected")
        self.plugged = None
        self._ended = False
        self._changed()

    # --- transactions, chapters 3.6, 4.1, 4.8 and 4.10

    def _authorize(self, id_tag: str) -> dict[str, object]:
        return {"idTag": id_tag}

    def _welcomes(self, conf: Mapping[str, Any]) -> bool:
        return bool(conf["idTagInfo"]["status"] == "Accepted")

    def _permit(self, permission: Permission) -> None:
        if self.plugged is None:
            self.remote_start = permission
        else:
            self.begin(permission)
        self._changed()

    def begin(self, start: Permission) -> None:
        """Ask for a transaction; it runs when the central system has given its id."""
        transaction = Transaction(
            start.id_tag, self._cabinet.now(), round(self.meter_wh), start.profile
        )
        self.transaction = transaction
        self.remote_start = None
        payload: dict[str, object] = {
            "connectorId": self.number,
            "idTag": start.id_tag,
            "meterStart": transaction.meter_start_wh,
            "timestamp": self._cabinet.timestamp(),
        }
        self._cabinet.post(
            Notice(
                "StartTransaction",
                payload,
                keep=True,
                then=lambda conf: self._began(transaction, conf),
            )
        )

    def stop(self, reason: str) -> None:
        """End the transaction, if there is one, and drop its profiles [3.13.1]."""
        transaction = self.transaction
        if transaction is None:
            return
        self.transaction = None
        self._ended = True
        self._cabinet.limits.end_transaction(self.number)
        transaction.stop = {
            "idTag": transaction.id_tag,
            "meterStop": round(self.meter_wh),
            "timestamp": self._cabinet.timestamp(),
            "reason": reason,
        }
        self._post_stop(transaction)
        if self.closing:
            self.closing, self.operative = False, False
        self._changed()

    def restart(self, reason: str) -> None:
        """Lose power for a moment; transactions end unless a quirk carries them over."""
        self.remote_start = None
        if Quirk.RESUMES_TRANSACTION not in self._cabinet.quirks:
            self.stop(reason)
            self._ended = False

    def _began(self, transaction: Transaction, conf: Mapping[str, Any]) -> None:
        transaction.id = int(conf["transactionId"])
        if transaction.stop is not None:
            self._post_stop(transaction)
            return
        cabinet = self._cabinet
        if Quirk.FORGETS_LIMIT in cabinet.quirks:
            cabinet.limits.forget()
        if transaction.profile is not None:
            cabinet.limits.put(transaction.profile, self.situation)
        self._changed()
        invalid = conf["idTagInfo"]["status"] != "Accepted"
        if invalid and cabinet.configuration["StopTransactionOnInvalidId"] == "true":
            self.stop("DeAuthorized")

    def _post_stop(self, transaction: Transaction) -> None:
        if transaction.id is not None and transaction.stop is not None:
            payload = {"transactionId": transaction.id, **transaction.stop}
            self._cabinet.post(Notice("StopTransaction", payload, keep=True))

    # --- status, chapter 4.9

    @property
    def _told(self) -> str:
        """The status as this charge point puts it."""
        status = self.status
        if Quirk.FEW_STATES in self._cabinet.quirks:
            return _FEW.get(status, status)
        if Quirk.UNKNOWN_STATUS in self._cabinet.quirks:
            return _UNKNOWN.get(status, status)
        return status

    def _notification(self, status: str) -> dict[str, object]:
        return {
            "connectorId": self.number,
            "errorCode": self.error_code,
            "status": status,
            "timestamp": self._cabinet.timestamp(),
        }
