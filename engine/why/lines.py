"""Events in a line each, for the chain of an explanation."""

from collections.abc import Mapping
from typing import Final, TypeAlias, assert_never

from engine import events
from engine.asset.external import FOUND, Limit
from engine.why.words import Words

Told: TypeAlias = (
    events.PlanReplaced
    | events.PlanCut
    | events.ScheduleExhausted
    | events.DepartureDetected
    | events.DepartureEnded
    | events.OverrideSet
    | events.OverrideEnded
    | events.SetpointDecided
    | events.AttemptStarted
    | events.AttemptEnded
    | events.AttemptReconciled
    | events.CommandVerified
    | events.CommandHeld
    | events.CommandCancelled
    | events.ConnectionChanged
    | events.StateChanged
    | events.DeviceChanged
    | events.ClockSkewed
    | events.ExternalLimitTold
    | events.PhasesMeasured
    | events.LateAnswered
    | events.AssetRecovered
    | events.ActorCrashed
    | events.ActorRecovered
    | events.LinkFailed
    | events.GrantExceeded
    | events.GrantKept
)
"""What a chain can be made of."""

_SOMEBODY: Final = "another controller"
_SOURCES: Final = {
    "EMS": "an energy management system",
    "SO": "the grid's operator",
    FOUND: "its own load management, or somebody else,",
}
_REACTIONS: Final[Mapping[events.Reaction, str]] = {
    "recorded": "",
    "set_again": ", and is set again",
    "left_alone": ", and is left alone",
    "given_in": ", as it should",
}


def told(event: Told, words: Words) -> str:  # noqa: C901, PLR0911, PLR0912 - one line per event
    """Return an event of an asset's stream in one line."""
    match event:
        case events.PlanReplaced():
            horizon = words.time(event.horizon_us)
            return f"took the plan of schedule {event.ref.schedule_id}, which ends at {horizon}"
        case events.PlanCut():
            span = f"{event.first} to {event.last - 1}"
            return f"planned changes {span} of schedule {event.schedule_id} ended {event.reason}"
        case events.ScheduleExhausted():
            return f"schedule {event.schedule_id} ended at {words.time(event.horizon_us)}"
        case events.DepartureDetected():
            return "the vehicle left early"
        case events.DepartureEnded():
            return "the vehicle was plugged in again"
        case events.OverrideSet():
            return f"{event.by} set {words.setpoint(event.target)} ({event.reason})"
        case events.OverrideEnded():
            return f"the override ended: {event.reason}"
        case events.SetpointDecided():
            return _decided(event.decision, words)
        case events.AttemptStarted():
            what = words.command(event.type, event.value_w)
            told_of = "" if event.decision is None else f"{_decided(event.decision, words)}; "
            return f"{told_of}attempt {event.number} began: {what}"
        case events.AttemptEnded():
            said = event.answer or event.reason or "no answer"
            return f"the attempt was {event.outcome}, so {event.status.value}: {said}"
        case events.AttemptReconciled():
            return f"the attempt was cleared up ({event.finding}): {event.status.value}"
        case events.CommandVerified():
            return f"{event.status.value} by {event.evidence}{_because(event.reason)}"
        case events.CommandHeld():
            return f"waits: {event.reason}"
        case events.CommandCancelled():
            return f"{event.status.value}: {event.reason}{_by(event.by)}"
        case events.ConnectionChanged():
            return "connected" if event.connected else f"lost{_because(event.reason)}"
        case events.StateChanged():
            return f"{event.source} became {event.target} ({event.raw})"
        case events.DeviceChanged():
            found = words.setpoint(event.found)
            return f"the device was found to hold {found}{_REACTIONS[event.reaction]}"
        case events.ClockSkewed():
            return clock(event.ahead_s)
        case events.ExternalLimitTold():
            critical = ", as the grid needs it" if event.is_critical else ""
            return f"{external(event, words)}{critical}"
        case events.PhasesMeasured():
            return f"the vehicle was found to charge on {event.phases} phase(s)"
        case events.LateAnswered():
            return f"an answer came late: {event.answer}"
        case events.AssetRecovered():
            return "an engine took the asset up again"
        case events.ActorCrashed():
            what = ", which is given up" if event.gave_up else ""
            return f"the engine failed on {event.message} ({event.error}){what}"
        case events.ActorRecovered():
            return f"{event.by} put it back to work ({event.reason})"
        case events.GrantExceeded():
            what = (
                f"{words.power(abs(event.power_w))} against {words.power(event.granted_w)} granted"
            )
            return f"above its grant ({event.how}): {what}"
        case events.GrantKept():
            return "within its grant again"
        case events.LinkFailed():
            return f"its link could not be opened ({event.error})"
        case _:
            assert_never(event)


def external(told: events.ExternalLimitTold | Limit, words: Words) -> str:
    """Return what somebody beside us limits a charger to."""
    who = _SOURCES.get(told.source, _SOMEBODY)
    if isinstance(told, events.ExternalLimitTold) and told.is_over:
        return f"{who} limits the {words.device} no longer"
    if told.limit is None:
        return f"{who} limits the {words.device}"
    limit = f"{told.limit:g} A" if told.unit == "A" else words.power(round(told.limit))
    return f"{who} limits the {words.device} to {limit}"


def clock(ahead_s: int) -> str:
    """Return how a device's clock stands."""
    if not ahead_s:
        return "the device's clock is right again"
    return f"the device's clock is {abs(ahead_s)} s {'ahead' if ahead_s > 0 else 'behind'}"


def _decided(decision: events.Decision, words: Words) -> str:
    cut = decision.cut
    if cut is None:
        return f"decided on {words.setpoint(decision.target)} by {decision.source}"
    asked = f"{words.setpoint(cut.asked)} by {decision.source}"
    return f"decided on {words.setpoint(decision.target)} by the {cut.direction} limit over {asked}"


def _because(reason: str | None) -> str:
    return f" ({reason})" if reason else ""


def _by(who: str | None) -> str:
    return f" by {who}" if who else ""
