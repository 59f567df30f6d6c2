"""What becomes of an attempt when its answer was none: the device is asked, or nobody knows."""

from typing import TypeAlias

from engine import events
from engine.adapters.base import Payload
from engine.asset.deadlines import answer_wait_us
from engine.asset.draft import Draft
from engine.asset.effects import Ask, Hasten
from engine.asset.spelling import Spelled
from engine.asset.state import OpenAttempt, Work
from engine.asset.view import open_commands
from engine.commands import CommandStatus, CommandType
from engine.types import CommandId

Outcome: TypeAlias = events.AttemptEnded | events.AttemptReconciled | events.CommandVerified
_FAILED = frozenset({CommandStatus.FAILED, CommandStatus.TIMED_OUT})
_BY_TRANSACTION = {CommandType.START_CHARGING: True, CommandType.STOP_CHARGING: False}
_UNREPEATABLE = frozenset({*_BY_TRANSACTION, CommandType.CALL})


def clear_up(draft: Draft) -> None:
    """Reconcile an attempt whose outcome is not known, before anything new is sent."""
    attempt = draft.state.unknown
    if attempt is None or not draft.state.device.connected:
        return
    if attempt.setpoint is None:
        _clear_up_order(draft, attempt)
    elif draft.asking is None and not ask(draft, attempt.attempt_id, draft.rules.command_timeout_s):
        inconclusive(draft, attempt, "no_answer")
    elif draft.slot == "granted" and draft.state.work is not None:
        draft.want(Hasten())  # its setpoint waits for that, and may go again all the same


def ask(draft: Draft, about: str, timeout_s: float) -> bool:
    """Ask the device what it holds, once it is our turn; return whether it can be asked."""
    return put(draft, about, Spelled(draft.state, draft.now).questions(), timeout_s)


def put(draft: Draft, about: str, questions: tuple[Payload, ...], timeout_s: float) -> bool:
    """Put a question, once it is our turn; return whether there is one."""
    if not questions:
        return False
    if draft.slot != "granted":
        draft.queue()
        return True
    draft.asking = about
    now_us = draft.now.device_us
    until_us = now_us + answer_wait_us(timeout_s, len(questions[0].frames))
    draft.want(Ask(about, questions[0], timeout_s, until_us, now_us))
    return True


def unproven(draft: Draft, work: Work) -> None:
    """Believe a device that has accepted a setpoint and cannot say what it holds."""
    ids = work.steps[0].command_ids
    draft.note(events.CommandVerified(ids, CommandStatus.COMPLETED, "ack", "no evidence"))


def inconclusive(
    draft: Draft, attempt: OpenAttempt, finding: str, found: str | None = None
) -> None:
    """Record that an attempt has not been seen to work: its command goes again, if it still may.

    Absolute setpoints are no stronger the second time; START, STOP and CALL are not repeated.
    """
    ids = still_open(draft, attempt)
    may_repeat = attempt.type not in _UNREPEATABLE and attempt.number <= draft.rules.max_retries
    status, reason = CommandStatus.PENDING, found
    if ids and not may_repeat:
        status, reason = CommandStatus.TIMED_OUT, "unknown"
    settle(draft, events.AttemptReconciled(attempt.attempt_id, ids, finding, status, reason))


def settle(draft: Draft, outcome: Outcome) -> None:
    """Record an outcome; when it ends the first half of a pair badly, the second does not go."""
    work = draft.state.work
    draft.note(outcome)
    if outcome.status in _FAILED and work is not None and draft.state.work is None:
        rest = tuple(i for step in work.steps[1:] for i in step.command_ids)
        if rest:
            draft.note(events.CommandCancelled(rest, "blocked"))


def still_open(draft: Draft, attempt: OpenAttempt) -> tuple[CommandId, ...]:
    """Return the commands of an attempt that have not come to their end in the meantime."""
    now_open = open_commands(draft.state)
    return tuple(one for one in attempt.command_ids if one in now_open)


def _clear_up_order(draft: Draft, attempt: OpenAttempt) -> None:
    """START and STOP are never repeated blindly: is there a transaction?"""
    device = draft.state.device
    ids = still_open(draft, attempt)
    if ids and not device.state_known:
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
        inconclusive(draft, attempt, "no_answer")
