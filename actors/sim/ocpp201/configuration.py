"""What can be configured in a simulated charging station of OCPP 2.0.1, by the name in 1.6.

`variables` has what each is called in the device model. OCPP 2.0.1 edition 3, part 2, appendix 2.
"""

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
        "OfflineThreshold": "60",
        "StopTransactionOnInvalidId": "true",
        "TransactionMessageAttempts": "3",
        "TransactionMessageRetryInterval": "60",
        "TxEndedMeasurands": "Energy.Active.Import.Register",
        "TxStartPoint": "PowerPathClosed",
        "TxStartedMeasurands": "Energy.Active.Import.Register",
        "TxStopPoint": "EVConnected,Authorized",
        "WebSocketPingInterval": "0",
    }
)
_READ_ONLY: Final[Mapping[str, str]] = MappingProxyType(
    {
        "ChargeProfileMaxStackLevel": "8",
        "ChargingScheduleAllowedChargingRateUnit": "A,W",
        "ChargingScheduleMaxPeriods": "24",
        "ItemsPerGetVariables": "20",
        "ItemsPerSetVariables": "20",
        "MaxChargingProfilesInstalled": "40",
        "NumberOfConnectors": "1",
        "Phases3to1": "false",
        "SmartChargingEnabled": "true",
    }
)
_BENT: Final[Mapping[Quirk, tuple[str, str]]] = MappingProxyType(
    {
        Quirk.AMPS_ONLY: ("ChargingScheduleAllowedChargingRateUnit", "A"),
        Quirk.WATTS_ONLY: ("ChargingScheduleAllowedChargingRateUnit", "W"),
        Quirk.ONE_PERIOD: ("ChargingScheduleMaxPeriods", "1"),
        Quirk.NO_SMART_CHARGING: ("SmartChargingEnabled", "false"),
    }
)

KEYS: Final = Keys(_WRITABLE, _READ_ONLY, _BENT)
