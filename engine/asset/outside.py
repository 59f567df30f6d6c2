"""What is known beside the fold: how messages and carried-out effects change it."""

from engine.adapters import base
from engine.asset import messages
from engine.asset.effects import Ask, Effect, ReleaseSlot, RequestSlot
from engine.asset.state import AssetState, Outside
from engine.events import Setpoint
from engine.types import Instant, to_us, to_w
from engine.values import replace


def noted(state: AssetState, message: messages.Message, now: Instant) -> AssetState:
    """Return the state with what a message says beside the fold; run before ``decide``."""
    outside = _noted(state.outside, message, now)
    return state if outside is state.outside else replace(state, outside=outside)


def _noted(outside: Outside, message: messages.Message, now: Instant) -> Outside:  # noqa: C901, PLR0911 - one case per message
    match message:
        case messages.AttemptAnswered(answer=answer):
            seen_us = outside.last_seen_us if answer is None else now.device_us
            return replace(outside, last_seen_us=seen_us)
        case messages.Observed(observation=seen):
            return _observed(outside, seen, now)
        case messages.SlotGranted():
            return replace(outside, slot="granted")
        case messages.QuestionAnswered():
            return replace(outside, asking=None)
        case messages.PlanOffered() if message.ref.sequence >= outside.sequence:
            return replace(
                outside,
                horizon_us=message.horizon_us,
                sequence=message.ref.sequence,
                offered=True,
            )
        case messages.NothingOffered():
            return replace(outside, offered=True)
        case messages.Stopping():
            return replace(outside, stopping=True)
        case messages.Recovered(epoch=epoch):
            return replace(outside, epoch=epoch)
        case _:
            return outside


def _observed(outside: Outside, seen: base.Observation, now: Instant) -> Outside:
    match seen:
        case base.Disconnected():
            return replace(outside, read=None, asking=None)
        case base.PowerMeasured():
            return _measured(outside, seen, now)
        case base.SetpointRead(charge_kw=charge_kw, discharge_kw=discharge_kw):
            if charge_kw is None or discharge_kw is None:
                return replace(outside, last_seen_us=now.device_us)
            read = Setpoint(to_w(charge_kw), to_w(discharge_kw))
            return replace(outside, read=read, last_seen_us=now.device_us)
        case base.LateAnswer():
            return outside
        case _:
            return replace(outside, last_seen_us=now.device_us)


def _measured(outside: Outside, seen: base.PowerMeasured, now: Instant) -> Outside:
    measured_us = now.device_us if seen.measured_at is None else to_us(seen.measured_at)
    power_w = outside.measured_w if seen.power_kw is None else to_w(seen.power_kw)
    power_us = outside.measured_at_us if seen.power_kw is None else measured_us
    if outside.measured_at_us is not None and measured_us < outside.measured_at_us:
        power_w, power_us = outside.measured_w, outside.measured_at_us
    soc_pct = outside.soc_pct if seen.soc_pct is None else seen.soc_pct
    return replace(
        outside,
        measured_w=power_w,
        measured_at_us=power_us,
        soc_pct=soc_pct,
        last_seen_us=now.device_us,
    )


def performed(state: AssetState, effect: Effect) -> AssetState:
    """Return the state after an effect was carried out."""
    match effect:
        case Ask(attempt_id=attempt_id):
            return replace(state, outside=replace(state.outside, asking=attempt_id))
        case RequestSlot():
            return replace(state, outside=replace(state.outside, slot="waiting"))
        case ReleaseSlot():
            return replace(state, outside=replace(state.outside, slot="idle"))
        case _:
            return state


def settled(state: AssetState) -> AssetState:
    """Return the state after the first decision since the start."""
    if not state.outside.fresh or not state.outside.offered:
        return state
    return replace(state, outside=replace(state.outside, fresh=False))
