"""Devices above what their site granted: they refuse to go down, were set by others, or lie."""

from engine import events
from engine.asset.above import bound_of, drawn_w
from engine.asset.desire import is_given_up
from engine.asset.draft import Draft
from engine.asset.granting import desire
from engine.asset.reach import drawn, fits, in_force
from engine.asset.reported import ABOVE_GRANT
from engine.grants import Grant
from engine.types import US_PER_S


def watch(draft: Draft) -> None:
    """Record when a device is above its grant, and when it no longer is: each case once."""
    state, grant = draft.state, draft.state.outside.grant
    if grant is None or state.rules is None:
        return
    if ABOVE_GRANT not in state.alarms:
        exceeded = _found(draft, grant) or _refused(draft, grant) or _measured(draft, grant)
        if exceeded is not None:
            draft.note(exceeded)
    elif state.outside.above_since_us is None and _most_w(draft, grant) is None:
        draft.note(events.GrantKept())


def _found(draft: Draft, grant: Grant) -> events.GrantExceeded | None:
    """Return that a device was found to hold more by somebody else's doing."""
    for event in draft.events:
        if isinstance(event, events.DeviceChanged) and not fits(event.found, draft.rules, grant):
            charge_w, discharge_w = drawn(event.found, draft.rules)
            is_charge = charge_w > grant.charge.most_w
            return _exceeded("found", charge_w if is_charge else -discharge_w, grant)
    return None


def _refused(draft: Draft, grant: Grant) -> events.GrantExceeded | None:
    """Return that a device did not take the lower setpoint that it was sent."""
    if not draft.state.given_up:
        return None
    want = desire(draft.state, draft.now)
    power_w = _most_w(draft, grant)
    if want is None or power_w is None or not is_given_up(draft.state, want, draft.now):
        return None
    return _exceeded("refused", power_w, grant)


def _measured(draft: Draft, grant: Grant) -> events.GrantExceeded | None:
    """Return that a device draws or gives more for longer than it takes to settle."""
    since_us, power_w = draft.state.outside.above_since_us, drawn_w(draft.state, draft.now)
    if since_us is None or power_w is None:
        return None
    if draft.now.device_us < since_us + round(draft.rules.settle_s * US_PER_S):
        return None
    return _exceeded("measured", power_w, grant)


def _most_w(draft: Draft, grant: Grant) -> int | None:
    """Return the power above its bound that may be in force, charging positive; null if none is."""
    charge_w, discharge_w = in_force(draft.state, draft.rules, draft.now)
    if charge_w > grant.charge.most_w:
        return charge_w
    return -discharge_w if discharge_w > grant.discharge.most_w else None


def _exceeded(how: str, power_w: int, grant: Grant) -> events.GrantExceeded:
    return events.GrantExceeded(how, power_w, bound_of(grant, power_w).most_w)
