"""What lies beneath a transaction's own setpoint: kept in mind, and lowered along with it.

A charger has a default for whoever comes. A transaction's own setpoint lies over it, and ends with
the transaction: then the default is in force again as it was set last, with or without an engine.
Under a site limit it is lowered in the same attempt as the setpoint above it, so that nothing on
the device allows more. One that is lower may stay as it is.
"""

from typing import Final

from msgspec.structs import replace

from engine import events
from engine.asset.beneath import Beneath, with_ahead
from engine.asset.reach import CLOCKS_US
from engine.asset.remains import attempted, with_more
from engine.asset.state import AssetState, OpenAttempt, Remains, Work
from engine.commands import CommandStatus, CommandType
from engine.events import RELEASED, Setpoint
from engine.grants import UNBOUNDED_W
from engine.types import US_PER_S, Instant

_ACCEPTED: Final = frozenset({CommandStatus.COMPLETED, CommandStatus.ACKNOWLEDGED})
_FAILED_MOST: Final = 2
"""So often both may come to nothing, without a refusal; then the setpoint goes alone."""


def form_to_lower(
    state: AssetState, setpoint: Setpoint, work: Work | None, now: Instant
) -> int | None:
    """Return the form of the default that is to be lowered with a setpoint, null for none.

    ``work`` is what goes on with it, null for what is decided now.
    """
    below = state.beneath
    if below is None or state.outside.grant is None or state.device.transaction is None:
        return None
    is_low = below.charge_w <= (setpoint.charge_w or 0) and not below.doubtful
    if setpoint == RELEASED or below.refused or is_low:
        return None
    if below.until_us is not None and now.device_us >= below.until_us + CLOCKS_US:
        return None
    has_failed = work is not None and work.retry_at_us is not None and work.tries >= _FAILED_MOST
    return None if has_failed else below.form


# --- what is known of it


def covered(before: AssetState, after: AssetState) -> AssetState:
    """Return the state once a transaction has begun: what was in force lies beneath from now on."""
    if before.device.transaction is not None or after.device.transaction is None:
        return after
    known, attempt = after.remains, before.attempt
    if attempt is not None:
        known = with_more(known, attempted(attempt))
    if known is None:
        return after
    form = before.holding.form
    if form is None:
        form = after.form if before.beneath is None else before.beneath.form
    return replace(after, beneath=Beneath(known.charge_w, known.until_us, form))


def uncovered(before: AssetState, after: AssetState) -> AssetState:
    """Return the state once a transaction is over: what lay beneath it may be in force."""
    below = before.beneath
    if below is None or before.device.transaction is None or after.device.transaction is not None:
        return after
    known = with_more(after.remains, Remains(below.charge_w, 0, below.until_us))
    return replace(after, remains=known)


def after_end(before: AssetState, after: AssetState, event: events.AttemptEnded) -> AssetState:
    """Return the state after an attempt's outcome: its device may have lowered the default too."""
    attempt, below = before.attempt, before.beneath
    if attempt is None or (below is None and attempt.type is not CommandType.RELEASE):
        return after
    if event.status in _ACCEPTED:
        return _taken(after, attempt)
    again = event.outcome == "rejected" and event.next_form == attempt.form
    if below is None or not (again and attempt.lowers_default):
        return after
    return replace(after, beneath=replace(below, refused=True))


def after_reconciled(
    before: AssetState, after: AssetState, event: events.AttemptReconciled
) -> AssetState:
    """Return the state after a doubt is over: what a device holds in the end it has taken whole."""
    attempt = before.in_doubt
    if attempt is None or event.status is not CommandStatus.COMPLETED:
        return after
    return _taken(after, attempt)


def after_skew(before: AssetState, after: AssetState) -> AssetState:
    """Return the state once a device's clock is found to be another one than was thought.

    A default that was set by it may begin later than it should, and end later.
    """
    below = after.beneath
    if below is None:
        return after
    behind_s = before.device.clock_ahead_s - after.device.clock_ahead_s
    until_us = below.until_us
    if until_us is not None:
        until_us += max(behind_s, 0) * US_PER_S
    return replace(after, beneath=replace(below, until_us=until_us, doubtful=True))


def _taken(state: AssetState, attempt: OpenAttempt) -> AssetState:
    """Return the state of a device that took a setpoint; a default that has changed is known anew.

    Without a transaction it is what the device holds. A release leaves nothing beneath.
    """
    setpoint, below = attempt.setpoint, state.beneath
    if setpoint is None or attempt.forgotten:
        return state
    if state.device.transaction is None:
        return state if below is None else replace(state, beneath=None)
    if setpoint == RELEASED:
        form = state.form if below is None else below.form
        return replace(state, beneath=Beneath(UNBOUNDED_W, None, form))
    if below is None or not attempt.lowers_default:
        return state
    charge_w = with_ahead(setpoint.charge_w, attempt.ahead)
    return replace(state, beneath=Beneath(charge_w, attempt.lease_until_us, below.form))
