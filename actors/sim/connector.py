"""One connector of a simulated charge point: its vehicle, its transaction, its status."""

from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import Any, Final

import attrs

from actors.sim.cabinet import Cabinet
from actors.sim.limits import Situation
from actors.sim.outbox import Notice
from actors.sim.profiles import ChargingProfile
from actors.sim.quirks import Quirk
from actors.sim.timetable import Arrival
from actors.sim.vehicle import PluggedVehicle, Vehicle
from engine.errors import UsageError

__all__ = ["Arrival", "Connector", "Transaction"]

_HAIR_W: Final = 1e-6
_FINE: Final = "NoError"
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


@attrs.frozen
class RemoteStart:
    """A remote start; without a vehicle it waits for one until ``expires_at`` [5.11]."""

    id_tag: str
    expires_at: datetime
    profile: ChargingProfile | None = None


class Connector:
    """A connector; ``changed`` is called after each change, to reckon limits and report status.

    ``limit_w`` is what it may give now, by its size and by all profiles. ``meter_wh`` never falls.
    ``operative`` is ChangeAvailability's, ``closing`` an Inoperative that waits for the
    transaction's end [5.2].
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
        self.transaction: Transaction | None = None
        self.remote_start: RemoteStart | None = None
        self._ended = False
        self._presented: PluggedVehicle | None = None
        self._said = "Available"
        self._heard: str | None = None
        self._cabinet = cabinet
        self._changed = changed

    # --- what can be read

    @property
    def transaction_id(self) -> int | None:
        """The id of the transaction that runs here."""
        return None if self.transaction is None else self.transaction.id

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
        """What the vehicle may take, in watts: nothing without a transaction."""
        gives = self.transaction_id is not None and self.operative and self.error_code == _FINE
        return self.limit_w if gives else 0.0

    @property
    def status(self) -> str:
        """The status of now [4.9], before any quirk has its way with it."""
        if self.error_code != _FINE:
            return "Faulted"
        if not self.operative:
            return "Unavailable"
        if self.plugged is None:
            return "Available" if self.remote_start is None else "Preparing"
        if self.transaction_id is None:
            return "Finishing" if self._ended else "Preparing"
        if self.offered_w < self.plugged.vehicle.min_w - _HAIR_W:
            return "SuspendedEVSE"
        return "SuspendedEV" if self.plugged.full else "Charging"

    @property
    def situation(self) -> Situation:
        """What its limit depends on now."""
        running = self.transaction if self.transaction_id is not None else None
        return Situation(
            connector=self.number,
            at=self._cabinet.now(),
            transaction_id=self.transaction_id,
            charge_start=None if running is None else running.started_at,
            phases=3 if self.plugged is None else self.plugged.vehicle.phases,
        )

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
        """Plug in a vehicle; a remote start that waits begins, or else the vehicle's own tag does.

        Raises:
            UsageError: another vehicle is plugged in.
        """
        if self.plugged is not None:
            raise UsageError(f"connector {self.number} has a vehicle already")
        self.plugged = PluggedVehicle(vehicle)
        self._ended = False
        self._changed()
        if self.remote_start is not None:
            self.begin(self.remote_start)
        else:
            self.present()

    def detach(self) -> None:
        """Take the vehicle away; a transaction ends with it."""
        if self.plugged is not None:
            self.stop("EVDisconnected")
            self.plugged = None
            self._ended = False
            self._changed()

    def advance(self, dt_s: float) -> None:
        """Let ``dt_s`` seconds of simulated time pass."""
        if self.remote_start is not None and self._cabinet.now() >= self.remote_start.expires_at:
            self.remote_start = None
        if self.plugged is not None:
            self.meter_wh += self.plugged.advance(dt_s, self.offered_w)

    # --- transactions, chapters 3.6, 4.1, 4.8 and 4.10

    def present(self) -> None:
        """Show the vehicle's own tag, if the charge point starts by itself and nothing runs."""
        plugged = self.plugged
        free = self.transaction is None and self.operative and self._presented is not plugged
        if plugged is None or not free or not self._cabinet.starts_itself:
            return
        self._presented = plugged
        tag = plugged.vehicle.id_tag

        def authorized(conf: Mapping[str, Any]) -> None:
            self._presented = None
            waits = self.plugged is plugged and self.transaction is None
            if waits and conf["idTagInfo"]["status"] == "Accepted":
                self.begin(RemoteStart(tag, self._cabinet.now()))

        self._cabinet.post(Notice("Authorize", {"idTag": tag}, keep=True, then=authorized))

    def start_remotely(self, id_tag: str, profile: ChargingProfile | None = None) -> None:
        """Begin a transaction, or wait for a vehicle first."""
        wait_s = self._cabinet.configuration.number("ConnectionTimeOut")
        expires_at = self._cabinet.now() + timedelta(seconds=wait_s)
        self.remote_start = RemoteStart(id_tag, expires_at, profile)
        if self.plugged is not None:
            self.begin(self.remote_start)
        self._changed()

    def begin(self, start: RemoteStart) -> None:
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

        payload: dict[str, object] = {
            "connectorId": self.number,
            "errorCode": self.error_code,
            "status": status,
            "timestamp": self._cabinet.timestamp(),
        }
        self._cabinet.post(Notice("StatusNotification", payload, then=heard))
