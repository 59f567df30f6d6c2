"""What shows that an accepted setpoint takes effect, and until when it may take to show."""

from typing import Final

from engine.asset.samples import Sample
from engine.asset.state import AssetState, Verifying
from engine.events import RELEASED, Setpoint
from engine.rules import AssetRules
from engine.tolerance import tolerance_w
from engine.types import US_PER_S, AssetKind

ACK: Final = "ack"
READBACK: Final = "readback"
COMPOSITE: Final = "composite"
MEASURED: Final = "measured"
AUTO: Final = "auto"
STATUS: Final = "status"
"""What a device's state says of a change of availability; it says nothing of a setpoint."""
KNOWN: Final = "known"
"""None was looked for: the device was told the same before."""

OVERTAKEN: Final = "overtaken"
"""A newer setpoint came before there was any."""
LINK_LOST: Final = "no evidence: its link was lost"
"""Nothing was seen of it before its lease was over."""

ASK_US: Final = US_PER_S // 2
"""So long after an acceptance a device is asked: what thousands are still to be sent goes first."""
APPLY_US: Final = 2 * US_PER_S
"""A charger that allows less than it was told is believed once it had so long to apply it."""
_SLOWEST_US: Final = 15 * US_PER_S
UNHEARD: Final = 1
"""So often in a row a device may go while it is asked what it holds: that may be by chance."""


# --- which kind


def wanted_of(state: AssetState, setpoint: Setpoint | None) -> str:
    """Return the evidence wanted of a setpoint that is being accepted; ack: that is enough.

    Nothing tells that a device is on its own. Without a transaction there is nothing to measure,
    of a battery's pair only the last half is, and an engine that stops waits for no charger.
    """
    rules = state.rules
    if rules is None or setpoint is None or setpoint == RELEASED:
        return ACK
    if rules.kind is AssetKind.BATTERY:
        is_last = state.work is None or len(state.work.steps) == 1
        follows = is_last and state.outside.sample is not None
        return READBACK if rules.verify == MEASURED and not follows else rules.verify
    if state.outside.stopping or (rules.verify == MEASURED and not _charges(state)):
        return ACK
    return rules.verify


def sought(state: AssetState, rules: AssetRules, verifying: Verifying, now_us: int) -> str:
    """Return the evidence that counts now: readback, composite or measured.

    In the end a device is asked after all, where ``auto`` has waited for samples in vain, and
    where a battery's power stays within its setpoint without following it.
    """
    over = now_us >= deadline_us(rules, verifying)
    sample = sample_since(state, verifying)
    if rules.verify == AUTO:
        missed = over and sample is None
        return MEASURED if _is_measurable(state, rules, verifying) and not missed else COMPOSITE
    if rules.verify == MEASURED and rules.kind is AssetKind.BATTERY:
        exceeds = sample is not None and exceeds_target(rules, verifying.target_w, sample.power_w)
        return READBACK if over and not exceeds else MEASURED
    return rules.verify


def _charges(state: AssetState) -> bool:
    return state.device.transaction is not None


def _is_measurable(state: AssetState, rules: AssetRules, verifying: Verifying) -> bool:
    """Return whether a vehicle charges and is measured: in ``settle_s`` before, or since."""
    sample = state.outside.sample
    lately_us = verifying.since_us - round(rules.settle_s * US_PER_S)
    return _charges(state) and sample is not None and sample.heard_us >= lately_us


# --- what was measured


def sample_since(state: AssetState, verifying: Verifying) -> Sample | None:
    """Return the newest sample, if it was taken after the device had accepted."""
    sample = state.outside.sample
    return None if sample is None or sample.taken_us < verifying.since_us else sample


def shows(rules: AssetRules, target_w: int, power_w: int) -> bool:
    """Return whether a measured power shows a setpoint: a vehicle may take less, a battery not."""
    if rules.kind is AssetKind.BATTERY:
        return abs(power_w - target_w) <= tolerance_w(target_w)
    return not exceeds_target(rules, target_w, power_w)


def exceeds_target(rules: AssetRules, target_w: int, power_w: int) -> bool:
    """Return whether a measured power is beyond its setpoint, or in the other direction."""
    near_w = tolerance_w(target_w)
    if power_w > max(target_w, 0) + near_w:
        return True
    return rules.kind is AssetKind.BATTERY and power_w < min(target_w, 0) - near_w


# --- by when


def deadline_us(rules: AssetRules, verifying: Verifying) -> int:
    """Return by when an accepted setpoint has to show (device clock)."""
    return verifying.since_us + round(rules.settle_s * US_PER_S)


def lost_us(rules: AssetRules, verifying: Verifying) -> int:
    """Return until when a device that has gone may come back and show what it accepted.

    Then its lease is over: it does not hold that any more.
    """
    lasts_s = max(rules.failsafe_after_s, rules.settle_s)
    return verifying.since_us + round(lasts_s * US_PER_S)


def goes_when_asked(state: AssetState) -> bool:
    """Return whether a device goes, time after time, while it is asked what it holds."""
    return state.outside.unheard > UNHEARD


def may_be_asked(state: AssetState, rules: AssetRules, now_us: int) -> bool:
    """Return whether to ask a charger what it allows; one that goes when asked only seldom is."""
    asked_us = state.outside.asked_us
    if asked_us is None or not goes_when_asked(state):
        return True
    return now_us >= asked_us + round(rules.reassert_s * US_PER_S)


def question_us(state: AssetState, rules: AssetRules, verifying: Verifying, kind: str) -> int:
    """Return when to ask the device: at first, ever more seldom, at the end once more.

    What it holds it can say soon, but power takes some time to follow.
    """
    asked_us = state.outside.asked_us
    if asked_us is None or asked_us < verifying.since_us:
        return verifying.since_us + (APPLY_US if kind == MEASURED else ASK_US)
    pause_us = min(max(asked_us - verifying.since_us, APPLY_US), _SLOWEST_US)
    end_us = deadline_us(rules, verifying)
    return end_us if asked_us < end_us < asked_us + pause_us else asked_us + pause_us


def wakes_us(
    state: AssetState, rules: AssetRules, verifying: Verifying, now_us: int
) -> tuple[int, ...]:
    """Return when time alone may bring evidence, or the end of waiting for it (device clock)."""
    over_us = lost_us(rules, verifying)
    if rules.verify == READBACK:
        return (over_us,)
    kind = sought(state, rules, verifying, now_us)
    asks_us = question_us(state, rules, verifying, kind)
    return deadline_us(rules, verifying), asks_us, over_us
