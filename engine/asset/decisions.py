"""From what should hold to a decision: which commands serve it, and what they replace."""

import attrs

from engine import events
from engine.asset.desire import Desire, desire, horizon, running_part
from engine.asset.draft import Draft
from engine.asset.ids import command_id
from engine.asset.programme import due_range, newest
from engine.asset.state import AssetState, Part, Work
from engine.commands import Cause, CauseKind, CommandStatus, CommandType
from engine.events import RELEASED, Decision, PlanCut, Setpoint, Step, Taken
from engine.plans import PlannedChange
from engine.plans import command_id as planned_id
from engine.types import AssetKind, Channel, CommandId, Instant

_RATE = {
    Channel.CHARGE: CommandType.SET_CHARGE_RATE,
    Channel.DISCHARGE: CommandType.SET_DISCHARGE_RATE,
}


@attrs.frozen
class Due:
    """Planned changes that fell due untaken: ``first`` up to ``last`` of a part's plan."""

    part: Part
    first: int
    last: int


@attrs.frozen
class Proposal:
    """A decision and the events that go before it."""

    before: tuple[events.AssetEvent, ...]
    decision: Decision


def due_changes(state: AssetState, now: Instant) -> Due | None:
    """Return the planned changes that fell due since the last decision, null if none did."""
    part = running_part(state, now)
    if part is None:
        return None
    first, last = due_range(state.programme, part, now.plan_us)
    while first < last and first in part.skipped:
        first += 1
    if first == last or all(index in part.skipped for index in range(first, last)):
        return None
    return Due(part, first, last)


def propose(draft: Draft, want: Desire, due: Due | None, kind: CauseKind | None = None) -> Proposal:
    """Return the decision that makes ``want`` hold.

    ``kind`` is the cause of the commands outside the plan, where it is not the desire's own.
    """
    state = draft.state
    planned = (
        {} if due is None or want.source != "schedule" else newest(due.part, due.first, due.last)
    )
    before = list(_replaced(draft, want))
    if due is not None:
        before += _passed_over(state, due, planned, want)
    back = _reopened(state, due)
    ids = _planned_ids(due, planned, back)
    made = _Made(draft, want, kind or _kind(state, want, planned, back), len(before))
    steps = tuple(_steps(made, ids))
    decision = Decision(
        want.target,
        want.source,
        steps,
        due_us=_due_us(planned, draft.now),
        expires_us=_expires_us(state, due, planned),
        losers=want.losers,
        taken=None if due is None else Taken(due.part.ref.schedule_id, due.last),
        horizon_us=horizon(state),
        sequence=state.programme.sequence or None,
    )
    return Proposal((*before, *made.created), decision)


def _planned_ids(
    due: Due | None, planned: dict[Channel, PlannedChange], back: int
) -> dict[Channel, CommandId | None]:
    if due is None:
        return {}
    return {
        channel: None if change.index < back else planned_id(due.part.ref, change.index)
        for channel, change in planned.items()
    }


def _kind(
    state: AssetState, want: Desire, planned: dict[Channel, PlannedChange], back: int
) -> CauseKind:
    if any(change.index < back for change in planned.values()):
        return CauseKind.PLUG_IN
    absence = state.programme.absence
    if absence is not None and absence.back and want.source == "schedule":
        return CauseKind.PLUG_IN
    return want.kind


def _reopened(state: AssetState, due: Due | None) -> int:
    absence = state.programme.absence
    if due is None or absence is None or absence.schedule_id != due.part.ref.schedule_id:
        return 0
    return absence.until


def _due_us(planned: dict[Channel, PlannedChange], now: Instant) -> int:
    return min((change.due_us for change in planned.values()), default=now.plan_us)


def _expires_us(
    state: AssetState, due: Due | None, planned: dict[Channel, PlannedChange]
) -> int | None:
    if due is None or not planned:
        return None
    ends = [_channel_ends_us(state, due.part, change.index) for change in planned.values()]
    return min((end for end in ends if end is not None), default=None)


def _channel_ends_us(state: AssetState, part: Part, index: int) -> int | None:
    following = part.plan.next_on_channel(index)
    return horizon(state) if following is None else part.plan.change(following).due_us


# --- what a decision replaces


def _replaced(draft: Draft, want: Desire) -> list[events.AssetEvent]:
    work = draft.state.work
    if work is None:
        return []
    if work.verifying is not None:
        ids = work.steps[0].command_ids
        rest = tuple(i for step in work.steps[1:] for i in step.command_ids)
        over: list[events.AssetEvent] = [
            events.CommandVerified(ids, CommandStatus.COMPLETED, "ack", "overtaken")
        ]
        if rest:
            over.append(events.CommandCancelled(rest, _reason(draft.state, work, want)))
        return over
    if work.unknown_attempt is not None:
        first = work.steps[0].command_ids
        rest = tuple(i for step in work.steps[1:] for i in step.command_ids)
        lost = events.CommandCancelled(first, "unknown", CommandStatus.TIMED_OUT)
        if not rest:
            return [lost]
        return [lost, events.CommandCancelled(rest, _reason(draft.state, work, want))]
    return [events.CommandCancelled(work.open_ids, _reason(draft.state, work, want))]


def _reason(state: AssetState, work: Work, want: Desire) -> str:
    if state.outside.stopping:
        return "operator"
    if want.source == "override":
        return "override"
    if work.decision.source == "schedule" and state.programme.exhausted:
        return "expired"
    if work.decision.source == "schedule" and state.outside.fresh:
        return "expired"
    if work.decision.source == "override" and state.override is None:
        return "expired"
    return "superseded"


def _passed_over(
    state: AssetState, due: Due, planned: dict[Channel, PlannedChange], want: Desire
) -> list[events.AssetEvent]:
    """Return the cuts of due changes that are not taken up: older ones, or all of them."""
    absence = state.programme.absence
    first = due.first
    if absence is not None and absence.schedule_id == due.part.ref.schedule_id:
        first = max(first, absence.until)
    taken = {change.index for change in planned.values()} | set(due.part.skipped)
    if all(index in taken for index in range(first, due.last)):
        return []
    reason = "superseded"
    if want.source != "schedule":
        reason = "override" if want.source == "override" else "superseded"
    elif state.outside.fresh:
        reason = "expired"
    return [PlanCut(due.part.ref.schedule_id, first, due.last, reason)]


# --- the steps of a decision


class _Made:
    """The commands outside the plan that a decision creates, with ids of their own."""

    def __init__(self, draft: Draft, want: Desire, kind: CauseKind, before: int) -> None:
        self.draft = draft
        self.want = want
        self.kind = kind
        self.before = before
        self.created: list[events.AssetEvent] = []
        override = draft.state.override
        self.override = (
            override
            if override is not None and not override.used and want.source == "override"
            else None
        )

    def command(self, command_type: CommandType, value_w: int | None) -> CommandId:
        """Return the id of a command: the override's own the first time, else a new one."""
        if self.override is not None:
            own = self.override.command_id
            self.override = None
            return own
        state = self.draft.state
        version = state.version + 1 + self.before + len(self.created)
        created = command_id(state.asset_id, state.outside.epoch, version)
        cause = Cause(self.kind)
        self.created.append(
            events.CommandCreated(
                created, command_type, value_w, cause, self.draft.now.plan_us, None
            )
        )
        return created

    def type_of(self, fallback: CommandType) -> CommandType:
        """Return the override's command type where it is the first to be made."""
        if self.override is not None and self.override.command_type not in _RATE.values():
            return self.override.command_type
        return fallback


def _steps(made: _Made, planned: dict[Channel, CommandId | None]) -> list[Step]:
    target = made.want.target
    rules = made.draft.rules
    if target == RELEASED:
        command_type = made.type_of(CommandType.RELEASE)
        return [Step((made.command(command_type, None),), command_type, None, target)]
    if rules.kind is AssetKind.EV_CHARGER:
        value_w = target.charge_w or 0
        own = planned.get(Channel.CHARGE)
        own = own or made.command(CommandType.SET_CHARGE_RATE, value_w)
        return [Step((own,), CommandType.SET_CHARGE_RATE, value_w, target)]
    return _battery_steps(made, planned, target, shared=rules.shared_register)


def _battery_steps(
    made: _Made, planned: dict[Channel, CommandId | None], target: Setpoint, *, shared: bool
) -> list[Step]:
    wanted = _needed(made, planned, target)
    order = sorted(wanted, key=lambda channel: (_value(target, channel) > 0, channel))
    parts: list[tuple[CommandId, CommandType, int]] = []
    for channel in order:
        value_w = _value(target, channel)
        command_type = made.type_of(_RATE[channel])
        own = planned.get(channel) or made.command(command_type, value_w)
        parts.append((own, command_type, value_w))
    if shared:
        ids = tuple(part[0] for part in parts)
        return [Step(ids, parts[-1][1], parts[-1][2], target)]
    last = len(parts) - 1
    return [
        Step((own,), command_type, value_w, target if place == last else Setpoint(0, 0))
        for place, (own, command_type, value_w) in enumerate(parts)
    ]


def _needed(
    made: _Made, planned: dict[Channel, CommandId | None], target: Setpoint
) -> tuple[Channel, ...]:
    """Return the channels to set: the planned ones, and those known to hold something else."""
    holding = made.draft.state.holding
    known = {Channel.CHARGE: holding.charge_w, Channel.DISCHARGE: holding.discharge_w}
    needed = set(planned)
    for channel, held_w in known.items():
        value_w = _value(target, channel)
        if value_w > 0 if held_w is None else held_w != value_w:
            needed.add(channel)
    if not needed:
        needed.add(Channel.DISCHARGE if target.discharge_w else Channel.CHARGE)
    return tuple(sorted(needed))


def _value(target: Setpoint, channel: Channel) -> int:
    return (target.charge_w if channel is Channel.CHARGE else target.discharge_w) or 0


def wanted(draft: Draft) -> Desire | None:
    """Return what should hold at the draft's instant."""
    return desire(draft.state, draft.now)
