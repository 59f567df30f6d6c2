"""Evaluate now, and send if the device is not known to hold it: the one level-triggered rule."""

from msgspec import UNSET

from engine import events
from engine.adapters.base import Payload
from engine.asset.ahead import ahead_of, is_current
from engine.asset.clearing import clear_up, settle
from engine.asset.contradiction import is_due
from engine.asset.covering import form_to_lower
from engine.asset.decisions import passed_over, propose
from engine.asset.desire import Desire, decision_differs, is_given_up, limited
from engine.asset.draft import Draft
from engine.asset.due import Due, due_changes
from engine.asset.effects import Send, Stopped
from engine.asset.evidence import KNOWN
from engine.asset.gathering import gather
from engine.asset.granting import awaits_grant, desire, is_stalled
from engine.asset.holding import hold_reason, holds, is_kept, known_holding
from engine.asset.ids import attempt_id
from engine.asset.interference import is_left_alone
from engine.asset.keeping import keep_no_more
from engine.asset.looking import look
from engine.asset.orders import pursue_order, start_by_engine
from engine.asset.programme import changes_until
from engine.asset.reach import fits
from engine.asset.spelling import ALONE, Along, Spelled, spell_step
from engine.asset.state import AssetState, Verifying, Work
from engine.asset.waking import nudge_of, sleeps_on
from engine.asset.wear import wear_reason
from engine.commands import CauseKind, CommandStatus
from engine.errors import Untranslatable
from engine.events import RELEASED, Decision, Setpoint, Step
from engine.grants import Grant
from engine.rules import AssetRules
from engine.types import US_PER_S, AssetKind, Instant


def advance(draft: Draft) -> None:
    """Do the next thing that this asset needs, if anything."""
    if draft.state.attempt is None and not is_at_rest(draft.state, draft.now):
        pursue(draft)


def pursue(draft: Draft) -> None:
    """Do the next thing that this asset needs: clear up, ask, send, hold or nothing."""
    clear_up(draft)
    start_by_engine(draft)
    if not pursue_order(draft):
        _pursue_setpoint(draft)
        look(draft)


def is_at_rest(state: AssetState, now: Instant) -> bool:
    """Return whether nothing needs to be done: the device keeps what the plan wants for now.

    Quickly told for the most of all messages, signs of life and measurements; False says nothing.
    That a change has fallen due is told first: it is what most often stands against it.
    """
    programme, desired, outside = state.programme, state.desired, state.outside
    taken = None if desired is None else desired.taken
    parts = programme.parts
    return (
        desired is not None
        and taken is not None
        and len(parts) == 1
        and changes_until(parts[0], now.plan_us, taken.count) == taken.count
        and state.work is None
        and state.override is None
        and state.unknown is None
        and programme.absence is None
        and not state.orders
        and not state.given_up
        and outside.offered
        and not outside.stopping
        and not outside.fresh
        and state.rules is not None
        and state.rules.start == "charger"
        and desired.source == "schedule"
        and parts[0].until_us is None
        and parts[0].ref.schedule_id == taken.schedule_id
        and programme.taken == taken.count
        and limited(desired.target, state.rules) == desired.target
        and (outside.grant is None or _is_granted(desired, state.rules, outside.grant))
        and is_kept(state, desired.target, now)
        and not is_due(state, now)
    )


def _is_granted(desired: Decision, rules: AssetRules, grant: Grant) -> bool:
    """Return whether the site's limits leave what was decided as it is."""
    return desired.cut is None and fits(desired.target, rules, grant)


# --- the setpoint


def _pursue_setpoint(draft: Draft) -> None:
    if draft.state.outside.grant is not None and _waits(draft):
        return
    want = desire(draft.state, draft.now)
    if want is not None:
        due = _due(draft, want)
        if due is not None or decision_differs(draft.state, want):
            _decide_anew(draft, want, due)
        elif draft.state.work is not None:
            _go_on(draft, draft.state.work, want)
        elif not is_kept(draft.state, want.target, draft.now):
            _assert_again(draft, want)
    if draft.state.outside.stopping and _is_handed_back(draft, want):
        draft.want(Stopped())


def _waits(draft: Draft) -> bool:
    """Return whether the site has to look first, or nothing can be sent before some time."""
    return awaits_grant(draft.state, draft.now) or is_stalled(draft.state, draft.now)


def _due(draft: Draft, want: Desire) -> Due | None:
    """Return the planned changes to act on; those that something else outranks are passed over."""
    if draft.state.outside.stopping:
        return None
    due = due_changes(draft.state, draft.now)
    outranked = want.source != "schedule" and not decision_differs(draft.state, want)
    if due is None or not outranked:
        return due
    draft.note(*passed_over(draft.state, due, want, {}))
    return None


def _is_handed_back(draft: Draft, want: Desire | None) -> bool:
    """Return whether nothing more can be done for a device before the engine stops."""
    state = draft.state
    if state.outside.stopped or state.attempt is not None or draft.asking is not None:
        return False
    if want is None or not state.device.connected:
        return want is None or not _is_cut_off(state)
    if draft.slot == "waiting":
        return False
    if state.work is not None:
        return state.work.held not in {None, "offline"}  # of a device that is back
    return holds(state.holding, want.target) or _may_not_try(draft, want)


def _is_cut_off(state: AssetState) -> bool:
    """Return whether the link went while the device was being handed back: it may be back soon."""
    return state.work is not None and state.work.tries > 0


def _may_not_try(draft: Draft, want: Desire) -> bool:
    """Return whether what should hold has failed, or is somebody else's to set for now."""
    return is_left_alone(draft.state, draft.now) or is_given_up(draft.state, want, draft.now)


def _assert_again(draft: Draft, want: Desire) -> None:
    """Set once more what the device is not known to hold, or holds for not much longer."""
    if draft.state.device.connected and not _may_not_try(draft, want):
        is_held = holds(known_holding(draft.state, draft.now), want.target)
        is_new = sleeps_on(draft.state, draft.now) or not is_current(draft.state, draft.now)
        renews = is_held and not is_new
        _decide_anew(draft, want, None, CauseKind.RENEW if renews else None)


def _decide_anew(
    draft: Draft, want: Desire, due: Due | None, kind: CauseKind | None = None
) -> None:
    """Take a decision and act on it at once where that is possible."""
    state = draft.state
    proposal = propose(draft, want, due, kind)
    decision = proposal.decision
    step = None if proposal.known else decision.steps[0]
    reason = None if step is None else hold_reason(state, step.type, step.setpoint, draft.now)
    if step is None or reason is not None or state.unknown is not None:
        draft.note(*proposal.before, events.SetpointDecided(decision))
        ids = tuple(i for one in decision.steps for i in one.command_ids)
        if reason is not None:
            draft.note(events.CommandHeld(ids, reason))
        elif step is None and ids:
            draft.note(events.CommandVerified(ids, CommandStatus.COMPLETED, KNOWN))
    elif not draft.has_turn:
        draft.queue()
    else:
        draft.note(*proposal.before)
        _send_step(draft, step, decision)


def _go_on(draft: Draft, work: Work, want: Desire) -> None:
    """Go on with the setpoint being brought about: verify, hold, retry, or the next step."""
    if work.verifying is not None:
        _verify(draft, work, work.verifying, want)
    elif _has_expired(work, draft):
        _decide_anew(draft, want, None)
    else:
        _pursue_step(draft, work)


def _verify(draft: Draft, work: Work, verifying: Verifying, want: Desire) -> None:
    """Gather evidence; what the charger may have lost meanwhile, or soon does, is set once more."""
    can_be_set = draft.rules.kind is AssetKind.EV_CHARGER and draft.state.device.connected
    if can_be_set and not is_kept(draft.state, want.target, draft.now):
        _assert_again(draft, want)
    else:
        gather(draft, work, verifying)


def _pursue_step(draft: Draft, work: Work) -> None:
    step = work.steps[0]
    reason = hold_reason(draft.state, step.type, step.setpoint, draft.now)
    if reason is not None:
        if work.held != reason:
            draft.note(events.CommandHeld(work.open_ids, reason))
    elif draft.state.unknown is None and _is_due(work, draft):
        if draft.has_turn:
            _send_step(draft, step, None)
        else:
            draft.queue()


def _has_expired(work: Work, draft: Draft) -> bool:
    """Return whether a command's time is over although the plan still wants what it wants."""
    expires_us = work.decision.expires_us
    return expires_us is not None and draft.now.plan_us >= expires_us


def _is_due(work: Work, draft: Draft) -> bool:
    return work.retry_at_us is None or work.retry_at_us <= draft.now.device_us


def _send_step(draft: Draft, step: Step, decision: Decision | None) -> None:
    state, rules = draft.state, draft.rules
    work = None if decision is not None else state.work
    number = 1 if work is None else work.tries + 1
    form = state.first_form(step.setpoint) if work is None or not work.tries else work.form
    own_id = attempt_id(state.asset_id, state.outside.epoch, draft.next_version)
    lease_s = None if step.setpoint == RELEASED else rules.failsafe_after_s
    along = ALONE
    if rules.periods_ahead or state.resumed is not None or state.beneath is not None:
        along = _along(draft, step, decision)
    try:
        numbers = (own_id, number, form, lease_s)
        payload = spell_step(Spelled(state, draft.now), step, numbers, along)
    except Untranslatable as error:
        if decision is not None:
            draft.note(events.SetpointDecided(decision))
        why = f"unsupported: {error}"
        settle(draft, events.CommandVerified(step.command_ids, CommandStatus.FAILED, "none", why))
        return
    if rules.kind is AssetKind.BATTERY and _must_wait(draft, payload, step.setpoint, decision):
        return
    draft.note(
        events.AttemptStarted(
            own_id,
            number,
            form,
            step.command_ids,
            step.type,
            step.value_w,
            _applied_w(payload),
            step.setpoint,
            payload,
            None if lease_s is None else draft.now.device_us + round(lease_s * US_PER_S),
            decision,
            along.ahead,
            UNSET if along.beneath_form is None else True,
        )
    )
    expires_us = decision.expires_us if decision else work.decision.expires_us if work else None
    keep_no_more(draft)
    draft.want(Send(own_id, payload, rules.command_timeout_s, expires_us))


def _along(draft: Draft, step: Step, decision: Decision | None) -> Along:
    """Return what goes along with a setpoint; ``decision`` is null for what is under way."""
    state, setpoint, now = draft.state, step.setpoint, draft.now
    work = None if decision is not None else state.work
    planned = decision or (None if work is None else work.decision)
    source = "" if planned is None else planned.source
    nudge = 0 if state.resumed is None else nudge_of(state, now)
    return Along(
        ahead_of(state, source, setpoint, now), nudge, form_to_lower(state, setpoint, work, now)
    )


def _must_wait(
    draft: Draft, payload: Payload, setpoint: Setpoint, decision: Decision | None
) -> bool:
    """Hold what would wear a battery's flash too soon; return whether it is held."""
    work = draft.state.work
    reason = wear_reason(draft.state, payload, setpoint, draft.now)
    if reason is None:
        return False
    if decision is not None:
        ids = tuple(i for one in decision.steps for i in one.command_ids)
        draft.note(events.SetpointDecided(decision), events.CommandHeld(ids, reason))
    elif work is not None and work.held != reason:
        draft.note(events.CommandHeld(work.open_ids, reason))
    return True


def _applied_w(payload: Payload) -> int | None:
    return None if payload.applied_kw is None else round(payload.applied_kw * 1_000)


# --- the link's slot


def settle_slot(draft: Draft) -> None:
    """Give the link's slot back to who else wants it when nothing of this asset is to use it."""
    if draft.state.attempt is None and draft.asking is None:
        draft.end_turn()
