"""The base load of a site: fixed, planned, or both."""

import pytest

from engine.plans import PlannedChange, pack
from engine.site.load import BaseLoad, Load, Loads
from engine.types import US_PER_S, Channel, ScheduleId

MINUTE_US = 60 * US_PER_S


def said(schedule_id: str, end: int, *changes: tuple[int, int]) -> Load:
    """Return what a schedule says until a minute, by minutes and watts."""
    plan = pack(
        PlannedChange(n, minute * MINUTE_US, Channel.CHARGE, watts)
        for n, (minute, watts) in enumerate(changes)
    )
    return Load(plan, changes[0][0] * MINUTE_US, end * MINUTE_US, ScheduleId(schedule_id))


TODAY = said("sch_1", 40, (10, 4_000), (20, 9_000), (30, 3_000))
TOMORROW = said("sch_2", 70, (50, 1_000), (60, 6_000))
PLANNED = Loads((TODAY,))


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


@pytest.mark.parametrize(
    ("fixed_w", "values_w"),
    [
        (None, (4_000, 9_000, 3_000, 3_000, 1_000, 6_000, 6_000)),
        (2_000, (2_000, 9_000, 3_000, 2_000, 1_000, 6_000, 2_000)),
    ],
)
def test_a_later_schedule_leaves_the_base_load_until_its_first_slot(
    fixed_w: int | None, values_w: tuple[int, ...]
) -> None:
    """Today's holds when tomorrow's is submitted; between the two the fixed one does."""
    base = BaseLoad(fixed_w, PLANNED.replaced(TOMORROW))
    minutes = (5, 25, 35, 45, 55, 65, 75)
    assert tuple(base.value_w(minute * MINUTE_US) for minute in minutes) == values_w


def test_a_later_schedule_may_begin_within_an_earlier_one() -> None:
    """It is known when: also where the earlier one says nothing new by then."""
    early = said("sch_3", 60, (35, 7_000))
    base = BaseLoad(None, PLANNED.replaced(early))
    assert [base.value_w(minute * MINUTE_US) for minute in (34, 35, 45)] == [3_000, 7_000, 7_000]
    assert base.next_us(32 * MINUTE_US) == 34 * MINUTE_US
    assert base.next_us(34 * MINUTE_US) == 35 * MINUTE_US


def test_a_schedule_replaces_what_was_said_from_its_first_slot_on() -> None:
    """Also beyond its own end."""
    both = PLANNED.replaced(TOMORROW)
    assert both.in_order == (TODAY, TOMORROW)
    middle = said("sch_3", 45, (30, 8_000))
    assert both.replaced(middle).in_order == (TODAY, middle)
    anew = said("sch_4", 45, (10, 8_000))
    assert both.replaced(anew).in_order == (anew,)


def test_what_no_longer_rules_is_not_kept() -> None:
    """What rules now is, and what comes."""
    both = PLANNED.replaced(TOMORROW)
    assert both.since(49 * MINUTE_US) == both
    assert both.since(50 * MINUTE_US) == Loads((TOMORROW,))
    assert both.since(90 * MINUTE_US) == Loads((TOMORROW,))
    assert Loads().since(0) == Loads()
