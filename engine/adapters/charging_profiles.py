"""Setpoints as charging profiles, before a version of OCPP gives them its words; pure.

Sources: OCPP 1.6 edition 2, 3.13 (smart charging); OCPP 2.0.1 edition 2, part 2, K (smart
charging). Purposes, stack levels, kinds, units and periods mean the same in both.
"""

import math
from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from typing import Final

from msgspec import Struct
from msgspec.structs import replace

from engine.adapters.base import AssetView
from engine.adapters.charging_forms import (
    Form,
    Occasion,
    Purpose,
    ladder,
    level_of,
    only_unit,
    periods_of,
)
from engine.adapters.ocpp_options import OcppOptions, phases_of
from engine.commands import Attempt
from engine.errors import Untranslatable

_SETPOINT, _FALLBACK = 0, 1
# A start that lies a minute back: a charger whose clock is slow does not wait for it.
_BACK_S: Final = 60
# A vehicle is woken by a control pilot that goes from off to on (IEC 61851-1, A.5.3).
_PAUSE_S: Final = 20
_BY_A_PAUSE: Final = 2
_RUNGS: Final[Mapping[Purpose, int]] = {"default": 0, "transaction": 1, "station": 2}


class Period(Struct, frozen=True, gc=False):
    """A limit, in the profile's unit, from so many seconds after the schedule's start."""

    start_s: int
    limit: float


class Profile(Struct, frozen=True, gc=False):
    """One charging profile.

    ``connector`` is 0 for one of the station as a whole. ``phases`` is null where it is not told,
    ``duration_s`` where the profile does not end after some time, ``start_at`` where it is relative
    to the start of charging, ``valid_to`` where it does not end at a moment.
    """

    id: int
    connector: int
    purpose: Purpose
    level: int
    unit: str
    phases: int | None
    periods: tuple[Period, ...]
    start_at: datetime | None
    transaction_id: str | None = None
    duration_s: int | None = None
    valid_to: datetime | None = None

    @property
    def kind(self) -> str:
        """The kind as both versions write it."""
        return "Relative" if self.start_at is None else "Absolute"


class Setting(Struct, frozen=True, gc=False):
    """What brings about a setpoint: profiles to set in order, then ids of profiles to clear.

    ``applied_kw`` is what the power becomes on the device.
    """

    profiles: tuple[Profile, ...]
    cleared: tuple[int, ...]
    applied_kw: float


def unit_of(own: OcppOptions, capabilities: Mapping[str, str]) -> str:
    """Return W or A: what the site file says, else what the charger takes, watts by preference."""
    return only_unit(own.rate_unit, capabilities) or "W"


def limit_of(
    power_kw: float,
    own: OcppOptions,
    unit: str,
    measured: int | None = None,
    *,
    is_off: bool = False,
) -> tuple[float, float]:
    """Return a power as a limit with one decimal, rounded down, and what that comes to in kW.

    Below the least current it becomes 0, or the least, as ``below_min`` says; ``is_off``: it was 0
    for that, and takes some more to come on again. ``measured`` are the phases that a vehicle
    charges on, null where not known.

    Raises:
        Untranslatable: it is negative, or no finite number.
    """
    if not math.isfinite(power_kw) or power_kw < 0:
        raise Untranslatable(f"{power_kw} kW cannot be a charger's limit")
    watts = power_kw * 1_000
    per_ampere = own.voltage * phases_of(own, measured)
    least_w = own.min_a * per_ampere
    if 0 < watts < least_w and own.below_min == "minimum":
        watts = least_w
    elif watts < least_w + (own.hysteresis_a * per_ampere if is_off else 0.0):
        watts = 0.0
    if unit == "W":
        tenths = math.floor(round(watts * 10, 3))
        return tenths / 10, tenths / 10_000
    amperes = math.floor(round(watts / per_ampere * 10, 6)) / 10
    return amperes, round(amperes * per_ampere) / 1_000


def our_ids(own: OcppOptions) -> tuple[int, ...]:
    """Return the ids of whatever we may have set, from the one that rules over the others down.

    A transaction that we do not know of may have a profile of ours, so its id is among them.
    """
    return tuple(_id(own, *one) for one in _ours(own))


def _ours(own: OcppOptions) -> Iterator[tuple[Purpose, int]]:
    if own.charge_point_max:
        yield "station", _SETPOINT
    yield "transaction", _SETPOINT
    yield "default", _SETPOINT
    yield "default", _FALLBACK


def _id(own: OcppOptions, purpose: Purpose, which: int) -> int:
    """Return our own id of a profile: 1000·connector + 10·rung + (0 setpoint, 1 fallback)."""
    return 1_000 * own.connector + 10 * _RUNGS[purpose] + which


def setting_of(
    own: OcppOptions, asset: AssetView, attempt: Attempt, *, one_id_a_place: bool = False
) -> Setting:
    """Return what sets the attempt's power, with what takes over when its lease runs out.

    The forms are those of `engine.adapters.charging_forms`, which is where their order comes from.
    A charger keeps one profile of a purpose and stack level. Of 1.6 the newer takes the place of
    the older; of 2.0.1 (K01) only under the same id, so there what is at one place has one id.

    Raises:
        Untranslatable: there is no (further) form for it.
    """
    if attempt.charge_kw is None:
        raise Untranslatable("a setpoint needs a power")
    forms = _forms(own, asset, attempt, in_transaction=asset.transaction_id is not None)
    if not forms:
        raise Untranslatable("one period and one stack level leave no room for a fallback")
    if attempt.form >= len(forms):
        raise Untranslatable("the charger refuses every form of a charging profile")
    form = forms[attempt.form]
    return _Attempted(own, asset, attempt, form, one_id_a_place).setting(attempt.charge_kw)


def _forms(
    own: OcppOptions, asset: AssetView, attempt: Attempt, *, in_transaction: bool
) -> tuple[Form, ...]:
    return ladder(
        Occasion.of(
            asset.capabilities,
            only_unit(own.rate_unit, asset.capabilities),
            in_transaction=in_transaction,
            gives_way=attempt.fallback_kw is not None and attempt.lease_s is not None,
            may_bound_all=own.charge_point_max,
        )
    )


class _Attempted(Struct, frozen=True, gc=False):
    """One attempt in its form; ``for_anyone``: not for the vehicle that charges now."""

    own: OcppOptions
    asset: AssetView
    attempt: Attempt
    form: Form
    one_id_a_place: bool
    for_anyone: bool = False

    def setting(self, charge_kw: float) -> Setting:
        """Return the profiles in an order in which no refusal leaves the charger without a limit.

        What lies below goes first: the default that is lowered, a fallback with a profile of its
        own. What we had set elsewhere and would still bind is cleared last.
        """
        lowered = self._lowered(charge_kw) if self.attempt.beneath_form is not None else ()
        below = (self._fallback(),) if self._has_profile_below else ()
        cleared = tuple(_id(self.own, *one) for one in self._clearing())
        limit, applied_kw = self._limit(charge_kw, is_off=self._is_off)
        return Setting((*lowered, *below, self._setpoint(limit)), cleared, applied_kw)

    def _lowered(self, charge_kw: float) -> tuple[Profile, ...]:
        """Return the default beneath a transaction's profile, with its setpoint.

        It takes the place of the one that is there: it has the form in which that was taken.
        """
        if self.form.purpose != "transaction":
            return ()
        forms = _forms(self.own, self.asset, self.attempt, in_transaction=False) or (self.form,)
        form = forms[min(self.attempt.beneath_form or 0, len(forms) - 1)]
        has_room = form.one_period and form.level > 0
        form = replace(form, purpose="default", one_period=has_room)
        default = replace(self, form=form, for_anyone=True)
        limit, _ = default._limit(charge_kw, is_off=default._is_off)  # noqa: SLF001 - itself, in another form
        return (default._setpoint(limit),)  # noqa: SLF001 - likewise

    @property
    def _phases(self) -> int | None:
        return None if self.for_anyone else self.asset.phases

    @property
    def _now(self) -> datetime:
        """The moment of the attempt, as the charger's own clock has it."""
        return self.attempt.at + timedelta(seconds=self.asset.clock_ahead_s)

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

    def _clearing(self) -> Iterator[tuple[Purpose, int]]:
        """Yield our profiles that would bind beside the setpoint's.

        What is set over others leaves them: a transaction's profile over the connector's default.
        Nothing is cleared that was cleared when this form was taken last.
        """
        if self.asset.held_form == self.attempt.form:
            return
        for purpose, which in _ours(self.own):
            if self._binds_beside(purpose, which):
                yield purpose, which

    def _binds_beside(self, purpose: Purpose, which: int) -> bool:
        if self.form.purpose == "station":
            return purpose != "station"
        if purpose == "transaction" and self.asset.transaction_id is None:
            return False
        if self._is_in_fallbacks_place and (purpose, which) == ("default", _SETPOINT):
            return level_of(self.asset.capabilities) > 0
        return _RUNGS[purpose] > _RUNGS[self.form.purpose]

    @property
    def _is_in_fallbacks_place(self) -> bool:
        """Whether the setpoint goes where the fallback of another form may be, under its id."""
        is_there = self.form.purpose == "default" and self.form.level == 0
        return self.one_id_a_place and is_there

    # --- the two profiles

    def _setpoint(self, limit: float) -> Profile:
        which = _FALLBACK if self._is_in_fallbacks_place else _SETPOINT
        lease_s = self.attempt.lease_s
        if lease_s is None:
            return self._profile(which, tuple(self._begin(limit)))
        end_s = self._elapsed_s() + round(lease_s)
        return self._profile(
            which,
            (*self._begin(limit), *self._later(end_s)),
            None if self._is_followed else end_s,
            self._now + timedelta(seconds=lease_s) if self._is_dated else None,
        )

    def _begin(self, limit: float) -> Iterator[Period]:
        if self._wakes:
            yield Period(0, 0.0)
            yield Period(_BACK_S + _PAUSE_S, limit)
        else:
            yield Period(0, limit)

    @property
    def _is_followed(self) -> bool:
        """Whether the fallback is the last period of the setpoint's own profile."""
        return self.attempt.fallback_kw is not None and not self.form.one_period

    def _later(self, end_s: int) -> Iterator[Period]:
        if self.form.one_period:
            return
        yield from self._ahead()
        if self.attempt.fallback_kw is not None:
            yield Period(end_s, self._limit(self.attempt.fallback_kw)[0])

    @property
    def _room(self) -> int:
        """How many periods a charger takes beside the setpoint's and the fallback's."""
        return periods_of(self.asset.capabilities) - 1 - self._gives_way

    @property
    def _wakes(self) -> bool:
        """Whether a sleeping vehicle is offered nothing for a while before its limit.

        The second time, where that is wanted, and where a charger has a period for it.
        """
        if self.own.wake_up != "pause" or self.attempt.nudge < _BY_A_PAUSE:
            return False
        lasts = self.attempt.lease_s is None or self.attempt.lease_s > _PAUSE_S
        return lasts and self._room > 0 and not (self.form.is_relative or self.form.one_period)

    def _ahead(self) -> Iterator[Period]:
        """Yield what is planned within the lease, as far as a charger has room for it.

        Not where chargers do not agree when a schedule starts.
        """
        if self.form.is_relative:
            return
        room, first_s = max(0, self._room - self._wakes), _PAUSE_S if self._wakes else 0
        later = [one for one in self.attempt.ahead if one[0] > first_s]
        for after_s, power_kw in later[:room]:
            yield Period(_BACK_S + math.floor(after_s), self._limit(power_kw)[0])

    def _fallback(self) -> Profile:
        limit, _ = self._limit(self.attempt.fallback_kw or 0.0)
        return self._profile(_FALLBACK, (Period(0, limit),))

    def _elapsed_s(self) -> int:
        """Return how long ago the schedule starts; a relative one with the transaction."""
        if not self.form.is_relative:
            return _BACK_S
        began_at = None if self.for_anyone else self.asset.transaction_began_at
        if began_at is None:
            return 0
        return max(0, round((self.attempt.at - began_at).total_seconds()))

    @property
    def _is_off(self) -> bool:
        """Whether the charger holds 0 in place of a power below its minimum."""
        held_kw = self.asset.held_charge_kw
        return bool(held_kw) and self._limit(held_kw or 0.0)[0] == 0

    def _limit(self, power_kw: float, *, is_off: bool = False) -> tuple[float, float]:
        return limit_of(power_kw, self.own, self.form.unit, self._phases, is_off=is_off)

    def _profile(
        self,
        which: int,
        periods: tuple[Period, ...],
        duration_s: int | None = None,
        valid_to: datetime | None = None,
    ) -> Profile:
        """Return the setpoint's profile, or the fallback's: that is the default at the bottom."""
        is_fallback = which == _FALLBACK
        purpose: Purpose = "default" if is_fallback else self.form.purpose
        return Profile(
            _id(self.own, purpose, which),
            0 if purpose == "station" else self.own.connector,
            purpose,
            0 if is_fallback else self.form.level,
            self.form.unit,
            None if self.form.bare else phases_of(self.own, self._phases),
            periods,
            None if self.form.is_relative else self._now - timedelta(seconds=_BACK_S),
            self.asset.transaction_id if purpose == "transaction" else None,
            duration_s,
            valid_to,
        )


def text_of(moment: datetime) -> str:
    """Return a moment, UTC, as both versions write it."""
    return f"{moment.isoformat(timespec='seconds')[:19]}Z"


def schedule_of(profile: Profile) -> dict[str, object]:
    """Return a profile's schedule in the words that both versions have for it."""
    schedule: dict[str, object] = {
        "chargingRateUnit": profile.unit,
        "chargingSchedulePeriod": [_spelled(profile, one) for one in profile.periods],
    }
    if profile.start_at is not None:
        schedule["startSchedule"] = text_of(profile.start_at)
    if profile.duration_s is not None:
        schedule["duration"] = profile.duration_s
    return schedule


def _spelled(profile: Profile, period: Period) -> dict[str, object]:
    spelled: dict[str, object] = {"startPeriod": period.start_s, "limit": period.limit}
    if profile.phases is not None:
        spelled["numberPhases"] = profile.phases
    return spelled
