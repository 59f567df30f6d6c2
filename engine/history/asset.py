"""One asset's commands, folded from its stream."""

from collections.abc import Iterable, Iterator
from operator import attrgetter

from engine import events
from engine.asset.attempts import SETS_SETPOINT
from engine.commands import FINAL, CauseKind
from engine.history.filters import Filters
from engine.history.kept import NOTHING, Changed, Head, Recall
from engine.history.lives import Life, Try
from engine.history.planned import TakenPlan
from engine.history.records import CauseRecord
from engine.plans import parse_command_id
from engine.types import AssetId, CommandId, Instant, ScheduleId, from_us


class AssetHistory:
    """The commands of one asset that pass the filters, and what became of them.

    Plans stay packed. Only a command with events of its own is kept as a life; the others are made
    from their plan when they are asked for. What a model keeps of them need not be in memory: it is
    recalled when an event speaks of it.
    """

    def __init__(
        self,
        asset_id: AssetId,
        filters: Filters,
        head: Head | None = None,
        recall: Recall = NOTHING,
    ) -> None:
        """Begin at the beginning, or with what is kept from before."""
        self.asset_id = asset_id
        self._filters = filters
        self._recall = recall
        self._changed = Changed()
        self._plans: dict[ScheduleId, TakenPlan] = {}
        self._open: list[TakenPlan] = []
        self._newest: TakenPlan | None = None
        self._received: tuple[int, int] | None = None
        self._created: dict[CommandId, Life] = {}
        self._tries: dict[str, Try] = {}
        self._served: dict[str, tuple[CommandId, ...]] = {}
        self._wire: list[str] = []
        self.seen = self._count = 0
        if head is not None:
            self._resume(head)

    def _resume(self, head: Head) -> None:
        self.seen, self._received, self._count = head.seen, head.received, head.created
        self._wire = list(head.wire)
        self._open = [plan for one in head.open if (plan := self._plan(one)) is not None]
        self._newest = None if head.newest is None else self._plan(head.newest)

    def head(self) -> Head:
        """Return what is to be kept of it beside its plans and commands."""
        return Head(
            tuple(plan.schedule_id for plan in self._open),
            None if self._newest is None else self._newest.schedule_id,
            self._received,
            self.seen,
            tuple(self._wire),
            self._count,
        )

    def changes(self) -> Changed:
        """Return the plans, commands and attempts that changed since it was asked the last time.

        What is over is let go of: it can be recalled once it is kept.
        """
        changed, self._changed = self._changed, Changed()
        for life in changed.lives.values():
            if life.status in FINAL:
                self._forget(life)
        in_force = {plan.schedule_id for plan in self._open}
        if self._newest is not None:
            in_force.add(self._newest.schedule_id)
        for gone in self._plans.keys() - in_force:
            del self._plans[gone]
        return changed

    def _forget(self, life: Life) -> None:
        self._created.pop(life.command_id, None)
        parsed = parse_command_id(life.command_id)
        plan = None if parsed is None else self._plans.get(parsed[0])
        if parsed is not None and plan is not None:
            plan.forget(parsed[2])
        for tried in life.attempts:
            if tried.attempt_id not in self._wire:
                self._tries.pop(tried.attempt_id, None)
                self._served.pop(tried.attempt_id, None)

    def lives_of_their_own(self) -> Iterator[Life]:
        """Yield the commands that have events of their own, as far as they are in memory."""
        for plan in self._plans_in_order():
            yield from plan.lives_of_their_own(self._horizon_us(plan))
        yield from self._created_in_order()

    def _plans_in_order(self) -> list[TakenPlan]:
        return sorted(self._plans.values(), key=attrgetter("sequence"))

    def _created_in_order(self) -> list[Life]:
        return sorted(self._created.values(), key=attrgetter("number"))

    def load(self, schedules: Iterable[ScheduleId], commands: Iterable[CommandId]) -> None:
        """Recall plans and commands, so that they are among those that are yielded."""
        for schedule_id in schedules:
            self._plan(schedule_id)
        for command_id in commands:
            self._life(command_id)

    def lives(self) -> Iterator[Life]:
        """Yield the commands: planned ones plan by plan, then the others as they were created."""
        for plan in self._plans_in_order():
            yield from plan.lives(self._horizon_us(plan))
        yield from self._created_in_order()

    # --- plans

    def horizon_received(self, sequence: int, horizon_us: int) -> None:
        """Take the horizon of an accepted schedule that names this asset.

        It counts for the plan in force, unless the asset takes or rejects the schedule's plan.
        """
        self._settle_horizon()
        self._received = (sequence, horizon_us)
        self.seen = sequence

    def plan_replaced(self, event: events.PlanReplaced, at: Instant) -> None:
        """Take a plan; it covers what the plans before it still have open."""
        if self._received is not None and event.ref.sequence > self._received[0]:
            self._settle_horizon()
        self._forget_horizon(event.ref.sequence)
        for plan in self._open:
            plan.supersede(event, at)
            self._changed.plan(plan)
        self._open = [plan for plan in self._open if plan.is_open(at)]
        self._newest = None
        schedule_id = event.ref.schedule_id
        if self._filters.takes_cause(CauseKind.SCHEDULE, schedule_id):
            self._newest = TakenPlan(event, at, self._filters)
            self._plans[schedule_id] = self._newest
            self._open.append(self._newest)
            self._changed.plan(self._newest)

    def _plan(self, schedule_id: ScheduleId) -> TakenPlan | None:
        plan = self._plans.get(schedule_id)
        if plan is None:
            row = self._recall.plan(schedule_id)
            if row is None or not self._filters.takes_cause(CauseKind.SCHEDULE, schedule_id):
                return None
            plan = self._plans[schedule_id] = TakenPlan.of(row, self._filters)
        return plan

    def _plan_cut(self, event: events.PlanCut, at: Instant) -> None:
        plan = self._plan(event.schedule_id)
        if plan is not None:
            plan.cut(event, at)
            self._changed.plan(plan)

    def _exhausted(self, event: events.ScheduleExhausted) -> None:
        """Take the horizon that passed; later ones are another plan's."""
        if self._newest is not None:
            self._newest.horizon_us = event.horizon_us
            self._changed.plan(self._newest)
            self._newest = None
        self._forget_horizon(event.sequence)

    def _horizon_us(self, plan: TakenPlan) -> int:
        """Return a plan's horizon; one that its own changes go beyond is not that of this plan."""
        received = self._received
        if plan is self._newest and received is not None and plan.is_over_by(received[1]):
            return received[1]
        return plan.horizon_us

    def _settle_horizon(self) -> None:
        """Take the last horizon as that of the plan in force: the asset had it unchanged."""
        if self._newest is not None:
            self._newest.horizon_us = self._horizon_us(self._newest)
            self._changed.plan(self._newest)
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
        life = self._created[event.command_id] = Life(
            event.command_id,
            event.type,
            event.value_w,
            CauseRecord(cause.kind, slot, cause.column, cause.by, cause.reason, cause.event_id),
            event.due_us,
            at.plan_us,
            _expires_us(event, at, speed),
            event.priority,
            cause.schedule_id,
            number=self._count,
        )
        self._count += 1
        self._changed.life(life)

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
                    life.verified(event, at)
            case events.PowerTallied(command_id=command_id) if command_id is not None:
                self._tallied(command_id, event)
            case events.CommandHeld():
                for life in self._lives(event.command_ids):
                    life.held(event.reason, at)
            case events.CommandCancelled():
                self._cancelled(event, at)
            case events.SetpointDecided():
                self._decided(event.decision)
            case events.LateAnswered():
                self._answered_late(event, at)
            case events.AssetRecovered() | events.AssetRetired():
                self._recovered()
            case events.PlanCut():
                self._plan_cut(event, at)
            case events.PlanRejected():
                self._forget_horizon(event.ref.sequence)
            case events.ScheduleExhausted():
                self._exhausted(event)
            case _:
                return

    def _tallied(self, command_id: CommandId, event: events.PowerTallied) -> None:
        """Take what was measured of a command's slot; a command without events goes by its plan."""
        parsed = parse_command_id(command_id)
        plan = None if parsed is None else self._plan(parsed[0])
        if parsed is None:
            life = self._created.get(command_id) or self._recalled(command_id)
        else:
            life = None if plan is None else plan.known(*parsed[1:], self._remembered)
        if life is not None:
            life.tallied(event)
            self._changed.life(life)

    def _decided(self, decision: events.Decision) -> None:
        """Let the planned commands that a decision took up go their own way from here on."""
        for step in decision.steps:
            for life in self._lives(step.command_ids):
                if decision.cut is not None and life.type is step.type:
                    life.applied_w = step.value_w

    def _attempt_started(self, event: events.AttemptStarted, at: Instant) -> None:
        if event.decision is not None:
            self._decided(event.decision)
        served = tuple(self._lives(event.command_ids))
        if not served:
            return
        tried = Try(event.attempt_id, event.number, at.device_us)
        self._tries[event.attempt_id] = tried
        self._wire.append(event.attempt_id)
        self._served[event.attempt_id] = ids = tuple(life.command_id for life in served)
        self._changed.attempts[event.attempt_id] = ids
        for life in served:
            life.attempt_started(event, tried, at)

    def _attempt_ended(self, event: events.AttemptEnded, at: Instant) -> None:
        if event.attempt_id not in self._wire:
            return
        self._wire.remove(event.attempt_id)
        tried, served = self._try(event.attempt_id)
        if tried is not None:
            tried.ended(event, at)
        for life in served:
            life.attempt_ended(event, at)

    def _answered_late(self, event: events.LateAnswered, at: Instant) -> None:
        tried, _ = self._try(event.attempt_id)
        if tried is not None:
            tried.answered_late(event.answer, at)

    def _try(self, attempt_id: str) -> tuple[Try | None, tuple[Life, ...]]:
        """Return an attempt, and the commands that it served."""
        ids = self._served.get(attempt_id)
        if ids is None:
            ids = self._recall.attempt(attempt_id)
        served = tuple(self._lives(ids))
        return self._tries.get(attempt_id), served

    def _recovered(self) -> None:
        """Take note that nobody will hear: attempts without an outcome are unknown (P4)."""
        for attempt_id in self._wire:
            tried, _ = self._try(attempt_id)
            if tried is not None:
                tried.lost()
        self._wire.clear()

    def _cancelled(self, event: events.CommandCancelled, at: Instant) -> None:
        for life in self._lives(event.command_ids):
            if life.turn(event.status, at, event.reason):
                life.ended_by = event.by

    def _lives(self, command_ids: Iterable[CommandId]) -> Iterator[Life]:
        """Yield those commands that are looked at, to be changed."""
        for command_id in command_ids:
            life = self._life(command_id)
            if life is not None:
                self._changed.life(life)
                yield life

    def _life(self, command_id: CommandId) -> Life | None:
        known = self._created.get(command_id)
        if known is not None:
            return known
        parsed = parse_command_id(command_id)
        if parsed is None:
            return self._recalled(command_id)
        schedule_id, ordinal, index = parsed
        plan = self._plan(schedule_id)
        return None if plan is None else plan.life(ordinal, index, self._remembered)

    def _recalled(self, command_id: CommandId) -> Life | None:
        """Return a command that is not part of a plan, as it is kept, if it is looked at."""
        life, asked = self._remembered(command_id), self._filters
        if life is None or not (
            asked.takes_id(life.command_id)
            and asked.takes_type(life.type)
            and asked.takes_cause(life.cause.kind, life.schedule_id)
            and asked.takes_due(life.due_us)
        ):
            return None
        self._created[command_id] = life
        return life

    def _remembered(self, command_id: CommandId) -> Life | None:
        """Return a command as it is kept; attempts that it shares are shared again."""
        life = self._recall.life(command_id)
        if life is not None:
            life.attempts = [
                self._tries.setdefault(tried.attempt_id, tried) for tried in life.attempts
            ]
        return life


def _expires_us(event: events.CommandCreated, at: Instant, speed: float) -> int | None:
    """Return when a command expires by the plan clock; START, STOP and the like do by the other."""
    if event.expires_us is None or event.type in SETS_SETPOINT or event.value_w is not None:
        return event.expires_us
    return at.plan_us + round((event.expires_us - at.device_us) * speed)
