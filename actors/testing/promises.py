"""The judge: what is promised, held against the log and the devices' own wire logs.

Pure: it is given the records of a whole log and what each device saw. A check on nothing is no
check, so it counts what it has looked at.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any, Final, cast

import attrs

from actors.sim.wirelog import WireEntry
from actors.testing.rules import LogRules
from engine import events
from engine.adapters.base import Payload
from engine.codec import Record
from engine.types import US_PER_S, AssetId, to_us
from engine.verification.folds import Folds

CONTROL_ACTIONS: Final = frozenset(
    {
        "SetChargingProfile",
        "ClearChargingProfile",
        "RemoteStartTransaction",
        "RemoteStopTransaction",
        "ChangeAvailability",
        "ChangeConfiguration",
        "Reset",
        "UnlockConnector",
    }
)
"""The OCPP 1.6 frames that change what a charger does (specification 1)."""
WRITES: Final = frozenset({6, 16})
"""The Modbus functions that do."""
WINDOW_US: Final = 2 * US_PER_S
"""An attempt is begun within 1 s of its record or never; as much again for the way."""
LATE_US: Final = 5 * US_PER_S
"""What breaks a connection so soon behind an answer may have kept it from arriving."""

_CERTAIN: Final = frozenset({"accepted"})
_UNSENT: Final = frozenset({"not_sent"})


@attrs.define
class Attempt:
    """One recorded attempt: when it was recorded (device clock), its frames and its outcome."""

    id: str
    asset_id: AssetId
    recorded_us: int
    payload: Payload
    outcome: str | None = None

    @property
    def control_frames(self) -> list[Mapping[str, Any]]:
        """The bodies of the frames that change what the device does."""
        return [frame.body for frame in self.payload.frames if frame.control]


@attrs.frozen
class Judgement:
    """What was broken, and how much was looked at; ``violations`` begin with the promise's name."""

    violations: tuple[str, ...]
    counts: Counter[str]


def judge(
    records: Iterable[Record],
    chargers: Mapping[str, Sequence[WireEntry]],
    batteries: Mapping[AssetId, tuple[Sequence[WireEntry], frozenset[int]]],
    struck: Sequence[tuple[int, str]] = (),
) -> Judgement:
    """Hold a log against what the devices saw.

    Args:
        records: the whole log in order.
        chargers: each charge point's wire log (OCPP 1.6).
        batteries: each battery's wire log with the addresses of its heartbeat registers.
        struck: when a fault struck a message on the wire (device clock), and whose.
    """
    counts: Counter[str] = Counter()
    violations: list[str] = []
    attempts: dict[str, Attempt] = {}
    folds, rules, answers = Folds(), LogRules(), LateAnswers(struck)
    for record in records:
        counts["events"] += 1
        violations += _of_the_log(folds, record, counts)
        violations += rules.feed(record)
        answers.take(record)
        _take(attempts, record)
    for device, entries in chargers.items():
        violations += answers.unrecorded(entries, attempts)
        violations += (f"{one} ({device})" for one in _of_a_charger(attempts, entries, counts))
    for asset_id, (entries, heartbeats) in batteries.items():
        own = [one for one in attempts.values() if one.asset_id == asset_id]
        violations += _of_a_battery(own, _writes(entries, heartbeats), counts)
    return Judgement(tuple(violations), counts)


def _take(attempts: dict[str, Attempt], record: Record) -> None:
    header, event = record.header, record.event
    match event:
        case events.AttemptStarted():
            asset_id = AssetId(header.stream)
            made = Attempt(event.attempt_id, asset_id, header.wall_us, event.payload)
            attempts[event.attempt_id] = made
        case events.AttemptEnded(attempt_id=attempt_id, outcome=outcome):
            if attempt_id in attempts:
                attempts[attempt_id].outcome = outcome
        case _:
            return


# --- what the log alone shows


def _of_the_log(folds: Folds, record: Record, counts: Counter[str]) -> Iterator[str]:
    """Yield what is wrong with an event: P4 and P8; the rules see to the others."""
    header, event = record.header, record.event
    where = f"{header.stream} version {header.version}"
    if isinstance(event, events.AttemptStarted):
        counts["attempts"] += 1
        state = folds.assets.get(AssetId(header.stream))
        if state is not None and state.unknown is not None:
            yield f"P4: {where} began while {state.unknown.attempt_id} was not cleared up"
    if isinstance(event, events.AttemptReconciled):
        counts["cleared up"] += 1
    if isinstance(event, events.AssetRecovered):
        counts["recovered"] += 1
    wrong = folds.feed(record)
    if wrong is not None:
        yield f"P8: {where}: {wrong}"


# --- what a charger saw


@attrs.define
class LateAnswers:
    """Answers that a charge point gave after their attempt had timed out: each is on record.

    Not if it cannot have arrived: the connection was made anew, the engine too, or a fault struck.
    """

    struck: Sequence[tuple[int, str]]
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
            ended_us, given_us = self._timed_out.get(attempt_id), _us(entry)
            if entry.direction != "out" or ended_us is None or given_us <= ended_us:
                continue
            attempt = attempts[attempt_id]
            span = (attempt.recorded_us, given_us + LATE_US)
            if attempt_id not in self._recorded and not self._is_disturbed(attempt.asset_id, span):
                yield f"P8: the late answer to {attempt_id} is not on record"

    def _is_disturbed(self, asset_id: AssetId, span: tuple[int, int]) -> bool:
        first, last = span
        return any(
            stream == asset_id and first <= at_us <= last
            for at_us, stream in (*self._breaks, *self.struck)
        )


def _of_a_charger(
    attempts: Mapping[str, Attempt], entries: Sequence[WireEntry], counts: Counter[str]
) -> Iterator[str]:
    """Yield control frames without their own recorded attempt, late ones, and disorder."""
    seen: Counter[str] = Counter()
    order = _Order({attempt_id: number for number, attempt_id in enumerate(attempts)})
    for entry in entries:
        if entry.direction != "in" or entry.action not in CONTROL_ACTIONS:
            continue
        counts["OCPP control frames"] += 1
        message_id = str(entry.message_id)
        seen[message_id] += 1
        attempt = attempts.get(message_id.split(".", maxsplit=1)[0])
        if attempt is None:
            yield f"P2: frame {message_id} has no recorded attempt"
            continue
        if seen[message_id] > 1:
            yield f"P3: frame {message_id} went out more than once"
        yield from _in_time(attempt, entry, message_id)
        yield from order.take(attempt, message_id)
    for attempt in attempts.values():
        if attempt.outcome in _UNSENT and attempt.id in seen:
            yield f"P3: {attempt.id} is on record as not sent"


@attrs.define
class _Order:
    """The order in which a charge point got frames: by attempt, and by engine."""

    _numbers: Mapping[str, int]
    _newest: dict[AssetId, int] = attrs.field(factory=dict)
    _engine: int = 0

    def take(self, attempt: Attempt, name: str) -> Iterator[str]:
        """Take the next frame; yield what it came behind."""
        number, newest = self._numbers[attempt.id], self._newest.get(attempt.asset_id, 0)
        if number < newest:
            yield f"P5: frame {name} came behind a newer attempt's"
        self._newest[attempt.asset_id] = max(number, newest)
        engine = int(attempt.id.split("_")[-2], 36)
        if engine < self._engine:
            yield f"P6: frame {name} came behind one of engine {self._engine}"
        self._engine = max(engine, self._engine)


def _in_time(attempt: Attempt, entry: WireEntry, name: str) -> Iterator[str]:
    seen_us = _us(entry)
    if seen_us < attempt.recorded_us:
        yield f"P2: frame {name} was seen before its attempt was recorded"
    first = name == attempt.id
    if first and seen_us > attempt.recorded_us + WINDOW_US:
        yield f"P5: frame {name} was begun {(seen_us - attempt.recorded_us) / US_PER_S:.1f} s late"


def _us(entry: WireEntry) -> int:
    return to_us(datetime.fromisoformat(entry.t))


# --- what a battery saw


@attrs.frozen
class Write:
    """One write that a battery saw: where and what."""

    address: int
    values: tuple[int, ...]


def _writes(entries: Sequence[WireEntry], heartbeats: frozenset[int]) -> list[Write]:
    """Return the writes in a battery's log, those of its heartbeat aside."""
    bodies = [
        cast("Mapping[str, Any]", entry.payload)
        for entry in entries
        if entry.direction == "in" and entry.action in WRITES
    ]
    return [
        Write(body["address"], tuple(body["values"]))
        for body in bodies
        if body["address"] not in heartbeats
    ]


def _of_a_battery(
    attempts: Sequence[Attempt], writes: Sequence[Write], counts: Counter[str]
) -> Iterator[str]:
    """Yield the first place where the writes are not those of the attempts, in their order.

    An accepted attempt was written whole, one that was not sent not at all; of any other as many
    of its frames as came through, from the first on.
    """
    counts["Modbus writes"] += len(writes)
    reached = {0}
    for attempt in attempts:
        wanted = [Write(body["address"], tuple(body["values"])) for body in attempt.control_frames]
        following = {
            end
            for start in reached
            for end in _ends(attempt.outcome, wanted, writes[start:], start)
        }
        if not following:
            yield f"P3: {attempt.id} ({attempt.asset_id}) was {attempt.outcome}, and not so written"
            return
        reached = following
    if len(writes) not in reached:
        extra = writes[max(reached)]
        asset = attempts[0].asset_id if attempts else "?"
        yield f"P2: {asset}: the write of {extra.values} to {extra.address} has no recorded attempt"


def _ends(
    outcome: str | None, wanted: Sequence[Write], writes: Sequence[Write], start: int
) -> Iterator[int]:
    """Yield how far the writes may have come after an attempt."""
    if outcome in _UNSENT:
        yield start
        return
    matched = 0
    for want, write in zip(wanted, writes, strict=False):
        if want != write:
            break
        matched += 1
    if matched == len(wanted):
        yield start + matched
    if outcome not in _CERTAIN:
        yield from range(start, start + min(matched, len(wanted) - 1) + 1)
