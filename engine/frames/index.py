"""The index of a schedule: its slots on the plan clock."""

from datetime import timedelta
from typing import Final
from zoneinfo import ZoneInfo

import attrs
import numpy as np
import numpy.typing as npt
import pandas as pd

from engine.errors import Problem
from engine.intake import Intent

_YEARS: Final = (1970, 9998)
_MICROSECOND: Final = timedelta(microseconds=1)


@attrs.frozen(eq=False)
class Slots:
    """The slots of a schedule: when each begins and when the last ends.

    ``starts_us`` (one per row, int64, increasing) and ``horizon_us`` are microseconds since 1970
    UTC, plan clock.
    """

    starts_us: npt.NDArray[np.int64]
    horizon_us: int

    @property
    def shortest_us(self) -> int:
        """The length of the shortest slot."""
        return int(np.diff(self.starts_us, append=self.horizon_us).min())

    def running_at(self, plan_us: int | None) -> int:
        """Return the row of the slot that runs then, or the first that is still to come.

        It is the first where no moment is given, and one past the last when all slots are over.
        """
        if plan_us is None:
            return 0
        if plan_us >= self.horizon_us:
            return len(self.starts_us)
        return max(0, int(np.searchsorted(self.starts_us, plan_us, side="right")) - 1)


def row_name(index: pd.Index, row: int) -> str:
    """Return what a row is called in a message: its time in ISO 8601 where it has one."""
    label = index[row]
    return label.isoformat() if isinstance(label, pd.Timestamp) else str(label)


def read_slots(index: pd.Index, intent: Intent) -> tuple[Slots | None, list[Problem]]:
    """Return the slots of an index, or null and all that is wrong with it.

    The index must hold times with a time zone (or ``intent.timezone`` name it), unique and
    increasing; a single one needs ``intent.slot``.
    """
    if len(index) == 0:
        return None, [Problem("empty", "the schedule has no rows")]
    if not isinstance(index, pd.DatetimeIndex):
        message = (
            f"the index holds {index.dtype}, not times; convert it with pandas.to_datetime(…,"
            " utc=True)"
        )
        return None, [Problem("index_type", message)]
    problems = [
        Problem("not_a_time", f"row {row} (from 0) has no time", row="NaT")
        for row in np.flatnonzero(index.isna()).tolist()
    ]
    problems += _out_of_range(index)
    if problems:
        return None, problems
    aware, problems = localised(index, intent.timezone)
    if aware is None:
        return None, problems
    starts_us = aware.as_unit("us").tz_convert("UTC").asi8
    problems = _unordered(aware, starts_us)
    length_us, slot_problems = _last_slot(starts_us, intent.slot)
    problems += slot_problems
    return (None if problems else Slots(starts_us, int(starts_us[-1]) + length_us)), problems


def localised(
    index: pd.DatetimeIndex, timezone: str | None
) -> tuple[pd.DatetimeIndex | None, list[Problem]]:
    """Return an index with a time zone: its own, else the one named.

    Local times that occur twice or not at all on a day on which the clock changes are refused by
    name. An index with a time zone is returned as it is.
    """
    if index.tz is not None:
        return index, []
    if timezone is None:
        message = "the times have no time zone; name it with timezone="
        return None, [Problem("naive", message)]
    try:
        zone = ZoneInfo(timezone)
    except (KeyError, OSError, ValueError):
        return None, [Problem("timezone", "no such time zone", value=timezone)]
    either = np.ones(len(index), dtype=bool)
    missing = index.tz_localize(zone, ambiguous=either, nonexistent="NaT")
    twice = index.tz_localize(zone, ambiguous="NaT", nonexistent="shift_forward")
    problems = [
        Problem(rule, f"this local time {happens} in {timezone}", row=row_name(index, row))
        for rule, happens, found in (
            ("missing_time", "does not exist", missing),
            ("ambiguous_time", "occurs twice", twice),
        )
        for row in np.flatnonzero(found.isna()).tolist()
    ]
    return (None if problems else twice), problems


def _out_of_range(index: pd.DatetimeIndex) -> list[Problem]:
    first, last = _YEARS
    years = index.year
    return [
        Problem("time_range", f"not in the years {first} to {last}", row=row_name(index, row))
        for row in np.flatnonzero((years < first) | (years > last)).tolist()
    ]


def _unordered(index: pd.DatetimeIndex, starts_us: npt.NDArray[np.int64]) -> list[Problem]:
    repeated = pd.Index(starts_us).duplicated()
    problems = []
    for row in (np.flatnonzero(np.diff(starts_us) <= 0) + 1).tolist():
        rule, message = (
            ("duplicate_time", "the time is there already")
            if repeated[row]
            else ("not_increasing", "the time is before the one above it")
        )
        problems.append(Problem(rule, message, row=row_name(index, row)))
    return problems


def _last_slot(starts_us: npt.NDArray[np.int64], slot: object) -> tuple[int, list[Problem]]:
    """Return the length of the last slot, which is as long as the one before it."""
    if len(starts_us) > 1:
        return int(starts_us[-1] - starts_us[-2]), []
    if slot is None:
        what = "one row does not say how long its slot is: add a second one, or give slot="
        return 0, [Problem("slot", what)]
    if not isinstance(slot, timedelta) or slot < _MICROSECOND:
        return 0, [Problem("slot", "not a duration above zero", value=str(slot))]
    return slot // _MICROSECOND, []
