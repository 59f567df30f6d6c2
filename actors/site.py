"""The site actor: what concerns no single asset goes on record here, one commit after the other."""

import logging
from collections.abc import Callable
from typing import TYPE_CHECKING, cast

import attrs

from actors.actor import ActorPool
from actors.appends import Append, Committed, Refused
from actors.grants import Claimed, Grants, Look, Settle
from actors.journalled import JournalledActor, Life, Lost, Readable, Supervised, failure
from actors.supervisor import Verdict
from engine import events
from engine.errors import EngineClosed, StoreError
from engine.site import SiteState, evolve_site
from engine.site.load import Loads

if TYPE_CHECKING:
    from engine.types import Instant

logger = logging.getLogger("setpoint")

STREAM = "site"

Done = Callable[[object], None]


@attrs.frozen
class Noted:
    """Events for the site's stream, stored together or not at all.

    ``done`` is called after the commit with the last of them, or with an error.
    """

    events: tuple[events.SiteEvent, ...]
    done: Done = attrs.field(eq=False, repr=False)


class SiteLife(Life):
    """What the handlers of the site actor change; ``in_flight`` is being committed."""

    __slots__ = ("in_flight", "state")

    def __init__(self, state: SiteState) -> None:
        """Begin with a committed state."""
        super().__init__()
        self.state = state
        self.in_flight: tuple[Noted, Instant] | None = None

    def read(self, state: SiteState) -> None:
        """Go on from a state that was read again."""
        self.state = state

    @property
    def version_after(self) -> int:
        """The stream's version once what is in flight is committed."""
        return self.state.version + (len(self.in_flight[0].events) if self.in_flight else 0)


class SiteActor(JournalledActor):
    """Keeps the stream ``site``: tell it what was `Noted`; and the site's limits, if it has any."""

    def __init__(
        self,
        pool: ActorPool,
        state: SiteState,
        supervised: Supervised,
        rebuild: Callable[[], SiteState],
        grants: Grants | None = None,
    ) -> None:
        """Begin with a state rebuilt from the stream; ``rebuild`` reads it again."""
        super().__init__(pool, STREAM, supervised)
        self._grants = grants
        self._life = SiteLife(state)
        self._rebuild = rebuild
        self._over: str | None = None

    @property
    def state(self) -> SiteState:
        """The site as committed."""
        return self._life.state

    def on_receive(self, told: object) -> None:
        """Append the events, or finish those that were committed. A pool thread."""
        life = self._life
        match told:
            case Committed():
                self._committed(life)
            case Refused():
                self._refused(life, told)
            case Noted():
                life.stash.append(told)
                self._append_next(life)
            case Readable():
                self._begin_again(life, told)
            case Claimed() | Settle() | Look() | Loads() if self._grants is not None:
                self._grant(life, self._grants, told)
            case _:
                raise TypeError(type(told).__name__)

    def _grant(self, life: SiteLife, grants: Grants, told: Claimed | Settle | Look | Loads) -> None:
        """Take a claim, or settle all that came since: those of one instant together."""
        if isinstance(told, Claimed):
            if grants.claimed(told):
                self.actor_ref.tell(Settle())
            return
        if isinstance(told, Loads):
            grants.planned(told)
        self._carry(grants)
        grants.settle()
        if life.in_flight is None and not life.stash and not life.lost:
            found = grants.look(life.state, self._supervision.clocks.now())
            if found:
                life.stash.append(Noted(found, _not_told))
                self._append_next(life)

    def _carry(self, grants: Grants) -> None:
        """Let the base load of now count, and be woken when it changes."""
        next_us = grants.carry(self._supervision.clocks.now())
        self._supervision.wakeups.at("base load", self._look, plan_us=next_us)

    def _look(self) -> None:
        """Look again. The timer's thread."""
        self.actor_ref.tell(Look())

    def _append_next(self, life: SiteLife) -> None:
        if life.in_flight is not None or life.lost or not life.stash:
            return
        noted = cast("Noted", life.stash.pop(0))
        if self._over is not None:
            _tell(noted, EngineClosed(self._over))
            return
        now = self._supervision.clocks.now()
        life.in_flight = (noted, now)
        append = Append(
            STREAM, life.state.version, noted.events, now, self.actor_ref.tell, writer=life
        )
        self._supervision.journal.append(append)

    def _committed(self, life: SiteLife) -> None:
        if life.in_flight is None:
            return
        noted, now = life.in_flight
        state = life.state
        for event in noted.events:
            state = evolve_site(state, event, now)
        life.state, life.in_flight = state, None
        _tell(noted, noted.events[-1])
        self._append_next(life)

    def _refused(self, life: SiteLife, refused: Refused) -> None:
        if not refused.for_good:
            raise StoreError(refused.reason)
        self._over = refused.reason
        waiting = [] if life.in_flight is None else [life.in_flight[0]]
        waiting += [cast("Noted", one) for one in life.stash]
        life.in_flight = None
        life.stash.clear()
        for noted in waiting:
            _tell(noted, EngineClosed(refused.reason))

    # --- supervision

    def _culprit(self, told: object) -> object:
        in_flight = self._life.in_flight
        if in_flight is not None:
            return in_flight[0]
        return told if isinstance(told, Noted | Claimed | Settle | Look | Loads) else None

    def _begin_life(self, lost: Lost) -> tuple[Life, Life]:
        before = self._life
        life = SiteLife(before.state)
        draft = None if before.in_flight is None else before.version_after
        life.follow(before, attrs.evolve(lost, draft=draft))
        if draft is None and lost.told in life.stash:
            life.stash.remove(lost.told)
        self._life = life
        return before, life

    def _begin_again(self, life: SiteLife, readable: Readable) -> None:
        """Read the state, and go on where the lives before had stopped. A pool thread."""
        if not self.read_anew(life, readable, lambda: life.read(self._rebuild())):
            return
        lost, life.lost = life.lost, ()
        for one in reversed(lost):
            self._take_up(life, one)
        self._append_next(life)

    def _take_up(self, life: SiteLife, lost: Lost) -> None:
        """Answer for what was in flight, or try it again, after its crash went on record."""
        noted = lost.told
        if isinstance(noted, Noted):
            if isinstance(lost.draft, int) and life.state.version >= lost.draft:
                _tell(noted, noted.events[-1])
            elif lost.again:
                life.stash.insert(0, noted)
            else:
                _tell(noted, failure(lost))
        elif isinstance(noted, Claimed | Settle | Look | Loads):
            self.again(noted if lost.again else Settle())
        if self.is_worth_recording(lost):
            life.stash.insert(0, Noted((crashed(STREAM, lost),), _not_told))


def crashed(actor: str, lost: Lost) -> events.SiteActorCrashed:
    """Return the event of a crash of the site's own actors."""
    return events.SiteActorCrashed(
        actor,
        lost.name,
        lost.error,
        set_aside=lost.told is not None and not lost.again,
        gave_up=lost.verdict is Verdict.GIVE_UP,
    )


def _tell(noted: Noted, what: object) -> None:
    """Answer; who cannot be answered does not stop the others."""
    try:
        noted.done(what)
    except Exception:
        logger.exception("who wanted something on record could not be told")


def _not_told(_: object) -> None:
    """Nobody waits for it."""
