"""OCPP 1.6: what charge points report, as observations. Tolerant: whatever is odd is kept raw."""

import math
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Final

from engine.adapters.base import PowerMeasured, StateReported

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
_SUSPENDED: Final = {"SuspendedEV": "ev", "SuspendedEVSE": "evse"}
_KILO: Final = {"W": 0.001, "kW": 1.0, None: 0.001}


def moment(text: object) -> datetime | None:
    """Return an ISO 8601 time, taken as UTC without an offset; null if it is none."""
    if not isinstance(text, str):
        return None
    try:
        parsed = datetime.fromisoformat(text)
    except ValueError:
        return None
    return parsed.replace(tzinfo=UTC) if parsed.tzinfo is None else parsed.astimezone(UTC)


def status_of(payload: Mapping[str, object]) -> StateReported:
    """Return what a StatusNotification [4.9] says; connector 0 speaks for the charge point."""
    raw = str(payload.get("status"))
    detail: dict[str, str] = {}
    if raw in _SUSPENDED:
        detail["suspended_by"] = _SUSPENDED[raw]
    if raw == "Reserved":
        detail["reserved"] = "yes"
    if raw == "Faulted":
        for key, name in (("errorCode", "error_code"), ("vendorErrorCode", "vendor_code")):
            if isinstance(payload.get(key), str):
                detail[name] = str(payload[key])
    return StateReported(
        _STATES.get(raw),
        raw,
        moment(payload.get("timestamp")),
        whole_device=payload.get("connectorId") == 0,
        detail=detail,
    )


def measured(payload: Mapping[str, object]) -> PowerMeasured | None:
    """Return the newest power and state of charge of a MeterValues [4.7], null without either."""
    newest: PowerMeasured | None = None
    values = payload.get("meterValue")
    for value in values if isinstance(values, list) else ():
        if isinstance(value, Mapping):
            found = _measured_at_once(value)
            if found is not None and _is_newer(found, newest):
                newest = found
    return newest


def _is_newer(found: PowerMeasured, newest: PowerMeasured | None) -> bool:
    if newest is None or newest.measured_at is None or found.measured_at is None:
        return True
    return found.measured_at >= newest.measured_at


def _measured_at_once(value: Mapping[str, object]) -> PowerMeasured | None:
    total_kw: float | None = None
    by_phase_kw: float | None = None
    soc_pct: float | None = None
    for sample in _samples(value):
        number = _number(sample.get("value"))
        measurand = sample.get("measurand", "Energy.Active.Import.Register")
        if number is None:
            continue
        if measurand == "SoC":
            soc_pct = number
        elif measurand == "Power.Active.Import":
            factor = _KILO.get(sample.get("unit"), None)  # type: ignore[call-overload]  # junk gives null
            if factor is None:
                continue
            if sample.get("phase") is None:
                total_kw = number * factor
            else:
                by_phase_kw = (by_phase_kw or 0.0) + number * factor
    power_kw = by_phase_kw if total_kw is None else total_kw
    if power_kw is None and soc_pct is None:
        return None
    return PowerMeasured(power_kw, moment(value.get("timestamp")), soc_pct)


def _samples(value: Mapping[str, object]) -> Iterator[Mapping[str, object]]:
    samples = value.get("sampledValue")
    for sample in samples if isinstance(samples, list) else ():
        if isinstance(sample, Mapping):
            yield sample


def _number(text: object) -> float | None:
    try:
        number = float(text)  # type: ignore[arg-type]  # junk raises
    except (TypeError, ValueError):
        return None
    return number if math.isfinite(number) else None
