"""One charge point over all its sockets: who its assets are, what it says, what it is asked."""

import asyncio
import logging
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import Any, Final

import attrs

from actors.links.ocpp.framing import Call
from actors.links.ocpp.session import Handlers, Reply, Session, Socket
from engine.adapters.base import (
    CapabilitiesLearned,
    Connected,
    Disconnected,
    Observation,
    Seen,
    TransactionChanged,
)
from engine.adapters.ocpp16_reports import measured, moment, status_of
from engine.errors import NotSent, OutcomeUnknown
from engine.types import US_PER_S, iso

logger = logging.getLogger("setpoint")

Report = Callable[[Observation], None]

_SEEN_EVERY_US: Final = US_PER_S
_OFFLINE: Final = timedelta(seconds=60)
_HOUSEKEEPING_S: Final = 10.0
_KEYS: Final = (
    "ChargingScheduleAllowedChargingRateUnit",
    "ChargeProfileMaxStackLevel",
    "ChargingScheduleMaxPeriods",
    "ConnectorSwitch3to1PhaseSupported",
    "NumberOfConnectors",
    "SupportedFeatureProfiles",
    "MaxChargingProfilesInstalled",
)


@attrs.frozen
class Manners:
    """How the central system treats charge points; the clocks are device and wall clock, in µs."""

    device_us: Callable[[], int]
    wall_us: Callable[[], int]
    heartbeat_s: int = 30
    id_tags: tuple[str, ...] | None = None
    own_tag: str = "SETPOINT"
    trigger_after_s: float = 3.0


class ChargePoint:
    """What is known of one charge point beside its assets. The loop thread."""

    def __init__(self, identity: str, manners: Manners) -> None:
        """Begin without a socket."""
        self.identity = identity
        self.session: Session | None = None
        self._manners = manners
        self._reports: dict[int, Report] = {}
        self._generation = 0
        self._seen_us = 0
        self._booted = False
        self._transactions: dict[int, str] = {}
        self._counter = 0
        self._loop: asyncio.AbstractEventLoop | None = None
        self._chores: set[asyncio.Task[None]] = set()
        self._urgent = 0
        self._quiet = asyncio.Event()
        self._quiet.set()

    # --- assets

    def join(self, connector: int, report: Report) -> None:
        """Take on the asset of a connector."""
        self._reports[connector] = report

    def leave(self, connector: int) -> None:
        """Let an asset go."""
        self._reports.pop(connector, None)

    def _tell_all(self, observation: Observation) -> None:
        for report in tuple(self._reports.values()):
            report(observation)

    def _tell(self, connector: object, observation: Observation) -> None:
        if connector == 0:
            self._tell_all(observation)
        report = self._reports.get(connector) if isinstance(connector, int) else None
        if report is not None:
            report(observation)

    # --- sockets: the newest wins, and cleans up only after itself

    def connected(self, socket: Socket) -> tuple[Session, Session | None]:
        """Begin a session on a new socket; return it and the one that it takes the place of."""
        before = self.session
        self._generation += 1
        self._loop = asyncio.get_running_loop()
        session = Session(socket, self._generation, Handlers(self._called, self._tell_all))
        self.session = session
        self._booted = False
        self._chore(self._ask_around(session))
        return session, before

    def welcome(self) -> None:
        """Tell the assets that the charge point is there."""
        self._tell_all(Connected())

    def ended(self, session: Session) -> None:
        """Clean up after a session; a newer one is not touched."""
        session.end()
        if self.session is session:
            self.session = None
            self._tell_all(Disconnected("the charge point's socket closed"))

    def heard(self, session: Session, text: str | bytes) -> None:
        """Take a frame of the present session."""
        if self.session is not session:
            return
        now_us = self._manners.device_us()
        if now_us - self._seen_us >= _SEEN_EVERY_US:
            self._seen_us = now_us
            self._tell_all(Seen())
        session.heard(text)

    def pong(self) -> None:
        """The socket's own sign of life."""
        self._tell_all(Seen())

    # --- our CALLs

    async def call(
        self,
        own_id: str,
        request: tuple[str, dict[str, object]],
        timeout_s: float,
        may_leave: Callable[[], None],
    ) -> Reply:
        """Send one CALL on the present session; chores give way to it.

        Raises:
            NotSent: there is no session, or no byte of it left.
            OutcomeUnknown: there is no answer.
        """
        session = self.session
        if session is None:
            raise NotSent("the charge point is not connected")
        self._urgent += 1
        self._quiet.clear()
        try:
            return await session.call(own_id, request, timeout_s, may_leave)
        finally:
            self._urgent -= 1
            if not self._urgent:
                self._quiet.set()

    # --- chores: what nobody waits for

    def _chore(self, work: Any) -> None:  # noqa: ANN401 - a coroutine
        task = asyncio.ensure_future(work)
        self._chores.add(task)
        task.add_done_callback(self._chores.discard)

    async def _ask_around(self, session: Session) -> None:
        """A charge point that says nothing of itself after connecting is asked."""
        await asyncio.sleep(self._manners.trigger_after_s)
        if not self._booted:
            for connector in sorted(self._reports):
                body: dict[str, object] = {
                    "requestedMessage": "StatusNotification",
                    "connectorId": connector,
                }
                await self._ask(session, "TriggerMessage", body)
        reply = await self._ask(session, "GetConfiguration", {"key": list(_KEYS)})
        if reply is not None and isinstance(reply.payload, Mapping):
            learned = _configuration(reply.payload)
            if learned:
                self._tell_all(CapabilitiesLearned(learned))

    async def _ask(self, session: Session, action: str, body: dict[str, object]) -> Reply | None:
        await self._quiet.wait()
        self._counter += 1
        own_id = f"chore-{session.generation}-{self._counter}"
        try:
            return await session.call(own_id, (action, body), _HOUSEKEEPING_S, lambda: None)
        except (NotSent, OutcomeUnknown) as error:
            logger.debug("%s was not asked %s: %s", self.identity, action, error)
            return None

    # --- its CALLs

    def _called(self, session: Session, call: Call) -> None:
        handler = _HANDLERS.get(call.action)
        if handler is None:
            session.answer_error(call.id, "NotSupported", call.action)
            return
        handler(self, session, call)

    def _now(self) -> str:
        return iso(self._manners.wall_us())[:19] + "Z"

    def on_boot(self, session: Session, call: Call) -> None:
        """BootNotification [4.2]: accepted, with our time and its heartbeat interval."""
        self._booted = True
        conf = {
            "status": "Accepted",
            "currentTime": self._now(),
            "interval": self._manners.heartbeat_s,
        }
        session.answer(call.id, conf)
        detail = {
            name: str(call.payload[key])[:50]
            for name, key in (
                ("vendor", "chargePointVendor"),
                ("model", "chargePointModel"),
                ("firmware", "firmwareVersion"),
            )
            if key in call.payload
        }
        self._transactions.clear()
        self._tell_all(Connected(booted=True, detail=detail))

    def on_heartbeat(self, session: Session, call: Call) -> None:
        """Heartbeat [4.6]."""
        session.answer(call.id, {"currentTime": self._now()})

    def on_status(self, session: Session, call: Call) -> None:
        """StatusNotification [4.9]."""
        session.answer(call.id, {})
        self._tell(call.payload.get("connectorId"), status_of(call.payload))

    def on_authorize(self, session: Session, call: Call) -> None:
        """Authorize [4.1]."""
        session.answer(call.id, {"idTagInfo": self._tag_info(call.payload.get("idTag"))})

    def _tag_info(self, tag: object) -> dict[str, object]:
        known = self._manners.id_tags
        fine = known is None or tag in known or tag == self._manners.own_tag
        return {"status": "Accepted" if fine else "Invalid"}

    def on_start(self, session: Session, call: Call) -> None:
        """StartTransaction [4.8]: answered once the transaction's id is committed."""
        payload = call.payload
        connector = payload.get("connectorId")
        info = self._tag_info(payload.get("idTag"))
        began = moment(payload.get("timestamp"))
        loop = self._loop

        def conf(transaction_id: str) -> None:
            self._transactions[_whole(connector)] = transaction_id
            session.answer(call.id, {"transactionId": int(transaction_id), "idTagInfo": info})

        def reply(transaction_id: str) -> None:
            if loop is not None and not loop.is_closed():
                loop.call_soon_threadsafe(conf, transaction_id)

        key = "|".join(
            str(payload.get(name)) for name in ("connectorId", "idTag", "timestamp", "meterStart")
        )
        changed = TransactionChanged(
            "started",
            None,
            key,
            str(payload.get("idTag")),
            _whole(payload.get("meterStart")),
            began,
            offline=self._is_old(began),
            reply=reply,
        )
        if connector in self._reports:
            self._tell(connector, changed)
        else:
            # A connector that is no asset of ours may charge all the same; its id is not kept.
            conf(str(self._manners.device_us() // US_PER_S % 2**31 or 1))

    def _is_old(self, began: datetime | None) -> bool:
        if began is None:
            return False
        now_us = self._manners.wall_us()
        age_us = now_us - int(began.timestamp() * US_PER_S)
        return age_us > _OFFLINE.total_seconds() * US_PER_S

    def on_stop(self, session: Session, call: Call) -> None:
        """StopTransaction [4.10]: always accepted."""
        payload = call.payload
        session.answer(call.id, {"idTagInfo": {"status": "Accepted"}})
        transaction_id = str(payload.get("transactionId"))
        changed = TransactionChanged(
            "ended",
            transaction_id,
            meter_wh=_whole(payload.get("meterStop")),
            changed_at=moment(payload.get("timestamp")),
            reason=str(payload.get("reason", "Local")),
        )
        connectors = [one for one, known in self._transactions.items() if known == transaction_id]
        for connector in connectors:
            del self._transactions[connector]
            self._tell(connector, changed)
        if not connectors:
            self._tell_all(changed)

    def on_meter_values(self, session: Session, call: Call) -> None:
        """MeterValues [4.7]; a transaction that nobody knew of is adopted."""
        session.answer(call.id, {})
        connector = call.payload.get("connectorId")
        found = measured(call.payload)
        if found is not None:
            self._tell(connector, found)
        transaction = call.payload.get("transactionId")
        number = _whole(connector)
        if not isinstance(transaction, int) or transaction <= 0 or not number:
            return
        if self._transactions.get(number) != str(transaction):
            self._transactions[number] = str(transaction)
            self._tell(connector, TransactionChanged("found", str(transaction)))

    def on_data_transfer(self, session: Session, call: Call) -> None:
        """DataTransfer [4.3]: we know no vendor."""
        session.answer(call.id, {"status": "UnknownVendorId"})

    def on_notice(self, session: Session, call: Call) -> None:
        """Diagnostics and firmware notifications [4.4, 4.5]."""
        session.answer(call.id, {})

    async def close(self) -> None:
        """End the session and all chores."""
        for chore in tuple(self._chores):
            chore.cancel()
        if self.session is not None:
            await self.session.socket.close(1001, "the central system stops")


_HANDLERS: Final[dict[str, Callable[[ChargePoint, Session, Call], None]]] = {
    "BootNotification": ChargePoint.on_boot,
    "Heartbeat": ChargePoint.on_heartbeat,
    "StatusNotification": ChargePoint.on_status,
    "Authorize": ChargePoint.on_authorize,
    "StartTransaction": ChargePoint.on_start,
    "StopTransaction": ChargePoint.on_stop,
    "MeterValues": ChargePoint.on_meter_values,
    "DataTransfer": ChargePoint.on_data_transfer,
    "DiagnosticsStatusNotification": ChargePoint.on_notice,
    "FirmwareStatusNotification": ChargePoint.on_notice,
}


def _whole(value: object) -> int:
    return value if isinstance(value, int) else 0


def _configuration(payload: Mapping[str, Any]) -> dict[str, str]:
    learned: dict[str, str] = {}
    keys = payload.get("configurationKey")
    for entry in keys if isinstance(keys, list) else ():
        if isinstance(entry, Mapping) and isinstance(entry.get("key"), str):
            value = entry.get("value")
            if isinstance(value, str):
                learned[str(entry["key"])] = value[:500]
    return learned
