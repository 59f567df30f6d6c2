"""OCPP 2.0.1: what charging stations say of themselves, junk included."""

from typing import Any

import pytest

from engine.adapters.base import ChargingReported
from engine.adapters.ocpp201_reports import availability_of, charging_of, part, station_status


def event(**more: Any) -> dict[str, Any]:  # noqa: ANN401 - JSON
    """Return a TransactionEvent."""
    return {
        "eventType": "Updated",
        "triggerReason": "MeterValuePeriodic",
        "seqNo": 3,
        "transactionInfo": {"transactionId": "tx"},
        **more,
    }


@pytest.mark.parametrize(
    ("said", "heard"),
    [
        ({}, ChargingReported("tx", 3, "updated")),
        ({"eventType": "Started", "seqNo": 0}, ChargingReported("tx", 0, "started")),
        ({"eventType": "Paused"}, ChargingReported("tx", 3, "updated")),
        ({"seqNo": None}, ChargingReported("tx", 0, "updated")),
        ({"evse": {"id": 1, "connectorId": 2}}, ChargingReported("tx", 3, "updated", None, 2)),
        ({"evse": {"id": 1, "connectorId": "2"}}, ChargingReported("tx", 3, "updated")),
        ({"triggerReason": "RemoteStop"}, ChargingReported("tx", 3, "updated", stopped=True)),
        ({"triggerReason": "EVDeparted"}, ChargingReported("tx", 3, "updated", left=True)),
        (
            {"transactionInfo": {"transactionId": "tx", "chargingState": "SuspendedEV"}},
            ChargingReported("tx", 3, "updated", "SuspendedEV"),
        ),
        (
            {
                "eventType": "Ended",
                "transactionInfo": {"transactionId": "tx", "stoppedReason": "EVDisconnected"},
            },
            ChargingReported("tx", 3, "ended", left=True),
        ),
        (
            {"seqNo": 10**30, "evse": {"id": 1, "connectorId": 2**53}},
            ChargingReported("tx", 0, "updated"),
        ),
    ],
    ids=str,
)
def test_an_event_says_how_the_vehicle_charges(
    said: dict[str, Any], heard: ChargingReported
) -> None:
    """Words that nobody knows are no reason to pass over the rest."""
    assert charging_of(event(**said)) == heard


@pytest.mark.parametrize(
    ("status", "state"),
    [
        ("Available", "AVAILABLE"),
        ("Occupied", "AVAILABLE"),
        ("Reserved", "AVAILABLE"),
        ("Unavailable", "UNAVAILABLE"),
        ("Faulted", "FAULTED"),
        ("Asleep", None),
        (["Available"], None),
    ],
    ids=str,
)
def test_a_station_as_a_whole_is_in_order_or_not(status: object, state: str | None) -> None:
    """It overlays its EVSEs while it is not."""
    seen = station_status(status)
    assert (seen.state, seen.whole_device, seen.raw) == (state, True, str(status))


CONNECTOR = {"name": "Connector", "evse": {"id": 2, "connectorId": 3}}


@pytest.mark.parametrize(
    ("component", "status", "told"),
    [
        (CONNECTOR, "Occupied", (2, "Occupied", 3)),
        ({"name": "EVSE", "evse": {"id": 2}}, "Faulted", (2, "Faulted", 1)),
        ({"name": "ChargingStation"}, "Unavailable", (0, "Unavailable", 0)),
        ({"name": "EVSE"}, "Faulted", None),
        ({"name": "EVSE", "evse": {"id": "2"}}, "Faulted", None),
        ({"name": "EVSE", "evse": {"id": 2, "connectorId": None}}, "Faulted", None),
        ({"name": "EVSE", "evse": {"id": 2, "connectorId": 10**30}}, "Faulted", None),
        ({"name": "Controller", "evse": {"id": 2}}, "Faulted", None),
        (CONNECTOR, 5, None),
        ("Connector", "Occupied", None),
    ],
    ids=str,
)
def test_an_event_may_say_how_available_something_is(
    component: object, status: object, told: tuple[int, str, int] | None
) -> None:
    """Of the station, an EVSE or a connector; nothing is made of the rest."""
    variable = {"name": "AvailabilityState"}
    said = {"component": component, "variable": variable, "actualValue": status}
    assert availability_of(said) == told
    assert availability_of({**said, "variable": {"name": "Temperature"}}) is None


def test_what_is_no_object_is_an_empty_one() -> None:
    """So that nobody has to ask."""
    assert part({"a": {"b": 1}, "c": 1}, "a") == {"b": 1}
    assert part({"a": {"b": 1}, "c": 1}, "c") == part({}, "a") == {}
