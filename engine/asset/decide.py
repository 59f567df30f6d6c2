"""``decide``: what happens, and what is to be done, when an asset is told something."""

from typing import assert_never

from engine import events
from engine.asset import messages
from engine.asset.answers import attempt_answered, question_answered
from engine.asset.deadlines import attempt_guard_us, end_what_is_over
from engine.asset.draft import Draft
from engine.asset.effects import Effect
from engine.asset.offers import plan_offered
from engine.asset.reports import observe
from engine.asset.requests import (
    cancel_requested,
    command_requested,
    override_cleared,
    override_requested,
)
from engine.asset.sending import advance, settle_slot
from engine.asset.state import AssetState
from engine.types import Instant


def decide(
    state: AssetState, message: messages.Message, now: Instant
) -> tuple[tuple[events.AssetEvent, ...], tuple[Effect, ...]]:
    """Return the events that a message makes happen, and the effects to carry out after commit.

    Total and pure: the same state, message and instant always give the same. What a message says
    beside the fold (``engine.asset.outside.noted``) is in ``state`` already.
    """
    draft = Draft(state, now)
    if state.rules is not None or isinstance(message, messages.Configured):
        _hear(draft, message)
        if draft.state.rules is not None:
            _guard_attempt(draft, message)
            end_what_is_over(draft)
            advance(draft)
        settle_slot(draft)
    return tuple(draft.events), tuple(draft.effects)


def _hear(draft: Draft, message: messages.Message) -> None:  # noqa: C901, PLR0912 - one case per message, each only hands on
    match message:
        case messages.Woke() | messages.SlotGranted() | messages.NothingOffered():
            return
        case messages.Stopping():
            return
        case messages.AttemptAnswered():
            attempt_answered(draft, message)
        case messages.Observed(observation=seen):
            observe(draft, seen)
        case messages.PlanOffered():
            plan_offered(draft, message)
        case messages.QuestionAnswered():
            question_answered(draft, message)
        case messages.CommandRequested():
            command_requested(draft, message)
        case messages.OverrideRequested():
            override_requested(draft, message)
        case messages.OverrideCleared():
            override_cleared(draft, message)
        case messages.CancelRequested():
            cancel_requested(draft, message)
        case messages.Configured():
            _configured(draft, message)
        case messages.Recovered():
            _recovered(draft, message)
        case messages.Crashed():
            _crashed(draft, message)
        case _:
            assert_never(message)


def _configured(draft: Draft, message: messages.Configured) -> None:
    if message.rules is None:
        if draft.state.rules is not None:
            draft.note(events.AssetRetired())
    elif message.rules != draft.state.rules:
        draft.note(events.AssetConfigured(message.rules))


def _recovered(draft: Draft, message: messages.Recovered) -> None:
    if draft.state.device.connected or draft.state.attempt is not None:
        draft.note(events.AssetRecovered(message.epoch))


def _crashed(draft: Draft, message: messages.Crashed) -> None:
    draft.note(
        events.ActorCrashed(
            message.message,
            message.error,
            draft.state.crashes + message.count,
            message.set_aside,
            message.gave_up,
        )
    )


def _guard_attempt(draft: Draft, message: messages.Message) -> None:
    """A link that never answers does not hold its asset for ever."""
    guard_us = attempt_guard_us(draft.state)
    attempt = draft.state.attempt
    if attempt is None or guard_us is None or draft.now.device_us < guard_us:
        return
    if isinstance(message, messages.AttemptAnswered):
        return
    silence = messages.AttemptAnswered(
        attempt.attempt_id, None, "timed_out", reason="the link gave no outcome"
    )
    attempt_answered(draft, silence)
