"""What the passing of time ends: overrides, visits, plans and commands; and when to look again."""

from collections.abc import Iterator

import attrs

from engine import events
from engine.asset.desire import horizon, running_part
from engine.asset.draft import Draft
from engine.asset.programme import due_range
from engine.asset.state import AssetState, Part, Work
from engine.commands import CommandStatus
from engine.types import US_PER_S, AssetKind, Channel

_BOOT_GUARD_US = 60 * US_PER_S
_GUARD_S = 5.0


def end_what_is_over(draft: Draft) -> None:
    """Record everything that has come to its end by now."""
    _end_override(draft)
    _end_visit(draft)
    _come_back(draft)
    _end_plan(draft)
    _end_orders(draft)


# --- overrides


def _end_override(draft: Draft) -> None:
    override = draft.state.override
    if override is None or override.until_us is None:
        return
    if draft.now.plan_us >= override.until_us:
        reason = "next_change" if override.ends == "next_change" else "expired"
        draft.note(events.OverrideEnded(override.override_id, reason))


# --- early departure


def departure_due_us(state: AssetState) -> int | None:
    """Return when a vehicle that left counts as gone (plan clock), null if nothing hangs on it."""
    device, rules = state.device, state.rules
    if device.left_at_us is None or rules is None or rules.kind is not AssetKind.EV_CHARGER:
        return None
    matters = (
        bool(state.programme.parts)
        or bool(state.orders)
        or (state.override is not None and state.override.ends == "unplugged")
    )
    if not matters:
        return None
    grace_us = device.left_at_us + round(rules.departure_grace_s * US_PER_S)
    return max(grace_us, (device.connected_at_us or 0) + _BOOT_GUARD_US)


def _end_visit(draft: Draft) -> None:
    due_us = departure_due_us(draft.state)
    if due_us is None or draft.now.plan_us < due_us or not draft.state.device.connected:
        return
    state = draft.state
    override = state.override
    if override is not None and override.ends == "unplugged":
        draft.note(events.OverrideEnded(override.override_id, "unplugged"))
    gone = tuple(
        order.command_id for order in state.orders if not _on_wire(state, order.command_id)
    )
    work = state.work
    if work is not None and state.attempt is None and work.decision.source == "schedule":
        gone += work.open_ids
    if gone:
        draft.note(events.CommandCancelled(gone, "early_departure"))
    part = running_part(state, draft.now)
    if part is None:
        draft.note(events.DepartureDetected(events.NO_SCHEDULE, 0))
        return
    first = max(_first_untaken(state, part), part.plan.index_at(draft.now.plan_us))
    until = _next_zero(part, first)
    if until > first:
        draft.note(events.PlanCut(part.ref.schedule_id, first, until, "early_departure"))
    draft.note(events.DepartureDetected(part.ref.schedule_id, until))


def _on_wire(state: AssetState, command_id: str) -> bool:
    return state.attempt is not None and command_id in state.attempt.command_ids


def _first_untaken(state: AssetState, part: Part) -> int:
    return state.programme.taken if part is state.programme.parts[0] else 0


def _next_zero(part: Part, first: int) -> int:
    """Return one past the next planned 0 kW, or the number of changes when none comes."""
    for index in range(first, len(part.plan)):
        change = part.plan.change(index)
        if change.channel is Channel.CHARGE and change.watts == 0:
            return index + 1
    return len(part.plan)


def _come_back(draft: Draft) -> None:
    absence = draft.state.programme.absence
    if absence is None or absence.back or draft.state.device.state != "PREPARING":
        return
    draft.note(events.DepartureEnded(absence.schedule_id))


# --- the horizon


def _end_plan(draft: Draft) -> None:
    state = draft.state
    end_us = horizon(state)
    programme = state.programme
    if not programme.parts or not state.outside.offered or end_us is None:
        return
    if draft.now.plan_us < end_us:
        return
    draft.note(*_ran_out(draft))
    draft.note(
        events.ScheduleExhausted(
            programme.parts[-1].ref.schedule_id,
            max(programme.sequence, state.outside.sequence),
            end_us,
        )
    )


def _ran_out(draft: Draft) -> Iterator[events.AssetEvent]:
    """Yield the ends of what is still open of the plan; what is on the wire finishes."""
    state = draft.state
    work = state.work
    if work is not None and state.attempt is None and work.decision.source == "schedule":
        yield from _work_ran_out(work)
    absence = state.programme.absence
    for part in state.programme.parts:
        first, last = due_range(state.programme, part, part.until_us or draft.now.plan_us)
        if absence is not None and absence.schedule_id == part.ref.schedule_id:
            first = max(first, absence.until)
        if any(index not in part.skipped for index in range(first, last)):
            yield events.PlanCut(part.ref.schedule_id, first, last, "expired")


def _work_ran_out(work: Work) -> Iterator[events.AssetEvent]:
    open_ids = work.open_ids
    if work.unknown_attempt is not None:
        lost = work.steps[0].command_ids
        yield events.CommandCancelled(lost, "unknown", CommandStatus.TIMED_OUT)
        open_ids = open_ids[len(lost) :]
    if open_ids and work.verifying is None:
        yield events.CommandCancelled(open_ids, "expired")


# --- orders


def _end_orders(draft: Draft) -> None:
    state = draft.state
    for order in state.orders:
        if order.expires_us is None or draft.now.device_us < order.expires_us:
            continue
        if _on_wire(state, order.command_id):
            continue
        lost = state.unknown is not None and order.command_id in state.unknown.command_ids
        status = CommandStatus.TIMED_OUT if lost else CommandStatus.CANCELLED
        reason = "unknown" if lost else "expired"
        draft.note(events.CommandCancelled((order.command_id,), reason, status))


# --- when to look again


@attrs.frozen
class Wake:
    """When an asset has to be evaluated again: on the plan clock, on the device clock."""

    plan_us: int | None
    device_us: int | None


def next_wake(state: AssetState) -> Wake:
    """Return when time alone may next change what should be done, on each clock."""
    if state.rules is None:
        return Wake(None, None)
    return Wake(
        min((us for us in _plan_times(state) if us is not None), default=None),
        min((us for us in _device_times(state) if us is not None), default=None),
    )


def _plan_times(state: AssetState) -> Iterator[int | None]:
    programme, rules = state.programme, state.rules
    yield departure_due_us(state)
    if state.override is not None:
        yield state.override.until_us
    if not state.outside.offered:
        return
    end_us = horizon(state)
    if programme.exhausted:
        held = state.desired is not None and state.desired.source == "hold"
        if held and rules is not None and rules.hold_max_s is not None and end_us is not None:
            yield end_us + round(rules.hold_max_s * US_PER_S)
        return
    for place, part in enumerate(programme.parts):
        taken = programme.taken if place == 0 else 0
        if taken < len(part.plan):
            due_us = part.plan.change(taken).due_us
            yield due_us if part.until_us is None or due_us < part.until_us else None
        yield part.from_us if place else None
    if programme.parts:
        yield end_us


def _device_times(state: AssetState) -> Iterator[int | None]:
    rules = state.rules
    if rules is None:
        return
    if state.attempt is not None:
        yield attempt_guard_us(state)
    if state.work is not None:
        yield state.work.retry_at_us
    for order in state.orders:
        yield order.retry_at_us
        yield order.expires_us
    for one in state.given_up:
        yield one.again_at_us
    lease_until_us = state.holding.lease_until_us
    if lease_until_us is not None and state.work is None and state.device.connected:
        yield lease_until_us - round(rules.failsafe_after_s * US_PER_S / 2)


def attempt_guard_us(state: AssetState) -> int | None:
    """Return when an open attempt counts as timed out although its link has said nothing."""
    attempt, rules = state.attempt, state.rules
    if attempt is None or rules is None:
        return None
    frames = max(1, len(attempt.payload.frames))
    wait_s = rules.command_timeout_s * frames + _GUARD_S
    return attempt.started_us + round(wait_s * US_PER_S)
