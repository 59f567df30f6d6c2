"""What an answer makes of an attempt and of the commands that it served."""

from engine import events
from engine.adapters.base import Answer, SetpointRead
from engine.asset.attempts import NOT_KNOWN
from engine.asset.draft import Draft
from engine.asset.messages import AttemptAnswered, QuestionAnswered
from engine.asset.reports import observe_all
from engine.asset.sending import keep_alive, keep_no_more, no_answer
from engine.asset.spelling import Spelled, spell_step
from engine.asset.state import OpenAttempt, Order, Work
from engine.commands import CommandStatus, CommandType
from engine.errors import Untranslatable
from engine.events import RELEASED, Setpoint
from engine.retry import backoff_us
from engine.types import US_PER_S, AssetKind, to_w

_TRANSACTIONAL = frozenset({CommandType.START_CHARGING, CommandType.STOP_CHARGING})


def attempt_answered(draft: Draft, message: AttemptAnswered) -> None:
    """Record the outcome of an attempt; an answer to one that is over changes nothing."""
    attempt = draft.state.attempt
    if attempt is None or attempt.attempt_id != message.attempt_id:
        raw = message.answer.raw if message.answer is not None else message.raw
        draft.note(events.LateAnswered(message.attempt_id, raw or message.outcome))
        return
    draft.end_turn()
    if message.answer is not None and message.outcome == "accepted":
        _accepted(draft, attempt, message.answer)
    elif message.outcome == "not_sent":
        _not_sent(draft, attempt, message)
    elif message.outcome == "rejected":
        _rejected(draft, attempt, message)
    else:
        _failed(draft, attempt, message)


def _accepted(draft: Draft, attempt: OpenAttempt, answer: Answer) -> None:
    seen = Spelled(draft.state, draft.now).interpret(answer)
    reads = [one for one in seen if isinstance(one, SetpointRead)]
    status = CommandStatus.COMPLETED
    evidence: str | None = "ack"
    reason: str | None = None
    found: Setpoint | None = None
    if draft.rules.verify == "readback" and _verifiable(attempt):
        if not reads:
            status, evidence = CommandStatus.ACKNOWLEDGED, None
        elif matches(reads[-1], attempt.setpoint):
            evidence = "readback"
        else:
            found = found_setpoint(reads[-1])
            status, evidence = CommandStatus.FAILED, "readback"
            reason = f"clamped: found {_text(reads[-1])}"
    draft.note(
        events.AttemptEnded(attempt.attempt_id, "accepted", status, answer.raw, reason, evidence)
    )
    if found is None:
        keep_alive(draft, attempt)
    else:
        draft.note(events.DeviceChanged(found))
        _block_rest(draft, attempt)
    observe_all(draft, tuple(one for one in seen if not isinstance(one, SetpointRead)))


def _verifiable(attempt: OpenAttempt) -> bool:
    return attempt.setpoint is not None and attempt.setpoint != RELEASED


def matches(read: SetpointRead, wanted: Setpoint | None) -> bool:
    """Return whether a device holds a setpoint, within its step; channels not told count."""
    if wanted is None:
        return False
    pairs = ((read.charge_kw, wanted.charge_w), (read.discharge_kw, wanted.discharge_w))
    return all(
        found_kw is None or abs(found_kw * 1_000 - (want_w or 0)) <= read.step_kw * 1_000 + 0.5
        for found_kw, want_w in pairs
    )


def found_setpoint(read: SetpointRead) -> Setpoint:
    """Return what a device says that it holds, in watts."""
    charge_w = None if read.charge_kw is None else to_w(read.charge_kw)
    discharge_w = None if read.discharge_kw is None else to_w(read.discharge_kw)
    return Setpoint(charge_w, discharge_w)


def _text(read: SetpointRead) -> str:
    return f"{read.charge_kw} kW charge, {read.discharge_kw} kW discharge"


def _not_sent(draft: Draft, attempt: OpenAttempt, message: AttemptAnswered) -> None:
    """Not an attempt at all: decided anew at once, later when it happens again."""
    work = draft.state.work
    order = _order(draft, attempt)
    unsent = order.unsent if order is not None else work.unsent if work is not None else 0
    again_us = draft.now.device_us + US_PER_S if unsent else None
    draft.note(
        events.AttemptEnded(
            attempt.attempt_id,
            "not_sent",
            CommandStatus.PENDING,
            message.raw,
            message.reason,
            retry_at_us=again_us,
        )
    )


def _rejected(draft: Draft, attempt: OpenAttempt, message: AttemptAnswered) -> None:
    """A refusal is not repeated in the same form: the next form, or FAILED."""
    form = None
    if _tries_left(draft, attempt) and message.reason != "unsupported":
        form = _next_form(draft, attempt)
    status = CommandStatus.FAILED if form is None else CommandStatus.PENDING
    answer = message.answer
    reason = message.reason or (answer.reason if answer is not None else None) or "rejected"
    draft.note(
        events.AttemptEnded(
            attempt.attempt_id,
            "rejected",
            status,
            message.raw if answer is None else answer.raw,
            reason,
            next_form=form,
        )
    )
    if form is None:
        _block_rest(draft, attempt)


def _next_form(draft: Draft, attempt: OpenAttempt) -> int | None:
    work = draft.state.work
    if attempt.setpoint is None or work is None or not work.steps:
        return None
    form = attempt.form + 1
    spelled = Spelled(draft.state, draft.now)
    numbers = (attempt.attempt_id, attempt.number, form, draft.rules.failsafe_after_s)
    try:
        spell_step(spelled, work.steps[0], numbers)
    except Untranslatable:
        return None
    return form


def _failed(draft: Draft, attempt: OpenAttempt, message: AttemptAnswered) -> None:
    """An error, or an outcome that is not known: again after a while, as long as it may."""
    unknown = message.outcome in NOT_KNOWN
    again_us = None
    if _tries_left(draft, attempt) and not _is_final(attempt, unknown=unknown):
        wait_us = backoff_us(attempt.number, draft.rules.retry_backoff_factor)
        again_us = draft.now.device_us + wait_us
    status = CommandStatus.PENDING
    if again_us is None and not _reconcilable(attempt, unknown=unknown):
        status = CommandStatus.TIMED_OUT if unknown else CommandStatus.FAILED
    answer = message.answer
    draft.note(
        events.AttemptEnded(
            attempt.attempt_id,
            message.outcome,
            status,
            message.raw if answer is None else answer.raw,
            message.reason,
            retry_at_us=again_us,
        )
    )
    if status is not CommandStatus.PENDING:
        _block_rest(draft, attempt)


def _is_final(attempt: OpenAttempt, *, unknown: bool) -> bool:
    return attempt.type is CommandType.CALL or (unknown and attempt.type in _TRANSACTIONAL)


def _reconcilable(attempt: OpenAttempt, *, unknown: bool) -> bool:
    return unknown and attempt.type in _TRANSACTIONAL


def _tries_left(draft: Draft, attempt: OpenAttempt) -> bool:
    return attempt.number <= draft.rules.max_retries


def _order(draft: Draft, attempt: OpenAttempt) -> Order | None:
    for order in draft.state.orders:
        if order.command_id in attempt.command_ids:
            return order
    return None


def _block_rest(draft: Draft, attempt: OpenAttempt) -> None:
    """The second half of a pair does not go when the first failed."""
    before = draft.before.work
    if attempt.setpoint is None:
        return
    if before is None or len(before.steps) < 2:  # noqa: PLR2004 - a pair has two halves
        return
    rest = tuple(i for step in before.steps[1:] for i in step.command_ids)
    draft.note(events.CommandCancelled(rest, "blocked"))


def question_answered(draft: Draft, message: QuestionAnswered) -> None:
    """Record what the device said that it holds, after an attempt of unknown outcome."""
    draft.end_turn()
    state = draft.state
    reads: list[SetpointRead] = []
    if message.answer is not None and message.answer.outcome == "accepted":
        seen = Spelled(state, draft.now).interpret(message.answer)
        reads = [one for one in seen if isinstance(one, SetpointRead)]
    attempt = state.unknown
    if attempt is not None and attempt.attempt_id == message.attempt_id:
        _reconcile(draft, attempt, reads)
    elif state.work is not None and state.work.verifying == message.attempt_id:
        _verify(draft, state.work, reads)


def _reconcile(draft: Draft, attempt: OpenAttempt, reads: list[SetpointRead]) -> None:
    if not reads or attempt.setpoint == RELEASED:
        no_answer(draft, attempt.attempt_id)
        return
    if matches(reads[-1], attempt.setpoint):
        draft.note(
            events.AttemptReconciled(
                attempt.attempt_id,
                attempt.command_ids,
                "holds",
                CommandStatus.COMPLETED,
                evidence="readback" if _is_battery(draft) else "composite",
            )
        )
        keep_alive(draft, attempt)
        return
    draft.note(
        events.AttemptReconciled(
            attempt.attempt_id,
            attempt.command_ids,
            "differs",
            CommandStatus.PENDING,
            reason=_text(reads[-1]),
        ),
        events.DeviceChanged(found_setpoint(reads[-1])),
    )


def _verify(draft: Draft, work: Work, reads: list[SetpointRead]) -> None:
    step = work.steps[0]
    if not reads:
        no_answer(draft, work.verifying or "")
    elif matches(reads[-1], step.setpoint):
        draft.note(events.CommandVerified(step.command_ids, CommandStatus.COMPLETED, "readback"))
    else:
        keep_no_more(draft)
        draft.note(
            events.CommandVerified(
                step.command_ids,
                CommandStatus.FAILED,
                "readback",
                f"clamped: found {_text(reads[-1])}",
                found_setpoint(reads[-1]),
            )
        )


def _is_battery(draft: Draft) -> bool:
    return draft.rules.kind is AssetKind.BATTERY
