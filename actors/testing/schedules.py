"""Small schedules and what is taken from them, for tests of the intake."""

import random
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Literal, TypedDict, Unpack

import numpy.typing as npt
import pandas as pd

from engine.errors import Problem, ScheduleRefused
from engine.frames import read_schedule
from engine.intake import Intake, Intent
from engine.rules import AssetRules
from engine.types import AssetId, AssetKind, to_us

CAR, BUS, BATT = AssetId("ast_car"), AssetId("ast_bus"), AssetId("ast_batt")
SITE = {
    CAR: AssetRules(CAR, AssetKind.EV_CHARGER, "test", "car", 22_000),
    BUS: AssetRules(BUS, AssetKind.EV_CHARGER, "test", "bus", 22_000),
    BATT: AssetRules(BATT, AssetKind.BATTERY, "test", "battery", 10_000, 8_000),
}
QUARTER_US = 900_000_000
START = pd.Timestamp("2025-03-12T00:00Z")
START_US = to_us(START)
CHARGE, DISCHARGE = "battery_charge_kw", "battery_discharge_kw"


class Words(TypedDict, total=False):
    """What a caller may say of a schedule."""

    timezone: str
    limits: Literal["refuse", "clamp"]
    slot: timedelta


def rolling(
    source: random.Random,
    begins: datetime,
    count: int,
    keys: tuple[Sequence[str], Sequence[str]],
    calm: float,
) -> pd.DataFrame:
    """Return quarter-hours from an aware time on, drawn from a seeded source.

    Args:
        source: what is drawn from.
        begins: the start of the first slot.
        count: how many slots.
        keys: the vehicles' and the batteries' ids.
        calm: how likely a value is that of the slot before.
    """
    columns: dict[str, list[float]] = {}
    for key in keys[0]:
        columns[f"ev_{key}_kw"] = _steps(source, count, (0.0, 4.2, 7.4, 11.0, 22.0), calm)
    for key in keys[1]:
        powers = _steps(source, count, (0.0, 10.0, 25.5, -10.0, -30.0), calm)
        columns[f"battery_{key}_charge_kw"] = [max(one, 0.0) for one in powers]
        columns[f"battery_{key}_discharge_kw"] = [max(-one, 0.0) for one in powers]
    index = pd.date_range(pd.Timestamp(begins), periods=count, freq="15min")
    return pd.DataFrame(columns, index=index)


def _steps(source: random.Random, count: int, values: Sequence[float], calm: float) -> list[float]:
    steps: list[float] = []
    for _ in range(count):
        keeps = bool(steps) and source.random() < calm
        steps.append(steps[-1] if keeps else source.choice(values))
    return steps


def slots(count: int, start: str = "2025-03-12T00:00Z") -> pd.DatetimeIndex:
    """Return the starts of quarter-hours."""
    return pd.date_range(start, periods=count, freq="15min")


def begun_at(
    begins: datetime, step: timedelta, columns: Mapping[str, Sequence[float]]
) -> pd.DataFrame:
    """Return a schedule of slots that last so long each, from an aware time on, in kW."""
    count = max(map(len, columns.values()))
    index = pd.DatetimeIndex([pd.Timestamp(begins + number * step) for number in range(count)])
    return pd.DataFrame(dict(columns), index)


def frame(**columns: list[Any] | npt.NDArray[Any]) -> pd.DataFrame:
    """Return a schedule of quarter-hours from START."""
    return pd.DataFrame(columns, slots(len(next(iter(columns.values())))))


def take(source: object, now_us: int | None = None, **intent: Unpack[Words]) -> Intake:
    """Return what is taken from a schedule."""
    return read_schedule(source, SITE, Intent(**intent), now_us=now_us)


def problems_of(
    source: object, now_us: int | None = None, **intent: Unpack[Words]
) -> tuple[Problem, ...]:
    """Return why a schedule is refused."""
    try:
        take(source, now_us, **intent)
    except ScheduleRefused as refused:
        return refused.problems
    raise AssertionError("the schedule was not refused")


def rules_of(source: object, **intent: Unpack[Words]) -> list[str]:
    """Return the rules that a schedule breaks."""
    return [problem.rule for problem in problems_of(source, **intent)]


def changes_of(intake: Intake, asset: AssetId = CAR) -> list[tuple[int, str, int]]:
    """Return row (0 is the first slot of START), channel and watts of each change."""
    return [
        ((change.due_us - START_US) // QUARTER_US, change.channel.name, change.watts)
        for change in intake.plans[asset].changes()
    ]
