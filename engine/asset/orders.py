"""Commands that set no setpoint: sent in their order, each once the asset can take it."""

from engine import events
from engine.asset.desire import is_given_up, is_zero
from engine.asset.draft import Draft
from engine.asset.effects import Send
from engine.asset.granting import desire
from engine.asset.holding import hold_reason, is_kept
from engine.asset.ids import attempt_id, command_id
from engine.asset.spelling import Spelled, spell_order
from engine.asset.state import Order
from engine.commands import Cause, CauseKind, CommandStatus, CommandType
from engine.errors import Untranslatable
from engine.events import RELEASED
from engine.types import US_PER_S, AssetKind, Instant

ORDER_LIFE_US = 300 * US_PER_S
"""How long after it was due such a command is still worth sending (device clock)."""


def start_by_engine(draft: Draft) -> None:
    """With ``start = "engine"``: START once per vehicle, when a setpoint above zero is in place."""
    if not _awaits_start(draft):
        return
    want = desire(draft.state, draft.now)
    if want is None or want.target == RELEASED or is_zero(want.target):
        return
    if not (
        is_kept(draft.state, want.target, draft.now) or is_given_up(draft.state, want, draft.now)
    ):
        return
    state = draft.state
    made = command_id(state.asset_id, state.outside.epoch, draft.next_version)
    draft.note(
        events.CommandCreated(
            made,
            CommandType.START_CHARGING,
            None,
            Cause(CauseKind.PLUG_IN),
            draft.now.plan_us,
            draft.now.device_us + ORDER_LIFE_US,
            arguments={"id_tag": draft.rules.id_tag},
        )
    )


def _awaits_start(draft: Draft) -> bool:
    device = draft.state.device
    return (
        draft.rules.start == "engine"
        and draft.rules.kind is AssetKind.EV_CHARGER
        and device.state == "PREPARING"
        and device.connected
        and not device.start_tried
        and device.transaction is None
        and all(order.type is not CommandType.START_CHARGING for order in draft.state.orders)
    )


def configure(draft: Draft) -> None:
    """Have a device tell what is needed, where the site file asks for it; once for each boot."""
    for arguments in Spelled(draft.state, draft.now).configuring():
        state = draft.state
        if arguments in state.device.configured:
            continue
        draft.note(
            events.CommandCreated(
                command_id(state.asset_id, state.outside.epoch, draft.next_version),
                CommandType.CALL,
                None,
                Cause(CauseKind.CONFIGURE),
                draft.now.plan_us,
                draft.now.device_us + ORDER_LIFE_US,
                arguments=arguments,
            )
        )


def pursue_order(draft: Draft) -> bool:
    """Send the first order that may go; return whether one is (about to be) on the wire."""
    for order in draft.state.orders:
        if draft.state.unknown is not None:
            return False
        if _is_for_later(order, draft.now):
            continue
        reason = hold_reason(draft.state, order.type, None, draft.now)
        if reason is not None:
            if order.held != reason:
                draft.note(events.CommandHeld((order.command_id,), reason))
            continue
        if not draft.has_turn:
            draft.queue()
            return True
        if _send_order(draft, order):
            return True
    return False


def _is_for_later(order: Order, now: Instant) -> bool:
    """Return whether an order is not to be sent now: it was accepted, or is tried again later."""
    if order.waits_since_us is not None:
        return True
    return order.retry_at_us is not None and order.retry_at_us > now.device_us


def _send_order(draft: Draft, order: Order) -> bool:
    state = draft.state
    own_id = attempt_id(state.asset_id, state.outside.epoch, draft.next_version)
    try:
        payload = spell_order(Spelled(state, draft.now), order, own_id)
    except Untranslatable as error:
        failed = events.CommandCancelled(
            (order.command_id,), f"unsupported: {error}", CommandStatus.FAILED
        )
        draft.note(failed)
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
