"""The site's own state, folded from its stream."""

from engine import events
from engine.site import SiteState, evolve_site
from engine.types import Instant

AT = Instant(1, 2)


def test_the_sites_state_is_the_fold_of_its_stream() -> None:
    """Which engine, which clock, which assets, and how the store is."""
    standing = events.ClockSet(6, 900.0)
    clock = events.ClockStarted(5, 6, 900.0)
    configured = events.SiteConfigured("sit_a", "UTC", ())
    state = SiteState()
    for event in (
        events.EngineStarted(4, "i", "0.1"),
        standing,
        configured,
        clock,
        events.SecurityNoticed("wrong password", "CP-1", 3),
        events.SiteActorCrashed("dispatcher", "Submitted", "KeyError"),
        events.StoreLost(7, "full"),
    ):
        state = evolve_site(state, event, AT)
    assert state == SiteState(
        7, 4, configured, clock, running=True, lost_us=7, notices=3, crashes=1
    )
    over = events.LimitExceeded("import", "reserved", 66_000, 60_000, 8_000)
    assert evolve_site(state, over, AT).exceeded == ("import:reserved",)
    state = evolve_site(evolve_site(state, over, AT), events.LimitKept("import", "reserved"), AT)
    assert state.exceeded == ()
    started = evolve_site(evolve_site(state, over, AT), events.EngineStarted(5, "j", "0.1"), AT)
    assert started.exceeded == ()
    state = evolve_site(state, events.StoreBack(7, 9), AT)
    state = evolve_site(state, events.EngineStopped(4, "closed"), AT)
    assert (state.version, state.running, state.lost_us) == (11, False, None)
