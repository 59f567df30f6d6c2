"""When what a charger does speaks against what it was set: it gives more, or nothing by itself."""

from engine.asset.evidence import ACK, exceeds_target
from engine.asset.external import is_found, is_told
from engine.asset.state import AssetState
from engine.rules import AssetRules
from engine.types import US_PER_S, AssetKind, Instant


def look_us(state: AssetState) -> int | None:
    """Return when to ask a charger what it allows (device clock), null where nothing speaks for it.

    Not before what it was set had its time to show, and not again before ``reassert_s``.
    """
    rules, lease_until_us = state.rules, state.holding.lease_until_us
    if rules is None or rules.verify == ACK or rules.kind is not AssetKind.EV_CHARGER:
        return None
    if lease_until_us is None or state.work is not None or state.unknown is not None:
        return None
    shows_us = lease_until_us - round((rules.failsafe_after_s - rules.settle_s) * US_PER_S)
    if not (is_kept_off(state, rules) or _exceeds(state, rules, shows_us)):
        return None
    asked_us = state.outside.asked_us
    pause_us = round(rules.reassert_s * US_PER_S)
    return shows_us if asked_us is None else max(shows_us, asked_us + pause_us)


def is_kept_off(state: AssetState, rules: AssetRules) -> bool:
    """Return whether a charger gives nothing by itself, and nobody has told why."""
    device = state.device
    if device.state != "SUSPENDED" or device.detail.get("suspended_by") != "evse":
        return False
    return held_w(state) >= max(rules.least_w, 1) and not is_told(device.limits)


def _exceeds(state: AssetState, rules: AssetRules, shows_us: int) -> bool:
    sample = state.outside.sample
    if sample is None or sample.taken_us < shows_us:
        return False
    return exceeds_target(rules, held_w(state), sample.power_w)


def held_w(state: AssetState) -> int:
    """Return the power that a charger was set to, as it was spelled."""
    held = state.holding
    return (held.charge_w or 0) if held.applied_w is None else held.applied_w


def is_due(state: AssetState, now: Instant) -> bool:
    """Return whether there is something to ask, or something found that is over."""
    due_us = look_us(state)
    if due_us is not None and now.device_us >= due_us:
        return True
    return bool(state.device.limits) and is_over(state)


def is_over(state: AssetState) -> bool:
    """Return whether a limit that was found keeps a charger from nothing any more."""
    rules = state.rules
    return rules is not None and is_found(state.device.limits) and not is_kept_off(state, rules)
