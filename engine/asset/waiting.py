"""Changes of availability that a device has accepted and put off: done when its state says so.

A charger in the middle of a charge is not taken out of service; it says that it will be (OCPP 1.6,
5.2: Scheduled). How long that takes is the vehicle's affair.
"""

from typing import Final

from msgspec.structs import replace

from engine.asset.evidence import ACK, OVERTAKEN, STATUS
from engine.asset.state import AssetState, Order
from engine.commands import CommandStatus
from engine.events import CommandVerified
from engine.types import US_PER_S, Instant

_OUT_OF_SERVICE: Final = "UNAVAILABLE"
_FREE: Final = "AVAILABLE"


def anew(state: AssetState, at: Instant) -> AssetState:
    """Return the state after something that a device may need some more time for."""
    if all(order.waits_since_us is None for order in state.orders):
        return state
    orders = (
        one if one.waits_since_us is None else replace(one, waits_since_us=at.device_us)
        for one in state.orders
    )
    return replace(state, orders=tuple(orders))


def shown(state: AssetState, order: Order, now: Instant) -> CommandVerified | None:
    """Return what the device's state says of a change that was put off; null while it may come."""
    if not state.device.state_known:
        return None
    if _is_done(state, order):
        return CommandVerified((order.command_id,), CommandStatus.COMPLETED, STATUS)
    until_us = due_us(state, order)
    if until_us is None or now.device_us < until_us or not state.device.connected:
        return None
    reason = f"accepted, no effect seen: its state is {state.device.state}"
    return CommandVerified((order.command_id,), CommandStatus.FAILED, STATUS, reason)


def overtaken(order: Order) -> CommandVerified:
    """Return the end of a change that was put off and that nobody waits for any more."""
    return CommandVerified((order.command_id,), CommandStatus.COMPLETED, ACK, OVERTAKEN)


def _is_done(state: AssetState, order: Order) -> bool:
    device = state.device
    is_out = _OUT_OF_SERVICE in {device.own_state, device.overlay}
    return is_out is not order.arguments.get("operative", True)


def due_us(state: AssetState, order: Order) -> int | None:
    """Return when a change that was put off has had its time (device clock); null: it may come.

    It has none while a vehicle is there, or may be.
    """
    rules, device = state.rules, state.device
    is_free = device.transaction is None and device.state in {_FREE, _OUT_OF_SERVICE}
    if rules is None or order.waits_since_us is None or not is_free:
        return None
    return order.waits_since_us + round(rules.settle_s * US_PER_S)
