"""One charge point over all its sockets: which of them counts, and in which version it speaks."""

import logging
from typing import Final

from actors.links.ocpp.assets import Assets, Report
from actors.links.ocpp.dialogue import DIALOGUES, Dialogue
from actors.links.ocpp.framing import Call
from actors.links.ocpp.manners import Manners
from actors.links.ocpp.session import Handlers, Reply, Request, Session, Socket
from actors.links.ocpp.versions import Version
from actors.links.turns import AtOnce, Turns
from engine.adapters.base import CapabilitiesLearned, Connected, Disconnected, Seen, Unreadable
from engine.errors import NotSent

logger = logging.getLogger("setpoint")

_CHANGES_STATUS: Final = "ChangeAvailability"


class ChargePoint:
    """What is known of one charge point beside its assets. The loop thread."""

    def __init__(self, identity: str, manners: Manners) -> None:
        """Begin without a socket."""
        self.identity = identity
        self.session: Session | None = None
        self.turns: Turns = AtOnce()
        self._is_reticent = False
        self._manners = manners
        self._assets = Assets(manners.device_us)
        self._generation = 0
        self._dialogues: dict[Version, Dialogue] = {}

    # --- assets

    def join(self, connector: int, report: Report) -> None:
        """Take on the asset of a connector, or of an EVSE."""
        self._assets.join(connector, report)

    def leave(self, connector: int) -> None:
        """Let an asset go."""
        self._assets.leave(connector)

    # --- sockets: the newest wins, and cleans up only after itself

    def connected(self, socket: Socket, version: Version) -> tuple[Session, Session | None]:
        """Begin a session on a new socket; return it and the one that it takes the place of."""
        before = self.session
        if before is not None:
            self._over(before)
        self._generation += 1
        unreadable = self._assets.tell_seldom
        handlers = Handlers(self._called, lambda raw: unreadable(Unreadable(raw)))
        session = Session(socket, version, self._generation, handlers, self.turns)
        session.is_reticent = self._is_reticent
        self.session = session
        if version not in self._dialogues:
            self._dialogues[version] = DIALOGUES[version](self._assets, self._manners)
        self._dialogue(session).opened(session)
        self._assets.tell_all(CapabilitiesLearned({"protocol": version.protocol}))
        self._assets.tell_all(Connected())
        return session, before

    def ended(self, session: Session) -> None:
        """Clean up after a session; a newer one is not touched."""
        if self.session is session:
            self._over(session)
            self.session = None
            self._assets.tell_all(Disconnected("the charge point's socket closed"))

    def _over(self, session: Session) -> None:
        session.end()
        self._is_reticent = session.is_reticent
        self._dialogue(session).closed()
        if session.unsolicited:
            count = session.unsolicited
            logger.info("%s gave %d answers to nothing that was asked", self.identity, count)

    def heard(self, session: Session, data: bytes) -> None:
        """Take a frame of the present session."""
        if self.session is session:
            self._assets.tell_seldom(Seen())
            session.heard(data)

    def pong(self, session: Session) -> None:
        """Take the socket's own sign of life."""
        if self.session is session:
            self._assets.tell_seldom(Seen())

    # --- our CALLs, and its own

    async def call(self, request: Request) -> Reply:
        """Send one CALL on the present session.

        Raises:
            NotSent: there is no session, or no byte of it left.
            OutcomeUnknown: there is no answer.
        """
        session = self.session
        if session is None:
            raise NotSent("the charge point is not connected")
        reply = await session.call(request)
        if request.action == _CHANGES_STATUS and self.session is session:
            self._dialogue(session).look_again()
        return reply

    def hasten(self) -> None:
        """Wait only briefly for the answer to a question: an attempt waits behind it."""
        if self.session is not None:
            self.session.hasten()

    def _called(self, session: Session, call: Call) -> None:
        self._dialogue(session).hear(session, call)

    def _dialogue(self, session: Session) -> Dialogue:
        return self._dialogues[session.version]
