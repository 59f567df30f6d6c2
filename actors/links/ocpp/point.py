"""One charge point over all its sockets: who its assets are, what it says, what it is asked."""

import logging
from collections.abc import Callable
from typing import Final

from actors.links.ocpp.framing import Call
from actors.links.ocpp.manners import Manners
from actors.links.ocpp.session import Handlers, Reply, Request, Session, Socket
from actors.links.ocpp.transactions import Transactions
from actors.links.ocpp.upkeep import Upkeep
from engine.adapters.base import Connected, Disconnected, Observation, Seen, Unreadable
from engine.adapters.ocpp16_reports import status_of
from engine.errors import NotSent
from engine.types import US_PER_S, iso

logger = logging.getLogger("setpoint")

Report = Callable[[Observation], None]

_AT_MOST_EVERY_US: Final = US_PER_S
_TEXT: Final = 50


class ChargePoint:
    """What is known of one charge point beside its assets. The loop thread."""

    def __init__(self, identity: str, manners: Manners) -> None:
        """Begin without a socket."""
        self.identity = identity
        self.session: Session | None = None
        self._upkeep: Upkeep | None = None
        self._manners = manners
        self._reports: dict[int, Report] = {}
        self._generation = 0
        self._told_us: dict[type, int] = {}
        self._transactions = Transactions(manners, self._tell)

    # --- assets

    def join(self, connector: int, report: Report) -> None:
        """Take on the asset of a connector."""
        self._reports[connector] = report

    def leave(self, connector: int) -> None:
        """Let an asset go."""
        self._reports.pop(connector, None)

    def _tell(self, connector: int, observation: Observation) -> bool:
        """Tell the asset of a connector; return whether there is one."""
        report = self._reports.get(connector)
        if report is not None:
            report(observation)
        return report is not None

    def _tell_all(self, observation: Observation) -> None:
        for report in tuple(self._reports.values()):
            report(observation)

    def _tell_seldom(self, observation: Observation) -> None:
        """Tell all assets, once a second and kind at most: a flood stays on the loop."""
        now_us = self._manners.device_us()
        kind = type(observation)
        told_us = self._told_us.get(kind)
        if told_us is None or now_us - told_us >= _AT_MOST_EVERY_US:
            self._told_us[kind] = now_us
            self._tell_all(observation)

    # --- sockets: the newest wins, and cleans up only after itself

    def connected(self, socket: Socket) -> tuple[Session, Session | None]:
        """Begin a session on a new socket; return it and the one that it takes the place of."""
        before = self.session
        if before is not None:
            self._over(before)
        self._generation += 1
        handlers = Handlers(self._called, lambda raw: self._tell_seldom(Unreadable(raw)))
        session = Session(socket, self._generation, handlers)
        self.session = session
        quiet_s, connectors = self._manners.quiet_s, self._reports.keys()
        self._upkeep = Upkeep(session, quiet_s, connectors, self._tell_all)
        self._transactions.connected()
        self._tell_all(Connected())
        return session, before

    def ended(self, session: Session) -> None:
        """Clean up after a session; a newer one is not touched."""
        if self.session is session:
            self._over(session)
            self.session = None
            self._tell_all(Disconnected("the charge point's socket closed"))

    def _over(self, session: Session) -> None:
        session.end()
        if self._upkeep is not None:
            self._upkeep.end()
            self._upkeep = None
        if session.unsolicited:
            count = session.unsolicited
            logger.info("%s gave %d answers to nothing that was asked", self.identity, count)

    def heard(self, session: Session, data: bytes) -> None:
        """Take a frame of the present session."""
        if self.session is session:
            self._tell_seldom(Seen())
            session.heard(data)

    def pong(self, session: Session) -> None:
        """Take the socket's own sign of life."""
        if self.session is session:
            self._tell_seldom(Seen())

    # --- our CALLs

    async def call(self, request: Request) -> Reply:
        """Send one CALL on the present session; questions that nobody waits for give way to it.

        Raises:
            NotSent: there is no session, or no byte of it left.
            OutcomeUnknown: there is no answer.
        """
        session, upkeep = self.session, self._upkeep
        if session is None or upkeep is None:
            raise NotSent("the charge point is not connected")
        upkeep.begin_attempt()
        try:
            return await session.call(request)
        finally:
            upkeep.end_attempt()

    # --- its CALLs

    def _called(self, session: Session, call: Call) -> None:
        _HANDLERS[call.action](self, session, call)

    def _now(self) -> str:
        return iso(self._manners.wall_us())[:19] + "Z"

    def on_boot(self, session: Session, call: Call) -> None:
        """BootNotification [4.2]: accepted, with our time and heartbeat interval."""
        conf = {
            "status": "Accepted",
            "currentTime": self._now(),
            "interval": self._manners.heartbeat_s,
        }
        session.answer(call.id, conf)
        has_booted = self._upkeep is not None and self._upkeep.booted()
        if has_booted:
            self._transactions.forget()
        self._tell_all(Connected(booted=has_booted, detail=_described(call)))

    def on_heartbeat(self, session: Session, call: Call) -> None:
        """Heartbeat [4.6]: our time."""
        session.answer(call.id, {"currentTime": self._now()})

    def on_status(self, session: Session, call: Call) -> None:
        """StatusNotification [4.9]: connector 0 speaks for all."""
        session.answer(call.id, {})
        connector, reported = call.payload["connectorId"], status_of(call.payload)
        self._transactions.told_time(reported.reported_at)
        if connector == 0:
            self._tell_all(reported)
            return
        if self._upkeep is not None:
            self._upkeep.said(connector)
        self._tell(connector, reported)

    def on_authorize(self, session: Session, call: Call) -> None:
        """Authorize [4.1]."""
        session.answer(call.id, {"idTagInfo": self._manners.tag_info(call.payload["idTag"])})

    def on_start(self, session: Session, call: Call) -> None:
        """StartTransaction [4.8]: see `Transactions.started`."""
        self._transactions.started(session, call)

    def on_stop(self, session: Session, call: Call) -> None:
        """StopTransaction [4.10]: accepted always; one that nobody knows is told to all."""
        session.answer(call.id, {"idTagInfo": {"status": "Accepted"}})
        connectors, changed = self._transactions.stopped(call.payload)
        for connector in connectors:
            self._tell(connector, changed)
        if not connectors:
            self._tell_all(changed)

    def on_meter_values(self, session: Session, call: Call) -> None:
        """MeterValues [4.7]: see `Transactions.metered`."""
        session.answer(call.id, {})
        self._transactions.metered(call.payload)

    def on_data_transfer(self, session: Session, call: Call) -> None:
        """DataTransfer [4.3]: we know no vendor."""
        session.answer(call.id, {"status": "UnknownVendorId"})

    def on_notice(self, session: Session, call: Call) -> None:
        """Notifications on diagnostics, logs, firmware and security [4.4, 4.5; whitepaper]."""
        session.answer(call.id, {})

    def on_sign(self, session: Session, call: Call) -> None:
        """SignCertificate [whitepaper]: we sign nothing."""
        session.answer(call.id, {"status": "Rejected"})


_HANDLERS: Final[dict[str, Callable[[ChargePoint, Session, Call], None]]] = {
    "Authorize": ChargePoint.on_authorize,
    "BootNotification": ChargePoint.on_boot,
    "DataTransfer": ChargePoint.on_data_transfer,
    "DiagnosticsStatusNotification": ChargePoint.on_notice,
    "FirmwareStatusNotification": ChargePoint.on_notice,
    "Heartbeat": ChargePoint.on_heartbeat,
    "LogStatusNotification": ChargePoint.on_notice,
    "MeterValues": ChargePoint.on_meter_values,
    "SecurityEventNotification": ChargePoint.on_notice,
    "SignCertificate": ChargePoint.on_sign,
    "SignedFirmwareStatusNotification": ChargePoint.on_notice,
    "StartTransaction": ChargePoint.on_start,
    "StatusNotification": ChargePoint.on_status,
    "StopTransaction": ChargePoint.on_stop,
}


def _described(call: Call) -> dict[str, str]:
    named = (
        ("vendor", "chargePointVendor"),
        ("model", "chargePointModel"),
        ("firmware", "firmwareVersion"),
    )
    return {name: call.payload[key][:_TEXT] for name, key in named if key in call.payload}
