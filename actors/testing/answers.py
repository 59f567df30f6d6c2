"""The judge's look at answers: those of a charge point that came late, and those that it is given.

Both are held against the log, which is fed record by record.
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Final, cast

import attrs

from actors.sim.wirelog import WireEntry
from actors.testing.attempts import Attempt
from actors.testing.faults import Injected
from engine import events
from engine.codec import Record
from engine.types import US_PER_S, AssetId, to_us

LATE_US: Final = 5 * US_PER_S
"""What breaks a connection so soon behind an answer may have kept it from arriving."""
_NOT_OURS: Final = 1 << 30
"""Ids from here on are given to transactions on connectors that are no asset, and mean nothing."""


def seen_us(entry: WireEntry) -> int:
    """Return when a device saw a frame."""
    return to_us(datetime.fromisoformat(entry.t))


@attrs.define
class LateAnswers:
    """Answers that a charge point gave after their attempt had timed out: each is on record.

    Not if it cannot have arrived: the connection was made anew, the engine too, or a fault struck.
    """

    struck: Sequence[Injected]
    _recorded: set[str] = attrs.field(factory=set)
    _timed_out: dict[str, int] = attrs.field(factory=dict)
    _breaks: list[tuple[int, str]] = attrs.field(factory=list)

    def take(self, record: Record) -> None:
        """Take the next record of the log."""
        header, event = record.header, record.event
        match event:
            case events.LateAnswered(attempt_id=attempt_id):
                self._recorded.add(attempt_id)
            case events.AttemptEnded(attempt_id=attempt_id, outcome="timed_out"):
                self._timed_out[attempt_id] = header.wall_us
            case events.ConnectionChanged() | events.AssetRecovered() | events.ActorCrashed():
                self._breaks.append((header.wall_us, header.stream))
            case _:
                return

    def unrecorded(
        self, entries: Sequence[WireEntry], attempts: Mapping[str, Attempt]
    ) -> Iterator[str]:
        """Yield the late answers of a charge point that are not on record."""
        for entry in entries:
            attempt_id = str(entry.message_id)
            ended_us, given_us = self._timed_out.get(attempt_id), seen_us(entry)
            if entry.direction != "out" or ended_us is None or given_us <= ended_us:
                continue
            attempt = attempts[attempt_id]
            span = (attempt.recorded_us, given_us + LATE_US)
            if attempt_id not in self._recorded and not self._is_disturbed(attempt.asset_id, span):
                yield f"P8: the late answer to {attempt_id} is not on record"

    def _is_disturbed(self, asset_id: AssetId, span: tuple[int, int]) -> bool:
        first, last = span
        return any(
            stream == asset_id and first <= at_us <= last for at_us, stream in self._disturbances()
        )

    def _disturbances(self) -> Iterator[tuple[int, str]]:
        yield from self._breaks
        yield from ((to_us(one.at), str(one.asset)) for one in self.struck)


@attrs.define
class StartAnswers:
    """Answers to who says that a transaction has begun: each rests on an event committed before.

    That is P7. In 2.0.1 the charge point says the id, also of transactions that are no asset's and
    of those that are history by now: what is never on record is none of ours.
    """

    _recorded: dict[str, int] = attrs.field(factory=dict)

    def take(self, record: Record) -> None:
        """Take the next record of the log."""
        if isinstance(record.event, events.TransactionStarted):
            self._recorded.setdefault(record.event.transaction_id, record.header.wall_us)

    def unfounded(self, entries: Sequence[WireEntry], counts: Counter[str]) -> Iterator[str]:
        """Yield the answers to a charge point whose transaction was not on record."""
        for entry, number in self._answered(entries):
            counts["transactions answered"] += 1
            recorded_us = self._recorded.get(number)
            if recorded_us is None or recorded_us > seen_us(entry):
                yield f"P7: transaction {number} was answered before it was on record"

    def _answered(self, entries: Sequence[WireEntry]) -> Iterator[tuple[WireEntry, str]]:
        """Yield each answer that says that a transaction of ours is known, and which one."""
        begun: dict[str | int | None, str] = {}
        for entry in entries:
            own = begun.get(entry.message_id, "")
            match entry.action, entry.direction, entry.payload:
                case "StartTransaction", "in", {"transactionId": int(number)}:
                    if number < _NOT_OURS:
                        yield entry, str(number)
                case "TransactionEvent", "out", {"eventType": "Started", "transactionInfo": info}:
                    begun |= _begun(entry, info)
                case "TransactionEvent", "in", dict(answer):
                    if own in self._recorded and "errorCode" not in answer:
                        yield entry, own
                case _:
                    continue


def _begun(entry: WireEntry, info: Mapping[str, str]) -> Mapping[str | int | None, str]:
    """Return the id of a transaction that begins now, by the message that says so."""
    is_history = cast("Mapping[str, object]", entry.payload).get("offline", False)
    return {} if is_history else {entry.message_id: info["transactionId"]}
