"""The plans in force: how they are replaced, taken up, cut short and come to their end."""

from collections.abc import Iterator
from typing import Any

from msgspec.structs import replace

from engine import events
from engine.asset.interference import taken_up
from engine.asset.state import Absence, AssetState, GivenUp, Part, Programme
from engine.plans import Plan, PlannedChange
from engine.types import Channel, Instant, ScheduleId

# --- evolve


def replaced(state: AssetState, event: events.PlanReplaced, at: Instant) -> AssetState:
    """Return the state with a new plan from ``from_us`` on; earlier ones go on until then."""
    old = state.programme
    part = Part(event.ref, event.plan, event.from_us, None, event.skipped)
    kept = () if event.from_us <= at.plan_us else tuple(_until(old.parts, event.from_us))
    programme = Programme(
        parts=(*kept, part),
        taken=old.taken if kept else 0,
        sequence=event.ref.sequence,
        horizon_us=event.horizon_us,
        absence=old.absence if kept else None,
    )
    return replace(state, programme=programme)


def _until(parts: tuple[Part, ...], from_us: int) -> Iterator[Part]:
    for part in parts:
        if part.from_us < from_us:
            until = from_us if part.until_us is None else min(part.until_us, from_us)
            yield replace(part, until_us=until)


def decided(
    state: AssetState,
    decision: events.Decision,
    at: Instant,
    **changes: Any,  # noqa: ANN401 - the fields of AssetState, which msgspec checks
) -> AssetState:
    """Return the state with a new desired setpoint, and with the other changes."""
    override, device = state.override, state.device
    if override is not None and decision.source == "override" and not override.used:
        changes["override"] = replace(override, used=True)
    if decision.taken is not None:
        taken = decision.taken
        changes["programme"] = _taken(state.programme, taken.schedule_id, taken.count)
    if device.start_tried and (state.desired is None or state.desired.target != decision.target):
        changes["device"] = replace(device, start_tried=False)
    if state.given_up:
        changes["given_up"] = _still_given_up(state.given_up, decision)
    if state.interference.left:
        changes["interference"] = taken_up(state.interference, at)
    return replace(state, desired=decision, **changes)


def _still_given_up(
    given_up: tuple[GivenUp, ...], decision: events.Decision
) -> tuple[GivenUp, ...]:
    if decision.source == "fallback" and any(one.blocked for one in given_up):
        return tuple(one for one in given_up if one.target != decision.target)
    return ()


def _taken(programme: Programme, schedule_id: ScheduleId, count: int) -> Programme:
    """Return the programme with a part's first changes taken up; parts before it are over."""
    absence = programme.absence
    if absence is not None and _is_past(absence, schedule_id, count):
        absence = None
    for place, part in enumerate(programme.parts):
        if part.ref.schedule_id == schedule_id:
            parts = programme.parts[place:]
            return replace(programme, parts=parts, taken=count, absence=absence)
    return programme


def _is_past(absence: Absence, schedule_id: ScheduleId, count: int) -> bool:
    if absence.schedule_id != schedule_id:
        return True
    return count >= absence.until if absence.back else count > absence.until


def cut(state: AssetState, event: events.PlanCut) -> AssetState:
    """Return the state with changes passed over; what a departure cut may be taken up again."""
    programme = state.programme
    if event.reason == "early_departure":
        return state
    return replace(state, programme=_taken(programme, event.schedule_id, event.last))


def ended(state: AssetState, event: events.ScheduleExhausted) -> AssetState:
    """Return the state after the horizon: nothing is planned any more."""
    programme = Programme(
        sequence=event.sequence, horizon_us=state.programme.horizon_us, exhausted=True
    )
    return replace(state, programme=programme)


def departed(state: AssetState, event: events.DepartureDetected) -> AssetState:
    """Return the state with the vehicle gone: planned changes before ``until`` are cut."""
    absence = Absence(event.schedule_id, event.until)
    return replace(
        state,
        programme=replace(state.programme, absence=absence),
        device=replace(state.device, left_at_us=None),
    )


def returned(state: AssetState) -> AssetState:
    """Return the state with the vehicle back before the next planned stop."""
    absence = state.programme.absence
    back = None if absence is None else replace(absence, back=True)
    return replace(state, programme=replace(state.programme, absence=back))


# --- questions


def part_at(programme: Programme, plan_us: int) -> Part | None:
    """Return the part in force at a moment of the plan clock, if one is."""
    found = None
    for part in programme.parts:
        if part.from_us > plan_us:
            break
        if part.until_us is None or plan_us < part.until_us:
            found = part
    return found


def values_at(plan: Plan, plan_us: int, known: int = 0) -> events.Setpoint | None:
    """Return the pair that a plan wants at a moment, null before its first slot.

    So many changes are ``known`` to be due by then.
    """
    charge_w, discharge_w = plan.values_at(plan_us, known)
    if charge_w is None and discharge_w is None:
        return None
    return events.Setpoint(charge_w or 0, discharge_w or 0)


def first_open(programme: Programme, part: Part) -> int:
    """Return the number of a part's first change that was neither taken up nor cut."""
    first = first_untaken(programme, part)
    absence = programme.absence
    if absence is None or absence.schedule_id != part.ref.schedule_id:
        return first
    return max(first, absence.until)


def first_untaken(programme: Programme, part: Part) -> int:
    """Return the number of a part's first change that was not taken up, though it may be cut."""
    return programme.taken if part is programme.parts[0] else 0


def has_commands(part: Part, first: int, last: int) -> bool:
    """Return whether a range of changes has any that is a command."""
    if not part.skipped:
        return first < last
    return any(index not in part.skipped for index in range(first, last))


def changes_until(part: Part, plan_us: int, known: int = 0) -> int:
    """Return how many changes of a part are due by a moment, and still within the part.

    So many are ``known`` to be due: they were taken up.
    """
    if part.until_us is not None:
        plan_us = min(plan_us, part.until_us - 1)
    return part.plan.index_at(plan_us, known)


def next_change_us(programme: Programme, after_us: int) -> int | None:
    """Return when the first planned command after a moment is due; null where there is none."""
    for part in programme.parts:
        taken = first_untaken(programme, part)
        index = part.plan.index_at(max(after_us, part.from_us - 1), taken)
        while index in part.skipped:
            index += 1
        if index < len(part.plan):
            due_us = part.plan.due_us(index)
            if part.until_us is None or due_us < part.until_us:
                return due_us
    return None


def newest(part: Part, first: int, last: int) -> dict[Channel, PlannedChange]:
    """Return the newest change of each channel in a range; few are looked at."""
    found: dict[Channel, PlannedChange] = {}
    for index in range(last - 1, first - 1, -1):
        if len(found) == len(part.plan.columns):
            break
        change = part.plan.change(index)
        if change.channel not in found:
            found[change.channel] = change
    if len(found) > 1 or part.skipped:
        return {c: found[c] for c in sorted(found) if found[c].index not in part.skipped}
    return found
