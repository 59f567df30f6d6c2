"""What should hold under the site's limits: a claim is made for it, and it is cut to its grant."""

from typing import Final

from msgspec.structs import replace

from engine.asset.desire import (
    Desire,
    decision_differs,
    fallback,
    is_given_up,
    is_zero,
    wanted,
)
from engine.asset.draft import Draft
from engine.asset.due import due_changes
from engine.asset.earlier import floor_of
from engine.asset.effects import Claimed
from engine.asset.evolve import evolve
from engine.asset.holding import hold_reason, is_increase, is_kept, known_holding
from engine.asset.reach import Pair, drawn, fits, is_above_grant, reach
from engine.asset.state import UNKNOWN_HOLDING, AssetState, Holding
from engine.asset.wear import WRITE_BUDGET, is_spent
from engine.commands import CauseKind, CommandType
from engine.events import RELEASED, AssetConfigured, Cut, Setpoint
from engine.grants import Bound, Claim, Grant, Share
from engine.phases import Use, shares_of, uses_of
from engine.rules import AssetRules
from engine.types import US_PER_S, Instant


def desire(state: AssetState, now: Instant) -> Desire | None:
    """Return what should hold now, cut to what is granted; null when nothing was ever asked."""
    grant = state.outside.grant
    want = wanted(state, now)
    if grant is None:
        return want
    rules = state.rules
    if rules is None or want is None:
        return want
    if fits(want.target, rules, grant):
        return want
    cut = _cut(want, rules, grant)
    waits = _cannot_take(state, want.target, now) and not _lowers_to_zero(state, cut.target, now)
    if waits or _is_trickle(state, want.target, cut.target, now):
        return _as_decided(state, want)
    return cut


def awaits_grant(state: AssetState, now: Instant) -> bool:
    """Return whether nothing is to be sent before the site has looked at what should hold.

    A decrease needs no grant: it goes at once, and what else is wished for follows.
    """
    want = wanted(state, now)
    grant, rules = state.outside.grant, state.rules
    if grant is None or rules is None or want is None:
        return False
    if not is_unanswered(want.target, rules, grant):
        return False
    lowers = _lowers(known_holding(state, now), drawn(want.target, rules), grant)
    return not (lowers or _cannot_take(state, want.target, now) or is_stalled(state, now))


def is_unanswered(target: Setpoint, rules: AssetRules, grant: Grant) -> bool:
    """Return whether more is wished for than is granted, and the site has not looked at it yet."""
    wishes = zip(drawn(target, rules), (grant.charge, grant.discharge), strict=True)
    return any(bound.most_w < own_w != bound.answers_w for own_w, bound in wishes)


def is_stalled(state: AssetState, now: Instant) -> bool:
    """Return whether an increase cannot be tried for some time, and all else is as it should be.

    It has failed, or waits for flash that is worn for today. Nothing is sent meanwhile, so that the
    device keeps what it is known to hold, and the room that it cannot use is another's.
    """
    want = wanted(state, now)
    if want is None or state.outside.stopping or not _may_be_stalled(state, now):
        return False
    held, decided = known_holding(state, now), _as_decided(state, want)
    if held == UNKNOWN_HOLDING or not is_increase(held, decided.target):
        return False
    is_pending = (
        state.attempt is not None
        or state.unknown is not None
        or due_changes(state, now) is not None
        or decision_differs(state, decided)
    )
    waits = state.work is not None or is_given_up(state, decided, now)
    return waits and not is_pending and not is_above_grant(state, now)


def _may_be_stalled(state: AssetState, now: Instant) -> bool:
    """Return whether something was given up, or is held for today; quickly told for the most."""
    work = state.work
    if work is None:
        return bool(state.given_up)
    ends_us = work.decision.expires_us
    is_open = ends_us is None or now.plan_us < ends_us
    return work.held == WRITE_BUDGET and is_open and is_spent(state, now)


def kind_by_limit(state: AssetState, want: Desire) -> CauseKind | None:
    """Return the cause of a command that a site limit brings about, null for any other."""
    desired = state.desired
    if not decision_differs(state, want):
        return None
    if desired is None or desired.cut is None or desired.source != want.source:
        return None if want.cut is None else CauseKind.LIMIT
    if want.target == RELEASED or _total_w(want.target) > _total_w(desired.target):
        return CauseKind.LIMIT_LIFTED
    return None if want.cut is None else CauseKind.LIMIT


# --- cutting

_TRICKLE_W: Final = 1_000
_PAUSE_US: Final = 30 * US_PER_S
"""So long a setpoint that a limit has cut stands before it is raised by less than that."""


def lift_us(state: AssetState) -> int | None:
    """Return when what was cut may be raised by a little too (device clock), null if it is not cut.

    Room often comes free in small pieces, and each would be a command of its own.
    """
    desired, rules, until_us = state.desired, state.rules, state.holding.lease_until_us
    if desired is None or desired.cut is None or rules is None or until_us is None:
        return None
    return until_us - round(rules.failsafe_after_s * US_PER_S) + _PAUSE_US


def _is_trickle(state: AssetState, asked: Setpoint, left: Setpoint, now: Instant) -> bool:
    """Return whether what is left would only raise a setpoint by a little that was set just now."""
    desired, raises_us = state.desired, lift_us(state)
    if desired is None or desired.cut is None or desired.cut.asked != asked or raises_us is None:
        return False
    more_w = _total_w(left) - _total_w(desired.target)
    is_new = now.device_us < raises_us and is_kept(state, desired.target, now)
    return 0 < more_w < _TRICKLE_W and is_new


def _total_w(target: Setpoint) -> int:
    return (target.charge_w or 0) + (target.discharge_w or 0)


def _cannot_take(state: AssetState, target: Setpoint, now: Instant) -> bool:
    """Return whether nothing of a setpoint could be sent now, so that nothing is granted for it."""
    kind = CommandType.RELEASE if target == RELEASED else CommandType.SET_CHARGE_RATE
    return hold_reason(state, kind, target, now) is not None


def _lowers(held: Holding, wish: Pair, grant: Grant) -> bool:
    """Return whether a device is known to hold more than it should, or than it is granted."""
    charge_w, discharge_w = wish
    return (held.charge_w or 0) > min(charge_w, grant.charge.most_w) or (
        held.discharge_w or 0
    ) > min(discharge_w, grant.discharge.most_w)


def _lowers_to_zero(state: AssetState, target: Setpoint, now: Instant) -> bool:
    """Return whether a device has to hold nothing any more: that can always be sent to it."""
    return state.device.connected and is_zero(target) and is_above_grant(state, now)


def _as_decided(state: AssetState, want: Desire) -> Desire:
    """Return what should hold as it was cut last, where the same was asked for then."""
    desired = state.desired
    if desired is None or desired.cut is None or desired.cut.asked != want.target:
        return want
    return Desire(desired.target, want.source, want.kind, desired.losers, desired.cut)


def _cut(want: Desire, rules: AssetRules, grant: Grant) -> Desire:
    """Return what is left of a setpoint; instead of a release that is not granted, the fallback."""
    target = want.target
    is_import = drawn(target, rules)[0] > grant.charge.most_w
    bound = grant.charge if is_import else grant.discharge
    if target == RELEASED:
        target = fallback(rules).target
    left = Setpoint(
        _usable_w(target.charge_w or 0, grant.charge, rules, rules.least_w),
        _usable_w(target.discharge_w or 0, grant.discharge, rules, 0),
    )
    cut = Cut(
        want.target,
        bound.phase or ("import" if is_import else "export"),
        bound.most_w,
        bound.limit_w or 0,
        bound.base_w,
        bound.others_w,
    )
    loser = (want.source, want.target.charge_w, want.target.discharge_w)
    return Desire(left, want.source, want.kind, (loser, *want.losers), cut)


def _usable_w(power_w: int, bound: Bound, rules: AssetRules, least_w: int) -> int:
    """Return a power within a bound, in the device's steps; what is too little for it is 0."""
    if max(power_w, least_w if power_w and rules.below_min == "minimum" else 0) <= bound.most_w:
        return power_w
    most_w = min(power_w, bound.most_w)
    most_w -= most_w % rules.step_w
    return most_w if most_w >= least_w else 0


# --- claiming


def claim(draft: Draft, *, again: bool) -> None:
    """Tell the site what is wished and may be held, if that is news to it.

    ``again``: also if it was told, and has not answered.
    """
    state, now = draft.state, draft.now
    grant, rules = state.outside.grant, state.rules
    if grant is None or rules is None:
        return
    if state.outside.unreadable is None:
        own = claim_of(state, rules, grant.number, now)
    else:
        own = replace(opening_claim(None, rules, now), number=grant.number)
    if own != state.outside.claimed or (again and awaits_grant(state, now)):
        draft.want(Claimed(own))


def opening_claim(state: AssetState | None, rules: AssetRules, now: Instant) -> Claim:
    """Return what an asset claims by its log alone: what it may hold, and no more.

    Where the log cannot be read that is all that it can. It may be of another entry of the site
    file than the ``rules`` that are about to be in force.
    """
    floor = floor_of(rules)
    if state is not None and state.rules != rules:
        state = evolve(state, AssetConfigured(rules), now)
    holds = drawn(RELEASED, rules) if state is None else reach(state, rules, now)
    charge, discharge = (Share(one, one, low) for one, low in zip(holds, floor, strict=True))
    uses = () if state is None else _uses_before(state, rules)
    return Claim(charge, discharge, uses=uses)


def claim_of(state: AssetState, rules: AssetRules, number: int, now: Instant) -> Claim:
    """Return what an asset claims: for what it cannot take now, no more than it may hold anyway.

    Nor for what cannot be tried for some time.
    """
    holds = reach(state, rules, now)
    want = wanted(state, now)
    least = (rules.least_w, 0)
    if want is None:
        wish = holds
    elif want.target == RELEASED:
        wish = least = drawn(RELEASED, rules)
    else:
        wish = drawn(want.target, rules)
    if want is not None and (_cannot_take(state, want.target, now) or is_stalled(state, now)):
        wish = (min(wish[0], holds[0]), min(wish[1], holds[1]))
    floor = floor_of(rules)
    charge, discharge = (Share(*one) for one in zip(wish, holds, floor, least, strict=True))
    return Claim(charge, discharge, number, _uses_before(state, rules))


def _uses_before(state: AssetState, rules: AssetRules) -> tuple[Use, ...]:
    """Return what is taken of the phases while a device is as an earlier entry has set it."""
    earlier = state.earlier
    if earlier is None or earlier.shares >= shares_of(rules):
        return ()
    return uses_of(rules, earlier.shares)
