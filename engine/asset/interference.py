"""What is known of another controller that sets the device too; see `engine.asset.reaction`."""

from typing import Final

from msgspec.structs import replace

from engine import events
from engine.asset.reach import is_above_grant
from engine.asset.state import AssetState, Holding, Interference
from engine.types import US_PER_S, AssetKind, Instant

INTERFERENCE: Final = "interference"
"""The alarm of a device that another controller sets, and that is left alone, or beyond a limit."""

SET_AGAIN_MOST: Final = 3
"""How often in an hour a device is set again."""

HOUR_US: Final = 3_600 * US_PER_S


def is_left_alone(state: AssetState, now: Instant) -> bool:
    """Return whether what another controller has set is not to be touched for now.

    What is more than the site grants is nobody's to leave as it is.
    """
    one = state.interference
    waits = one.left and (one.again_at_us is None or now.device_us < one.again_at_us)
    return waits and not is_above_grant(state, now)


def device_changed(state: AssetState, event: events.DeviceChanged, at: Instant) -> AssetState:
    """Return the state with what the device was found to hold, and what comes of it.

    Its lease goes on; what it holds by another's doing has none.
    """
    holding, before = held_by(state, event.found), state.interference
    alarms = state.alarms
    if event.alarm:
        alarms = (*alarms, INTERFERENCE)
    match event.reaction:
        case "recorded":
            return replace(state, holding=holding, applied=event.found)
        case "given_in":
            after = Interference(before.set_again_us)
            alarms = _without(alarms)
        case "left_alone":
            after = Interference(
                before.set_again_us,
                left=True,
                again_at_us=event.again_at_us,
                noted_us=at.device_us,
            )
        case _:
            after = Interference(_with_one_more(before, at), answering=True)
    holding = replace(holding, lease_until_us=None)
    return replace(state, holding=holding, interference=after, alarms=alarms, applied=event.found)


def held_by(state: AssetState, found: events.Setpoint) -> Holding:
    """Return what a device holds by a reading; a charger has no discharge to be unsure of."""
    is_charger = state.rules is not None and state.rules.kind is AssetKind.EV_CHARGER
    discharge_w = 0 if is_charger else found.discharge_w
    return Holding(found.charge_w, discharge_w, lease_until_us=state.holding.lease_until_us)


def _with_one_more(before: Interference, at: Instant) -> tuple[int, ...]:
    return (*before.set_again_us, at.device_us)[-SET_AGAIN_MOST:]


def taken_up(before: Interference, at: Instant) -> Interference:
    """Return that a device is not left alone any more, as something is decided for it.

    Where that is because its time is over, it is one more time that it is set again.
    """
    again_at_us = before.again_at_us
    if again_at_us is not None and at.device_us >= again_at_us:
        return Interference(_with_one_more(before, at))
    return Interference(before.set_again_us)


def set_right(state: AssetState) -> AssetState:
    """Return the state after a device took what should hold; who keeps it beyond a limit stays."""
    before = state.interference
    if before.answering:
        return replace(state, interference=replace(before, answering=False))
    return replace(state, alarms=_without(state.alarms))


def forget_change(state: AssetState) -> AssetState:
    """Return the state of a device that may have forgotten what the other controller has set."""
    if not state.interference.left:
        return state
    return replace(state, interference=Interference(state.interference.set_again_us))


def _without(alarms: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(alarm for alarm in alarms if alarm != INTERFERENCE)
