import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta

import pytest

from actors.clock import Clocks, PlanClock
from actors.testing.clocks import START, ManualClocks
from actors.wakeups import Wakeups
from engine.types import to_us

START_US = to_us(START)
S_US = 1_000_000
WAIT_S = 10.0


@pytest.fixture
def clocks() -> ManualClocks:
    """Clocks that stand."""
    return ManualClocks.starting()


@pytest.fixture
def heard() -> list[object]:
    """What was woken, in order."""
    return []


@pytest.fixture
def wakeups(clocks: ManualClocks) -> Wakeups:
    """Wake-ups that the clocks drive."""
    wakeups = Wakeups(clocks)
    clocks.turns.add(wakeups, wakeups.fire_due, wakeups.next_due)
    return wakeups


@pytest.fixture
def started() -> Iterator[Wakeups]:
    """Wake-ups on real clocks and a thread of their own."""
    wakeups = Wakeups(Clocks())
    wakeups.start()
    yield wakeups
    wakeups.stop()


def note(heard: list[object], clocks: Clocks, name: str) -> Callable[[], None]:
    """Return a callback that notes its name and the seconds since the start."""
    return lambda: heard.append((name, (clocks.device_us() - START_US) / S_US))


def test_each_key_is_woken_at_its_own_time_in_order(
    clocks: ManualClocks, wakeups: Wakeups, heard: list[object]
) -> None:
    """A step over many wake-ups stops at each of them."""
    for name, after_s in (("late", 3), ("early", 1), ("beyond", 9)):
        wakeups.at(name, note(heard, clocks, name), device_us=START_US + after_s * S_US)
    clocks.advance(5)

    assert heard == [("early", 1.0), ("late", 3.0)]
    assert wakeups.next_due() == START_US + 9 * S_US


def test_arming_a_key_again_replaces_its_wake_up(
    clocks: ManualClocks, wakeups: Wakeups, heard: list[object]
) -> None:
    """Earlier or later, only the last one counts."""
    for name, first_s, then_s in (("sooner", 4, 1), ("later", 1, 4)):
        wakeups.at(name, note(heard, clocks, "old"), device_us=START_US + first_s * S_US)
        wakeups.at(name, note(heard, clocks, name), device_us=START_US + then_s * S_US)
    clocks.advance(5)

    assert heard == [("sooner", 1.0), ("later", 4.0)]


@pytest.mark.parametrize(
    "disarm", [lambda w: w.cancel("a"), lambda w: w.at("a", print)], ids=["cancel", "at"]
)
def test_a_cancelled_wake_up_does_not_come(
    clocks: ManualClocks,
    wakeups: Wakeups,
    heard: list[object],
    disarm: Callable[[Wakeups], None],
) -> None:
    """Arming without a time cancels too."""
    wakeups.at("a", note(heard, clocks, "a"), device_us=START_US + S_US)
    disarm(wakeups)
    clocks.advance(2)

    assert heard == []
    assert wakeups.next_due() is None


def test_what_is_due_already_fires_at_once(
    clocks: ManualClocks, wakeups: Wakeups, heard: list[object]
) -> None:
    """A restarted engine arms times that have passed."""
    wakeups.at("a", note(heard, clocks, "a"), device_us=START_US - S_US)
    clocks.advance(0)

    assert heard == [("a", 0.0)]


def test_the_earlier_of_the_two_times_counts(heard: list[object]) -> None:
    """At speed 60 a plan minute is a real second."""
    clocks = ManualClocks.starting(plan=PlanClock.standing(0, speed=60))
    clocks.plan.start(clocks.device_us())
    wakeups = Wakeups(clocks)
    clocks.turns.add(wakeups, wakeups.fire_due, wakeups.next_due)
    for name, device_s, plan_s in (("plan", 5, 120), ("device", 1, 120)):
        wakeups.at(
            name,
            note(heard, clocks, name),
            device_us=START_US + device_s * S_US,
            plan_us=plan_s * S_US,
        )
    clocks.advance(10)

    assert heard == [("device", 1.0), ("plan", 2.0)]


def test_plan_times_wait_for_the_plan_clock_to_start(heard: list[object]) -> None:
    """While it stands they are not armed; recompute arms them."""
    clocks = ManualClocks.starting(plan=PlanClock.standing(0))
    wakeups = Wakeups(clocks)
    clocks.turns.add(wakeups, wakeups.fire_due, wakeups.next_due)
    wakeups.at("a", note(heard, clocks, "a"), plan_us=3 * S_US)
    wakeups.at("b", note(heard, clocks, "b"), plan_us=S_US, device_us=START_US + 7 * S_US)
    clocks.advance(5)
    assert heard == []

    clocks.plan.start(clocks.device_us())
    wakeups.recompute()
    clocks.advance(5)
    assert heard == [("b", 6.0), ("a", 8.0)]


def test_a_callback_that_raises_does_not_stop_the_others(
    clocks: ManualClocks,
    wakeups: Wakeups,
    heard: list[object],
    caplog: pytest.LogCaptureFixture,
) -> None:
    """It is logged with its key."""

    def fail() -> None:
        raise ValueError

    wakeups.at("bad", fail, device_us=START_US)
    wakeups.at("good", note(heard, clocks, "good"), device_us=START_US)
    clocks.advance(0)

    assert heard == [("good", 0.0)]
    assert "wake-up of bad" in caplog.text


def test_a_callback_may_arm_its_key_again(
    clocks: ManualClocks, wakeups: Wakeups, heard: list[object]
) -> None:
    """As an actor does that wakes at intervals."""

    def tick() -> None:
        heard.append((clocks.device_us() - START_US) // S_US)
        wakeups.at("tick", tick, device_us=clocks.device_us() + S_US)

    tick()
    clocks.advance(3)

    assert heard == [0, 1, 2, 3]


@pytest.mark.parametrize("step_us", [1, -1])
def test_alarms_that_were_replaced_do_not_pile_up(wakeups: Wakeups, step_us: int) -> None:
    """An actor that moves its deadline a hundred thousand times costs no memory."""
    for index in range(100_000):
        wakeups.at("busy", print, device_us=START_US + 10**12 + step_us * index)

    assert wakeups._entries < 2_000  # noqa: SLF001 -- nothing else shows it


def test_a_key_that_is_put_off_and_brought_forward_is_woken_once(
    clocks: ManualClocks, wakeups: Wakeups, heard: list[object]
) -> None:
    """Whatever its places in the queue were, its last time counts, in order with the others."""
    for after_s in (5, 9, 2, 5, 3, 4):
        wakeups.at("moved", note(heard, clocks, "moved"), device_us=START_US + after_s * S_US)
    for name, after_s in (("before", 3), ("after", 5)):
        wakeups.at(name, note(heard, clocks, name), device_us=START_US + after_s * S_US)
    assert wakeups.next_due() == START_US + 3 * S_US

    clocks.advance(10)

    assert heard == [("before", 3.0), ("moved", 4.0), ("after", 5.0)]
    assert wakeups.next_due() is None


def test_what_was_put_off_comes_in_order_when_time_makes_a_jump(
    clocks: ManualClocks, wakeups: Wakeups, heard: list[object]
) -> None:
    """A machine that slept wakes the earlier one first."""
    wakeups.at("put off", note(heard, clocks, "put off"), device_us=START_US + S_US)
    wakeups.at("put off", note(heard, clocks, "put off"), device_us=START_US + 3 * S_US)
    wakeups.at("early", note(heard, clocks, "early"), device_us=START_US + 2 * S_US)
    clocks.turns.remove(wakeups)
    clocks.advance(5)
    wakeups.fire_due()

    assert heard == [("early", 5.0), ("put off", 5.0)]


def test_real_wake_ups_come_at_their_time_and_not_before(started: Wakeups) -> None:
    """On a thread of their own."""
    clocks = Clocks()
    fired = threading.Event()
    at_us: list[int] = []

    def fire() -> None:
        at_us.append(clocks.device_us())
        fired.set()

    due_us = clocks.device_us() + 20_000
    started.at("later", print, device_us=due_us + 10**12)
    started.at("a", fire, device_us=due_us)

    assert fired.wait(WAIT_S)
    assert at_us[0] >= due_us - 1_000  # two device clocks, each with its own reading of the wall


def test_a_sooner_wake_up_interrupts_the_wait_for_a_later_one(started: Wakeups) -> None:
    """The timer does not sleep through what was armed after it lay down."""
    order: list[str] = []
    done = threading.Event()

    def later() -> None:
        order.append("later")
        done.set()

    now_us = Clocks().device_us()
    started.at("later", later, device_us=now_us + 2_000_000)
    started.at("sooner", lambda: order.append("sooner"), device_us=now_us + 10_000)

    assert done.wait(WAIT_S)
    assert order == ["sooner", "later"]


def test_wake_ups_that_never_began_can_be_stopped(clocks: ManualClocks) -> None:
    """Closing after a failed start does not fail in its turn."""
    Wakeups(clocks).stop()


class TestManualClocks:
    def test_they_begin_where_they_are_told(self) -> None:
        """All four readings agree."""
        noon = datetime(2026, 7, 1, 12, tzinfo=UTC)
        clocks = ManualClocks.starting(noon)

        assert clocks.now().plan_us == clocks.now().device_us == to_us(noon)
        assert clocks.wall_us() == to_us(noon)

    @pytest.mark.parametrize("t", [START + timedelta(hours=1), "2026-03-02T08:00:00+01:00"])
    def test_they_move_to_a_plan_time(self, clocks: ManualClocks, t: datetime | str) -> None:
        """Given as a datetime or as text."""
        clocks.advance_to(t)

        assert clocks.now().plan_us == START_US + 3_600 * S_US

    def test_a_plan_time_is_reached_at_its_speed(self) -> None:
        """An hour of plan time is a minute of device time at speed 60."""
        clocks = ManualClocks.starting(plan=PlanClock.standing(START_US, speed=60))
        with pytest.raises(ValueError, match="stands"):
            clocks.advance_to(START)
        clocks.plan.start(clocks.device_us())
        clocks.advance_to(START + timedelta(hours=1))

        assert clocks.device_us() == START_US + 60 * S_US

    def test_time_does_not_go_back(self, clocks: ManualClocks) -> None:
        """Neither clock does."""
        with pytest.raises(ValueError, match="back"):
            clocks.advance_to(START - timedelta(seconds=1))

    def test_actors_rest_before_time_goes_on(self, clocks: ManualClocks) -> None:
        """Whoever is woken does what there is to do at that very time."""
        steps: list[tuple[str, int]] = []
        work = [0]

        def step() -> bool:
            if work[0]:
                work[0] -= 1
                steps.append(("work", clocks.device_us() - START_US))
            return work[0] > 0

        def woken() -> None:
            steps.append(("wake", clocks.device_us() - START_US))
            work[0] += 2

        wakeups = Wakeups(clocks)
        clocks.turns.add(wakeups, wakeups.fire_due, wakeups.next_due)
        clocks.turns.add(work, step)
        wakeups.at("a", woken, device_us=START_US + S_US)
        clocks.advance(2)

        assert steps == [("wake", S_US), ("work", S_US), ("work", S_US)]

    def test_released_wake_ups_are_left_alone(
        self, clocks: ManualClocks, wakeups: Wakeups, heard: list[object]
    ) -> None:
        """A crashed system's timers are gone."""
        wakeups.at("a", note(heard, clocks, "a"), device_us=START_US)
        clocks.turns.remove(wakeups)
        clocks.advance(1)

        assert heard == []

    def test_wake_ups_without_end_are_told_of(self, clocks: ManualClocks, wakeups: Wakeups) -> None:
        """A livelock is a failure and not a hang."""

        def again() -> None:
            wakeups.at("a", again, device_us=START_US)

        again()
        with pytest.raises(RuntimeError, match="without end"):
            clocks.advance(1)

    def test_the_wall_may_jump_without_device_time(self, clocks: ManualClocks) -> None:
        """As it does when somebody sets the machine's clock."""
        clocks.source.wall_ahead_us = 5 * S_US

        assert clocks.wall_us() - clocks.device_us() == 5 * S_US
