"""The bench ``convert``: a wide schedule to packed plans, beside a loop over its columns."""

import gc
import math
import statistics
import time
from array import array
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import pairwise
from typing import Final

import attrs
import numpy as np
import pandas as pd

from engine.errors import Problem, ScheduleRefused
from engine.frames import read_schedule
from engine.plans import Plan
from engine.rules import AssetRules
from engine.types import AssetId, AssetKind, Channel, iso

ASSETS: Final = 10_000
SLOTS: Final = 96
FLOOR: Final = 5.0

_BATTERY_EVERY: Final = 10
_CHANGES_PER_COLUMN: Final = 16.0
_LIMIT_W: Final = 22_000


def rules(assets: int) -> dict[AssetId, AssetRules]:
    """Return the rules of a site: every tenth asset is a battery, the others are chargers."""
    return {AssetId(f"ast_{n:05}"): _rules(n) for n in range(assets)}


def _rules(n: int) -> AssetRules:
    kind = AssetKind.EV_CHARGER if n % _BATTERY_EVERY else AssetKind.BATTERY
    discharge_w = 0 if n % _BATTERY_EVERY else _LIMIT_W
    return AssetRules(AssetId(f"ast_{n:05}"), kind, "bench", f"{n:05}", _LIMIT_W, discharge_w)


def frame(assets: int, slots: int, seed: int) -> pd.DataFrame:
    """Return a schedule in kW, slots by channels, quarter-hours from 2025-01-01 UTC.

    Its powers have four decimals and change about 16 times a day and channel.
    """
    random = np.random.default_rng(seed)
    names = [name for n in range(assets) for name in _names(n)]
    asked = np.round(random.uniform(0, _LIMIT_W / 1000, (slots, len(names))), 4)
    held = random.random((slots, len(names))) >= _CHANGES_PER_COLUMN / SLOTS
    held[0] = False
    asked[held] = np.nan
    index = pd.date_range("2025-01-01", periods=slots, freq="15min", tz="UTC")
    schedule = pd.DataFrame(asked, index, names).ffill()
    charge = np.flatnonzero([name.endswith("_charge_kw") for name in names])
    powers = schedule.to_numpy(copy=True)
    charging = powers[:, charge] > powers[:, charge + 1]
    powers[:, charge] *= charging
    powers[:, charge + 1] *= ~charging
    return pd.DataFrame(powers, index, names)


def _names(n: int) -> tuple[str, ...]:
    if n % _BATTERY_EVERY:
        return (f"ev_{n:05}_kw",)
    return f"battery_{n:05}_charge_kw", f"battery_{n:05}_discharge_kw"


# --- the loop that the bench is measured by


def reference(schedule: pd.DataFrame, assets: Mapping[AssetId, AssetRules]) -> dict[AssetId, Plan]:
    """Return packed plans by a plain loop over ``column.tolist()``, all checks included.

    Raises:
        ScheduleRefused: anything is wrong with it; all problems at once.
    """
    problems: list[Problem] = []
    starts_us = _starts(schedule, problems)
    owners = _owners(assets)
    series: dict[AssetId, dict[Channel, tuple[str, list[int]]]] = {}
    for column in schedule.columns:
        if column in owners:
            asset, channel, limit_w = owners[column]
            watts = _watts(schedule[column].tolist(), limit_w, (column, starts_us), problems)
            series.setdefault(asset, {})[channel] = (column, watts)
    plans = {asset: _plan(channels, starts_us, problems) for asset, channels in series.items()}
    if problems:
        raise ScheduleRefused(tuple(problems))
    return plans


def _starts(schedule: pd.DataFrame, problems: list[Problem]) -> list[int]:
    starts_us = [int(start.timestamp()) * 1_000_000 for start in schedule.index]
    if any(one >= other for one, other in pairwise(starts_us)):
        problems.append(Problem("not_increasing", "the times do not increase"))
    if len(set(schedule.columns)) < len(schedule.columns):
        problems.append(Problem("duplicate_column", "a column is there twice"))
    return starts_us


def _owners(
    assets: Mapping[AssetId, AssetRules],
) -> dict[str, tuple[AssetId, Channel, int]]:
    owners = {}
    for asset, own in assets.items():
        key = own.schedule_key
        if own.kind is AssetKind.EV_CHARGER:
            owners[f"ev_{key}_kw"] = (asset, Channel.CHARGE, own.max_charge_w)
        else:
            owners[f"battery_{key}_charge_kw"] = (asset, Channel.CHARGE, own.max_charge_w)
            discharge = (asset, Channel.DISCHARGE, own.max_discharge_w)
            owners[f"battery_{key}_discharge_kw"] = discharge
    return owners


def _watts(
    cells: list[float],
    limit_w: int,
    where: tuple[str, Sequence[int]],
    problems: list[Problem],
) -> list[int]:
    found = []
    for row, cell in enumerate(cells):
        kw = cell
        if type(kw) is not float or not math.isfinite(kw):
            problems.append(Problem("number", "no number", iso(where[1][row]), where[0]))
            kw = 0.0
        watts = round(kw * 1000)
        if not 0 <= watts <= limit_w:
            problems.append(Problem("range", "out of range", iso(where[1][row]), where[0], str(kw)))
        found.append(watts)
    return found


def _plan(
    channels: dict[Channel, tuple[str, list[int]]],
    starts_us: Sequence[int],
    problems: list[Problem],
) -> Plan:
    columns = tuple(channels[channel][0] for channel in sorted(channels))
    if len(channels) == 1:
        changes = _single(channels[Channel.CHARGE][1], starts_us)
    else:
        powers = (channels[Channel.CHARGE][1], channels[Channel.DISCHARGE][1])
        for start_us, charge_w, discharge_w in zip(starts_us, *powers, strict=True):
            if charge_w > 0 and discharge_w > 0:
                problems.append(Problem("both", "both above zero", iso(start_us), columns[0]))
        changes = _double(*powers, starts_us)
    due, channel, watts = array("q"), bytearray(), array("i")
    for start_us, which, value in changes:
        due.append(start_us)
        channel.append(which)
        watts.append(value)
    return Plan(columns, due.tobytes(), bytes(channel), watts.tobytes())


def _single(watts: list[int], starts_us: Sequence[int]) -> Iterator[tuple[int, int, int]]:
    emitted = None
    for start_us, value in zip(starts_us, watts, strict=True):
        if emitted is None or not -1 <= value - emitted <= 1:
            yield start_us, 0, value
            emitted = value


def _double(
    charge_w: list[int], discharge_w: list[int], starts_us: Sequence[int]
) -> Iterator[tuple[int, int, int]]:
    changes = [
        (start_us, value > 0, channel, value)
        for channel, watts in enumerate((charge_w, discharge_w))
        for start_us, _, value in _single(watts, starts_us)
    ]
    changes.sort()
    for start_us, _, channel, value in changes:
        yield start_us, channel, value


# --- the measurement


@attrs.frozen
class _Timed:
    """What a run gave and how long it took."""

    plans: dict[AssetId, Plan]
    seconds: float


def _timed(work: Callable[[], dict[AssetId, Plan]]) -> _Timed:
    gc.collect()
    begun = time.perf_counter()
    plans = work()
    return _Timed(plans, time.perf_counter() - begun)


def measure(runs: int = 5, assets: int = ASSETS, slots: int = SLOTS) -> dict[str, object]:
    """Return plans per second beside those of the loop, medians of runs that take turns.

    Raises:
        ValueError: the two do not give the same plans.
    """
    schedule, site = frame(assets, slots, seed=1), rules(assets)
    own_s, loop_s = [], []
    changes = 0
    for _ in range(runs):
        loop = _timed(lambda: reference(schedule, site))
        own = _timed(lambda: read_schedule(schedule, site).plans)
        if own.plans != loop.plans:
            raise ValueError("the two conversions differ")
        changes = sum(map(len, own.plans.values()))
        own_s.append(own.seconds)
        loop_s.append(loop.seconds)
    value, limit = changes / statistics.median(own_s), changes / statistics.median(loop_s)
    return {
        "bench": "convert",
        "value": value,
        "unit": "changes/s",
        "limit": limit,
        "limit_name": "a loop over column.tolist() with the same checks",
        "ratio": value / limit,
        "floor": FLOOR,
        "runs": runs,
        "changes": changes,
        "seconds": own_s,
        "limit_seconds": loop_s,
    }
