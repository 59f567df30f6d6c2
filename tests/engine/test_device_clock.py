"""A device's own clock, read from the times that stand in its messages."""

import pytest

from engine.adapters.device_clock import Reading, Told, wrong_by_s
from engine.types import US_PER_S


def read(*told: tuple[float, float]) -> Reading:
    """Return what is known after times heard at a second, so many seconds ahead."""
    reading = Reading()
    for heard_s, ahead_s in told:
        reading = reading.after(Told(round(heard_s * US_PER_S), round(ahead_s * US_PER_S)))
    return reading


@pytest.mark.parametrize(
    ("told", "ahead_s"),
    [
        ([], None),
        ([(0, -3_600)], None),
        ([(0, -3_600), (4, -3_600)], None),
        ([(0, -3_600), (6, -3_601)], -3_601),
        ([(0, 90), (60, 92)], 92),
        # A status of an hour ago, told twice: it does not go on as a clock would.
        ([(0, -3_600), (60, -3_660), (120, -3_720)], None),
        # What was kept comes at once, then what is measured now.
        ([(0, -3_600), (1, -3_540), (2, -3_480), (3, 0), (9, 0)], 0),
        # A clock that is put right.
        ([(0, -3_600), (6, -3_600), (20, 0), (30, 0)], 0),
        ([(0, -3_600), (6, -3_600), (20, 0)], -3_600),
    ],
)
def test_a_clock_is_known_by_two_times_that_agree(
    told: list[tuple[float, float]], ahead_s: int | None
) -> None:
    """Heard some seconds apart: a message may tell of what lies back."""
    assert read(*told).ahead_s == ahead_s


def test_a_first_time_that_is_far_off_is_doubtful() -> None:
    """Another should be told soon; not when the clock is known, or the time is near."""
    assert read((0, -3_600)).is_doubtful
    assert not read((0, 20)).is_doubtful
    assert not read().is_doubtful
    assert not read((0, -3_600), (6, -3_600)).is_doubtful


@pytest.mark.parametrize(("ahead_s", "wrong_s"), [(30, 0), (-30, 0), (31, 31), (-50, -50)])
def test_a_clock_that_is_nearly_right_is_right(ahead_s: int, wrong_s: int) -> None:
    """A schedule starts a minute back."""
    assert wrong_by_s(ahead_s) == wrong_s
