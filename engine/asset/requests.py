"""What people ask of an asset: setpoints by hand, single commands, and taking either back."""

from typing import Final

from engine import events
from engine.asset.attempts import SETS_SETPOINT
from engine.asset.deadlines import over
from engine.asset.desire import is_zero
from engine.asset.draft import Draft
from engine.asset.effects import BackToWork, Respond
from engine.asset.ids import command_id, override_id
from engine.asset.messages import (
    CancelRequested,
    CommandRequested,
    OverrideCleared,
    OverrideRequested,
    Reply,
)
from engine.asset.orders import ORDER_LIFE_US
from engine.asset.programme import next_change_us
from engine.asset.state import AssetState
from engine.asset.view import open_commands
from engine.commands import Cause, CauseKind, CommandStatus, CommandType
from engine.errors import CommandRefused, UnknownCommand
from engine.events import RELEASED
from engine.types import US_PER_S, AssetKind, CommandId

_BY_HAND_US = 3_600 * US_PER_S
_PAUSE: Final = "resume"  # the end that makes an override a pause


def override_requested(draft: Draft, message: OverrideRequested) -> None:
    """Set an override; the one before it ends.

    A pause ends only by resume: nothing but another 0 takes its place, and that is a pause too.
    """
    problem = _problem(draft, message)
    if problem is not None:
        _refuse(draft, message.reply, problem)
        return
    state = draft.state
    ends, until_us = message.ends, _until_us(draft, message)
    if _is_paused(state):
        ends, until_us = _PAUSE, None
    if state.override is not None:
        over(draft, state.override, "replaced", message.by)
    epoch = state.outside.epoch
    own_command = command_id(state.asset_id, epoch, draft.next_version)
    cause = Cause(CauseKind(message.cause_kind), by=message.by, reason=message.reason)
    target = message.target
    value_w = None if target == RELEASED else (target.charge_w or target.discharge_w or 0)
    draft.note(
        events.CommandCreated(
            own_command, message.command_type, value_w, cause, draft.now.plan_us, until_us
        )
    )
    draft.note(
        events.OverrideSet(
            override_id(state.asset_id, epoch, draft.next_version),
            target,
            ends,
            until_us,
            message.by,
            message.reason,
            own_command,
            message.command_type,
            message.cause_kind,
        )
    )
    draft.want(Respond(message.reply, own_command))


def _is_paused(state: AssetState) -> bool:
    return state.override is not None and state.override.ends == _PAUSE


def _until_us(draft: Draft, message: OverrideRequested) -> int | None:
    """By hand: until the next planned change, one hour at most."""
    if message.ends != "next_change":
        return message.until_us
    latest_us = draft.now.plan_us + _BY_HAND_US
    following_us = next_change_us(draft.state.programme, draft.now.plan_us)
    return latest_us if following_us is None else min(following_us, latest_us)


def _problem(draft: Draft, message: OverrideRequested) -> str | None:
    rules = draft.rules
    target = message.target
    if _is_paused(draft.state) and not is_zero(target):
        return f"{rules.asset_id} is paused: resume it first"
    if message.ends == "unplugged" and rules.kind is AssetKind.BATTERY:
        return f"{rules.asset_id} is a battery, which nobody unplugs: say until when"
    charge_w, discharge_w = target.charge_w or 0, target.discharge_w or 0
    discharges = discharge_w or message.command_type is CommandType.SET_DISCHARGE_RATE
    if discharges and rules.kind is AssetKind.EV_CHARGER:
        return f"{rules.asset_id} is a charger: it cannot discharge"
    if charge_w > rules.max_charge_w:
        return f"{charge_w / 1_000} kW is above {rules.asset_id}'s {rules.max_charge_w / 1_000} kW"
    if discharge_w > rules.max_discharge_w:
        most_kw = rules.max_discharge_w / 1_000
        return f"{discharge_w / 1_000} kW is above {rules.asset_id}'s {most_kw} kW of discharge"
    return None


def _refuse(draft: Draft, reply: Reply, problem: str) -> None:
    draft.want(Respond(reply, CommandRefused(problem)))


def override_cleared(draft: Draft, message: OverrideCleared) -> None:
    """End the override by hand; ``resume`` ends only a pause, and nothing else ends that.

    ``resume`` also puts an asset back to work that was given up after crashes.
    """
    override = draft.state.override
    is_back = message.only == _PAUSE and draft.state.device.failed
    if is_back:
        draft.note(events.ActorRecovered(message.by, message.reason))
        draft.want(BackToWork())
    if override is None or (message.only is not None and override.ends != message.only):
        if is_back:
            draft.want(Respond(message.reply, draft.state.asset_id))
            return
        what = "is not paused" if message.only == _PAUSE else "has no override"
        _refuse(draft, message.reply, f"{draft.state.asset_id} {what}")
        return
    if message.only != _PAUSE and _is_paused(draft.state):
        _refuse(draft, message.reply, f"{draft.state.asset_id} is paused: resume it")
        return
    over(draft, override, "resumed" if message.only == _PAUSE else "cleared", message.by)
    draft.want(Respond(message.reply, override.override_id))


def command_requested(draft: Draft, message: CommandRequested) -> None:
    """Create a command that sets no setpoint."""
    state = draft.state
    if message.type in SETS_SETPOINT:
        _refuse(draft, message.reply, f"{message.type} sets a setpoint: it is an override")
        return
    if draft.rules.kind is AssetKind.BATTERY and message.type is CommandType.START_CHARGING:
        _refuse(draft, message.reply, f"{state.asset_id} is a battery: set a charge rate instead")
        return
    own_id = command_id(state.asset_id, state.outside.epoch, draft.next_version)
    cause = Cause(CauseKind.OPERATOR, by=message.by, reason=message.reason)
    arguments = dict(message.arguments)
    if message.type is CommandType.START_CHARGING:
        arguments.setdefault("id_tag", draft.rules.id_tag)
    draft.note(
        events.CommandCreated(
            own_id,
            message.type,
            None,
            cause,
            draft.now.plan_us,
            draft.now.device_us + ORDER_LIFE_US,
            message.priority,
            arguments,
        )
    )
    draft.want(Respond(message.reply, own_id))


def cancel_requested(draft: Draft, message: CancelRequested) -> None:
    """Cancel a command that has not gone on the wire, and the pair that it is half of."""
    state = draft.state
    if message.command_id not in open_commands(state):
        error = UnknownCommand(f"{message.command_id} is not open on {state.asset_id}")
        draft.want(Respond(message.reply, error))
        return
    problem = _why_not_cancelled(state, message.command_id)
    if problem is not None:
        _refuse(draft, message.reply, f"{message.command_id} {problem}")
        return
    ids = _cancelled_with(state, message.command_id)
    draft.note(events.CommandCancelled(ids, "operator", CommandStatus.CANCELLED, by=message.by))
    draft.want(Respond(message.reply, message.command_id))


def _cancelled_with(state: AssetState, command_id: CommandId) -> tuple[CommandId, ...]:
    """Return a command and, of the pair that it is half of, what has not begun."""
    work = state.work
    if work is None or command_id not in work.open_ids:
        return (command_id,)
    return tuple(one for one in work.open_ids if _why_not_cancelled(state, one) is None)


def _why_not_cancelled(state: AssetState, command_id: CommandId) -> str | None:
    work = state.work
    put_off = [one for one in state.orders if one.waits_since_us is not None]
    if any(one.command_id == command_id for one in put_off):
        return "was accepted already"
    if state.attempt is not None and command_id in state.attempt.command_ids:
        return "is on the wire"
    if state.unknown is not None and command_id in state.unknown.command_ids:
        return "may have been carried out: its outcome is not known yet"
    if work is not None and work.verifying and command_id in work.steps[0].command_ids:
        return "was accepted already"
    return None
