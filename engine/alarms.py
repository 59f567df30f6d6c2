"""What people are called for: the events that are alarms by themselves."""

from typing import TypeAlias

from engine import events
from engine.types import iso, to_kw

Alarm: TypeAlias = dict[str, object]
"""Its name, as ``alarm``, and what is to be known of it."""


def alarm_of(event: object) -> Alarm | None:  # noqa: C901, PLR0911 - one case per event
    """Return the alarm that an event raises, null for any other event."""
    match event:
        case events.ActorCrashed(gave_up=True):
            return {"alarm": "actor_gave_up", "error": event.error, "count": event.count}
        case events.SiteActorCrashed():
            how = "gave_up" if event.gave_up else "failed"
            return {"alarm": f"{event.actor}_{how}", "error": event.error}
        case events.LinkFailed():
            return {"alarm": "link_failed", "error": event.error}
        case events.ClockSkewed(ahead_s=ahead_s) if ahead_s:
            return {"alarm": "clock_skew", "ahead_s": ahead_s}
        case events.ExternalLimitTold(is_over=False):
            return _external_limit(event)
        case events.DeviceChanged(alarm=True):
            return _interference(event)
        case events.GrantExceeded():
            return _above_grant(event)
        case events.LimitExceeded():
            return _limit_exceeded(event)
        case events.StoreLost():
            return {"alarm": "store_lost", "reason": event.reason}
        case _:
            return None


def _external_limit(event: events.ExternalLimitTold) -> Alarm:
    return {
        "alarm": "external_limit",
        "source": event.source,
        "limit": event.limit,
        "unit": event.unit,
        "is_critical": event.is_critical,
    }


def _interference(event: events.DeviceChanged) -> Alarm:
    return {
        "alarm": "interference",
        "found_charge_kw": _kw(event.found.charge_w),
        "found_discharge_kw": _kw(event.found.discharge_w),
        "reaction": event.reaction,
        "again_at": None if event.again_at_us is None else iso(event.again_at_us),
    }


def _above_grant(event: events.GrantExceeded) -> Alarm:
    return {
        "alarm": "above_grant",
        "how": event.how,
        "power_kw": to_kw(event.power_w),
        "granted_kw": to_kw(event.granted_w),
    }


def _limit_exceeded(event: events.LimitExceeded) -> Alarm:
    return {
        "alarm": f"{event.direction.lower()}_limit",
        "kind": event.kind,
        "power_kw": to_kw(event.power_w),
        "limit_kw": to_kw(event.limit_w),
        "base_load_kw": to_kw(event.base_w),
    }


def _kw(power_w: int | None) -> float | None:
    return None if power_w is None else to_kw(power_w)
