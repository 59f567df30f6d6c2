"""What an answer makes of an attempt and of the commands that it served."""

import itertools

from engine import events
from engine.adapters.base import Answer, Observation, SetpointRead
from engine.asset import evidence
from engine.asset.attempts import NOT_KNOWN
from engine.asset.clearing import inconclusive, settle
from engine.asset.draft import Draft
from engine.asset.gathering import take_answer
from engine.asset.holding import described, found_setpoint, matches
from engine.asset.keeping import keep_alive
from engine.asset.looking import ABOUT, take_look
from engine.asset.messages import AttemptAnswered, QuestionAnswered
from engine.asset.reports import done_after_all, observe_all
from engine.asset.spelling import Spelled, spell_step
from engine.asset.state import AssetState, OpenAttempt
from engine.asset.waiting import overtaken
from engine.commands import CommandStatus, CommandType
from engine.errors import Untranslatable
from engine.events import RELEASED, AttemptEnded, Setpoint
from engine.retry import backoff_us
from engine.types import US_PER_S, AssetKind

_COMPLETED = CommandStatus.COMPLETED
SCHEDULED = "scheduled"
"""The reason of what is acknowledged and done later."""
_TRANSACTIONAL = frozenset({CommandType.START_CHARGING, CommandType.STOP_CHARGING})


def attempt_answered(draft: Draft, message: AttemptAnswered) -> None:
    """Record the outcome of an attempt; an answer to one that is over changes nothing."""
    attempt = draft.state.attempt
    answer = message.answer
    raw = message.raw if answer is None else answer.raw
    if attempt is None or attempt.attempt_id != message.attempt_id:
        draft.note(events.LateAnswered(message.attempt_id, raw or message.outcome))
        return
    draft.end_turn()
    if message.outcome == "accepted":
        _accepted(draft, attempt, answer or Answer(raw or ""))
    elif message.outcome == "not_sent":
        _not_sent(draft, attempt, message)
    elif message.outcome == "rejected":
        _rejected(draft, attempt, message)
    else:
        _failed(draft, attempt, message)


def _accepted(draft: Draft, attempt: OpenAttempt, answer: Answer) -> None:
    seen = Spelled(draft.state, draft.now).interpret(answer)
    if attempt.type is CommandType.CHANGE_AVAILABILITY:
        _overtake(draft)
    ended, found = _judged(draft, attempt, answer, told(seen))
    settle(draft, ended)
    if found is None:
        keep_alive(draft, attempt)
    else:
        draft.note(events.DeviceChanged(found))
    if seen:
        observe_all(draft, tuple(one for one in seen if not isinstance(one, SetpointRead)))


def _judged(
    draft: Draft, attempt: OpenAttempt, answer: Answer, reads: list[SetpointRead]
) -> tuple[AttemptEnded, Setpoint | None]:
    """Return what an acceptance comes to, and what the device was found to hold instead."""
    own_id, setpoint, raw = attempt.attempt_id, attempt.setpoint, answer.raw
    wanted = evidence.wanted_of(draft.state, setpoint)
    if wanted == evidence.ACK or setpoint is None:
        if _is_put_off(draft, attempt, answer):
            return AttemptEnded(
                own_id, "accepted", CommandStatus.ACKNOWLEDGED, raw, SCHEDULED
            ), None
        is_short = draft.rules.verify == evidence.MEASURED and setpoint not in {None, RELEASED}
        reason = "nothing to measure" if is_short else None
        return AttemptEnded(own_id, "accepted", _COMPLETED, raw, reason, evidence.ACK), None
    if reads and not matches(reads[-1], setpoint):
        reason = f"clamped: found {described(reads[-1])}"
        status, kind = CommandStatus.FAILED, evidence.READBACK
        found = found_setpoint(reads[-1])
        return AttemptEnded(own_id, "accepted", status, raw, reason, kind), found
    if reads and wanted == evidence.READBACK:
        return AttemptEnded(own_id, "accepted", _COMPLETED, raw, None, wanted), None
    return AttemptEnded(own_id, "accepted", CommandStatus.ACKNOWLEDGED, raw), None


def _is_put_off(draft: Draft, attempt: OpenAttempt, answer: Answer) -> bool:
    """Return whether a device will be in or out of service later, as it says."""
    if attempt.type is not CommandType.CHANGE_AVAILABILITY:
        return False
    return Spelled(draft.state, draft.now).defers(answer)


def _overtake(draft: Draft) -> None:
    """A change of availability that was put off is replaced by the one that was accepted now."""
    for order in draft.state.orders:
        if order.waits_since_us is not None:
            draft.note(overtaken(order))


def told(seen: tuple[Observation, ...]) -> list[SetpointRead]:
    """Return the observations that say what a device holds, on one channel at least."""
    return [
        one
        for one in seen
        if isinstance(one, SetpointRead)
        and (one.released or one.charge_kw is not None or one.discharge_kw is not None)
    ]


def _told_by_reading(attempt: OpenAttempt) -> Setpoint | None:
    """Return the setpoint of an attempt that a reading can confirm; a release it cannot."""
    return None if attempt.setpoint == RELEASED else attempt.setpoint


def _not_sent(draft: Draft, attempt: OpenAttempt, message: AttemptAnswered) -> None:
    """Not an attempt at all: decided anew at once, later when it happens again."""
    again_us = draft.now.device_us + US_PER_S if _unsent(draft.state, attempt) else None
    draft.note(
        AttemptEnded(
            attempt.attempt_id,
            "not_sent",
            CommandStatus.PENDING,
            message.raw,
            message.reason,
            retry_at_us=again_us,
        )
    )


def _unsent(state: AssetState, attempt: OpenAttempt) -> bool:
    """Return whether the attempt before this one was not sent either."""
    if attempt.setpoint is not None:
        return state.work is not None and state.work.unsent > 0
    own_id = attempt.command_ids[0]
    return any(order.unsent > 0 for order in state.orders if order.command_id == own_id)


def _rejected(draft: Draft, attempt: OpenAttempt, message: AttemptAnswered) -> None:
    """A refusal is not repeated in the same form: the next form, or FAILED.

    A form that is left when the last attempt has failed goes with a command of its own. Where it is
    the default beneath that is refused, the setpoint goes in the same form without it.
    """
    form = None if message.reason == "unsupported" else _next_form(draft, attempt)
    if attempt.lowers_default and _is_of_default(attempt, message.answer):
        form = attempt.form
    goes_on = form is not None and _tries_left(draft, attempt)
    status = CommandStatus.PENDING if goes_on else CommandStatus.FAILED
    answer = message.answer
    reason = message.reason or (answer.reason if answer is not None else None) or "rejected"
    settle(
        draft,
        AttemptEnded(
            attempt.attempt_id,
            "rejected",
            status,
            message.raw if answer is None else answer.raw,
            reason,
            next_form=form,
        ),
    )


def _is_of_default(attempt: OpenAttempt, answer: Answer | None) -> bool:
    """Return whether a refusal is of the default: it goes first, and the first refusal ends it."""
    return len(attempt.payload.frames) > 1 and (answer is None or len(answer.values) <= 1)


def _next_form(draft: Draft, attempt: OpenAttempt) -> int | None:
    """Return the form to try next, null if there is none.

    What was refused before a boot, or for a transaction that has begun or ended since, says
    nothing of the form.
    """
    state, work = draft.state, draft.state.work
    if attempt.setpoint is None or work is None or not work.steps:
        return None
    if attempt.forgotten:
        form = state.first_form(attempt.setpoint)
    else:
        refused = {attempt.form, *(() if attempt.setpoint == RELEASED else state.refused)}
        form = next(one for one in itertools.count() if one not in refused)
    spelled = Spelled(state, draft.now)
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
    settle(
        draft,
        AttemptEnded(
            attempt.attempt_id,
            message.outcome,
            status,
            message.raw if answer is None else answer.raw,
            message.reason,
            retry_at_us=again_us,
        ),
    )


def _is_final(attempt: OpenAttempt, *, unknown: bool) -> bool:
    return attempt.type is CommandType.CALL or (unknown and attempt.type in _TRANSACTIONAL)


def _reconcilable(attempt: OpenAttempt, *, unknown: bool) -> bool:
    return unknown and attempt.type in _TRANSACTIONAL


def _tries_left(draft: Draft, attempt: OpenAttempt) -> bool:
    return attempt.number <= draft.rules.max_retries


def question_answered(draft: Draft, message: QuestionAnswered) -> None:
    """Record what the device said that it holds, after an attempt of unknown outcome."""
    state = draft.state
    answer = message.answer
    draft.end_turn()
    attempt, work = state.unknown, state.work
    is_of_unknown = attempt is not None and attempt.attempt_id == message.attempt_id
    is_of_charger = draft.rules.kind is AssetKind.EV_CHARGER
    is_given_up = evidence.goes_when_asked(state) and (is_of_unknown or is_of_charger)
    if answer is None and not state.device.connected and not is_given_up:
        return  # it is asked again when it is back
    reads: list[SetpointRead] = []
    if answer is not None and answer.outcome == "accepted":
        reads = told(Spelled(state, draft.now).interpret(answer))
    if attempt is not None and is_of_unknown:
        _reconcile(draft, attempt, reads)
        return
    if message.attempt_id == ABOUT and reads:
        take_look(draft, reads[-1])
        return
    verifying = None if work is None else work.verifying
    if work is None or verifying is None or verifying.attempt_id != message.attempt_id:
        return
    take_answer(draft, work, verifying, reads, answered=answer is not None or is_given_up)


def _reconcile(draft: Draft, attempt: OpenAttempt, reads: list[SetpointRead]) -> None:
    wanted = _told_by_reading(attempt)
    if not reads or wanted is None:
        inconclusive(draft, attempt, "no_answer")
    elif matches(reads[-1], wanted):
        done_after_all(draft, attempt)
    else:
        inconclusive(draft, attempt, "differs", described(reads[-1]))
        draft.note(events.DeviceChanged(found_setpoint(reads[-1])))
