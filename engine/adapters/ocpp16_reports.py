"""OCPP 1.6: what charge points report, as observations. Tolerant: whatever is odd is kept raw."""

from collections.abc import Mapping
from typing import Final

from engine.adapters.base import StateReported
from engine.adapters.samples import moment

_STATES: Final = {
    "Available": "AVAILABLE",
    "Preparing": "PREPARING",
    "Charging": "CHARGING",
    "SuspendedEV": "SUSPENDED",
    "SuspendedEVSE": "SUSPENDED",
    "Finishing": "FINISHING",
    "Reserved": "AVAILABLE",
    "Unavailable": "UNAVAILABLE",
    "Faulted": "FAULTED",
}
_BY_WORD: Final = {name.casefold(): name for name in _STATES}
"""Some put a status in other letters."""
_SUSPENDED: Final = {"SuspendedEV": "ev", "SuspendedEVSE": "evse"}
_CODE_LIMIT: Final = 50


def status_of(payload: Mapping[str, object]) -> StateReported:
    """Return what a StatusNotification [4.9] says; connector 0 speaks for the charge point."""
    raw = str(payload.get("status"))
    status = _BY_WORD.get(raw.strip().casefold(), raw)
    return StateReported(
        _STATES.get(status),
        raw,
        moment(payload.get("timestamp")),
        whole_device=payload.get("connectorId") == 0,
        detail=_detail(status, payload),
    )


def _detail(status: str, payload: Mapping[str, object]) -> dict[str, str]:
    """Return who suspends, whether it is reserved, and the codes of an error."""
    detail: dict[str, str] = {}
    if status in _SUSPENDED:
        detail["suspended_by"] = _SUSPENDED[status]
    if status == "Reserved":
        detail["reserved"] = "yes"
    if status != "Faulted" and payload.get("errorCode") in (None, "NoError"):
        return detail
    for key, name in (("errorCode", "error_code"), ("vendorErrorCode", "vendor_code")):
        code = payload.get(key)
        if isinstance(code, str) and code:
            detail[name] = code[:_CODE_LIMIT]
    return detail
