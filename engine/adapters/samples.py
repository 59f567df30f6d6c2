"""What charge points measure, as observations: the same in both versions of OCPP but for units.

Sources: OCPP 1.6 edition 2, 7.38 (SampledValue); OCPP 2.0.1 edition 2, part 2, 2.46
(SampledValueType) and 2.50 (UnitOfMeasureType). Tolerant: whatever is odd is passed over.
"""

import math
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Final

from engine.adapters.base import PowerMeasured
from engine.types import US_PER_S

PLAUSIBLE_W: Final = 1e9
"""No charge point has or allows more; a number above it is no power."""

_WATTS: Final = {"W": 1.0, "kW": 1_000.0}
_WATT_HOURS: Final = {"Wh": 1.0, "kWh": 1_000.0}
_MOST_WH: Final = 1 << 53
_ENERGY: Final = "Energy.Active.Import.Register"
_MULTIPLIERS: Final = range(-9, 10)
_ZONES_US: Final = 900 * US_PER_S
_FARTHEST_US: Final = 14 * 3_600 * US_PER_S
_NEAR_US: Final = 60 * US_PER_S
_PHASES: Final = frozenset({"L1", "L2", "L3"})
_FLOWS_A: Final = 2.0
"""Below it nobody charges (IEC 61851: 6 A)."""
_SHARE: Final = 0.25
_VOLTS: Final = (150.0, 300.0)
"""Between a phase and neutral; three times as much power for its current is that of three."""


def moment(text: object) -> datetime | None:
    """Return an ISO 8601 time, taken as UTC without an offset; null if it is none."""
    if not isinstance(text, str):
        return None
    try:
        parsed = datetime.fromisoformat(text)
        return parsed.replace(tzinfo=UTC) if parsed.tzinfo is None else parsed.astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def instant(text: object) -> datetime | None:
    """Return an ISO 8601 time that has an offset; null for one of which nobody knows the zone."""
    found = moment(text)
    if found is None or not isinstance(text, str):
        return None
    return None if datetime.fromisoformat(text).tzinfo is None else found


def is_now_somewhere(lag_us: int) -> bool:
    """Return whether a local time that lies so far back can be the present in some zone.

    Zones are whole quarters of an hour apart from UTC, 14 hours at the most.
    """
    beyond_us = lag_us % _ZONES_US
    return abs(lag_us) <= _FARTHEST_US and min(beyond_us, _ZONES_US - beyond_us) <= _NEAR_US


_BITS: Final = 53
"""Of the numbers that are the same for everybody who reads JSON (RFC 8259, 6)."""


def number(value: object) -> float | None:
    """Return a finite number, also of a text; null for whatever is none."""
    try:
        found = float(value)  # type: ignore[arg-type]  # junk raises
    except (TypeError, ValueError, OverflowError):
        return None
    return found if math.isfinite(found) else None


def counted(value: object) -> int | None:
    """Return a whole number that a log can keep, null for any other."""
    return value if isinstance(value, int) and value.bit_length() <= _BITS else None


def measured(payload: Mapping[str, object]) -> PowerMeasured | None:
    """Return the newest power and state of charge of what was metered, null without either."""
    newest: PowerMeasured | None = None
    for value in objects(payload, "meterValue"):
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
    current_a: dict[str | None, float] = {}
    soc_pct: float | None = None
    for sample in objects(value, "sampledValue"):
        found = None
        if sample.get("measurand") == "SoC":
            soc_pct = number(sample.get("value"))
        elif _is_of(sample, "Power.Active.Import"):
            found = _sampled_w(sample)
            if found is not None:
                power_w[_phase(sample)] = found
        elif _is_of(sample, "Current.Import"):
            found = number(sample.get("value"))
            if found is not None:
                current_a[_phase(sample)] = found
    if not power_w and soc_pct is None:
        return None
    total_w = power_w.get(None, sum(power_w.values())) if power_w else None
    power_kw = None if total_w is None else total_w / 1_000
    phases = _phases(current_a, total_w)
    return PowerMeasured(power_kw, moment(value.get("timestamp")), soc_pct, phases)


def _phases(current_a: Mapping[str | None, float], power_w: float | None) -> int | None:
    """Return on how many phases current flows, null where that cannot be told.

    A meter that names a single phase may have no other, or tell one of three: power decides.
    """
    told = {phase: amperes for phase, amperes in current_a.items() if phase in _PHASES}
    most_a = max(told.values(), default=0.0)
    if most_a < _FLOWS_A:
        return None
    flowing = [amperes for amperes in told.values() if amperes >= most_a * _SHARE]
    if len(told) > 1 or power_w is None:
        return len(flowing) if len(told) > 1 else None
    return 1 if _VOLTS[0] <= power_w / most_a <= _VOLTS[1] else None


def objects(payload: Mapping[str, object], name: str) -> Iterator[Mapping[str, object]]:
    """Yield the entries of a list in a payload, as far as they are objects."""
    listed = payload.get(name)
    for one in listed if isinstance(listed, list) else ():
        if isinstance(one, Mapping):
            yield one


def _is_of(sample: Mapping[str, object], measurand: str) -> bool:
    """Return whether a sample is of the outlet, which is where it is meant by default."""
    return sample.get("measurand") == measurand and sample.get("location", "Outlet") == "Outlet"


def _sampled_w(sample: Mapping[str, object]) -> float | None:
    """Return a sample in watts, which are meant where no unit is given."""
    unit_w, found = _unit(sample, _WATTS, "W"), number(sample.get("value"))
    if found is None or unit_w is None:
        return None
    power_w = found * unit_w
    return power_w if abs(power_w) <= PLAUSIBLE_W else None


def _unit(sample: Mapping[str, object], units: Mapping[str, float], meant: str) -> float | None:
    """Return how much a sample's unit is: a word in 1.6, a word and a power of ten in 2.0.1.

    ``meant`` is the unit where none is given; null is for one that is not among the ``units``.
    """
    unit, multiplier = sample.get("unit", meant), 0
    told = sample.get("unitOfMeasure")
    if isinstance(told, Mapping):
        unit, multiplier = told.get("unit", meant), told.get("multiplier", 0)
    if not isinstance(unit, str) or unit not in units or multiplier not in _MULTIPLIERS:
        return None
    return units[unit] * 10.0**multiplier


def _phase(sample: Mapping[str, object]) -> str | None:
    """Return L1, L2 or L3, L1-N being L1; null for the sum."""
    phase = sample.get("phase")
    return phase.removesuffix("-N") if isinstance(phase, str) else None


def taken_at(payload: Mapping[str, object]) -> datetime | None:
    """Return the newest time at which something was metered, null where none has an offset."""
    moments = (instant(value.get("timestamp")) for value in objects(payload, "meterValue"))
    return max((one for one in moments if one is not None), default=None)


def metered_wh(payload: Mapping[str, object]) -> int | None:
    """Return the newest reading of the meter in Wh, null without one; it is meant by default."""
    found: int | None = None
    for value in objects(payload, "meterValue"):
        for sample in objects(value, "sampledValue"):
            is_meter = sample.get("measurand", _ENERGY) == _ENERGY and "phase" not in sample
            read = number(sample.get("value")) if is_meter else None
            unit = _unit(sample, _WATT_HOURS, "Wh")
            if read is not None and unit is not None and abs(read * unit) < _MOST_WH:
                found = round(read * unit)
    return found
