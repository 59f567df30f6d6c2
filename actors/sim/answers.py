"""How a simulated charge point answers the CALLs of a central system (OCPP 1.6, chapter 5)."""

import functools
import math
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, Final, TypeAlias

import attrs

from actors.sim.limits import Selection, Situation
from actors.sim.ocppj import CallRefused, Request
from actors.sim.profiles import (
    ABSOLUTE,
    RELATIVE,
    TX_PROFILE,
    ChargingProfile,
    ProfileRefused,
    read_profile,
)
from actors.sim.quirks import Quirk
from actors.sim.station import Station
from actors.sim.vehicle import VOLTS

CONTROL: Final = frozenset(
    {
        "ChangeAvailability",
        "ChangeConfiguration",
        "ClearChargingProfile",
        "RemoteStartTransaction",
        "RemoteStopTransaction",
        "Reset",
        "SetChargingProfile",
        "UnlockConnector",
    }
)
_SMART: Final = frozenset({"SetChargingProfile", "ClearChargingProfile", "GetCompositeSchedule"})
_PHASES: Final = 3


def _nothing() -> None:
    pass


@attrs.frozen
class Reply:
    """The payload of a result, and what is done when it is out."""

    payload: Mapping[str, object]
    then: Callable[[], None] = _nothing


Answering: TypeAlias = Callable[[Station, Mapping[str, Any]], Reply]


def answer(station: Station, request: Request) -> Reply:
    """Do what a CALL says and return its answer.

    Raises:
        CallRefused: it is answered with CALLERROR.
    """
    quirks = station.cabinet.quirks
    if request.action in CONTROL and Quirk.CALLERROR in quirks:
        raise CallRefused("InternalError", "out of order")
    answering = _ANSWERS.get(request.action)
    missing = request.action in _SMART and Quirk.NO_SMART_CHARGING in quirks
    blind = request.action == "GetCompositeSchedule" and Quirk.NO_COMPOSITE in quirks
    if answering is None or missing or blind:
        raise CallRefused("NotImplemented", f"{request.action} is not known here")
    request.check()
    return answering(station, request.payload)


def _status(status: str, then: Callable[[], None] = _nothing) -> Reply:
    return Reply({"status": status}, then)


# --- charging profiles, chapters 5.4, 5.7 and 5.16


def _set_profile(station: Station, payload: Mapping[str, Any]) -> Reply:
    try:
        situation = _situation(station, payload["connectorId"])
        profile = _acceptable(station, payload["csChargingProfiles"])
        if Quirk.ACCEPT_IGNORE not in station.cabinet.quirks:
            lenient = Quirk.TXPROFILE_WITHOUT_TX_ACCEPTED in station.cabinet.quirks
            station.cabinet.limits.put(profile, situation, lenient=lenient)
    except ProfileRefused:
        return _status("Rejected")
    return _status("Accepted", station.refresh)


def _situation(station: Station, number: int) -> Situation:
    if number == 0:
        return station.whole()
    if number not in station.connectors:
        raise ProfileRefused(f"there is no connector {number}")
    return station.connectors[number].situation


def _acceptable(station: Station, body: Mapping[str, Any]) -> ChargingProfile:
    """Return a profile that this charge point can keep."""
    profile = read_profile(body)
    quirks, configuration = station.cabinet.quirks, station.cabinet.configuration
    if Quirk.REJECT_PROFILE in quirks:
        raise ProfileRefused("not today")
    if Quirk.RELATIVE_ONLY in quirks and profile.kind != RELATIVE:
        raise ProfileRefused("only relative schedules")
    units = {"A": "Current", "W": "Power"}
    if units[profile.unit] not in configuration["ChargingScheduleAllowedChargingRateUnit"]:
        raise ProfileRefused(f"not in {profile.unit}")
    if len(profile.periods) > configuration.number("ChargingScheduleMaxPeriods"):
        raise ProfileRefused("too many periods")
    if profile.stack_level > configuration.number("ChargeProfileMaxStackLevel"):
        raise ProfileRefused("the stack level is too high")
    if profile.kind == RELATIVE and Quirk.RELATIVE_FROM_RECEIPT in quirks:
        return attrs.evolve(profile, kind=ABSOLUTE, start_at=station.cabinet.now())
    return profile


def _clear_profile(station: Station, payload: Mapping[str, Any]) -> Reply:
    selection = Selection(
        id=payload.get("id"),
        connector=payload.get("connectorId"),
        purpose=payload.get("chargingProfilePurpose"),
        stack_level=payload.get("stackLevel"),
    )
    found = station.cabinet.limits.clear(selection)
    return _status("Accepted" if found else "Unknown", station.refresh)


def _composite(station: Station, payload: Mapping[str, Any]) -> Reply:
    number, duration_s = payload["connectorId"], payload["duration"]
    unit = payload.get("chargingRateUnit", "W")
    try:
        situation = attrs.evolve(_situation(station, number), phases=_PHASES)
    except ProfileRefused:
        return _status("Rejected")
    max_w = station.cabinet.max_w * (1 if number else len(station.connectors))
    periods = []
    for stretch in station.cabinet.limits.composite(situation, duration_s):
        limit_w = max_w if stretch.limit_w is None else min(max_w, stretch.limit_w)
        limit = limit_w if unit == "W" else limit_w / VOLTS / _PHASES
        tenths = math.floor(round(limit * 10, 6)) / 10
        periods.append({"startPeriod": stretch.start_s, "limit": tenths, "numberPhases": _PHASES})
    schedule = {
        "duration": duration_s,
        "startSchedule": station.cabinet.timestamp(),
        "chargingRateUnit": unit,
        "chargingSchedulePeriod": periods,
    }
    return Reply(
        {
            "status": "Accepted",
            "connectorId": number,
            "scheduleStart": station.cabinet.timestamp(),
            "chargingSchedule": schedule,
        }
    )


# --- transactions, chapters 5.11 and 5.12


def _remote_start(station: Station, payload: Mapping[str, Any]) -> Reply:
    free = [
        each
        for each in station.connectors.values()
        if each.status in {"Available", "Preparing"} and each.transaction is None
    ]
    wanted = payload.get("connectorId")
    chosen = next((each for each in free if wanted in {None, each.number}), None)
    if chosen is None:
        return _status("Rejected")
    try:
        profile = _profile_of_start(station, payload.get("chargingProfile"))
    except ProfileRefused:
        return _status("Rejected")
    return _status("Accepted", lambda: chosen.start_remotely(payload["idTag"], profile))


def _profile_of_start(station: Station, body: Mapping[str, Any] | None) -> ChargingProfile | None:
    profile = None if body is None else _acceptable(station, body)
    if profile is not None and profile.purpose != TX_PROFILE:
        raise ProfileRefused("a remote start brings a TxProfile")
    return profile


def _remote_stop(station: Station, payload: Mapping[str, Any]) -> Reply:
    for connector in station.connectors.values():
        if connector.transaction_id == payload["transactionId"]:
            return _status("Accepted", functools.partial(connector.stop, "Remote"))
    return _status("Rejected")


# --- the rest


def _availability(station: Station, payload: Mapping[str, Any]) -> Reply:
    number, operative = payload["connectorId"], payload["type"] == "Operative"
    if number != 0 and number not in station.connectors:
        return _status("Rejected")
    status = station.change_availability(number, operative=operative)

    def then() -> None:
        station.refresh()
        if number == 0 and status == "Accepted":
            station.report(0)

    return _status(status, then)


def _trigger(station: Station, payload: Mapping[str, Any]) -> Reply:
    number = payload.get("connectorId")
    if number is not None and number not in {0, *station.connectors}:
        return _status("Rejected")
    reports: dict[str, Callable[[], None]] = {
        "BootNotification": station.boot,
        "Heartbeat": station.beat,
        "MeterValues": lambda: _sample(station, number),
        "StatusNotification": lambda: station.report(number),
    }
    report = reports.get(payload["requestedMessage"])
    return _status("NotImplemented") if report is None else _status("Accepted", report)


def _sample(station: Station, number: int | None) -> None:
    for each in station.connectors:
        if not number or each == number:
            station.sample(each, "Trigger")


def _get_configuration(station: Station, payload: Mapping[str, Any]) -> Reply:
    known, unknown = station.cabinet.configuration.settings(payload.get("key", ()))
    keys = [{"key": s.key, "readonly": s.read_only, "value": s.value} for s in known]
    return Reply({"configurationKey": keys, "unknownKey": list(unknown)})


def _change_configuration(station: Station, payload: Mapping[str, Any]) -> Reply:
    return _status(station.cabinet.configuration.change(payload["key"], payload["value"]))


def _reset(station: Station, payload: Mapping[str, Any]) -> Reply:
    return _status("Accepted", lambda: station.reset(f"{payload['type']}Reset"))


def _unlock(station: Station, payload: Mapping[str, Any]) -> Reply:
    connector = station.connectors.get(payload["connectorId"])
    if connector is None:
        return _status("NotSupported")
    return _status("Unlocked", functools.partial(connector.stop, "UnlockCommand"))


def _data_transfer(station: Station, payload: Mapping[str, Any]) -> Reply:
    del station, payload
    return _status("UnknownVendorId")


def _clear_cache(station: Station, payload: Mapping[str, Any]) -> Reply:
    del station, payload
    return _status("Accepted")


_ANSWERS: Final[Mapping[str, Answering]] = MappingProxyType(
    {
        "ChangeAvailability": _availability,
        "ChangeConfiguration": _change_configuration,
        "ClearCache": _clear_cache,
        "ClearChargingProfile": _clear_profile,
        "DataTransfer": _data_transfer,
        "GetCompositeSchedule": _composite,
        "GetConfiguration": _get_configuration,
        "RemoteStartTransaction": _remote_start,
        "RemoteStopTransaction": _remote_stop,
        "Reset": _reset,
        "SetChargingProfile": _set_profile,
        "TriggerMessage": _trigger,
        "UnlockConnector": _unlock,
    }
)
