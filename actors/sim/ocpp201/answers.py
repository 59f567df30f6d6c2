"""How a simulated charging station answers the CALLs of a central system in OCPP 2.0.1.

OCPP 2.0.1 edition 3, part 2; the use cases stand beside what answers them.
"""

import functools
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, Final

from actors.sim.answers import status
from actors.sim.ocpp201 import model_answers, smart_answers
from actors.sim.ocpp201.configuration import KEYS
from actors.sim.ocpp201.connector import Connector201
from actors.sim.ocpp201.station import Station201
from actors.sim.profiles import ProfileRefused
from actors.sim.reply import Reply
from actors.sim.version import Answering, Version

CONTROL: Final = frozenset(
    {
        "ChangeAvailability",
        "ClearChargingProfile",
        "RequestStartTransaction",
        "RequestStopTransaction",
        "Reset",
        "SetChargingProfile",
        "SetVariables",
        "UnlockConnector",
    }
)
_WELL: Final = frozenset({"Available", "Occupied"})


# --- transactions: F01 to F03, E14


def _request_start(station: Station201, payload: Mapping[str, Any]) -> Reply:
    chosen = _free_for(station, payload.get("evseId"))
    body = payload.get("chargingProfile")
    if chosen is None:
        return status("Rejected")
    try:
        profile = None if body is None else smart_answers.of_request(station, body, chosen.number)
    except ProfileRefused as refusal:
        return smart_answers.refused(refusal)
    token, number = payload["idToken"]["idToken"], payload["remoteStartId"]
    reply: dict[str, object] = {"status": "Accepted"}
    if chosen.transaction_id is not None:
        reply["transactionId"] = chosen.transaction_id
    return Reply(reply, lambda: chosen.start_remotely(token, profile, number))


def _free_for(station: Station201, number: int | None) -> Connector201 | None:
    """Return the EVSE that is meant, if it is free; without a number one with a vehicle first."""
    free = [
        each
        for each in station.evses.values()
        if each.status in _WELL and not each.is_taken and number in {None, each.number}
    ]
    free.sort(key=lambda each: each.plugged is None)
    return free[0] if free else None


def _request_stop(station: Station201, payload: Mapping[str, Any]) -> Reply:
    for each in station.evses.values():
        if each.transaction_id == payload["transactionId"]:
            return status("Accepted", functools.partial(each.withdraw, "Remote"))
    return status("Rejected")


def _transaction_status(station: Station201, payload: Mapping[str, Any]) -> Reply:
    wanted = payload.get("transactionId")
    said = [
        notice.payload["transactionInfo"]["transactionId"]
        for notice in station.cabinet.outbox.waiting
        if notice.action == "TransactionEvent"
    ]
    if wanted is None:
        return Reply({"messagesInQueue": bool(said)})
    ongoing = any(each.transaction_id == wanted for each in station.evses.values())
    return Reply({"ongoingIndicator": ongoing, "messagesInQueue": wanted in said})


# --- availability, reset, unlocking: G03, G04, B11, B12, F05


def _availability(station: Station201, payload: Mapping[str, Any]) -> Reply:
    number = payload.get("evse", {}).get("id", 0)
    if number != 0 and not _is_known(station, payload["evse"]):
        return status("Rejected")
    operative = payload["operationalStatus"] == "Operative"
    outcome = station.change_availability(number, operative=operative)
    return status(outcome, station.refresh)


def _is_known(station: Station201, evse: Mapping[str, Any]) -> bool:
    return evse["id"] in station.evses and evse.get("connectorId", 1) == 1


def _reset(station: Station201, payload: Mapping[str, Any]) -> Reply:
    if "evseId" in payload:  # B11.FR.10: a station that resets as a whole only
        return status("Rejected")
    busy = any(each.is_busy for each in station.evses.values())
    if payload["type"] == "OnIdle" and busy:
        station.resets_when_idle = True
        return status("Scheduled")
    return status("Accepted", lambda: station.reset("ImmediateReset"))


def _unlock(station: Station201, payload: Mapping[str, Any]) -> Reply:
    evse = station.evses.get(payload["evseId"])
    if evse is None or payload["connectorId"] != 1:
        return status("UnknownConnector")
    return status("OngoingAuthorizedTransaction" if evse.may_charge else "Unlocked")


# --- TriggerMessage: F06


def _trigger(station: Station201, payload: Mapping[str, Any]) -> Reply:
    evse = payload.get("evse")
    if evse is not None and not _is_known(station, evse):
        return status("Rejected")
    meant = [each for each in station.evses.values() if evse is None or each.number == evse["id"]]
    reports: dict[str, Callable[[], Reply]] = {
        "BootNotification": lambda: status("Rejected"),  # F06.FR.17: it was accepted
        "FirmwareStatusNotification": lambda: _idle(station, payload["requestedMessage"]),
        "Heartbeat": lambda: status("Accepted", station.beat),
        "LogStatusNotification": lambda: _idle(station, payload["requestedMessage"]),
        "MeterValues": lambda: status("Accepted", lambda: _sample(station, meant)),
        "StatusNotification": lambda: _status_of(station, evse),
        "TransactionEvent": lambda: _transactions_of(meant),
    }
    report = reports.get(payload["requestedMessage"])
    return status("NotImplemented") if report is None else report()


def _sample(station: Station201, meant: list[Connector201]) -> None:
    for each in meant:
        station.sample(each.number, "Trigger")


def _idle(station: Station201, action: str) -> Reply:
    return status("Accepted", lambda: station.say(action, {"status": "Idle"}))


def _status_of(station: Station201, evse: Mapping[str, Any] | None) -> Reply:
    if evse is None or "connectorId" not in evse:  # F06.FR.12
        return status("Rejected")
    return status("Accepted", lambda: station.report(evse["id"]))


def _transactions_of(meant: list[Connector201]) -> Reply:
    running = [each for each in meant if each.is_busy]

    def then() -> None:
        for each in running:
            each.sample("Trigger", "Trigger")

    return status("Accepted", then) if running else status("Rejected")


# --- firmware and logs: L01, N01


def _update_firmware(station: Station201, payload: Mapping[str, Any]) -> Reply:
    steps = ("Downloading", "Downloaded", "Installing", "Installed")
    number = payload["requestId"]
    return status("Accepted", lambda: station.progress("FirmwareStatusNotification", number, steps))


def _get_log(station: Station201, payload: Mapping[str, Any]) -> Reply:
    number, steps = payload["requestId"], ("Uploading", "Uploaded")
    return Reply(
        {"status": "Accepted", "filename": f"log-{number}.txt"},
        lambda: station.progress("LogStatusNotification", number, steps),
    )


# --- what it does not have


def _data_transfer(station: Station201, payload: Mapping[str, Any]) -> Reply:
    del station, payload
    return status("UnknownVendorId")


def _clear_cache(station: Station201, payload: Mapping[str, Any]) -> Reply:
    del station, payload
    return status("Rejected")


def _list_version(station: Station201, payload: Mapping[str, Any]) -> Reply:
    del station, payload
    return Reply({"versionNumber": 0})


_ANSWERS: Final[Mapping[str, Answering]] = MappingProxyType(
    {
        "ChangeAvailability": _availability,
        "ClearCache": _clear_cache,
        "ClearChargingProfile": smart_answers.clear,
        "DataTransfer": _data_transfer,
        "GetBaseReport": model_answers.base_report,
        "GetChargingProfiles": smart_answers.get,
        "GetCompositeSchedule": smart_answers.composite,
        "GetLocalListVersion": _list_version,
        "GetLog": _get_log,
        "GetReport": model_answers.report,
        "GetTransactionStatus": _transaction_status,
        "GetVariables": model_answers.get_variables,
        "RequestStartTransaction": _request_start,
        "RequestStopTransaction": _request_stop,
        "Reset": _reset,
        "SetChargingProfile": smart_answers.set_profile,
        "SetVariables": model_answers.set_variables,
        "TriggerMessage": _trigger,
        "UnlockConnector": _unlock,
        "UpdateFirmware": _update_firmware,
    }
)

OCPP201: Final = Version("2.0.1", Station201, KEYS, CONTROL, _ANSWERS)
