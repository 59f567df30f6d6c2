"""The configuration keys of a simulated charge point; OCPP 1.6 edition 2, chapter 9."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from actors.sim.configuration import Keys
from actors.sim.quirks import Quirk

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
        "SupportedFeatureProfiles": (
            "Core,FirmwareManagement,LocalAuthListManagement,RemoteTrigger,Reservation,SmartCharging"
        ),
    }
)
_BENT: Final[Mapping[Quirk, tuple[str, str]]] = MappingProxyType(
    {
        Quirk.AMPS_ONLY: ("ChargingScheduleAllowedChargingRateUnit", "Current"),
        Quirk.WATTS_ONLY: ("ChargingScheduleAllowedChargingRateUnit", "Power"),
        Quirk.ONE_PERIOD: ("ChargingScheduleMaxPeriods", "1"),
        Quirk.NO_SMART_CHARGING: (
            "SupportedFeatureProfiles",
            "Core,FirmwareManagement,LocalAuthListManagement,RemoteTrigger,Reservation",
        ),
    }
)

KEYS: Final = Keys(_WRITABLE, _READ_ONLY, _BENT)
