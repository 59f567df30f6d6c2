"""How attempts and their outcomes change what is known: the command's life after its decision."""

from collections.abc import Callable
from typing import Any

from engine import events
from engine.asset.programme import decided
from engine.asset.state import (
    UNKNOWN_HOLDING,
    AssetState,
    GivenUp,
    Holding,
    OpenAttempt,
    Order,
    Work,
)
from engine.commands import CauseKind, CommandStatus, CommandType
from engine.types import US_PER_S, Instant
from engine.values import replace

SETS_SETPOINT = frozenset(
    {CommandType.SET_CHARGE_RATE, CommandType.SET_DISCHARGE_RATE, CommandType.RELEASE}
)
NOT_KNOWN = frozenset({"timed_out", "link_lost", "unknown"})
DECREASE_FAILED = "decrease_failed"
_FAR_US = 253_402_300_799 * US_PER_S


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
    return replace(state, orders=orders, device=device, given_up=())


def started(state: AssetState, event: events.AttemptStarted, at: Instant) -> AssetState:
    """Return the state with an attempt on the wire."""
    if event.decision is not None:
        state = decided(state, event.decision)
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
    )
    if event.setpoint is None:
        orders = _with_order(state.orders, event.command_ids[0], _tried)
        return replace(state, attempt=attempt, orders=orders)
    work = state.work
    if work is not None:
        work = replace(work, tries=work.tries + 1, form=event.form, retry_at_us=None, held=None)
    return replace(state, attempt=attempt, work=work)


def _tried(order: Order) -> Order:
    return replace(order, tries=order.tries + 1, retry_at_us=None, held=None)


def ended(state: AssetState, event: events.AttemptEnded, at: Instant) -> AssetState:
    """Return the state after an attempt's outcome."""
    attempt = state.attempt
    state = replace(state, attempt=None)
    if attempt is None:
        return state
    if attempt.setpoint is None:
        waits = event.status is CommandStatus.PENDING and event.outcome in NOT_KNOWN
        return replace(
            state,
            orders=_order_after(state.orders, attempt, event),
            unknown=attempt if waits else state.unknown,
        )
    if event.outcome in NOT_KNOWN:
        state = replace(state, holding=UNKNOWN_HOLDING)
    match event.status:
        case CommandStatus.COMPLETED:
            return _completed(_confirmed(state, attempt))
        case CommandStatus.ACKNOWLEDGED:
            state = _confirmed(state, attempt)
            return _with_work(state, verifying=attempt.attempt_id)
        case CommandStatus.PENDING:
            return _pending(state, attempt, event)
        case _:
            return _gave_up(state, at)


def _pending(state: AssetState, attempt: OpenAttempt, event: events.AttemptEnded) -> AssetState:
    work = state.work
    if work is None:
        return state
    if event.outcome == "not_sent":
        return _with_work(
            state, tries=work.tries - 1, unsent=work.unsent + 1, retry_at_us=event.retry_at_us
        )
    form = work.form if event.next_form is None else event.next_form
    unknown = attempt if event.outcome in NOT_KNOWN else None
    return replace(
        _with_work(
            state,
            retry_at_us=event.retry_at_us,
            form=form,
            unsent=0,
            unknown_attempt=None if unknown is None else unknown.attempt_id,
        ),
        unknown=unknown,
    )


def _confirmed(state: AssetState, attempt: OpenAttempt) -> AssetState:
    setpoint = attempt.setpoint
    if setpoint is None:
        return state
    holding = Holding(
        setpoint.charge_w,
        setpoint.discharge_w,
        released=setpoint == events.RELEASED,
        lease_until_us=attempt.lease_until_us,
    )
    return replace(state, holding=holding)


def _completed(state: AssetState) -> AssetState:
    work = state.work
    alarms = tuple(alarm for alarm in state.alarms if alarm != DECREASE_FAILED)
    if work is None or len(work.steps) <= 1:
        return replace(state, work=None, alarms=alarms)
    return replace(state, work=Work(work.decision, work.steps[1:]), alarms=alarms)


def _gave_up(state: AssetState, at: Instant) -> AssetState:
    work = state.work
    rules = state.rules
    if work is None or rules is None:
        return replace(state, work=None)
    target = work.decision.target
    again_at_us = at.device_us + round(rules.reassert_s * US_PER_S)
    blocked = len(work.steps) > 1
    alarms = state.alarms
    if _is_decrease(state.holding, target) and DECREASE_FAILED not in alarms:
        alarms = (*alarms, DECREASE_FAILED)
    given_up = (*state.given_up, GivenUp(target, again_at_us, blocked))
    return replace(state, work=None, given_up=given_up, alarms=alarms)


def _is_decrease(holding: Holding, target: events.Setpoint) -> bool:
    if target == events.RELEASED:
        return False
    unknown = holding.charge_w is None and holding.discharge_w is None
    held = (holding.charge_w or 0) + (holding.discharge_w or 0)
    wanted = (target.charge_w or 0) + (target.discharge_w or 0)
    return (unknown and wanted == 0) or held > wanted


def _order_after(
    orders: tuple[Order, ...], attempt: OpenAttempt, event: events.AttemptEnded
) -> tuple[Order, ...]:
    command_id = attempt.command_ids[0]
    if event.status is not CommandStatus.PENDING:
        return tuple(order for order in orders if order.command_id != command_id)

    def waiting(order: Order) -> Order:
        if event.outcome == "not_sent":
            return replace(
                order,
                tries=order.tries - 1,
                unsent=order.unsent + 1,
                retry_at_us=event.retry_at_us,
            )
        form = order.form if event.next_form is None else event.next_form
        return replace(order, retry_at_us=event.retry_at_us, form=form, unsent=0)

    return _with_order(orders, command_id, waiting)


def reconciled(state: AssetState, event: events.AttemptReconciled, at: Instant) -> AssetState:
    """Return the state after an attempt of unknown outcome was cleared up."""
    attempt = state.unknown
    state = replace(state, unknown=None)
    if attempt is None:
        return state
    if attempt.setpoint is None:
        if event.status is CommandStatus.PENDING:
            return state
        return cancelled(state, events.CommandCancelled(event.command_ids, "reconciled"))
    if event.status is CommandStatus.COMPLETED:
        state = _confirmed(state, attempt)
        return _completed(state) if _serves(state.work, event.command_ids) else state
    if event.status is CommandStatus.PENDING:
        return _in_doubt(state, event) if _serves(state.work, event.command_ids) else state
    return _gave_up(state, at) if _serves(state.work, event.command_ids) else state


def _in_doubt(state: AssetState, event: events.AttemptReconciled) -> AssetState:
    """Return the state with a command that goes again, no sooner than was said before."""
    work = state.work
    if work is None:
        return state
    doubt = None if event.finding == "differs" else event.attempt_id
    return _with_work(
        state, retry_at_us=event.retry_at_us or work.retry_at_us, unknown_attempt=doubt
    )


def verified(state: AssetState, event: events.CommandVerified, at: Instant) -> AssetState:
    """Return the state after commands ended by evidence gathered beside the wire."""
    work = state.work
    if event.found is not None:
        holding = Holding(event.found.charge_w, event.found.discharge_w)
        state = replace(state, holding=holding)
    if work is None or not _serves(work, event.command_ids):
        return state
    if event.status is not CommandStatus.COMPLETED:
        return _gave_up(state, at)
    if set(work.open_ids) <= set(event.command_ids):
        return replace(state, work=None)
    return _completed(state)


def held(state: AssetState, event: events.CommandHeld) -> AssetState:
    """Return the state with commands waiting for their asset."""
    orders = state.orders
    for command_id in event.command_ids:
        orders = _with_order(orders, command_id, lambda one: replace(one, held=event.reason))
    if _serves(state.work, event.command_ids):
        state = _with_work(state, held=event.reason)
    return replace(state, orders=orders)


def cancelled(state: AssetState, event: events.CommandCancelled) -> AssetState:
    """Return the state without the commands that are over."""
    gone = set(event.command_ids)
    orders = tuple(order for order in state.orders if order.command_id not in gone)
    work = state.work
    if work is not None and gone & set(work.open_ids):
        steps = tuple(step for step in work.steps if not gone.issuperset(step.command_ids))
        work = replace(work, steps=steps) if steps else None
        if event.reason == "operator":
            state = _not_again(state)
    return replace(state, orders=orders, work=work)


def _not_again(state: AssetState) -> AssetState:
    if state.desired is None:
        return state
    never = GivenUp(state.desired.target, _FAR_US)
    return replace(state, given_up=(*state.given_up, never))


def recovered(state: AssetState) -> AssetState:
    """Return the state after a restart: no link yet, and an open attempt's outcome unknown."""
    device = replace(state.device, connected=False, state_known=False)
    state = replace(state, device=device)
    if state.attempt is None:
        return state
    if state.attempt.setpoint is not None:
        state = _with_work(state, unknown_attempt=state.attempt.attempt_id)
    return replace(state, attempt=None, unknown=state.attempt, holding=UNKNOWN_HOLDING)


def _serves(work: Work | None, command_ids: tuple[str, ...]) -> bool:
    return work is not None and bool(set(work.open_ids) & set(command_ids))


def _with_order(
    orders: tuple[Order, ...], command_id: str, change: Callable[[Order], Order]
) -> tuple[Order, ...]:
    return tuple(change(one) if one.command_id == command_id else one for one in orders)


def _with_work(state: AssetState, **changes: Any) -> AssetState:  # noqa: ANN401 - the fields of Work, checked by attrs
    if state.work is None:
        return state
    return replace(state, work=replace(state.work, **changes))
