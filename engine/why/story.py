"""One asset's stream, folded for the question why: the newest decision and what led to it."""

from collections.abc import Iterator
from typing import Final

from engine import events
from engine.asset import AssetState, evolve
from engine.asset.reported import LINK_FAILED
from engine.codec import Record
from engine.types import AssetId, Instant

_PROMPTS: Final = (
    events.PlanReplaced,
    events.PlanCut,
    events.OverrideSet,
    events.OverrideEnded,
    events.ScheduleExhausted,
    events.DepartureDetected,
    events.DepartureEnded,
    events.DeviceChanged,
    events.ClockSkewed,
    events.ExternalLimitTold,
    events.PhasesMeasured,
)
_HINDRANCES: Final = {"offline": events.ConnectionChanged, "stale": events.ConnectionChanged}
_OUT_OF_ORDER: Final = frozenset({"FAULTED", "UNAVAILABLE"})
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
    events.ActorCrashed,
    events.ActorRecovered,
    events.LinkFailed,
    events.GrantExceeded,
    events.GrantKept,
)


class Story:
    """The state, and the records that explain it.

    ``prompts`` are the events that led to the newest decision, ``outcomes`` what became of it,
    ``before`` what became of the decision before it.
    """

    def __init__(self, asset_id: AssetId, start: AssetState | None = None) -> None:
        """Begin with nothing known, or behind what was known before."""
        self.state = AssetState(asset_id) if start is None else start
        self.prompts: list[Record] = []
        self.decision: Record | None = None
        self.decided_us = self.told_us = 0
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
        self.told_us = header.at_us
        if isinstance(event, _PROMPTS) or (
            isinstance(event, events.CommandCancelled) and event.reason == "early_departure"
        ):
            self._waiting.append(record)
        if getattr(event, "decision", None) is not None:
            self.prompts, self._waiting = self._waiting, []
            self.before, self.decision, self.outcomes = self.outcomes, record, []
            self.decided_us = header.at_us
        elif isinstance(event, _OUTCOMES):
            self.outcomes.append(record)

    def latest(self, type_: type) -> Record:
        """Return the newest record of a type of event.

        Raises:
            KeyError: there is none.
        """
        return self._latest[type_]

    def prompt(self, type_: type) -> Record | None:
        """Return the newest event of a type that led to the decision, or came since."""
        for record in reversed((*self.prompts, *self._waiting)):
            if isinstance(record.event, type_):
                return record
        return None

    def led(self, type_: type) -> Record | None:
        """Return the newest event of a type that led to the decision."""
        return next((one for one in reversed(self.prompts) if isinstance(one.event, type_)), None)

    def outcome(self, type_: type) -> Record | None:
        """Return the newest event of a type that tells what became of the decision."""
        started = self.decision
        own = [started] if started is not None else []
        for record in reversed((*own, *self.outcomes)):
            if isinstance(record.event, type_):
                return record
        return None

    def trouble(self) -> Record | None:
        """Return the event by which the device cannot do what it should hold, if it cannot."""
        state = self.state
        if state.work is not None and state.work.held is not None:
            return None  # that is told of what waits for it
        broken = state.device.state in _OUT_OF_ORDER
        return self._latest.get(events.StateChanged) if broken else None

    def skew(self) -> Record | None:
        """Return the event by which the device's clock is wrong, if it is."""
        is_wrong = self.state.device.clock_ahead_s != 0
        return self._latest.get(events.ClockSkewed) if is_wrong else None

    def unused(self) -> Record | None:
        """Return the event by which the device's link is not to be had, if it is not."""
        is_failed = LINK_FAILED in self.state.alarms
        return self._latest.get(events.LinkFailed) if is_failed else None

    def failure(self) -> Record | None:
        """Return the newest event that says that the engine failed on what it was told lately."""
        if self.state.device.failed:
            return self._latest.get(events.ActorCrashed)
        found = self.outcome(events.ActorCrashed)
        lost = found is not None and (found.event.set_aside or found.event.gave_up)
        return found if lost else None

    def chain(self) -> tuple[Record, ...]:
        """Return the records that explain the state, oldest first."""
        chosen = {id(one): one for one in self._chosen() if one is not None}
        return tuple(sorted(chosen.values(), key=lambda one: one.header.version))

    def _chosen(self) -> Iterator[Record | None]:
        yield self._ground()
        if any(one.blocked for one in self.state.given_up):
            yield from self.before
        yield from self.prompts
        yield self.decision
        yield from self.outcomes
        yield from self._waiting
        yield self.failure()
        yield self.unused()
        yield self.skew()
        yield self.trouble()
        work = self.state.work
        if work is not None and work.held is not None:
            hindrance = _HINDRANCES.get(work.held, events.StateChanged)
            yield self._latest.get(hindrance)

    def _ground(self) -> Record | None:
        """Return what the newest decision rests on."""
        source = None if self.state.desired is None else self.state.desired.source
        if source in {None, "schedule"}:
            return self.plan
        if source == "override":
            return self.latest(events.OverrideSet)
        if self.state.programme.exhausted:
            return self.latest(events.ScheduleExhausted)
        return self._latest.get(events.DepartureDetected)
