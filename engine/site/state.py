"""What is known of the site as a whole, folded from the stream ``site``."""

from typing import assert_never

from msgspec import Struct
from msgspec.structs import replace

from engine import events
from engine.types import Instant


class SiteState(Struct, frozen=True, gc=False):
    """The site up to ``version`` of its stream. Times are device clock unless they say plan.

    ``clock`` is where the plan clock stands, then the recorded mapping from wall to plan time; null
    where it runs as wall time does. ``lost_us`` is since when the store cannot be written.
    ``exceeded`` has the limits that are, each as its direction and kind.
    """

    version: int = 0
    epoch: int = 0
    configured: events.SiteConfigured | None = None
    clock: events.ClockSet | events.ClockStarted | None = None
    running: bool = False
    lost_us: int | None = None
    notices: int = 0
    crashes: int = 0
    exceeded: tuple[str, ...] = ()


def evolve_site(state: SiteState, event: events.SiteEvent, at: Instant) -> SiteState:  # noqa: C901, PLR0911 - one case per event
    """Return the state after an event of the site's stream."""
    del at
    state = replace(state, version=state.version + 1)
    match event:
        case events.EngineStarted(epoch=epoch):
            return replace(state, epoch=epoch, running=True, exceeded=())
        case events.SiteConfigured():
            return replace(state, configured=event)
        case events.ClockSet() | events.ClockStarted():
            return replace(state, clock=event)
        case events.EngineStopped():
            return replace(state, running=False)
        case events.StoreLost(lost_us=lost_us):
            return replace(state, lost_us=lost_us)
        case events.StoreBack():
            return replace(state, lost_us=None)
        case events.SiteActorCrashed():
            return replace(state, crashes=state.crashes + 1)
        case events.LimitExceeded(direction=direction, kind=kind):
            return replace(state, exceeded=(*state.exceeded, f"{direction}:{kind}"))
        case events.LimitKept(direction=direction, kind=kind):
            name = f"{direction}:{kind}"
            return replace(state, exceeded=tuple(one for one in state.exceeded if one != name))
        case events.SecurityNoticed(count=count):
            return replace(state, notices=state.notices + count)
        case _:
            assert_never(event)
