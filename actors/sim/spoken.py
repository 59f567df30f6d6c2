"""What a charge point's quirks make of the CALLs that it sends."""

import copy
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime, timedelta
from types import MappingProxyType
from typing import Any, Final

from actors.sim.quirks import Quirk, Quirks

_ZONE: Final = timedelta(hours=-5)


def said(action: str, payload: Mapping[str, object], quirks: Quirks) -> dict[str, Any]:
    """Return the payload of a CALL as the quirks have it."""
    spoilt: dict[str, Any] = copy.deepcopy(dict(payload))
    for quirk, spoil in _SPOILING.items():
        if quirk in quirks:
            spoil(action, spoilt)
    return spoilt


def _minus_one(action: str, payload: dict[str, Any]) -> None:
    if action == "MeterValues" and "transactionId" in payload:
        payload["transactionId"] = -1


def _local_time(action: str, payload: dict[str, Any]) -> None:
    del action
    for part in _parts(payload):
        if "timestamp" in part:
            part["timestamp"] = f"{_moment(part['timestamp']) + _ZONE:%Y-%m-%dT%H:%M:%S}"


def _loosely(action: str, payload: dict[str, Any]) -> None:
    """Say null for nothing, numbers as text, a status in lower case, and leave out the error."""
    payload["vendorInfo"] = None
    if "connectorId" in payload:
        payload["connectorId"] = str(payload["connectorId"])
    if action == "StatusNotification":
        payload["info"] = None
        if payload.get("errorCode") == "NoError":
            del payload["errorCode"]
        for key in ("status", "connectorStatus"):
            if key in payload:
                payload[key] = payload[key].lower()


_SPOILING: Final[Mapping[Quirk, Callable[[str, dict[str, Any]], None]]] = MappingProxyType(
    {
        Quirk.TX_MINUS_ONE: _minus_one,
        Quirk.LOCAL_TIME: _local_time,
        Quirk.LOOSE_MESSAGES: _loosely,
    }
)


def _moment(text: str) -> datetime:
    return datetime.fromisoformat(text)


def _parts(body: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Yield a message and the meter's values in it."""
    yield body
    yield from body.get("meterValue", ())
