"""Evidence is gathered beside the wire: what is measured, and what the device says when asked."""

from typing import Final

from msgspec import Struct

from engine.adapters.base import SetpointRead
from engine.asset import evidence
from engine.asset.clearing import ask, put, settle, unproven
from engine.asset.draft import Draft
from engine.asset.external import FOUND
from engine.asset.holding import described, found_setpoint, matches
from engine.asset.keeping import keep_no_more
from engine.asset.spelling import Spelled
from engine.asset.state import AssetState, Verifying, Work
from engine.commands import CommandStatus
from engine.events import CommandVerified, Setpoint
from engine.types import to_kw, to_w

_COMPLETED: Final = CommandStatus.COMPLETED
_FAILED: Final = CommandStatus.FAILED
_UNSEEN: Final = "accepted, no effect seen: {}"
ANSWER_S: Final = 10.0
"""A charger is given so long to say what it allows: an attempt may have to wait for that."""


class _Finding(Struct, frozen=True, gc=False):
    """What the evidence says of a command; see `CommandVerified`."""

    status: CommandStatus
    evidence: str
    reason: str | None = None
    found: Setpoint | None = None
    measured_w: int | None = None


def gather(draft: Draft, work: Work, verifying: Verifying) -> None:
    """Take what evidence there is of an accepted setpoint; else ask, or wait until ``settle_s``."""
    state, now_us = draft.state, draft.now.device_us
    kind = evidence.sought(state, draft.rules, verifying, now_us)
    if kind == evidence.MEASURED and _measure(draft, work, verifying):
        return
    if not state.device.connected:
        if now_us >= evidence.lost_us(draft.rules, verifying):
            _is_lost(draft, work)
        return
    due_us = evidence.question_us(state, draft.rules, verifying, kind)
    is_time = kind == evidence.READBACK or now_us >= due_us
    if not is_time or draft.asking is not None:
        return
    longest_s = draft.rules.command_timeout_s
    timeout_s = longest_s if kind == evidence.READBACK else min(longest_s, ANSWER_S)
    if kind == evidence.COMPOSITE and not evidence.may_be_asked(state, draft.rules, now_us):
        _is_not_told(draft, work, kind)
    elif kind == evidence.MEASURED:
        put(draft, verifying.attempt_id, Spelled(state, draft.now).sampling(), timeout_s)
    elif not ask(draft, verifying.attempt_id, timeout_s):
        _is_not_told(draft, work, kind)


def take_answer(
    draft: Draft, work: Work, verifying: Verifying, reads: list[SetpointRead], *, answered: bool
) -> None:
    """Take what the device says that it holds; without readings it cannot, or did not, say."""
    kind = evidence.sought(draft.state, draft.rules, verifying, draft.now.device_us)
    if kind == evidence.MEASURED:
        return  # samples have come meanwhile
    if reads and kind == evidence.READBACK:
        _take_readback(draft, work, reads[-1])
    elif reads:
        _take_limit(draft, work, verifying, reads[-1])
    elif answered or kind == evidence.READBACK or _is_over(draft, verifying):
        _is_not_told(draft, work, kind)


def _is_over(draft: Draft, verifying: Verifying) -> bool:
    return draft.now.device_us >= evidence.deadline_us(draft.rules, verifying)


# --- what is measured


def _measure(draft: Draft, work: Work, verifying: Verifying) -> bool:
    """Take what was measured; return whether nothing more is to be known."""
    sample = evidence.sample_since(draft.state, verifying)
    target_w = verifying.target_w
    if sample is not None and evidence.shows(draft.rules, target_w, sample.power_w):
        _end(draft, work, _Finding(_COMPLETED, evidence.MEASURED, measured_w=sample.power_w))
    elif not _is_over(draft, verifying) or not draft.state.device.connected:
        return False
    elif sample is None:
        _end(
            draft,
            work,
            _Finding(_FAILED, evidence.MEASURED, _UNSEEN.format("nothing was measured")),
        )
    else:
        reason = f"accepted, no effect: measured {_against(sample.power_w, target_w)}"
        found = _Finding(_FAILED, evidence.MEASURED, reason, measured_w=sample.power_w)
        _end(draft, work, found)
    return True


# --- what the device says


def _take_readback(draft: Draft, work: Work, read: SetpointRead) -> None:
    if matches(read, work.steps[0].setpoint):
        _end(draft, work, _Finding(_COMPLETED, evidence.READBACK))
    else:
        reason = f"clamped: found {described(read)}"
        _end(draft, work, _Finding(_FAILED, evidence.READBACK, reason, found_setpoint(read)))


def _take_limit(draft: Draft, work: Work, verifying: Verifying, read: SetpointRead) -> None:
    """Take the limit that a charger says it has: another one of its limits may be the lower."""
    found_w, target_w = to_w(read.charge_kw or 0.0), verifying.target_w
    near_w = read.step_kw * 1_000 + 0.5
    found = Setpoint(found_w, 0)
    if found_w > target_w + near_w:
        if _is_over(draft, verifying):
            reason = f"accepted, no effect: it allows {_against(found_w, target_w)}"
            _end(draft, work, _Finding(_FAILED, evidence.COMPOSITE, reason, found))
    elif found_w >= target_w - near_w:
        _end(draft, work, _Finding(_COMPLETED, evidence.COMPOSITE, found=found))
    elif draft.now.device_us >= verifying.since_us + evidence.APPLY_US:
        reason = f"{_limited(draft.state)}: it allows {_against(found_w, target_w)}"
        _end(draft, work, _Finding(_COMPLETED, evidence.COMPOSITE, reason, found))


def _limited(state: AssetState) -> str:
    """Return that a charger is limited, and by whom as far as somebody has told."""
    by = [one.source for one in state.device.limits if one.source != FOUND]
    return f"limited by {' and '.join(by)}" if by else "limited"


def _is_not_told(draft: Draft, work: Work, kind: str) -> None:
    """The device cannot say what it holds: that fails only where nothing else is good enough."""
    if kind == evidence.COMPOSITE and draft.rules.verify == evidence.COMPOSITE:
        reason = _UNSEEN.format("it does not say what it allows")
        _end(draft, work, _Finding(_FAILED, kind, reason))
    else:
        unproven(draft, work)


def _is_lost(draft: Draft, work: Work) -> None:
    """The device has gone for longer than its lease: who wanted to see it has not."""
    if draft.rules.verify in {evidence.COMPOSITE, evidence.MEASURED}:
        reason = _UNSEEN.format("its link was lost")
        _end(draft, work, _Finding(_FAILED, draft.rules.verify, reason))
    else:
        _end(draft, work, _Finding(_COMPLETED, evidence.ACK, evidence.LINK_LOST))


# --- what comes of it


def _end(draft: Draft, work: Work, finding: _Finding) -> None:
    if finding.status is _FAILED:
        keep_no_more(draft)
    settle(
        draft,
        CommandVerified(
            work.steps[0].command_ids,
            finding.status,
            finding.evidence,
            finding.reason,
            finding.found,
            finding.measured_w,
        ),
    )


def _against(power_w: int, target_w: int) -> str:
    return f"{to_kw(power_w)} kW against {to_kw(target_w)} kW"
