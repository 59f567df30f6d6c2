"""The steps of a decision: one command each on a charger, up to two in order on a battery."""

from typing import Final, TypeAlias

from engine import events
from engine.asset.desire import Desire
from engine.asset.draft import Draft
from engine.asset.granting import is_unanswered
from engine.asset.holding import known_holding
from engine.asset.ids import command_id
from engine.commands import Cause, CauseKind, CommandType
from engine.events import RELEASED, Setpoint, Step
from engine.types import AssetKind, Channel, CommandId

Planned: TypeAlias = dict[Channel, CommandId | None]
"""The channels that planned changes set, each with its command's id; null: a new one is needed."""

_RATES: Final = {
    Channel.CHARGE: CommandType.SET_CHARGE_RATE,
    Channel.DISCHARGE: CommandType.SET_DISCHARGE_RATE,
}


def commands_by_channel(steps: tuple[Step, ...]) -> Planned:
    """Return which command sets which channel; a step is named after the last of its commands."""
    found: Planned = {}
    for step in steps:
        *others, last = step.command_ids
        charges = step.type is CommandType.SET_CHARGE_RATE
        own, other = Channel.CHARGE, Channel.DISCHARGE
        if not charges:
            own, other = other, own
        found[own] = last
        for one in others:
            found[other] = one
    return found


class StepMaker:
    """Makes the steps, and the commands outside the plan that they need (``created``).

    The command that came with an override serves it once; later commands are new ones.
    """

    def __init__(self, draft: Draft, want: Desire, kind: CauseKind, before: int) -> None:
        """Begin; so many events go ``before`` those of the new commands."""
        self.created: list[events.AssetEvent] = []
        self._draft = draft
        self._target = want.target
        self._asked = None if want.cut is None else want.cut.asked
        self._kind = kind
        self._first_version = draft.next_version + before
        override = draft.state.override
        asked = override is not None and not override.used and want.source == "override"
        self._own = override if asked else None
        self._instead: Planned = {}
        """A release that a site limit made a setpoint: its command sets that instead."""
        if self._own is not None and self._own.target == RELEASED != want.target:
            channel = Channel.DISCHARGE if want.target.discharge_w else Channel.CHARGE
            self._instead[channel], self._own = self._own.command_id, None

    def steps(self, planned: Planned, *, known: bool) -> tuple[Step, ...]:
        """Return the steps; of what is ``known`` to hold, only those that were planned."""
        if known and not planned:
            return ()
        planned = {**self._instead, **planned}
        if self._own is not None and self._own.command_type not in _RATES.values():
            value_w = None if self._target == RELEASED else 0
            return (self._step((self._own.command_id,), self._own.command_type, value_w),)
        if self._target == RELEASED:
            made = self._new(CommandType.RELEASE, None)
            return (self._step((made,), CommandType.RELEASE, None),)
        if self._draft.rules.kind is AssetKind.EV_CHARGER:
            made = self._command(planned, Channel.CHARGE)
            return (self._step((made,), CommandType.SET_CHARGE_RATE, self._watts(Channel.CHARGE)),)
        return self._battery_steps(planned, known=known)

    def _battery_steps(self, planned: Planned, *, known: bool) -> tuple[Step, ...]:
        channels = set(planned) if known else self._needed(planned)
        order = sorted(channels, key=lambda channel: (self._watts(channel) > 0, channel))
        ids = tuple(self._command(planned, channel) for channel in order)
        last = order[-1]
        if len(order) == 1 or (self._draft.rules.shared_register and not self._is_half_granted()):
            return (self._step(ids, _RATES[last], self._watts(last)),)
        first = order[0]
        half = Step(ids[:1], _RATES[first], self._watts(first), self._halfway(first))
        return (half, self._step(ids[1:], _RATES[last], self._watts(last)))

    def _is_half_granted(self) -> bool:
        """Return whether a half is still to be granted: then it is no part of the first frame."""
        grant, asked = self._draft.state.outside.grant, self._asked
        if grant is None or asked is None:
            return False
        return is_unanswered(asked, self._draft.rules, grant)

    def _needed(self, planned: Planned) -> set[Channel]:
        """Return the channels to set: the planned ones, and those known to hold something else."""
        held = known_holding(self._draft.state, self._draft.now)
        needed = set(planned)
        for channel, held_w in zip(Channel, (held.charge_w, held.discharge_w), strict=True):
            watts = self._watts(channel)
            if watts > 0 if held_w is None else held_w != watts:
                needed.add(channel)
        if self._own is not None:
            charges = self._own.command_type is CommandType.SET_CHARGE_RATE
            needed.add(Channel.CHARGE if charges else Channel.DISCHARGE)
        if not needed:
            needed.add(Channel.DISCHARGE if self._target.discharge_w else Channel.CHARGE)
        return needed

    def _halfway(self, first: Channel) -> Setpoint:
        """Return the pair between the two steps: the second channel still holds what it held."""
        held = known_holding(self._draft.state, self._draft.now)
        if first is Channel.CHARGE:
            return Setpoint(self._watts(first), held.discharge_w or 0)
        return Setpoint(held.charge_w or 0, self._watts(first))

    def _watts(self, channel: Channel) -> int:
        pair = (self._target.charge_w, self._target.discharge_w)
        return pair[channel] or 0

    def _step(self, ids: tuple[CommandId, ...], kind: CommandType, value_w: int | None) -> Step:
        return Step(ids, kind, value_w, self._target)

    def _command(self, planned: Planned, channel: Channel) -> CommandId:
        """Return the id of a channel's command: the planned, the override's own or a new one."""
        found = planned.get(channel)
        if found is not None:
            return found
        kind = _RATES[channel]
        if self._own is not None and self._own.command_type is kind:
            return self._own.command_id
        return self._new(kind, self._watts(channel))

    def _new(self, kind: CommandType, value_w: int | None) -> CommandId:
        state = self._draft.state
        version = self._first_version + len(self.created)
        made = command_id(state.asset_id, state.outside.epoch, version)
        against = self._kind is CauseKind.REASSERT and state.interference.answering
        cause = Cause(self._kind, reason="another controller" if against else None)
        due_us = self._draft.now.plan_us
        self.created.append(events.CommandCreated(made, kind, value_w, cause, due_us, None))
        return made
