"""The judge: what is promised, held against the log and the devices' own wire logs.

Pure: it is given the records of a whole log and what each device saw. A check on nothing is no
check, so it counts what it has looked at.
"""

from collections import Counter
from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from typing import Any, Final, cast

import attrs

from actors.sim.wirelog import WireEntry
from actors.testing.answers import LateAnswers, StartAnswers, seen_us
from actors.testing.attempts import Attempt
from actors.testing.faults import Injected
from actors.testing.limit_rules import LimitRules
from actors.testing.on_the_way import OnTheWay
from actors.testing.rules import LogRules
from engine import events
from engine.codec import Record
from engine.types import US_PER_S, AssetId
from engine.verification.folds import Folds

CONTROL_ACTIONS: Final = frozenset(
    {
        "SetChargingProfile",
        "ClearChargingProfile",
        "RemoteStartTransaction",
        "RemoteStopTransaction",
        "RequestStartTransaction",
        "RequestStopTransaction",
        "ChangeAvailability",
        "ChangeConfiguration",
        "Reset",
        "SetVariables",
        "UnlockConnector",
    }
)
"""The frames of OCPP 1.6 and 2.0.1 that change what a charger does (specification 1)."""
WRITES: Final = frozenset({6, 16})
"""The Modbus functions that do."""
WINDOW_US: Final = 2 * US_PER_S
"""An attempt is begun within 1 s of its record or never; as much again for the way."""

_CERTAIN: Final = frozenset({"accepted"})
_UNSENT: Final = frozenset({"not_sent"})


@attrs.frozen
class Judgement:
    """What was broken, and how much was looked at; ``violations`` begin with the promise's name."""

    violations: tuple[str, ...]
    counts: Counter[str]


def judge(
    records: Iterable[Record],
    chargers: Mapping[str, Sequence[WireEntry]],
    batteries: Mapping[AssetId, tuple[Sequence[WireEntry], frozenset[int]]],
    struck: Sequence[Injected] = (),
    repeating: Container[AssetId] = (),
) -> Judgement:
    """Hold a log against what the devices saw.

    Args:
        records: the whole log in order.
        chargers: each charge point's wire log.
        batteries: each battery's wire log with the addresses of its heartbeat registers.
        struck: the faults that struck messages on the wire.
        repeating: the batteries that are kept alive by their setpoint, written again and again.
    """
    counts: Counter[str] = Counter()
    violations: list[str] = []
    attempts: dict[str, Attempt] = {}
    folds, rules, limits = Folds(), LogRules(), LimitRules()
    late, starts = LateAnswers(struck), StartAnswers()
    for record in records:
        counts["events"] += 1
        violations += _of_the_log(folds, record, counts)
        violations += rules.feed(record)
        violations += limits.feed(record)
        late.take(record)
        starts.take(record)
        _take(attempts, record)
    if limits.increases:
        counts["increases under a limit"] = limits.increases
    for device, entries in chargers.items():
        violations += late.unrecorded(entries, attempts)
        way = OnTheWay.to(_assets(attempts, entries), struck)
        broken = [*starts.unfounded(entries, counts)]
        broken += _of_a_charger(attempts, entries, way, counts)
        violations += (f"{one} ({device})" for one in broken)
    for asset_id, (entries, heartbeats) in batteries.items():
        own = [one for one in attempts.values() if one.asset_id == asset_id]
        way = OnTheWay.to((asset_id,), struck)
        writes = _writes(way.once_each(entries), heartbeats)
        counts["Modbus writes"] += len(writes)
        violations += _of_a_battery(own, writes, repeats=asset_id in repeating)
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


def _assets(attempts: Mapping[str, Attempt], entries: Sequence[WireEntry]) -> set[AssetId]:
    """Return whose attempts a charge point saw."""
    seen = (attempts.get(_attempt_id(entry)) for entry in entries if entry.direction == "in")
    return {attempt.asset_id for attempt in seen if attempt is not None}


def _attempt_id(entry: WireEntry) -> str:
    """Return the attempt that a control frame says it is of."""
    return str(entry.message_id).partition(".")[0]


def _of_a_charger(
    attempts: Mapping[str, Attempt],
    entries: Sequence[WireEntry],
    way: OnTheWay,
    counts: Counter[str],
) -> Iterator[str]:
    """Yield control frames without their own recorded attempt, late ones, and disorder."""
    seen: Counter[str] = Counter()
    order = _Order({attempt_id: number for number, attempt_id in enumerate(attempts)})
    for entry in way.once_each(entries):
        if entry.direction != "in" or entry.action not in CONTROL_ACTIONS:
            continue
        counts["OCPP control frames"] += 1
        message_id = str(entry.message_id)
        seen[message_id] += 1
        attempt = attempts.get(_attempt_id(entry))
        if attempt is None:
            yield f"P2: frame {message_id} has no recorded attempt"
            continue
        if seen[message_id] > 1:
            yield f"P3: frame {message_id} went out more than once"
        yield from _in_time(attempt, entry, message_id, way)
        if not way.is_reordered(message_id):
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


def _in_time(attempt: Attempt, entry: WireEntry, name: str, way: OnTheWay) -> Iterator[str]:
    at_us = seen_us(entry)
    after_us = at_us - attempt.recorded_us
    if after_us < 0:
        yield f"P2: frame {name} was seen before its attempt was recorded"
    if name != attempt.id or way.is_reordered(name):
        return
    if after_us > WINDOW_US + way.slack_us(attempt, at_us):
        yield f"P5: frame {name} was begun {after_us / US_PER_S:.1f} s late"


# --- what a battery saw


@attrs.frozen
class Write:
    """One write that a battery saw: where and what; ``spared`` where it need not have been made."""

    address: int
    values: tuple[int, ...]
    spared: bool = attrs.field(default=False, eq=False)


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
    attempts: Sequence[Attempt], writes: Sequence[Write], *, repeats: bool
) -> Iterator[str]:
    """Yield the first place where the writes are not those of the attempts, in their order.

    An accepted attempt was written whole, one that was not sent not at all; of any other as many
    of its frames as came through, from the first on. Where the battery is kept alive so, what was
    written is repeated until something else is accepted.
    """
    reached = {0}
    kept: list[list[Write]] = []
    for attempt in attempts:
        wanted = [
            Write(body["address"], tuple(body["values"]), spared="reads" in body)
            for body in attempt.control_frames
        ]
        following = {
            end
            for start in reached
            for end in _ends(attempt.outcome, wanted, writes[start:], start)
        }
        if not following:
            yield f"P3: {attempt.id} ({attempt.asset_id}) was {attempt.outcome}, and not so written"
            return
        if attempt.outcome not in _UNSENT:
            own = [one for one in wanted if not one.spared]
            kept = [own] if attempt.outcome == "accepted" else [*kept, own]
        for frames in kept if repeats else ():
            following |= {one for end in following for one in _repeated(frames, writes, end)}
        reached = following
    if len(writes) not in reached:
        extra = writes[max(reached)]
        asset = attempts[0].asset_id if attempts else "?"
        yield f"P2: {asset}: the write of {extra.values} to {extra.address} has no recorded attempt"


def _repeated(kept: Sequence[Write], writes: Sequence[Write], start: int) -> Iterator[int]:
    """Yield how far the writes may have come by being repeated, the last time perhaps in part."""
    place = start
    while kept and writes[place : place + 1] == [kept[(place - start) % len(kept)]]:
        place += 1
        yield place


def _ends(
    outcome: str | None, wanted: Sequence[Write], writes: Sequence[Write], start: int
) -> Iterator[int]:
    """Yield how far the writes may have come after an attempt."""
    if outcome in _UNSENT:
        yield start
        return
    reached = {0}
    for want in wanted:
        if outcome not in _CERTAIN:
            yield from (start + end for end in reached)
        made = {end + 1 for end in reached if writes[end : end + 1] == [want]}
        reached = made | reached if want.spared else made
    yield from (start + end for end in reached)
