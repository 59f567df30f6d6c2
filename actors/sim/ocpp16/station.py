"""What a charge point says of itself in OCPP 1.6."""

import functools
from collections.abc import Mapping
from datetime import timedelta
from types import MappingProxyType
from typing import Any, Final

import attrs

from actors.sim.cabinet import Cabinet
from actors.sim.connector import Connector
from actors.sim.ocpp16.connector import Connector16
from actors.sim.outbox import Notice
from actors.sim.station import FIRMWARE, MODEL, VENDOR, Station, readings

_BOOT: Final[Mapping[str, object]] = MappingProxyType(
    {"chargePointVendor": VENDOR, "chargePointModel": MODEL, "firmwareVersion": FIRMWARE}
)


@attrs.define
class Records:
    """What a charge point keeps: the local list with its version, and certificates by type."""

    list_version: int = 0
    tags: dict[str, object] = attrs.field(factory=dict)
    certificates: list[tuple[str, dict[str, object]]] = attrs.field(factory=list)


class Station16(Station):
    """A charge point of OCPP 1.6."""

    connectors: Mapping[int, Connector16]

    @functools.cached_property
    def records(self) -> Records:
        """What it keeps beside its configuration and its profiles."""
        return Records()

    def _connector(self, number: int) -> Connector16:
        return Connector16(number, self.cabinet, self.refresh)

    def boot_notification(self) -> dict[str, object]:
        """Return a BootNotification [4.2]."""
        return dict(_BOOT)

    def replay(self) -> None:
        """Say StartTransaction [4.8] and StopTransaction [4.10] of yesterday."""
        begun = self.cabinet.now() - timedelta(days=1)
        start: dict[str, object] = {
            "connectorId": 1,
            "idTag": "YESTERDAY",
            "meterStart": 0,
            "timestamp": f"{begun:%Y-%m-%dT%H:%M:%SZ}",
        }

        def ended(conf: Mapping[str, Any]) -> None:
            stop: dict[str, object] = {
                "transactionId": conf["transactionId"],
                "meterStop": 1_000,
                "timestamp": f"{begun + timedelta(hours=1):%Y-%m-%dT%H:%M:%SZ}",
            }
            self.cabinet.post(Notice("StopTransaction", stop, keep=True))

        self.cabinet.post(Notice("StartTransaction", start, keep=True, then=ended))

    def report(self, number: int | None) -> None:
        """Say the status of one, of the charge point (0), or of all (null) [4.9]."""
        if not number:
            payload: dict[str, object] = {
                "connectorId": 0,
                "errorCode": "NoError",
                "status": "Available" if self.operative else "Unavailable",
                "timestamp": self.cabinet.timestamp(),
            }
            self.cabinet.post(Notice("StatusNotification", payload))
        for connector in self.connectors.values():
            if number in {None, connector.number}:
                connector.report()

    def sample(self, number: int | None, context: str) -> None:
        """Say MeterValues [4.7] of one connector, or of all in a transaction (null)."""
        for connector in self.connectors.values():
            running = number is None and connector.transaction_id is not None
            if running or connector.number == number:
                payload = meter_values(connector, self.cabinet, context)
                self.cabinet.post(Notice("MeterValues", payload, keep=running))


def meter_values(connector: Connector, cabinet: Cabinet, context: str) -> dict[str, object]:
    """Return a MeterValues of now with the measurands that are configured [9.1]."""
    samples: list[dict[str, str]] = []
    for reading in readings(connector, cabinet.configuration["MeterValuesSampledData"]):
        phase = {} if reading.phase is None else {"phase": reading.phase}
        samples.append(
            {
                "value": f"{reading.value:.1f}",
                "context": context,
                "measurand": reading.measurand,
                "unit": reading.unit,
                **phase,
            }
        )
    payload: dict[str, object] = {
        "connectorId": connector.number,
        "meterValue": [{"timestamp": cabinet.timestamp(), "sampledValue": samples}],
    }
    if connector.transaction_id is not None:
        payload["transactionId"] = connector.transaction_id
    return payload
