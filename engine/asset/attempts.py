"""How attempts and their outcomes change what is known: the command's life after its decision."""

from collections.abc import Callable
from typing import Any

from msgspec.structs import replace

from engine import events
from engine.asset.evidence import READBACK
from engine.asset.interference import set_right
from engine.asset.programme import decided
from engine.asset.state import (
    NO_INTERFERENCE,
    UNKNOWN_HOLDING,
    AssetState,
    GivenUp,
    Holding,
    OpenAttempt,
    Order,
    Verifying,
    Work,
)
from engine.asset.waking import resumed
from engine.asset.wear import WRITE_BUDGET, worn_by
from engine.commands import CauseKind, CommandStatus, CommandType
from engine.types import US_PER_S, AssetKind, Instant

SETS_SETPOINT = frozenset(
    {CommandType.SET_CHARGE_RATE, CommandType.SET_DISCHARGE_RATE, CommandType.RELEASE}
)
NOT_KNOWN = frozenset({"timed_out", "link_lost", "unknown"})
DECREASE_FAILED = "decrease_failed"


def created(state: AssetState, event: events.CommandCreated) -> AssetState:
    """Return the state with a new order; a command that sets a setpoint comes in a decision."""
    if event.type in SETS_SETPOINT or event.value_w is not None:
        return state
    order = Order(
        event.command_id,
        event.type,
        event.due_us,
        event.expires_us,
        event.priority,
        event.arguments,
    )
    orders = tuple(sorted((*state.orders, order), key=lambda one: -one.priority))
    device = state.device
    if event.type is CommandType.START_CHARGING and event.cause.kind is CauseKind.PLUG_IN:
        device = replace(device, start_tried=True)
    if event.cause.kind is CauseKind.CONFIGURE:
        device = replace(device, configured=(*device.configured, event.arguments))
    return replace(state, orders=orders, device=device, given_up=())


def decided_only(state: AssetState, event: events.SetpointDecided, at: Instant) -> AssetState:
    """Return the state with a decision on which nothing was sent at once."""
    decision = event.decision
    work = Work(decision, decision.steps) if decision.steps else None
    return decided(state, decision, at, work=work)


def started(state: AssetState, event: events.AttemptStarted, at: Instant) -> AssetState:
    """Return the state with an attempt on the wire."""
    if state.rules is not None and state.rules.kind is AssetKind.BATTERY:
        state = worn_by(state, event.payload, at)
    attempt = OpenAttempt(
        event.attempt_id,
        event.number,
        event.form,
        event.command_ids,
        event.type,
        event.setpoint,
        event.payload,
        at.device_us,
        event.lease_until_us,
        applied_w=event.applied_w,
        ahead=event.ahead,
        lowers_default=event.lowers_default is True,
    )
    if event.setpoint is None:
        orders = _with_order(state.orders, event.command_ids[0], _tried)
        return replace(state, attempt=attempt, orders=orders)
    decision, work = event.decision, state.work
    if decision is not None:
        work = Work(decision, decision.steps, tries=1, form=event.form)
        return decided(state, decision, at, attempt=attempt, work=work)
    if work is not None:
        work = replace(work, tries=work.tries + 1, form=event.form, retry_at_us=None, held=None)
    return replace(state, attempt=attempt, work=work)


def _tried(order: Order) -> Order:
    return replace(order, tries=order.tries + 1, retry_at_us=None, held=None)


# --- outcomes


def ended(state: AssetState, event: events.AttemptEnded, at: Instant) -> AssetState:
    """Return the state after an attempt's outcome."""
    attempt = state.attempt
    if attempt is None:
        return state
    if attempt.setpoint is None:
        waits = event.status is CommandStatus.PENDING and event.outcome in NOT_KNOWN
        orders = _order_after(state.orders, attempt, event, at)
        unknown = attempt if waits else state.unknown
        if _disturbs(attempt, event):
            state = replace(state, holding=UNKNOWN_HOLDING)
        return replace(state, attempt=None, orders=orders, unknown=unknown)
    match event.status:
        case CommandStatus.COMPLETED:
            applied = attempt.setpoint if event.evidence == READBACK else None
            confirmed = _confirmed(state, attempt, at)
            return _completed(state, attempt=None, applied=applied, **confirmed)
        case CommandStatus.ACKNOWLEDGED:
            work = _with_work(state.work, verifying=_accepted(state, attempt, at))
            confirmed = _confirmed(state, attempt, at)
            return replace(state, attempt=None, work=work, applied=None, **confirmed)
        case CommandStatus.PENDING:
            return _pending(state, attempt, event)
        case _:
            holding = UNKNOWN_HOLDING if event.outcome in NOT_KNOWN else state.holding
            state = replace(_refused(state, attempt, event), attempt=None, holding=holding)
            again = attempt.forgotten and event.outcome == "rejected"
            return _gave_up(state, at, again=again, form=event.next_form)


def _disturbs(attempt: OpenAttempt, event: events.AttemptEnded) -> bool:
    """Return whether a CALL may have changed what the device holds: nobody knows what it does."""
    may_have = event.outcome == "accepted" or event.outcome in NOT_KNOWN
    controls = any(frame.control for frame in attempt.payload.frames)
    return attempt.type is CommandType.CALL and may_have and controls


def _pending(state: AssetState, attempt: OpenAttempt, event: events.AttemptEnded) -> AssetState:
    work = state.work
    retry_us = event.retry_at_us
    if event.outcome == "not_sent":
        tries, unsent = (0, 0) if work is None else (work.tries - 1, work.unsent + 1)
        work = _with_work(work, tries=tries, unsent=unsent, retry_at_us=retry_us)
        return replace(state, attempt=None, work=work)
    if event.outcome in NOT_KNOWN:
        work = _with_work(work, retry_at_us=retry_us, unsent=0, doubt=attempt)
        return replace(state, attempt=None, work=work, unknown=attempt, holding=UNKNOWN_HOLDING)
    form = attempt.form if event.next_form is None else event.next_form
    work = _with_work(work, retry_at_us=retry_us, unsent=0, form=form)
    return replace(_refused(state, attempt, event), attempt=None, work=work)


def _refused(state: AssetState, attempt: OpenAttempt, event: events.AttemptEnded) -> AssetState:
    """Return the state with the form of a rate that was refused, for as long as that counts."""
    is_rate = attempt.setpoint is not None and attempt.setpoint != events.RELEASED
    stands = event.outcome != "rejected" or event.next_form == attempt.form
    if stands or attempt.forgotten or not is_rate:
        return state
    return replace(state, refused=tuple(sorted({*state.refused, attempt.form})))


def _confirmed(state: AssetState, attempt: OpenAttempt, at: Instant) -> dict[str, Any]:
    """Return what an accepted setpoint says: what the device holds, in which form it took it.

    It says nothing of a device that has forgotten its setpoints since the attempt began.
    """
    setpoint = attempt.setpoint
    if setpoint is None or attempt.forgotten:
        return {}
    if setpoint == events.RELEASED:
        return {"holding": Holding(None, None, released=True), "resumed": None}
    holding = Holding(
        setpoint.charge_w,
        setpoint.discharge_w,
        lease_until_us=attempt.lease_until_us,
        form=attempt.form,
        ahead=attempt.ahead,
        applied_w=attempt.applied_w,
    )
    return {"holding": holding, "form": attempt.form, "resumed": resumed(state, attempt, at)}


def _accepted(state: AssetState, attempt: OpenAttempt, at: Instant) -> Verifying:
    """Return what is to be shown of a setpoint that the device has accepted now."""
    setpoint = attempt.setpoint or events.RELEASED
    target_w = (setpoint.charge_w or 0) - (setpoint.discharge_w or 0)
    if attempt.type is CommandType.SET_CHARGE_RATE and setpoint.charge_w == target_w:
        target_w = target_w if attempt.applied_w is None else attempt.applied_w
    lowers = _is_decrease(state.holding, setpoint)
    return Verifying(attempt.attempt_id, at.device_us, target_w, lowers)


def _completed(state: AssetState, **changes: Any) -> AssetState:  # noqa: ANN401 - the fields of AssetState, which msgspec checks
    """Return the state with the first step done."""
    work = state.work
    if work is not None:
        changes["work"] = Work(work.decision, work.steps[1:]) if len(work.steps) > 1 else None
    if state.alarms:
        changes["alarms"] = tuple(one for one in state.alarms if one != DECREASE_FAILED)
    state = replace(state, **changes)
    if state.work is not None or state.interference is NO_INTERFERENCE:
        return state
    return set_right(state)


def _gave_up(
    state: AssetState, at: Instant, *, again: bool = False, form: int | None = None
) -> AssetState:
    """Return the state without work; ``again``: its target may be tried anew at once.

    So it may in a ``form`` that was not refused yet. With the last of them all may be tried again.
    """
    work, rules = state.work, state.rules
    if work is None or rules is None:
        return state
    target = work.decision.target
    again_at_us = at.device_us + round(rules.reassert_s * US_PER_S)
    alarms = state.alarms
    if _is_decrease(state.holding, target) and DECREASE_FAILED not in alarms:
        alarms = (*alarms, DECREASE_FAILED)
    given_up = state.given_up
    if form is None:
        state = replace(state, refused=())
        if not again:
            given_up = waiting(given_up, GivenUp(target, again_at_us, len(work.steps) > 1))
    return replace(state, work=None, given_up=given_up, alarms=alarms, form=form or 0)


def waiting(given_up: tuple[GivenUp, ...], one: GivenUp) -> tuple[GivenUp, ...]:
    """Return what is given up with one more; it takes the place of what was said of its target."""
    return (*(other for other in given_up if other.target != one.target), one)


def _is_decrease(holding: Holding, target: events.Setpoint) -> bool:
    if target == events.RELEASED:
        return False
    unknown = holding.charge_w is None and holding.discharge_w is None
    held = (holding.charge_w or 0) + (holding.discharge_w or 0)
    wanted = (target.charge_w or 0) + (target.discharge_w or 0)
    return (unknown and wanted == 0) or held > wanted


def _order_after(
    orders: tuple[Order, ...], attempt: OpenAttempt, event: events.AttemptEnded, at: Instant
) -> tuple[Order, ...]:
    command_id = attempt.command_ids[0]
    if event.status is CommandStatus.ACKNOWLEDGED:
        return _with_order(
            orders, command_id, lambda one: replace(one, waits_since_us=at.device_us)
        )
    if event.status is not CommandStatus.PENDING:
        return _without(orders, attempt.command_ids)

    def after(order: Order) -> Order:
        if event.outcome == "not_sent":
            return replace(
                order,
                tries=order.tries - 1,
                unsent=order.unsent + 1,
                retry_at_us=event.retry_at_us,
            )
        return replace(order, retry_at_us=event.retry_at_us, unsent=0)

    return _with_order(orders, command_id, after)


# --- what is found out later


def reconciled(state: AssetState, event: events.AttemptReconciled, at: Instant) -> AssetState:
    """Return the state after an attempt of unknown outcome was cleared up, as far as it can be."""
    attempt = state.in_doubt
    if attempt is None:
        return state
    state = replace(state, unknown=None)
    if attempt.setpoint is None:
        over = () if event.status is CommandStatus.PENDING else event.command_ids
        return replace(state, orders=_without(state.orders, over))
    if event.status is CommandStatus.COMPLETED:
        state = replace(state, **_confirmed(state, attempt, at))
    if not _serves(state.work, event.command_ids):
        return state
    match event.status:
        case CommandStatus.COMPLETED:
            return _completed(state)
        case CommandStatus.PENDING:
            doubt = None if event.finding == "differs" else attempt
            return replace(state, work=_with_work(state.work, doubt=doubt))
        case _:
            return _gave_up(state, at)


def verified(state: AssetState, event: events.CommandVerified, at: Instant) -> AssetState:
    """Return the state after commands ended by evidence gathered beside the wire."""
    has_failed = event.status is not CommandStatus.COMPLETED
    if state.orders:
        state = replace(state, orders=_without(state.orders, event.command_ids))
    if event.found is not None:
        state = replace(state, applied=event.found)
    elif event.evidence == READBACK and state.work is not None:
        state = replace(state, applied=state.work.steps[0].setpoint)
    if has_failed and event.found is not None:
        holding = Holding(event.found.charge_w, event.found.discharge_w)
        state = replace(state, holding=holding)
    work = state.work
    if work is None or not _serves(work, event.command_ids):
        return state
    if has_failed:
        return _without_effect(state, event, at)
    if set(work.open_ids) <= set(event.command_ids):
        work = replace(work, steps=work.steps[-1:])
    return _completed(replace(state, work=work))


def _without_effect(state: AssetState, event: events.CommandVerified, at: Instant) -> AssetState:
    """Return the state after a setpoint that was accepted, and of which no effect was seen."""
    verifying = None if state.work is None else state.work.verifying
    if verifying is None:
        return _gave_up(state, at)
    if event.found is None:
        state = replace(state, holding=UNKNOWN_HOLDING)
    state = _gave_up(state, at)
    exceeds = event.measured_w is not None
    if (verifying.lowers or exceeds) and DECREASE_FAILED not in state.alarms:
        state = replace(state, alarms=(*state.alarms, DECREASE_FAILED))
    return state


def held(state: AssetState, event: events.CommandHeld) -> AssetState:
    """Return the state with commands waiting for their asset."""
    orders = state.orders
    for command_id in event.command_ids:
        orders = _with_order(orders, command_id, lambda one: replace(one, held=event.reason))
    work = state.work
    if _serves(work, event.command_ids):
        work = _with_work(work, held=event.reason)
    alarms = state.alarms
    if event.reason == WRITE_BUDGET and WRITE_BUDGET not in alarms:
        alarms = (*alarms, WRITE_BUDGET)
    return replace(state, orders=orders, work=work, alarms=alarms)


def cancelled(state: AssetState, event: events.CommandCancelled) -> AssetState:
    """Return the state without the commands that are over.

    A setpoint that a person cancelled is given up until something happens to the asset.
    """
    gone = set(event.command_ids)
    orders = _without(state.orders, event.command_ids)
    work = state.work
    if work is not None and gone & set(work.open_ids):
        decision = work.decision
        steps = tuple(step for step in work.steps if not gone.issuperset(step.command_ids))
        if steps and steps[0] is work.steps[0]:
            work = replace(work, steps=steps)
        else:
            work = Work(decision, steps) if steps else None
        if event.reason == "operator":
            never = GivenUp(decision.target, None)
            state = replace(state, given_up=waiting(state.given_up, never))
    return replace(state, orders=orders, work=work)


def recovered(state: AssetState) -> AssetState:
    """Return the state after a restart: no link yet, and an open attempt's outcome unknown.

    Nobody keeps a lease alive that was given before.
    """
    device = replace(state.device, connected=False, state_known=False)
    left_until_us = state.holding.ends_us
    holding = replace(state.holding, lease_until_us=None, left_until_us=left_until_us)
    attempt, work = state.attempt, state.work
    if attempt is None:
        return replace(state, device=device, holding=holding)
    if attempt.setpoint is not None:
        holding = UNKNOWN_HOLDING
        work = _with_work(work, doubt=attempt)
    return replace(state, device=device, holding=holding, attempt=None, unknown=attempt, work=work)


def _serves(work: Work | None, command_ids: tuple[str, ...]) -> bool:
    return work is not None and bool(set(work.open_ids) & set(command_ids))


def _without(orders: tuple[Order, ...], command_ids: tuple[str, ...]) -> tuple[Order, ...]:
    return tuple(order for order in orders if order.command_id not in command_ids)


def _with_order(
    orders: tuple[Order, ...], command_id: str, change: Callable[[Order], Order]
) -> tuple[Order, ...]:
    return tuple(change(one) if one.command_id == command_id else one for one in orders)


def _with_work(work: Work | None, **changes: Any) -> Work | None:  # noqa: ANN401 - the fields of Work, which msgspec checks
    return None if work is None else replace(work, **changes)
