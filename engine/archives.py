"""Archives: what stays of a log whose beginning was moved to a file, and on what it rests.

A stream that begins later needs a base: the state that the events before it led to. Bases are
events themselves, in the stream ``archive``, under the same seals as all others, with one
LogArchived behind them that says which of the older rows stay.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import Final

import attrs

from engine import events
from engine.asset import AssetState, snapshot
from engine.codec import Record
from engine.commands import FINAL
from engine.errors import StoreCorrupt
from engine.history import CommandHistory
from engine.plans import parse_command_id
from engine.seals import LogSealed, SealMark
from engine.site import SiteState
from engine.types import AssetId, CommandId, ScheduleId
from engine.why.story import Story

STREAM: Final = "archive"
_NO_SITE: Final = SiteState()


@attrs.frozen
class AssetBase:
    """An asset's state at ``version`` of its stream: the rows up to there were moved.

    ``at_us`` is the plan time of the last of them, ``state`` is a snapshot's bytes.
    """

    asset_id: AssetId
    version: int
    at_us: int
    state: bytes


@attrs.frozen
class SchedulesBase:
    """The schedules accepted up to the cut: the newest one's sequence, and all digests by id."""

    sequence: int
    digests: Mapping[str, bytes]


@attrs.frozen
class SiteBase:
    """The site's own state at ``version`` of its stream; the fields are those of `SiteState`."""

    version: int
    epoch: int
    configured: events.SiteConfigured | None
    clock_set: events.ClockSet | None
    clock_started: events.ClockStarted | None
    running: bool
    lost_us: int | None
    notices: int
    crashes: int
    exceeded: tuple[str, ...] = ()

    @classmethod
    def of(cls, state: SiteState) -> "SiteBase":
        """Return the base that holds a state."""
        clock = state.clock
        return cls(
            state.version,
            state.epoch,
            state.configured,
            clock if isinstance(clock, events.ClockSet) else None,
            clock if isinstance(clock, events.ClockStarted) else None,
            state.running,
            state.lost_us,
            state.notices,
            state.crashes,
            state.exceeded,
        )

    def state(self) -> SiteState:
        """Return the state."""
        return SiteState(
            self.version,
            self.epoch,
            self.configured,
            self.clock_set or self.clock_started,
            self.running,
            self.lost_us,
            self.notices,
            self.crashes,
            self.exceeded,
        )


@attrs.frozen
class LogArchived:
    """What came before a seal was moved to a file, but for some rows that are still needed.

    Those come first in the log, in their order, and the last of them is the seal's own row.
    ``kept`` seals them: it says how many they are and what is in them; its number is that of the
    cut's seal, its ``first`` is 1. ``mark`` is that seal; ``at_us`` its plan time. The stream
    ``archive`` begins behind version ``begins``, and the newest ``bases`` of its events are those
    that count. ``file`` is the name of the file.
    """

    file: str
    at_us: int
    mark: SealMark
    kept: LogSealed
    begins: int
    bases: int


TOPICS: Final[dict[str, type]] = {
    "archive.asset_base": AssetBase,
    "archive.schedules_base": SchedulesBase,
    "archive.log_archived": LogArchived,
    "archive.site_base": SiteBase,
}


@attrs.frozen
class Bases:
    """On what the streams of a log rest; nothing, where nothing was archived."""

    archived: LogArchived | None = None
    assets: Mapping[AssetId, AssetBase] = attrs.field(factory=dict)
    schedules: SchedulesBase = SchedulesBase(0, {})
    site: SiteState = _NO_SITE

    @classmethod
    def of(cls, recorded: Iterable[object]) -> "Bases":
        """Return those of the newest archive, from the events of the stream ``archive``.

        What stands in place of an event that cannot be read is passed over.
        """
        happened = list(recorded)
        archived = happened[-1] if happened else None
        if not isinstance(archived, LogArchived):
            return cls()
        newest = happened[-1 - archived.bases : -1]
        return cls(
            archived,
            {one.asset_id: one for one in newest if isinstance(one, AssetBase)},
            next((one for one in newest if isinstance(one, SchedulesBase)), SchedulesBase(0, {})),
            next((one.state() for one in newest if isinstance(one, SiteBase)), _NO_SITE),
        )

    def recorded(self) -> list[object]:
        """Return the events that put them on record."""
        return [*self.assets.values(), self.schedules, SiteBase.of(self.site)]

    @property
    def speed(self) -> float:
        """How fast the plan clock ran by the device clock, 1 unless it was started otherwise."""
        clock = self.site.clock
        return clock.speed if isinstance(clock, events.ClockStarted) else 1.0

    def state(self, asset_id: AssetId) -> AssetState:
        """Return the state in front of the first event of an asset's stream that is there.

        Raises:
            StoreCorrupt: it was written by another version, or is damaged.
        """
        base = self.assets.get(asset_id)
        if base is None:
            return AssetState(asset_id)
        state = snapshot.decode(base.state)
        if state is None:
            raise StoreCorrupt(f"the state on which the events of {asset_id} rest cannot be read")
        return state

    def readable(self) -> Iterator[AssetId]:
        """Yield the assets whose streams have a base that can be read."""
        for asset_id, base in self.assets.items():
            if snapshot.decode(base.state) is not None:
                yield asset_id

    def begins(self) -> dict[str, int]:
        """Return the version behind which each stream begins, where that is not the first."""
        if self.archived is None:
            return {}
        begins = {str(asset_id): one.version for asset_id, one in self.assets.items()}
        begins["site"] = self.site.version
        return begins | {"log": self.archived.mark.n - 1, STREAM: self.archived.begins}

    def covers(self, asset_id: AssetId, at_us: int) -> bool:
        """Return whether what is known of an asset at a plan time was moved."""
        base = self.assets.get(asset_id)
        return base is not None and at_us < base.at_us


class Tail:
    """How much of an asset's stream is needed to tell its commands and to answer why.

    Fed with the stream in order up to the cut, from its base on.
    """

    def __init__(self, start: AssetState) -> None:
        """Begin behind a state."""
        self._story = Story(start.asset_id, start)
        self._history = CommandHistory()
        self._asset_id = start.asset_id
        self._plans: dict[ScheduleId, int] = {}
        self._spoken: dict[CommandId, int] = {}
        self._last = start.version

    def feed(self, record: Record) -> None:
        """Take the next record."""
        version = record.header.version
        self._last = version
        self._story.feed(record)
        self._history.feed(record)
        if isinstance(record.event, events.PlanReplaced):
            self._plans[record.event.ref.schedule_id] = version
        for command_id in _commands_of(record.event):
            self._spoken.setdefault(command_id, version)

    def begins(self) -> int:
        """Return the version up to which the stream is not needed; its last row always is."""
        return min((*self._needed(), self._last)) - 1

    def _needed(self) -> Iterator[int]:
        yield from (one.header.version for one in self._story.chain())
        before = self._story.plan_before
        if before is not None and before.ref.schedule_id in self._plans:
            yield self._plans[before.ref.schedule_id]
        asset = self._history.assets.get(self._asset_id)
        if asset is None:
            return
        head = asset.head()
        for schedule_id in (*head.open, head.newest):
            if schedule_id in self._plans:
                yield self._plans[schedule_id]
        for life in asset.lives_of_their_own():
            if life.status not in FINAL:
                yield from self._of_a_command(life.command_id)

    def _of_a_command(self, command_id: CommandId) -> Iterator[int]:
        yield self._spoken.get(command_id, self._last)
        planned = parse_command_id(command_id)
        if planned is not None and planned[0] in self._plans:
            yield self._plans[planned[0]]


def _commands_of(event: object) -> tuple[CommandId, ...]:
    """Return the commands that an event speaks of."""
    if isinstance(event, events.CommandCreated):
        return (event.command_id,)
    found: tuple[CommandId, ...] = getattr(event, "command_ids", ())
    decision = getattr(event, "decision", None)
    if isinstance(decision, events.Decision):
        found += tuple(one for step in decision.steps for one in step.command_ids)
    return found
