import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.retry import backoff_us

S = 1_000_000
numbers = st.integers(min_value=1, max_value=10_000)
factors = st.floats(min_value=0, exclude_min=True, allow_nan=False)


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
