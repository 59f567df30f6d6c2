"""Turns: what works on threads elsewhere takes turns here, and time goes from event to event."""

from collections.abc import Callable

import pytest

from actors.testing.turns import ManualTime, Turns
from engine.types import US_PER_S


class Worker:
    """Has work at some times, and writes down when it did it."""

    def __init__(self, name: str, time: ManualTime, log: list[str], *times_s: int) -> None:
        """Have work so many seconds after the start."""
        self.name, self.time, self.log = name, time, log
        self.due = [time.device_us + after_s * US_PER_S for after_s in times_s]

    def step(self) -> bool:
        """Do what is due."""
        if not self.due or self.due[0] > self.time.device_us:
            return False
        del self.due[0]
        self.log.append(self.name)
        return True

    def due_us(self) -> int | None:
        """Return when there is work."""
        return self.due[0] if self.due else None


def drawn(seed: int) -> list[str]:
    """Return the order in which two workers do ten things each at one instant."""
    time, log = ManualTime(), list[str]()
    turns = Turns(time, seed)
    for name in "ab":
        worker = Worker(name, time, log, *[0] * 10)
        turns.add(worker, worker.step, worker.due_us)
    turns.settle()
    return log


def test_the_seed_has_the_order() -> None:
    """The same seed, the same order; others, others."""
    assert drawn(1) == drawn(1)
    assert len({tuple(drawn(seed)) for seed in range(5)}) > 1


def test_time_stops_at_each_moment_at_which_somebody_is_due() -> None:
    """And ends where it was to go, whoever is due later."""
    time, log = ManualTime(), list[str]()
    start_us = time.device_us
    turns = Turns(time)
    worker = Worker("a", time, log, 1, 3, 9)
    turns.add(worker, worker.step, worker.due_us)
    turns.run_until(start_us + 5 * US_PER_S)
    assert log == ["a", "a"]
    assert time.device_us == start_us + 5 * US_PER_S


@pytest.mark.parametrize(
    ("timeout_s", "seconds", "found"), [(None, 3, True), (5, 3, True), (2, 2, False)]
)
def test_waiting_lets_time_go_on(timeout_s: float | None, seconds: int, *, found: bool) -> None:
    """No further than until it is so, or until it takes too long."""
    time, log = ManualTime(), list[str]()
    start_us = time.device_us
    turns = Turns(time)
    worker = Worker("a", time, log, 3, 4)
    turns.add(worker, worker.step, worker.due_us)
    assert turns.wait_for(lambda: bool(log), timeout_s) is found
    assert time.device_us == start_us + seconds * US_PER_S


def test_waiting_for_what_nobody_will_do_is_told_of() -> None:
    """It would never end."""
    with pytest.raises(RuntimeError, match="nobody"):
        Turns(ManualTime()).wait_for(lambda: False, None)


def test_who_was_removed_has_no_turn() -> None:
    """Whatever is due."""
    time, log = ManualTime(), list[str]()
    turns = Turns(time)
    worker = Worker("a", time, log, 0)
    turns.add(worker, worker.step, worker.due_us)
    turns.remove(worker)
    turns.settle()
    assert log == []


@pytest.mark.parametrize(
    ("step", "due_us"),
    [(lambda: True, lambda: None), (lambda: False, lambda: 0)],
    ids=["busy", "due"],
)
def test_work_without_end_is_told_of(
    step: Callable[[], bool], due_us: Callable[[], int | None]
) -> None:
    """A livelock is a failure and no hang."""
    time = ManualTime()
    turns = Turns(time)
    turns.add(turns, step, due_us)
    with pytest.raises(RuntimeError, match="without end"):
        turns.run_until(time.device_us + US_PER_S)
