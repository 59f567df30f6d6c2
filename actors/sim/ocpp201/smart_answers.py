"""How a simulated charging station answers what concerns charging profiles (OCPP 2.0.1, K)."""

from collections.abc import Mapping
from typing import Any

from actors.sim.answers import acceptable, composite_periods, keep, of_a_start, situation_of
from actors.sim.limits import Kept, Selection
from actors.sim.ocpp201.profiles import check_unique, purpose_of, read_profile_201
from actors.sim.ocpp201.station import Station201
from actors.sim.profiles import TX_PROFILE, ChargingProfile, ProfileRefused
from actors.sim.quirks import Quirk
from actors.sim.reply import Reply

_LONGEST: int = 512  # of additionalInfo


def refused(refusal: ProfileRefused) -> Reply:
    """Return a Rejected that says why."""
    info = {"reasonCode": "InvalidProfile", "additionalInfo": str(refusal)[:_LONGEST]}
    return Reply({"status": "Rejected", "statusInfo": info})


def of_request(station: Station201, body: Mapping[str, Any], evse: int) -> ChargingProfile:
    """Return the profile that a remote start brings, as this station keeps it [K05].

    Raises:
        ProfileRefused: it can not.
    """
    if "transactionId" in body:
        raise ProfileRefused("a transaction that is to begin has no id yet")
    profile = of_a_start(station, read_profile_201(body))
    check_unique(station.cabinet.limits, profile, evse)
    return profile


def set_profile(station: Station201, payload: Mapping[str, Any]) -> Reply:
    """Answer SetChargingProfile [K01]."""
    try:
        situation = situation_of(station, payload["evseId"])
        profile = acceptable(station, read_profile_201(payload["chargingProfile"]))
        _check_transaction(station, profile)
        check_unique(station.cabinet.limits, profile, situation.connector)
        return keep(station, profile, situation)
    except ProfileRefused as refusal:
        return refused(refusal)


def _check_transaction(station: Station201, profile: ChargingProfile) -> None:
    lenient = Quirk.TXPROFILE_WITHOUT_TX_ACCEPTED in station.cabinet.quirks
    if profile.purpose == TX_PROFILE and profile.transaction_id is None and not lenient:
        raise ProfileRefused("a TxProfile names its transaction")  # K01.FR.03


def clear(station: Station201, payload: Mapping[str, Any]) -> Reply:
    """Answer ClearChargingProfile [K10]."""
    criteria = payload.get("chargingProfileCriteria", {})
    selection = Selection(
        id=payload.get("chargingProfileId"),
        connector=criteria.get("evseId"),
        purpose=purpose_of(criteria.get("chargingProfilePurpose")),
        stack_level=criteria.get("stackLevel"),
    )
    found = station.cabinet.limits.clear(selection)
    return Reply({"status": "Accepted" if found else "Unknown"}, station.refresh)


def get(station: Station201, payload: Mapping[str, Any]) -> Reply:
    """Answer GetChargingProfiles; ReportChargingProfiles follows [K09]."""
    found: dict[int, list[Mapping[str, Any]]] = {}
    for kept in station.cabinet.limits.kept:
        if payload.get("evseId") in {None, kept.connector} and _fits(
            kept, payload["chargingProfile"]
        ):
            found.setdefault(kept.connector, []).append(kept.profile.told)
    if not found:
        return Reply({"status": "NoProfiles"})
    return Reply(
        {"status": "Accepted"}, lambda: station.report_profiles(payload["requestId"], found)
    )


def _fits(kept: Kept, criterion: Mapping[str, Any]) -> bool:
    profile = kept.profile
    return (
        profile.id in criterion.get("chargingProfileId", [profile.id])
        and purpose_of(criterion.get("chargingProfilePurpose")) in {None, profile.purpose}
        and criterion.get("stackLevel") in {None, profile.stack_level}
        and "CSO" in criterion.get("chargingLimitSource", ["CSO"])
    )


def composite(station: Station201, payload: Mapping[str, Any]) -> Reply:
    """Answer GetCompositeSchedule [K08]."""
    evse, duration_s = payload["evseId"], payload["duration"]
    unit = payload.get("chargingRateUnit", "W")
    try:
        periods = composite_periods(station, evse, duration_s, unit)
    except ProfileRefused as refusal:
        return refused(refusal)
    schedule = {
        "evseId": evse,
        "duration": duration_s,
        "scheduleStart": station.cabinet.timestamp(),
        "chargingRateUnit": unit,
        "chargingSchedulePeriod": periods,
    }
    return Reply({"status": "Accepted", "schedule": schedule})
