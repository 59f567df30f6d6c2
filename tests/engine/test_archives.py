"""What a log rests on, put on record and read again."""

from engine import events
from engine.archives import Bases, LogArchived, SchedulesBase, SiteBase
from engine.seals import LogSealed, SealMark
from engine.site import SiteState
from engine.types import AssetId

CONFIGURED = events.SiteConfigured("sit_a", "UTC", (AssetId("ast_a"),))
RUNNING = SiteState(9, 3, CONFIGURED, events.ClockStarted(1, 2, 60.0), True, 5, 7, 2)  # noqa: FBT003 - all fields
SEAL = LogSealed(7, 3, 1, b"d" * 32, b"p" * 32, 1, "engine", b"c")


def archived(bases: int) -> LogArchived:
    """Return the event behind so many bases."""
    return LogArchived("old.db", 5, SealMark(7, b"m" * 32, 40), SEAL, 0, bases)


def test_a_base_of_the_site_has_all_of_its_state() -> None:
    """Whoever adds a field to the state adds it to the base."""
    waiting = SiteState(2, clock=events.ClockSet(4, 1.0))
    for state in (SiteState(), RUNNING, waiting):
        assert state == SiteBase.of(state).state()
    plain = SiteState()
    assert all(getattr(RUNNING, one) != getattr(plain, one) for one in SiteState.__struct_fields__)


def test_the_bases_that_count_are_those_of_the_newest_archive() -> None:
    """The older ones are history."""
    old = Bases(None, {}, SchedulesBase(1, {}), SiteState(1)).recorded()
    new = Bases(None, {}, SchedulesBase(4, {}), RUNNING).recorded()
    found = Bases.of([*old, archived(len(old)), *new, archived(len(new))])
    assert (found.schedules.sequence, found.site) == (4, RUNNING)
    assert found.begins() == {"log": 6, "archive": 0, "site": 9}


def test_the_plan_clock_of_a_base_runs_as_it_ran() -> None:
    """One, unless a run was started faster."""
    assert Bases().speed == 1.0
    assert Bases(site=RUNNING).speed == 60.0


def test_a_log_without_a_base_of_the_site_has_its_whole_record() -> None:
    """So an archive of before goes on to be read."""
    bases = Bases.of([SchedulesBase(1, {}), archived(1)])
    assert bases.site == SiteState()
    assert bases.begins()["site"] == 0
