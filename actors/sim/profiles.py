"""A charging profile as a charge point understands it: when it holds, and which limit. Pure.

OCPP 1.6 edition 2: 3.13 (smart charging), 7.8 (ChargingProfile), 7.13 (ChargingSchedule), 7.14
(ChargingSchedulePeriod).
"""

import math
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, Final, TypeAlias

import attrs

from actors.sim.vehicle import VOLTS

TransactionId: TypeAlias = int | str
"""A number from the central system (1.6), or a text of the charge point's own (2.0.1)."""

MAX_PROFILE: Final = "ChargePointMaxProfile"
TX_DEFAULT_PROFILE: Final = "TxDefaultProfile"
TX_PROFILE: Final = "TxProfile"

ABSOLUTE: Final = "Absolute"
RECURRING: Final = "Recurring"
RELATIVE: Final = "Relative"

_RECURRENCES: Final = {"Daily": timedelta(days=1), "Weekly": timedelta(days=7)}
_PHASES: Final = 3


class ProfileRefused(Exception):
    """A charge point cannot keep this profile; it answers Rejected."""


@attrs.frozen
class Limit:
    """A limit in W or A; ``phases`` as told, or null, which means three [7.14]."""

    value: float
    unit: str
    phases: int | None = None

    def watts(self, phases: int = _PHASES) -> float:
        """Return the power that it allows a load on ``phases`` phases."""
        if self.unit == "W":
            return self.value
        return self.value * VOLTS * min(self.phases or _PHASES, phases)


@attrs.frozen
class Period:
    """From ``start_s`` seconds after the schedule's start on, this limit holds."""

    start_s: int
    limit: Limit


@attrs.frozen(kw_only=True)
class ChargingProfile:
    """One profile; times are aware, ``recurrence`` is the length of its round."""

    id: int
    stack_level: int
    purpose: str
    kind: str
    periods: tuple[Period, ...]
    transaction_id: TransactionId | None = None
    recurrence: timedelta | None = None
    valid_from: datetime | None = None
    valid_to: datetime | None = None
    start_at: datetime | None = None
    duration_s: float | None = None
    told: Mapping[str, Any] = attrs.field(factory=dict, eq=False, repr=False)
    """The message's own words, for who asks for them."""

    @property
    def unit(self) -> str:
        """W or A."""
        return self.periods[0].limit.unit

    def limit_at(self, at: datetime, charge_start: datetime) -> Limit | None:
        """Return the limit that it sets at a time, null while it does not hold.

        ``charge_start`` is where a schedule without a start of its own begins: with the
        transaction [7.10, Relative; 7.13, startSchedule].
        """
        if self.valid_from is not None and at < self.valid_from:
            return None
        if self.valid_to is not None and at >= self.valid_to:
            return None
        elapsed_s = self._elapsed_s(at, charge_start)
        if elapsed_s is None:
            return None
        begun = [period.limit for period in self.periods if period.start_s <= elapsed_s]
        return begun[-1] if begun else None

    def changes(self, start: datetime, end: datetime, charge_start: datetime) -> Iterator[datetime]:
        """Yield each moment after ``start`` and before ``end`` at which its limit may change."""
        marks = [float(period.start_s) for period in self.periods]
        if self.duration_s is not None:
            marks.append(self.duration_s)
        moments = [self.valid_from, self.valid_to]
        for begin in self._begins(end, charge_start):
            moments += [begin + timedelta(seconds=mark_s) for mark_s in marks]
        for moment in moments:
            if moment is not None and start < moment < end:
                yield moment

    def _start(self, charge_start: datetime) -> datetime:
        if self.kind == RELATIVE or self.start_at is None:
            return charge_start
        return self.start_at

    def _elapsed_s(self, at: datetime, charge_start: datetime) -> float | None:
        """Return the seconds since the schedule began, null before its start and after its end."""
        elapsed = at - self._start(charge_start)
        if elapsed < timedelta(0):
            return None
        if self.recurrence is not None:
            elapsed %= self.recurrence
        elapsed_s = elapsed.total_seconds()
        return None if self.duration_s is not None and elapsed_s >= self.duration_s else elapsed_s

    def _begins(self, end: datetime, charge_start: datetime) -> Iterator[datetime]:
        begin = self._start(charge_start)
        yield begin
        while self.recurrence is not None and begin < end:
            begin += self.recurrence
            yield begin


def read_profile(body: Mapping[str, Any]) -> ChargingProfile:
    """Read ``csChargingProfiles`` or ``chargingProfile`` of a message that fits its schema.

    Raises:
        ProfileRefused: it fits the schema and still makes no sense.
    """
    schedule = body["chargingSchedule"]
    unit = schedule["chargingRateUnit"]
    profile = ChargingProfile(
        id=body["chargingProfileId"],
        stack_level=body["stackLevel"],
        purpose=body["chargingProfilePurpose"],
        kind=body["chargingProfileKind"],
        periods=tuple(_period(each, unit) for each in schedule["chargingSchedulePeriod"]),
        transaction_id=body.get("transactionId"),
        recurrence=_RECURRENCES.get(body.get("recurrencyKind", "")),
        valid_from=_moment(body.get("validFrom")),
        valid_to=_moment(body.get("validTo")),
        start_at=_moment(schedule.get("startSchedule")),
        duration_s=schedule.get("duration"),
    )
    _check_periods(profile)
    _check_kind(profile)
    return profile


def _period(body: Mapping[str, Any], unit: str) -> Period:
    return Period(body["startPeriod"], Limit(body["limit"], unit, body.get("numberPhases")))


def _moment(text: str | None) -> datetime | None:
    """Return a time of the wire, aware; one without an offset is taken as UTC [3.5]."""
    if text is None:
        return None
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise ProfileRefused(f"{text} is no time") from None
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment


def _check_periods(profile: ChargingProfile) -> None:
    starts = [period.start_s for period in profile.periods]
    if not starts or starts[0] != 0 or starts != sorted(set(starts)):
        raise ProfileRefused("the periods do not begin at 0 and rise")
    limits = [period.limit.value for period in profile.periods]
    if not all(math.isfinite(limit) and limit >= 0 for limit in limits):
        raise ProfileRefused("a limit is negative or none")


def _check_kind(profile: ChargingProfile) -> None:
    if profile.stack_level < 0:
        raise ProfileRefused("a stack level is not negative")
    if profile.purpose == MAX_PROFILE and profile.kind == RELATIVE:
        raise ProfileRefused("the charge point as a whole has no start of charging")
    recurring = profile.recurrence is not None and profile.start_at is not None
    if profile.kind == RECURRING and not recurring:
        raise ProfileRefused("a recurring schedule needs a start and its kind of recurrence")
    if profile.kind != RECURRING and profile.recurrence is not None:
        raise ProfileRefused("only a recurring schedule recurs")
