"""How an asset takes the plan that the dispatcher offers it."""

from engine import events
from engine.asset.desire import running_part
from engine.asset.draft import Draft
from engine.asset.due import due_changes
from engine.asset.effects import OfferTaken
from engine.asset.messages import PlanOffered
from engine.asset.programme import part_at, values_at
from engine.asset.state import AssetState, Part
from engine.events import RELEASED, Setpoint
from engine.plans import same_over
from engine.types import Channel, Instant


def plan_offered(draft: Draft, message: PlanOffered) -> None:
    """Take a plan: only a newer one, and with an event only where it changes something."""
    state = draft.state
    sequence = message.ref.sequence
    if sequence < state.outside.sequence or sequence <= state.programme.sequence:
        older = sequence < max(state.outside.sequence, state.programme.sequence)
        draft.want(OfferTaken(sequence, changed=False, rejected="older" if older else None))
        return
    if unchanged(state, message, draft.now):
        draft.want(OfferTaken(sequence, changed=False))
        return
    draft.note(
        events.PlanReplaced(
            message.ref,
            message.plan,
            max(message.start_us, draft.now.plan_us),
            message.horizon_us,
            skipped_changes(state, message, draft.now),
        )
    )
    draft.want(OfferTaken(sequence, changed=True))


def unchanged(state: AssetState, message: PlanOffered, now: Instant) -> bool:
    """Return whether the plans in force say the same over the whole new horizon.

    Of a horizon that has passed while the engine was down the last plan is looked at.
    """
    programme = state.programme
    if not programme.parts:
        return False
    if now.plan_us >= message.horizon_us:
        last = programme.parts[-1]
        start_us = max(message.start_us, last.from_us)
        return same_over(last.plan, message.plan, start_us, message.horizon_us)
    moment_us = max(message.start_us, now.plan_us)
    while moment_us < message.horizon_us:
        part = part_at(programme, moment_us)
        if part is None:
            return False
        end_us = _end_us(part, message.horizon_us)
        if not same_over(part.plan, message.plan, moment_us, end_us):
            return False
        moment_us = end_us
    return True


def _end_us(part: Part, horizon_us: int) -> int:
    return horizon_us if part.until_us is None else min(part.until_us, horizon_us)


def skipped_changes(state: AssetState, message: PlanOffered, now: Instant) -> tuple[int, ...]:
    """Return the first slot's changes that the asset's setpoint equals already."""
    before = _setpoint_before(state, message.start_us, now)
    if before is None or not len(message.plan):
        return ()
    first_due_us = message.plan.change(0).due_us
    skipped = []
    for index in range(min(len(message.plan), len(Channel))):
        change = message.plan.change(index)
        if change.due_us == first_due_us and change.watts == _value(before, change.channel):
            skipped.append(index)
    return tuple(skipped)


def _setpoint_before(state: AssetState, start_us: int, now: Instant) -> Setpoint | None:
    """Return what the asset should hold right before a plan begins, as far as it is planned."""
    if start_us > now.plan_us:
        part = part_at(state.programme, start_us - 1)
        planned = None if part is None else values_at(part.plan, start_us - 1)
        if planned is not None:
            return planned
    elif due_changes(state, now) is None:
        part = running_part(state, now)
        planned = None if part is None else values_at(part.plan, now.plan_us)
        if planned is not None:
            return planned
    desired = state.desired
    if desired is None or desired.source == "override" or desired.target == RELEASED:
        return None
    return desired.target if desired.cut is None else desired.cut.asked


def _value(setpoint: Setpoint, channel: Channel) -> int | None:
    return setpoint.charge_w if channel is Channel.CHARGE else setpoint.discharge_w
