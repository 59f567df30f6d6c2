"""The plans in force: how they are replaced, taken up, cut short and come to their end."""

from collections.abc import Iterator

from engine import events
from engine.asset.state import Absence, AssetState, GivenUp, Part, Programme, Work
from engine.plans import Plan, PlannedChange
from engine.types import Channel, Instant
from engine.values import replace

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


def decided(state: AssetState, decision: events.Decision) -> AssetState:
    """Return the state with a new desired setpoint and the work that brings it about."""
    work = Work(decision, decision.steps) if decision.steps else None
    override = state.override
    if override is not None and decision.source == "override" and not override.used:
        override = replace(override, used=True)
    programme = state.programme
    if decision.taken is not None:
        programme = _taken(programme, decision.taken)
    device = state.device
    if device.start_tried and (state.desired is None or state.desired.target != decision.target):
        device = replace(device, start_tried=False)
    return replace(
        state,
        desired=decision,
        work=work,
        override=override,
        programme=programme,
        device=device,
        given_up=_still_given_up(state.given_up, decision),
    )


def _still_given_up(
    given_up: tuple[GivenUp, ...], decision: events.Decision
) -> tuple[GivenUp, ...]:
    if decision.source == "fallback" and any(one.blocked for one in given_up):
        return tuple(one for one in given_up if one.target != decision.target)
    return ()


def _taken(programme: Programme, taken: events.Taken) -> Programme:
    parts = programme.parts
    while parts and parts[0].ref.schedule_id != taken.schedule_id:
        parts = parts[1:]
    absence = programme.absence
    if absence is not None and (
        absence.schedule_id != taken.schedule_id or taken.count > absence.until
    ):
        absence = None
    return replace(programme, parts=parts, taken=taken.count, absence=absence)


def ended(state: AssetState) -> AssetState:
    """Return the state after the horizon: nothing is planned any more."""
    programme = replace(state.programme, parts=(), taken=0, exhausted=True, absence=None)
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


def values_at(plan: Plan, plan_us: int) -> events.Setpoint | None:
    """Return the pair that a plan wants at a moment, null before its first slot."""
    charge_w, discharge_w = plan.values_at(plan_us)
    if charge_w is None and discharge_w is None:
        return None
    return events.Setpoint(charge_w or 0, discharge_w or 0)


def due_range(programme: Programme, part: Part, plan_us: int) -> tuple[int, int]:
    """Return which changes of a part have fallen due untaken: first and one past the last."""
    first = programme.taken if part is programme.parts[0] else 0
    return first, max(first, part.plan.index_at(plan_us))


def commands_in(part: Part, first: int, last: int) -> Iterator[PlannedChange]:
    """Yield the changes of a range that are commands."""
    for index in range(first, last):
        if index not in part.skipped:
            yield part.plan.change(index)


def newest(part: Part, first: int, last: int) -> dict[Channel, PlannedChange]:
    """Return the newest change of each channel in a range; few are looked at."""
    found: dict[Channel, PlannedChange] = {}
    for index in range(last - 1, first - 1, -1):
        if len(found) == len(part.plan.columns):
            break
        change = part.plan.change(index)
        if change.channel not in found:
            found[change.channel] = change
    return {c: found[c] for c in sorted(found) if found[c].index not in part.skipped}
