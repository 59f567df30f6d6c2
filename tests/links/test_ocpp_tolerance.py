"""What breaks its schema and can be understood all the same is put right; the rest is refused."""

from typing import Any

import pytest

from actors.links.ocpp.framing import Call
from actors.links.ocpp.tolerance import Fault, understood
from actors.links.ocpp.versions import V16, V201, Version

AT = "2026-03-02T06:00:00Z"
METER: dict[str, Any] = {"timestamp": AT, "sampledValue": [{"value": "7.5"}]}


def read(action: str, payload: dict[str, Any], version: Version = V16) -> Any:  # noqa: ANN401 - a payload, or a fault
    """Return a payload as it is read, or why it is not."""
    found = understood(Call("1", action, payload), version)
    return found if isinstance(found, Fault) else found.payload


@pytest.mark.parametrize(
    ("action", "payload", "expected"),
    [
        (
            "StatusNotification",
            {"connectorId": "1", "status": "Charging", "errorCode": "NoError", "info": None},
            {"connectorId": 1, "status": "Charging", "errorCode": "NoError"},
        ),
        (
            "StatusNotification",
            {"connectorId": 1, "status": "Charging"},
            {"connectorId": 1, "status": "Charging", "errorCode": "NoError"},
        ),
        (
            "StatusNotification",
            {"connectorId": 1, "status": "Charging", "errorCode": None},
            {"connectorId": 1, "status": "Charging", "errorCode": "NoError"},
        ),
        (
            "MeterValues",
            {"connectorId": 1.0, "meterValue": {"timestamp": AT, "sampledValue": {"value": 7.5}}},
            {"connectorId": 1, "meterValue": [METER]},
        ),
        (
            "MeterValues",
            {"connectorId": "1", "transactionId": " 12 ", "meterValue": [METER]},
            {"connectorId": 1, "transactionId": 12, "meterValue": [METER]},
        ),
        (
            "BootNotification",
            {"chargePointModel": 3},
            {"chargePointModel": "3", "chargePointVendor": ""},
        ),
    ],
)
def test_what_can_be_meant_in_one_way_is_read_so(
    action: str, payload: dict[str, Any], expected: dict[str, Any]
) -> None:
    """Null is left out, a number may be text and text a number, one thing is a list of one."""
    before = str(payload)
    assert read(action, payload) == expected
    assert str(payload) == before


def test_a_stop_is_read_whatever_it_leaves_out() -> None:
    """Its transaction has ended all the same."""
    found = read("StopTransaction", {"transactionId": "7"})
    assert found["transactionId"] == 7
    assert found["timestamp"] == ""


@pytest.mark.parametrize("transaction", [None, "7", 7.0])
def test_a_stop_is_read_with_a_meter_of_fractions_and_values_that_are_none(
    transaction: object,
) -> None:
    """What it meters beside is left out; without a transaction it is of the one that runs."""
    nothing = {"timestamp": AT, "sampledValue": [{"value": None}]}
    payload = {"transactionId": transaction, "meterStop": 12.5, "timestamp": AT}
    found = read("StopTransaction", {**payload, "transactionData": [nothing, None]})
    told = 0 if transaction is None else 7
    assert (found["transactionId"], found["meterStop"]) == (told, 12)
    assert found["transactionData"] == [{"timestamp": AT, "sampledValue": []}]


def test_a_start_is_read_without_its_meter() -> None:
    """It is a transaction all the same."""
    payload = {"connectorId": 1, "idTag": "T", "timestamp": AT}
    assert read("StartTransaction", {**payload, "meterStart": None})["meterStart"] == 0


def test_of_many_samples_one_that_is_none_is_left_out() -> None:
    """A state of charge without a vehicle does not hide the power."""
    samples = [{"value": None, "measurand": "SoC"}, {"value": "7.5"}]
    value = {"timestamp": AT, "sampledValue": samples}
    for version, place in ((V16, {"connectorId": 1}), (V201, {"evseId": 1})):
        found = read("MeterValues", {**place, "meterValue": [None, value]}, version)
        told = [[one["value"] for one in each["sampledValue"]] for each in found["meterValue"]]
        assert told in ([["7.5"]], [[7.5]])


def test_of_a_list_what_cannot_be_read_goes_as_a_whole() -> None:
    """A number without its unit would be another number."""
    odd = [{"value": {}}, {"value": 7.5, "unitOfMeasure": "kW"}, {"value": 8.0}]
    values = ["none", {"timestamp": AT, "sampledValue": odd}]
    found = read("MeterValues", {"evseId": 1, "meterValue": values}, V201)
    assert found["meterValue"] == [{"timestamp": AT, "sampledValue": [{"value": 8.0}]}]
    told = read("NotifyEvent", {"generatedAt": AT, "seqNo": 0, "eventData": [None, {}, 5]}, V201)
    assert told["eventData"] == []


ENDED: dict[str, Any] = {
    "eventType": "Ended",
    "timestamp": AT,
    "triggerReason": "EVDeparted",
    "seqNo": 3,
    "transactionInfo": {"transactionId": "t"},
}


@pytest.mark.parametrize("evse", [{"id": 1.5}, {"id": "1.5"}, {"id": None}, {}, 5])
def test_an_event_is_read_without_a_part_that_cannot_be(evse: object) -> None:
    """Its transaction says where it is."""
    assert read("TransactionEvent", {**ENDED, "evse": evse}, V201) == ENDED


def test_an_event_is_not_read_without_a_part_that_it_needs() -> None:
    """Nobody knows of which transaction it is."""
    payload = {**ENDED, "transactionInfo": {"transactionId": {}}}
    assert isinstance(read("TransactionEvent", payload, V201), Fault)


def test_a_stop_is_read_whatever_it_says() -> None:
    """A charge point that is refused says it again for ever."""
    payload = {"transactionId": "abc", "meterStop": "x", "timestamp": {}, "idTag": {}}
    found = read("StopTransaction", {**payload, "transactionData": "x"})
    assert (found["transactionId"], found["timestamp"]) == (0, "")
    assert found["transactionData"] == []
    assert "idTag" not in found


def test_a_frame_with_faults_without_end_is_refused_by_the_first_few() -> None:
    """It is not put right, however that would end."""
    few = read("MeterValues", {"connectorId": 1, "meterValue": [METER, *[None] * 32]})
    assert few == {"connectorId": 1, "meterValue": [METER]}
    many = read("MeterValues", {"connectorId": 1, "meterValue": [METER, *[None] * 33]})
    assert isinstance(many, Fault)


def test_a_truth_may_be_text() -> None:
    """As some put it."""
    payload = {
        "eventType": "Started",
        "timestamp": AT,
        "triggerReason": "CablePluggedIn",
        "seqNo": "0",
        "offline": "False",
        "transactionInfo": {"transactionId": "t"},
    }
    assert read("TransactionEvent", payload, V201) == {**payload, "seqNo": 0, "offline": False}


@pytest.mark.parametrize(
    ("payload", "code"),
    [
        ({"connectorId": 1, "idTag": "T", "meterStart": 0}, "OccurenceConstraintViolation"),
        (
            {"connectorId": "one", "idTag": "T", "meterStart": 0, "timestamp": AT},
            "TypeConstraintViolation",
        ),
        (
            {"connectorId": "1.5", "idTag": "T", "meterStart": 0, "timestamp": AT},
            "TypeConstraintViolation",
        ),
        (
            {"connectorId": 1, "idTag": True, "meterStart": 0, "timestamp": AT},
            "TypeConstraintViolation",
        ),
    ],
)
def test_what_is_needed_and_not_there_is_refused(payload: dict[str, Any], code: str) -> None:
    """A transaction has a connector, a tag and a time."""
    found = read("StartTransaction", payload)
    assert isinstance(found, Fault)
    assert found.code == code


@pytest.mark.parametrize(
    ("action", "code"), [("Reset", "NotSupported"), ("Hello", "NotImplemented")]
)
def test_what_is_no_action_of_a_charge_point_is_refused(action: str, code: str) -> None:
    """Whatever its payload."""
    assert read(action, {}).code == code


def test_a_truth_that_is_none_is_refused() -> None:
    """Nobody knows what is meant."""
    payload = {
        "eventType": "Started",
        "timestamp": AT,
        "triggerReason": "CablePluggedIn",
        "seqNo": 0,
        "offline": "perhaps",
        "transactionInfo": {"transactionId": "t"},
    }
    assert read("TransactionEvent", payload, V201).code == "TypeConstraintViolation"
