"""``decide``: what happens, and what is to be done, when an asset is told something."""

from typing import Final, assert_never

from engine import events
from engine.asset import messages
from engine.asset.answers import attempt_answered, question_answered
from engine.asset.compliance import tell
from engine.asset.deadlines import attempt_guard_us, end_what_is_over, retire
from engine.asset.draft import Draft
from engine.asset.effects import Effect, OfferTaken, Respond, Stopped
from engine.asset.excess import watch
from engine.asset.granting import claim
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
from engine.errors import CommandRefused
from engine.types import Instant

_BY_HAND: Final = (
    messages.CommandRequested,
    messages.OverrideRequested,
    messages.OverrideCleared,
    messages.AttemptAnswered,
    messages.QuestionAnswered,
    messages.SlotGranted,
    messages.Stopping,
)
"""What an asset that is given up still acts on: a person's word and what follows from it."""


def decide(
    state: AssetState, message: messages.Message, now: Instant
) -> tuple[tuple[events.AssetEvent, ...], tuple[Effect, ...]]:
    """Return the events that a message makes happen, and the effects to carry out after commit.

    Total and pure: the same state, message and instant always give the same. What a message says
    beside the fold (``engine.asset.outside.noted``) is in ``state`` already.
    """
    draft = decided(state, message, now)
    return tuple(draft.events), tuple(draft.effects)


def decided(state: AssetState, message: messages.Message, now: Instant) -> Draft:
    """Return what `decide` returns as a draft: its state is the one after the events.

    An actor takes that state over at the commit instead of evolving once more.
    """
    draft = Draft(state, now)
    if state.outside.unreadable is not None:
        _refuse(draft, message, state.outside.unreadable)
    elif state.rules is None and not isinstance(message, messages.Configured):
        _refuse(draft, message, "not configured")
    else:
        _hear(draft, message)
        if draft.state.rules is not None:
            _guard_attempt(draft)
            end_what_is_over(draft)
            if _may_act(draft.state, message):
                advance(draft)
            if draft.state.outside.tally is not None:
                tell(draft, draft.state.outside.tally)
    settle_slot(draft)
    if draft.state.outside.grant is not None:
        if draft.state.outside.unreadable is None:
            watch(draft)
        claim(draft, again=isinstance(message, messages.Woke))
    return draft


def _may_act(state: AssetState, message: messages.Message) -> bool:
    """Return whether to go on by oneself: a crash is put on record before it may happen again."""
    if state.outside.closing:
        return False
    if state.device.failed:
        return isinstance(message, _BY_HAND)
    return not isinstance(message, messages.Crashed)


def _refuse(draft: Draft, message: messages.Message, why: str) -> None:
    """An asset that cannot decide takes nothing; who asks is told why."""
    match message:
        case (
            messages.CommandRequested()
            | messages.OverrideRequested()
            | messages.OverrideCleared()
            | messages.CancelRequested()
        ):
            error = CommandRefused(f"{draft.state.asset_id} takes no command: {why}")
            draft.want(Respond(message.reply, error))
        case messages.PlanOffered():
            sequence = message.ref.sequence
            draft.want(OfferTaken(sequence, changed=False, rejected=why))
        case messages.Stopping():
            draft.want(Stopped())
        case messages.LinkClosing():
            draft.want(Respond(message.reply, None))
        case messages.SlotGranted():
            draft.decline_turn()
        case _:
            return


def _hear(draft: Draft, message: messages.Message) -> None:  # noqa: C901, PLR0912 - one case per message, each only hands on
    match message:
        case messages.Woke():
            return
        case messages.AttemptAnswered():
            attempt_answered(draft, message)
        case messages.Observed(observation=seen):
            observe(draft, seen)
        case messages.SlotGranted():
            draft.decline_turn()
        case messages.SlotWanted() | messages.NothingOffered():
            return
        case messages.Stopping() | messages.Granted():
            return
        case messages.LinkClosing():
            draft.want(Respond(message.reply, None))
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
        case messages.LinkFailed(error=error):
            draft.note(events.LinkFailed(error))
        case _:
            assert_never(message)


def _configured(draft: Draft, message: messages.Configured) -> None:
    if message.rules is None:
        if draft.state.rules is not None:
            retire(draft)
            draft.note(events.AssetRetired())
    elif message.rules != draft.state.rules:
        draft.note(events.AssetConfigured(message.rules))


def _recovered(draft: Draft, message: messages.Recovered) -> None:
    device = draft.state.device
    told = device.connected or device.state_known or device.failed
    if told or draft.state.attempt is not None:
        draft.note(events.AssetRecovered(message.epoch))


def _crashed(draft: Draft, message: messages.Crashed) -> None:
    draft.note(
        events.ActorCrashed(
            message.message,
            message.error,
            draft.state.crashes + 1,
            message.set_aside,
            message.gave_up,
        )
    )
    attempt = draft.state.attempt
    if attempt is not None and attempt.attempt_id == message.unsure:
        reason = f"the engine failed on it ({message.error})"
        attempt_answered(
            draft, messages.AttemptAnswered(attempt.attempt_id, None, "unknown", reason=reason)
        )


def _guard_attempt(draft: Draft) -> None:
    """A link that never answers does not hold its asset for ever."""
    attempt, guard_us = draft.state.attempt, attempt_guard_us(draft.state)
    if attempt is None or guard_us is None or draft.now.device_us < guard_us:
        return
    silence = messages.AttemptAnswered(
        attempt.attempt_id, None, "timed_out", reason="the link gave no outcome"
    )
    attempt_answered(draft, silence)
