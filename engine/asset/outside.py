"""What is known beside the fold: how messages and carried-out effects change it."""

from typing import Any

from msgspec.structs import replace

from engine.adapters import base
from engine.adapters.device_clock import Told
from engine.asset import messages
from engine.asset.above import above_since
from engine.asset.compliance import tallied
from engine.asset.effects import Ask, Claimed, Effect, ReleaseSlot, RequestSlot, Send, Stopped
from engine.asset.evse import is_elsewhere
from engine.asset.samples import sampled
from engine.asset.state import AssetState
from engine.types import Instant, to_us, to_w


def noted(state: AssetState, message: messages.Message, now: Instant) -> AssetState:
    """Return the state with what a message says beside the fold; run before ``decide``."""
    outside = state.outside
    changes: dict[str, Any] = {}
    match message:
        case messages.Woke():
            pass
        case messages.AttemptAnswered(answer=answer):
            changes = {} if answer is None else {"last_seen_us": now.device_us}
        case messages.Observed(observation=seen):
            changes = _observed(state, seen, now)
        case messages.PlanOffered(ref=ref):
            newest = max(outside.sequence, state.programme.sequence)
            changes = _offered(message) if ref.sequence >= newest else {}
        case _:
            changes = _noted(state, message)
    asked_until_us = outside.asking_until_us
    if asked_until_us is not None and now.device_us >= asked_until_us:
        changes = {**_NOT_ASKING, **changes}
    after = replace(state, outside=replace(outside, **changes)) if changes else state
    is_watched = after.outside.grant is not None and changes
    return _watched(after, now) if is_watched or outside.above_since_us is not None else after


def _watched(state: AssetState, now: Instant) -> AssetState:
    """Return the state with how long the power measured has been above the grant."""
    since_us = above_since(state, now)
    return replace(state, outside=replace(state.outside, above_since_us=since_us))


_NOT_ASKING: dict[str, Any] = {"asking": None, "asking_until_us": None}


def _noted(  # noqa: C901, PLR0911 - one case per message
    state: AssetState, message: messages.Message
) -> dict[str, Any]:
    match message:
        case messages.SlotGranted():
            return {} if state.outside.slot == "idle" else {"slot": "granted"}
        case messages.SlotWanted():
            return {"slot_wanted": state.outside.slot != "idle"}
        case messages.QuestionAnswered(answer=answer):
            is_lost = answer is None and not state.device.connected
            return {**_NOT_ASKING, "unheard": state.outside.unheard + 1 if is_lost else 0}
        case messages.NothingOffered():
            return {"offered": True}
        case messages.Stopping():
            return {"stopping": True}
        case messages.LinkClosing():
            return {"closing": True}
        case messages.Granted(grant=grant):
            return {"grant": grant}
        case messages.Recovered(epoch=epoch):
            return {"epoch": epoch}
        case _:
            return {}


def _offered(message: messages.PlanOffered) -> dict[str, Any]:
    return {
        "horizon_us": message.horizon_us,
        "sequence": message.ref.sequence,
        "offered": True,
    }


def _observed(  # noqa: PLR0911 - one case per observation
    state: AssetState, seen: base.Observation, now: Instant
) -> dict[str, Any]:
    match seen:
        case base.Disconnected():
            return {"read": None}
        case base.LateAnswer():
            return {}
        case base.PowerMeasured() if is_elsewhere(state.device, seen):
            return {}
        case base.PowerMeasured():
            return {**_measured(state, seen, now), "last_seen_us": now.device_us}
        case base.TransactionChanged(kind="ended", offline=False):
            return {"ended_us": now.device_us, "last_seen_us": now.device_us}
        case base.StateReported(reported_at=at) if at is not None:
            clock = state.outside.clock.after(_told(to_us(at), now))
            return {"clock": clock, "last_seen_us": now.device_us}
        case base.SetpointRead() if seen.is_whole:
            return {"read": seen, "last_seen_us": now.device_us}
        case _:
            return {"last_seen_us": now.device_us}


def _measured(state: AssetState, seen: base.PowerMeasured, now: Instant) -> dict[str, Any]:
    """Return the newest power, by the device's own time where it tells one."""
    outside = state.outside
    changes: dict[str, Any] = {}
    if seen.soc_pct is not None:
        changes["soc_pct"] = seen.soc_pct
    if seen.phases is not None:
        count, times = outside.phases_seen
        changes["phases_seen"] = (seen.phases, times + 1 if seen.phases == count else 1)
    if seen.power_kw is None:
        return changes
    stamp_us = None if seen.measured_at is None else to_us(seen.measured_at)
    clock = outside.clock
    if stamp_us is not None:
        changes["clock"] = after = clock.after(_told(stamp_us, now))
        clock = after if clock.ahead_s is None else clock  # it may be a sample that was kept
    sample = sampled(to_w(seen.power_kw), stamp_us, clock, now.device_us)
    if outside.sample is None or sample.taken_us >= outside.sample.taken_us:
        changes |= {"sample": sample, "tally": tallied(state, sample, now)}
    return changes


def _told(stamp_us: int, now: Instant) -> Told:
    """Return a time that a device told."""
    return Told(now.device_us, stamp_us - now.device_us)


def performed(state: AssetState, effect: Effect) -> AssetState:  # noqa: PLR0911 - one case per effect
    """Return the state after an effect was carried out."""
    match effect:
        case Send():
            return state
        case Ask(attempt_id=about, until_us=until_us, asked_us=asked_us):
            asking = replace(
                state.outside, asking=about, asking_until_us=until_us, asked_us=asked_us
            )
            return replace(state, outside=asking)
        case RequestSlot():
            return replace(state, outside=replace(state.outside, slot="waiting"))
        case ReleaseSlot():
            return replace(state, outside=replace(state.outside, slot="idle", slot_wanted=False))
        case Stopped():
            return replace(state, outside=replace(state.outside, stopped=True))
        case Claimed(claim=claim):
            return replace(state, outside=replace(state.outside, claimed=claim))
        case _:
            return state


def settled(state: AssetState) -> AssetState:
    """Return the state after a decision: the first since the start is over, unless it waits."""
    outside = state.outside
    if not outside.fresh or not outside.offered or outside.slot == "waiting":
        return state
    return replace(state, outside=replace(outside, fresh=False))
