"""OCPP 1.6: setpoints as charging profiles, pure.

Sources: OCPP 1.6 edition 2, 3.13 (smart charging), 5.4 (clear), 5.16 (set), 7.8 (ChargingProfile),
7.13 and 7.14 (schedule and periods).
"""

import math
import re
from collections.abc import Mapping
from datetime import timedelta
from typing import Final

import attrs

from engine.adapters.base import AssetView, Frame, Payload
from engine.adapters.ocpp16_options import OcppOptions
from engine.commands import Attempt
from engine.errors import Untranslatable

FORMS: Final = ("absolute", "relative", "one_period")
_SETPOINT, _FALLBACK = 0, 1
# A start that lies a minute back: a charger whose clock is slow does not wait for it.
_BACK: Final = timedelta(minutes=1)
_BACK_S: Final = 60


def unit_of(own: OcppOptions, capabilities: Mapping[str, str]) -> str:
    """Return W or A: what the site file says, else what the charger takes, watts by preference."""
    if own.rate_unit != "auto":
        return own.rate_unit
    told = capabilities.get("ChargingScheduleAllowedChargingRateUnit", "")
    units = set(re.findall(r"[a-z]+", told.lower()))
    takes_watts = bool(units & {"power", "w"})
    return "A" if units & {"current", "a"} and not takes_watts else "W"


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


def profile_id(connector: int, purpose: str, which: int) -> int:
    """Return our own id of a profile: 1000·connector + 10·rung + (0 setpoint, 1 fallback)."""
    rung = 1 if purpose == "TxProfile" else 0
    return 1_000 * connector + 10 * rung + which


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
    ours = (("TxProfile", _SETPOINT), ("TxDefaultProfile", _SETPOINT), ("TxDefaultProfile", 1))
    ids = (profile_id(own.connector, purpose, which) for purpose, which in ours)
    return Payload(tuple(Frame("ClearChargingProfile", {"id": each}) for each in ids))


def set_profile(own: OcppOptions, asset: AssetView, attempt: Attempt) -> Payload:
    """Set the attempt's power, with what takes over when its lease runs out.

    Form 0 is absolute, 1 relative: two periods, the second the fallback. Form 2 has one period
    that ends, above a profile at stack level 0 with the fallback; a charger that says it takes one
    period only gets that shape in every form.

    Raises:
        Untranslatable: there is no (further) form for it.
    """
    if attempt.form >= len(FORMS):
        raise Untranslatable("the charger refuses every form of a charging profile")
    if FORMS[attempt.form] == "one_period" and attempt.lease_s is None:
        raise Untranslatable("without a lease there is no further form")
    if attempt.charge_kw is None:
        raise Untranslatable("a setpoint needs a power")
    unit = unit_of(own, asset.capabilities)
    limit, applied_kw = limit_of(attempt.charge_kw, own, unit)
    fallback = None
    if attempt.fallback_kw is not None and attempt.lease_s is not None:
        fallback = limit_of(attempt.fallback_kw, own, unit)[0]
    profiles = _Profiles(own, asset, attempt, unit)
    return Payload(profiles.frames(limit, fallback), applied_kw)


@attrs.frozen
class _Profiles:
    """The charging profiles of one attempt."""

    own: OcppOptions
    asset: AssetView
    attempt: Attempt
    unit: str

    def frames(self, limit: float, fallback: float | None) -> tuple[Frame, ...]:
        """Return the setpoint's frame; where the fallback has a profile of its own, that first.

        First, because a refusal of the second frame must not leave the charger without a limit
        once the setpoint's own has ended.
        """
        if fallback is None or not self._has_one_period():
            return (self._setpoint(limit, fallback),)
        if self._purpose() == "TxDefaultProfile" and self._level() == 0:
            # 3.13.2: of one purpose and stack level a charger keeps one profile
            raise Untranslatable("one period and one stack level leave no room for a fallback")
        return self._fallback(fallback), self._setpoint(limit, None)

    def _has_one_period(self) -> bool:
        told = self.asset.capabilities.get("ChargingScheduleMaxPeriods", "").strip()
        return told == "1" or FORMS[self.attempt.form] == "one_period"

    def _setpoint(self, limit: float, fallback: float | None) -> Frame:
        schedule = self._schedule(limit)
        if self.attempt.lease_s is not None:
            back_s = 0 if self._is_relative() else _BACK_S
            end_s = back_s + round(self.attempt.lease_s)
            if fallback is None:
                schedule["duration"] = end_s
            else:
                periods = [self._period(0, limit), self._period(end_s, fallback)]
                schedule["chargingSchedulePeriod"] = periods
        return self._frame(self._purpose(), schedule, (self._level(), _SETPOINT))

    def _fallback(self, limit: float) -> Frame:
        return self._frame("TxDefaultProfile", self._schedule(limit), (0, _FALLBACK))

    def _schedule(self, limit: float) -> dict[str, object]:
        schedule: dict[str, object] = {
            "chargingRateUnit": self.unit,
            "chargingSchedulePeriod": [self._period(0, limit)],
        }
        if not self._is_relative():
            start = self.attempt.at - _BACK
            schedule["startSchedule"] = start.strftime("%Y-%m-%dT%H:%M:%SZ")
        return schedule

    def _period(self, start_s: int, limit: float) -> dict[str, object]:
        return {"startPeriod": start_s, "limit": limit, "numberPhases": self.own.phases}

    def _is_relative(self) -> bool:
        return FORMS[self.attempt.form] == "relative"

    def _purpose(self) -> str:
        return "TxDefaultProfile" if self.asset.transaction_id is None else "TxProfile"

    def _level(self) -> int:
        """Return stack level 1, or 0 where the charger has no other."""
        told = self.asset.capabilities.get("ChargeProfileMaxStackLevel", "").strip()
        return min(1, int(told)) if told.isascii() and told.isdigit() else 1

    def _frame(self, purpose: str, schedule: dict[str, object], place: tuple[int, int]) -> Frame:
        level, which = place
        profile: dict[str, object] = {
            "chargingProfileId": profile_id(self.own.connector, purpose, which),
            "stackLevel": level,
            "chargingProfilePurpose": purpose,
            "chargingProfileKind": "Relative" if self._is_relative() else "Absolute",
            "chargingSchedule": schedule,
        }
        if purpose == "TxProfile" and self.asset.transaction_id is not None:
            profile["transactionId"] = transaction_number(self.asset.transaction_id)
        body: dict[str, object] = {
            "connectorId": self.own.connector,
            "csChargingProfiles": profile,
        }
        return Frame("SetChargingProfile", body)
