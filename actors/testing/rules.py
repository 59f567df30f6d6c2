"""Rules that a log keeps, whatever the engine's own state says: looked at event by event.

They are worked out from the events alone, and not by the functions that decided them.
"""

from collections.abc import Iterator, Mapping
from typing import Any, Final

import attrs

from engine import events
from engine.adapters.base import Payload
from engine.codec import Record
from engine.commands import CommandType
from engine.plans import parse_command_id
from engine.types import CommandId

_NOT_REPEATED: Final = frozenset(
    {CommandType.START_CHARGING, CommandType.STOP_CHARGING, CommandType.CALL}
)
_KNOWN: Final = frozenset({"accepted", "rejected", "error", "not_sent"})
_WRITES: Final = frozenset({6, 16})
_READ: Final = slice(9, None)
_ECHO: Final = slice(8, 12)


@attrs.define
class _Tried:
    type: CommandType
    payload: Payload
    outcome: str | None = None


@attrs.define
class LogRules:
    """Follows a whole log."""

    _attempts: dict[str, _Tried] = attrs.field(factory=dict)
    _of_command: dict[tuple[str, CommandId], list[str]] = attrs.field(factory=dict)
    _expiries: dict[tuple[str, CommandId], int | None] = attrs.field(factory=dict)
    _plans: dict[str, list[events.PlanReplaced]] = attrs.field(factory=dict)

    def feed(self, record: Record) -> Iterator[str]:
        """Take the next record; yield what it breaks, by the promise's name."""
        header, event = record.header, record.event
        match event:
            case events.PlanReplaced():
                self._plans.setdefault(header.stream, []).append(event)
            case events.SetpointDecided(decision=decision):
                self._decided(header.stream, decision)
            case events.AttemptStarted():
                self._decided(header.stream, event.decision)
                yield from self._expired(header.stream, event, header.at_us)
                yield from self._started(header.stream, event)
                yield from self._replaced(header.stream, event, header.at_us)
            case events.AttemptEnded():
                yield from self._ended(event)
            case _:
                return

    def _decided(self, stream: str, decision: events.Decision | None) -> None:
        for step in () if decision is None else decision.steps:
            for command_id in step.command_ids:
                expires_us = None if decision is None else decision.expires_us
                self._expiries[stream, command_id] = expires_us

    def _expired(self, stream: str, event: events.AttemptStarted, at_us: int) -> Iterator[str]:
        """Look at the decision that it acts on, and at the newest about its commands."""
        known = [self._expiries.get((stream, command_id)) for command_id in event.command_ids]
        if event.decision is not None:
            known.append(event.decision.expires_us)
        if any(expires_us is not None and expires_us <= at_us for expires_us in known):
            yield f"P5: {event.attempt_id} began for a setpoint that had expired"

    def _started(self, stream: str, event: events.AttemptStarted) -> Iterator[str]:
        if event.attempt_id in self._attempts:
            yield f"P3: {event.attempt_id} began twice"
        if event.setpoint is not None:
            pair = (event.setpoint.charge_w, event.setpoint.discharge_w)
            if any(pair) and 0 not in pair:
                yield f"pair: {event.attempt_id} raises a rate before the other is known to be 0"
        for command_id in event.command_ids:
            before = self._of_command.setdefault((stream, command_id), [])
            for attempt_id in before if event.type in _NOT_REPEATED else ():
                if self._attempts[attempt_id].outcome not in _KNOWN:
                    yield f"P4: {event.attempt_id} repeats {attempt_id}, which may have been heard"
            before.append(event.attempt_id)
        self._attempts[event.attempt_id] = _Tried(event.type, event.payload)

    def _replaced(self, stream: str, event: events.AttemptStarted, at_us: int) -> Iterator[str]:
        """Yield the planned commands in whose place something newer was to hold by then."""
        for command_id in event.command_ids:
            planned = parse_command_id(command_id)
            if planned is not None and self._is_replaced(stream, planned, at_us):
                yield f"P5: {event.attempt_id} began for {command_id}, which was replaced"

    def _is_replaced(self, stream: str, planned: tuple[str, int, int], at_us: int) -> bool:
        schedule_id, _, index = planned
        newer: list[events.PlanReplaced] = []
        for taken in reversed(self._plans.get(stream, [])):
            if taken.ref.schedule_id != schedule_id:
                newer.append(taken)
                continue
            change, following = taken.plan.change(index), taken.plan.next_on_channel(index)
            ruling = next((one for one in newer if one.from_us <= at_us), None)
            if ruling is not None:  # what it wants as well goes on as it is
                return ruling.plan.values_at(at_us)[change.channel] != change.watts
            return following is not None and taken.plan.change(following).due_us <= at_us
        return False

    def _ended(self, event: events.AttemptEnded) -> Iterator[str]:
        tried = self._attempts.get(event.attempt_id)
        if tried is None:
            return
        tried.outcome = event.outcome
        if event.outcome == "accepted" and event.answer is not None:
            yield from _echoes(event.attempt_id, tried.payload, event.answer)


def _echoes(attempt_id: str, payload: Payload, answer: str) -> Iterator[str]:
    """Yield the register writes of an accepted attempt that the device's reply does not echo."""
    for body, reply in _replies(payload, iter(answer.split())):
        if body.get("function") not in _WRITES:
            continue
        wanted = int(body["address"]).to_bytes(2, "big")
        values = body["values"]
        last = values[0] if body["function"] == min(_WRITES) else len(values)
        if bytes.fromhex(reply)[_ECHO] != wanted + int(last).to_bytes(2, "big"):
            yield f"P3: {attempt_id} is on record as accepted, and its reply {reply} echoes another"


def _replies(payload: Payload, replies: Iterator[str]) -> Iterator[tuple[Mapping[str, Any], str]]:
    """Yield the frames that were sent, each with its reply, as far as there are any.

    A register in flash is read first, and not written if it holds what it should.
    """
    for frame in payload.frames:
        body: Mapping[str, Any] = frame.body
        if "reads" in body and _words(next(replies, "")) == list(body["reads"]):
            continue
        reply = next(replies, None)
        if reply is None:
            return
        yield body, reply


def _words(reply: str) -> list[int]:
    """Return the words that a reply to a read has."""
    told = bytes.fromhex(reply)[_READ]
    return [int.from_bytes(told[at : at + 2], "big") for at in range(0, len(told), 2)]
