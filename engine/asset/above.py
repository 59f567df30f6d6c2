"""What is measured, held against what the site granted."""

from engine.asset.samples import stands
from engine.asset.state import AssetState
from engine.grants import Bound, Grant
from engine.tolerance import tolerance_w
from engine.types import Instant


def drawn_w(state: AssetState, now: Instant) -> int | None:
    """Return what was measured lately, charging positive; null where nothing tells it any more.

    A charger may send no more samples once its transaction is over.
    """
    sample, ended_us = state.outside.sample, state.outside.ended_us
    if sample is None or not stands(sample, now.device_us):
        return None
    if state.device.transaction is None and ended_us is not None and sample.taken_us <= ended_us:
        return None
    return sample.power_w


def above_since(state: AssetState, now: Instant) -> int | None:
    """Return since when the power measured is above the grant (device clock), null if it is not."""
    outside, power_w = state.outside, drawn_w(state, now)
    if outside.grant is None or power_w is None:
        return None
    bound_w = bound_of(outside.grant, power_w).most_w
    if abs(power_w) <= bound_w + tolerance_w(bound_w):
        return None
    return now.device_us if outside.above_since_us is None else outside.above_since_us


def bound_of(grant: Grant, power_w: int) -> Bound:
    """Return the bound of a power's direction, charging positive."""
    return grant.charge if power_w >= 0 else grant.discharge
