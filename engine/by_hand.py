"""What people ask for by hand, from their words to commands and setpoints."""

import json
from collections.abc import Mapping
from datetime import datetime
from numbers import Real
from typing import Final, TypeGuard

import msgspec

from engine.commands import CommandType
from engine.errors import CommandRefused
from engine.events import RELEASED, Setpoint
from engine.rules import AssetRules
from engine.types import AssetKind, to_us, to_w

_MOST_KW: Final = 1e9  # beyond any grid; a float above it need not fit an integer of watts
_RATES: Final = frozenset({CommandType.SET_CHARGE_RATE, CommandType.SET_DISCHARGE_RATE})
_SENT: Final = tuple(one for one in CommandType if one is not CommandType.CALL)

_DEEPEST: Final = 32
"""As deep as a charge point's own frames may be."""


def check_words(by: object, reason: object) -> None:
    """Refuse who asks, or why, if it cannot go on record.

    Raises:
        CommandRefused: one of them is no text or has a lone surrogate, or nobody is named.
    """
    _check_text("by", by, needed=True)
    _check_text("reason", reason, needed=False)


def command_arguments(wanted: CommandType, operative: object) -> dict[str, object]:
    """Return the arguments of a command that sets no setpoint.

    Raises:
        CommandRefused: whether something is to be operative is neither true nor false.
    """
    if wanted is not CommandType.CHANGE_AVAILABILITY:
        return {}
    if not isinstance(operative, bool):
        raise CommandRefused(f"operative is true or false, not {operative!r}")
    return {"operative": operative}


def call_arguments(action: object, payload: Mapping[str, object]) -> dict[str, object]:
    """Return a CALL's arguments as they will be read from the log, and nobody else's to change.

    Raises:
        CommandRefused: the action is no text or empty, or the payload is no object that JSON can
            say.
    """
    _check_text("action", action, needed=True)
    if not isinstance(payload, Mapping):
        raise CommandRefused(f"the payload is an object, not {type(payload).__name__}")
    try:
        said = json.loads(json.dumps(dict(payload), allow_nan=False))
        msgspec.json.encode(said)  # what the log takes: no lone surrogate, no endless integer
    except (TypeError, ValueError, OverflowError, RecursionError) as error:
        raise CommandRefused(f"the payload is nothing that JSON can say: {error}") from error
    if _depth(said) > _DEEPEST:
        raise CommandRefused(f"the payload is more than {_DEEPEST} levels deep")
    return {"action": action, "payload": said}


def _check_text(name: str, value: object, *, needed: bool) -> None:
    if not isinstance(value, str):
        raise CommandRefused(f"{name} is text, not {type(value).__name__}")
    if needed and not value.strip():
        raise CommandRefused(f"{name} must not be empty")
    try:
        value.encode()
    except UnicodeEncodeError as error:
        raise CommandRefused(f"{name} cannot be written down: {error}") from error


def _depth(value: object) -> int:
    """Return how many levels of lists and objects there are."""
    if isinstance(value, dict):
        value = list(value.values())
    return 1 + max(map(_depth, value), default=0) if isinstance(value, list) else 0


def check_schedule_id(schedule_id: str | None) -> None:
    """Refuse a schedule id that is none.

    Raises:
        CommandRefused: it does not begin with ``sch_`` or has other characters than names have.
    """
    if schedule_id is None:
        return
    _check_text("schedule_id", schedule_id, needed=True)
    rest = schedule_id.removeprefix("sch_")
    if rest == schedule_id or not rest.replace("_", "").replace("-", "").isalnum():
        raise CommandRefused(f"a schedule id is sch_ and letters, digits, - or _: {schedule_id!r}")


def command_type(name: object) -> CommandType:
    """Return the type of a command that is sent by hand by its name, in any case.

    Raises:
        CommandRefused: there is none of this name, or it says nothing without an action.
    """
    try:
        wanted = CommandType(str(name).upper())
    except ValueError:
        known = ", ".join(_SENT)
        raise CommandRefused(f"{name!r} is no command type; there are {known}") from None
    if wanted not in _SENT:
        raise CommandRefused(f"a {wanted} needs an action and its payload: use call, not send")
    return wanted


def target_of(rules: AssetRules, wanted: CommandType, kw: float | None) -> Setpoint | None:
    """Return the setpoint that a command sends by hand, null for one that sets none.

    Raises:
        CommandRefused: it needs a power, in kW, and has none that is one; or it takes none.
    """
    if kw is not None and wanted not in _RATES:
        raise CommandRefused(f"{wanted} takes no power: leave kw out")
    if wanted is CommandType.RELEASE:
        return RELEASED
    if wanted is CommandType.STOP_CHARGING and rules.kind is AssetKind.BATTERY:
        return Setpoint(0, 0)
    if wanted not in _RATES:
        return None
    if not _is_number(kw) or not 0 <= kw < _MOST_KW:
        raise CommandRefused(f"{wanted} needs a power of 0 kW or more, in kW")
    if wanted is CommandType.SET_DISCHARGE_RATE:
        return Setpoint(0, to_w(kw))
    return Setpoint(to_w(kw), 0)


def _is_number(kw: object) -> TypeGuard[float]:
    return isinstance(kw, Real) and not isinstance(kw, bool)


def override_end(until: object) -> tuple[str, int | None]:
    """Return how an override ends, and when if that is a time (plan time, µs since 1970).

    Raises:
        CommandRefused: it is neither an aware time nor one of the words.
    """
    if isinstance(until, datetime):
        try:
            return "time", to_us(until)
        except ValueError as error:
            raise CommandRefused(str(error)) from None
    if until not in ("unplugged", "resume"):
        raise CommandRefused(f"an override ends at a time or when unplugged, not by {until!r}")
    return str(until), None


def signed_target(rules: AssetRules, kw: object) -> Setpoint:
    """Return a power in kW, charging positive, as a setpoint.

    Raises:
        CommandRefused: it is no number, or below 0 on a charger.
    """
    if not _is_number(kw) or not -_MOST_KW < kw < _MOST_KW:
        raise CommandRefused("the power is not a number of kW")
    if kw < 0 and rules.kind is AssetKind.EV_CHARGER:
        raise CommandRefused(f"{rules.asset_id} is a charger: it cannot discharge")
    return Setpoint(to_w(kw), 0) if kw >= 0 else Setpoint(0, to_w(-kw))
