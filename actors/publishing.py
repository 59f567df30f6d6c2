"""From committed records to the bus: what subscribers hear, in log order."""

import logging
from collections.abc import Iterable, Sequence

from actors.bus import BusThread
from engine.bus import Event, EventType
from engine.codec import Record
from engine.notices import Notices

logger = logging.getLogger("setpoint")


class Publisher:
    """Hands each committed batch to the bus thread, to be expanded there if anybody listens."""

    def __init__(self, bus: BusThread) -> None:
        """Publish on this bus."""
        self._bus = bus
        self._notices = Notices()

    def committed(self, records: Sequence[Record]) -> None:
        """Take a committed batch. The journal's thread."""
        if not records:
            return
        first, last = records[0].position or 0, records[-1].position or 0
        self._bus.publish(first, last, lambda: self._expand(records))

    def _expand(self, records: Sequence[Record]) -> Iterable[Event]:
        wanted = self._bus.wants(EventType.COMMAND_CREATED)
        for record in records:
            yield from self._notices.of(record, expand=wanted)
