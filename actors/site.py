"""The site actor: what concerns no single asset goes on record here, one commit after the other."""

from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING

import attrs

from actors.actor import ActorPool, PoolActor
from actors.clock import Clocks
from actors.journal import Append, Committed, Journal, Refused
from engine import events
from engine.errors import EngineClosed
from engine.site import SiteState, evolve_site

if TYPE_CHECKING:
    from engine.types import Instant

STREAM = "site"

Done = Callable[[object], None]


@attrs.frozen
class Noted:
    """Events for the site's stream, stored together or not at all.

    ``done`` is called after the commit with the last of them, or with an error.
    """

    events: tuple[events.SiteEvent, ...]
    done: Done = attrs.field(eq=False, repr=False)


class SiteActor(PoolActor):
    """Keeps the stream ``site``: tell it what was `Noted`."""

    def __init__(self, pool: ActorPool, state: SiteState, journal: Journal, clocks: Clocks) -> None:
        """Begin with a state rebuilt from the stream."""
        super().__init__(pool)
        self.state = state
        self._journal = journal
        self._clocks = clocks
        self._waiting: deque[Noted] = deque()
        self._in_flight: tuple[Noted, Instant] | None = None

    def on_receive(self, told: object) -> None:
        """Append the events, or finish those that were committed. A pool thread."""
        match told:
            case Committed():
                self._committed()
            case Refused(reason=reason):
                self._refused(reason)
            case Noted():
                self._waiting.append(told)
                self._append_next()
            case _:
                raise TypeError(type(told).__name__)

    def _append_next(self) -> None:
        if self._in_flight is not None or not self._waiting:
            return
        noted = self._waiting.popleft()
        now = self._clocks.now()
        self._in_flight = (noted, now)
        append = Append(STREAM, self.state.version, noted.events, now, self.actor_ref.tell)
        self._journal.append(append)

    def _committed(self) -> None:
        if self._in_flight is None:
            return
        noted, now = self._in_flight
        self._in_flight = None
        for event in noted.events:
            self.state = evolve_site(self.state, event, now)
        noted.done(noted.events[-1])
        self._append_next()

    def _refused(self, reason: str) -> None:
        refused = [] if self._in_flight is None else [self._in_flight[0]]
        refused += self._waiting
        self._in_flight = None
        self._waiting.clear()
        for noted in refused:
            noted.done(EngineClosed(reason))
