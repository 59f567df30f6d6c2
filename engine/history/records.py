"""Commands as people read them: kilowatts and aware datetimes, one record per command."""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Final, overload

import attrs

from engine.adapters.base import Outcome
from engine.commands import CauseKind, CommandStatus, CommandType
from engine.types import AssetId, CommandId, ScheduleId, iso, to_us

if TYPE_CHECKING:
    import pandas as pd


@attrs.frozen
class CauseRecord:
    """Why a command exists; ``slot`` (plan time) and ``column`` name a schedule's cell."""

    kind: CauseKind
    slot: datetime | None = None
    column: str | None = None
    by: str | None = None
    reason: str | None = None
    event_id: str | None = None


@attrs.frozen
class LateAnswer:
    """An answer that came when its attempt was over; ``answered_at`` is wall time."""

    raw: str
    answered_at: datetime


@attrs.frozen
class AnswerRecord:
    """What came back for an attempt: the text as received, and what came too late."""

    raw: str | None
    late: tuple[LateAnswer, ...] = ()


@attrs.frozen
class AttemptRecord:
    """One time that a command went on the wire; ``sent_at`` and ``answered_at`` are wall time.

    ``outcome`` is null while the attempt is open, ``answered_at`` where no answer came.
    """

    id: str
    number: int
    sent_at: datetime
    answered_at: datetime | None
    outcome: Outcome | None
    answer: AnswerRecord | None


@attrs.frozen
class CommandRecord:
    """One command with its whole life; powers in kW, times aware, UTC, plan clock.

    ``ended_by`` names what ended it, where that is known: a schedule, an override or a person.
    ``value_kw`` is what was asked, ``applied_kw`` what was sent, ``acknowledged_kw`` what of it was
    accepted, ``found_kw`` what the device was then found to hold or to allow. ``measured_kw`` is
    the mean power of its slot (signed, charging positive), of which ``measured_s`` were measured;
    the last four fields say how far that was off the plan.
    """

    id: CommandId
    asset_id: AssetId
    type: CommandType
    value_kw: float | None
    applied_kw: float | None
    priority: int
    due_at: datetime
    expires_at: datetime | None
    status: CommandStatus
    reason: str | None
    schedule_id: ScheduleId | None
    cause: CauseRecord
    created_at: datetime
    dispatched_at: datetime | None
    acknowledged_at: datetime | None
    finished_at: datetime | None
    evidence: str | None
    attempts: tuple[AttemptRecord, ...]
    ended_by: str | None = None
    acknowledged_kw: float | None = None
    found_kw: float | None = None
    measured_kw: float | None = None
    measured_s: float | None = None
    energy_kwh: float | None = None
    above_plan_kwh: float | None = None
    below_plan_kwh: float | None = None
    off_plan_s: float | None = None


def to_json(record: CommandRecord) -> dict[str, object]:
    """Return a record as plain values; times are ISO 8601 UTC with microseconds and ``Z``."""
    return {
        **_flat(record),
        "cause": {
            "kind": record.cause.kind.value,
            "slot": _iso(record.cause.slot),
            "column": record.cause.column,
            "by": record.cause.by,
            "reason": record.cause.reason,
            "event_id": record.cause.event_id,
        },
        "attempts": [_attempt(attempt) for attempt in record.attempts],
    }


def _flat(record: CommandRecord) -> dict[str, object]:
    return {
        "id": record.id,
        "asset_id": record.asset_id,
        "type": record.type.value,
        "value_kw": record.value_kw,
        "applied_kw": record.applied_kw,
        "priority": record.priority,
        "due_at": _iso(record.due_at),
        "expires_at": _iso(record.expires_at),
        "status": record.status.value,
        "reason": record.reason,
        "schedule_id": record.schedule_id,
        "cause": None,
        "created_at": _iso(record.created_at),
        "dispatched_at": _iso(record.dispatched_at),
        "acknowledged_at": _iso(record.acknowledged_at),
        "finished_at": _iso(record.finished_at),
        "evidence": record.evidence,
        "attempts": None,
        "ended_by": record.ended_by,
        **{name: getattr(record, name) for name in _FACTS},
    }


def _attempt(attempt: AttemptRecord) -> dict[str, object]:
    return {
        "id": attempt.id,
        "number": attempt.number,
        "sent_at": _iso(attempt.sent_at),
        "answered_at": _iso(attempt.answered_at),
        "outcome": attempt.outcome,
        "answer": None if attempt.answer is None else _answer(attempt.answer),
    }


def _answer(answer: AnswerRecord) -> dict[str, object]:
    if not answer.late:
        return {"raw": answer.raw}
    late = [{"raw": one.raw, "answered_at": _iso(one.answered_at)} for one in answer.late]
    return {"raw": answer.raw, "late": late}


def _iso(moment: datetime | None) -> str | None:
    return None if moment is None else iso(to_us(moment))


_FACTS: Final = (
    *("acknowledged_kw", "found_kw", "measured_kw", "measured_s"),
    *("energy_kwh", "above_plan_kwh", "below_plan_kwh", "off_plan_s"),
)
_COLUMNS: Final = (
    *("id", "asset_id", "type", "value_kw", "applied_kw", "priority", "due_at", "expires_at"),
    *("status", "reason", "schedule_id", "cause", "slot", "column", "by", "cause_reason"),
    *("event_id", "created_at", "dispatched_at", "acknowledged_at", "finished_at", "evidence"),
    *("attempts", "ended_by"),
    *_FACTS,
)


class History(Sequence[CommandRecord]):
    """Commands in order of their due times."""

    __slots__ = ("_records",)

    def __init__(self, records: Iterable[CommandRecord] = ()) -> None:
        self._records = tuple(records)

    def __len__(self) -> int:
        return len(self._records)

    @overload
    def __getitem__(self, index: int) -> CommandRecord: ...
    @overload
    def __getitem__(self, index: slice) -> "History": ...
    def __getitem__(self, index: int | slice) -> "CommandRecord | History":
        if isinstance(index, slice):
            return History(self._records[index])
        return self._records[index]

    def __iter__(self) -> Iterator[CommandRecord]:
        return iter(self._records)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, History) and self._records == other._records

    def __hash__(self) -> int:
        return hash(self._records)

    def __repr__(self) -> str:
        return f"<History of {len(self)} commands>"

    def to_frame(self) -> "pd.DataFrame":
        """Return the commands as a frame: one row per command.

        The columns are the fields of `CommandRecord`, powers in kW and times aware; ``cause`` is
        its kind, followed by ``slot``, ``column``, ``by``, ``cause_reason`` and ``event_id``, and
        ``attempts`` is how many there were.
        """
        from engine import frames  # noqa: PLC0415 - it takes a while, with pandas

        return frames.to_frame(map(_row, self._records), _COLUMNS)


def _row(record: CommandRecord) -> dict[str, object]:
    cause = record.cause
    row: dict[str, object] = {
        name: getattr(record, name) for name in _COLUMNS if hasattr(record, name)
    }
    row |= {"type": record.type.value, "status": record.status.value, "cause": cause.kind.value}
    row |= {"slot": cause.slot, "column": cause.column, "by": cause.by}
    row |= {"cause_reason": cause.reason, "event_id": cause.event_id}
    row["attempts"] = len(record.attempts)
    return row


def summary(records: Iterable[CommandRecord]) -> dict[CommandStatus, int]:
    """Return how many commands have which status, in the order of a command's life."""
    counts = Counter(record.status for record in records)
    return {status: counts[status] for status in CommandStatus}
