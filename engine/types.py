"""Ids, instants and units: the small words that every other module uses."""

import enum
from datetime import UTC, datetime, timedelta
from typing import Final, NewType

from msgspec import Struct

AssetId = NewType("AssetId", str)
ScheduleId = NewType("ScheduleId", str)
CommandId = NewType("CommandId", str)

US_PER_S: Final = 1_000_000
W_PER_KW: Final = 1_000

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)


class AssetKind(enum.StrEnum):
    """What an asset is."""

    EV_CHARGER = "ev_charger"
    BATTERY = "battery"


class Channel(enum.IntEnum):
    """A direction of power that a plan sets; an EV charger has only CHARGE."""

    CHARGE = 0
    DISCHARGE = 1


class Instant(Struct, frozen=True, gc=False):
    """One moment on both clocks, in microseconds since 1970-01-01 UTC.

    ``plan_us`` is the (possibly scaled) time of schedules, ``device_us`` the real time of
    time-outs, leases and everything on the wire.
    """

    plan_us: int
    device_us: int


def to_us(moment: datetime) -> int:
    """Return an aware datetime as whole microseconds since 1970-01-01 UTC.

    Raises:
        ValueError: the datetime has no time zone.
    """
    if moment.tzinfo is None:
        message = f"{moment.isoformat()} has no time zone"
        raise ValueError(message)
    return (moment - _EPOCH) // _MICROSECOND


def from_us(moment_us: int) -> datetime:
    """Return microseconds since 1970-01-01 UTC as an aware datetime in UTC."""
    # Normalised by us: with an amount so large timedelta would do it in its slower way.
    return _EPOCH + timedelta(0, moment_us // US_PER_S, moment_us % US_PER_S)


def iso(moment_us: int) -> str:
    """Return microseconds since 1970 as ISO 8601 UTC with microseconds and ``Z``."""
    return from_us(moment_us).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def to_w(power_kw: float) -> int:
    """Return kilowatts as whole watts, rounded half to even; -0.0 becomes 0."""
    return round(power_kw * W_PER_KW)


def to_kw(power_w: int) -> float:
    """Return whole watts as kilowatts."""
    return power_w / W_PER_KW
