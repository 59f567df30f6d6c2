"""Which commands an asset cannot take now, and what it is known to hold."""

from engine.adapters.base import SetpointRead
from engine.asset.ahead import is_current
from engine.asset.desire import is_zero
from engine.asset.state import UNKNOWN_HOLDING, AssetState, Holding
from engine.asset.waking import sleeps_on
from engine.commands import CommandType
from engine.events import RELEASED, Setpoint
from engine.types import US_PER_S, Instant, to_w

_CANNOT = frozenset({"FAULTED", "UNAVAILABLE"})


def is_stale(state: AssetState, now: Instant) -> bool:
    """Return whether nothing was heard for ``stale_s``, or no state since the last start."""
    rules = state.rules
    seen_us = state.outside.last_seen_us
    if rules is None or not state.device.state_known or seen_us is None:
        return True
    return now.device_us - seen_us > rules.stale_s * US_PER_S


def known_holding(state: AssetState, now: Instant) -> Holding:
    """Return what the device is known to hold: nothing any more when the lease has run out."""
    lease_until_us = state.holding.lease_until_us
    if lease_until_us is not None and now.device_us >= lease_until_us:
        return UNKNOWN_HOLDING
    return state.holding


def holds(holding: Holding, target: Setpoint) -> bool:
    """Return whether a device that holds this holds a setpoint."""
    if target == RELEASED:
        return holding.released
    return (
        not holding.released
        and holding.charge_w == target.charge_w
        and holding.discharge_w == target.discharge_w
    )


def matches(read: SetpointRead, wanted: Setpoint) -> bool:
    """Return whether a device holds a setpoint, within its step, on the channels that it tells."""
    if read.released:
        return wanted == RELEASED
    pairs = ((read.charge_kw, wanted.charge_w), (read.discharge_kw, wanted.discharge_w))
    return all(
        found_kw is None or abs(found_kw * 1_000 - (want_w or 0)) <= read.step_kw * 1_000 + 0.5
        for found_kw, want_w in pairs
    )


def found_setpoint(read: SetpointRead) -> Setpoint:
    """Return what a device says that it holds, in watts."""
    charge_w = None if read.charge_kw is None else to_w(read.charge_kw)
    discharge_w = None if read.discharge_kw is None else to_w(read.discharge_kw)
    return Setpoint(charge_w, discharge_w)


def described(read: SetpointRead) -> str:
    """Return what a device says that it holds, in words."""
    if read.released:
        return "its own control"
    return f"{read.charge_kw} kW charge, {read.discharge_kw} kW discharge"


def is_kept(state: AssetState, target: Setpoint, now: Instant) -> bool:
    """Return whether the device is known to hold a setpoint, with a lease that lasts for now."""
    if not holds(state.holding, target):
        return False
    if target == RELEASED:
        return True
    renew_us = renewal_us(state)
    is_fresh = renew_us is not None and now.device_us < renew_us
    if not is_fresh or (state.resumed is not None and sleeps_on(state, now)):
        return False
    return is_current(state, now)


def renewal_us(state: AssetState) -> int | None:
    """Return when half of the lease will be over (device clock), null where there is none."""
    lease_until_us, rules = state.holding.lease_until_us, state.rules
    if lease_until_us is None or rules is None:
        return None
    return lease_until_us - round(rules.failsafe_after_s * US_PER_S / 2)


def is_increase(holding: Holding, target: Setpoint) -> bool:
    """Return whether a setpoint may raise power; above zero with nothing known it may."""
    if target == RELEASED:
        return False
    return (target.charge_w or 0) > (holding.charge_w or 0) or (target.discharge_w or 0) > (
        holding.discharge_w or 0
    )


def hold_reason(
    state: AssetState, command_type: CommandType, setpoint: Setpoint | None, now: Instant
) -> str | None:
    """Return why a command has to wait: offline, faulted, unavailable, stale; null if it may go.

    CHANGE_AVAILABILITY, STOP, RELEASE and 0 kW always go to a connected device.
    """
    if not state.device.connected:
        return "offline"
    starts = command_type is CommandType.START_CHARGING
    raises = setpoint is not None and setpoint != RELEASED and not is_zero(setpoint)
    if (starts or raises) and state.device.state in _CANNOT:
        return state.device.state.lower()
    increases = setpoint is not None and is_increase(known_holding(state, now), setpoint)
    if (starts or increases) and is_stale(state, now):
        return "stale"
    return None
