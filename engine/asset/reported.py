"""How a device's reports change what is known of it."""

from msgspec.structs import replace

from engine import events
from engine.asset import external
from engine.asset.external import EXTERNAL_LIMIT
from engine.asset.interference import forget_change
from engine.asset.state import (
    UNKNOWN_HOLDING,
    AssetState,
    Device,
    Transaction,
)
from engine.asset.waiting import anew
from engine.types import Instant

GAVE_UP = "actor_gave_up"
LINK_FAILED = "link_failed"
ABOVE_GRANT = "above_grant"
"""The alarm of a device that may draw or give more than its site granted it."""
CLOCK_SKEW = "clock_skew"
PROTOCOL = "protocol"
"""The capability that names the protocol that a device speaks, where it has the choice."""
PLUGGED = frozenset({"PREPARING", "CHARGING", "SUSPENDED", "FINISHING"})


def state_changed(state: AssetState, event: events.StateChanged, at: Instant) -> AssetState:
    """Return the state with the device's new state; a vehicle that left is timed from here."""
    before = state.device
    if event.overlay != before.overlay:
        device = replace(before, overlay=event.overlay, start_tried=False)
    else:
        device = replace(
            before,
            own_state=event.target,
            state_known=True,
            detail=event.detail,
            start_tried=False,
            odd_status=None,
        )
        device = _watch_departure(before, device, at)
    sleeps = state.resumed if device.state == "SUSPENDED" else None
    return anew(replace(state, device=device, given_up=(), resumed=sleeps), at)


def evse_changed(state: AssetState, event: events.EvseChanged) -> AssetState:
    """Return the state with what its EVSE said beside its state."""
    return replace(state, device=replace(state.device, evse=event.evse))


def without(alarms: tuple[str, ...], gone: str) -> tuple[str, ...]:
    """Return alarms without one of them."""
    return tuple(alarm for alarm in alarms if alarm != gone)


def link_failed(state: AssetState) -> AssetState:
    """Return the state with the alarm of a link that could not be opened."""
    return replace(state, alarms=(*without(state.alarms, LINK_FAILED), LINK_FAILED))


def grant_exceeded(state: AssetState) -> AssetState:
    """Return the state with the alarm of a device above its grant."""
    return replace(state, alarms=(*without(state.alarms, ABOVE_GRANT), ABOVE_GRANT))


def grant_kept(state: AssetState) -> AssetState:
    """Return the state without it."""
    return replace(state, alarms=without(state.alarms, ABOVE_GRANT))


def status_not_understood(state: AssetState, event: events.StatusNotUnderstood) -> AssetState:
    """Return the state with the odd status, so that it is recorded once."""
    return replace(state, device=replace(state.device, odd_status=event.raw))


def _watch_departure(before: Device, device: Device, at: Instant) -> Device:
    if device.own_state == "AVAILABLE" and before.own_state in PLUGGED:
        return replace(device, left_at_us=at.plan_us)
    if device.own_state != "AVAILABLE" and device.left_at_us is not None:
        return replace(device, left_at_us=None)
    return device


def connection_changed(
    state: AssetState, event: events.ConnectionChanged, at: Instant
) -> AssetState:
    """Return the state with the device there or gone; a device that is back may have forgotten."""
    if not event.connected:
        return replace(state, device=replace(state.device, connected=False))
    device = replace(state.device, connected=True, connected_at_us=at.plan_us, start_tried=False)
    if event.booted:
        device = _booted(device)
    if not event.kept:
        state = _forgotten(state)
    if LINK_FAILED in state.alarms:
        state = replace(state, alarms=without(state.alarms, LINK_FAILED))
    if event.booted:
        state = replace(forget_change(state), alarms=without(state.alarms, EXTERNAL_LIMIT))
    return anew(replace(state, device=device, given_up=()), at)


def _booted(device: Device) -> Device:
    """Return what still holds of a device that has started anew; who limits it says so again."""
    evse = _after_boot(device.evse)
    return replace(_without_transaction(device), evse=evse, configured=(), limits=())


def _without_transaction(device: Device) -> Device:
    if device.transaction is None:
        return device
    return replace(device, transaction=None, last_transaction=device.transaction)


def _after_boot(evse: events.Evse) -> events.Evse:
    """Return what still holds of a station that has started anew: who had charged before, has."""
    is_done = evse.session == "FINISHING"
    return events.Evse(session="FINISHING") if is_done else events.Evse()


def _forgotten(state: AssetState) -> AssetState:
    """Return the state with nothing known of what the device holds, now or by an open attempt.

    The forms that it refused may be tried anew: they may suit another transaction.
    """
    attempt, work = state.attempt, state.work
    if attempt is not None:
        attempt = replace(attempt, forgotten=True)
    if work is not None:
        work = replace(work, form=state.first_form(work.steps[0].setpoint))
    return replace(
        state,
        holding=UNKNOWN_HOLDING,
        attempt=attempt,
        work=work,
        refused=(),
        applied=None,
    )


def transaction_started(
    state: AssetState, event: events.TransactionStarted, at: Instant
) -> AssetState:
    """Return the state with a transaction; one that was replayed is only remembered."""
    transaction = Transaction(event.transaction_id, event.key, event.id_tag)
    if event.offline:
        device = replace(state.device, last_transaction=transaction)
        return replace(state, device=device)
    began = replace(transaction, began_us=at.device_us)
    device = replace(state.device, transaction=began, phases=None)
    if device.evse.transaction_id == event.transaction_id:  # its name is used again
        device = replace(device, evse=replace(device.evse, transaction_id=None))
    return replace(forget_change(_forgotten(state)), device=device, given_up=())


def transaction_ended(state: AssetState, event: events.TransactionEnded, at: Instant) -> AssetState:
    """Return the state without its transaction; the end of another one is history."""
    device = state.device
    running, last = device.transaction, device.last_transaction
    if running is not None and running.transaction_id == event.transaction_id:
        last = replace(running, ended=True)
        device = replace(device, transaction=None, last_transaction=last, phases=None)
        return anew(replace(forget_change(_forgotten(state)), device=device, given_up=()), at)
    if last is not None and last.transaction_id == event.transaction_id:
        last = replace(last, ended=True)
    elif running is None:
        last = Transaction(event.transaction_id, "", ended=True)
    return replace(state, device=replace(device, last_transaction=last))


def capabilities_learned(state: AssetState, event: events.CapabilitiesLearned) -> AssetState:
    """Return the state with what the device can do, which may change what its forms are.

    One that speaks another protocol than before has started anew: what it held is not known.
    """
    before = state.device.capabilities.get(PROTOCOL)
    device = replace(state.device, capabilities=event.capabilities)
    if before is None or event.capabilities.get(PROTOCOL) == before:
        return replace(state, device=device, refused=())
    device = replace(_without_transaction(device), evse=events.Evse())
    return _forgotten(replace(state, device=device, form=0))


def phases_measured(state: AssetState, event: events.PhasesMeasured) -> AssetState:
    """Return the state with a vehicle's phases: what was reckoned with others is set again."""
    return replace(_forgotten(state), device=replace(state.device, phases=event.phases))


def clock_skewed(state: AssetState, event: events.ClockSkewed) -> AssetState:
    """Return the state with a device's clock wrong, or right again.

    A schedule that was set by it begins and ends at other times than it should: it is set again.
    """
    alarms = without(state.alarms, CLOCK_SKEW)
    if event.ahead_s:
        alarms = (*alarms, CLOCK_SKEW)
    device = replace(state.device, clock_ahead_s=event.ahead_s)
    return replace(_forgotten(state), device=device, alarms=alarms)


def external_limit_told(
    state: AssetState, event: events.ExternalLimitTold, at: Instant
) -> AssetState:
    """Return the state with what others limit the device to; without it the device is free."""
    limits = external.after(state.device.limits, event, at.plan_us)
    alarms = without(state.alarms, EXTERNAL_LIMIT)
    if limits:
        alarms = (*alarms, EXTERNAL_LIMIT)
    given_up = () if event.is_over else state.given_up
    device = replace(state.device, limits=limits)
    return replace(state, device=device, alarms=alarms, given_up=given_up)


def not_understood(state: AssetState, at: Instant) -> AssetState:
    """Return the state with the time of the last unreadable message."""
    return replace(state, device=replace(state.device, unread_at_us=at.device_us))
