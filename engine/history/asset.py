"""One asset's commands, folded from its stream."""

from collections.abc import Iterable, Iterator

from engine import events
from engine.asset.attempts import SETS_SETPOINT
from engine.commands import CauseKind
from engine.history.filters import Filters
from engine.history.lives import Life, Try
from engine.history.planned import TakenPlan
from engine.history.records import CauseRecord
from engine.plans import parse_command_id
from engine.types import AssetId, CommandId, Instant, ScheduleId, from_us


class AssetHistory:
    """The commands of one asset that pass the filters, and what became of them.

    Plans stay packed. Only a command with events of its own is kept as a life; the others are made
    from their plan when they are asked for.
    """

    def __init__(self, asset_id: AssetId, filters: Filters) -> None:
        self.asset_id = asset_id
        self._filters = filters
        self._plans: dict[ScheduleId, TakenPlan] = {}
        self._open: list[TakenPlan] = []
        self._newest: TakenPlan | None = None
        self._received: tuple[int, int] | None = None
        self._created: dict[CommandId, Life] = {}
        self._tries: dict[str, Try] = {}
        self._wire: dict[str, tuple[Life, ...]] = {}

    def lives(self) -> Iterator[Life]:
        """Yield the commands: planned ones plan by plan, then the others as they were created."""
        for plan in self._plans.values():
            yield from plan.lives(self._horizon_us(plan))
        yield from self._created.values()

    # --- plans

    def horizon_received(self, sequence: int, horizon_us: int) -> None:
        """Take the horizon of an accepted schedule that names this asset.

        It counts for the plan in force, unless the asset takes or rejects the schedule's plan.
        """
        self._settle_horizon()
        self._received = (sequence, horizon_us)

    def plan_replaced(self, event: events.PlanReplaced, at: Instant) -> None:
        """Take a plan; it covers what the plans before it still have open."""
        if self._received is not None and event.ref.sequence > self._received[0]:
            self._settle_horizon()
        self._forget_horizon(event.ref.sequence)
        for plan in self._open:
            plan.supersede(event, at)
        self._open = [plan for plan in self._open if plan.is_open(at)]
        self._newest = None
        schedule_id = event.ref.schedule_id
        if self._filters.takes_cause(CauseKind.SCHEDULE, schedule_id):
            self._newest = TakenPlan(event, at, self._filters)
            self._plans[schedule_id] = self._newest
            self._open.append(self._newest)

    def _plan_cut(self, event: events.PlanCut, at: Instant) -> None:
        plan = self._plans.get(event.schedule_id)
        if plan is not None:
            plan.cut(event, at)

    def _exhausted(self, event: events.ScheduleExhausted) -> None:
        """Take the horizon that passed; later ones are another plan's."""
        if self._newest is not None:
            self._newest.horizon_us = event.horizon_us
            self._newest = None
        self._forget_horizon(event.sequence)

    def _horizon_us(self, plan: TakenPlan) -> int:
        if plan is self._newest and self._received is not None:
            return self._received[1]
        return plan.horizon_us

    def _settle_horizon(self) -> None:
        """Take the last horizon as that of the plan in force: the asset had it unchanged."""
        if self._newest is not None:
            self._newest.horizon_us = self._horizon_us(self._newest)
        self._received = None

    def _forget_horizon(self, sequence: int) -> None:
        """Drop the horizon of a schedule up to this one: it is not that of the plan in force."""
        if self._received is not None and self._received[0] <= sequence:
            self._received = None

    # --- commands

    def command_created(self, event: events.CommandCreated, at: Instant, speed: float) -> None:
        """Take a command that is not part of a plan, if it is looked at."""
        cause, asked = event.cause, self._filters
        if not (
            asked.takes_id(event.command_id)
            and asked.takes_type(event.type)
            and asked.takes_cause(cause.kind, cause.schedule_id)
            and asked.takes_due(event.due_us)
        ):
            return
        slot = None if cause.slot_us is None else from_us(cause.slot_us)
        self._created[event.command_id] = Life(
            event.command_id,
            event.type,
            event.value_w,
            CauseRecord(cause.kind, slot, cause.column, cause.by, cause.reason, cause.event_id),
            event.due_us,
            at.plan_us,
            _expires_us(event, at, speed),
            event.priority,
            cause.schedule_id,
        )

    def feed(self, event: events.Event, at: Instant) -> None:  # noqa: C901, PLR0912 - one case per event, each only hands on
        """Take any other event of the asset's stream."""
        match event:
            case events.AttemptStarted():
                self._attempt_started(event, at)
            case events.AttemptEnded():
                self._attempt_ended(event, at)
            case events.AttemptReconciled():
                for life in self._lives(event.command_ids):
                    life.reconciled(event, at)
            case events.CommandVerified():
                for life in self._lives(event.command_ids):
                    life.turn(event.status, at, event.reason, event.evidence)
            case events.CommandHeld():
                for life in self._lives(event.command_ids):
                    life.held(event.reason, at)
            case events.CommandCancelled():
                self._cancelled(event, at)
            case events.SetpointDecided():
                self._decided(event.decision)
            case events.LateAnswered():
                self._answered_late(event, at)
            case events.AssetRecovered():
                self._recovered()
            case events.PlanCut():
                self._plan_cut(event, at)
            case events.PlanRejected():
                self._forget_horizon(event.ref.sequence)
            case events.ScheduleExhausted():
                self._exhausted(event)
            case _:
                return

    def _decided(self, decision: events.Decision) -> None:
        """Let the planned commands that a decision took up go their own way from here on."""
        for step in decision.steps:
            for _ in self._lives(step.command_ids):
                pass

    def _attempt_started(self, event: events.AttemptStarted, at: Instant) -> None:
        if event.decision is not None:
            self._decided(event.decision)
        served = tuple(self._lives(event.command_ids))
        if not served:
            return
        tried = Try(event.attempt_id, event.number, at.device_us)
        self._tries[event.attempt_id] = tried
        self._wire[event.attempt_id] = served
        for life in served:
            life.attempt_started(event, tried, at)

    def _attempt_ended(self, event: events.AttemptEnded, at: Instant) -> None:
        for life in self._wire.pop(event.attempt_id, ()):
            self._tries[event.attempt_id].ended(event, at)
            life.attempt_ended(event, at)

    def _answered_late(self, event: events.LateAnswered, at: Instant) -> None:
        tried = self._tries.get(event.attempt_id)
        if tried is not None:
            tried.answered_late(event.answer, at)

    def _recovered(self) -> None:
        """Take note of a restart: attempts without a recorded outcome are unknown (P4)."""
        for attempt_id in self._wire:
            self._tries[attempt_id].lost()
        self._wire.clear()

    def _cancelled(self, event: events.CommandCancelled, at: Instant) -> None:
        for life in self._lives(event.command_ids):
            if life.turn(event.status, at, event.reason):
                life.ended_by = event.by

    def _lives(self, command_ids: Iterable[CommandId]) -> Iterator[Life]:
        """Yield those commands that are looked at."""
        for command_id in command_ids:
            life = self._created.get(command_id) or self._planned(command_id)
            if life is not None:
                yield life

    def _planned(self, command_id: CommandId) -> Life | None:
        parsed = parse_command_id(command_id)
        if parsed is None:
            return None
        schedule_id, ordinal, index = parsed
        plan = self._plans.get(schedule_id)
        return None if plan is None else plan.life(ordinal, index)


def _expires_us(event: events.CommandCreated, at: Instant, speed: float) -> int | None:
    """Return when a command expires by the plan clock; START, STOP and the like do by the other."""
    if event.expires_us is None or event.type in SETS_SETPOINT or event.value_w is not None:
        return event.expires_us
    return at.plan_us + round((event.expires_us - at.device_us) * speed)
