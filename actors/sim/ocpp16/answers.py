"""How a simulated charge point answers the CALLs of a central system (OCPP 1.6, chapter 5)."""

import functools
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, Final

from actors.sim.answers import (
    acceptable,
    composite_periods,
    keep,
    of_a_start,
    situation_of,
    status,
)
from actors.sim.limits import Selection
from actors.sim.ocpp16.configuration import KEYS
from actors.sim.ocpp16.station import Station16
from actors.sim.ocpp16.upkeep import UPKEEP
from actors.sim.profiles import ChargingProfile, ProfileRefused, read_profile
from actors.sim.reply import Reply
from actors.sim.version import Answering, Version

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


# --- charging profiles, chapters 5.4, 5.7 and 5.16


def _set_profile(station: Station16, payload: Mapping[str, Any]) -> Reply:
    try:
        situation = situation_of(station, payload["connectorId"])
        profile = acceptable(station, read_profile(payload["csChargingProfiles"]))
        return keep(station, profile, situation)
    except ProfileRefused:
        return status("Rejected")


def _clear_profile(station: Station16, payload: Mapping[str, Any]) -> Reply:
    selection = Selection(
        id=payload.get("id"),
        connector=payload.get("connectorId"),
        purpose=payload.get("chargingProfilePurpose"),
        stack_level=payload.get("stackLevel"),
    )
    found = station.cabinet.limits.clear(selection)
    return status("Accepted" if found else "Unknown", station.refresh)


def _composite(station: Station16, payload: Mapping[str, Any]) -> Reply:
    number, duration_s = payload["connectorId"], payload["duration"]
    unit = payload.get("chargingRateUnit", "W")
    try:
        periods = composite_periods(station, number, duration_s, unit)
    except ProfileRefused:
        return status("Rejected")
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


def _remote_start(station: Station16, payload: Mapping[str, Any]) -> Reply:
    free = [
        each
        for each in station.connectors.values()
        if each.status in {"Available", "Preparing"} and not each.is_busy
    ]
    wanted = payload.get("connectorId")
    chosen = next((each for each in free if wanted in {None, each.number}), None)
    if chosen is None:
        return status("Rejected")
    try:
        profile = _profile_of_start(station, payload.get("chargingProfile"))
    except ProfileRefused:
        return status("Rejected")
    return status("Accepted", lambda: chosen.start_remotely(payload["idTag"], profile))


def _profile_of_start(station: Station16, body: Mapping[str, Any] | None) -> ChargingProfile | None:
    return None if body is None else of_a_start(station, read_profile(body))


def _remote_stop(station: Station16, payload: Mapping[str, Any]) -> Reply:
    for connector in station.connectors.values():
        if connector.transaction_id == payload["transactionId"]:
            return status("Accepted", functools.partial(connector.stop, "Remote"))
    return status("Rejected")


# --- the rest


def _availability(station: Station16, payload: Mapping[str, Any]) -> Reply:
    number, operative = payload["connectorId"], payload["type"] == "Operative"
    if number != 0 and number not in station.connectors:
        return status("Rejected")
    outcome = station.change_availability(number, operative=operative)

    def then() -> None:
        station.refresh()
        if number == 0 and outcome == "Accepted":
            station.report(0)

    return status(outcome, then)


def _trigger(station: Station16, payload: Mapping[str, Any]) -> Reply:
    number = payload.get("connectorId")
    if number is not None and number not in {0, *station.connectors}:
        return status("Rejected")
    reports: dict[str, Callable[[], None]] = {
        "BootNotification": station.boot,
        "Heartbeat": station.beat,
        "MeterValues": lambda: _sample(station, number),
        "StatusNotification": lambda: station.report(number),
    }
    report = reports.get(payload["requestedMessage"])
    return status("NotImplemented") if report is None else status("Accepted", report)


def _sample(station: Station16, number: int | None) -> None:
    for each in station.connectors:
        if not number or each == number:
            station.sample(each, "Trigger")


def _get_configuration(station: Station16, payload: Mapping[str, Any]) -> Reply:
    known, unknown = station.cabinet.configuration.settings(payload.get("key", ()))
    keys = [{"key": s.key, "readonly": s.read_only, "value": s.value} for s in known]
    return Reply({"configurationKey": keys, "unknownKey": list(unknown)})


def _change_configuration(station: Station16, payload: Mapping[str, Any]) -> Reply:
    return status(station.cabinet.configuration.change(payload["key"], payload["value"]))


def _reset(station: Station16, payload: Mapping[str, Any]) -> Reply:
    return status("Accepted", lambda: station.reset(f"{payload['type']}Reset"))


def _unlock(station: Station16, payload: Mapping[str, Any]) -> Reply:
    connector = station.connectors.get(payload["connectorId"])
    if connector is None:
        return status("NotSupported")
    return status("Unlocked", functools.partial(connector.stop, "UnlockCommand"))


def _data_transfer(station: Station16, payload: Mapping[str, Any]) -> Reply:
    del station, payload
    return status("UnknownVendorId")


def _clear_cache(station: Station16, payload: Mapping[str, Any]) -> Reply:
    del station, payload
    return status("Accepted")


_ANSWERS: Final[Mapping[str, Answering]] = MappingProxyType(
    {
        **UPKEEP,
        "ChangeAvailability": _availability,
        "ChangeConfiguration": _change_configuration,
        "ClearCache": _clear_cache,
        "ClearChargingProfile": _clear_profile,
        "DataTransfer": _data_transfer,
        "ExtendedTriggerMessage": _trigger,
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

OCPP16: Final = Version("1.6", Station16, KEYS, CONTROL, _ANSWERS)
