import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.retry import backoff_us, next_attempt_us

S = 1_000_000
numbers = st.integers(min_value=1, max_value=10_000)
factors = st.floats(min_value=0, exclude_min=True, allow_nan=False)
times_us = st.integers(min_value=0, max_value=4_102_444_800 * S)


@pytest.mark.parametrize(
    ("number", "factor", "wait_us"),
    [
        (1, 2.0, 2 * S),
        (2, 2.0, 4 * S),
        (3, 2.0, 8 * S),
        (5, 2.0, 32 * S),
        (6, 2.0, 60 * S),
        (3, 1.0, 1 * S),
        (1, 1.5, 1_500_000),
        (2, 0.5, 250_000),
        (1, 60.0, 60 * S),
        (1, 61.0, 60 * S),
        (10_000, 2.0, 60 * S),
        (10_000, 10**12, 60 * S),
    ],
)
def test_the_wait_is_the_power_of_the_factor_up_to_a_minute(
    number: int, factor: float, wait_us: int
) -> None:
    """Retry n waits min(60, factor ** n) seconds, also where the power overflows a float."""
    assert backoff_us(number, factor) == wait_us


@pytest.mark.parametrize(("number", "factor"), [(0, 2.0), (-1, 2.0), (1, 0.0), (1, -2.0)])
def test_no_wait_is_made_up_for_nonsense(number: int, factor: float) -> None:
    """A retry before the first, or a factor that is not above 0, is an error."""
    with pytest.raises(ValueError, match="no backoff"):
        backoff_us(number, factor)


def test_a_factor_that_is_not_a_number_is_nonsense() -> None:
    """NaN is not above 0."""
    with pytest.raises(ValueError, match="no backoff"):
        backoff_us(1, math.nan)


@given(numbers, factors)
def test_a_wait_is_never_negative_and_never_above_a_minute(number: int, factor: float) -> None:
    """Whatever the factor, the wait is between 0 and 60 s."""
    assert 0 <= backoff_us(number, factor) <= 60 * S


@given(numbers, st.floats(min_value=1, allow_nan=False))
def test_later_retries_wait_no_less(number: int, factor: float) -> None:
    """With a factor of 1 or more the waits do not shrink."""
    assert backoff_us(number, factor) <= backoff_us(number + 1, factor)


def test_a_retry_begins_after_its_wait() -> None:
    """The wait counts from the end of the attempt before."""
    assert next_attempt_us(100 * S, 2, 2.0, None) == 104 * S


@pytest.mark.parametrize(
    ("expires_us", "begins_us"), [(104 * S + 1, 104 * S), (104 * S, None), (103 * S, None)]
)
def test_no_retry_begins_at_or_after_the_expiry(expires_us: int, begins_us: int | None) -> None:
    """At its expiry a command is over; one microsecond before, it is not."""
    assert next_attempt_us(100 * S, 2, 2.0, expires_us) == begins_us


@pytest.mark.parametrize(("number", "begins_us"), [(3, 8 * S), (4, None), (5, None)])
def test_three_retries_make_four_attempts_in_all(number: int, begins_us: int | None) -> None:
    """Without a word about it a command has three retries."""
    assert next_attempt_us(0, number, 2.0, None) == begins_us


def test_a_command_may_have_no_retry() -> None:
    """With `max_retries` 0 the first attempt is the last."""
    assert next_attempt_us(0, 1, 2.0, None, max_retries=0) is None


@given(times_us, st.integers(min_value=1, max_value=6), factors, st.none() | times_us)
def test_a_retry_lies_between_the_end_and_the_expiry(
    ended_us: int, number: int, factor: float, expires_us: int | None
) -> None:
    """A retry never begins before the attempt ended, nor at or past the expiry."""
    begins_us = next_attempt_us(ended_us, number, factor, expires_us)
    if begins_us is None:
        late = expires_us is not None and ended_us + backoff_us(number, factor) >= expires_us
        assert number > 3 or late
    else:
        assert number <= 3
        assert ended_us <= begins_us
        assert expires_us is None or begins_us < expires_us
