"""The device model of a simulated charging station: its components and their variables.

OCPP 2.0.1 edition 3, part 1 (device model) and part 2, appendices 2 and 3.
"""

from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final, Literal, TypeAlias

import attrs

from actors.sim.connector import Connector
from actors.sim.station import MODEL, VENDOR, Station

Kind: TypeAlias = Literal["string", "integer", "decimal", "boolean", "OptionList", "MemberList"]

_POINTS: Final = "EVConnected,Authorized,PowerPathClosed"
_MEASURANDS: Final = (
    "Power.Active.Import,Power.Offered,Energy.Active.Import.Register,SoC,Current.Import"
)
_STATES: Final = "Available,Occupied,Unavailable,Faulted"


class UnknownVariable(Exception):
    """There is no such variable; the text is the status of GetVariables and SetVariables."""


@attrs.frozen
class Component:
    """A part of the station: of all of it, of an EVSE, or of a connector of one."""

    name: str
    evse: int | None = None
    connector: int | None = None

    def body(self) -> dict[str, object]:
        """Return it as it is told of."""
        if self.evse is None:
            return {"name": self.name}
        connector = {} if self.connector is None else {"connectorId": self.connector}
        return {"name": self.name, "evse": {"id": self.evse, **connector}}


@attrs.frozen
class Variable:
    """A variable; its value is that of a configuration key, or what ``read`` returns.

    ``values`` are those that it can have, with commas; ``most`` is the highest.
    """

    component: Component
    name: str
    kind: Kind = "string"
    key: str | None = None
    read: Callable[[Station], str] | None = None
    instance: str | None = None
    unit: str | None = None
    values: str | None = None
    most: float | None = None

    def body(self) -> dict[str, object]:
        """Return it as it is told of."""
        instance = {} if self.instance is None else {"instance": self.instance}
        return {"name": self.name, **instance}

    def is_meant(self, wanted: Mapping[str, Any]) -> bool:
        """Tell whether a component, and a variable if one is named, means it [B08]."""
        variable = wanted.get("variable", self.body())
        return _is_of(self.component, wanted["component"]) and _name(self.body()) == _name(variable)

    def takes(self, value: str) -> bool:
        """Tell whether it can have a value, as far as its kind goes."""
        match self.kind:
            case "integer":
                return value.isascii() and value.isdigit()
            case "boolean":
                return value in {"true", "false"}
            case "OptionList" | "MemberList":
                known = (self.values or "").split(",")
                return all(each.strip() in known for each in value.split(",") if each)
            case _:
                return True


class DeviceModel:
    """All variables of a station, in the order in which it reports them."""

    def __init__(self, station: Station) -> None:
        """Look at a station that has its connectors."""
        self._station = station
        self.variables = (
            *_of_controllers(),
            *_of_station(),
            *(each for one in station.connectors.values() for each in _of_evse(one)),
        )

    def find(self, component: Mapping[str, Any], variable: Mapping[str, Any]) -> Variable:
        """Return a variable by what it is called; case does not matter.

        Raises:
            UnknownVariable: there is none.
        """
        places = [each for each in self.variables if _is_of(each.component, component)]
        if not places:
            raise UnknownVariable("UnknownComponent")
        for each in places:
            if _name(each.body()) == _name(variable):
                return each
        raise UnknownVariable("UnknownVariable")

    def value(self, variable: Variable) -> str:
        """Return the value of now."""
        if variable.read is not None:
            return variable.read(self._station)
        return self._station.cabinet.configuration[variable.key or ""]

    def is_writable(self, variable: Variable) -> bool:
        """Tell whether it can be set from outside."""
        configuration = self._station.cabinet.configuration
        return variable.key is not None and not configuration.is_read_only(variable.key)

    def change(self, variable: Variable, value: str) -> str:
        """Set a variable; return the status of SetVariables."""
        if not self.is_writable(variable) or not variable.takes(value):
            return "Rejected"
        return self._station.cabinet.configuration.change(variable.key or "", value)

    def report(self, variable: Variable) -> dict[str, object]:
        """Return what NotifyReport says of a variable."""
        limits = {"unit": variable.unit, "valuesList": variable.values, "maxLimit": variable.most}
        known = {name: value for name, value in limits.items() if value is not None}
        mutability = "ReadWrite" if self.is_writable(variable) else "ReadOnly"
        return {
            "component": variable.component.body(),
            "variable": variable.body(),
            "variableAttribute": [
                {"type": "Actual", "value": self.value(variable), "mutability": mutability}
            ],
            "variableCharacteristics": {
                "dataType": variable.kind,
                "supportsMonitoring": False,
                **known,
            },
        }


def _name(body: Mapping[str, Any]) -> tuple[str, str]:
    return str(body["name"]).casefold(), str(body.get("instance", "")).casefold()


def _is_of(component: Component, body: Mapping[str, Any]) -> bool:
    evse = body.get("evse", {})
    return (
        _name(component.body()) == _name(body)
        and component.evse == evse.get("id")
        and component.connector == evse.get("connectorId")
    )


# --- what there is


def _of_controllers() -> Iterator[Variable]:
    comm, tx = Component("OCPPCommCtrlr"), Component("TxCtrlr")
    yield Variable(comm, "HeartbeatInterval", "integer", "HeartbeatInterval", unit="s")
    yield Variable(
        comm,
        "MessageAttempts",
        "integer",
        "TransactionMessageAttempts",
        instance="TransactionEvent",
    )
    yield Variable(
        comm,
        "MessageAttemptInterval",
        "integer",
        "TransactionMessageRetryInterval",
        instance="TransactionEvent",
        unit="s",
    )
    yield Variable(comm, "OfflineThreshold", "integer", "OfflineThreshold", unit="s")
    yield Variable(comm, "WebSocketPingInterval", "integer", "WebSocketPingInterval", unit="s")
    yield Variable(tx, "EVConnectionTimeOut", "integer", "ConnectionTimeOut", unit="s")
    yield Variable(tx, "StopTxOnInvalidId", "boolean", "StopTransactionOnInvalidId")
    yield Variable(tx, "TxStartPoint", "MemberList", "TxStartPoint", values=_POINTS)
    yield Variable(tx, "TxStopPoint", "MemberList", "TxStopPoint", values=_POINTS)
    yield from _of_meters()
    auth = Component("AuthCtrlr")
    yield Variable(auth, "AuthorizeRemoteStart", "boolean", "AuthorizeRemoteTxRequests")
    yield Variable(auth, "LocalPreAuthorize", "boolean", "LocalPreAuthorize")
    clock = Component("ClockCtrlr")
    yield Variable(clock, "DateTime", read=lambda station: station.cabinet.timestamp())
    data = Component("DeviceDataCtrlr")
    for action in ("GetVariables", "SetVariables"):
        yield Variable(data, "ItemsPerMessage", "integer", f"ItemsPer{action}", instance=action)
    yield from _of_smart_charging()


def _of_meters() -> Iterator[Variable]:
    sampled, aligned = Component("SampledDataCtrlr"), Component("AlignedDataCtrlr")
    yield Variable(sampled, "TxUpdatedInterval", "integer", "MeterValueSampleInterval", unit="s")
    for name, key in (
        ("TxStartedMeasurands", "TxStartedMeasurands"),
        ("TxUpdatedMeasurands", "MeterValuesSampledData"),
        ("TxEndedMeasurands", "TxEndedMeasurands"),
    ):
        yield Variable(sampled, name, "MemberList", key, values=_MEASURANDS)
    yield Variable(aligned, "Interval", "integer", "ClockAlignedDataInterval", unit="s")


def _of_smart_charging() -> Iterator[Variable]:
    smart = Component("SmartChargingCtrlr")
    yield Variable(smart, "Enabled", "boolean", "SmartChargingEnabled")
    yield Variable(
        smart,
        "Entries",
        "integer",
        read=lambda station: str(len(station.cabinet.limits.kept)),
        instance="ChargingProfiles",
        most=40,
    )
    yield Variable(smart, "PeriodsPerSchedule", "integer", "ChargingScheduleMaxPeriods")
    yield Variable(smart, "Phases3to1", "boolean", "Phases3to1")
    yield Variable(smart, "ProfileStackLevel", "integer", "ChargeProfileMaxStackLevel")
    unit = "ChargingScheduleAllowedChargingRateUnit"
    yield Variable(smart, "RateUnit", "MemberList", unit, values="A,W")


def _of_station() -> Iterator[Variable]:
    station = Component("ChargingStation")
    yield Variable(station, "Available", "boolean", read=lambda _: "true")
    yield Variable(
        station,
        "AvailabilityState",
        "OptionList",
        read=lambda station: "Available" if station.operative else "Unavailable",
        values=_STATES,
    )
    yield Variable(station, "Model", read=lambda _: MODEL)
    yield Variable(station, "SupplyPhases", "integer", read=lambda _: "3")
    yield Variable(station, "VendorName", read=lambda _: VENDOR)


def _of_evse(connector: Connector) -> Iterator[Variable]:
    evse, plug = Component("EVSE", connector.number), Component("Connector", connector.number, 1)
    yield Variable(evse, "Available", "boolean", read=lambda _: "true")
    yield Variable(
        evse,
        "Power",
        "decimal",
        read=lambda _: f"{connector.power_w:.1f}",
        unit="W",
        most=connector.limit_w,
    )
    yield Variable(evse, "SupplyPhases", "integer", read=lambda _: "3")
    yield Variable(plug, "ConnectorType", read=lambda _: "cType2")
    for component in (evse, plug):
        yield Variable(
            component,
            "AvailabilityState",
            "OptionList",
            read=lambda _: connector.status,
            values=_STATES,
        )
