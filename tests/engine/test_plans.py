import itertools
from collections.abc import Iterable

import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from engine import plans
from engine.plans import (
    Plan,
    PlannedChange,
    PlanRef,
    command_id,
    pack,
    parse_command_id,
    same_over,
)
from engine.types import Channel, ScheduleId

CHARGE, DISCHARGE = Channel.CHARGE, Channel.DISCHARGE
Change = tuple[int, Channel, int]


def plan_of(changes: Iterable[Change], columns: tuple[str, ...] = ()) -> Plan:
    """Return changes as a packed plan."""
    return pack((PlannedChange(n, *change) for n, change in enumerate(changes)), columns)


def naive_value(changes: Iterable[Change], plan_us: int, channel: Channel) -> int | None:
    """Return a channel's watts by looking at every change."""
    value = None
    for due_us, on, watts in changes:
        if due_us <= plan_us and on is channel:
            value = watts
    return value


times_us = st.integers(min_value=0, max_value=12)
counts = st.integers(min_value=0, max_value=10**10 - 1)
watts = st.integers(min_value=0, max_value=3)
change_lists = st.lists(st.tuples(times_us, st.sampled_from(Channel), watts), max_size=12).map(
    lambda changes: sorted(changes, key=lambda change: change[0])
)

BATTERY = plan_of(
    [(10, CHARGE, 0), (10, DISCHARGE, 4000), (20, DISCHARGE, 0), (20, CHARGE, 5000)],
    ("battery_charge_kw", "battery_discharge_kw"),
)


def test_a_plan_gives_its_changes_in_order() -> None:
    """Packed and read again, every change is what it was, numbered from 0."""
    assert len(BATTERY) == 4
    assert list(BATTERY.changes()) == [
        PlannedChange(0, 10, CHARGE, 0),
        PlannedChange(1, 10, DISCHARGE, 4000),
        PlannedChange(2, 20, DISCHARGE, 0),
        PlannedChange(3, 20, CHARGE, 5000),
    ]
    assert pack(BATTERY.changes(), BATTERY.columns) == BATTERY


def test_the_stored_form_is_little_endian() -> None:
    """The bytes are int64, one byte and int32, the same on every machine."""
    plan = plan_of([(258, DISCHARGE, 772)])
    assert plan.due == b"\x02\x01\0\0\0\0\0\0"
    assert plan.channel == b"\x01"
    assert plan.watts == b"\x04\x03\0\0"


def test_a_big_endian_machine_finds_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the bytes cannot be read in place they are unpacked."""
    expected = [BATTERY.index_at(plan_us) for plan_us in range(30)]
    monkeypatch.setattr(plans, "_BIG_ENDIAN", True)
    assert [BATTERY.index_at(plan_us) for plan_us in range(30)] == expected


@pytest.mark.parametrize("index", [-1, 4])
def test_a_change_that_is_not_there_is_an_error(index: int) -> None:
    """Numbers below 0 do not count from the end."""
    with pytest.raises(IndexError, match=f"change {index} of a plan of 4"):
        BATTERY.change(index)


def test_changes_out_of_order_are_not_packed() -> None:
    """A plan is in order of time, or its moments could not be looked up."""
    with pytest.raises(ValueError, match="in order of time"):
        plan_of([(2, CHARGE, 1), (1, CHARGE, 2)])


def test_before_its_first_change_a_plan_wants_nothing() -> None:
    """No value is not 0 W."""
    assert BATTERY.values_at(9) == (None, None)
    assert BATTERY.index_at(9) == 0


def test_a_change_is_in_force_at_the_moment_that_it_is_due() -> None:
    """The moment itself belongs to the new value."""
    assert BATTERY.values_at(10) == (0, 4000)
    assert BATTERY.values_at(19) == (0, 4000)
    assert BATTERY.values_at(20) == (5000, 0)


def test_a_charger_has_no_discharge() -> None:
    """A channel without changes has no value."""
    assert plan_of([(1, CHARGE, 7)]).values_at(2) == (7, None)


def test_the_next_due_moment_is_after_the_one_given() -> None:
    """A change due at the moment itself is not the next; after the last there is none."""
    assert BATTERY.next_due_us(9) == 10
    assert BATTERY.next_due_us(10) == 20
    assert BATTERY.next_due_us(20) is None


def test_the_next_change_of_a_channel_skips_the_other() -> None:
    """The number of the same channel's next change; none after its last."""
    assert [BATTERY.next_on_channel(index) for index in range(4)] == [3, 2, None, None]


@given(change_lists)
def test_a_packed_plan_is_the_step_function_of_its_changes(changes: list[Change]) -> None:
    """At every moment counts, values and the next due moment are those of the plain list."""
    plan = plan_of(changes)
    for plan_us in range(-1, 14):
        assert plan.index_at(plan_us) == sum(due <= plan_us for due, _, _ in changes)
        pair = tuple(naive_value(changes, plan_us, channel) for channel in Channel)
        assert plan.values_at(plan_us) == pair
        assert tuple(plan.value_at(plan_us, channel) for channel in Channel) == pair
        later = [due for due, _, _ in changes if due > plan_us]
        assert plan.next_due_us(plan_us) == (later[0] if later else None)


@given(change_lists)
def test_what_is_known_to_be_due_is_not_counted_again(changes: list[Change]) -> None:
    """The count is the same from whatever is known, and never less than that."""
    plan = plan_of(changes)
    for plan_us in range(-1, 14):
        count = plan.index_at(plan_us)
        for known in range(len(plan) + 1):
            assert plan.index_at(plan_us, known) == max(count, known)


def test_changes_that_fell_due_together_are_counted_from_one_that_is_known() -> None:
    """However many there are."""
    plan = plan_of([(moment, CHARGE, moment) for moment in range(6)])
    assert [plan.index_at(moment, 1) for moment in range(6)] == [1, 2, 3, 4, 5, 6]


@given(change_lists)
def test_the_next_change_of_a_channel_is_the_first_behind_it(changes: list[Change]) -> None:
    """For every change the plain list has the same next one on its channel."""
    plan = plan_of(changes)
    for index, (_, channel, _) in enumerate(changes):
        later = (n for n in range(index + 1, len(changes)) if changes[n][1] is channel)
        assert plan.next_on_channel(index) == next(later, None)


@given(change_lists, change_lists, times_us, times_us)
@example([(0, CHARGE, 1)], [(0, CHARGE, 1), (3, CHARGE, 1)], 0, 9)
@example([(0, CHARGE, 1), (4, CHARGE, 2)], [(2, CHARGE, 1), (4, CHARGE, 2)], 2, 9)
@example([(0, CHARGE, 1), (4, CHARGE, 2)], [(0, CHARGE, 1)], 0, 4)
@example([(4, CHARGE, 0), (4, DISCHARGE, 1)], [(4, DISCHARGE, 1), (4, CHARGE, 0)], 0, 9)
def test_plans_are_the_same_where_they_agree_at_every_moment(
    one: list[Change], other: list[Change], start_us: int, end_us: int
) -> None:
    """Comparison agrees with looking at each moment from the start up to the end."""
    agree = all(
        naive_value(one, plan_us, channel) == naive_value(other, plan_us, channel)
        for plan_us in range(start_us, end_us)
        for channel in Channel
    )
    assert same_over(plan_of(one), plan_of(other), start_us, end_us) == agree


@given(change_lists, times_us, times_us)
def test_needless_changes_make_no_difference(
    changes: list[Change], start_us: int, end_us: int
) -> None:
    """A plan that states its values again and again is the same plan."""
    assume(changes)
    doubled = list(itertools.chain.from_iterable((change, change) for change in changes))
    assert same_over(plan_of(changes), plan_of(doubled), start_us, end_us)


def test_a_rolled_schedule_is_the_same_plan_where_nothing_else_changed() -> None:
    """A later first slot with the value that held already, and other names, change nothing."""
    old = plan_of([(0, CHARGE, 3600), (40, CHARGE, 0), (60, CHARGE, 11)], ("ev_1_kw",))
    new = plan_of([(15, CHARGE, 3600), (40, CHARGE, 0)], ("ev_ev_1_kw",))
    assert same_over(old, new, 15, 60)
    assert not same_over(old, new, 15, 61)
    assert not same_over(old, new, 14, 60)


def test_a_planned_command_is_named_after_schedule_asset_and_change() -> None:
    """The id says where its command stands, and is read back."""
    ref = PlanRef(ScheduleId("sch_day.7"), 3, 12)
    assert command_id(ref, 40) == "cmd_day.7.12.40"
    assert parse_command_id("cmd_day.7.12.40") == ("sch_day.7", 12, 40)


@given(st.text(min_size=1), counts, counts)
@example("a\n", 0, 0)
def test_every_planned_command_is_found_by_its_id(name: str, ordinal: int, index: int) -> None:
    """Whatever the caller called the schedule, its commands' ids lead back to it."""
    schedule_id = ScheduleId(f"sch_{name}")
    found = parse_command_id(command_id(PlanRef(schedule_id, 1, ordinal), index))
    assert found == (schedule_id, ordinal, index)


@pytest.mark.parametrize(
    "other",
    [
        "",
        "cmd_",
        "cmd_a",
        "cmd_a.1",
        "cmd_.1.2",
        "cmd_a.1.x",
        "cmd_a.01.2",
        "att_a.1.2",
        "cmd_a.1.²",
    ],
)
def test_other_ids_are_not_those_of_planned_commands(other: str) -> None:
    """An id of another form has no place in a plan."""
    assert parse_command_id(other) is None
