"""OCPP 2.0.1: what others than we limit a charging station to, as it tells of it; pure.

Source: OCPP 2.0.1 edition 2, part 2: K11 to K14 (external charging limits), K09 (profiles).
"""

from collections.abc import Iterator, Mapping
from typing import Final

from engine.adapters.base import ExternalLimit
from engine.adapters.ocpp201_reports import part
from engine.adapters.samples import moment, number, objects
from engine.types import US_PER_S, to_us

_SOURCES: Final = {"ems": "EMS", "so": "SO"}
_OURS: Final = "cso"
_CONSTRAINTS: Final = "ChargingStationExternalConstraints"


def limit_notified(payload: Mapping[str, object], now_us: int) -> ExternalLimit | None:
    """Return what a NotifyChargingLimit [K12] says holds now; null where the limit is ours."""
    limit = part(payload, "chargingLimit")
    source = _source(limit.get("chargingLimitSource"))
    if source is None:
        return None
    is_critical = limit.get("isGridCritical") is True
    return _limited(source, objects(payload, "chargingSchedule"), now_us, is_critical=is_critical)


def limit_cleared(payload: Mapping[str, object]) -> ExternalLimit | None:
    """Return what a ClearedChargingLimit [K13] ends; null where the limit was ours."""
    source = _source(payload.get("chargingLimitSource"))
    return None if source is None else ExternalLimit(source, is_over=True)


def limit_reported(payload: Mapping[str, object], now_us: int) -> ExternalLimit | None:
    """Return what a ReportChargingProfiles [K09] says of others; null where it has ours alone."""
    source = _source(payload.get("chargingLimitSource"))
    profiles = [
        one
        for one in objects(payload, "chargingProfile")
        if one.get("chargingProfilePurpose") == _CONSTRAINTS
    ]
    if source is None or not profiles:
        return None
    schedules = (schedule for one in profiles for schedule in objects(one, "chargingSchedule"))
    return _limited(source, schedules, now_us)


def _source(word: object) -> str | None:
    """Return who limits, null for ourselves; a word that nobody knows is another controller."""
    known = str(word).strip().lower()
    return None if known == _OURS else _SOURCES.get(known, "Other")


def _limited(
    source: str,
    schedules: Iterator[Mapping[str, object]],
    now_us: int,
    *,
    is_critical: bool = False,
) -> ExternalLimit:
    """Return the lowest limit that is in force, in the unit of the first; none need be told."""
    found = [one for one in (_in_force(schedule, now_us) for schedule in schedules) if one]
    if not found:
        return ExternalLimit(source, is_critical=is_critical)
    unit = found[0][1]
    return ExternalLimit(source, min(one[0] for one in found if one[1] == unit), unit, is_critical)


def _in_force(schedule: Mapping[str, object], now_us: int) -> tuple[float, str] | None:
    """Return the limit of the period that runs now and its unit; null where none does."""
    start_at = moment(schedule.get("startSchedule"))
    since_s = 0.0 if start_at is None else (now_us - to_us(start_at)) / US_PER_S
    duration_s = number(schedule.get("duration"))
    if duration_s is not None and since_s >= duration_s:
        return None
    limit = None
    for period in objects(schedule, "chargingSchedulePeriod"):
        begins_s = number(period.get("startPeriod"))
        if begins_s is not None and begins_s <= since_s:
            limit = number(period.get("limit"))
    if limit is None:
        return None
    return limit, "A" if schedule.get("chargingRateUnit") == "A" else "W"
