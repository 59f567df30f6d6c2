"""Charging profiles as a charge point keeps them: which limit holds when (OCPP 1.6, 3.13). Pure."""

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import attrs

VOLTS = 230
NO_LIMIT_KW = float("inf")


@attrs.frozen
class Profile:
    """One stored profile; ``connector`` 0 is the whole charge point."""

    connector: int
    body: Mapping[str, Any]
    stored_at: datetime

    @property
    def id(self) -> int:
        """Its id."""
        return int(self.body["chargingProfileId"])

    @property
    def purpose(self) -> str:
        """Its purpose."""
        return str(self.body["chargingProfilePurpose"])

    @property
    def level(self) -> int:
        """Its stack level; the highest wins."""
        return int(self.body["stackLevel"])

    def limit_kw(self, now: datetime, began: datetime | None, phases: int) -> float | None:
        """Return its limit now, null while it does not apply."""
        schedule = self.body["chargingSchedule"]
        start = _start(self, schedule, began)
        if start is None or now < start or not _valid(self.body, now):
            return None
        elapsed_s = (now - start).total_seconds()
        duration_s = schedule.get("duration")
        if duration_s is not None and elapsed_s >= duration_s:
            return None
        period = _period(schedule["chargingSchedulePeriod"], elapsed_s)
        if period is None:
            return None
        if schedule["chargingRateUnit"] == "W":
            return float(period["limit"]) / 1_000
        return float(period["limit"]) * VOLTS * int(period.get("numberPhases", phases)) / 1_000


def _start(
    profile: Profile, schedule: Mapping[str, Any], began: datetime | None
) -> datetime | None:
    if profile.body["chargingProfileKind"] == "Relative":
        return began or profile.stored_at
    text = schedule.get("startSchedule")
    return profile.stored_at if text is None else parsed(text)


def parsed(text: str) -> datetime:
    """Return an ISO 8601 time as aware UTC."""
    found = datetime.fromisoformat(text)
    return found.replace(tzinfo=UTC) if found.tzinfo is None else found.astimezone(UTC)


def _valid(body: Mapping[str, Any], now: datetime) -> bool:
    after, before = body.get("validFrom"), body.get("validTo")
    return (after is None or parsed(after) <= now) and (before is None or now < parsed(before))


def _period(periods: list[Mapping[str, Any]], elapsed_s: float) -> Mapping[str, Any] | None:
    found = None
    for period in periods:
        if period["startPeriod"] <= elapsed_s:
            found = period
    return found


class Limits:
    """The profiles of one charge point."""

    def __init__(self) -> None:
        """Begin without any: no limit."""
        self._profiles: list[Profile] = []

    def set(self, connector: int, body: Mapping[str, Any], now: datetime) -> None:
        """Store a profile; one of the same id, or of the same place in the stack, goes."""
        new = Profile(connector, body, now)
        self._profiles = [
            old
            for old in self._profiles
            if old.id != new.id
            and (old.connector, old.purpose, old.level) != (connector, new.purpose, new.level)
        ]
        self._profiles.append(new)

    def clear(self, request: Mapping[str, Any]) -> bool:
        """Clear what a ClearChargingProfile names; return whether there was any."""
        gone = [one for one in self._profiles if _matches(one, request)]
        self._profiles = [one for one in self._profiles if one not in gone]
        return bool(gone)

    def end_transaction(self, connector: int) -> None:
        """Drop what held only for a transaction."""
        self._profiles = [
            one
            for one in self._profiles
            if not (one.connector == connector and one.purpose == "TxProfile")
        ]

    def forget(self) -> None:
        """Drop everything, as some do when they boot."""
        self._profiles.clear()

    def limit_kw(
        self, connector: int, now: datetime, began: datetime | None, phases: int = 3
    ) -> float:
        """Return the limit of a connector now, in kW; infinite without a profile."""
        chosen = self._top(connector, "TxProfile", (now, began, phases))
        if began is None or chosen is None:
            chosen = self._top(connector, "TxDefaultProfile", (now, began, phases))
        most = self._top(0, "ChargePointMaxProfile", (now, began, phases))
        return min(NO_LIMIT_KW if chosen is None else chosen, NO_LIMIT_KW if most is None else most)

    def _top(
        self, connector: int, purpose: str, moment: tuple[datetime, datetime | None, int]
    ) -> float | None:
        stack = [
            one
            for one in self._profiles
            if one.purpose == purpose and one.connector in {0, connector}
        ]
        for profile in sorted(stack, key=lambda one: -one.level):
            limit_kw = profile.limit_kw(*moment)
            if limit_kw is not None:
                return limit_kw
        return None

    def composite(
        self, connector: int, now: datetime, began: datetime | None, seconds: int
    ) -> Iterator[tuple[int, float]]:
        """Yield where the limit changes within so many seconds: second and kW."""
        last: float | None = None
        for second in range(max(1, seconds)):
            limit_kw = self.limit_kw(connector, now + timedelta(seconds=second), began)
            if limit_kw != last:
                yield second, limit_kw
                last = limit_kw


def _matches(profile: Profile, request: Mapping[str, Any]) -> bool:
    asked = {
        "id": profile.id,
        "connectorId": profile.connector,
        "chargingProfilePurpose": profile.purpose,
        "stackLevel": profile.level,
    }
    return all(request[key] == value for key, value in asked.items() if key in request)
