"""The read model: the history of commands, indexed, beside the log and made from it alone.

It has a row a plan, packed, and a row a command that has events of its own, and says up to which
position of the log it knows. Who reads it folds what came after that.
"""

import contextlib
import itertools
import logging
from collections.abc import Iterable, Iterator, Sequence
from typing import Final

import msgspec

from actors.kept import MARK, Fold, Kept, Mark, Where, digest_of, marks_of
from actors.store import Store
from actors.store.table_schema import Tables
from engine import events
from engine.archives import STREAM as ARCHIVE
from engine.archives import Bases
from engine.codec import Codec, Record, Row
from engine.commands import CauseKind, CommandStatus
from engine.errors import StoreCorrupt
from engine.history import CommandHistory, CommandRecord, Filters
from engine.history.asset import AssetHistory
from engine.history.kept import Changed
from engine.history.lives import Life
from engine.history.planned import PlanRow
from engine.history.rows import VERSION, encode, head_of
from engine.plans import parse_command_id
from engine.types import AssetId, CommandId, ScheduleId

logger = logging.getLogger("setpoint")

BATCH: Final = 5_000
"""Rows of one transaction."""
_NO_EVENTS: Final = frozenset({CommandStatus.PENDING, CommandStatus.CANCELLED})
"""What a planned command can be without an event of its own."""
_MANY: Final = 500
_EVERYTHING: Final = Filters()
_PUT_COMMAND: Final = (
    "INSERT INTO commands (asset, id, type, status, cause, schedule, due_us, state) "
    "VALUES (?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (asset, id) DO UPDATE SET "
    "status = excluded.status, state = excluded.state"
)
_PUT_PLAN: Final = (
    "INSERT INTO plans (asset, schedule, ordinal, first_us, last_us, state) "
    "VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT (asset, schedule) DO UPDATE SET state = excluded.state"
)
_PUT_HEAD: Final = (
    "INSERT INTO heads (asset, state) VALUES (?, ?) "
    "ON CONFLICT (asset) DO UPDATE SET state = excluded.state"
)
_NAMES: Final = msgspec.msgpack.Decoder(list[str])
_PUT_META: Final = (
    "INSERT INTO meta (key, value) VALUES (?, ?) "
    "ON CONFLICT (key) DO UPDATE SET value = excluded.value"
)
_PUT_ATTEMPT: Final = (
    "INSERT INTO attempts (asset, id, commands) VALUES (?, ?, ?) ON CONFLICT (asset, id) DO NOTHING"
)


class ReadModel:
    """A read model in its tables. One thread at a time."""

    def __init__(self, tables: Tables) -> None:
        """Use these tables."""
        self._tables = tables
        self._names: dict[int, frozenset[str]] = {}

    @property
    def mark(self) -> Mark:
        """How far it is; at the beginning, if it is empty or of another version."""
        found = self._tables.rows("SELECT value FROM meta WHERE key = 'mark'")
        try:
            mark = MARK.decode(found[0][0]) if found else Mark()
        except msgspec.MsgspecError:
            return Mark()
        return mark if mark.version == VERSION else Mark()

    def close(self) -> None:
        """Let go of the tables."""
        self._tables.close()

    def clear(self) -> None:
        """Forget everything."""
        with self._tables.transaction(write=True):
            self._clear()

    def _clear(self) -> None:
        for table in ("meta", "schedules", "names", "heads", "plans", "commands", "attempts"):
            self._tables.run(f"DELETE FROM {table}", [()])  # noqa: S608 - our own tables
        self._names.clear()

    def fits(self, mark: Mark, store: Store) -> bool:
        """Return whether a mark is of this log, and not of one that was put in its place."""
        if not mark.position:
            return True
        row = store.row_at(mark.position)
        return row is not None and digest_of(row) == mark.digest

    # --- following the log

    def follow(self, store: Store, codec: Codec, fold: Fold, *, until: int | None = None) -> int:
        """Take the next rows of a log, in one transaction; return how many.

        ``fold`` may go on from one call to the next. Others may follow as well. Rows behind the
        position ``until`` are left.
        """
        with self._tables.transaction(write=True):
            mark = self.mark
            if not self.fits(mark, store):
                logger.warning("the read model is of another log, and is made anew")
                mark = Mark()
            if not mark.position:
                self._clear()  # what another version kept, too
            if fold.position != mark.position or fold.history is None:
                fold.history = self.fold()
            if not mark.position:
                fold.history.speed = _speed(store, codec)
            rows = list(itertools.islice(store.read_all(mark.position), BATCH))
            if until is not None:
                rows = [row for row in rows if (row.position or 0) <= until]
            if rows:
                self._take(rows, codec, fold.history, mark.left_out)
                fold.position = rows[-1].position or 0
        return len(rows)

    def _take(
        self, rows: Sequence[Row], codec: Codec, fold: CommandHistory, left_out: tuple[str, ...]
    ) -> None:
        touched: set[str] = set()
        for row in rows:
            try:
                record = codec.decode(row)
            except StoreCorrupt as error:
                left_out = (*left_out[:_MANY], str(error))
                continue
            fold.feed(record)
            touched.add(row.stream)
            if isinstance(record.event, events.ScheduleReceived):
                self._schedule_received(record.event)
        for stream in sorted(touched & fold.assets.keys()):
            self._put(fold.assets[stream])
        mark = Mark(rows[-1].position or 0, digest_of(rows[-1]), fold.speed, left_out)
        self._tables.run(_PUT_META, [("mark", msgspec.msgpack.encode(mark))])

    def fold(
        self, filters: Filters = _EVERYTHING, since: Sequence[events.ScheduleReceived] = ()
    ) -> CommandHistory:
        """Return a fold that goes on from what is kept, and the schedules that came since."""

        def kept(stream: str) -> AssetHistory | None:
            return self._asset(stream, filters, since) if filters.takes_asset(stream) else None

        def recall(stream: str) -> Kept:
            return Kept(self._tables, stream)

        return CommandHistory(filters, kept=kept, recall=recall, speed=self.mark.speed)

    def _asset(
        self,
        stream: str,
        filters: Filters,
        since: Iterable[events.ScheduleReceived] = (),
        lives: "dict[str, bytes] | None" = None,
    ) -> AssetHistory | None:
        """Return an asset's history as it is kept, its newest horizon included."""
        found = self._tables.rows("SELECT state FROM heads WHERE asset = ?", (stream,))
        if not found:
            return None
        head, recall = head_of(found[0][0]), Kept(self._tables, stream, lives)
        asset = AssetHistory(AssetId(stream), filters, head, recall)
        for sequence, horizon_us in self._unseen(stream, head.seen):
            asset.horizon_received(sequence, horizon_us)
        for event in since:
            if stream in event.plans:
                asset.horizon_received(event.sequence, event.horizon_us)
        return asset

    def _unseen(self, stream: str, seen: int) -> list[tuple[int, int]]:
        """Return the schedules that came since and name an asset: the last two say it all.

        Each settles the horizon before it, and only the last can still be taken back.
        """
        newest = self._tables.rows(
            "SELECT sequence, names, horizon_us FROM schedules WHERE sequence > ? "
            "ORDER BY sequence DESC LIMIT 2",
            (seen,),
        )
        if all(stream in self._named(names) for _, names, _ in newest):
            return [(sequence, horizon_us) for sequence, _, horizon_us in reversed(newest)]
        sets = [row[0] for row in self._tables.rows("SELECT id FROM names")]
        marks = [one for one in sets if stream in self._named(one)]
        if not marks:
            return []
        found = self._tables.rows(
            "SELECT sequence, horizon_us FROM schedules WHERE sequence > ? "  # noqa: S608 - only marks are put in
            f"AND names IN ({marks_of(marks)}) ORDER BY sequence DESC LIMIT 2",
            (seen, *marks),
        )
        return [(sequence, horizon_us) for sequence, horizon_us in reversed(found)]

    def _named(self, names: int) -> frozenset[str]:
        """Return a set of names; they are the same from schedule to schedule."""
        if names not in self._names:
            found = self._tables.rows("SELECT names FROM names WHERE id = ?", (names,))
            try:
                self._names[names] = frozenset(_NAMES.decode(found[0][0]))
            except (IndexError, msgspec.MsgspecError) as error:
                raise StoreCorrupt("the read model is damaged: names of a schedule") from error
        return self._names[names]

    def _schedule_received(self, event: events.ScheduleReceived) -> None:
        names = msgspec.msgpack.encode(sorted(event.plans))
        self._tables.run(
            "INSERT INTO names (names) VALUES (?) ON CONFLICT (names) DO NOTHING", [(names,)]
        )
        number = self._tables.rows("SELECT id FROM names WHERE names = ?", (names,))[0][0]
        self._tables.run(
            "INSERT INTO schedules (sequence, names, horizon_us) VALUES (?, ?, ?) "
            "ON CONFLICT (sequence) DO NOTHING",
            [(event.sequence, number, event.horizon_us)],
        )

    def _put(self, asset: AssetHistory) -> None:
        asset_id, changed = asset.asset_id, asset.changes()
        self._tables.run(_PUT_HEAD, [(asset_id, encode(asset.head()))])
        self._tables.run(_PUT_PLAN, [_plan_values(asset_id, row) for row in _rows(changed)])
        self._tables.run(
            _PUT_COMMAND, [_command_values(asset_id, life) for life in changed.lives.values()]
        )
        self._tables.run(
            _PUT_ATTEMPT,
            [(asset_id, one, "\n".join(ids)) for one, ids in changed.attempts.items() if ids],
        )

    # --- being asked

    def assets(self) -> list[str]:
        """Return the assets of which something is kept."""
        return [row[0] for row in self._tables.rows("SELECT asset FROM heads")]

    def check(self, asset_id: str) -> None:
        """Look whether an asset's head can be read.

        Raises:
            StoreCorrupt: it is damaged.
        """
        for (data,) in self._tables.rows("SELECT state FROM heads WHERE asset = ?", (asset_id,)):
            head_of(data)

    def command_rows(self, asset_id: str) -> list[tuple[object, ...]]:
        """Return all that is kept of an asset's commands, each row beginning with the id."""
        return self._tables.rows(
            "SELECT id, type, status, cause, schedule, due_us, state FROM commands WHERE asset = ?",
            (asset_id,),
        )

    def plan_rows(self, asset_id: str) -> list[tuple[str, bytes]]:
        """Return an asset's plans by schedule, as bytes."""
        found = self._tables.rows("SELECT schedule, state FROM plans WHERE asset = ?", (asset_id,))
        return [(schedule_id, bytes(state)) for schedule_id, state in found]

    @contextlib.contextmanager
    def at_one_moment(self) -> Iterator[Mark]:
        """Read what is of one moment; give its mark."""
        with self._tables.transaction(write=False):
            yield self.mark

    def commands(self, filters: Filters, tail: Iterable[Record]) -> Iterator[CommandRecord]:
        """Yield the commands that pass the filters; ``tail`` is what came after the mark."""
        since: list[events.ScheduleReceived] = []
        fold = self.fold(filters, since)
        for record in tail:
            fold.feed(record)
            if isinstance(record.event, events.ScheduleReceived):
                since.append(record.event)
        touched = frozenset(fold.assets)
        expands = filters.status is None or filters.status in _NO_EVENTS
        lives = self._lives(filters, touched, expands=expands)
        plans = self._plans(filters) if expands else {}
        for asset_id in sorted(lives.keys() | plans.keys()):
            found = lives.get(asset_id, {})
            asset = fold.assets.get(asset_id)
            if asset is None:
                asset = self._asset(asset_id, filters, since, found)
            if asset is None:
                continue
            fold.assets[asset_id] = asset
            asset.load(plans.get(asset_id, ()), map(CommandId, found))
        yield from fold.commands(() if expands else fold.assets.keys() - touched)

    def _lives(
        self, filters: Filters, touched: frozenset[str], *, expands: bool
    ) -> dict[str, dict[str, bytes]]:
        """Return the commands with events of their own, by asset.

        Of the assets that the tail speaks of also those whose status may be another by now; where
        plans are expanded all of them, as what has no events is what is not among them.
        """
        wanted = Where(filters)
        wanted.equal("id", filters.id)
        wanted.equal("type", None if filters.type is None else filters.type.value)
        wanted.equal("cause", None if filters.cause is None else filters.cause.value)
        wanted.due("due_us", "due_us")
        if not expands and filters.status is not None and len(touched) <= _MANY:
            other = f" OR asset IN ({marks_of(touched)})" if touched else ""
            wanted.add(f"(status = ?{other})", filters.status.value, *sorted(touched))
        found: dict[str, dict[str, bytes]] = {}
        for asset_id, command_id, state in self._tables.rows(
            f"SELECT asset, id, state FROM commands {wanted.text}",  # noqa: S608 - our own words
            wanted.values,
        ):
            found.setdefault(asset_id, {})[command_id] = state
        return found

    def _plans(self, filters: Filters) -> dict[str, list[ScheduleId]]:
        if filters.cause not in {None, CauseKind.SCHEDULE}:
            return {}
        wanted = Where(filters)
        wanted.due("last_us", "first_us")
        if filters.id is not None:
            parsed = parse_command_id(filters.id)
            if parsed is None:
                return {}
            wanted.add("schedule = ?", parsed[0])
            wanted.add("ordinal = ?", parsed[1])
        found: dict[str, list[ScheduleId]] = {}
        for asset_id, schedule_id in self._tables.rows(
            f"SELECT asset, schedule FROM plans {wanted.text}",  # noqa: S608 - our own words
            wanted.values,
        ):
            found.setdefault(asset_id, []).append(ScheduleId(schedule_id))
        return found


def _speed(store: Store, codec: Codec) -> float:
    """Return how fast the plan clock ran before the first row of a log."""
    return Bases.of(codec.decode(row).event for row in store.read_stream(ARCHIVE)).speed


def _rows(changed: Changed) -> Iterator[PlanRow]:
    return (plan.row() for plan in changed.plans.values())


def _plan_values(asset_id: str, row: PlanRow) -> tuple[object, ...]:
    ref, plan = row.event.ref, row.event.plan
    first_us, last_us = (plan.due_us(0), plan.due_us(len(plan) - 1)) if len(plan) else (0, 0)
    return (asset_id, ref.schedule_id, ref.ordinal, first_us, last_us, encode(row))


def _command_values(asset_id: str, life: Life) -> tuple[object, ...]:
    return (
        asset_id,
        life.command_id,
        life.type.value,
        life.status.value,
        life.cause.kind.value,
        life.schedule_id,
        life.due_us,
        encode(life),
    )
