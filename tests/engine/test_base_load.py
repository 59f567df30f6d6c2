"""The base load of a site: fixed, planned, or both."""

import pytest

from engine.plans import PlannedChange, pack
from engine.site.load import BaseLoad, Load
from engine.types import Channel

CHANGES = ((100, 4_000), (200, 9_000))
PLANNED = Load(
    pack(
        PlannedChange(n, due_us, Channel.CHARGE, watts) for n, (due_us, watts) in enumerate(CHANGES)
    ),
    start_us=100,
    horizon_us=300,
)


@pytest.mark.parametrize(
    ("base", "at_w"),
    [
        (BaseLoad(), (0, 0, 0, 0)),
        (BaseLoad(2_000), (2_000, 2_000, 2_000, 2_000)),
        (BaseLoad(2_000, PLANNED), (2_000, 4_000, 9_000, 2_000)),
        (BaseLoad(None, PLANNED), (4_000, 4_000, 9_000, 9_000)),
    ],
)
def test_what_is_planned_counts_for_its_time(base: BaseLoad, at_w: tuple[int, ...]) -> None:
    """Outside of it the fixed one does, else the nearest value goes on."""
    assert tuple(base.at_w(us) for us in (50, 150, 250, 300)) == at_w


def test_it_is_known_when_it_may_change_next() -> None:
    """With each of its changes, and with its end."""
    base = BaseLoad(None, PLANNED)
    assert [base.next_us(us) for us in (50, 100, 200, 300)] == [100, 200, 300, None]
    assert BaseLoad(2_000).next_us(50) is None
