"""What a device may hold beside what it is known to hold: setpoints that nobody saw end."""

from typing import Final

from msgspec.structs import replace

from engine import events
from engine.asset.attempts import NOT_KNOWN
from engine.asset.beneath import with_ahead
from engine.asset.evidence import KNOWN, LINK_LOST, OVERTAKEN, STATUS
from engine.asset.state import (
    UNKNOWN_HOLDING,
    AssetState,
    Holding,
    OpenAttempt,
    Remains,
)
from engine.commands import CommandStatus
from engine.events import RELEASED, Setpoint
from engine.grants import UNBOUNDED_W
from engine.types import US_PER_S

_ON_ITS_OWN: Final = Remains(UNBOUNDED_W, UNBOUNDED_W, None)


def after_end(before: AssetState, after: AssetState, event: events.AttemptEnded) -> AssetState:
    """Return the state after an attempt's outcome: a device that has proved it holds only that.

    What was only accepted may not be in force yet, and what was not answered may be.
    """
    attempt = before.attempt
    if attempt is None:
        return after
    if event.status is CommandStatus.COMPLETED and attempt.setpoint is not None:
        if attempt.forgotten:
            return _with(after, attempted(attempt))
        return _set(_proven(after), attempt.started_us)
    after = forgotten(before, after)
    if event.status is CommandStatus.ACKNOWLEDGED:
        return _with(after, _held(before.holding))
    return _with(after, attempted(attempt)) if _may_have_taken(attempt, event) else after


def after_proof(before: AssetState, after: AssetState, event: events.CommandVerified) -> AssetState:
    """Return the state after evidence: of what was found or done nothing else remains.

    That a device was told the same before, or something else since, is none.
    """
    is_seen = event.evidence not in {KNOWN, STATUS} and event.reason not in {OVERTAKEN, LINK_LOST}
    work = before.work
    if event.status is CommandStatus.COMPLETED and is_seen:
        accepted = None if work is None else work.verifying
        return _proven(after) if accepted is None else _set(_proven(after), accepted.since_us)
    return _proven(after) if event.found is not None else forgotten(before, after)


def after_reconciled(
    before: AssetState, after: AssetState, event: events.AttemptReconciled
) -> AssetState:
    """Return the state after a doubt is over: what a setpoint was about is all that remains.

    Of a device that has forgotten its setpoints since, it proves nothing.
    """
    about = before.in_doubt
    done = event.status is CommandStatus.COMPLETED
    if done and about is not None and about.setpoint is not None and not about.forgotten:
        return _set(_proven(after), about.started_us)
    return forgotten(before, after)


def after_change(before: AssetState, after: AssetState, found: Setpoint) -> AssetState:
    """Return the state after a device said what it holds, on both channels or on one.

    One that is on its own may take and give all that it can.
    """
    if found == RELEASED:
        return _with(after, _ON_ITS_OWN)
    if after.holding.charge_w is None or after.holding.discharge_w is None:
        return _with(after, _held(before.holding))
    return _proven(after) if found.charge_w is not None or found.discharge_w is not None else after


def after_restart(before: AssetState, after: AssetState) -> AssetState:
    """Return the state of a new engine: what was on the wire may have been carried out."""
    after = forgotten(before, after)
    attempt = before.attempt
    return after if attempt is None else _with(after, attempted(attempt))


def after_skew(before: AssetState, after: AssetState) -> AssetState:
    """Return the state once a device's clock is found to be another one than was thought.

    What was set by it ends by it: later, by as much as the clock is behind what was thought.
    """
    after = forgotten(before, after)
    behind_s = before.device.clock_ahead_s - after.device.clock_ahead_s
    known = after.remains
    if known is None or known.until_us is None or behind_s <= 0:
        return after
    return replace(after, remains=replace(known, until_us=known.until_us + behind_s * US_PER_S))


def after_retirement(before: AssetState, after: AssetState) -> AssetState:
    """Return the state of an asset that left the site file: its device may go on as it was set."""
    attempt = before.attempt
    after = _with(_with(after, before.remains), _held(before.holding))
    return after if attempt is None else _with(after, attempted(attempt))


def forgotten(before: AssetState, after: AssetState) -> AssetState:
    """Return the state with what the device held until it was no longer known to."""
    if after.holding != UNKNOWN_HOLDING or before.holding == UNKNOWN_HOLDING:
        return after
    return _with(after, _held(before.holding))


def _proven(state: AssetState) -> AssetState:
    return state if state.remains is None else replace(state, remains=None)


def _set(state: AssetState, since_us: int) -> AssetState:
    """Return the state of a device that was set then: earlier entries say nothing of it any more.

    It may have been set by one of them.
    """
    earlier = state.earlier
    if earlier is None or since_us < earlier.since_us:
        return state
    return replace(state, earlier=None)


def _may_have_taken(attempt: OpenAttempt, event: events.AttemptEnded) -> bool:
    """Return whether a device may have taken an attempt, or a part of it, all the same."""
    if event.outcome in NOT_KNOWN or event.outcome == "error":
        return True
    return event.outcome == "rejected" and len(attempt.payload.frames) > 1


def attempted(attempt: OpenAttempt) -> Remains | None:
    """Return what a device may hold by an attempt, null by one that sets nothing."""
    setpoint = attempt.setpoint
    if setpoint is None:
        return None
    if setpoint == RELEASED:
        return _ON_ITS_OWN
    charge_w = with_ahead(setpoint.charge_w, attempt.ahead)
    return Remains(charge_w, setpoint.discharge_w or 0, attempt.lease_until_us)


def _held(holding: Holding) -> Remains | None:
    if holding.released:
        return _ON_ITS_OWN
    if holding == UNKNOWN_HOLDING:
        return None
    charge_w = with_ahead(holding.charge_w, holding.ahead)
    return Remains(charge_w, holding.discharge_w or 0, holding.ends_us)


def _with(state: AssetState, one: Remains | None) -> AssetState:
    """Return the state with one more setpoint that may be in force."""
    return state if one is None else replace(state, remains=with_more(state.remains, one))


def with_more(other: Remains | None, one: Remains | None) -> Remains | None:
    """Return what remains of both: the most of each channel, until the later end."""
    if one is None or other is None:
        return other if one is None else one
    until_us = None
    if one.until_us is not None and other.until_us is not None:
        until_us = max(one.until_us, other.until_us)
    charge_w, discharge_w = (
        max(one.charge_w, other.charge_w),
        max(one.discharge_w, other.discharge_w),
    )
    return Remains(charge_w, discharge_w, until_us)
