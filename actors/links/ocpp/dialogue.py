"""What is said with a charge point in one version of OCPP."""

from collections.abc import Callable, Mapping
from typing import Final, Protocol

from actors.links.ocpp.assets import Assets
from actors.links.ocpp.dialogue16 import Dialogue16
from actors.links.ocpp.dialogue201 import Dialogue201
from actors.links.ocpp.framing import Call
from actors.links.ocpp.manners import Manners
from actors.links.ocpp.session import Session
from actors.links.ocpp.versions import V16, V201, Version


class Dialogue(Protocol):
    """How a charge point's CALLs are answered, and what it is asked beside the attempts.

    It goes on from one socket to the next of the same version. The loop thread.
    """

    def opened(self, session: Session) -> None:
        """Begin on a new socket."""

    def closed(self) -> None:
        """Ask nothing more: the socket is gone."""

    def hear(self, session: Session, call: Call) -> None:
        """Answer a CALL whose payload has what it needs, and tell the assets what it says."""

    def look_again(self) -> None:
        """Ask how the connectors are after what may have changed that, if they do not say it."""


DIALOGUES: Final[Mapping[Version, Callable[[Assets, Manners], Dialogue]]] = {
    V16: Dialogue16,
    V201: Dialogue201,
}
