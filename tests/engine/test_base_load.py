"""The base load of a site: fixed, planned, or both."""

import pytest

from engine.plans import PlannedChange, pack
from engine.site.load import BaseLoad, Load
from engine.types import US_PER_S, Channel

MINUTE_US = 60 * US_PER_S
CHANGES = ((10, 4_000), (20, 9_000), (30, 3_000))
PLANNED = Load(
    pack(
        PlannedChange(n, minute * MINUTE_US, Channel.CHARGE, watts)
        for n, (minute, watts) in enumerate(CHANGES)
    ),
    start_us=10 * MINUTE_US,
    horizon_us=40 * MINUTE_US,
)


@pytest.mark.parametrize(
    ("base", "at_w"),
    [
        (BaseLoad(), (0, 0, 0, 0)),
        (BaseLoad(2_000), (2_000, 2_000, 2_000, 2_000)),
        (BaseLoad(2_000, PLANNED), (2_000, 4_000, 9_000, 2_000)),
        (BaseLoad(None, PLANNED), (4_000, 4_000, 9_000, 3_000)),
    ],
)
def test_what_is_planned_counts_for_its_time(base: BaseLoad, at_w: tuple[int, ...]) -> None:
    """Outside of it the fixed one does, else the nearest value goes on."""
    assert tuple(base.at_w(minute * MINUTE_US) for minute in (5, 15, 25, 40)) == at_w


def test_a_rise_counts_a_minute_early_and_a_fall_when_it_is_there() -> None:
    """Room is made before it is needed, and given when it is there."""
    base = BaseLoad(None, PLANNED)
    rise_us, fall_us = 20 * MINUTE_US, 30 * MINUTE_US
    assert base.at_w(rise_us - MINUTE_US - 1) == 4_000
    assert base.at_w(rise_us - MINUTE_US) == 9_000
    assert base.at_w(fall_us - 1) == 9_000
    assert base.at_w(fall_us) == 3_000


def test_it_is_known_when_it_may_change_next() -> None:
    """With each of its changes and a minute before, and with its end."""
    base = BaseLoad(None, PLANNED)
    minutes = [0, 9, 10, 19, 20, 39, 40]
    changes = [base.next_us(minute * MINUTE_US) for minute in minutes]
    told = (9, 10, 19, 20, 29, 40)
    assert changes == [*(minute * MINUTE_US for minute in told), None]
    assert BaseLoad(2_000).next_us(50) is None
