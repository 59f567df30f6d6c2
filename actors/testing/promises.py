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
) -> Judgement:
    """Hold a log against what the devices saw.

    Args:
        records: the whole log in order.
        chargers: each charge point's wire log (OCPP 1.6).
        batteries: each battery's wire log with the addresses of its heartbeat registers.
    """
    counts: Counter[str] = Counter()
    violations: list[str] = []
    attempts: dict[str, Attempt] = {}
    folds, rules = Folds(), LogRules()
    for record in records:
        counts["events"] += 1
        violations += _of_the_log(folds, record, counts)
        violations += rules.feed(record)
        _take(attempts, record)
    for device, entries in chargers.items():
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
    """Yield what is wrong with an event: P4, P5 and P8."""
    header, event = record.header, record.event
    where = f"{header.stream} version {header.version}"
    if isinstance(event, events.AttemptStarted):
        counts["attempts"] += 1
        state = folds.assets.get(AssetId(header.stream))
        if state is not None and state.unknown is not None:
            yield f"P4: {where} began while {state.unknown.attempt_id} was not cleared up"
        yield from _stale(event, header.at_us, where)
    if isinstance(event, events.AttemptReconciled):
        counts["cleared up"] += 1
    if isinstance(event, events.AssetRecovered):
        counts["recovered"] += 1
    wrong = folds.feed(record)
    if wrong is not None:
        yield f"P8: {where}: {wrong}"


def _stale(event: events.AttemptStarted, at_us: int, where: str) -> Iterator[str]:
    decision = event.decision
    if decision is not None and decision.expires_us is not None and at_us >= decision.expires_us:
        yield f"P5: {where} was recorded for a setpoint that had expired"


# --- what a charger saw


def _of_a_charger(
    attempts: Mapping[str, Attempt], entries: Sequence[WireEntry], counts: Counter[str]
) -> Iterator[str]:
    """Yield control frames without their own recorded attempt, late ones, and disorder."""
    order = {attempt_id: number for number, attempt_id in enumerate(attempts)}
    seen: Counter[str] = Counter()
    newest: dict[AssetId, int] = {}
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
        if order[attempt.id] < newest.get(attempt.asset_id, 0):
            yield f"P5: frame {message_id} came behind a newer attempt's"
        newest[attempt.asset_id] = max(order[attempt.id], newest.get(attempt.asset_id, 0))
    for attempt in attempts.values():
        if attempt.outcome in _UNSENT and attempt.id in seen:
            yield f"P3: {attempt.id} is on record as not sent"


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
