"""The parts of a simulated charge point that its life and its conversations share."""

import asyncio
import random
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import attrs

from actors.sim.outbox import Outbox
from actors.sim.quirks import Quirks
from actors.sim.setup import ChargerSetup
from actors.sim.station import Station
from actors.sim.version import Version
from actors.sim.wirelog import Direction, WireLog


@attrs.define(eq=False)
class Parts:
    """``booted`` is set from an accepted BootNotification to the next restart.

    ``struck`` returns the quirks that it has for one message, by the message's action.
    ``accepted`` is called with the answer to a BootNotification, ``look`` whenever something may
    have changed.
    """

    setup: ChargerSetup
    version: Version
    log: WireLog
    quirks: Quirks
    outbox: Outbox
    station: Station
    random: random.Random
    booted: asyncio.Event
    accepted: Callable[[Mapping[str, Any]], None]
    look: Callable[[], None]
    struck: Callable[[str], Iterable[str]]

    def write(
        self, direction: Direction, message_id: str | None, action: str | None, payload: object
    ) -> None:
        """Add a frame to the wire log."""
        self.log.write(
            self.setup.identity,
            self.version.protocol,
            direction,
            message_id=message_id,
            action=action,
            payload=payload,
        )
