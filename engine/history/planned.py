"""A plan that an asset took, and what became of those of its commands that have no own events."""

from collections.abc import Callable, Iterator
from typing import Final

from msgspec import Struct

from engine.commands import CauseKind, CommandStatus, CommandType
from engine.events import PlanCut, PlanReplaced
from engine.history.filters import Filters
from engine.history.lives import Life
from engine.history.records import CauseRecord
from engine.plans import PlannedChange, command_id
from engine.types import Channel, CommandId, Instant, ScheduleId, from_us

_TYPES: Final = {
    Channel.CHARGE: CommandType.SET_CHARGE_RATE,
    Channel.DISCHARGE: CommandType.SET_DISCHARGE_RATE,
}


class End(Struct, frozen=True, gc=False):
    """What covers the changes ``first`` up to but not including ``last``."""

    first: int
    last: int
    reason: str
    at: Instant
    by: str | None = None


class PlanRow(Struct, frozen=True):
    """A taken plan as it is kept: packed, with what covers it. Times are plan clock."""

    event: PlanReplaced
    at: Instant
    horizon_us: int
    open_until: int
    ends: tuple[End, ...]


class TakenPlan:
    """One plan from the moment that it was taken; the commands in it are made when asked for.

    The command of a change is over by its own last event, else by the first plan or cut that
    covers its due time (specification 7).
    """

    __slots__ = (
        "_asked",
        "_at",
        "_ends",
        "_event",
        "_lives",
        "_open_until",
        "_takes_type",
        "horizon_us",
    )

    def __init__(self, event: PlanReplaced, at: Instant, filters: Filters) -> None:
        """Begin with all of the plan's commands PENDING."""
        self._event = event
        self._at = at
        self._asked = filters.changes_of(event.plan, event.ref)
        self._takes_type = filters.takes_type
        self.horizon_us = event.horizon_us
        self._open_until = len(event.plan)
        self._ends: list[End] = []
        self._lives: dict[int, Life] = {}

    @classmethod
    def of(cls, row: PlanRow, filters: Filters) -> "TakenPlan":
        """Return a plan as it was kept."""
        plan = cls(row.event, row.at, filters)
        plan.horizon_us = row.horizon_us
        plan._open_until = row.open_until
        plan._ends = list(row.ends)
        return plan

    def row(self) -> PlanRow:
        """Return what is to be kept of it."""
        ends = tuple(self._ends)
        return PlanRow(self._event, self._at, self.horizon_us, self._open_until, ends)

    @property
    def schedule_id(self) -> ScheduleId:
        """The schedule that it came with."""
        return self._event.ref.schedule_id

    @property
    def sequence(self) -> int:
        """That schedule's place among all."""
        return self._event.ref.sequence

    def is_open(self, at: Instant) -> bool:
        """Return whether a plan taken later can still cover changes of this one."""
        return self._event.plan.index_at(at.plan_us) < self._open_until

    def is_over_by(self, plan_us: int) -> bool:
        """Return whether all changes are due before a moment."""
        return self._event.plan.index_at(plan_us - 1) == len(self._event.plan)

    def supersede(self, event: PlanReplaced, at: Instant) -> None:
        """End what a later plan covers: from its beginning on; all, when it rules at once."""
        first = 0
        if event.from_us > at.plan_us:
            first = self._event.plan.index_at(event.from_us - 1)
        if first < self._open_until:
            by = event.ref.schedule_id
            self._ends.append(End(first, self._open_until, "superseded", at, by))
            self._open_until = first

    def cut(self, event: PlanCut, at: Instant) -> None:
        """End a range of changes."""
        last = min(event.last, len(self._event.plan))
        self._ends.append(End(event.first, last, event.reason, at))

    def life(
        self, ordinal: int, index: int, recall: Callable[[CommandId], Life | None]
    ) -> Life | None:
        """Return the life of a change's command, now that it has events of its own.

        Null where there is no such command, or it is not looked at. ``recall`` may know it from
        before.
        """
        if ordinal != self._event.ref.ordinal or index not in self._asked:
            return None
        if not self._is_command(index):
            return None
        found = self._lives.get(index)
        if found is None:
            known = recall(command_id(self._event.ref, index))
            found = self._lives[index] = known or self._begin(self._event.plan.change(index))
        return found

    def known(
        self, ordinal: int, index: int, recall: Callable[[CommandId], Life | None]
    ) -> Life | None:
        """Return the life of a change's command, if it had events of its own before."""
        known_id = command_id(self._event.ref, index)
        if index not in self._lives and recall(known_id) is None:
            return None
        return self.life(ordinal, index, recall)

    def forget(self, index: int) -> None:
        """Let go of a life; it can be recalled."""
        self._lives.pop(index, None)

    def lives_of_their_own(self, horizon_us: int) -> Iterator[Life]:
        """Yield the commands that have a life of their own, in order."""
        for index in sorted(self._lives):
            yield self._finished(index, None, horizon_us)

    def lives(self, horizon_us: int) -> Iterator[Life]:
        """Yield all commands that are looked at, in order, with their ends and expiries."""
        ends: list[End | None] = [None] * len(self._event.plan)
        for end in reversed(self._ends):  # of several, the first counts
            ends[end.first : end.last] = [end] * (end.last - end.first)
        for index in self._asked:
            if self._is_command(index):
                yield self._finished(index, ends[index], horizon_us)

    def _is_command(self, index: int) -> bool:
        """Return whether a change is a command, of a type that is looked at."""
        if index in self._event.skipped:
            return False
        return self._takes_type(_TYPES[Channel(self._event.plan.channel[index])])

    def _begin(self, change: PlannedChange) -> Life:
        columns = self._event.plan.columns
        column = columns[change.channel] if change.channel < len(columns) else None
        slot = from_us(change.due_us)
        return Life(
            command_id(self._event.ref, change.index),
            _TYPES[change.channel],
            change.watts,
            CauseRecord(CauseKind.SCHEDULE, slot, column or None),
            change.due_us,
            self._at.plan_us,
            schedule_id=self._event.ref.schedule_id,
        )

    def _finished(self, index: int, end: End | None, horizon_us: int) -> Life:
        plan = self._event.plan
        life = self._lives.get(index)
        if life is None:
            life = self._begin(plan.change(index))
            if end is not None:
                life.turn(CommandStatus.CANCELLED, end.at, end.reason)
                life.ended_by = end.by
        following = plan.next_on_channel(index)
        life.expires_us = horizon_us if following is None else plan.change(following).due_us
        return life
