"""Evaluate now, and send if the device is not known to hold it: the one level-triggered rule."""

from engine import events
from engine.adapters.base import Payload
from engine.asset.decisions import Due, Proposal, due_changes, propose, wanted
from engine.asset.desire import Desire, decision_differs, is_zero
from engine.asset.draft import Draft
from engine.asset.effects import Ask, KeepAlive, Send, Stopped
from engine.asset.holding import hold_reason, holds
from engine.asset.ids import attempt_id, command_id
from engine.asset.spelling import Spelled, spell_order, spell_step
from engine.asset.state import AssetState, OpenAttempt, Order, Work
from engine.commands import Cause, CauseKind, CommandStatus, CommandType
from engine.errors import Untranslatable
from engine.events import RELEASED, Decision, Step
from engine.types import US_PER_S, AssetKind, CommandId

_UNREPEATABLE = frozenset({CommandType.START_CHARGING, CommandType.STOP_CHARGING, CommandType.CALL})


def advance(draft: Draft) -> None:
    """Do the next thing that this asset needs: clear up, ask, send, hold or nothing."""
    if draft.state.attempt is None:
        _clear_up(draft)
        _start_by_engine(draft)
        if not _pursue_order(draft):
            _pursue_setpoint(draft)


# --- attempts of unknown outcome


def _clear_up(draft: Draft) -> None:
    """Reconcile an attempt whose outcome is not known, before anything new is sent."""
    state = draft.state
    attempt = state.unknown
    if attempt is None:
        return
    if attempt.setpoint is None:
        _clear_up_order(draft, attempt)
    elif state.device.connected and draft.asking is None:
        ask(draft, attempt.attempt_id)


def ask(draft: Draft, about: str) -> None:
    """Ask the device what it holds, or, where it cannot tell, go on without knowing."""
    state = draft.state
    spelled = Spelled(state, draft.now)
    questions = spelled.questions()
    if not questions:
        no_answer(draft, about)
    elif draft.slot == "granted":
        draft.asking = about
        draft.want(Ask(about, questions[0], draft.rules.command_timeout_s))
    else:
        draft.queue()


def no_answer(draft: Draft, about: str) -> None:
    """Record that the device could not say what it holds: absolute setpoints may go again."""
    state = draft.state
    attempt = state.unknown
    if attempt is not None and attempt.attempt_id == about:
        draft.note(
            events.AttemptReconciled(about, attempt.command_ids, "no_answer", CommandStatus.PENDING)
        )
    elif state.work is not None and state.work.verifying == about:
        ids = state.work.steps[0].command_ids
        draft.note(events.CommandVerified(ids, CommandStatus.COMPLETED, "ack", "no evidence"))


def _clear_up_order(draft: Draft, attempt: OpenAttempt) -> None:
    """START and STOP are never repeated blindly: is there a transaction?"""
    device = draft.state.device
    if not (device.connected and device.state_known):
        return
    running = device.transaction is not None
    done = (attempt.type is CommandType.START_CHARGING and running) or (
        attempt.type is CommandType.STOP_CHARGING and not running
    )
    finding, evidence = ("holds", "transaction") if done else ("no_answer", None)
    status = CommandStatus.COMPLETED if done else CommandStatus.PENDING
    if not done and attempt.type in _UNREPEATABLE:
        status = CommandStatus.TIMED_OUT
    reason = "unknown" if status is CommandStatus.TIMED_OUT else None
    draft.note(
        events.AttemptReconciled(
            attempt.attempt_id, attempt.command_ids, finding, status, reason, evidence
        )
    )


# --- orders


def _start_by_engine(draft: Draft) -> None:
    """With ``start = "engine"``: START once per vehicle when the setpoint is above zero."""
    state = draft.state
    device = state.device
    if (
        draft.rules.start != "engine"
        or draft.rules.kind is not AssetKind.EV_CHARGER
        or device.state != "PREPARING"
        or device.start_tried
        or device.transaction is not None
        or not device.connected
    ):
        return
    want = wanted(draft)
    if want is None or want.target == RELEASED or is_zero(want.target):
        return
    made = command_id(state.asset_id, state.outside.epoch, draft.next_version)
    draft.note(
        events.CommandCreated(
            made,
            CommandType.START_CHARGING,
            None,
            Cause(CauseKind.PLUG_IN),
            draft.now.plan_us,
            draft.now.device_us + 300 * US_PER_S,
            arguments={"id_tag": draft.rules.id_tag},
        )
    )


def _pursue_order(draft: Draft) -> bool:
    """Send the first order that may go; return whether one is (about to be) on the wire."""
    for order in draft.state.orders:
        if draft.state.unknown is not None:
            return False
        if order.retry_at_us is not None and order.retry_at_us > draft.now.device_us:
            continue
        reason = hold_reason(draft.state, order.type, None, draft.now)
        if reason is not None:
            if order.held != reason:
                draft.note(events.CommandHeld((order.command_id,), reason))
            continue
        if draft.slot != "granted":
            draft.queue()
            return True
        if _send_order(draft, order):
            return True
    return False


def _send_order(draft: Draft, order: Order) -> bool:
    state = draft.state
    own_id = attempt_id(state.asset_id, state.outside.epoch, draft.next_version)
    try:
        payload = spell_order(Spelled(state, draft.now), order, own_id)
    except Untranslatable as error:
        _refuse(draft, (order.command_id,), str(error))
        return False
    draft.note(
        events.AttemptStarted(
            own_id,
            order.tries + 1,
            order.form,
            (order.command_id,),
            order.type,
            None,
            None,
            None,
            payload,
            None,
        )
    )
    draft.want(Send(own_id, payload, draft.rules.command_timeout_s, None))
    return True


def _refuse(draft: Draft, command_ids: tuple[CommandId, ...], reason: str) -> None:
    """End commands that this adapter cannot spell: nothing was sent, nothing is tried again."""
    why = f"unsupported: {reason}"
    work = draft.state.work
    if work is not None and set(work.open_ids) & set(command_ids):
        rest = tuple(i for step in work.steps[1:] for i in step.command_ids)
        draft.note(events.CommandVerified(command_ids, CommandStatus.FAILED, "none", why))
        if rest:
            draft.note(events.CommandCancelled(rest, "blocked"))
    else:
        draft.note(events.CommandCancelled(command_ids, why, CommandStatus.FAILED))


# --- the setpoint


def _pursue_setpoint(draft: Draft) -> None:
    want = wanted(draft)
    if want is None:
        if draft.state.outside.stopping:
            draft.want(Stopped())
        return
    due = due_changes(draft.state, draft.now)
    if due is not None or decision_differs(draft.state.desired, want):
        _decide_anew(draft, want, due)
    elif draft.state.work is not None:
        _go_on(draft)
    elif not holds(draft.state.holding, want.target):
        _assert_again(draft, want)
    elif _lease_runs_low(draft, want):
        _decide_anew(draft, want, None, CauseKind.RENEW)
    elif draft.state.outside.stopping:
        draft.want(Stopped())


def _lease_runs_low(draft: Draft, want: Desire) -> bool:
    lease_until_us = draft.state.holding.lease_until_us
    if lease_until_us is None or want.target == RELEASED or not draft.state.device.connected:
        return False
    half_us = round(draft.rules.failsafe_after_s * US_PER_S / 2)
    return draft.now.device_us >= lease_until_us - half_us


def _assert_again(draft: Draft, want: Desire) -> None:
    waits = any(
        one.target == want.target and one.again_at_us > draft.now.device_us
        for one in draft.state.given_up
    )
    if waits:
        if draft.state.outside.stopping:
            draft.want(Stopped())
    elif draft.state.device.connected:
        _decide_anew(draft, want, None)


def _decide_anew(
    draft: Draft, want: Desire, due: Due | None, kind: CauseKind | None = None
) -> None:
    """Take a decision and act on it at once where that is possible."""
    proposal = propose(draft, want, due, kind)
    decision = proposal.decision
    state = draft.state
    if not decision.steps:
        draft.note(*proposal.before, events.SetpointDecided(decision))
        return
    if kind is None and _known(state, decision):
        ids = tuple(i for step in decision.steps for i in step.command_ids)
        draft.note(
            *proposal.before,
            events.SetpointDecided(decision),
            events.CommandVerified(ids, CommandStatus.COMPLETED, "known"),
        )
        return
    step = decision.steps[0]
    reason = hold_reason(state, step.type, step.setpoint, draft.now)
    if reason is not None:
        draft.note(*proposal.before, events.SetpointDecided(decision))
        draft.note(
            events.CommandHeld(draft.state.work.open_ids if draft.state.work else (), reason)
        )
    elif state.unknown is not None:
        draft.note(*proposal.before, events.SetpointDecided(decision))
    elif draft.slot != "granted":
        draft.queue()
    else:
        _send_new(draft, proposal)


def _known(state: AssetState, decision: Decision) -> bool:
    asked = state.override is not None and not state.override.used
    return (
        not (asked and decision.source == "override")
        and state.attempt is None
        and state.unknown is None
        and state.device.connected
        and holds(state.holding, decision.target)
    )


def _send_new(draft: Draft, proposal: Proposal) -> None:
    draft.note(*proposal.before)
    _send_step(draft, proposal.decision.steps[0], proposal.decision)


def _go_on(draft: Draft) -> None:
    """Go on with the setpoint being brought about: verify, hold, retry, or the next step."""
    state = draft.state
    work = state.work
    if work is None:
        return
    if work.verifying is not None:
        if draft.asking is None and state.device.connected:
            ask(draft, work.verifying)
        return
    step = work.steps[0]
    reason = hold_reason(state, step.type, step.setpoint, draft.now)
    if reason is not None:
        if work.held != reason:
            draft.note(events.CommandHeld(work.open_ids, reason))
    elif state.unknown is None and _is_due(work, draft):
        if draft.slot == "granted":
            _send_step(draft, step, None)
        else:
            draft.queue()


def _is_due(work: Work, draft: Draft) -> bool:
    return work.retry_at_us is None or work.retry_at_us <= draft.now.device_us


def _send_step(draft: Draft, step: Step, decision: Decision | None) -> None:
    state = draft.state
    work = None if decision is not None else state.work
    number = 1 if work is None else work.tries + 1
    form = 0 if work is None else work.form
    own_id = attempt_id(state.asset_id, state.outside.epoch, draft.next_version)
    lease_s = _lease_s(draft, step)
    try:
        payload = spell_step(Spelled(state, draft.now), step, (own_id, number, form, lease_s))
    except Untranslatable as error:
        if decision is not None:
            draft.note(events.SetpointDecided(decision))
        _refuse(draft, step.command_ids, str(error))
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
        )
    )
    expires_us = decision.expires_us if decision else work.decision.expires_us if work else None
    keep_no_more(draft)
    draft.want(Send(own_id, payload, draft.rules.command_timeout_s, expires_us))


def _applied_w(payload: Payload) -> int | None:
    return None if payload.applied_kw is None else round(payload.applied_kw * 1_000)


def _lease_s(draft: Draft, step: Step) -> float | None:
    return None if step.setpoint == RELEASED else draft.rules.failsafe_after_s


# --- the link's slot


def settle_slot(draft: Draft) -> None:
    """Give a shared link's slot back when nothing of this asset is about to use it."""
    if draft.state.attempt is None and draft.asking is None:
        draft.end_turn()


# --- keeping alive


def keep_alive(draft: Draft, attempt: OpenAttempt) -> None:
    """Let a battery's confirmed frames be repeated within their lease."""
    if draft.rules.kind is AssetKind.BATTERY and attempt.setpoint not in {None, RELEASED}:
        frames = tuple(frame for frame in attempt.payload.frames if frame.control)
        draft.want(KeepAlive(frames, attempt.lease_until_us))


def keep_no_more(draft: Draft) -> None:
    """Let a battery's frames be repeated no more: what they said is not what should hold."""
    if draft.rules.kind is AssetKind.BATTERY:
        draft.want(KeepAlive((), None))
