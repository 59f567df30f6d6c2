"""One command's life as its own events tell it."""

from typing import Final

import attrs

from engine import events
from engine.adapters.base import Outcome
from engine.commands import FINAL, CommandStatus, CommandType
from engine.history.records import (
    AnswerRecord,
    AttemptRecord,
    CauseRecord,
    CommandRecord,
    LateAnswer,
)
from engine.types import US_PER_S, AssetId, CommandId, Instant, ScheduleId, from_us, to_kw

_WS_PER_KWH: Final = 3_600_000
_ANSWERED = frozenset({"accepted", "rejected", "error"})


@attrs.define
class Try:
    """One attempt; it may serve several commands. Times are wall time."""

    attempt_id: str
    number: int
    sent_us: int
    outcome: Outcome | None = None
    raw: str | None = None
    answered_us: int | None = None
    late: tuple[LateAnswer, ...] = ()

    def ended(self, event: events.AttemptEnded, at: Instant) -> None:
        """Take the outcome, and the answer where one came."""
        self.outcome = event.outcome
        self.raw = event.answer
        if event.outcome in _ANSWERED or event.answer is not None:
            self.answered_us = at.device_us

    def lost(self) -> None:
        """Take note of a restart: how it went cannot be known any more."""
        self.outcome = "unknown"

    def answered_late(self, raw: str, at: Instant) -> None:
        """Take an answer that changes nothing."""
        self.late = (*self.late, LateAnswer(raw, from_us(at.device_us)))

    def record(self) -> AttemptRecord:
        """Return the attempt as people read it."""
        silent = self.raw is None and not self.late
        return AttemptRecord(
            self.attempt_id,
            self.number,
            from_us(self.sent_us),
            None if self.answered_us is None else from_us(self.answered_us),
            self.outcome,
            None if silent else AnswerRecord(self.raw, self.late),
        )


@attrs.frozen
class Metered:
    """What was measured of a command's slot: durations on the plan clock, energies in watt-seconds.

    ``above_ws`` and ``below_ws`` are off the plan, for ``off_us`` by more than is tolerated.
    """

    measured_us: int = 0
    energy_ws: int = 0
    above_ws: int = 0
    below_ws: int = 0
    off_us: int = 0

    def plus(self, event: events.PowerTallied) -> "Metered":
        """Return the sums with those of another stretch."""
        return Metered(
            self.measured_us + event.measured_us,
            self.energy_ws + event.energy_ws,
            self.above_ws + event.above_ws,
            self.below_ws + event.below_ws,
            self.off_us + event.off_us,
        )


@attrs.define
class Life:
    """A command and what has become of it; times are plan clock, powers watts.

    ``number`` counts an asset's commands that are not part of a plan. ``found_w`` is what the
    device was found to hold or to allow, ``measured_w`` what was evidence of it, ``metered`` what
    was measured of its slot.
    """

    command_id: CommandId
    type: CommandType
    value_w: int | None
    cause: CauseRecord
    due_us: int
    created_us: int
    expires_us: int | None = None
    priority: int = 1
    schedule_id: ScheduleId | None = None
    status: CommandStatus = CommandStatus.PENDING
    reason: str | None = None
    evidence: str | None = None
    applied_w: int | None = None
    dispatched_us: int | None = None
    acknowledged_us: int | None = None
    finished_us: int | None = None
    ended_by: str | None = None
    attempts: list[Try] = attrs.field(factory=list)
    number: int = 0
    acknowledged_w: int | None = None
    found_w: int | None = None
    measured_w: int | None = None
    metered: Metered | None = None

    def turn(
        self,
        status: CommandStatus,
        at: Instant,
        reason: str | None = None,
        evidence: str | None = None,
    ) -> bool:
        """Take a status, unless the command is over; return whether it was taken (P8)."""
        if self.status in FINAL:
            return False
        self.status, self.reason = status, reason
        self.evidence = evidence or self.evidence
        if status in FINAL:
            self.finished_us = at.plan_us
        return True

    def held(self, reason: str, at: Instant) -> None:
        """Wait: the asset cannot take the command now."""
        self.turn(CommandStatus.PENDING, at, f"held:{reason}")

    def attempt_started(self, event: events.AttemptStarted, tried: Try, at: Instant) -> None:
        """Go on the wire.

        Of the commands that share an attempt, the one that it is named after has its applied
        value; the others are the channels that it sets to zero.
        """
        self.attempts.append(tried)
        if self.turn(CommandStatus.DISPATCHED, at):
            self.applied_w = event.applied_w if self.type is event.type else self.value_w
            if self.dispatched_us is None:
                self.dispatched_us = at.plan_us

    def attempt_ended(self, event: events.AttemptEnded, at: Instant) -> None:
        """Take an attempt's outcome; one that was not sent does not count as a dispatch."""
        if not self.turn(event.status, at, event.reason, event.evidence):
            return
        if event.outcome == "accepted":
            self._accepted(event.evidence, at)
        elif all(one.outcome == "not_sent" for one in self.attempts):
            self.dispatched_us = None

    def reconciled(self, event: events.AttemptReconciled, at: Instant) -> None:
        """Take what the device was found to hold; who holds it has accepted it."""
        taken = self.turn(event.status, at, event.reason, event.evidence)
        if taken and event.status is CommandStatus.COMPLETED:
            self._accepted(event.evidence, at)

    def _accepted(self, evidence: str | None, at: Instant) -> None:
        self.acknowledged_us = at.plan_us
        self.acknowledged_w = self.applied_w
        if evidence in {"readback", "composite"} and self.status is CommandStatus.COMPLETED:
            self.found_w = self.applied_w

    def verified(self, event: events.CommandVerified, at: Instant) -> None:
        """Take evidence, and what it was."""
        if not self.turn(event.status, at, event.reason, event.evidence):
            return
        self.measured_w = event.measured_w
        if event.found is not None:
            self.found_w = _of_channel(self.type, event.found)
        elif event.evidence == "readback":
            self.found_w = self.applied_w

    def tallied(self, event: events.PowerTallied) -> None:
        """Take what was measured of its slot; that comes when it is over."""
        self.metered = (self.metered or Metered()).plus(event)

    def record(self, asset_id: AssetId) -> CommandRecord:
        """Return the command as people read it."""
        return CommandRecord(
            id=self.command_id,
            asset_id=asset_id,
            type=self.type,
            value_kw=None if self.value_w is None else to_kw(self.value_w),
            applied_kw=None if self.applied_w is None else to_kw(self.applied_w),
            priority=self.priority,
            due_at=from_us(self.due_us),
            expires_at=None if self.expires_us is None else from_us(self.expires_us),
            status=self.status,
            reason=self.reason,
            schedule_id=self.schedule_id,
            cause=self.cause,
            created_at=from_us(self.created_us),
            dispatched_at=None if self.dispatched_us is None else from_us(self.dispatched_us),
            acknowledged_at=None if self.acknowledged_us is None else from_us(self.acknowledged_us),
            finished_at=None if self.finished_us is None else from_us(self.finished_us),
            evidence=self.evidence,
            attempts=tuple(one.record() for one in self.attempts),
            ended_by=self.ended_by,
            acknowledged_kw=_kw(self.acknowledged_w),
            found_kw=_kw(self.found_w),
            **self._measured(),
        )

    def _measured(self) -> dict[str, float | None]:
        """Return the mean power of the slot and how far it was off, as far as it was measured."""
        sums = self.metered
        if sums is None:
            return {"measured_kw": _kw(self.measured_w)}
        return {
            "measured_kw": round(sums.energy_ws / sums.measured_us * 1_000, 3),
            "measured_s": sums.measured_us / US_PER_S,
            "energy_kwh": _kwh(sums.energy_ws),
            "above_plan_kwh": _kwh(sums.above_ws),
            "below_plan_kwh": _kwh(sums.below_ws),
            "off_plan_s": sums.off_us / US_PER_S,
        }


def _kw(power_w: int | None) -> float | None:
    return None if power_w is None else to_kw(power_w)


def _kwh(energy_ws: int) -> float:
    return round(energy_ws / _WS_PER_KWH, 6)


def _of_channel(kind: CommandType, found: events.Setpoint) -> int | None:
    return found.discharge_w if kind is CommandType.SET_DISCHARGE_RATE else found.charge_w
