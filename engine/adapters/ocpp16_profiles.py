"""OCPP 1.6: setpoints as charging profiles, pure.

Sources: OCPP 1.6 edition 2, 3.13 (smart charging), 5.4 (clear), 5.16 (set), 7.8 (ChargingProfile),
7.13 and 7.14 (schedule and periods).
"""

import math
from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from typing import Any, Final

import attrs

from engine.adapters.base import AssetView, Frame, Payload
from engine.adapters.charging_forms import Form, Occasion, Purpose, ladder, only_unit
from engine.adapters.ocpp16_options import OcppOptions
from engine.commands import Attempt
from engine.errors import Untranslatable

_SETPOINT, _FALLBACK = 0, 1
# A start that lies a minute back: a charger whose clock is slow does not wait for it.
_BACK_S: Final = 60
_PURPOSES: Final[Mapping[Purpose, str]] = {
    "default": "TxDefaultProfile",
    "transaction": "TxProfile",
    "station": "ChargePointMaxProfile",
}
_RUNGS: Final[Mapping[Purpose, int]] = {"default": 0, "transaction": 1, "station": 2}


def unit_of(own: OcppOptions, capabilities: Mapping[str, str]) -> str:
    """Return W or A: what the site file says, else what the charger takes, watts by preference."""
    return only_unit(own.rate_unit, capabilities) or "W"


def limit_of(power_kw: float, own: OcppOptions, unit: str) -> tuple[float, float]:
    """Return a power as a limit with one decimal, rounded down, and what that comes to in kW.

    Below the least current it becomes 0, or the least, as ``below_min`` says.

    Raises:
        Untranslatable: it is negative, or no finite number.
    """
    if not math.isfinite(power_kw) or power_kw < 0:
        raise Untranslatable(f"{power_kw} kW cannot be a charger's limit")
    watts = power_kw * 1_000
    per_ampere = own.voltage * own.phases
    least_w = own.min_a * per_ampere
    if 0 < watts < least_w:
        watts = least_w if own.below_min == "minimum" else 0.0
    if unit == "W":
        tenths = math.floor(round(watts * 10, 3))
        return tenths / 10, tenths / 10_000
    amperes = math.floor(round(watts / per_ampere * 10, 6)) / 10
    return amperes, round(amperes * per_ampere) / 1_000


def profile_id(connector: int, purpose: Purpose, which: int) -> int:
    """Return our own id of a profile: 1000·connector + 10·rung + (0 setpoint, 1 fallback)."""
    return 1_000 * connector + 10 * _RUNGS[purpose] + which


def transaction_number(transaction_id: str) -> int:
    """Return a transaction's id as OCPP 1.6 has it.

    Raises:
        Untranslatable: it is no whole number.
    """
    try:
        return int(transaction_id)
    except ValueError:
        raise Untranslatable(f"transaction {transaction_id!r} is none of OCPP 1.6") from None


def clear_profiles(own: OcppOptions) -> Payload:
    """Clear whatever we may have set, by our own ids alone [5.4].

    A transaction that we do not know of may have a profile of ours, so its id is cleared always.
    """
    return Payload(tuple(_clear(own, *one) for one in _ours(own)))


def _ours(own: OcppOptions) -> Iterator[tuple[Purpose, int]]:
    """Yield the profiles that we may have set, from the one that rules over the others down."""
    if own.charge_point_max:
        yield "station", _SETPOINT
    yield "transaction", _SETPOINT
    yield "default", _SETPOINT
    yield "default", _FALLBACK


def _clear(own: OcppOptions, purpose: Purpose, which: int) -> Frame:
    return Frame("ClearChargingProfile", {"id": profile_id(own.connector, purpose, which)})


def set_profile(own: OcppOptions, asset: AssetView, attempt: Attempt) -> Payload:
    """Set the attempt's power, with what takes over when its lease runs out.

    The forms are those of `engine.adapters.charging_forms`, which is where their order comes from.

    Raises:
        Untranslatable: there is no (further) form for it.
    """
    if attempt.charge_kw is None:
        raise Untranslatable("a setpoint needs a power")
    forms = ladder(
        Occasion(
            asset.capabilities,
            only_unit(own.rate_unit, asset.capabilities),
            asset.transaction_id is not None,
            attempt.fallback_kw is not None and attempt.lease_s is not None,
            own.charge_point_max,
        )
    )
    if not forms:
        raise Untranslatable("one period and one stack level leave no room for a fallback")
    if attempt.form >= len(forms):
        raise Untranslatable("the charger refuses every form of a charging profile")
    profiles = _Profiles(own, asset, attempt, forms[attempt.form])
    return Payload(profiles.frames(), limit_of(attempt.charge_kw, own, profiles.form.unit)[1])


@attrs.frozen
class _Profiles:
    """The charging profiles of one attempt."""

    own: OcppOptions
    asset: AssetView
    attempt: Attempt
    form: Form

    def frames(self) -> tuple[Frame, ...]:
        """Return the frames in an order in which no refusal leaves the charger without a limit.

        A fallback with a profile of its own goes first; what we had set elsewhere and would still
        bind is cleared last.
        """
        below = (self._fallback(),) if self._has_profile_below else ()
        return (*below, self._setpoint(), *self._clearing())

    @property
    def _gives_way(self) -> bool:
        return self.attempt.fallback_kw is not None and self.attempt.lease_s is not None

    @property
    def _has_profile_below(self) -> bool:
        """Whether the fallback has a profile of its own, below the setpoint's."""
        return self._gives_way and (self.form.one_period or self._is_dated)

    @property
    def _is_dated(self) -> bool:
        """Whether the setpoint's profile ends at a moment, and not only some time after a start.

        Chargers do not agree when a relative schedule starts.
        """
        may_end = self.form.leaves_room or not self._gives_way
        return may_end and self.form.is_relative and not self.form.bare

    def _clearing(self) -> Iterator[Frame]:
        """Yield what clears our profiles that would bind beside the setpoint's.

        What is set over others leaves them: a transaction's profile over the connector's default.
        Nothing is cleared that was cleared when this form was taken last.
        """
        if self.asset.held_form == self.attempt.form:
            return
        for purpose, which in _ours(self.own):
            if self._binds_beside(purpose):
                yield _clear(self.own, purpose, which)

    def _binds_beside(self, purpose: Purpose) -> bool:
        if self.form.purpose == "station":
            return purpose != "station"
        if purpose == "transaction" and self.asset.transaction_id is None:
            return False
        return _RUNGS[purpose] > _RUNGS[self.form.purpose]

    # --- the two profiles

    def _setpoint(self) -> Frame:
        schedule = self._schedule(self.attempt.charge_kw)
        lease_s, fallback_kw = self.attempt.lease_s, self.attempt.fallback_kw
        valid_to = None
        if lease_s is not None:
            end_s = self._elapsed_s() + round(lease_s)
            if fallback_kw is None or self.form.one_period:
                schedule["duration"] = end_s
            else:
                schedule["chargingSchedulePeriod"].append(self._period(end_s, fallback_kw))
            if self._is_dated:
                valid_to = self.attempt.at + timedelta(seconds=lease_s)
        place = (self.form.level, _SETPOINT)
        return self._frame(self.form.purpose, schedule, place, valid_to)

    def _fallback(self) -> Frame:
        return self._frame("default", self._schedule(self.attempt.fallback_kw), (0, _FALLBACK))

    def _elapsed_s(self) -> int:
        """Return how long ago the schedule starts; a relative one with the transaction [7.10]."""
        if not self.form.is_relative:
            return _BACK_S
        began_at = self.asset.transaction_began_at
        if began_at is None:
            return 0
        return max(0, round((self.attempt.at - began_at).total_seconds()))

    def _schedule(self, power_kw: float | None) -> dict[str, Any]:
        schedule: dict[str, Any] = {
            "chargingRateUnit": self.form.unit,
            "chargingSchedulePeriod": [self._period(0, power_kw or 0.0)],
        }
        if not self.form.is_relative:
            schedule["startSchedule"] = _text(self.attempt.at - timedelta(seconds=_BACK_S))
        return schedule

    def _period(self, start_s: int, power_kw: float) -> dict[str, object]:
        limit = limit_of(power_kw, self.own, self.form.unit)[0]
        period: dict[str, object] = {"startPeriod": start_s, "limit": limit}
        if not self.form.bare:
            period["numberPhases"] = self.own.phases
        return period

    def _frame(
        self,
        purpose: Purpose,
        schedule: object,
        place: tuple[int, int],
        valid_to: datetime | None = None,
    ) -> Frame:
        level, which = place
        profile: dict[str, object] = {
            "chargingProfileId": profile_id(self.own.connector, purpose, which),
            "stackLevel": level,
            "chargingProfilePurpose": _PURPOSES[purpose],
            "chargingProfileKind": "Relative" if self.form.is_relative else "Absolute",
            "chargingSchedule": schedule,
        }
        if purpose == "transaction" and self.asset.transaction_id is not None:
            profile["transactionId"] = transaction_number(self.asset.transaction_id)
        if valid_to is not None:
            profile["validTo"] = _text(valid_to)
        connector = 0 if purpose == "station" else self.own.connector
        body: dict[str, object] = {"connectorId": connector, "csChargingProfiles": profile}
        return Frame("SetChargingProfile", body)


def _text(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")
