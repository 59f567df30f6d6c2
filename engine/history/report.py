"""What was planned, commanded, acknowledged, applied and measured, slot by slot; and the sums."""

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Final, overload

import attrs

from engine.commands import CauseKind, CommandStatus, CommandType
from engine.history.records import CommandRecord
from engine.types import AssetId, CommandId, ScheduleId, iso, to_us

if TYPE_CHECKING:
    import pandas as pd

_RATES: Final = frozenset({CommandType.SET_CHARGE_RATE, CommandType.SET_DISCHARGE_RATE})


@attrs.frozen
class ReportRow:
    """One slot, or the sums of an asset's slots by one schedule (``kind`` slot or total).

    Five facts, each apart (kW): ``planned_kw`` is the schedule's value, ``commanded_kw`` what was
    sent of it, ``acknowledged_kw`` what the device accepted, ``applied_kw`` what it was found to
    hold or to allow, ``measured_kw`` the mean power that flowed (signed, charging positive). Null
    is what nobody knows. ``from_at`` and ``until_at`` are plan time, aware, UTC. Of ``measured_s``
    seconds of plan time ``off_plan_s`` were off the plan by more than 5 %, or 200 W where that is
    more; ``off_plan_kwh`` is all the energy above and below it. ``slots`` counts those summed up.
    """

    kind: str
    asset_id: AssetId
    schedule_id: ScheduleId | None
    command_id: CommandId | None = None
    type: CommandType | None = None
    from_at: datetime | None = None
    until_at: datetime | None = None
    planned_kw: float | None = None
    commanded_kw: float | None = None
    acknowledged_kw: float | None = None
    applied_kw: float | None = None
    measured_kw: float | None = None
    status: CommandStatus | None = None
    evidence: str | None = None
    slots: int = 1
    measured_s: float | None = None
    energy_kwh: float | None = None
    above_plan_kwh: float | None = None
    below_plan_kwh: float | None = None
    off_plan_kwh: float | None = None
    off_plan_s: float | None = None

    def to_json(self) -> dict[str, object]:
        """Return it as plain values; times are ISO 8601 UTC with ``Z``."""
        return {
            name: iso(to_us(value)) if isinstance(value, datetime) else value
            for name, value in attrs.asdict(self).items()
        }


class Report(Sequence[ReportRow]):
    """Slots by due time, then a total for each asset and schedule."""

    __slots__ = ("_rows",)

    def __init__(self, rows: Iterable[ReportRow] = ()) -> None:
        self._rows = tuple(rows)

    def __len__(self) -> int:
        return len(self._rows)

    @overload
    def __getitem__(self, index: int) -> ReportRow: ...
    @overload
    def __getitem__(self, index: slice) -> "Report": ...
    def __getitem__(self, index: int | slice) -> "ReportRow | Report":
        if isinstance(index, slice):
            return Report(self._rows[index])
        return self._rows[index]

    @property
    def totals(self) -> tuple[ReportRow, ...]:
        """How far each asset was off each schedule."""
        return tuple(row for row in self._rows if row.kind == "total")

    def to_frame(self) -> "pd.DataFrame":
        """Return it as a table: a row a slot or total, columns as the fields of `ReportRow`."""
        from engine import frames  # noqa: PLC0415 - it takes a while, with pandas

        columns = [one.name for one in attrs.fields(ReportRow)]
        return frames.to_frame((attrs.asdict(row) for row in self._rows), columns)


def report_of(commands: Iterable[CommandRecord]) -> Report:
    """Return the report of commands that set a rate: the planned ones, and what was measured else.

    A setpoint by hand or by a rule is a slot of its own, of no schedule, as far as the plan was
    measured while it was in force.
    """
    slots = [_slot(one) for one in commands if one.type in _RATES and _counts(one)]
    return Report((*slots, *_totals(slots)))


def _counts(one: CommandRecord) -> bool:
    return one.cause.kind is CauseKind.SCHEDULE or one.measured_s is not None


def _slot(one: CommandRecord) -> ReportRow:
    is_planned = one.cause.kind is CauseKind.SCHEDULE
    off_kwh = None
    if one.above_plan_kwh is not None and one.below_plan_kwh is not None:
        off_kwh = round(one.above_plan_kwh + one.below_plan_kwh, 6)
    return ReportRow(
        "slot",
        one.asset_id,
        one.schedule_id,
        one.id,
        one.type,
        one.due_at,
        one.expires_at,
        one.value_kw if is_planned else None,
        one.applied_kw,
        one.acknowledged_kw,
        one.found_kw,
        one.measured_kw,
        one.status,
        one.evidence,
        measured_s=one.measured_s,
        energy_kwh=one.energy_kwh,
        above_plan_kwh=one.above_plan_kwh,
        below_plan_kwh=one.below_plan_kwh,
        off_plan_kwh=off_kwh,
        off_plan_s=one.off_plan_s,
    )


def _totals(slots: Sequence[ReportRow]) -> Iterator[ReportRow]:
    """Yield the sums by asset and schedule, in the order in which they begin."""
    groups: dict[tuple[AssetId, ScheduleId | None], list[ReportRow]] = {}
    for row in slots:
        groups.setdefault((row.asset_id, row.schedule_id), []).append(row)
    for (asset_id, schedule_id), rows in groups.items():
        measured_s = _sum(row.measured_s for row in rows)
        energy_kwh = _sum(row.energy_kwh for row in rows)
        mean_kw = None
        if measured_s and energy_kwh is not None:
            mean_kw = round(energy_kwh / measured_s * 3_600, 3)
        yield ReportRow(
            "total",
            asset_id,
            schedule_id,
            measured_kw=mean_kw,
            slots=len(rows),
            measured_s=measured_s,
            energy_kwh=energy_kwh,
            above_plan_kwh=_sum(row.above_plan_kwh for row in rows),
            below_plan_kwh=_sum(row.below_plan_kwh for row in rows),
            off_plan_kwh=_sum(row.off_plan_kwh for row in rows),
            off_plan_s=_sum(row.off_plan_s for row in rows),
        )


def _sum(values: Iterable[float | None]) -> float | None:
    """Return the sum of what is known, null where nothing is."""
    known = [value for value in values if value is not None]
    return round(sum(known), 6) if known else None
