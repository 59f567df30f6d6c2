import math

import numpy as np
import pandas as pd
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from actors.testing.schedules import (
    BATT,
    BUS,
    CAR,
    CHARGE,
    DISCHARGE,
    QUARTER_US,
    START,
    START_US,
    changes_of,
    frame,
    problems_of,
    rules_of,
    slots,
    take,
)
from engine.errors import ScheduleRefused
from engine.frames import read_schedule
from engine.intake import Clamp
from engine.rules import AssetRules
from engine.types import AssetKind, Channel, iso, to_w


@pytest.mark.parametrize(
    ("value_kw", "expected_w"),
    [
        (2.3147, 2315),
        (2.3146946, 2315),
        (-0.0, 0),
        (-1e-9, 0),
        (-0.0005, 0),
        (1e-9, 0),
        (0.0005, 0),
        (0.0015, 2),
        (1.0005, 1000),
        (22, 22_000),
        (22.0004, 22_000),
    ],
)
def test_powers_are_whole_watts_before_anything_else(value_kw: float, expected_w: int) -> None:
    """Rounded half to even; a solver's residue is 0."""
    assert to_w(value_kw) == expected_w
    assert changes_of(take(frame(ev_car_kw=[value_kw, value_kw]))) == [(0, "CHARGE", expected_w)]


@given(st.floats(min_value=-0.0005, max_value=22, allow_subnormal=False))
@example(8.0125)
def test_a_frame_rounds_as_every_other_power_is_rounded(value_kw: float) -> None:
    """The same kilowatts are the same watts wherever they come in."""
    assert changes_of(take(frame(ev_car_kw=[value_kw, 0])))[0] == (0, "CHARGE", to_w(value_kw))


@pytest.mark.parametrize(
    ("value_kw", "rule"),
    [
        (math.nan, "missing"),
        (math.inf, "infinite"),
        (-math.inf, "infinite"),
        (-0.001, "negative"),
        (22.001, "above_limit"),
        (1e306, "above_limit"),
    ],
)
def test_powers_out_of_range_are_refused(value_kw: float, rule: str) -> None:
    """The cell is named by its row, its column and its value."""
    (problem,) = problems_of(frame(ev_bus_kw=[0, 0], ev_car_kw=[0, value_kw]))
    assert problem.rule == rule
    where = (problem.row, problem.column, problem.value)
    assert where == ("2025-03-12T00:15:00+00:00", "ev_car_kw", str(value_kw))


@pytest.mark.parametrize(
    ("cell", "rule"),
    [
        ("7", "string"),
        (np.bool_(0), "boolean"),
        (None, "missing"),
        (pd.NA, "missing"),
        (pd.NaT, "missing"),
        (1j, "dtype"),
        (START, "dtype"),
    ],
)
def test_cells_that_hold_no_number_are_refused_one_by_one(cell: object, rule: str) -> None:
    """The numbers beside them are read, and judged too."""
    odd = pd.Series([cell, -5, 3.5, np.float32(1)], slots(4), dtype=object)
    found = problems_of(pd.DataFrame({"ev_car_kw": odd, "ev_bus_kw": [99.0, 1, 1, 1]}))
    assert sorted((problem.rule, problem.column) for problem in found) == sorted(
        [(rule, "ev_car_kw"), ("negative", "ev_car_kw"), ("above_limit", "ev_bus_kw")]
    )


@pytest.mark.parametrize(("cell", "rule"), [(10**400, "infinite"), (math.nan, "missing")])
def test_numbers_of_an_untyped_column_are_judged_too(cell: float, rule: str) -> None:
    """Beside the column, which has no numeric type."""
    odd = pd.Series([cell, 3.5], slots(2), dtype=object)
    assert rules_of(pd.DataFrame({"ev_car_kw": odd})) == ["dtype", rule]


@pytest.mark.parametrize(
    ("column", "rules"),
    [
        ([True, False], ["boolean", "boolean"]),
        (["1", "2"], ["string", "string"]),
        ([1j, 2j], ["dtype", "dtype"]),
        (pd.array([True, None], dtype="boolean"), ["boolean", "missing"]),
        (pd.to_timedelta([1, 2], unit="s"), ["dtype", "dtype"]),
        (np.array([1, 2], dtype=object), ["dtype"]),
        (pd.Categorical([1, 2]), ["dtype"]),
    ],
)
def test_columns_of_another_type_are_refused(column: object, rules: list[str]) -> None:
    """Even one that holds only numbers, if its type does not say so."""
    assert rules_of(pd.DataFrame({"ev_car_kw": column}, slots(2))) == rules


@pytest.mark.parametrize("dtype", ["int8", "uint64", "float32", "Int64", "Float64"])
def test_columns_of_any_numeric_type_are_taken(dtype: str) -> None:
    """Beside columns of other types, ignored ones among them."""
    schedule = frame(ev_car_kw=[1, 7], ev_bus_kw=[1.5, 2], note=["a", "b"])
    intake = take(schedule.astype({"ev_car_kw": dtype}))
    assert changes_of(intake) == [(0, "CHARGE", 1_000), (1, "CHARGE", 7_000)]
    assert intake.ignored_columns == ("note",)


def test_a_missing_value_of_a_nullable_column_is_refused() -> None:
    """No value is not 0."""
    column = pd.array([1.0, None], dtype="Float64")
    assert rules_of(pd.DataFrame({"ev_car_kw": column}, slots(2))) == ["missing"]


def test_powers_above_the_limit_are_clamped_where_that_is_asked_for() -> None:
    """What was asked and what was left are recorded, but for slots that are over."""
    schedule = frame(ev_car_kw=[30, 22, 25.5], battery_charge_kw=[0, 0, 0], ev_bus_kw=[1, 1, 1])
    expected = [Clamp(iso(START_US + 2 * QUARTER_US), "ev_car_kw", 25.5, 22.0)]
    intake = take(schedule, START_US + QUARTER_US, limits="clamp")
    assert list(intake.clamped) == expected
    assert changes_of(intake) == [(1, "CHARGE", 22_000)]
    assert len(take(schedule, limits="clamp").clamped) == 2


@pytest.mark.parametrize("value_kw", [math.inf, math.nan, -1.0])
def test_only_what_is_above_the_limit_is_clamped(value_kw: float) -> None:
    """Infinities, gaps and negative powers are refused all the same."""
    assert len(rules_of(frame(ev_car_kw=[30.0, value_kw]), limits="clamp")) == 1


def test_each_channel_of_a_battery_has_its_own_limit() -> None:
    """10 kW in and 8 kW out."""
    schedule = frame(battery_charge_kw=[10, 0], battery_discharge_kw=[0, 8.001])
    (problem,) = problems_of(schedule)
    assert (problem.column, problem.message) == (DISCHARGE, "above the limit of 8 kW")


def test_a_limit_beyond_what_a_plan_can_hold_is_not_reached() -> None:
    """Two gigawatts are the end of the stored form."""
    huge = {CAR: AssetRules(CAR, AssetKind.EV_CHARGER, "test", "car", 10**12)}
    with pytest.raises(ScheduleRefused, match="above_limit"):
        read_schedule(frame(ev_car_kw=[2**31 / 1000, 0]), huge)


def test_a_battery_is_not_charged_and_discharged_at_once() -> None:
    """Whole watts count: a residue on the other channel is none."""
    schedule = frame(
        ev_car_kw=[1, 1, 1], battery_charge_kw=[2, 1e-9, 1], battery_discharge_kw=[0, 2, 0.5]
    )
    (problem,) = problems_of(schedule)
    assert problem.rule == "both_directions"
    assert problem.column == f"{CHARGE} and {DISCHARGE}"
    assert problem.value == "1.0 and 0.5"
    assert problem.row == "2025-03-12T00:30:00+00:00"


# --- changes


def test_the_channel_that_goes_to_zero_comes_first() -> None:
    """Charging, then discharging, then neither: no instant asks for both."""
    schedule = frame(battery_charge_kw=[3, 0, 4, 0], battery_discharge_kw=[0, 5, 0, 0])
    assert changes_of(take(schedule), BATT) == [
        (0, "DISCHARGE", 0),
        (0, "CHARGE", 3_000),
        (1, "CHARGE", 0),
        (1, "DISCHARGE", 5_000),
        (2, "DISCHARGE", 0),
        (2, "CHARGE", 4_000),
        (3, "CHARGE", 0),
    ]


@pytest.mark.parametrize(("column", "channel"), [(CHARGE, "CHARGE"), (DISCHARGE, "DISCHARGE")])
def test_a_batterys_missing_column_is_planned_as_zero(column: str, channel: str) -> None:
    """A battery's setpoint is the pair; the missing channel has no column to name."""
    intake = take(frame(**{column: [2, 0]}))
    other = "DISCHARGE" if channel == "CHARGE" else "CHARGE"
    expected = [(0, other, 0), (0, channel, 2_000), (1, channel, 0)]
    assert changes_of(intake, BATT) == expected
    assert intake.plans[BATT].columns[Channel[other]] == ""


def naive_changes(values_w: list[int]) -> list[tuple[int, str, int]]:
    """Return row, channel and watts of each change, found one by one."""
    found: list[tuple[int, str, int]] = []
    for row, value in enumerate(values_w):
        if not found or abs(value - found[-1][2]) > 1:
            found.append((row, "CHARGE", value))
    return found


@given(st.lists(st.lists(st.integers(0, 6), min_size=2, max_size=2), min_size=2, max_size=40))
@example([[0, 9], [1, 9], [2, 9], [3, 9], [1, 9]])
def test_a_change_is_more_than_a_watt_from_the_last_one_emitted(rows: list[list[int]]) -> None:
    """A slow drift is followed as a plain loop would follow it."""
    car, bus = ([row[n] for row in rows] for n in (0, 1))
    intake = take(frame(ev_car_kw=np.array(car) / 1000, ev_bus_kw=np.array(bus) / 1000))
    assert changes_of(intake, CAR) == naive_changes(car)
    assert changes_of(intake, BUS) == naive_changes(bus)


@given(st.lists(st.integers(-8000, 10_000), min_size=2, max_size=30))
def test_a_battery_is_never_asked_for_both_directions(powers_w: list[int]) -> None:
    """At every instant one channel of the pair is zero, but for the watt of tolerance."""
    powers = np.array(powers_w) / 1000
    columns = {CHARGE: powers.clip(0), DISCHARGE: (-powers).clip(0)}
    for change in (plan := take(frame(**columns)).plans[BATT]).changes():
        pair = plan.values_at(change.due_us)
        assert min(watts or 0 for watts in pair) <= 1


def test_a_mistyped_limits_is_refused() -> None:
    """What becomes of a power above the limit is nothing to guess."""
    schedule = frame(ev_car_kw=[1.0, 2.0])
    assert rules_of(schedule, limits="Clamp") == ["limits"]  # type: ignore[arg-type]
