"""What people ask for by hand, from their words to commands and setpoints."""

from typing import Final

from engine.commands import CommandType
from engine.errors import CommandRefused
from engine.events import RELEASED, Setpoint
from engine.rules import AssetRules
from engine.types import AssetKind, to_w

_MOST_KW: Final = 1e9  # beyond any grid; a float above it need not fit an integer of watts


def check_schedule_id(schedule_id: str | None) -> None:
    """Refuse a schedule id that is none.

    Raises:
        CommandRefused: it does not begin with ``sch_`` or has other characters than names have.
    """
    if schedule_id is None:
        return
    rest = schedule_id.removeprefix("sch_")
    if rest == schedule_id or not rest.replace("_", "").replace("-", "").isalnum():
        raise CommandRefused(f"a schedule id is sch_ and letters, digits, - or _: {schedule_id!r}")


def command_type(name: str) -> CommandType:
    """Return a command type by its name, in any case.

    Raises:
        CommandRefused: there is none of this name.
    """
    try:
        return CommandType(name.upper())
    except ValueError:
        known = ", ".join(CommandType)
        raise CommandRefused(f"{name!r} is no command type; there are {known}") from None


def target_of(rules: AssetRules, wanted: CommandType, kw: float | None) -> Setpoint | None:
    """Return the setpoint that a command sends by hand, null for one that sets none.

    Raises:
        CommandRefused: it needs a power, in kW, and has none that is one.
    """
    if wanted is CommandType.RELEASE:
        return RELEASED
    if wanted is CommandType.STOP_CHARGING and rules.kind is AssetKind.BATTERY:
        return Setpoint(0, 0)
    if wanted not in {CommandType.SET_CHARGE_RATE, CommandType.SET_DISCHARGE_RATE}:
        return None
    if kw is None or not 0 <= kw < _MOST_KW:
        raise CommandRefused(f"{wanted} needs a power of 0 kW or more, in kW")
    if wanted is CommandType.SET_DISCHARGE_RATE:
        return Setpoint(0, to_w(kw))
    return Setpoint(to_w(kw), 0)


def signed_target(rules: AssetRules, kw: float) -> Setpoint:
    """Return a power in kW, charging positive, as a setpoint.

    Raises:
        CommandRefused: it is no number, or below 0 on a charger.
    """
    if not -_MOST_KW < kw < _MOST_KW:
        raise CommandRefused("the power is not a number of kW")
    if kw < 0 and rules.kind is AssetKind.EV_CHARGER:
        raise CommandRefused(f"{rules.asset_id} is a charger: it cannot discharge")
    return Setpoint(to_w(kw), 0) if kw >= 0 else Setpoint(0, to_w(-kw))
