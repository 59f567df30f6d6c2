"""OCPP 1.6: what charge points report, as observations. Tolerant: whatever is odd is kept raw."""

import math
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Final

from engine.adapters.base import PowerMeasured, StateReported

PLAUSIBLE_W: Final = 1e9
"""No charge point has or allows more; a number above it is no power."""

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
_WATTS: Final = {"W": 1.0, "kW": 1_000.0}
_CODE_LIMIT: Final = 50


def moment(text: object) -> datetime | None:
    """Return an ISO 8601 time, taken as UTC without an offset; null if it is none."""
    if not isinstance(text, str):
        return None
    try:
        parsed = datetime.fromisoformat(text)
        return parsed.replace(tzinfo=UTC) if parsed.tzinfo is None else parsed.astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def number(value: object) -> float | None:
    """Return a finite number, also of a text; null for whatever is none."""
    try:
        found = float(value)  # type: ignore[arg-type]  # junk raises
    except (TypeError, ValueError, OverflowError):
        return None
    return found if math.isfinite(found) else None


def status_of(payload: Mapping[str, object]) -> StateReported:
    """Return what a StatusNotification [4.9] says; connector 0 speaks for the charge point."""
    raw = str(payload.get("status"))
    return StateReported(
        _STATES.get(raw),
        raw,
        moment(payload.get("timestamp")),
        whole_device=payload.get("connectorId") == 0,
        detail=_detail(raw, payload),
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
    power_w: dict[str | None, float] = {}
    soc_pct: float | None = None
    for sample in _samples(value):
        if sample.get("measurand") == "SoC":
            soc_pct = number(sample.get("value"))
        elif _is_power(sample):
            found_w = _sampled_w(sample)
            if found_w is not None:
                power_w[_phase(sample)] = found_w
    if not power_w and soc_pct is None:
        return None
    total_w = power_w.get(None, sum(power_w.values()))
    power_kw = total_w / 1_000 if power_w else None
    return PowerMeasured(power_kw, moment(value.get("timestamp")), soc_pct)


def _samples(value: Mapping[str, object]) -> Iterator[Mapping[str, object]]:
    samples = value.get("sampledValue")
    for sample in samples if isinstance(samples, list) else ():
        if isinstance(sample, Mapping):
            yield sample


def _is_power(sample: Mapping[str, object]) -> bool:
    """Return whether a sample is power at the outlet, which is where it is meant by default."""
    is_import = sample.get("measurand") == "Power.Active.Import"
    return is_import and sample.get("location", "Outlet") == "Outlet"


def _sampled_w(sample: Mapping[str, object]) -> float | None:
    """Return a sample in watts, which are meant where no unit is given."""
    unit, found = sample.get("unit", "W"), number(sample.get("value"))
    if found is None or not isinstance(unit, str) or unit not in _WATTS:
        return None
    power_w = found * _WATTS[unit]
    return power_w if abs(power_w) <= PLAUSIBLE_W else None


def _phase(sample: Mapping[str, object]) -> str | None:
    """Return L1, L2 or L3, L1-N being L1; null for the sum."""
    phase = sample.get("phase")
    return phase.removesuffix("-N") if isinstance(phase, str) else None
