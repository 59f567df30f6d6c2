"""The state as people and adapters see it: kilowatts and datetimes."""

from collections.abc import Mapping
from datetime import datetime
from typing import Final, cast

from engine.adapters.base import AssetView
from engine.asset.desire import horizon
from engine.asset.holding import is_stale
from engine.asset.programme import next_change_us, part_at, values_at
from engine.asset.state import AssetState, Transaction
from engine.events import RELEASED, Setpoint
from engine.types import AssetKind, CommandId, Instant, from_us, iso, to_kw, to_us

FIELDS: Final = (
    *("asset_id", "kind", "state", "state_known", "connected", "stale", "last_seen_at"),
    *("setpoint_kw", "charge_kw", "discharge_kw", "setpoint_source", "valid_until"),
    *("planned_kw", "acknowledged_kw", "applied_kw", "measured_kw", "measured_at", "soc_pct"),
    *("clock_ahead_s", "transaction_id", "open_commands", "alarms"),
)
"""What people are told of an asset."""

UNREADABLE: Final = "unreadable"
"""The alarm of an asset whose stream has a row that cannot be read."""


def view_of(state: AssetState, now: Instant) -> AssetView:
    """Return one asset's state at an instant."""
    rules = state.rules
    outside = state.outside
    device = state.device
    kind = AssetKind.EV_CHARGER if rules is None else rules.kind
    target = None if state.desired is None else state.desired.target
    charge_kw, discharge_kw = _pair_kw(target)
    return AssetView(
        state.asset_id,
        kind,
        device.state,
        state_known=device.state_known,
        connected=device.connected,
        stale=is_stale(state, now),
        last_seen_at=_moment(outside.last_seen_us),
        setpoint_kw=_signed_kw(target),
        charge_kw=charge_kw if kind is AssetKind.BATTERY else None,
        discharge_kw=discharge_kw if kind is AssetKind.BATTERY else None,
        setpoint_source=_source(state),
        valid_until=_moment(_valid_until_us(state)),
        measured_kw=_kw(outside.measured_w),
        measured_at=_moment(outside.measured_at_us),
        soc_pct=outside.soc_pct,
        transaction_id=None if device.transaction is None else device.transaction.transaction_id,
        open_commands=open_commands(state),
        alarms=state.alarms if outside.unreadable is None else (*state.alarms, UNREADABLE),
        options=outside.options,
        capabilities=device.capabilities,
        planned_kw=_signed_kw(_planned(state, now)),
        acknowledged_kw=_held_kw(state),
        applied_kw=_signed_kw(state.applied),
        held_charge_kw=_kw(state.holding.charge_w),
        held_discharge_kw=_kw(state.holding.discharge_w),
        held_form=state.holding.form,
        transaction_began_at=_began_at(device.transaction),
        clock_ahead_s=device.clock_ahead_s,
        phases=device.phases,
    )


def _source(state: AssetState) -> str | None:
    """Return what won: a site limit where it has cut what another source asked for."""
    desired = state.desired
    if desired is None:
        return None
    return desired.source if desired.cut is None else "limit"


class Reading:
    """A view that is worked out as it is read: an adapter looks at three fields of twenty.

    It stands in for an `AssetView` where one is made for every attempt.
    """

    __slots__ = ("_made", "_now", "_state")

    def __init__(self, state: AssetState, now: Instant) -> None:
        """Look at a state at an instant."""
        self._state = state
        self._now = now
        self._made: AssetView | None = None

    @property
    def asset_id(self) -> str:
        """See `AssetView`, as for the others."""
        return self._state.asset_id

    @property
    def options(self) -> object:
        """The adapter's keys of the site file."""
        return self._state.outside.options

    @property
    def capabilities(self) -> Mapping[str, str]:
        """What the device said of itself."""
        return self._state.device.capabilities

    @property
    def transaction_id(self) -> str | None:
        """The transaction that runs."""
        transaction = self._state.device.transaction
        return None if transaction is None else transaction.transaction_id

    @property
    def held_charge_kw(self) -> float | None:
        """What the device is known to hold."""
        return _kw(self._state.holding.charge_w)

    @property
    def held_discharge_kw(self) -> float | None:
        """What the device is known to hold."""
        return _kw(self._state.holding.discharge_w)

    @property
    def held_form(self) -> int | None:
        """In which form it took that."""
        return self._state.holding.form

    @property
    def clock_ahead_s(self) -> int:
        """By how much its own clock is wrong."""
        return self._state.device.clock_ahead_s

    @property
    def phases(self) -> int | None:
        """The phases that the vehicle was measured to charge on."""
        return self._state.device.phases

    def __getattr__(self, name: str) -> object:
        """Return any other field of the view."""
        if self._made is None:
            self._made = view_of(self._state, self._now)
        return getattr(self._made, name)


def reading_of(state: AssetState, now: Instant) -> AssetView:
    """Return a view that costs nothing until it is read."""
    return cast("AssetView", Reading(state, now))


def view_json(view: AssetView) -> dict[str, object]:
    """Return a view as ``setpoint state --json`` prints it: times in ISO 8601 UTC with ``Z``."""
    return {name: _plain(getattr(view, name)) for name in FIELDS}


def _plain(value: object) -> object:
    match value:
        case datetime():
            return iso(to_us(value))
        case tuple():
            return list(value)
        case AssetKind():
            return value.value
        case _:
            return value


def open_commands(state: AssetState) -> tuple[CommandId, ...]:
    """Return the commands that have begun and are not yet over, the oldest first."""
    orders = tuple(order.command_id for order in state.orders)
    return orders if state.work is None else (*orders, *state.work.open_ids)


def _valid_until_us(state: AssetState) -> int | None:
    """Return until when the setpoint rules; a planned one to its plan's next change, else the end.

    The plan may have been replaced since the decision, or the setpoint asserted again.
    """
    desired = state.desired
    if desired is None or desired.source != "schedule":
        return None if desired is None else desired.expires_us
    following_us = next_change_us(state.programme, desired.due_us)
    return horizon(state) if following_us is None else following_us


def _planned(state: AssetState, now: Instant) -> Setpoint | None:
    """Return what the plan says now, whatever outranks it."""
    part = part_at(state.programme, now.plan_us)
    return None if part is None else values_at(part.plan, now.plan_us)


def _held_kw(state: AssetState) -> float | None:
    held = state.holding
    if held.charge_w is None and held.discharge_w is None:
        return None
    return _signed_kw(Setpoint(held.charge_w, held.discharge_w))


def _moment(moment_us: int | None) -> datetime | None:
    return None if moment_us is None else from_us(moment_us)


def _began_at(transaction: Transaction | None) -> datetime | None:
    return None if transaction is None else _moment(transaction.began_us)


def _kw(power_w: int | None) -> float | None:
    return None if power_w is None else to_kw(power_w)


def _pair_kw(target: Setpoint | None) -> tuple[float | None, float | None]:
    if target is None or target == RELEASED:
        return None, None
    return to_kw(target.charge_w or 0), to_kw(target.discharge_w or 0)


def _signed_kw(target: Setpoint | None) -> float | None:
    if target is None or target == RELEASED:
        return None
    return to_kw((target.charge_w or 0) - (target.discharge_w or 0))
