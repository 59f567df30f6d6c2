"""A vehicle that was paused may sleep on: after a resume its limit is set again, twice at the most.

It is never stopped and started for that: some charge again only when they are plugged in anew.
"""

from typing import Final

from engine.asset.external import keeps_off
from engine.asset.state import AssetState, OpenAttempt, Resumed
from engine.events import RELEASED
from engine.types import US_PER_S, AssetKind, Instant

_NUDGES: Final = 2


def resumed(state: AssetState, attempt: OpenAttempt, at: Instant) -> Resumed | None:
    """Return what an accepted setpoint makes of a pause: that it ended, or that it was nudged."""
    setpoint, rules = attempt.setpoint, state.rules
    if rules is None or rules.kind is not AssetKind.EV_CHARGER:
        return None
    if setpoint is None or setpoint == RELEASED or not setpoint.charge_w:
        return None
    if state.resumed is not None:
        return Resumed(at.device_us, state.resumed.nudges + 1)
    return Resumed(at.device_us) if state.holding.charge_w == 0 else None


def nudge_us(state: AssetState) -> int | None:
    """Return when a vehicle that does not charge is given its limit again (device clock)."""
    one, rules, device = state.resumed, state.rules, state.device
    if one is None or rules is None or one.nudges >= _NUDGES:
        return None
    if device.state != "SUSPENDED" or device.transaction is None or keeps_off(device.limits):
        return None
    return one.since_us + round(rules.settle_s * US_PER_S)


def nudge_of(state: AssetState, now: Instant) -> int:
    """Return how often a vehicle that sleeps is given its limit now, 0 for one that does not."""
    one = state.resumed
    return 0 if one is None or not sleeps_on(state, now) else one.nudges + 1


def sleeps_on(state: AssetState, now: Instant) -> bool:
    """Return whether a vehicle had its time to charge again, and does not."""
    due_us = nudge_us(state)
    return due_us is not None and now.device_us >= due_us
