"""Planned changes that a charger is given ahead, so that it goes on with them by itself.

Only for as long as the lease of what is sent with them: at its end there is the fallback, whatever
the plan says. Reckoned in real time.
"""

from collections.abc import Iterator
from typing import TypeAlias

from engine.asset.desire import horizon, limited, running_part
from engine.asset.programme import changes_until
from engine.asset.state import AssetState
from engine.events import RELEASED, Setpoint
from engine.rules import AssetRules
from engine.types import US_PER_S, Instant

Ahead: TypeAlias = tuple[tuple[int, int], ...]
"""When each change is due (plan clock, microseconds), and to how many watts."""


def ahead_of(state: AssetState, source: str, setpoint: Setpoint, now: Instant) -> Ahead:
    """Return the changes to send along with a setpoint that is decided on by ``source``."""
    rules = state.rules
    if rules is None or not rules.periods_ahead or source != "schedule" or setpoint == RELEASED:
        return ()
    until_us = now.plan_us + round(rules.failsafe_after_s * US_PER_S)
    found = tuple(_changes(state, rules, now, until_us))[: rules.periods_ahead]
    return found if state.outside.grant is None else bounded(found, setpoint.charge_w or 0)


def bounded(ahead: Ahead, most_w: int) -> Ahead:
    """Return changes none of which is above a power.

    Under a site limit that is the setpoint's own, which is granted: more is granted when it is due.
    """
    return tuple((due_us, min(watts, most_w)) for due_us, watts in ahead)


def is_current(state: AssetState, now: Instant) -> bool:
    """Return whether what a charger was given ahead is still what is planned."""
    holding, rules = state.holding, state.rules
    if rules is None or not (rules.periods_ahead or holding.ahead):
        return True
    left = tuple(one for one in holding.ahead if one[0] > now.plan_us)
    desired, ends_us = state.desired, holding.lease_until_us
    if desired is None or desired.source != "schedule" or ends_us is None:
        return not left
    until_us = now.plan_us + ends_us - now.device_us
    planned = tuple(_changes(state, rules, now, until_us))
    if state.outside.grant is not None:
        planned = bounded(planned, holding.charge_w or 0)
    is_full = len(holding.ahead) >= rules.periods_ahead
    return planned[: len(left)] == left and (is_full or len(left) == len(planned))


def _changes(
    state: AssetState, rules: AssetRules, now: Instant, until_us: int
) -> Iterator[tuple[int, int]]:
    """Yield a charger's planned changes after now and before a moment, and before the horizon.

    None while it is being settled which of them are for a vehicle that left and came back.
    """
    part = running_part(state, now)
    if part is None or state.programme.absence is not None:
        return
    ends = (until_us, horizon(state), part.until_us)
    last_us = min(one for one in ends if one is not None) - 1
    for index in range(changes_until(part, now.plan_us), part.plan.index_at(last_us)):
        change = part.plan.change(index)
        yield change.due_us, limited(Setpoint(change.watts, 0), rules).charge_w or 0
