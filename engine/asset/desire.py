"""What should hold now: override, plan, or what rules when nothing is planned (level-triggered)."""

from msgspec import Struct

from engine.asset.programme import first_untaken, part_at, values_at
from engine.asset.state import AssetState, GivenUp, Part
from engine.commands import CauseKind
from engine.events import RELEASED, Cut, Setpoint
from engine.rules import AssetRules
from engine.types import US_PER_S, AssetKind, Instant


class Desire(Struct, frozen=True, gc=False):
    """What should hold, which source says so and what it outranks.

    ``kind`` is the cause of a command that brings it about outside the plan. ``cut`` says what a
    site limit has left of it, where that is less.
    """

    target: Setpoint
    source: str
    kind: CauseKind
    losers: tuple[tuple[str, int | None, int | None], ...] = ()
    cut: Cut | None = None


def wanted(state: AssetState, now: Instant) -> Desire | None:
    """Return what should hold but for the site's limits, null when nothing was ever asked of it."""
    rules = state.rules
    if rules is None:
        return None
    if state.outside.stopping:
        return _on_stop(state, rules)
    planned = _planned(state, rules, now)
    override = state.override
    if override is None:
        return planned
    losers: tuple[tuple[str, int | None, int | None], ...] = ()
    target = limited(override.target, rules)
    if planned is not None and planned.target != target:
        losers = ((planned.source, planned.target.charge_w, planned.target.discharge_w),)
    return Desire(target, "override", CauseKind.REASSERT, losers)


def limited(target: Setpoint, rules: AssetRules) -> Setpoint:
    """Return a setpoint within the asset's limits: they may be lower than when it was asked for."""
    charge_w, discharge_w = target.charge_w or 0, target.discharge_w or 0
    if charge_w <= rules.max_charge_w and discharge_w <= rules.max_discharge_w:
        return target
    return Setpoint(min(charge_w, rules.max_charge_w), min(discharge_w, rules.max_discharge_w))


def fallback(rules: AssetRules) -> Desire:
    """Return the asset's fallback, or its release where none is given."""
    power_w = rules.fallback_w
    if power_w is None:
        return Desire(RELEASED, "release", CauseKind.RELEASE)
    if rules.kind is AssetKind.BATTERY and power_w < 0:
        return Desire(Setpoint(0, -power_w), "fallback", CauseKind.FALLBACK)
    return Desire(Setpoint(power_w, 0), "fallback", CauseKind.FALLBACK)


def horizon(state: AssetState) -> int | None:
    """Return the horizon in force (plan clock): the newest offered one, else the plan's own."""
    offered = state.outside.horizon_us
    return state.programme.horizon_us if offered is None else offered


def running_part(state: AssetState, now: Instant) -> Part | None:
    """Return the plan in force, null before the newest schedule has been offered."""
    if not state.outside.offered or state.programme.exhausted:
        return None
    return part_at(state.programme, now.plan_us)


def _planned(state: AssetState, rules: AssetRules, now: Instant) -> Desire | None:
    if not state.outside.offered:
        return None
    programme = state.programme
    if programme.exhausted:
        return _after_end(state, rules, now)
    part = part_at(programme, now.plan_us)
    pair = None
    if part is not None:
        pair = values_at(part.plan, now.plan_us, first_untaken(programme, part))
    if part is None or pair is None:
        return None if _is_left_alone(state, rules) else fallback(rules)
    pair = limited(pair, rules)
    absence = programme.absence
    if (
        absence is not None
        and not absence.back
        and absence.schedule_id == part.ref.schedule_id
        and part.plan.index_at(now.plan_us) <= absence.until
    ):
        return fallback(rules)
    given_up = state.given_up
    if given_up and any(one.blocked and one.target == pair and waits(one, now) for one in given_up):
        return fallback(rules)
    return Desire(pair, "schedule", CauseKind.REASSERT)


def _is_left_alone(state: AssetState, rules: AssetRules) -> bool:
    """Return whether nothing has to hold where nothing was ever asked of an asset.

    Under a site limit no device that is there is left alone, if it has a fallback.
    """
    if state.desired is not None:
        return False
    bounded = state.outside.grant is not None and rules.fallback_w is not None
    return not (bounded and state.device.connected)


def waits(given_up: GivenUp, now: Instant) -> bool:
    """Return whether a setpoint that failed is not to be tried again yet."""
    return given_up.again_at_us is None or now.device_us < given_up.again_at_us


def _after_end(state: AssetState, rules: AssetRules, now: Instant) -> Desire | None:
    if state.desired is None:
        return None
    if rules.on_schedule_end == "release":
        return Desire(RELEASED, "release", CauseKind.RELEASE)
    if rules.on_schedule_end == "hold" and rules.hold_max_s is not None:
        until_us = hold_end_us(horizon(state) or 0, rules.hold_max_s)
        held = state.desired
        if now.plan_us < until_us and held.source in {"schedule", "hold"}:
            target = held.target if held.cut is None else held.cut.asked
            return Desire(limited(target, rules), "hold", CauseKind.REASSERT)
    return fallback(rules)


def hold_end_us(horizon_us: int, hold_max_s: float) -> int:
    """Return until when the last setpoint is held after a horizon (plan clock)."""
    return horizon_us + round(hold_max_s * US_PER_S)


def _on_stop(state: AssetState, rules: AssetRules) -> Desire | None:
    if state.desired is None or rules.on_stop == "hold":
        return None
    if rules.on_stop == "fallback":
        return fallback(rules)
    return Desire(RELEASED, "release", CauseKind.RELEASE)


def is_given_up(state: AssetState, want: Desire, now: Instant) -> bool:
    """Return whether what should hold has failed and is not to be tried again yet."""
    return any(one.target == want.target and waits(one, now) for one in state.given_up)


def is_zero(target: Setpoint) -> bool:
    """Return whether a setpoint asks for no power (a release does not)."""
    return target != RELEASED and not target.charge_w and not target.discharge_w


def decision_differs(state: AssetState, want: Desire) -> bool:
    """Return whether this is not what was decided last, or a person asks for it anew."""
    desired, override = state.desired, state.override
    if desired is None or desired.target != want.target or desired.source != want.source:
        return True
    if (desired.cut is None) is not (want.cut is None):
        return True
    return want.source == "override" and override is not None and not override.used
