"""The powers of a schedule: kilowatts in columns, checked, as whole watts and packed changes."""

import functools
import math
from collections.abc import Hashable, Iterator, Mapping, Sequence
from typing import Any, Final, TypeAlias

import attrs
import numpy as np
import numpy.typing as npt
import pandas as pd

from engine.errors import Problem
from engine.frames.index import row_name
from engine.intake import Matching
from engine.plans import Plan
from engine.rules import AssetRules
from engine.site.load import COLUMN
from engine.types import W_PER_KW, AssetId, AssetKind

ABSENT: Final = -1
"""The position of a column that the schedule does not have."""

_CHANGE_W: Final = 1
"""A value within this of the last one emitted is no change."""

_MAX_W: Final = 2**31 - 1

Dtype: TypeAlias = "np.dtype[Any] | pd.api.extensions.ExtensionDtype"

Watts: TypeAlias = npt.NDArray[np.int32]


@attrs.frozen(eq=False)
class Layout:
    """Where each channel stands in the arrays: the chargers' one by one, then the batteries' pairs.

    ``positions`` are the frame's columns (``ABSENT`` for none), ``names`` theirs, ``limits_w`` the
    most that each may be; ``order`` has the assets as the frame's columns name them.
    """

    chargers: Sequence[AssetId]
    batteries: Sequence[AssetId]
    order: Sequence[AssetId]
    positions: list[int]
    names: Sequence[str]
    limits_w: npt.NDArray[np.float64]


def lay_out(
    columns: Sequence[Hashable], matching: Matching, assets: Mapping[AssetId, AssetRules]
) -> Layout:
    """Return where the channels of the assets that a frame's columns name stand."""
    first = matching.charge.copy()
    for asset, position in matching.discharge.items():
        first[asset] = min(position, first.get(asset, position))
    order = sorted(first, key=first.__getitem__)
    batteries = [asset for asset in order if assets[asset].kind is AssetKind.BATTERY]
    chargers = [asset for asset in order if assets[asset].kind is AssetKind.EV_CHARGER]
    positions = [matching.charge[asset] for asset in chargers]
    limits_w = [assets[asset].max_charge_w for asset in chargers]
    for asset in batteries:
        positions += (matching.charge.get(asset, ABSENT), matching.discharge.get(asset, ABSENT))
        limits_w += (assets[asset].max_charge_w, assets[asset].max_discharge_w)
    names = ["" if position == ABSENT else str(columns[position]) for position in positions]
    limits = np.minimum(np.asarray(limits_w, dtype=np.float64), _MAX_W)
    return Layout(chargers, batteries, order, positions, names, limits)


# --- kilowatts


def read_kw(frame: pd.DataFrame, layout: Layout) -> tuple[npt.NDArray[np.float64], list[Problem]]:
    """Return the powers in kW, channels by rows, and the cells that hold no number.

    A cell without a number is 0 in the array; a missing value of a numeric column is NaN.
    """
    dtypes: list[Dtype] = frame.dtypes.tolist()
    numeric = {dtype: _is_numeric(dtype) for dtype in dict.fromkeys(dtypes)}
    if all(numeric.values()) and ABSENT not in layout.positions:
        return _numeric_kw(frame)[layout.positions], []
    wanted = [(at, position) for at, position in enumerate(layout.positions) if position != ABSENT]
    plain = [(at, position) for at, position in wanted if numeric[dtypes[position]]]
    kw = np.zeros((len(layout.positions), len(frame)))
    kw[[at for at, _ in plain]] = _numeric_kw(frame.iloc[:, [position for _, position in plain]])
    problems: list[Problem] = []
    for at, position in wanted:
        if not numeric[dtypes[position]]:
            kw[at], found = _read_odd(frame.iloc[:, position], layout.names[at])
            problems += found
    return kw, problems


def _numeric_kw(frame: pd.DataFrame) -> npt.NDArray[np.float64]:
    return frame.to_numpy(dtype=np.float64, na_value=np.nan).T


def _is_numeric(dtype: Dtype) -> bool:
    types = pd.api.types
    return (
        types.is_numeric_dtype(dtype)
        and not types.is_bool_dtype(dtype)
        and not types.is_complex_dtype(dtype)
    )


def _read_odd(series: "pd.Series[Any]", name: str) -> tuple[list[float], list[Problem]]:
    """Return the numbers of a column that is not numeric, and why it is not."""
    kw = []
    problems = []
    for row, cell in enumerate(series.tolist()):
        number = _number(cell)
        kw.append(0.0 if number is None else number)
        if number is None:
            rule, message = _verdict(cell)
            where = row_name(series.index, row)
            problems.append(Problem(rule, message, where, name, str(cell)))
    if not problems:
        message = f"the column holds {series.dtype}; give it a numeric type"
        problems.append(Problem("dtype", message, column=name))
    return kw, problems


def _number(cell: object) -> float | None:
    if isinstance(cell, bool) or not isinstance(cell, int | float | np.integer | np.floating):
        return None
    try:
        return float(cell)
    except OverflowError:
        return math.inf


def _verdict(cell: object) -> tuple[str, str]:
    """Return the rule that a cell breaks that is no number, and a message."""
    if isinstance(cell, bool | np.bool_):
        return "boolean", "a truth value is not a power"
    if isinstance(cell, str):
        return "string", "text is not a power"
    if cell is None or cell is pd.NA or cell is pd.NaT:
        return "missing", "no value"
    return "dtype", f"{type(cell).__name__} is not a power"


# --- whole watts


@attrs.frozen(eq=False)
class Excess:
    """A power above its limit: the channel, the row, and what was asked for."""

    at: int
    row: int
    asked_kw: float


def to_watts(
    kw: npt.NDArray[np.float64], layout: Layout, index: pd.Index, *, clamp: bool
) -> tuple[Watts, list[Excess], list[Problem]]:
    """Return powers as whole watts, channels by rows, what was clamped, and what is refused.

    Rounding (half to even) comes first: a residue of -1e-9 kW is 0, not negative.
    """
    with np.errstate(over="ignore", invalid="ignore"):
        watts = np.rint(kw * W_PER_KW)
    limits_w = layout.limits_w[:, np.newaxis]
    taken = (watts >= 0) & (watts <= limits_w)
    if taken.all():
        return watts.astype(np.int32), [], []
    name_of = functools.cache(functools.partial(row_name, index))
    excesses = []
    problems = []
    for at, row in np.argwhere(~taken).tolist():
        value_kw = float(kw[at, row])
        rule, message = _breach(value_kw, layout.limits_w[at])
        if clamp and rule == "above_limit":
            excesses.append(Excess(at, row, value_kw))
        else:
            name = layout.names[at]
            problems.append(Problem(rule, message, name_of(row), name, str(value_kw)))
    watts = np.minimum(np.where(watts >= 0, watts, 0), limits_w)
    return watts.astype(np.int32), excesses, problems


def _breach(value_kw: float, limit_w: float) -> tuple[str, str]:
    if math.isnan(value_kw):
        return "missing", "no value"
    if math.isinf(value_kw):
        return "infinite", "not a finite power"
    if value_kw < 0:
        return "negative", "below zero"
    return "above_limit", f"above the limit of {limit_w / W_PER_KW:g} kW"


def both_ways(watts: Watts, layout: Layout, index: pd.Index) -> Iterator[Problem]:
    """Yield the slots in which a battery would be charged and discharged at once."""
    first = len(layout.chargers)
    charge, discharge = watts[first::2], watts[first + 1 :: 2]
    for pair, row in np.argwhere((charge > 0) & (discharge > 0)).tolist():
        at = first + 2 * pair
        kw = f"{charge[pair, row] / W_PER_KW} and {discharge[pair, row] / W_PER_KW}"
        names = " and ".join(layout.names[at : at + 2])
        message = "charge and discharge are both above zero"
        yield Problem("both_directions", message, row_name(index, row), names, kw)


class Load:
    """The base load of a frame: its column, in whole watts."""

    def __init__(self, frame: pd.DataFrame, columns: Sequence[Hashable]) -> None:
        """Read it; a value that is no power is a problem."""
        own, limit = AssetId(COLUMN), np.full(1, float(_MAX_W))
        self._layout = Layout([own], [], [own], [columns.index(COLUMN)], [COLUMN], limit)
        kw, odd = read_kw(frame, self._layout)
        self._watts, _, outside = to_watts(kw, self._layout, frame.index, clamp=False)
        self.problems = [*odd, *outside]

    def beside(self, watts: Watts) -> Watts:
        """Return powers with the load as one channel more."""
        return np.concatenate((watts, self._watts))

    def plan(self, first: int, starts_us: npt.NDArray[np.int64]) -> Plan:
        """Return it from a row on, packed; ``starts_us`` is when each of these rows begins."""
        (packed,) = pack_all(self._watts[:, first:], starts_us, self._layout).values()
        return packed


# --- changes


def changes(watts: Watts) -> npt.NDArray[np.bool_]:
    """Return which values are changes, channels by rows: more than 1 W from the last one emitted.

    The first of each channel is one. Where neighbours never lie exactly 1 W apart, a value differs
    from the last one emitted as it does from its neighbour; only other channels are followed row
    by row.
    """
    step_w = np.abs(np.diff(watts, axis=1))
    changed = np.ones(watts.shape, dtype=bool)
    changed[:, 1:] = step_w > _CHANGE_W
    drifting = np.flatnonzero((step_w == _CHANGE_W).any(axis=1))
    if drifting.size:
        changed[drifting] = _followed(np.ascontiguousarray(watts[drifting].T)).T
    return changed


def _followed(watts: Watts) -> npt.NDArray[np.bool_]:
    changed = np.ones(watts.shape, dtype=bool)
    emitted = watts[0]
    for row in range(1, len(watts)):
        changed[row] = np.abs(watts[row] - emitted) > _CHANGE_W
        emitted = np.where(changed[row], watts[row], emitted)
    return changed


def pack_all(watts: Watts, starts_us: npt.NDArray[np.int64], layout: Layout) -> dict[AssetId, Plan]:
    """Return the packed plan of each asset, in the order of the frame's columns.

    ``watts`` is channels by rows, ``starts_us`` when each row begins.
    """
    changed = changes(watts)
    n, rows = len(layout.chargers), len(starts_us)
    alone = ((name,) for name in layout.names[:n])
    pairs = zip(layout.names[n::2], layout.names[n + 1 :: 2], strict=True)
    channel = np.zeros((n, rows), dtype=np.uint8)
    single = _Changes(changed[:n, :, np.newaxis], watts[:n, :, np.newaxis], channel)
    plans = dict(zip(layout.chargers, _packed(single, starts_us, alone), strict=True))
    double = _in_order(changed[n:].reshape(-1, 2, rows), watts[n:].reshape(-1, 2, rows))
    plans.update(zip(layout.batteries, _packed(double, starts_us, pairs), strict=True))
    return plans if not n or not layout.batteries else {a: plans[a] for a in layout.order}


@attrs.frozen(eq=False)
class _Changes:
    """Values and which of them are changes, assets by rows by channels in order of dispatch."""

    changed: npt.NDArray[np.bool_]
    watts: Watts
    channel: npt.NDArray[np.uint8]


def _in_order(changed: npt.NDArray[np.bool_], watts: Watts) -> _Changes:
    """Return pairs (batteries by 2 by rows) with the channel that goes to zero in front."""
    first = (watts[:, 0] > 0).astype(np.uint8)
    channel = np.stack((first, 1 - first), axis=2)
    return _Changes(
        np.take_along_axis(changed.transpose(0, 2, 1), channel, axis=2),
        np.take_along_axis(watts.transpose(0, 2, 1), channel, axis=2),
        channel,
    )


def _packed(
    values: _Changes, starts_us: npt.NDArray[np.int64], columns: Iterator[tuple[str, ...]]
) -> Iterator[Plan]:
    assets, rows, width = values.changed.shape
    found = np.flatnonzero(values.changed)
    due = starts_us[found // width % rows].astype("<i8").tobytes()
    channel = values.channel.ravel()[found].tobytes()
    watts = values.watts.ravel()[found].astype("<i4").tobytes()
    ends = np.searchsorted(found, np.arange(assets + 1) * (rows * width)).tolist()
    for names, start, end in zip(columns, ends[:-1], ends[1:], strict=True):
        yield Plan(names, due[8 * start : 8 * end], channel[start:end], watts[4 * start : 4 * end])
