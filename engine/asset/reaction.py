"""Another controller sets the device too: whether it is set again, or left alone.

It is never fought: what should hold is set again three times in an hour. Then, or by the asset's
rules at once, the device is left alone. Only what is beyond a limit is set right each time.
"""

from engine import events
from engine.asset.holding import holds
from engine.asset.interference import HOUR_US, INTERFERENCE, SET_AGAIN_MOST, held_by
from engine.asset.reach import drawn, fits, in_force
from engine.asset.state import AssetState, Interference
from engine.events import RELEASED
from engine.rules import AssetRules
from engine.types import US_PER_S, Instant

_NOTED_EVERY_US = 60 * US_PER_S


def change_of(
    state: AssetState, found: events.Setpoint, now: Instant, *, just_back: bool = False
) -> events.DeviceChanged | None:
    """Return that a device was found changed, and what comes of it; null if that is not news.

    It is another's doing only where what should hold was confirmed. A device that is ``just_back``
    may have forgotten by itself; then it is set again anyway.
    """
    rules, desired = state.rules, state.desired
    if rules is None or desired is None or desired.target == RELEASED or state.work is not None:
        return events.DeviceChanged(found)
    if _is_beyond(state, rules, found):
        return _set_again(state, found, now)
    holds_it = holds(held_by(state, found), desired.target)
    if state.interference.left:
        if _is_early(state, now) and not _is_more(state, rules, found, now):
            return None
        return _still_left(state, found, given_in=holds_it)
    if holds_it or just_back or not holds(state.holding, desired.target):
        return events.DeviceChanged(found)
    return _changed(state, rules.on_interference, found, now)


def is_limited(state: AssetState, found: events.Setpoint) -> bool:
    """Return whether a charger allows less than it should as others limit it: that is no change."""
    target = None if state.desired is None else state.desired.target
    if target is None or not state.device.limits:
        return False
    return (found.charge_w or 0) < (target.charge_w or 0)


def _still_left(
    state: AssetState, found: events.Setpoint, *, given_in: bool
) -> events.DeviceChanged:
    if given_in:
        return events.DeviceChanged(found, "given_in")
    return events.DeviceChanged(found, "left_alone", state.interference.again_at_us)


def _is_early(state: AssetState, now: Instant) -> bool:
    """Return whether a device that is left alone was found changed within the last minute."""
    return now.device_us < state.interference.noted_us + _NOTED_EVERY_US


def _is_more(state: AssetState, rules: AssetRules, found: events.Setpoint, now: Instant) -> bool:
    """Return whether more was found than a site with a limit has reserved for the device."""
    if state.outside.grant is None:
        return False
    charge_w, discharge_w = drawn(found, rules)
    held_charge_w, held_discharge_w = in_force(state, rules, now)
    return charge_w > held_charge_w or discharge_w > held_discharge_w


def _changed(
    state: AssetState, policy: str, found: events.Setpoint, now: Instant
) -> events.DeviceChanged:
    again_at_us = None
    if policy == "reassert":
        recent = _recent(state.interference, now)
        if len(recent) < SET_AGAIN_MOST:
            return _set_again(state, found, now)
        again_at_us = recent[0] + HOUR_US
    alarm = policy != "yield" and INTERFERENCE not in state.alarms
    return events.DeviceChanged(found, "left_alone", again_at_us, alarm)


def _set_again(state: AssetState, found: events.Setpoint, now: Instant) -> events.DeviceChanged:
    often = len(_recent(state.interference, now)) >= SET_AGAIN_MOST
    alarm = often and INTERFERENCE not in state.alarms
    return events.DeviceChanged(found, "set_again", alarm=alarm)


def _is_beyond(state: AssetState, rules: AssetRules, found: events.Setpoint) -> bool:
    """Return whether a device may take or give more than a limit allows."""
    charge_w, discharge_w = found.charge_w or 0, found.discharge_w or 0
    if charge_w > rules.max_charge_w or discharge_w > rules.max_discharge_w:
        return True
    grant = state.outside.grant
    return grant is not None and not fits(found, rules, grant)


def _recent(before: Interference, now: Instant) -> tuple[int, ...]:
    return tuple(us for us in before.set_again_us if now.device_us - us < HOUR_US)
