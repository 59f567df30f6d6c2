"""A crash point that is mistyped would let a test of crashes pass without any."""

from typing import Any

import pytest

from actors.testing.crashes import POINTS, Crash
from engine.errors import UsageError


@pytest.mark.parametrize(
    ("point", "nth", "why"), [("after_sent", 1, "no crash point"), ("after_send", 0, "nth=1")]
)
def test_a_crash_that_could_never_come_is_refused(point: Any, nth: int, why: str) -> None:  # noqa: ANN401 - what a test has mistyped
    """What it was armed for before stays."""
    crash = Crash(lambda: None)
    crash.arm("after_append")
    with pytest.raises(UsageError, match=why):
        crash.arm(point, nth)
    assert [one for one in POINTS if crash.passes(one)] == ["after_append"]
