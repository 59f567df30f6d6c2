"""``evolve``: how one event changes what is known of an asset. Total, pure, the only way."""

from typing import assert_never

from msgspec.structs import replace

from engine import events
from engine.asset import attempts, covering, interference, programme, remains, reported, wear
from engine.asset.earlier import Earlier, entry_began, entry_ended
from engine.asset.state import AssetState, Interference, Override, Programme
from engine.types import Instant


def evolve(state: AssetState, event: events.AssetEvent, at: Instant) -> AssetState:  # noqa: C901, PLR0911, PLR0912 - one case per event, each only hands on
    """Return the state after an event of the asset's stream that happened ``at``.

    Live operation, recovery, history and simulation all use this function.
    """
    state = replace(state, version=state.version + 1)
    match event:
        case events.AttemptStarted():
            return attempts.started(state, event, at)
        case events.AttemptEnded():
            after = remains.after_end(state, attempts.ended(state, event, at), event)
            return covering.after_end(state, after, event)
        case events.PlanReplaced():
            return programme.replaced(state, event, at)
        case events.SetpointDecided():
            return attempts.decided_only(state, event, at)
        case events.CommandCreated():
            return attempts.created(state, event)
        case events.CommandHeld():
            return attempts.held(state, event)
        case events.CommandCancelled():
            return attempts.cancelled(state, event)
        case events.CommandVerified():
            return remains.after_proof(state, attempts.verified(state, event, at), event)
        case events.AttemptReconciled():
            after = remains.after_reconciled(state, attempts.reconciled(state, event, at), event)
            return covering.after_reconciled(state, after, event)
        case events.StateChanged():
            return reported.state_changed(state, event, at)
        case events.ConnectionChanged():
            after = remains.forgotten(state, reported.connection_changed(state, event, at))
            return covering.uncovered(state, after)
        case events.TransactionStarted():
            after = remains.forgotten(state, reported.transaction_started(state, event, at))
            return covering.covered(state, after)
        case events.TransactionEnded():
            after = remains.forgotten(state, reported.transaction_ended(state, event, at))
            return covering.uncovered(state, after)
        case events.CapabilitiesLearned():
            after = remains.forgotten(state, reported.capabilities_learned(state, event))
            return covering.uncovered(state, after)
        case events.ClockSkewed():
            after = remains.after_skew(state, reported.clock_skewed(state, event))
            return covering.after_skew(state, after)
        case events.ExternalLimitTold():
            return reported.external_limit_told(state, event, at)
        case events.PhasesMeasured():
            return remains.forgotten(state, reported.phases_measured(state, event))
        case events.DeviceChanged():
            after = interference.device_changed(wear.forget_words(state), event, at)
            return remains.after_change(state, after, event.found)
        case events.EvseChanged():
            return reported.evse_changed(state, event)
        case events.StatusNotUnderstood():
            return reported.status_not_understood(state, event)
        case events.MessageNotUnderstood():
            return reported.not_understood(state, at)
        case events.ScheduleExhausted():
            return programme.ended(state, event)
        case events.DepartureDetected():
            return programme.departed(state, event)
        case events.DepartureEnded():
            return programme.returned(state)
        case events.PlanCut():
            return programme.cut(state, event)
        case events.PlanRejected() | events.LateAnswered() | events.PowerTallied():
            return state
        case events.OverrideSet():
            return _override_set(state, event)
        case events.OverrideEnded():
            return replace(state, override=None, given_up=())
        case events.AssetConfigured():
            return _configured(state, event, at)
        case events.AssetRetired():
            return _retired(state)
        case events.AssetRecovered():
            recovered = attempts.recovered(reported.grant_kept(_put_back(state)))
            return remains.after_restart(state, recovered)
        case events.ActorCrashed():
            return _crashed(state, event)
        case events.ActorRecovered():
            return _put_back(state)
        case events.LinkFailed():
            return reported.link_failed(state)
        case events.GrantExceeded():
            return reported.grant_exceeded(state)
        case events.GrantKept():
            return reported.grant_kept(state)
        case _:
            assert_never(event)


def _override_set(state: AssetState, event: events.OverrideSet) -> AssetState:
    override = Override(
        event.override_id,
        event.target,
        event.ends,
        event.until_us,
        event.by,
        event.reason,
        event.command_id,
        event.command_type,
        event.cause_kind,
    )
    return replace(state, override=override, given_up=())


def _configured(state: AssetState, event: events.AssetConfigured, at: Instant) -> AssetState:
    """Return the state under another entry of the site file."""
    device = state.device
    if state.rules is None and event.rules.kind == "battery":
        device = replace(device, own_state="IDLE")
    earlier = entry_began(_entry_ended(state), event.rules, at.device_us)
    return replace(state, rules=event.rules, device=device, earlier=earlier)


def _entry_ended(state: AssetState) -> Earlier | None:
    was_set = state.desired is not None
    if state.rules is None:
        return state.earlier
    return entry_ended(state.earlier, state.rules, was_set=was_set)


def _retired(state: AssetState) -> AssetState:
    """Return the state without rules; what was planned is not taken again should it come back.

    What its device may hold, and how worn it is, is known then.
    """
    programme = Programme(sequence=state.programme.sequence)
    device = replace(state.device, connected=False, state_known=False, left_at_us=None)
    after = replace(
        AssetState(state.asset_id, state.version),
        programme=programme,
        device=device,
        desired=state.desired,
        beneath=state.beneath,
        earlier=_entry_ended(state),
        interference=Interference(state.interference.set_again_us),
        worn=state.worn,
        crashes=state.crashes,
        outside=state.outside,
    )
    return remains.after_retirement(state, after)


def _crashed(state: AssetState, event: events.ActorCrashed) -> AssetState:
    state = replace(state, crashes=event.count)
    if not event.gave_up:
        return state
    alarms = (*reported.without(state.alarms, reported.GAVE_UP), reported.GAVE_UP)
    return replace(state, device=replace(state.device, failed=True), alarms=alarms)


def _put_back(state: AssetState) -> AssetState:
    """Return the state of an asset that may try again what it was given up for."""
    if not state.device.failed:
        return state
    alarms = reported.without(state.alarms, reported.GAVE_UP)
    return replace(state, device=replace(state.device, failed=False), alarms=alarms, given_up=())
