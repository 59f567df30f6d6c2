"""The most that a device may hold: what the site's ledger reserves for an asset."""

from collections.abc import Iterator
from typing import Final, TypeAlias

from engine.asset.beneath import with_ahead
from engine.asset.earlier import Earlier, floor_of, minimum_of, raised_w
from engine.asset.state import AssetState
from engine.events import RELEASED, Setpoint
from engine.grants import UNBOUNDED_W, Grant
from engine.rules import AssetRules
from engine.types import US_PER_S, Instant

Pair: TypeAlias = tuple[int, int]
"""Watts of charging and of discharging."""

CLOCKS_US: Final = 60 * US_PER_S
"""How much longer a lease may last by the device's own clock."""


_NONE: Final = Earlier(0, 0, 0, 0, 0)


def drawn(target: Setpoint, rules: AssetRules) -> Pair:
    """Return what a device may draw and give by a setpoint: on its own, all that it can."""
    if target == RELEASED:
        return rules.max_charge_w, rules.max_discharge_w
    return raised_w(target.charge_w or 0, minimum_of(rules)), target.discharge_w or 0


def fits(target: Setpoint, rules: AssetRules, grant: Grant) -> bool:
    """Return whether a grant allows a setpoint as it is."""
    charge_w, discharge_w = drawn(target, rules)
    return charge_w <= grant.charge.most_w and discharge_w <= grant.discharge.most_w


def reach(state: AssetState, rules: AssetRules, now: Instant) -> Pair:
    """Return the most that a device may hold, by all that may be in force and by its fallback."""
    low, high, earlier = floor_of(rules), in_force(state, rules, now), state.earlier or _NONE
    return (
        max(low[0], high[0], earlier.floor_charge_w),
        max(low[1], high[1], earlier.floor_discharge_w),
    )


def in_force(state: AssetState, rules: AssetRules, now: Instant) -> Pair:
    """Return the most of what may be in force, whatever comes at the end of its lease."""
    charge_w = discharge_w = 0
    earlier = state.earlier or _NONE
    minimum_w = max(minimum_of(rules), earlier.least_w)
    for own_w, other_w, until_us in _in_force(state):
        if until_us is None or now.device_us < until_us + CLOCKS_US:
            charge_w = max(charge_w, raised_w(own_w, minimum_w))
            discharge_w = max(discharge_w, other_w)
    return (
        min(charge_w, max(rules.max_charge_w, earlier.charge_w)),
        min(discharge_w, max(rules.max_discharge_w, earlier.discharge_w)),
    )


def is_above_grant(state: AssetState, now: Instant) -> bool:
    """Return whether more may be in force than the site grants."""
    grant, rules = state.outside.grant, state.rules
    if grant is None or rules is None:
        return False
    charge_w, discharge_w = in_force(state, rules, now)
    return charge_w > grant.charge.most_w or discharge_w > grant.discharge.most_w


def _in_force(state: AssetState) -> Iterator[tuple[int, int, int | None]]:
    """Yield what may be in force, each with its end (device clock), null where it has none."""
    holding, remains, attempt = state.holding, state.remains, state.attempt
    if holding.released:
        yield UNBOUNDED_W, UNBOUNDED_W, None
    else:
        yield with_ahead(holding.charge_w, holding.ahead), holding.discharge_w or 0, holding.ends_us
    if remains is not None:
        yield remains.charge_w, remains.discharge_w, remains.until_us
    below = state.beneath
    if below is not None and state.device.transaction is not None:
        yield below.charge_w, 0, below.until_us
    if attempt is not None and attempt.setpoint == RELEASED:
        yield UNBOUNDED_W, UNBOUNDED_W, None
    elif attempt is not None and attempt.setpoint is not None:
        setpoint = attempt.setpoint
        charge_w = with_ahead(setpoint.charge_w, attempt.ahead)
        yield charge_w, setpoint.discharge_w or 0, attempt.lease_until_us
