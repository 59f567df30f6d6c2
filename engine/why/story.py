"""One asset's stream, folded for the question why: the newest decision and what led to it."""

from collections.abc import Iterator
from typing import Final

from engine import events
from engine.asset import AssetState, evolve
from engine.codec import Record
from engine.types import AssetId, CommandId, Instant

_PROMPTS: Final = (
    events.PlanReplaced,
    events.PlanCut,
    events.OverrideSet,
    events.OverrideEnded,
    events.ScheduleExhausted,
    events.DepartureDetected,
    events.DepartureEnded,
    events.DeviceChanged,
)
_OUTCOMES: Final = (
    events.AttemptStarted,
    events.AttemptEnded,
    events.AttemptReconciled,
    events.CommandVerified,
    events.CommandHeld,
    events.CommandCancelled,
    events.LateAnswered,
    events.DeviceChanged,
    events.AssetRecovered,
)


class Story:
    """The state, and the records that explain it.

    ``prompts`` are the events that led to the newest decision, ``outcomes`` what became of it,
    ``before`` what became of the decision before it.
    """

    def __init__(self, asset_id: AssetId) -> None:
        """Begin with nothing known."""
        self.state = AssetState(asset_id)
        self.prompts: list[Record] = []
        self.decision: Record | None = None
        self.outcomes: list[Record] = []
        self.before: list[Record] = []
        self.plan: Record | None = None
        self.plan_before: events.PlanReplaced | None = None
        self._latest: dict[type, Record] = {}
        self._waiting: list[Record] = []

    def feed(self, record: Record) -> None:
        """Take the next record of the asset's stream."""
        header, event = record.header, record.event
        if isinstance(event, events.PlanReplaced):
            in_force = self.state.programme.parts
            self.plan_before = None
            if self.plan is not None and in_force:
                self.plan_before = self.plan.event
            self.plan = record
        self.state = evolve(self.state, event, Instant(header.at_us, header.wall_us))
        self._latest[type(event)] = record
        if isinstance(event, _PROMPTS) or (
            isinstance(event, events.CommandCancelled) and event.reason == "early_departure"
        ):
            self._waiting.append(record)
        if getattr(event, "decision", None) is not None:
            self.prompts, self._waiting = self._waiting, []
            self.before, self.decision, self.outcomes = self.outcomes, record, []
        elif isinstance(event, _OUTCOMES):
            self.outcomes.append(record)

    def latest(self, type_: type) -> Record | None:
        """Return the newest record of a type of event."""
        return self._latest.get(type_)

    def prompt(self, type_: type) -> Record | None:
        """Return the newest event of a type that led to the decision, or came since."""
        for record in reversed((*self.prompts, *self._waiting)):
            if isinstance(record.event, type_):
                return record
        return None

    def outcome(self, type_: type) -> Record | None:
        """Return the newest event of a type that tells what became of the decision."""
        started = self.decision
        own = [started] if started is not None else []
        for record in reversed((*own, *self.outcomes)):
            if isinstance(record.event, type_):
                return record
        return None

    def command_ids(self) -> tuple[CommandId, ...]:
        """Return the commands of the newest decision."""
        if self.decision is None:
            return ()
        steps = self.decision.event.decision.steps
        return tuple(one for step in steps for one in step.command_ids)

    def chain(self) -> tuple[Record, ...]:
        """Return the records that explain the state, oldest first."""
        chosen = {id(one): one for one in self._chosen() if one is not None}
        return tuple(sorted(chosen.values(), key=lambda one: one.header.version))

    def _chosen(self) -> Iterator[Record | None]:
        source = None if self.state.desired is None else self.state.desired.source
        if source == "schedule" or self.decision is None:
            yield self.plan
        if source == "override":
            yield self.latest(events.OverrideSet)
        if source in {"fallback", "release", "hold"}:
            yield self.latest(
                events.ScheduleExhausted
                if self.state.programme.exhausted
                else events.DepartureDetected
            )
        if any(one.blocked for one in self.state.given_up):
            yield from self.before
        yield from self.prompts
        yield self.decision
        yield from self.outcomes
        yield from self._waiting
        yield from self._hindered()

    def _hindered(self) -> Iterator[Record | None]:
        """Yield what holds the decision up."""
        work = self.state.work
        if work is None or work.held is None:
            return
        if work.held in {"offline", "stale"}:
            yield self.latest(events.ConnectionChanged)
        else:
            yield self.latest(events.StateChanged)
