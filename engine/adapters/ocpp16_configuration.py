"""OCPP 1.6: a charge point's configuration keys: what is asked for, and what is changed; pure.

Sources: OCPP 1.6 edition 2, 5.3, 5.8 and chapter 9 (standard configuration keys).
"""

from collections.abc import Collection, Iterator, Mapping
from typing import Final

from engine.adapters.ocpp_options import OcppOptions

SAMPLED: Final = "MeterValuesSampledData"
SAMPLED_MOST: Final = "MeterValuesSampledDataMaxLength"
INTERVAL: Final = "MeterValueSampleInterval"
KEYS: Final = (
    "ChargingScheduleAllowedChargingRateUnit",
    "ChargeProfileMaxStackLevel",
    "ChargingScheduleMaxPeriods",
    "ConnectorSwitch3to1PhaseSupported",
    "NumberOfConnectors",
    "SupportedFeatureProfiles",
    "MaxChargingProfilesInstalled",
    SAMPLED,
    SAMPLED_MOST,
    INTERVAL,
)
"""What a charge point is asked for on each boot."""
READ_ONLY: Final = "read_only"
"""The capability that lists the keys that cannot be changed."""
WANTED: Final = ("Power.Active.Import", "Current.Import")
"""What a charge point should measure: how much is taken, and on how many phases."""
_VALUE_LIMIT: Final = 500


def configuration(payload: object) -> dict[str, str]:
    """Return the values of a GetConfiguration.conf by their keys, as far as they are texts."""
    entries = payload.get("configurationKey") if isinstance(payload, Mapping) else None
    learned: dict[str, str] = {}
    fixed: list[str] = []
    for entry in entries if isinstance(entries, list) else ():
        if not isinstance(entry, Mapping):
            continue
        key, value = entry.get("key"), entry.get("value")
        if isinstance(key, str) and key in KEYS and isinstance(value, str):
            learned[key] = value[:_VALUE_LIMIT]
            if entry.get("readonly") is True:
                fixed.append(key)
    if fixed:
        learned[READ_ONLY] = ",".join(sorted(fixed))
    return learned


def changes(own: OcppOptions, told: Mapping[str, str]) -> tuple[tuple[str, str], ...]:
    """Return the keys to change and their new values, so that what is needed is measured.

    Nothing unless the site file asks for it; only what can be changed and is something else; what
    is measured already stays, as others may need it.
    """
    return tuple(wanted(own, told, told.get(READ_ONLY, "").split(",")))


def wanted(
    own: OcppOptions, told: Mapping[str, str], fixed: Collection[str]
) -> Iterator[tuple[str, str]]:
    """Yield the keys to change and their new values, but for those that are ``fixed``."""
    if not own.sample_interval_s:
        return
    if SAMPLED in told and SAMPLED not in fixed:
        measured = [one.strip() for one in told[SAMPLED].split(",") if one.strip()]
        missing = [one for one in WANTED if one not in measured]
        most = _most(told, len(measured) + len(missing))
        measurands = [*measured, *missing][:most]
        if measurands != measured:
            yield SAMPLED, ",".join(measurands)
    interval = told.get(INTERVAL, "").strip()
    if INTERVAL in told and INTERVAL not in fixed and interval != str(own.sample_interval_s):
        yield INTERVAL, str(own.sample_interval_s)


def _most(told: Mapping[str, str], all_of_them: int) -> int:
    """Return how many measurands a charge point takes at the most."""
    most = told.get(SAMPLED_MOST, "").strip()
    return int(most) if most.isascii() and most.isdigit() else all_of_them
