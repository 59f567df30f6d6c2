"""From committed records to what subscribers of the bus are told (specification 8)."""

from collections.abc import Iterable, Iterator
from typing import Final, TypeAlias

import attrs

from engine import bus, events
from engine.alarms import alarm_of
from engine.asset.evidence import READBACK
from engine.asset.wear import WRITE_BUDGET
from engine.bus import EventType
from engine.codec import Record
from engine.commands import FINAL, CauseKind, CommandStatus, CommandType
from engine.plans import command_id
from engine.types import Channel, CommandId, from_us, iso, to_kw

Said: TypeAlias = tuple[EventType, dict[str, object]]

REMEMBERED: Final = 64
"""Open commands of one asset that are remembered; beyond that the oldest is forgotten."""

_RATES: Final = {
    Channel.CHARGE: CommandType.SET_CHARGE_RATE,
    Channel.DISCHARGE: CommandType.SET_DISCHARGE_RATE,
}
_TOLD: Final = {
    CommandStatus.ACKNOWLEDGED: EventType.COMMAND_ACKNOWLEDGED,
    CommandStatus.COMPLETED: EventType.COMMAND_COMPLETED,
    CommandStatus.FAILED: EventType.COMMAND_FAILED,
    CommandStatus.TIMED_OUT: EventType.COMMAND_TIMED_OUT,
    CommandStatus.CANCELLED: EventType.COMMAND_CANCELLED,
}
_LOST: Final = frozenset({CommandStatus.FAILED, CommandStatus.TIMED_OUT})


@attrs.frozen
class _Asked:
    """What a command asks for."""

    type: CommandType
    value_w: int | None


@attrs.define
class _Heard:
    """What is open on one asset: its commands, and which of them are on the wire."""

    asked: dict[CommandId, _Asked] = attrs.field(factory=dict)
    attempt_id: str | None = None
    command_ids: tuple[CommandId, ...] = ()

    def note(self, command_id: CommandId, asked: _Asked) -> None:
        """Remember a command."""
        self.asked.setdefault(command_id, asked)
        if len(self.asked) > REMEMBERED:
            del self.asked[next(iter(self.asked))]

    def note_step(self, step: events.Step) -> None:
        """Remember the commands of a step.

        Two share one where a battery has one signed register; the step is named after the last of
        them, and the other is the channel that it sets to zero.
        """
        *others, last = step.command_ids
        self.note(last, _Asked(step.type, step.value_w))
        charges = step.type is CommandType.SET_CHARGE_RATE
        other = Channel.DISCHARGE if charges else Channel.CHARGE
        value_w = step.setpoint.discharge_w if charges else step.setpoint.charge_w
        for one in others:
            self.note(one, _Asked(_RATES[other], value_w))

    def taken_off(self, attempt_id: str) -> tuple[CommandId, ...]:
        """Return the commands of an attempt that ended; none if its beginning was not heard."""
        command_ids = self.command_ids if self.attempt_id == attempt_id else ()
        self.attempt_id, self.command_ids = None, ()
        return command_ids


class Notices:
    """Translates records, which it is given in log order.

    Not every record says which commands it is about and what they ask for: that is remembered from
    the records before it. What began unheard is told with less; an outcome whose commands are not
    known is not told.
    """

    def __init__(self) -> None:
        self._assets: dict[str, _Heard] = {}

    def of(self, record: Record, *, expand: bool) -> tuple[bus.Event, ...]:
        """Return what subscribers are told of a record.

        With ``expand`` that includes a COMMAND_CREATED for each command of a plan.
        """
        of_asset = isinstance(record.event, events.AssetEvent)
        asset_id = record.header.stream if of_asset else None
        at = from_us(record.header.at_us)
        return tuple(
            bus.Event(kind, asset_id, at, record.position, data)
            for kind, data in self._say(record, expand=expand)
        )

    def _say(self, record: Record, *, expand: bool) -> Iterable[Said]:  # noqa: C901, PLR0911 - one case per event, each only hands on
        event, stream = record.event, record.header.stream
        match event:
            case events.ScheduleReceived():
                return _schedule_received(event)
            case events.PlanReplaced():
                return _planned(event) if expand else ()
            case events.CommandCreated():
                return _created(self._heard(stream), event)
            case events.SetpointDecided():
                return _decided(self._heard(stream), event.decision)
            case events.AttemptStarted():
                return _started(self._heard(stream), event)
            case events.AttemptEnded():
                return _ended(self._heard(stream), event)
            case events.AttemptReconciled():
                return _reconciled(self._heard(stream), event)
            case events.CommandVerified() | events.CommandCancelled():
                return _over(self._heard(stream), event.command_ids, event)
            case events.CommandHeld():
                return _held(self._heard(stream), event)
            case _:
                return _plain(event)

    def _heard(self, stream: str) -> _Heard:
        return self._assets.setdefault(stream, _Heard())


# --- commands

_Outcome: TypeAlias = (
    events.AttemptEnded
    | events.AttemptReconciled
    | events.CommandVerified
    | events.CommandCancelled
)


def _command(heard: _Heard, command_id: CommandId, status: CommandStatus) -> dict[str, object]:
    asked = heard.asked.get(command_id)
    return {
        "command_id": command_id,
        "type": None if asked is None else asked.type.value,
        "value_kw": None if asked is None else _kw(asked.value_w),
        "status": status.value,
    }


def _planned(event: events.PlanReplaced) -> Iterator[Said]:
    for change in event.plan.changes():
        if change.index not in event.skipped:
            yield (
                EventType.COMMAND_CREATED,
                {
                    "command_id": command_id(event.ref, change.index),
                    "type": _RATES[change.channel].value,
                    "value_kw": to_kw(change.watts),
                    "status": CommandStatus.PENDING.value,
                    "due_at": iso(change.due_us),
                    "cause": CauseKind.SCHEDULE.value,
                    "schedule_id": event.ref.schedule_id,
                },
            )


def _created(heard: _Heard, event: events.CommandCreated) -> Iterator[Said]:
    heard.note(event.command_id, _Asked(event.type, event.value_w))
    yield (
        EventType.COMMAND_CREATED,
        {
            **_command(heard, event.command_id, CommandStatus.PENDING),
            "due_at": iso(event.due_us),
            "cause": event.cause.kind.value,
            "schedule_id": event.cause.schedule_id,
        },
    )


def _decided(heard: _Heard, decision: events.Decision) -> Iterable[Said]:
    for step in decision.steps:
        heard.note_step(step)
    return ()


def _started(heard: _Heard, event: events.AttemptStarted) -> Iterator[Said]:
    if event.decision is not None:
        _decided(heard, event.decision)
    wanted = event.setpoint or events.RELEASED
    heard.note_step(events.Step(event.command_ids, event.type, event.value_w, wanted))
    heard.attempt_id, heard.command_ids = event.attempt_id, event.command_ids
    for served in event.command_ids:
        data = _command(heard, served, CommandStatus.DISPATCHED)
        more = {"attempt_id": event.attempt_id, "number": event.number}
        yield EventType.COMMAND_DISPATCHED, {**data, **more}


def _ended(heard: _Heard, event: events.AttemptEnded) -> Iterator[Said]:
    command_ids = heard.taken_off(event.attempt_id)
    if event.outcome == "accepted" and event.status is not CommandStatus.ACKNOWLEDGED:
        yield from _accepted(heard, command_ids, event.attempt_id)
    yield from _over(heard, command_ids, event)


def _reconciled(heard: _Heard, event: events.AttemptReconciled) -> Iterator[Said]:
    if event.status is CommandStatus.COMPLETED:
        yield from _accepted(heard, event.command_ids, event.attempt_id)
    yield from _over(heard, event.command_ids, event)


def _accepted(heard: _Heard, command_ids: tuple[CommandId, ...], attempt_id: str) -> Iterator[Said]:
    for served in command_ids:
        data = _command(heard, served, CommandStatus.ACKNOWLEDGED)
        yield EventType.COMMAND_ACKNOWLEDGED, {**data, "attempt_id": attempt_id}


def _over(heard: _Heard, command_ids: tuple[CommandId, ...], event: _Outcome) -> Iterator[Said]:
    """Tell what became of commands; one that goes on waiting is not worth a notice."""
    told = _TOLD.get(event.status)
    if told is None:
        return
    more = {
        "reason": event.reason,
        "evidence": getattr(event, "evidence", None),
        "attempt_id": getattr(event, "attempt_id", None),
    }
    if isinstance(event, events.CommandVerified):
        more |= {"found_kw": _found_kw(event), "measured_kw": _kw(event.measured_w)}
    for served in command_ids:
        data = {**_command(heard, served, event.status), **more}
        yield told, data
        if event.status in _LOST and (data["value_kw"] == 0 or _is_exceeded(event)):
            yield EventType.ALARM, {"alarm": "decrease_failed", **data}
        if event.status in FINAL:
            heard.asked.pop(served, None)


def _found_kw(event: events.CommandVerified) -> float | None:
    """Return what the device said that it holds or allows, charging positive."""
    found = event.found
    return None if found is None else to_kw((found.charge_w or 0) - (found.discharge_w or 0))


def _is_exceeded(event: _Outcome) -> bool:
    """Return whether a device was seen to take, or to allow, more than a setpoint that failed."""
    if not isinstance(event, events.CommandVerified) or event.evidence == READBACK:
        return False
    return event.found is not None or event.measured_w is not None


def _held(heard: _Heard, event: events.CommandHeld) -> Iterator[Said]:
    for waiting in event.command_ids:
        data = _command(heard, waiting, CommandStatus.PENDING)
        yield EventType.COMMAND_HELD, {**data, "reason": f"held:{event.reason}"}
    if event.reason == WRITE_BUDGET:
        yield EventType.ALARM, {"alarm": WRITE_BUDGET, "command_ids": list(event.command_ids)}


# --- everything else


def _plain(event: object) -> Iterable[Said]:
    """Tell what needs nothing but the event itself."""
    match event:
        case events.StateChanged():
            return (_state_changed(event),)
        case events.ConnectionChanged():
            return (_connection_changed(event),)
        case events.OverrideSet():
            return (_override_set(event),)
        case events.OverrideEnded():
            return (_override_ended(event),)
        case events.ScheduleExhausted():
            return (_exhausted(event),)
        case _:
            raised = alarm_of(event)
            return () if raised is None else ((EventType.ALARM, raised),)


def _state_changed(event: events.StateChanged) -> Said:
    data: dict[str, object] = {
        "source": event.source,
        "target": event.target,
        "overlay": event.overlay,
        "trigger": event.trigger,
        "raw": event.raw,
        **{f"detail_{name}": text for name, text in event.detail.items()},
    }
    return EventType.STATE_CHANGED, data


def _connection_changed(event: events.ConnectionChanged) -> Said:
    if event.connected:
        return EventType.ASSET_CONNECTED, {"booted": event.booted}
    return EventType.ASSET_DISCONNECTED, {"reason": event.reason}


def _override_set(event: events.OverrideSet) -> Said:
    return (
        EventType.OVERRIDE_SET,
        {
            "override_id": event.override_id,
            "command_id": event.command_id,
            "charge_kw": _kw(event.target.charge_w),
            "discharge_kw": _kw(event.target.discharge_w),
            "ends": event.ends,
            "until": None if event.until_us is None else iso(event.until_us),
            "by": event.by,
            "reason": event.reason,
        },
    )


def _override_ended(event: events.OverrideEnded) -> Said:
    data: dict[str, object] = {
        "override_id": event.override_id,
        "reason": event.reason,
        "by": event.by,
    }
    return EventType.OVERRIDE_ENDED, data


def _schedule_received(event: events.ScheduleReceived) -> Iterator[Said]:
    yield (
        EventType.SCHEDULE_RECEIVED,
        {
            "schedule_id": event.schedule_id,
            "sequence": event.sequence,
            "start_at": iso(event.start_us),
            "horizon_at": iso(event.horizon_us),
            "assets": len(event.plans),
            "changes": sum(len(plan) for plan in event.plans.values()),
        },
    )


def _exhausted(event: events.ScheduleExhausted) -> Said:
    data: dict[str, object] = {
        "schedule_id": event.schedule_id,
        "horizon_at": iso(event.horizon_us),
    }
    return EventType.SCHEDULE_EXHAUSTED, data


def _kw(power_w: int | None) -> float | None:
    return None if power_w is None else to_kw(power_w)
