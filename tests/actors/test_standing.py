"""Which clocks a store goes on with."""

from datetime import UTC, datetime

import pytest

from actors.standing import PlanStart, clocks_for
from engine import events
from engine.errors import UsageError
from engine.types import to_us

DAY_US = 1_741_734_000_000_000
STANDING = events.ClockSet(DAY_US, 900.0)
RUNNING = events.ClockStarted(5, DAY_US, 900.0)


def test_an_empty_store_takes_the_wall_or_what_is_wanted() -> None:
    """A wanted start makes the plan clock stand there."""
    assert clocks_for(None, PlanStart(), empty=True).plan.mapping is not None
    wanted = clocks_for(None, PlanStart(DAY_US, 60.0), empty=True)
    assert wanted.plan.mapping is None
    assert wanted.plan.peek(7).plan_us == DAY_US


@pytest.mark.parametrize("speed", [0.0, -1.0, float("nan"), float("inf")])
def test_a_speed_is_a_number_above_0(speed: float) -> None:
    """Nothing else runs."""
    with pytest.raises(UsageError, match="a number above 0"):
        PlanStart(DAY_US, speed)


@pytest.mark.parametrize("year", [1, 1969, 9999])
def test_a_plan_clock_starts_in_years_that_schedules_have(year: int) -> None:
    """In others no schedule is taken."""
    with pytest.raises(UsageError, match="in the years 1970 to 9998"):
        PlanStart(to_us(datetime(year, 12, 31, tzinfo=UTC)))
    assert PlanStart(0).start_at_us == 0


def test_a_clock_on_record_goes_on_without_being_asked() -> None:
    """One that stood stands there again, one that ran runs on."""
    standing = clocks_for(STANDING, PlanStart(), empty=False)
    assert standing.plan.mapping is None
    assert (standing.plan.peek(7).plan_us, standing.plan.peek(7).speed) == (DAY_US, 900.0)
    running = clocks_for(RUNNING, PlanStart(), empty=False).plan.mapping
    assert running is not None
    assert (running.wall_us, running.plan_us, running.speed) == (5, DAY_US, 900.0)


@pytest.mark.parametrize("recorded", [STANDING, RUNNING])
def test_the_same_values_may_be_given_again_and_no_others(
    recorded: events.ClockSet | events.ClockStarted,
) -> None:
    """As a service does that is started by the same command line each time."""
    clocks_for(recorded, PlanStart(DAY_US, 900.0), empty=False)
    for other in (PlanStart(DAY_US + 1, 900.0), PlanStart(DAY_US, 60.0)):
        with pytest.raises(UsageError):
            clocks_for(recorded, other, empty=False)


def test_a_store_that_runs_as_wall_time_does_is_not_moved() -> None:
    """Its events have times of the real day."""
    with pytest.raises(UsageError, match="wall time"):
        clocks_for(None, PlanStart(DAY_US), empty=False)
