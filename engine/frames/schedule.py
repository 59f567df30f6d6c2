"""A schedule as it is handed in: checked as a whole, and taken as packed plans or refused."""

import enum
import hashlib
from collections.abc import Mapping
from typing import Final

import pandas as pd

from engine.errors import Problem, ScheduleRefused
from engine.frames import powers
from engine.frames.index import Slots, read_slots
from engine.intake import Clamp, Intake, Intent, match
from engine.rules import AssetRules
from engine.site.load import COLUMN
from engine.types import AssetId, iso, to_kw

_ACCEPTED: Final = ("optimal", "feasible", "ok", "success")
_DEFAULT: Final = Intent()


def read_schedule(
    source: object,
    assets: Mapping[AssetId, AssetRules],
    intent: Intent = _DEFAULT,
    *,
    now_us: int | None = None,
    load: bool = False,
) -> Intake:
    """Return a schedule as packed plans, one per asset that it names (specification 2).

    ``source`` is a frame, or anything with one as its ``schedule`` (an optimiser's result, whose
    ``status``, if it has one, must be good): one row per slot, indexed by its start with a time
    zone; columns in kW, ``ev_{id}_kw``, ``battery_charge_kw``, ``battery_discharge_kw`` or
    ``battery_{id}_charge_kw`` and ``battery_{id}_discharge_kw``. Of a battery one of the two may be
    left out and is then planned as 0. Other columns are ignored. Slots that are over at
    ``now_us`` (plan clock, microseconds since 1970 UTC) are checked and dropped; the first that is
    left is a change on every channel. With ``load`` the column ``load_kw`` is the base load.

    Raises:
        ScheduleRefused: anything is wrong with it; all problems at once.
    """
    if intent.unusable:
        raise ScheduleRefused(intent.unusable)
    frame = _frame(source)
    columns = frame.columns.tolist()
    matching = match(columns, assets, intent.asset_map)
    slots, problems = read_slots(frame.index, intent)
    problems += [*intent.problems, *matching.problems]
    layout = powers.lay_out(columns, matching, assets)
    kw, odd = powers.read_kw(frame, layout)
    watts, excesses, outside = powers.to_watts(
        kw, layout, frame.index, clamp=intent.limits == "clamp"
    )
    problems += [*odd, *outside, *powers.both_ways(watts, layout, frame.index)]
    base = powers.Load(frame, columns) if load and COLUMN in columns else None
    problems += () if base is None else base.problems
    first = 0 if slots is None else slots.running_at(now_us)
    if first == len(frame) > 0:
        problems.append(Problem("past", "all slots are over"))
    if slots is None or problems:
        raise ScheduleRefused(tuple(problems))
    starts_us = slots.starts_us[first:]
    return Intake(
        start_us=int(starts_us[0]),
        horizon_us=slots.horizon_us,
        shortest_slot_us=slots.shortest_us,
        plans=powers.pack_all(watts[:, first:], starts_us, layout),
        ignored_columns=tuple(one for one in matching.ignored if base is None or one != COLUMN),
        clamped=tuple(_clamp(e, watts, slots, layout) for e in excesses if e.row >= first),
        digest=_digest(slots, watts if base is None else base.beside(watts), layout),
        load=None if base is None else base.plan(first, starts_us),
    )


def _frame(source: object) -> pd.DataFrame:
    """Return the frame that was handed in, or that of an optimiser's result."""
    if isinstance(source, pd.DataFrame):
        return source
    status = getattr(source, "status", None)
    if status is not None and _word(status) not in _ACCEPTED:
        message = "the optimiser's result is not a solution"
        raise ScheduleRefused((Problem("status", message, value=str(status)),))
    schedule = getattr(source, "schedule", None)
    if not isinstance(schedule, pd.DataFrame):
        message = f"{type(source).__name__} is no DataFrame and has none as its schedule"
        raise ScheduleRefused((Problem("no_schedule", message),))
    return schedule


def _word(status: object) -> str:
    if isinstance(status, enum.Enum):
        status = status.value if isinstance(status.value, str) else status.name
    return str(status).lower()


def _clamp(
    excess: powers.Excess, watts: powers.Watts, slots: Slots, layout: powers.Layout
) -> Clamp:
    return Clamp(
        iso(int(slots.starts_us[excess.row])),
        layout.names[excess.at],
        excess.asked_kw,
        to_kw(int(watts[excess.at, excess.row])),
    )


def _digest(slots: Slots, watts: powers.Watts, layout: powers.Layout) -> bytes:
    """Return a digest of what the schedule says, whatever the time is."""
    head = (str(slots.horizon_us), *layout.chargers, "", *layout.batteries, "", *layout.names)
    digest = hashlib.sha256("\n".join(head).encode())
    digest.update(slots.starts_us.astype("<i8").tobytes())
    digest.update(watts.astype("<i4", order="C").tobytes())
    return digest.digest()
