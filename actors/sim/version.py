"""What differs between the versions of OCPP that a simulated charge point speaks."""

from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

import attrs

from actors.sim.configuration import Keys
from actors.sim.reply import Reply
from actors.sim.station import Station

Answering: TypeAlias = Callable[[Any, Mapping[str, Any]], Reply]
"""Takes the station, which is one of the version, and the payload of a CALL."""


@attrs.frozen
class Version:
    """A version of OCPP; ``control`` are the actions that change what a charge point does.

    ``station`` makes a charge point, ``answers`` has what it does by a CALL's action, ``keys`` what
    can be configured.
    """

    name: str
    station: Callable[..., Station]
    keys: Keys
    control: frozenset[str]
    answers: Mapping[str, Answering]

    @property
    def protocol(self) -> str:
        """The websocket's subprotocol."""
        return f"ocpp{self.name}"
