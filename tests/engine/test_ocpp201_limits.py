"""OCPP 2.0.1: what others limit a station to, as it tells of it."""

from typing import Any

import pytest

from engine.adapters.base import ExternalLimit
from engine.adapters.ocpp201_limits import limit_cleared, limit_notified, limit_reported
from engine.types import US_PER_S, iso

NOW_US = 1_800_000_000 * US_PER_S


def schedule(*periods: tuple[int, float], **more: Any) -> dict[str, Any]:  # noqa: ANN401 - JSON
    """Return a charging schedule in watts."""
    told = [{"startPeriod": start_s, "limit": limit} for start_s, limit in periods]
    return {"id": 1, "chargingRateUnit": "W", "chargingSchedulePeriod": told, **more}


def ago(seconds: int) -> str:
    """Return a moment so many seconds ago."""
    return iso(NOW_US - seconds * US_PER_S)


def notified(source: str, *schedules: object, **limit: object) -> ExternalLimit | None:
    """Return what a NotifyChargingLimit says."""
    payload: dict[str, object] = {"chargingLimit": {"chargingLimitSource": source, **limit}}
    if schedules:
        payload["chargingSchedule"] = list(schedules)
    return limit_notified(payload, NOW_US)


@pytest.mark.parametrize(
    ("source", "is_from"),
    [("SO", "SO"), ("EMS", "EMS"), ("so", "SO"), ("Other", "Other"), ("Aliens", "Other")],
)
def test_who_limits_is_told(source: str, is_from: str) -> None:
    """A word that nobody knows is another controller."""
    assert notified(source) == ExternalLimit(is_from)
    assert limit_cleared({"chargingLimitSource": source}) == ExternalLimit(is_from, is_over=True)


def test_what_is_ours_limits_nothing_from_outside() -> None:
    """CSO is the central system's owner."""
    assert notified("CSO", schedule((0, 11_000))) is None
    assert limit_cleared({"chargingLimitSource": "CSO"}) is None
    report = {"chargingLimitSource": "CSO", "chargingProfile": [constraints(11_000)]}
    assert limit_reported(report, NOW_US) is None


def test_a_limit_that_the_grid_needs_says_so() -> None:
    """By a flag."""
    assert notified("SO", isGridCritical=True) == ExternalLimit("SO", is_critical=True)
    assert notified("SO", isGridCritical="true") == ExternalLimit("SO")


@pytest.mark.parametrize(
    ("told", "limit"),
    [
        (schedule((0, 4_200)), 4_200),
        (schedule((0, 4_200), (3_600, 11_000)), 4_200),
        (schedule((0, 4_200), (60, 11_000), startSchedule=ago(61)), 11_000),
        (schedule((0, 4_200), startSchedule=ago(61), duration=60), None),
        (schedule((0, 4_200), startSchedule=ago(-60)), None),
        (schedule(), None),
        (schedule((0, 4_200), startSchedule="soon"), 4_200),
        ({"chargingSchedulePeriod": [{"startPeriod": "x", "limit": 1}, "junk"]}, None),
    ],
    ids=str,
)
def test_the_limit_is_that_of_the_period_that_runs(
    told: dict[str, Any], limit: float | None
) -> None:
    """Without one that runs now, nobody knows how much it is."""
    assert notified("EMS", told) == ExternalLimit("EMS", limit)


def test_of_several_schedules_the_lowest_limit_counts() -> None:
    """Of those in the unit of the first."""
    amperes = schedule((0, 6), chargingRateUnit="A")
    told = notified("EMS", schedule((0, 9_000)), schedule((0, 4_200)), amperes)
    assert told == ExternalLimit("EMS", 4_200.0, "W")
    assert notified("EMS", amperes) == ExternalLimit("EMS", 6.0, "A")


def constraints(limit: float) -> dict[str, Any]:
    """Return a profile that another has given the station."""
    return {
        "chargingProfilePurpose": "ChargingStationExternalConstraints",
        "chargingSchedule": [schedule((0, limit))],
    }


def test_a_report_of_profiles_tells_the_constraints_of_others() -> None:
    """Profiles of any other purpose are no such."""
    own = {"chargingProfilePurpose": "TxProfile", "chargingSchedule": [schedule((0, 1_000))]}
    report = {"chargingLimitSource": "SO", "chargingProfile": [own, constraints(4_200), "junk"]}
    assert limit_reported(report, NOW_US) == ExternalLimit("SO", 4_200.0)
    assert limit_reported({"chargingLimitSource": "SO", "chargingProfile": [own]}, NOW_US) is None
