"""How a simulated charge point answers the CALLs of a central system, whichever the version."""

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

import attrs

from actors.sim.limits import Situation
from actors.sim.ocppj import CallRefused, Request
from actors.sim.profiles import ABSOLUTE, RELATIVE, TX_PROFILE, ChargingProfile, ProfileRefused
from actors.sim.quirks import Quirk
from actors.sim.reply import Reply
from actors.sim.station import Station
from actors.sim.vehicle import VOLTS
from actors.sim.version import Version

PHASES: Final = 3
_SMART: Final = frozenset(
    {
        "ClearChargingProfile",
        "GetChargingProfiles",
        "GetCompositeSchedule",
        "SetChargingProfile",
    }
)
_UNITS: Final = {"A": "Current", "W": "Power"}
_TASTES: Final[tuple[tuple[Quirk, Callable[[ChargingProfile], bool], str], ...]] = (
    (Quirk.REJECT_PROFILE, lambda _: False, "not today"),
    (Quirk.RELATIVE_ONLY, lambda profile: profile.kind == RELATIVE, "only relative schedules"),
    (Quirk.AMPS_UNSAID, lambda profile: profile.unit == "A", "not in W"),
    (Quirk.LEVEL_ZERO_ONLY, lambda profile: profile.stack_level == 0, "only stack level 0"),
    (Quirk.NO_TX_PROFILE, lambda profile: profile.purpose != TX_PROFILE, "no TxProfile"),
)
"""Which profiles a charge point with a quirk takes."""


def answer(version: Version, station: Station, request: Request) -> Reply:
    """Do what a CALL says and return its answer.

    Raises:
        CallRefused: it is answered with CALLERROR.
    """
    quirks = station.cabinet.quirks
    if request.action in version.control and Quirk.CALLERROR in quirks:
        raise CallRefused("InternalError", "out of order")
    answering = version.answers.get(request.action)
    if request.action == "TriggerMessage" and Quirk.NO_TRIGGER in quirks:
        answering = None
    missing = request.action in _SMART and Quirk.NO_SMART_CHARGING in quirks
    blind = request.action == "GetCompositeSchedule" and Quirk.NO_COMPOSITE in quirks
    if answering is None or missing or blind:
        raise CallRefused("NotImplemented", f"{request.action} is not known here")
    request.check(version.name)
    return answering(station, request.payload)


def status(status: str, then: Callable[[], None] | None = None) -> Reply:
    """Return a reply that is a status and no more."""
    return Reply({"status": status}) if then is None else Reply({"status": status}, then)


# --- charging profiles


def situation_of(station: Station, number: int) -> Situation:
    """Return the situation of a connector, or with 0 of the charge point.

    Raises:
        ProfileRefused: there is no such connector.
    """
    if number == 0:
        return station.whole()
    if number not in station.connectors:
        raise ProfileRefused(f"there is no connector {number}")
    return station.connectors[number].situation


def keep(station: Station, profile: ChargingProfile, situation: Situation) -> Reply:
    """Keep a profile that is acceptable, and let it hold once the answer is out.

    Raises:
        ProfileRefused: its purpose does not go with the connector or the transaction.
    """
    quirks = station.cabinet.quirks
    if Quirk.ACCEPT_IGNORE not in quirks:
        lenient = Quirk.TXPROFILE_WITHOUT_TX_ACCEPTED in quirks
        station.cabinet.limits.put(profile, situation, lenient=lenient)
    return status("Accepted", station.limited)


def acceptable(station: Station, profile: ChargingProfile) -> ChargingProfile:
    """Return a profile as this charge point keeps it.

    Raises:
        ProfileRefused: it can not.
    """
    quirks, configuration = station.cabinet.quirks, station.cabinet.configuration
    for quirk, taken, why in _TASTES:
        if quirk in quirks and not taken(profile):
            raise ProfileRefused(why)
    units = configuration["ChargingScheduleAllowedChargingRateUnit"].split(",")
    if not {profile.unit, _UNITS[profile.unit]} & set(units):
        raise ProfileRefused(f"not in {profile.unit}")
    if len(profile.periods) > configuration.number("ChargingScheduleMaxPeriods"):
        raise ProfileRefused("too many periods")
    if profile.stack_level > configuration.number("ChargeProfileMaxStackLevel"):
        raise ProfileRefused("the stack level is too high")
    if profile.kind == RELATIVE and Quirk.RELATIVE_FROM_RECEIPT in quirks:
        return attrs.evolve(profile, kind=ABSOLUTE, start_at=station.cabinet.now())
    return profile


def of_a_start(station: Station, profile: ChargingProfile) -> ChargingProfile:
    """Return the profile that a remote start brings, as this charge point keeps it.

    Raises:
        ProfileRefused: it can not.
    """
    if profile.purpose != TX_PROFILE:
        raise ProfileRefused("a remote start brings a TxProfile")
    return acceptable(station, profile)


def composite_periods(
    station: Station, number: int, duration_s: int, unit: str
) -> Sequence[Mapping[str, Any]]:
    """Return the periods of a composite schedule, in W or A of three phases.

    Raises:
        ProfileRefused: there is no such connector.
    """
    situation = attrs.evolve(situation_of(station, number), phases=PHASES)
    max_w = station.cabinet.max_w * (1 if number else len(station.connectors))
    periods = []
    for stretch in station.cabinet.limits.composite(situation, duration_s):
        limit_w = max_w if stretch.limit_w is None else min(max_w, stretch.limit_w)
        limit = limit_w if unit == "W" else limit_w / VOLTS / PHASES
        tenths = math.floor(round(limit * 10, 6)) / 10
        periods.append({"startPeriod": stretch.start_s, "limit": tenths, "numberPhases": PHASES})
    return periods
