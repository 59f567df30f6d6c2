"""What can be asked of an asset, and how far an asked thing has come."""

import enum
from datetime import datetime

from msgspec import Struct, field

from engine.types import AssetId, CommandId, ScheduleId


class CommandType(enum.StrEnum):
    """The kinds of command (specification 3)."""

    SET_CHARGE_RATE = "SET_CHARGE_RATE"
    SET_DISCHARGE_RATE = "SET_DISCHARGE_RATE"
    START_CHARGING = "START_CHARGING"
    STOP_CHARGING = "STOP_CHARGING"
    CHANGE_AVAILABILITY = "CHANGE_AVAILABILITY"
    RELEASE = "RELEASE"
    CALL = "CALL"


class CommandStatus(enum.StrEnum):
    """How far a command has come; the last four are final."""

    PENDING = "PENDING"
    DISPATCHED = "DISPATCHED"
    ACKNOWLEDGED = "ACKNOWLEDGED"
    COMPLETED = "COMPLETED"
    FAILED = "FAILED"
    TIMED_OUT = "TIMED_OUT"
    CANCELLED = "CANCELLED"


FINAL = frozenset(
    {
        CommandStatus.COMPLETED,
        CommandStatus.FAILED,
        CommandStatus.TIMED_OUT,
        CommandStatus.CANCELLED,
    }
)


class CauseKind(enum.StrEnum):
    """Why a command exists."""

    SCHEDULE = "schedule"
    OPERATOR = "operator"
    OVERRIDE = "override"
    LIMIT = "limit"
    REASSERT = "rule:reassert"
    RENEW = "rule:renew"
    RELEASE = "rule:release"
    FALLBACK = "rule:fallback"
    PLUG_IN = "rule:plug_in"
    LIMIT_LIFTED = "rule:limit_lifted"
    CONFIGURE = "rule:configure"


class Cause(Struct, frozen=True, gc=False):
    """Why a command exists: a schedule's cell, a person, or a rule.

    ``slot_us`` is plan time in microseconds since 1970 UTC, ``column`` the schedule's column,
    ``by`` and ``reason`` are a person's words, ``event_id`` the event that set it off.
    """

    kind: CauseKind
    slot_us: int | None = None
    column: str | None = None
    by: str | None = None
    reason: str | None = None
    event_id: str | None = None
    schedule_id: ScheduleId | None = None


class Command(Struct, frozen=True, gc=False):
    """One request to one asset.

    ``value_kw`` is what was asked (null for commands without a power), ``applied_kw`` what is
    left of it after limits and the device's step, rounded towards zero (null while unknown).
    Times are aware, UTC, plan clock; ``expires_at`` is null for what is only ever replaced.
    ``arguments`` holds what a CHANGE_AVAILABILITY (``{"operative": bool}``), a START_CHARGING
    (``{"id_tag": str}``) or a CALL (``{"action": str, "payload": {...}}``) needs beside a power.
    """

    id: CommandId | None
    asset_id: AssetId
    type: CommandType
    value_kw: float | None
    due_at: datetime
    cause: Cause
    applied_kw: float | None = None
    expires_at: datetime | None = None
    priority: int = 1
    max_retries: int = 3
    timeout_s: float = 30.0
    arguments: dict[str, object] = field(default_factory=dict)


class Attempt(Struct, frozen=True, gc=False):
    """One time that a command goes on the wire.

    ``at`` is device clock, aware, UTC. ``form`` counts the protocol's alternative spellings of
    one command, 0 the first. ``charge_kw`` and ``discharge_kw`` are the pair that holds after it,
    null for a command that sets none; ``fallback_kw`` (signed, charging positive) takes over when
    the lease of ``lease_s`` seconds runs out, null where the device's own control does.
    ``serial``, of a command that sets no power: a number that no other attempt of the asset has.
    ``ahead`` are further changes within the lease that a device may be given with it: after how
    many seconds, to how many kW. ``nudge`` counts how often a vehicle that sleeps on after a pause
    is given its limit again, 0 for one that does not sleep. ``beneath_form``: the default beneath a
    transaction's own setpoint allows more, and is to be lowered with it; the form in which it was
    taken, null where there is nothing to lower.
    """

    id: str
    number: int
    form: int
    at: datetime
    lease_s: float | None
    fallback_kw: float | None
    charge_kw: float | None
    discharge_kw: float | None
    serial: int = 0
    ahead: tuple[tuple[float, float], ...] = ()
    nudge: int = 0
    beneath_form: int | None = None
