"""The tolerance of what is measured."""

import pytest

from engine.tolerance import tolerance_w


@pytest.mark.parametrize(
    ("meant_w", "expected_w"),
    [(0, 200), (3_999, 200), (4_000, 200), (4_020, 201), (-4_020, 201), (22_000, 1_100)],
)
def test_a_measured_power_may_differ_by_a_twentieth_or_200_w(meant_w: int, expected_w: int) -> None:
    """Whichever is more, in both directions."""
    assert tolerance_w(meant_w) == expected_w
