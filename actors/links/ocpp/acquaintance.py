"""What each version of OCPP has in common about a charge point that comes and comes back."""

from collections.abc import Callable, Mapping
from datetime import datetime

from actors.links.ocpp.assets import Assets
from actors.links.ocpp.framing import Call
from actors.links.ocpp.freshness import Freshness
from actors.links.ocpp.manners import Manners
from actors.links.ocpp.questions import Questions
from actors.links.ocpp.session import Session
from actors.links.ocpp.upkeep import Upkeep
from engine.adapters.base import Connected


class Acquaintance:
    """What is known of a charge point from one socket to the next, and asked on each.

    The loop thread.
    """

    def __init__(
        self, assets: Assets, manners: Manners, questions: Callable[[], Questions]
    ) -> None:
        """Begin without a socket; ``questions`` makes what is asked on one."""
        self._assets = assets
        self._manners = manners
        self._questions = questions
        self._freshness = Freshness(manners, assets)
        self._upkeep: Upkeep | None = None

    def opened(self, session: Session) -> None:
        """Ask for what it does not say by itself."""
        self._upkeep = Upkeep(session, self._questions(), self._assets, self._manners.quiet_s)
        self._freshness.connected()

    def closed(self) -> None:
        """Ask nothing more."""
        if self._upkeep is not None:
            self._upkeep.end()
            self._upkeep = None

    def look_again(self) -> None:
        """Ask how the connectors are, if they do not say it."""
        if self._upkeep is not None:
            self._upkeep.look_again()

    def on_heartbeat(self, session: Session, call: Call) -> None:
        """Heartbeat [1.6: 4.6; 2.0.1: G02]: our time."""
        session.answer(call.id, {"currentTime": self._manners.now()})

    def _boot(
        self,
        session: Session,
        call: Call,
        detail: Mapping[str, str],
        *,
        asked_for: bool | None = None,
    ) -> bool:
        """Accept a BootNotification [1.6: 4.2; 2.0.1: B01]; return whether it is of a boot.

        ``asked_for`` is what the charge point says of that, null where it does not.
        """
        conf = {
            "status": "Accepted",
            "currentTime": self._manners.now(),
            "interval": self._manners.heartbeat_s,
        }
        session.answer(call.id, conf)
        has_booted = self._upkeep is not None and self._upkeep.booted(asked_for=asked_for)
        if has_booted:
            self._freshness.booted()
        self._assets.tell_all(Connected(booted=has_booted, detail=detail))
        return has_booted

    def _hear_time(self, at: datetime | None) -> None:
        """Hear a time that the charge point tells."""
        self._freshness.hear(at)
        if self._freshness.is_doubtful and self._upkeep is not None:
            self._upkeep.doubt_clock()

    def _said(self, connector: int) -> None:
        """Note that a connector tells its status."""
        if self._upkeep is not None:
            self._upkeep.said(connector)
