"""The base load in a schedule: a column of its own, where the site has an import limit."""

import pandas as pd
import pytest

from actors.testing.schedules import SITE
from engine.errors import ScheduleRefused
from engine.frames import read_schedule
from engine.types import Channel

INDEX = pd.date_range("2026-03-02T06:00Z", periods=3, freq="15min")
KEY = next(one.schedule_key for one in SITE.values() if one.kind == "ev_charger")


def frame(load: list[object]) -> pd.DataFrame:
    """Return a schedule of one charger beside a base load."""
    return pd.DataFrame({f"ev_{KEY}_kw": [1.0, 2.0, 3.0], "load_kw": load}, index=INDEX)


def test_a_load_is_packed_as_plans_are() -> None:
    """In whole watts, each value from its slot on; it is not an ignored column then."""
    intake = read_schedule(frame([4.0, 4.0, 9.0004]), SITE, load=True)
    assert intake.load is not None
    assert [(one.channel, one.watts) for one in intake.load.changes()] == [
        (Channel.CHARGE, 4_000),
        (Channel.CHARGE, 9_000),
    ]
    assert intake.load.columns == ("load_kw",)
    assert intake.ignored_columns == ()


def test_a_load_that_nobody_asked_for_is_ignored() -> None:
    """Without a limit there is nothing that it could bound."""
    intake = read_schedule(frame([4.0, float("nan"), -1.0]), SITE)
    assert intake.load is None
    assert intake.ignored_columns == ("load_kw",)


def test_a_schedule_need_not_have_one() -> None:
    """Then the base load is what it was."""
    assert read_schedule(frame([1, 2, 3]).drop(columns="load_kw"), SITE, load=True).load is None


def test_slots_that_are_over_are_left_out_of_it() -> None:
    """It begins with the slot that runs."""
    now_us = int(INDEX[1].timestamp() * 1_000_000)
    intake = read_schedule(frame([4, 5, 6]), SITE, load=True, now_us=now_us)
    assert intake.load is not None
    assert [one.watts for one in intake.load.changes()] == [5_000, 6_000]


@pytest.mark.parametrize(
    ("value", "rule"),
    [(float("nan"), "missing"), (-1.0, "negative"), (float("inf"), "infinite"), ("x", "string")],
)
def test_a_load_that_is_no_power_is_refused(value: object, rule: str) -> None:
    """With the row and the column, as any power."""
    with pytest.raises(ScheduleRefused) as refused:
        read_schedule(frame([4.0, value, 5.0]), SITE, load=True)
    (problem,) = refused.value.problems
    assert (problem.rule, problem.column) == (rule, "load_kw")


def test_another_load_is_another_schedule() -> None:
    """The same powers beside it are not the same content."""
    digests = {read_schedule(frame([kw, 4, 4]), SITE, load=True).digest for kw in (4, 5)}
    assert len(digests) == 2
