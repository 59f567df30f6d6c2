"""From schedules to commands: what a schedule asks of which asset, and when."""

from collections.abc import Container, Iterable, Iterator, Mapping
from datetime import datetime
from operator import attrgetter
from typing import Final

import attrs

from engine.commands import Cause, CauseKind, Command, CommandType
from engine.intake import Intent
from engine.plans import Plan, PlannedChange, PlanRef, command_id
from engine.rules import AssetRules
from engine.types import AssetId, Channel, from_us, to_kw, to_us

_TYPES: Final = {
    Channel.CHARGE: CommandType.SET_CHARGE_RATE,
    Channel.DISCHARGE: CommandType.SET_DISCHARGE_RATE,
}


class DispatchEngine:
    """Turns schedules into commands, without a store and without a clock."""

    def __init__(self, assets: Iterable[AssetRules] | Mapping[AssetId, AssetRules]) -> None:
        rules = assets.values() if isinstance(assets, Mapping) else assets
        self._assets = {one.asset_id: one for one in rules}

    def schedule_to_commands(
        self,
        schedule: object,
        asset_map: Mapping[str, str] | None = None,
        now: datetime | None = None,
        *,
        intent: Intent | None = None,
    ) -> list[Command]:
        """Return the commands of a schedule in order of time, without ids.

        ``schedule`` is a frame (rows: slots; columns: kW) or has one as its ``schedule``, see
        ``engine.frames.read_schedule``. ``asset_map`` maps a vehicle id, ``battery`` or a battery's
        id to an asset id; ``intent`` says more of how the schedule is to be taken. Slots that are
        over at ``now`` (aware) are left out.

        Raises:
            ScheduleRefused: anything is wrong with it; all problems at once.
            ValueError: ``now`` has no time zone.
        """
        from engine.frames import read_schedule  # noqa: PLC0415 - it takes a while, with pandas

        intent = Intent() if intent is None else intent
        if asset_map is not None:
            intent = attrs.evolve(intent, asset_map=asset_map)
        now_us = None if now is None else to_us(now)
        intake = read_schedule(schedule, self._assets, intent, now_us=now_us)
        commands = [
            command
            for asset_id, plan in intake.plans.items()
            for command in expand(plan, None, intake.horizon_us, self._assets[asset_id])
        ]
        return sorted(commands, key=attrgetter("due_at"))


def expand(
    plan: Plan,
    ref: PlanRef | None,
    horizon_us: int,
    rules: AssetRules,
    skipped: Container[int] = (),
) -> Iterator[Command]:
    """Yield the commands of a plan in order, but for the changes that are ``skipped``.

    A command expires with its channel's next change, else at ``horizon_us`` (plan clock). Without
    ``ref`` there is no accepted schedule to name, and commands have no id.
    """
    for change in plan.changes():
        if change.index not in skipped:
            yield planned_command(plan, change, ref, horizon_us, rules)


def planned_command(
    plan: Plan, change: PlannedChange, ref: PlanRef | None, horizon_us: int, rules: AssetRules
) -> Command:
    """Return one change of a plan as a command, PENDING, before limits and the device's step."""
    following = plan.next_on_channel(change.index)
    expires_us = horizon_us if following is None else plan.change(following).due_us
    column = plan.columns[change.channel]
    return Command(
        id=None if ref is None else command_id(ref, change.index),
        asset_id=rules.asset_id,
        type=_TYPES[change.channel],
        value_kw=to_kw(change.watts),
        due_at=from_us(change.due_us),
        cause=Cause(
            CauseKind.SCHEDULE,
            slot_us=change.due_us,
            column=column or None,
            schedule_id=None if ref is None else ref.schedule_id,
        ),
        expires_at=from_us(expires_us),
        max_retries=rules.max_retries,
        timeout_s=rules.command_timeout_s,
    )
