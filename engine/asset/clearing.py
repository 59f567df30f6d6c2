"""What becomes of an attempt when its answer was none: the device is asked, or nobody knows."""

from typing import TypeAlias

from engine import events
from engine.asset.deadlines import answer_wait_us
from engine.asset.draft import Draft
from engine.asset.effects import Ask
from engine.asset.spelling import Spelled
from engine.asset.state import OpenAttempt
from engine.asset.view import open_commands
from engine.commands import CommandStatus, CommandType
from engine.types import CommandId

Outcome: TypeAlias = events.AttemptEnded | events.AttemptReconciled | events.CommandVerified
_FAILED = frozenset({CommandStatus.FAILED, CommandStatus.TIMED_OUT})
_BY_TRANSACTION = {CommandType.START_CHARGING: True, CommandType.STOP_CHARGING: False}
_UNREPEATABLE = frozenset({*_BY_TRANSACTION, CommandType.CALL})


def clear_up(draft: Draft) -> None:
    """Reconcile an attempt whose outcome is not known, before anything new is sent."""
    state = draft.state
    attempt = state.unknown
    if attempt is None:
        return
    if attempt.setpoint is None:
        _clear_up_order(draft, attempt)
    elif state.device.connected and draft.asking is None:
        ask(draft, attempt.attempt_id)


def ask(draft: Draft, about: str) -> None:
    """Ask the device what it holds, or, where it cannot tell, go on without knowing."""
    state = draft.state
    spelled = Spelled(state, draft.now)
    questions = spelled.questions()
    if not questions:
        no_answer(draft, about)
    elif draft.slot == "granted":
        draft.asking = about
        wait_us = answer_wait_us(draft.rules, len(questions[0].frames))
        until_us = draft.now.device_us + wait_us
        draft.want(Ask(about, questions[0], draft.rules.command_timeout_s, until_us))
    else:
        draft.queue()


def no_answer(draft: Draft, about: str) -> None:
    """Record that the device could not say what it holds: absolute setpoints may go again."""
    state = draft.state
    attempt = state.unknown
    if attempt is not None and attempt.attempt_id == about:
        settle(draft, _inconclusive(draft, attempt, "no_answer"))
    elif state.work is not None and state.work.verifying == about:
        ids = state.work.steps[0].command_ids
        draft.note(events.CommandVerified(ids, CommandStatus.COMPLETED, "ack", "no evidence"))


def differs(draft: Draft, attempt: OpenAttempt, found: str) -> None:
    """Record that the device holds something else than an attempt of unknown outcome asked for."""
    settle(draft, _inconclusive(draft, attempt, "differs", found))


def settle(draft: Draft, outcome: Outcome) -> None:
    """Record an outcome; when it ends the first half of a pair badly, the second does not go."""
    work = draft.state.work
    draft.note(outcome)
    if outcome.status in _FAILED and work is not None and draft.state.work is None:
        rest = tuple(i for step in work.steps[1:] for i in step.command_ids)
        if rest:
            draft.note(events.CommandCancelled(rest, "blocked"))


def _inconclusive(
    draft: Draft, attempt: OpenAttempt, finding: str, found: str | None = None
) -> events.AttemptReconciled:
    """Return that an attempt has not been seen to work: its command goes again, if it still may."""
    ids = still_open(draft, attempt)
    may_repeat = attempt.type not in _UNREPEATABLE and attempt.number <= draft.rules.max_retries
    if may_repeat or not ids:
        status = CommandStatus.PENDING
        return events.AttemptReconciled(attempt.attempt_id, ids, finding, status, found)
    status = CommandStatus.TIMED_OUT
    return events.AttemptReconciled(attempt.attempt_id, ids, finding, status, "unknown")


def still_open(draft: Draft, attempt: OpenAttempt) -> tuple[CommandId, ...]:
    """Return the commands of an attempt that have not come to their end in the meantime."""
    now_open = open_commands(draft.state)
    return tuple(one for one in attempt.command_ids if one in now_open)


def _clear_up_order(draft: Draft, attempt: OpenAttempt) -> None:
    """START and STOP are never repeated blindly: is there a transaction?"""
    device = draft.state.device
    ids = still_open(draft, attempt)
    if not device.connected or (ids and not device.state_known):
        return
    running = device.transaction is not None
    if attempt.type in _BY_TRANSACTION and running is _BY_TRANSACTION[attempt.type]:
        status = CommandStatus.COMPLETED
        draft.note(
            events.AttemptReconciled(
                attempt.attempt_id, ids, "holds", status, evidence="transaction"
            )
        )
    else:
        draft.note(_inconclusive(draft, attempt, "no_answer"))
