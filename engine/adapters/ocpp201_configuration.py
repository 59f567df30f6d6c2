"""OCPP 2.0.1: a station's variables: what is asked for, and what is changed; pure.

They go by the names of 1.6, so that nobody has to know which version a charger speaks.
Source: OCPP 2.0.1 edition 2, part 2, B05 to B07 (variables and reports), appendix (components).
"""

from collections.abc import Mapping
from typing import Final, TypeAlias

from engine.adapters.ocpp16_configuration import INTERVAL, SAMPLED, wanted
from engine.adapters.ocpp_options import OcppOptions

Place: TypeAlias = tuple[str, str, str | None]
"""Component, variable and the variable's instance."""

ALIGNED: Final = "ClockAlignedDataInterval"
READ_ONLY: Final = "read_only."
"""What a capability begins with that says of a variable that it cannot be changed."""
VARIABLES: Final[Mapping[Place, str]] = {
    ("SmartChargingCtrlr", "RateUnit", None): "ChargingScheduleAllowedChargingRateUnit",
    ("SmartChargingCtrlr", "ProfileStackLevel", None): "ChargeProfileMaxStackLevel",
    ("SmartChargingCtrlr", "PeriodsPerSchedule", None): "ChargingScheduleMaxPeriods",
    ("SmartChargingCtrlr", "Phases3to1", None): "ConnectorSwitch3to1PhaseSupported",
    ("SmartChargingCtrlr", "Entries", "ChargingProfiles"): "MaxChargingProfilesInstalled",
    ("SampledDataCtrlr", "TxUpdatedMeasurands", None): SAMPLED,
    ("SampledDataCtrlr", "TxUpdatedInterval", None): INTERVAL,
    ("AlignedDataCtrlr", "Interval", None): ALIGNED,
}
"""What a station is asked for on each boot."""
_PLACES: Final = {name: place for place, name in VARIABLES.items()}


def changes(own: OcppOptions, told: Mapping[str, str]) -> tuple[dict[str, object], ...]:
    """Return the payloads of SetVariables that have what is needed measured, one for each.

    Nothing unless the site file asks for it; nothing that is said to be read-only. Who knows of no
    interval within transactions is given that of clock-aligned values.
    """
    fixed = {name for name in VARIABLES.values() if READ_ONLY + name in told}
    found = dict(wanted(own, told, fixed))
    interval = str(own.sample_interval_s)
    has_aligned_only = ALIGNED in told and INTERVAL not in told and ALIGNED not in fixed
    if own.sample_interval_s and has_aligned_only and told[ALIGNED] != interval:
        found[ALIGNED] = interval
    return tuple(_setting(_PLACES[name], value) for name, value in found.items())


def _setting(place: Place, value: str) -> dict[str, object]:
    component, variable, _ = place
    one: dict[str, object] = {
        "attributeValue": value,
        "component": {"name": component},
        "variable": {"name": variable},
    }
    return {"setVariableData": [one]}
