"""What the passing of time ends: overrides, visits, plans and commands; and when to look again."""

from collections.abc import Iterable, Iterator

from msgspec import Struct

from engine import events
from engine.asset import waiting
from engine.asset.contradiction import look_us
from engine.asset.decisions import ends_of_work
from engine.asset.desire import hold_end_us, horizon, running_part
from engine.asset.draft import Draft
from engine.asset.evidence import wakes_us
from engine.asset.granting import lift_us
from engine.asset.holding import renewal_us
from engine.asset.programme import changes_until, first_open, has_commands, next_change_us
from engine.asset.reported import PLUGGED
from engine.asset.state import Absence, AssetState, Order, Override, Part, Programme
from engine.asset.view import open_commands
from engine.asset.waking import nudge_us
from engine.commands import CommandStatus, CommandType
from engine.rules import AssetRules
from engine.types import US_PER_S, Instant

_BOOT_GUARD_US = 60 * US_PER_S
_GUARD_S = 5.0
_FOR_EVER_US = 253_402_300_799 * US_PER_S
_CANCELLED_AS = {"replaced": "override", "cleared": "operator", "resumed": "operator"}
_OF_A_VISIT = frozenset({CommandType.START_CHARGING, CommandType.STOP_CHARGING})


def end_what_is_over(draft: Draft) -> None:
    """Record everything that has come to its end by now."""
    state = draft.state
    if state.override is not None:
        _end_override(draft, state.override)
    if state.device.left_at_us is not None:
        _end_visit(draft)
    if state.programme.absence is not None:
        _come_back(draft, state.programme.absence)
    if state.programme.parts and state.outside.offered:
        if len(state.programme.parts) > 1:
            _end_parts(draft)
        _end_plan(draft)
    if state.orders:
        _end_orders(draft)


# --- overrides


def _end_override(draft: Draft, override: Override) -> None:
    if override.until_us is not None and draft.now.plan_us >= override.until_us:
        over(draft, override, "next_change" if override.ends == "next_change" else "expired")


def over(draft: Draft, override: Override, reason: str, by: str | None = None) -> None:
    """Record the end of an override, and of its command if that was never taken up."""
    draft.note(events.OverrideEnded(override.override_id, reason, by))
    why = _CANCELLED_AS.get(reason, "expired")
    state = draft.state
    if not override.used:
        draft.note(events.CommandCancelled((override.command_id,), why, by=by))
        return
    work = state.work if state.attempt is None else None
    if work is not None and work.decision.source == "override":
        draft.note(*ends_of_work(work, why, by))


# --- early departure


def departure_due_us(state: AssetState) -> int | None:
    """Return when a vehicle that left counts as gone (plan clock), null if none has left."""
    device, rules = state.device, state.rules
    if device.left_at_us is None or rules is None or not device.connected:
        return None
    grace_us = device.left_at_us + round(rules.departure_grace_s * US_PER_S)
    return max(grace_us, (device.connected_at_us or 0) + _BOOT_GUARD_US)


def _end_visit(draft: Draft) -> None:
    due_us = departure_due_us(draft.state)
    if due_us is None or draft.now.plan_us < due_us:
        return
    override = draft.state.override
    if override is not None and override.ends == "unplugged":
        over(draft, override, "unplugged")
    _drop_visit(draft)
    state = draft.state
    part = running_part(state, draft.now)
    if part is None:
        draft.note(events.DepartureDetected(events.NO_SCHEDULE, 0))
        return
    first = first_open(state.programme, part)
    until = _next_zero(part, max(first, part.plan.index_at(draft.now.plan_us)))
    if has_commands(part, first, until):
        draft.note(events.PlanCut(part.ref.schedule_id, first, until, "early_departure"))
    draft.note(events.DepartureDetected(part.ref.schedule_id, until))


def _drop_visit(draft: Draft) -> None:
    """End the commands that were for this vehicle; what is on the wire finishes."""
    state = draft.state
    gone = tuple(
        order.command_id
        for order in state.orders
        if order.type in _OF_A_VISIT and not _may_be_out(state, order.command_id)
    )
    if gone:
        draft.note(events.CommandCancelled(gone, "early_departure"))
    work = state.work
    if work is not None and state.attempt is None and work.decision.source == "schedule":
        draft.note(*ends_of_work(work, "early_departure"))


def _may_be_out(state: AssetState, command_id: str) -> bool:
    """Return whether a command is on the wire, or may have been."""
    return any(
        one is not None and command_id in one.command_ids for one in (state.attempt, state.unknown)
    )


def _next_zero(part: Part, first: int) -> int:
    """Return one past the next planned 0 kW, or the number of changes when none comes."""
    last = changes_until(part, _FOR_EVER_US)
    for index in range(first, last):
        if part.plan.change(index).watts == 0:
            return index + 1
    return last


def _come_back(draft: Draft, absence: Absence) -> None:
    if not absence.back and draft.state.device.state in PLUGGED:
        draft.note(events.DepartureEnded(absence.schedule_id))


# --- the horizon


def _end_parts(draft: Draft) -> None:
    """Changes that were not taken up before a later plan began are over: it rules now."""
    reason = "expired" if draft.state.outside.fresh else "superseded"
    for part in draft.state.programme.parts:
        if part.until_us is not None and draft.now.plan_us >= part.until_us:
            draft.note(*_cut_open(draft.state.programme, part, reason))


def _cut_open(programme: Programme, part: Part, reason: str) -> Iterator[events.PlanCut]:
    first = first_open(programme, part)
    last = changes_until(part, _FOR_EVER_US)
    if has_commands(part, first, last):
        yield events.PlanCut(part.ref.schedule_id, first, last, reason)


def _end_plan(draft: Draft) -> None:
    """At the horizon everything that is still open of the plan is over, but what is on the wire."""
    state = draft.state
    end_us = horizon(state)
    if end_us is None or draft.now.plan_us < end_us:
        return
    work = state.work
    if work is not None and state.attempt is None and work.decision.source == "schedule":
        draft.note(*ends_of_work(work, "expired"))
    programme = state.programme
    for part in programme.parts:
        draft.note(*_cut_open(draft.state.programme, part, "expired"))
    sequence = max(programme.sequence, state.outside.sequence)
    last = programme.parts[-1].ref.schedule_id
    draft.note(events.ScheduleExhausted(last, sequence, end_us))


def retire(draft: Draft) -> None:
    """End everything that is open: the asset is not in the site file any more."""
    state = draft.state
    if state.override is not None:
        over(draft, state.override, "cleared")
    lost = () if state.attempt is None else state.attempt.command_ids
    if state.unknown is not None:
        lost = state.unknown.command_ids
    ids = tuple(one for one in open_commands(draft.state) if one in lost)
    if ids:
        draft.note(events.CommandCancelled(ids, "unknown", CommandStatus.TIMED_OUT))
    work = draft.state.work
    if work is not None:
        draft.note(*ends_of_work(work, "operator"))
    _drop_orders(draft)
    for part in state.programme.parts:
        draft.note(*_cut_open(draft.state.programme, part, "operator"))


# --- orders


def _drop_orders(draft: Draft) -> None:
    """End every order; what was accepted and put off has come as far as that."""
    for order in draft.state.orders:
        if order.waits_since_us is not None:
            draft.note(waiting.overtaken(order))
    ids = tuple(order.command_id for order in draft.state.orders)
    if ids:
        draft.note(events.CommandCancelled(ids, "operator"))


def _end_orders(draft: Draft) -> None:
    for order in draft.state.orders:
        if order.waits_since_us is not None:
            outcome = waiting.shown(draft.state, order, draft.now)
            if outcome is not None:
                draft.note(outcome)
        elif order.expires_us is not None and draft.now.device_us >= order.expires_us:
            _expire(draft, order)


def _expire(draft: Draft, order: Order) -> None:
    state = draft.state
    ids = (order.command_id,)
    if not _may_be_out(state, order.command_id):
        draft.note(events.CommandCancelled(ids, "expired"))
    elif state.attempt is None:
        draft.note(events.CommandCancelled(ids, "unknown", CommandStatus.TIMED_OUT))


# --- when to look again


class Wake(Struct, frozen=True, gc=False):
    """When an asset has to be evaluated again: on the plan clock, on the device clock."""

    plan_us: int | None
    device_us: int | None


def next_wake(state: AssetState, told: Instant) -> Wake:
    """Return when time alone may next change what should be done, on each clock.

    ``told``: when the asset was last told anything, as all that was due by then has been looked
    at. While an attempt is on the wire nothing else can be done: only its guard counts.
    """
    rules = state.rules
    if rules is None:
        return Wake(None, None)
    if state.attempt is not None:
        guard_us = attempt_guard_us(state)
        return Wake(None, None if guard_us is None or guard_us <= told.device_us else guard_us)
    return Wake(
        _earliest(_plan_times(state, rules, told), told.plan_us),
        _earliest(_device_times(state, rules, told), told.device_us),
    )


def _earliest(times: Iterable[int | None], after_us: int) -> int | None:
    first = None
    for us in times:
        if us is not None and us > after_us and (first is None or us < first):
            first = us
    return first


def _plan_times(state: AssetState, rules: AssetRules, told: Instant) -> list[int | None]:
    times = []
    if state.device.left_at_us is not None:
        times.append(departure_due_us(state))
    if state.override is not None:
        times.append(state.override.until_us)
    end_us = horizon(state)
    if not state.outside.offered or end_us is None:
        return times
    times.append(end_us)
    if state.programme.parts:
        times.append(next_change_us(state.programme, told.plan_us))
    elif rules.hold_max_s is not None:
        times.append(hold_end_us(end_us, rules.hold_max_s))
    return times


def _device_times(state: AssetState, rules: AssetRules, told: Instant) -> list[int | None]:
    times = [
        state.outside.asking_until_us,
        state.interference.again_at_us,
        nudge_us(state),
        look_us(state),
    ]
    if state.outside.grant is not None:
        times.append(lift_us(state))
    work = state.work
    if work is not None:
        times.append(work.retry_at_us)
        if work.verifying is not None:
            times += wakes_us(state, rules, work.verifying, told.device_us)
    for order in state.orders:
        times += (order.retry_at_us, order.expires_us, waiting.due_us(state, order))
    for one in state.given_up:
        times.append(one.again_at_us)
    renew_us = renewal_us(state)
    if renew_us is not None:
        times += (renew_us, renew_us + round(rules.failsafe_after_s * US_PER_S / 2))
    return times


def attempt_guard_us(state: AssetState) -> int | None:
    """Return when an open attempt counts as timed out although its link has said nothing."""
    attempt, rules = state.attempt, state.rules
    if attempt is None or rules is None:
        return None
    wait_us = answer_wait_us(rules.command_timeout_s, len(attempt.payload.frames))
    return attempt.started_us + wait_us


def answer_wait_us(timeout_s: float, frames: int) -> int:
    """Return how long a link may take for so many frames before it counts as silent."""
    return round((timeout_s * max(1, frames) + _GUARD_S) * US_PER_S)
