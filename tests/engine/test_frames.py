import enum
import math
from datetime import timedelta
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

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
from engine.errors import Problem, ScheduleRefused
from engine.frames import to_frame

# --- the schedule as a whole


def test_a_schedule_becomes_one_plan_per_asset_in_the_order_of_its_columns() -> None:
    """Start, horizon, shortest slot, columns and what is ignored are all there."""
    schedule = frame(
        battery_discharge_kw=[0, 2.5, 0],
        ev_bus_kw=[11, 11, 0],
        load_kw=[1, 1, 1],
        battery_charge_kw=[0.0, 0, 0],
        ev_car_kw=[0, 0, 7.4],
    )
    intake = take(schedule)
    assert list(intake.plans) == [BATT, BUS, CAR]
    assert (intake.start_us, intake.horizon_us) == (START_US, START_US + 3 * QUARTER_US)
    assert intake.shortest_slot_us == QUARTER_US
    assert intake.ignored_columns == ("load_kw",)
    assert intake.clamped == ()
    assert intake.plans[BATT].columns == (CHARGE, DISCHARGE)
    assert intake.plans[BUS].columns == ("ev_bus_kw",)
    assert changes_of(intake, BUS) == [(0, "CHARGE", 11_000), (2, "CHARGE", 0)]
    assert changes_of(intake) == [(0, "CHARGE", 0), (2, "CHARGE", 7_400)]


def test_one_error_lists_all_problems_of_a_schedule() -> None:
    """Index, columns and values are judged together, each by row, column, value and rule."""
    schedule = frame(ev_car_kw=[1, -1.0], ev_bus_kw=["x", 2], ev_van_kw=[1, 1])
    assert problems_of(schedule.tz_localize(None)) == (
        Problem("naive", "the times have no time zone; name it with timezone="),
        Problem("no_asset", "no asset for 'van' or 'ev_van'", column="ev_van_kw"),
        Problem("string", "text is not a power", "2025-03-12T00:00:00", "ev_bus_kw", "x"),
        Problem("negative", "below zero", "2025-03-12T00:15:00", "ev_car_kw", "-1.0"),
    )


def test_a_long_list_of_problems_is_cut_in_the_message_only() -> None:
    """All 150 problems are kept, the first 100 printed."""
    with pytest.raises(ScheduleRefused, match="schedule refused: 150 problems") as caught:
        take(frame(ev_car_kw=[math.nan] * 150))
    assert len(caught.value.problems) == 150
    lines = str(caught.value).splitlines()
    assert len(lines) == 102
    assert lines[1].strip() == (
        "row 2025-03-12T00:00:00+00:00, column ev_car_kw, value nan: no value [missing]"
    )
    assert lines[-1] == "  and 50 more"


class Status(enum.Enum):
    OPTIMAL = "optimal"
    FEASIBLE = 2
    INFEASIBLE = "Infeasible"


@pytest.mark.parametrize("status", [None, "Optimal", "ok", "SUCCESS", *list(Status)[:2]])
def test_an_optimisers_result_is_taken_for_its_schedule(status: object) -> None:
    """Without a status, or with a good one in any case, also as an enum."""
    result = SimpleNamespace(schedule=frame(ev_car_kw=[1, 2]), status=status)
    assert len(take(result).plans[CAR]) == 2


def test_an_optimisers_result_without_a_status_is_taken() -> None:
    """An object with nothing but a schedule is enough."""
    assert len(take(SimpleNamespace(schedule=frame(ev_car_kw=[1, 2]))).plans[CAR]) == 2


@pytest.mark.parametrize("status", ["infeasible", "", 1, Status.INFEASIBLE])
def test_an_optimisers_result_that_is_no_solution_is_refused(status: object) -> None:
    """Any other status."""
    assert rules_of(SimpleNamespace(schedule=frame(ev_car_kw=[1, 2]), status=status)) == ["status"]


@pytest.mark.parametrize("source", [None, SimpleNamespace(schedule=None), [1, 2]])
def test_what_has_no_schedule_is_refused(source: object) -> None:
    """Neither a frame nor something with one."""
    assert rules_of(source) == ["no_schedule"]


# --- the index


def test_an_empty_schedule_is_refused() -> None:
    """No row, no slot."""
    assert rules_of(frame(ev_car_kw=[1.0]).iloc[:0]) == ["empty"]


@pytest.mark.parametrize("index", [["2025-03-12T00:00Z", "x"], [0, 1]])
def test_an_index_that_holds_no_times_is_refused(index: list[object]) -> None:
    """Text is not guessed at."""
    problem, other = problems_of(pd.DataFrame({"ev_car_kw": [1.0, math.nan]}, index))
    assert problem.rule == "index_type"
    assert "pandas.to_datetime" in problem.message
    assert other.row == str(index[1])


def test_a_row_without_a_time_is_refused() -> None:
    """The row is named by its number."""
    index = pd.DatetimeIndex([START, pd.NaT])
    (problem,) = problems_of(pd.DataFrame({"ev_car_kw": [1, 2]}, index))
    assert (problem.rule, problem.message) == ("not_a_time", "row 1 (from 0) has no time")


@pytest.mark.parametrize("year", [1969, 9999, 20_000])
def test_times_far_off_are_refused(year: int) -> None:
    """Beyond what can be written with four digits of a year, and before 1970."""
    index = pd.DatetimeIndex(np.array([f"{year}-12-31", f"{year}-12-31T12"], "datetime64[s]"))
    schedule = pd.DataFrame({"ev_car_kw": [1, 2]}, index)
    assert rules_of(schedule, timezone="UTC") == ["time_range", "time_range"]


def test_times_that_do_not_increase_are_refused_by_name() -> None:
    """A repeated time and one that goes back are told apart."""
    index = START + pd.to_timedelta([0, 15, 15, 5, 30, 15], unit="min")
    found = problems_of(pd.DataFrame({"ev_car_kw": range(6)}, index))
    assert [(problem.rule, problem.row) for problem in found] == [
        ("duplicate_time", "2025-03-12T00:15:00+00:00"),
        ("not_increasing", "2025-03-12T00:05:00+00:00"),
        ("duplicate_time", "2025-03-12T00:15:00+00:00"),
    ]


def test_local_times_are_read_in_the_zone_that_is_named() -> None:
    """One in the morning in Berlin is midnight UTC in winter."""
    schedule = pd.DataFrame({"ev_car_kw": [1, 2]}, slots(2, "2025-03-12T01:00"))
    assert take(schedule, timezone="Europe/Berlin").start_us == START_US


def test_a_zone_is_not_needed_where_the_times_have_one() -> None:
    """The times' own offset counts."""
    assert take(frame(ev_car_kw=[1, 2]), timezone="Asia/Tokyo").start_us == START_US


@pytest.mark.parametrize("timezone", ["Europe/Berlim", "Europe", "../etc", ""])
def test_a_zone_that_does_not_exist_is_refused(timezone: str) -> None:
    """By the name that was given."""
    schedule = frame(ev_car_kw=[1, 2]).tz_localize(None)
    (problem,) = problems_of(schedule, timezone=timezone)
    assert (problem.rule, problem.value) == ("timezone", timezone)


@pytest.mark.parametrize(
    ("day", "rule"), [("2025-03-30", "missing_time"), ("2025-10-26", "ambiguous_time")]
)
def test_local_times_that_a_clock_change_makes_doubtful_are_refused(day: str, rule: str) -> None:
    """In Berlin the hour from two is missing in March and there twice in October."""
    schedule = pd.DataFrame({"ev_car_kw": 1.0}, slots(96, day))
    found = problems_of(schedule, timezone="Europe/Berlin")
    assert [(problem.rule, problem.row) for problem in found] == [
        (rule, f"{day}T02:{minute:02}:00") for minute in (0, 15, 30, 45)
    ]


def test_any_resolution_of_the_index_is_read() -> None:
    """Nanoseconds, milliseconds and seconds give the same plan."""
    schedule = frame(ev_car_kw=[1, 2])
    expected = take(schedule)
    for unit in ("s", "ms", "ns"):
        other = schedule.set_axis(slots(2).as_unit(unit), axis=0)
        assert take(other) == expected


def test_the_last_slot_is_as_long_as_the_one_before() -> None:
    """Steps need not be regular."""
    index = START + pd.to_timedelta([0, 5, 65], unit="min")
    intake = take(pd.DataFrame({"ev_car_kw": [1, 2, 3]}, index))
    assert intake.horizon_us == START_US + 125 * 60_000_000
    assert intake.shortest_slot_us == 5 * 60_000_000


def test_a_schedule_of_one_row_needs_the_length_of_its_slot() -> None:
    """With it the horizon is known."""
    schedule = frame(ev_car_kw=[1])
    assert rules_of(schedule) == ["slot"]
    intake = take(schedule, slot=timedelta(minutes=30))
    assert intake.horizon_us == START_US + 2 * QUARTER_US
    assert intake.shortest_slot_us == 2 * QUARTER_US


@pytest.mark.parametrize("slot", [timedelta(0), timedelta(minutes=-5), 900, "15min"])
def test_a_slot_is_a_duration_above_zero(slot: timedelta) -> None:
    """Numbers and texts are not guessed at."""
    assert rules_of(frame(ev_car_kw=[1]), slot=slot) == ["slot"]


# --- now


@pytest.mark.parametrize(
    ("now_us", "first"),
    [
        (START_US - 1, 0),
        (START_US, 0),
        (START_US + QUARTER_US - 1, 0),
        (START_US + QUARTER_US, 1),
        (START_US + 3 * QUARTER_US - 1, 2),
    ],
)
def test_slots_that_are_over_are_dropped(now_us: int, first: int) -> None:
    """The slot running now stays, and its value is a change whatever was before it."""
    intake = take(frame(ev_car_kw=[5, 5, 5]), now_us)
    assert intake.start_us == START_US + first * QUARTER_US
    assert changes_of(intake) == [(first, "CHARGE", 5_000)]


def test_a_schedule_that_is_over_is_refused() -> None:
    """From its horizon on there is nothing left of it."""
    (problem,) = problems_of(frame(ev_car_kw=[5, 5, 5]), START_US + 3 * QUARTER_US)
    assert problem.rule == "past"


def test_slots_that_are_over_are_checked_all_the_same() -> None:
    """A schedule is taken whole or not at all."""
    (problem,) = problems_of(frame(ev_car_kw=[-1, 5, 5]), START_US + QUARTER_US)
    assert problem.rule == "negative"


def test_the_digest_stays_the_same_as_time_passes() -> None:
    """It tells content apart, not the moment at which it was read."""
    schedule = frame(ev_car_kw=[5, 6, 7])
    digest = take(schedule).digest
    assert take(schedule.copy(), START_US + QUARTER_US).digest == digest
    assert take(frame(ev_car_kw=[5, 6, 7.002])).digest != digest
    assert take(frame(ev_bus_kw=[5, 6, 7])).digest != digest
    assert take(schedule.set_axis(slots(3, "2025-03-13T00:00Z"), axis=0)).digest != digest


# --- out


def test_records_become_a_frame_of_their_keys() -> None:
    """One row a record; what one does not have is missing."""
    records: list[dict[str, object]] = [{"a": 1, "b": "x"}, {"a": 2}]
    found = to_frame(iter(records))
    assert found.columns.tolist() == ["a", "b"]
    assert found["a"].tolist() == [1, 2]
    assert found["b"].isna().tolist() == [False, True]


def test_named_columns_are_there_without_records_too() -> None:
    """An empty history is an empty table with its columns."""
    assert to_frame([], ("id", "status")).columns.tolist() == ["id", "status"]
    assert to_frame([{"status": "x", "id": 1, "more": 2}], ("id", "status")).shape == (1, 2)
