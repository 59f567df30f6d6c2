"""The configuration keys of a simulated charge point; OCPP 1.6 edition 2, chapter 9."""

from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Final

import attrs

from actors.sim.quirks import Quirk, Quirks

_WRITABLE: Final[Mapping[str, str]] = MappingProxyType(
    {
        "AuthorizeRemoteTxRequests": "false",
        "ClockAlignedDataInterval": "0",
        "ConnectionTimeOut": "60",
        "HeartbeatInterval": "300",
        "LocalPreAuthorize": "false",
        "MeterValueSampleInterval": "60",
        "MeterValuesSampledData": "Power.Active.Import,Energy.Active.Import.Register,SoC",
        "StopTransactionOnEVSideDisconnect": "true",
        "StopTransactionOnInvalidId": "true",
        "TransactionMessageAttempts": "3",
        "TransactionMessageRetryInterval": "60",
        "UnlockConnectorOnEVSideDisconnect": "true",
        "WebSocketPingInterval": "0",
    }
)
_READ_ONLY: Final[Mapping[str, str]] = MappingProxyType(
    {
        "ChargeProfileMaxStackLevel": "8",
        "ChargingScheduleAllowedChargingRateUnit": "Current,Power",
        "ChargingScheduleMaxPeriods": "24",
        "ConnectorSwitch3to1PhaseSupported": "false",
        "GetConfigurationMaxKeys": "100",
        "NumberOfConnectors": "1",
        "SupportedFeatureProfiles": "Core,RemoteTrigger,SmartCharging",
    }
)
_BENT: Final[Mapping[Quirk, tuple[str, str]]] = MappingProxyType(
    {
        Quirk.AMPS_ONLY: ("ChargingScheduleAllowedChargingRateUnit", "Current"),
        Quirk.WATTS_ONLY: ("ChargingScheduleAllowedChargingRateUnit", "Power"),
        Quirk.ONE_PERIOD: ("ChargingScheduleMaxPeriods", "1"),
        Quirk.NO_SMART_CHARGING: ("SupportedFeatureProfiles", "Core,RemoteTrigger"),
    }
)


@attrs.frozen
class Setting:
    """The value of a key, as text, and whether it can be changed from outside."""

    key: str
    value: str
    read_only: bool


class Configuration:
    """All keys; what a quirk says of itself goes before what is set."""

    def __init__(self, quirks: Quirks, given: Mapping[str, str]) -> None:
        """Begin with the usual values and those given; other keys than the usual are writable."""
        self._quirks = quirks
        self._values = {**_WRITABLE, **_READ_ONLY, **given}

    def number(self, key: str) -> float:
        """Return the value of a key as a number."""
        return float(self[key])

    def note(self, key: str, value: str) -> None:
        """Set a key from inside, as BootNotification.conf sets HeartbeatInterval [4.2]."""
        self._values[key] = value

    def __getitem__(self, key: str) -> str:
        for quirk, (bent, value) in _BENT.items():
            if bent == key and quirk in self._quirks:
                return value
        return self._values[key]

    def settings(self, keys: Iterable[str]) -> tuple[tuple[Setting, ...], tuple[str, ...]]:
        """Return the settings of these keys, all without any, and the unknown ones [5.8]."""
        wanted = tuple(keys) or tuple(sorted(self._values))
        known = tuple(Setting(k, self[k], k in _READ_ONLY) for k in wanted if k in self._values)
        return known, tuple(key for key in wanted if key not in self._values)

    def change(self, key: str, value: str) -> str:
        """Set a key; return the status of ChangeConfiguration.conf [5.3]."""
        if key not in self._values:
            return "NotSupported"
        if key in _READ_ONLY:
            return "Rejected"
        if _WRITABLE.get(key, "").isdigit() and not (value.isascii() and value.isdigit()):
            return "Rejected"
        self._values[key] = value
        return "Accepted"
