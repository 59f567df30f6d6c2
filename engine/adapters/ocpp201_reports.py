"""OCPP 2.0.1: what charging stations report, as observations. Tolerant: what is odd is kept raw.

Source: OCPP 2.0.1 edition 2, part 2: E (transactions), G (availability), N07 (events).
"""

from collections.abc import Mapping
from typing import Final, Literal

from engine.adapters.base import ChargingReported, StateReported
from engine.adapters.samples import counted

_STATION: Final = {
    "available": "AVAILABLE",
    "occupied": "AVAILABLE",
    "reserved": "AVAILABLE",
    "unavailable": "UNAVAILABLE",
    "faulted": "FAULTED",
}
_PHASES: Final[Mapping[str, Literal["started", "updated", "ended"]]] = {
    "started": "started",
    "updated": "updated",
    "ended": "ended",
}
_CHARGING: Final = {
    state.lower(): state
    for state in ("Charging", "EVConnected", "SuspendedEV", "SuspendedEVSE", "Idle")
}
_ID: Final = 255
"""The most of an id that is kept. It has 36 characters at most; some stations take more."""
_STOPS: Final = frozenset(
    {
        "AbnormalCondition",
        "Deauthorized",
        "EnergyLimitReached",
        "RemoteStop",
        "ResetCommand",
        "StopAuthorized",
        "TimeLimitReached",
        "UnlockCommand",
    }
)
"""Triggers after which a vehicle that is still connected has finished."""
_LEAVING: Final = frozenset({"EVConnectTimeout", "EVDeparted"})
_LEFT: Final = frozenset({"EVDisconnected", "Timeout"})
"""Reasons of an end that nobody is at the EVSE after; with a time-out nobody ever was."""
_PLACES: Final = frozenset({"Connector", "EVSE"})


def station_status(status: object) -> StateReported:
    """Return what a status of the station as a whole says."""
    raw = str(status)
    return StateReported(_STATION.get(raw.lower()), raw, whole_device=True)


def charging_of(payload: Mapping[str, object]) -> ChargingReported:
    """Return what a TransactionEvent [E02] says of the vehicle; an odd type is an update.

    Case makes no difference.
    """
    info, trigger = part(payload, "transactionInfo"), payload.get("triggerReason")
    charging, connector = info.get("chargingState"), part(payload, "evse").get("connectorId")
    return ChargingReported(
        kept_id(info.get("transactionId")),
        counted(payload.get("seqNo")) or 0,
        _PHASES.get(str(payload.get("eventType")).lower(), "updated"),
        None if charging is None else _CHARGING.get(str(charging).lower(), str(charging)),
        counted(connector),
        stopped=trigger in _STOPS,
        left=trigger in _LEAVING or info.get("stoppedReason") in _LEFT,
    )


def kept_id(value: object) -> str:
    """Return an id as it is kept: one without end does not fill the log."""
    return str(value)[:_ID]


def availability_of(event: Mapping[str, object]) -> tuple[int, str, int] | None:
    """Return the EVSE, status and connector that an event tells of [G01]; null for other events.

    The EVSE is 0 for the station as a whole. Some stations say it thus, and not by a
    StatusNotification.
    """
    component, status = part(event, "component"), event.get("actualValue")
    if part(event, "variable").get("name") != "AvailabilityState" or not isinstance(status, str):
        return None
    if component.get("name") == "ChargingStation":
        return 0, status, 0
    evse = part(component, "evse")
    own_id, connector_id = counted(evse.get("id")), counted(evse.get("connectorId", 1))
    is_place = component.get("name") in _PLACES
    if is_place and own_id is not None and connector_id is not None:
        return own_id, status, connector_id
    return None


def part(payload: Mapping[str, object], name: str) -> Mapping[str, object]:
    """Return an object in a payload, empty where there is none."""
    found = payload.get(name)
    return found if isinstance(found, Mapping) else {}
