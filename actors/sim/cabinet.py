"""What the connectors of one simulated charge point have in common."""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Final

import attrs

from actors.sim.configuration import Configuration
from actors.sim.limits import Limits
from actors.sim.outbox import Notice, Outbox
from actors.sim.quirks import Quirk, Quirks

_AT_ONCE: Final = 6
_BEHIND: Final = timedelta(seconds=50)


@attrs.define(eq=False)
class Cabinet:
    """The shared parts of a charge point; the ``outbox`` has what it has to say.

    ``clock`` is real time. ``is_online`` tells whether what it says can go out just now.
    ``starts_itself``: a vehicle that is plugged in charges by its own tag. ``max_w`` is what each
    connector can give.
    """

    identity: str
    clock: Callable[[], datetime]
    outbox: Outbox
    is_online: Callable[[], bool]
    quirks: Quirks
    configuration: Configuration
    max_w: float = 22_000.0
    starts_itself: bool = True
    limits: Limits = attrs.field(factory=Limits)
    _metered: list[Notice] = attrs.field(factory=list)

    def post(self, notice: Notice) -> None:
        """Have something said."""
        if Quirk.QUEUED_METER in self.quirks and notice.action == "MeterValues":
            self._metered.append(notice)
            if len(self._metered) < _AT_ONCE:
                return
            *before, notice = self._metered
            self._metered = []
            for one in before:
                self.outbox.post(one)
        self.outbox.post(notice)

    def now(self) -> datetime:
        """Return the charge point's own time, aware."""
        return self.clock() - (_BEHIND if Quirk.CLOCK_BEHIND in self.quirks else timedelta(0))

    def timestamp(self) -> str:
        """Return its own time as messages carry it [3.5]."""
        return self.now().strftime("%Y-%m-%dT%H:%M:%S.%fZ")
