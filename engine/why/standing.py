"""How far a setpoint has come: sent, accepted, waiting, refused, in doubt."""

from typing import Final

from engine import events
from engine.asset.evidence import COMPOSITE, KNOWN, MEASURED, READBACK, STATUS
from engine.asset.holding import holds, known_holding
from engine.asset.interference import is_left_alone
from engine.asset.state import AssetState, GivenUp, Work
from engine.asset.wear import WRITE_BUDGET, WRITE_INTERVAL
from engine.codec import Record
from engine.commands import CommandStatus
from engine.types import Instant
from engine.why.story import Story
from engine.why.words import Words

_HELD: Final = {
    "offline": "the {device} cannot be reached",
    "stale": "nothing has been heard from the {device} lately",
    "faulted": "the {device} reports a fault",
    "unavailable": "the {device} says that it is out of service",
    WRITE_INTERVAL: "its register is kept in flash, and is not written again so soon",
    WRITE_BUDGET: "its register is kept in flash, and was written as often today as it may be",
}


def standing(story: Story, now: Instant, words: Words) -> str:
    """Return how far the newest decision has come."""
    state = story.state
    if state.attempt is not None:
        sent = words.time(_plan_us(story.outcome(events.AttemptStarted), now))
        return f"attempt {state.attempt.number} was sent at {sent}, and no answer is known yet"
    if state.unknown is not None:
        return f"{_doubt(story, words)}, and the {words.device} is asked before anything is sent"
    if state.work is not None:
        return _working(story, state.work, now, words)
    failed = _given_up(state, now)
    if failed is not None:
        return _failed(story, failed, words)
    return _settled(story, now, words)


def _working(story: Story, work: Work, now: Instant, words: Words) -> str:
    if work.held is not None:
        held = story.outcome(events.CommandHeld)
        reason = _HELD.get(work.held, work.held).format(device=words.device)
        if story.state.device.failed and work.held == "faulted":
            reason = "the engine has given it up"
        unused = story.unused()
        if work.held == "offline" and unused is not None:
            reason = f"{reason} ({unused.event.error})"
        return f"it has been waiting since {words.time(_plan_us(held, now))}: {reason}"
    if work.verifying is not None:
        accepted = words.time(_plan_us(story.outcome(events.AttemptEnded), now))
        return f"the {words.device} accepted it at {accepted}, and evidence is still being gathered"
    if work.doubt is not None:
        return f"{_doubt(story, words)}, and it is sent again"
    ended = story.outcome(events.AttemptEnded)
    if ended is not None and work.tries:
        return f"attempt {work.tries} {_outcome(ended.event)}, and it is tried again"
    return "it has not been sent yet"


def _doubt(story: Story, words: Words) -> str:
    ended = story.outcome(events.AttemptEnded)
    recovered = story.outcome(events.AssetRecovered)
    if recovered is not None and (ended is None or ended.header.version < recovered.header.version):
        return (
            "the engine was started again before the answer to its attempt was recorded, "
            "so nobody knows whether it was carried out"
        )
    how = "" if ended is None else f" ({ended.event.outcome})"
    when = "" if ended is None else f" at {words.time(ended.header.at_us)}"
    return f"the attempt ended without a usable answer{when}{how}"


def _given_up(state: AssetState, now: Instant) -> GivenUp | None:
    target = None if state.desired is None else state.desired.target
    for one in state.given_up:
        if one.target == target and (one.again_at_us is None or now.device_us < one.again_at_us):
            return one
    return None


def _failed(story: Story, failed: GivenUp, words: Words) -> str:
    again = "until something happens to the asset"
    if failed.again_at_us is not None:
        again = "for a while, unless something happens to the asset"
    return f"{_failure(story, words)}, and it is not tried again {again}"


def _failure(story: Story, words: Words) -> str:
    for record in reversed(story.outcomes):
        match record.event:
            case events.AttemptEnded() as ended:
                when = words.time(record.header.at_us)
                return f"the last attempt {_outcome(ended)} at {when}"
            case events.CommandVerified(reason=reason):
                return f"it failed ({reason})"
            case events.CommandCancelled(reason=reason):
                return f"it was cancelled ({reason})"
            case _:
                continue
    return "it has failed before"


def _settled(story: Story, now: Instant, words: Words) -> str:
    state = story.state
    target = None if state.desired is None else state.desired.target
    if target is None or not holds(known_holding(state, now), target):
        changed = story.outcome(events.DeviceChanged)
        if changed is not None:
            found = words.setpoint(changed.event.found)
            return f"the {words.device} was found to hold {found} instead{_left(state, now, words)}"
        lost = "" if state.device.connected else ", and cannot be reached"
        return f"the {words.device} is not known to hold it{lost}"
    done = _done(story)
    if done is None:
        return f"the {words.device} held it already"
    when = words.time(done.header.at_us)
    how = ", ".join(filter(None, (done.event.evidence, done.event.reason)))
    if done.event.evidence == MEASURED:
        power = words.power(done.event.measured_w)
        return f"it was seen to take effect at {when} (measured {power})"
    asked_later = isinstance(done.event, events.CommandVerified)
    if asked_later and done.event.evidence in {COMPOSITE, READBACK}:
        return f"the {words.device} was found to have it at {when} ({how})"
    return f"the {words.device} accepted it at {when} ({how})"


def _left(state: AssetState, now: Instant, words: Words) -> str:
    """Return how long a device that another controller sets is left alone."""
    one = state.interference
    if not is_left_alone(state, now):
        return ""
    if one.again_at_us is None:
        return ", and is left alone until the next planned change or a person's word"
    until = words.time(one.again_at_us)
    return f", and is left alone until {until}, as it was set again too often already"


def _done(story: Story) -> Record | None:
    """Return the event that ended the newest decision's commands well."""
    for record in reversed(story.outcomes):
        event = record.event
        is_done = getattr(event, "status", None) is CommandStatus.COMPLETED
        if is_done and event.evidence not in {KNOWN, STATUS}:
            return record
    return None


_OUTCOMES: Final = {
    "rejected": "was refused",
    "error": "was answered with an error",
    "timed_out": "was not answered in time",
    "link_lost": "was cut off",
    "not_sent": "was not sent",
    "accepted": "was accepted without effect",
    "unknown": "had no outcome that can be known",
}


def _outcome(event: events.AttemptEnded) -> str:
    """Return an attempt's outcome, with the device's own words where there are any."""
    said = event.reason if event.outcome == "accepted" else event.answer or event.reason
    return _OUTCOMES[event.outcome] + (f" ({said})" if said else "")


def _plan_us(record: Record | None, now: Instant) -> int:
    return now.plan_us if record is None else record.header.at_us
