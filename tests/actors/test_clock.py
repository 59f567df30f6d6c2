from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from actors.clock import ClockMapping, Clocks, DeviceClock, PlanClock, steady_s, wall_now
from engine.types import Instant, to_us

NOON_US = to_us(datetime(2026, 3, 1, 12, tzinfo=UTC))
SIX_US = to_us(datetime(2026, 6, 1, 6, tzinfo=UTC))
SPEEDS = st.sampled_from([0.1, 1.0, 3.0, 7.3, 60.0, 900.0])


class FixedTime:
    """A source that gives what the test set."""

    def __init__(self, device_us: int) -> None:
        self.device_us = device_us

    def now_us(self) -> int:
        """Return what was set."""
        return self.device_us

    def wall_us(self) -> int:
        """Return what was set."""
        return self.device_us


def test_wall_time_is_aware_and_in_utc() -> None:
    """Nothing naive leaves the clock."""
    assert wall_now().utcoffset() == timedelta(0)


def test_the_device_clock_begins_at_wall_time() -> None:
    """A new process's device clock agrees with the wall."""
    before_us = to_us(wall_now())
    clock = DeviceClock()

    assert before_us <= clock.now_us() <= before_us + 60_000_000
    assert clock.wall_us() >= before_us


def test_the_device_clock_never_goes_back() -> None:
    """Readings of device time and of the steady clock are in order."""
    clock = DeviceClock()
    readings = [clock.now_us() for _ in range(1_000)]
    seconds = [steady_s() for _ in range(1_000)]

    assert readings == sorted(readings)
    assert seconds == sorted(seconds)


def test_plan_time_is_device_time_unless_told_otherwise() -> None:
    """Without --start-at both clocks show the same."""
    clocks = Clocks(FixedTime(NOON_US))

    assert clocks.now() == Instant(plan_us=NOON_US, device_us=NOON_US)
    assert clocks.device_of_plan(SIX_US) == SIX_US


def test_a_standing_plan_clock_shows_its_start_whatever_the_time() -> None:
    """While it stands no plan time lies in the future of device time."""
    source = FixedTime(NOON_US)
    clocks = Clocks(source, PlanClock.standing(SIX_US))
    source.device_us += 1_000_000

    assert clocks.now() == Instant(plan_us=SIX_US, device_us=NOON_US + 1_000_000)
    assert clocks.device_of_plan(SIX_US) is None
    assert clocks.plan.mapping is None


def test_a_started_plan_clock_runs_at_its_speed() -> None:
    """One real second is sixty plan seconds at speed 60."""
    source = FixedTime(NOON_US)
    clocks = Clocks(source, PlanClock.standing(SIX_US, speed=60))
    mapping = clocks.plan.start(clocks.device_us())
    source.device_us += 1_000_000

    assert mapping == ClockMapping(NOON_US, SIX_US, 60)
    assert clocks.now().plan_us == SIX_US + 60_000_000
    assert clocks.device_of_plan(SIX_US + 120_000_000) == NOON_US + 2_000_000


def test_starting_twice_keeps_the_first_mapping() -> None:
    """A clock that runs is not set back."""
    source = FixedTime(NOON_US)
    clocks = Clocks(source, PlanClock.standing(SIX_US))
    first = clocks.plan.start(clocks.device_us())
    source.device_us += 1_000_000

    assert clocks.plan.start(clocks.device_us()) is first


def test_a_restored_mapping_ran_on_while_the_process_was_down() -> None:
    """The plan time after a restart counts the time in between."""
    mapping = ClockMapping(NOON_US, SIX_US, 10)
    clocks = Clocks(FixedTime(NOON_US + 3_600_000_000), PlanClock(mapping))

    assert clocks.now().plan_us == SIX_US + 36_000_000_000


def test_plan_time_that_stands_still_or_goes_back_is_refused() -> None:
    """A speed is positive."""
    with pytest.raises(ValueError, match="speed"):
        ClockMapping(0, 0, 0)


@given(st.integers(NOON_US - 10**14, NOON_US + 10**14), SPEEDS)
def test_at_the_device_time_of_a_plan_time_the_plan_time_is_reached(
    plan_us: int, speed: float
) -> None:
    """A wake-up armed for a plan time never fires before it, nor long after."""
    mapping = ClockMapping(NOON_US, SIX_US, speed)
    device_us = mapping.device_of(plan_us)

    assert mapping.plan_of(device_us) >= plan_us
    assert mapping.plan_of(device_us - 2) < plan_us
