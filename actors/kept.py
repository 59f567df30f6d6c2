"""What a read model keeps: how far it is, what it knows of an asset, how its rows are selected."""

from collections.abc import Collection
from hashlib import sha256
from typing import Final

import msgspec

from actors.store.table_schema import Tables
from engine.codec import Row
from engine.history import CommandHistory, Filters
from engine.history.lives import Life
from engine.history.planned import PlanRow
from engine.history.rows import VERSION, life_of, plan_of
from engine.types import CommandId, ScheduleId


class Mark(msgspec.Struct, frozen=True):
    """How far a model is: the log's position, that row's digest, the speed of the plan clock.

    ``left_out`` says which rows could not be read.
    """

    position: int = 0
    digest: bytes = b""
    speed: float = 1.0
    left_out: tuple[str, ...] = ()
    version: int = VERSION


MARK: Final = msgspec.msgpack.Decoder(Mark)


def digest_of(row: Row) -> bytes:
    """Return what tells a row of the log from every other."""
    return sha256(f"{row.stream}\0{row.version}\0{row.topic}\0".encode() + row.state).digest()


class Fold(msgspec.Struct):
    """What who follows the log has in hand, up to a position."""

    history: CommandHistory | None = None
    position: int = 0


class Kept:
    """What the model keeps of one asset, by id; ``lives`` were read ahead."""

    def __init__(self, tables: Tables, asset: str, lives: "dict[str, bytes] | None" = None) -> None:
        """Look into these tables."""
        self._tables = tables
        self._asset = asset
        self._lives = lives or {}

    def plan(self, schedule_id: ScheduleId) -> PlanRow | None:
        """See `Recall`."""
        found = self._tables.rows(
            "SELECT state FROM plans WHERE asset = ? AND schedule = ?", (self._asset, schedule_id)
        )
        return plan_of(found[0][0]) if found else None

    def life(self, command_id: CommandId) -> Life | None:
        """See `Recall`."""
        data = self._lives.get(command_id)
        if data is None:
            found = self._tables.rows(
                "SELECT state FROM commands WHERE asset = ? AND id = ?", (self._asset, command_id)
            )
            data = found[0][0] if found else None
        return None if data is None else life_of(data)

    def attempt(self, attempt_id: str) -> tuple[CommandId, ...]:
        """See `Recall`."""
        found = self._tables.rows(
            "SELECT commands FROM attempts WHERE asset = ? AND id = ?", (self._asset, attempt_id)
        )
        return tuple(map(CommandId, found[0][0].split("\n"))) if found else ()


class Where:
    """The condition of a selection."""

    def __init__(self, filters: Filters) -> None:
        """Begin with what every table knows: the asset and the schedule."""
        self._filters = filters
        self._conditions: list[str] = []
        self.values: list[object] = []
        self.equal("asset", filters.asset)
        self.equal("schedule", filters.schedule)

    @property
    def text(self) -> str:
        """The clause."""
        return f"WHERE {' AND '.join(self._conditions)}" if self._conditions else ""

    def add(self, condition: str, *values: object) -> None:
        """Ask for something more."""
        self._conditions.append(condition)
        self.values += values

    def equal(self, column: str, value: object) -> None:
        """Ask for a value, if one is wanted."""
        if value is not None:
            self.add(f"{column} = ?", value)

    def due(self, last: str, first: str) -> None:
        """Ask for what is due in the time that is wanted."""
        if self._filters.since_us is not None:
            self.add(f"{last} >= ?", self._filters.since_us)
        if self._filters.until_us is not None:
            self.add(f"{first} < ?", self._filters.until_us)


def marks_of(values: Collection[object]) -> str:
    """Return a mark for each value."""
    return ", ".join("?" * len(values))
