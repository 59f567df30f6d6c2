"""What a schedule would send: every command with its payload, and nothing recorded or sent."""

from collections.abc import Iterator, Mapping
from typing import Final

import attrs

from engine.adapters.base import AdapterPlugin, AssetView, Payload
from engine.asset.reported import PROTOCOL
from engine.commands import Attempt, Command
from engine.dispatch import planned_command
from engine.errors import Untranslatable
from engine.intake import Intake
from engine.plans import Plan
from engine.rules import AssetRules
from engine.types import AssetId, Channel, from_us, iso, to_kw, to_us

FIELDS: Final = (
    *("id", "asset_id", "type", "value_kw", "applied_kw", "due_at", "expires_at", "protocol"),
    *("payload", "problem"),
)
"""What `to_json` tells of a command."""


@attrs.frozen
class PlannedCommand:
    """One command of a schedule with what it would put on the wire.

    ``command`` has no id before its schedule is accepted. ``payload`` is null, and ``problem``
    says why, where the adapter cannot spell the command.
    """

    command: Command
    protocol: str
    payload: Payload | None
    problem: str | None = None

    @property
    def applied_kw(self) -> float | None:
        """What the value becomes on the device, in kW, rounded towards zero to its step."""
        return None if self.payload is None else self.payload.applied_kw


@attrs.frozen
class Dry:
    """What a dry run needs to know of one asset; ``capabilities`` as its device told them last."""

    rules: AssetRules
    options: object
    adapter: AdapterPlugin
    capabilities: Mapping[str, str] = attrs.field(factory=dict)


def dry_run(intake: Intake, assets: Mapping[AssetId, Dry]) -> tuple[PlannedCommand, ...]:
    """Return the commands of a schedule by due time, as on a store without events."""
    found = [
        one
        for asset_id, plan in intake.plans.items()
        for one in _of_asset(plan, assets[asset_id], intake.horizon_us)
    ]
    return tuple(sorted(found, key=lambda one: (one.command.due_at, one.command.asset_id)))


def _of_asset(plan: Plan, dry: Dry, horizon_us: int) -> Iterator[PlannedCommand]:
    held: dict[Channel, int | None] = {Channel.CHARGE: None, Channel.DISCHARGE: None}
    for change in plan.changes():
        command = planned_command(plan, change, None, horizon_us, dry.rules)
        charge_w, discharge_w = _pair_after(plan, change.index, held, change.channel)
        view = AssetView(
            dry.rules.asset_id,
            dry.rules.kind,
            "AVAILABLE",
            options=dry.options,
            capabilities=dry.capabilities,
            held_charge_kw=_kw(held[Channel.CHARGE]),
            held_discharge_kw=_kw(held[Channel.DISCHARGE]),
        )
        attempt = Attempt(
            "att_dry_run",
            1,
            0,
            from_us(change.due_us),
            dry.rules.failsafe_after_s,
            _kw(dry.rules.fallback_w),
            to_kw(charge_w),
            to_kw(discharge_w),
        )
        held = {Channel.CHARGE: charge_w, Channel.DISCHARGE: discharge_w}
        yield _spelled(dry, command, view, attempt)


def _pair_after(
    plan: Plan, index: int, held: Mapping[Channel, int | None], channel: Channel
) -> tuple[int, int]:
    """Return the pair that holds after one change: the other channel keeps what it had."""
    watts = plan.change(index).watts
    charge_w = watts if channel is Channel.CHARGE else held[Channel.CHARGE] or 0
    discharge_w = watts if channel is Channel.DISCHARGE else held[Channel.DISCHARGE] or 0
    return charge_w, discharge_w


def _spelled(dry: Dry, command: Command, view: AssetView, attempt: Attempt) -> PlannedCommand:
    assumed = getattr(dry.adapter, "protocol", dry.rules.adapter)
    protocol = dry.capabilities.get(PROTOCOL, str(assumed))
    try:
        payload = dry.adapter.translate(command, view, attempt)
    except Untranslatable as error:
        return PlannedCommand(command, protocol, None, str(error))
    return PlannedCommand(command, protocol, payload)


def _kw(power_w: int | None) -> float | None:
    return None if power_w is None else to_kw(power_w)


def to_json(planned: PlannedCommand) -> dict[str, object]:
    """Return one command as ``setpoint plan --json`` prints it."""
    command = planned.command
    frames = () if planned.payload is None else planned.payload.frames
    values = (
        command.id,
        command.asset_id,
        str(command.type),
        command.value_kw,
        planned.applied_kw,
        iso(to_us(command.due_at)),
        None if command.expires_at is None else iso(to_us(command.expires_at)),
        planned.protocol,
        [{"action": one.action, "body": one.body} for one in frames],
        planned.problem,
    )
    return dict(zip(FIELDS, values, strict=True))
