"""Logs as a journal would write them, made without one: for tests of what reads a log."""

import base64
import itertools
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Final

import attrs
import msgspec
from msgspec.structs import replace

from actors.reading import VOCABULARY
from engine import events
from engine.adapters.base import Frame, Payload
from engine.codec import Codec, Header, Row
from engine.commands import CommandStatus, CommandType
from engine.events import Decision, Setpoint, Step, Taken
from engine.plans import Plan, PlannedChange, PlanRef, command_id, pack
from engine.rules import AssetRules
from engine.seals import FIRST, STREAM, LogSealed, checksums_of, digest_of
from engine.types import US_PER_S, AssetId, AssetKind, Channel, Instant, ScheduleId

START_US: Final = 1_800_000_000 * US_PER_S
SCHEDULE: Final = ScheduleId("sch_1")
_CODEC: Final = Codec(VOCABULARY)
_MINUTE_US: Final = 60 * US_PER_S

Entry = tuple[str, object, Instant]
"""An event: its stream, itself, and when it happened."""


@attrs.define
class SealedLog:
    """Rows in the order of a log, in sealed transactions; positions follow each other."""

    rows: list[Row] = attrs.field(factory=list)
    epoch: int = 1
    _written: int = 0
    _versions: dict[str, int] = attrs.field(factory=dict)
    _previous: bytes = FIRST

    def commit(self, *entries: Entry) -> list[Row]:
        """Write events as one transaction; return its rows, the seal last."""
        batch = [self._row(*entry) for entry in entries]
        written = self._written + len(self.rows)
        seal = LogSealed(
            self._versions.get(STREAM, 0) + 1,
            len(batch),
            written + 1,
            digest_of(batch),
            self._previous,
            self.epoch,
            "engine",
            checksums_of(batch),
        )
        own = self._row(STREAM, seal, entries[-1][2])
        self._previous = digest_of((own,))
        batch.append(own)
        placed = [replace(row, position=written + n) for n, row in enumerate(batch, start=1)]
        self.rows += placed
        return placed

    def forget(self) -> None:
        """Let go of the rows so far; the log goes on behind them."""
        self._written += len(self.rows)
        self.rows.clear()

    def _row(self, stream: str, event: object, at: Instant) -> Row:
        version = self._versions[stream] = self._versions.get(stream, 0) + 1
        return _CODEC.encode(Header(self.epoch, stream, version, at.plan_us, at.device_us), event)


def depot_log(assets: int, changes: int, batch: int, schedules: int = 1) -> SealedLog:
    """Return the log of a depot in which every planned change was sent and accepted.

    Each asset has 4 events, 1 a schedule and 2 a change, in transactions of ``batch`` events.
    """
    log = SealedLog()
    entries = list(_depot(assets, changes, changes, schedules))
    for first in range(0, len(entries), batch):
        log.commit(*entries[first : first + batch])
    return log


def depot_rows(
    assets: int, changes: int, batch: int, planned: int, schedules: int = 1
) -> Iterator[list[Row]]:
    """Yield such a log's transactions; of a schedule's ``planned`` changes the first were sent."""
    log = SealedLog()
    entries = _depot(assets, changes, planned, schedules)
    while some := tuple(itertools.islice(entries, batch)):
        yield log.commit(*some)
        log.forget()


def write_log(path: Path, rows: Sequence[Row]) -> None:
    """Write rows to a file, one JSON object a line: as they are, and what they say."""
    lines = [
        {
            "stream": row.stream,
            "version": row.version,
            "topic": row.topic,
            "state": row.state,
            "event": msgspec.to_builtins(_CODEC.decode(row).event),
        }
        for row in rows
    ]
    path.write_bytes(b"".join(msgspec.json.encode(line) + b"\n" for line in lines))


def read_log(path: Path) -> Iterator[tuple[Row, dict[str, Any]]]:
    """Yield the rows of a file, each with what it said when it was written."""
    for n, line in enumerate(path.read_bytes().splitlines(), start=1):
        told = msgspec.json.decode(line)
        state = base64.b64decode(told["state"])
        yield Row(told["stream"], told["version"], told["topic"], state, n), told["event"]


def asset_name(number: int) -> AssetId:
    """Return the id of one asset of a depot."""
    return AssetId(f"ast_bay_{number}")


def depot_rules(name: AssetId) -> AssetRules:
    """Return how an asset of a depot is configured."""
    return AssetRules(name, AssetKind.EV_CHARGER, "fake", name, 22_000, fallback_w=4_200)


def _depot(assets: int, changes: int, planned: int, schedules: int = 1) -> Iterator[Entry]:
    names = [asset_name(number) for number in range(1, assets + 1)]
    at = Instant(START_US - _MINUTE_US, START_US - _MINUTE_US)
    yield "site", events.SiteConfigured("sit_depot", "UTC", tuple(names)), at
    for name in names:
        yield name, events.AssetConfigured(depot_rules(name)), at
        yield name, events.ConnectionChanged(connected=True, booted=True), at
        yield name, events.StateChanged("AVAILABLE", "PREPARING", "plug_in", "Preparing"), at
        yield name, events.CapabilitiesLearned({"MaxStackLevel": "3"}), at
    for sequence in range(1, schedules + 1):
        begins_us = START_US + (sequence - 1) * planned * _MINUTE_US
        horizon_us = begins_us + planned * _MINUTE_US
        at = Instant(begins_us - _MINUTE_US, begins_us - _MINUTE_US)
        plans = dict.fromkeys(names, _plan(planned, begins_us))
        schedule_id = ScheduleId(f"sch_{sequence}")
        received = events.ScheduleReceived(
            schedule_id, sequence, begins_us, horizon_us, b"digest", plans
        )
        yield schedule_id, received, at
        for ordinal, name in enumerate(names):
            ref = PlanRef(schedule_id, sequence, ordinal)
            yield name, events.PlanReplaced(ref, plans[name], begins_us, horizon_us), at
        for index in range(changes):
            yield from _changed(names, plans[names[0]], index, sequence)


def _plan(changes: int, begins_us: int) -> Plan:
    packed = [
        PlannedChange(n, begins_us + n * _MINUTE_US, Channel.CHARGE, 4_000 + n % 7 * 1_000)
        for n in range(changes)
    ]
    return pack(packed, ("ev_kw",))


def _changed(names: Sequence[AssetId], plan: Plan, index: int, sequence: int) -> Iterator[Entry]:
    """Yield what happens when a change falls due: every asset begins, then every one answers."""
    change = plan.change(index)
    schedule_id = ScheduleId(f"sch_{sequence}")
    sent = Instant(change.due_us, change.due_us)
    answered = Instant(change.due_us + 80_000, change.due_us + 80_000)
    for ordinal, name in enumerate(names):
        yield name, _started(name, PlanRef(schedule_id, sequence, ordinal), change), sent
    for name in names:
        accepted = events.AttemptEnded(
            _attempt_id(name, sequence, index),
            "accepted",
            CommandStatus.COMPLETED,
            '{"status":"Accepted"}',
            evidence="ack",
        )
        yield name, accepted, answered


def _attempt_id(name: AssetId, sequence: int, index: int) -> str:
    return f"att_{name}_{index}" if sequence == 1 else f"att_{name}_{sequence}_{index}"


def _started(name: AssetId, ref: PlanRef, change: PlannedChange) -> events.AttemptStarted:
    ids = (command_id(ref, change.index),)
    target = Setpoint(change.watts, 0)
    step = Step(ids, CommandType.SET_CHARGE_RATE, change.watts, target)
    decision = Decision(
        target,
        "schedule",
        (step,),
        change.due_us,
        taken=Taken(ref.schedule_id, change.index + 1),
        sequence=ref.sequence,
    )
    return events.AttemptStarted(
        _attempt_id(name, ref.sequence, change.index),
        1,
        0,
        ids,
        CommandType.SET_CHARGE_RATE,
        change.watts,
        change.watts,
        target,
        Payload((Frame("SetChargingProfile", {"connectorId": 1, "limit": change.watts}),)),
        change.due_us + 900 * US_PER_S,
        decision,
    )
