"""How far what is measured is off the plan: summed up beside the fold, on record once a slot.

Samples are no events. What is kept of them is one event for each stretch of a plan in which one
value is planned (an hour of it at most), and only where something was measured.
"""

from typing import Final

from msgspec.structs import replace

from engine.asset.desire import horizon
from engine.asset.draft import Draft
from engine.asset.programme import next_change_us, part_at, values_at
from engine.asset.samples import AGE_US, Sample, Tally, stands
from engine.asset.state import AssetState, Part
from engine.events import PowerTallied
from engine.plans import command_id
from engine.tolerance import tolerance_w
from engine.types import US_PER_S, CommandId, Instant

_LONGEST_US: Final = 3_600 * US_PER_S


def tallied(state: AssetState, sample: Sample, now: Instant) -> Tally | None:
    """Return the sums of the running stretch after a sample has come."""
    tally = state.outside.tally
    if not stands(sample, now.device_us):
        return tally
    if tally is None:
        return _begun(state, sample, now)
    return replace(summed(tally, now), power_w=sample.power_w, heard_us=now.device_us)


def summed(tally: Tally, now: Instant) -> Tally:
    """Return the sums up to now, or up to the end of the stretch: the last sample stands for it."""
    at_us = min(now.plan_us, tally.until_us)
    took_us = at_us - tally.at_us
    if took_us <= 0:
        return tally
    if now.device_us - tally.heard_us > AGE_US:
        return replace(tally, at_us=at_us)
    above_w = tally.power_w - tally.planned_w
    is_off = abs(above_w) > tolerance_w(tally.planned_w)
    return replace(
        tally,
        at_us=at_us,
        measured_us=tally.measured_us + took_us,
        energy_wus=tally.energy_wus + tally.power_w * took_us,
        above_wus=tally.above_wus + max(above_w, 0) * took_us,
        below_wus=tally.below_wus + max(-above_w, 0) * took_us,
        off_us=tally.off_us + (took_us if is_off else 0),
    )


def tell(draft: Draft, tally: Tally) -> None:
    """Put a stretch that is over on record, and go on with the next."""
    state, now = draft.state, draft.now
    replanned = tally.sequence != state.programme.sequence
    if not (replanned or now.plan_us >= tally.until_us or state.outside.stopping):
        return
    tally = summed(tally, now)
    if tally.measured_us:
        draft.note(_event(tally))
    sample = state.outside.sample
    following = None
    if sample is not None and stands(sample, now.device_us):
        following = _begun(state, sample, now)
    outside = replace(draft.state.outside, tally=following)
    draft.state = replace(draft.state, outside=outside)


def _event(tally: Tally) -> PowerTallied:
    return PowerTallied(
        tally.command_id,
        tally.from_us,
        tally.at_us,
        tally.planned_w,
        tally.measured_us,
        tally.energy_wus // US_PER_S,
        tally.above_wus // US_PER_S,
        tally.below_wus // US_PER_S,
        tally.off_us,
    )


def _begun(state: AssetState, sample: Sample, now: Instant) -> Tally | None:
    """Return the sums of a stretch that begins to be measured, null where nothing is planned."""
    part = part_at(state.programme, now.plan_us)
    pair = None if part is None else values_at(part.plan, now.plan_us)
    if part is None or pair is None or not state.outside.offered or state.outside.stopping:
        return None
    ends = (next_change_us(state.programme, now.plan_us), horizon(state), now.plan_us + _LONGEST_US)
    return Tally(
        command_id=_in_force(state, part, now),
        sequence=state.programme.sequence,
        planned_w=(pair.charge_w or 0) - (pair.discharge_w or 0),
        from_us=now.plan_us,
        until_us=min(end_us for end_us in ends if end_us is not None),
        at_us=now.plan_us,
        heard_us=now.device_us,
        power_w=sample.power_w,
    )


def _in_force(state: AssetState, part: Part, now: Instant) -> CommandId | None:
    """Return the command in force: the slot's, or what had set its value before, or outranks it."""
    index, desired = part.plan.index_at(now.plan_us) - 1, state.desired
    if index not in part.skipped and (desired is None or desired.source == "schedule"):
        return command_id(part.ref, index)
    steps = () if desired is None else desired.steps
    return steps[-1].command_ids[-1] if steps else None
