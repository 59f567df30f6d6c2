from collections.abc import Callable
from typing import Any

import pytest

from actors.sim.central import RawCentral
from actors.sim.charger import SimCharger
from actors.sim.ocppj import CALLERROR
from actors.sim.vehicle import Vehicle
from actors.testing.charging import START, Clock, charging, profile_201
from actors.testing.charging import play as play_any

TOKEN = {"idToken": "APP", "type": "Central"}
SMART = "SmartChargingCtrlr"


def play(scenario: Any, **setup: Any) -> None:  # noqa: ANN401 - as the original
    """Run a scenario in OCPP 2.0.1."""
    play_any(scenario, version="2.0.1", **setup)


def starting(number: int = 1, **more: object) -> dict[str, object]:
    """Return a RequestStartTransaction."""
    return {"idToken": TOKEN, "remoteStartId": number, **more}


async def limits_of(central: RawCentral, evse: int = 1, **more: object) -> list[Any]:
    """Return the composite schedule of an EVSE, as seconds and limits."""
    payload = {"evseId": evse, "duration": 3_600, **more}
    frame = await central.ask("GetCompositeSchedule", payload)
    periods = frame[2]["schedule"]["chargingSchedulePeriod"]
    return [(period["startPeriod"], period["limit"]) for period in periods]


async def variable(central: RawCentral, component: object, name: object, **more: object) -> Any:  # noqa: ANN401 - a result
    """Return what GetVariables answers for one variable."""
    wanted = {"component": component, "variable": name, **more}
    frame = await central.ask("GetVariables", {"getVariableData": [wanted]})
    (result,) = frame[2]["getVariableResult"]
    return result.get("attributeValue", result["attributeStatus"])


# --- charging profiles


def test_a_lease_falls_back_by_itself() -> None:
    """Two periods of one profile, absolute; the composite schedule knows both."""
    clock = Clock()

    async def scenario(charger: SimCharger, central: RawCentral) -> None:
        number = await charging(charger)
        lease = profile_201(
            periods=((0, 11_000.0), (960, 4_200.0)), purpose="TxProfile", transactionId=number
        )
        assert await central.status_of("SetChargingProfile", lease) == "Accepted"
        await charger.until(lambda: charger.connector(1).limit_w == 11_000.0)
        assert await limits_of(central) == [(0, 11_000.0), (960, 4_200.0)]
        clock.advance(960.0)
        await charger.until(lambda: charger.connector(1).limit_w == 4_200.0)
        amperes = await limits_of(central, chargingRateUnit="A")
        assert amperes == [(0, 6.0)]

    play(scenario, now=clock)


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"purpose": "TxProfile"}, "a TxProfile names its transaction"),
        ({"purpose": "TxProfile", "transactionId": "x"}, "a TxProfile needs a transaction"),
        ({"stackLevel": 9}, "the stack level is too high"),
        ({"chargingProfileKind": "Relative"}, "a start goes with every schedule"),
        ({"purpose": "ChargingStationExternalConstraints"}, "external constraints"),
        ({"purpose": "ChargingStationMaxProfile"}, "is for connector 0"),
        ({"periods": ((5, 1.0),)}, "do not begin at 0"),
        ({"evse": 3}, "there is no connector 3"),
    ],
)
def test_a_profile_that_makes_no_sense_is_refused(change: dict[str, Any], why: str) -> None:
    """With a reason in words."""

    async def scenario(charger: SimCharger, central: RawCentral) -> None:
        await charger.booted.wait()
        frame = await central.ask("SetChargingProfile", profile_201(**change))
        assert frame[2]["status"] == "Rejected"
        assert why in frame[2]["statusInfo"]["additionalInfo"]

    play(scenario)


def test_two_profiles_of_one_level_do_not_hold_at_one_time() -> None:
    """One takes the other's place only under its id, or when the validities do not meet."""

    async def scenario(charger: SimCharger, central: RawCentral) -> None:
        await charger.booted.wait()

        async def put(number: int, evse: int = 1, **more: Any) -> str:  # noqa: ANN401 - its body
            payload = profile_201(evse=evse, chargingProfileId=number, **more)
            return await central.status_of("SetChargingProfile", payload)

        ends: dict[str, Any] = {"validTo": "2026-01-06T00:00:00Z"}
        begins: dict[str, Any] = {"validFrom": "2026-01-06T00:00:00Z"}
        assert await put(1, **ends) == "Accepted"
        assert await put(1, **ends) == "Accepted"
        assert await put(2) == "Rejected"
        assert await put(2, **begins) == "Accepted"
        assert await put(3, evse=0, stackLevel=1) == "Rejected"
        assert await put(3, evse=0, stackLevel=2) == "Accepted"

    play(scenario)


def test_profiles_are_reported_as_they_were_set() -> None:
    """One report for each EVSE; the last says that it is the last."""

    async def scenario(charger: SimCharger, central: RawCentral) -> None:
        await charger.booted.wait()
        one, two = profile_201(), profile_201(evse=2, chargingProfileId=7)
        await central.ask("SetChargingProfile", one)
        await central.ask("SetChargingProfile", two)
        everything = {"requestId": 5, "chargingProfile": {}}
        assert await central.status_of("GetChargingProfiles", everything) == "Accepted"
        last = await central.hear("ReportChargingProfiles", evseId=2)
        first = await central.hear("ReportChargingProfiles", evseId=1)
        assert (first["tbc"], last["tbc"]) == (True, False)
        assert [one["chargingProfile"]] == first["chargingProfile"]
        assert last["requestId"] == 5
        other = {"requestId": 6, "chargingProfile": {"chargingProfileId": [7]}, "evseId": 1}
        assert await central.status_of("GetChargingProfiles", other) == "NoProfiles"

    play(scenario, connectors=2)


def test_profiles_are_cleared_by_id_or_by_what_they_are() -> None:
    """Unknown when nothing fits."""

    async def scenario(charger: SimCharger, central: RawCentral) -> None:
        await charger.booted.wait()

        async def clear(**how: object) -> str:
            return await central.status_of("ClearChargingProfile", how)

        await central.ask("SetChargingProfile", profile_201(5_000.0))
        criteria = {"chargingProfilePurpose": "TxProfile"}
        assert await clear(chargingProfileCriteria=criteria) == "Unknown"
        assert await clear(chargingProfileId=4) == "Unknown"
        assert charger.connector(1).limit_w == 5_000.0
        assert await clear(chargingProfileCriteria={"evseId": 1, "stackLevel": 1}) == "Accepted"
        await charger.until(lambda: charger.connector(1).limit_w == 22_000.0)

    play(scenario)


# --- transactions


def test_a_remote_start_brings_its_profile_and_its_number() -> None:
    """The number comes back with the transaction, and the profile holds from the first moment."""

    async def scenario(charger: SimCharger, central: RawCentral) -> None:
        await charger.booted.wait()
        charger.plug_in(1)
        body = profile_201(6_900.0, purpose="TxProfile")["chargingProfile"]
        frame = await central.ask("RequestStartTransaction", starting(9, chargingProfile=body))
        assert frame[2] == {"status": "Accepted"}
        start = await central.hear("TransactionEvent", eventType="Started")
        assert start["triggerReason"] == "RemoteStart"
        assert start["transactionInfo"]["remoteStartId"] == 9
        assert start["idToken"] == TOKEN
        await charger.until(lambda: charger.connector(1).limit_w == 6_900.0)
        again = await central.status_of("RequestStartTransaction", starting(10, evseId=1))
        assert again == "Rejected"

    play(scenario, start="engine")


def test_a_remote_start_waits_for_a_vehicle_for_a_while() -> None:
    """Then it is as if it had not been."""
    clock = Clock()

    async def scenario(charger: SimCharger, central: RawCentral) -> None:
        await charger.booted.wait()
        assert await central.status_of("RequestStartTransaction", starting(evseId=2)) == "Accepted"
        clock.advance(61.0)
        await charger.until(lambda: not charger.connector(2).is_taken)
        charger.plug_in(2)
        await central.hear("StatusNotification", evseId=2, connectorStatus="Occupied")
        assert "TransactionEvent" not in central.actions()

    play(scenario, start="engine", connectors=2, now=clock)


def test_a_transaction_that_began_with_the_permission_ends_with_it() -> None:
    """No vehicle came: Timeout."""
    clock = Clock()
    points = {"TxStartPoint": "Authorized", "MeterValueSampleInterval": "0"}

    async def scenario(charger: SimCharger, central: RawCentral) -> None:
        await charger.booted.wait()
        await central.ask("RequestStartTransaction", starting())
        start = await central.hear("TransactionEvent", eventType="Started")
        assert start["transactionInfo"]["chargingState"] == "Idle"
        clock.advance(61.0)
        end = await central.hear("TransactionEvent", eventType="Ended")
        assert end["triggerReason"] == "EVConnectTimeout"
        assert end["transactionInfo"]["stoppedReason"] == "Timeout"

    play(scenario, start="engine", now=clock, configuration=points)


def test_a_remote_start_of_a_transaction_that_runs_names_it() -> None:
    """It began with the cable, before anybody was known."""
    points = {"TxStartPoint": "EVConnected", "MeterValueSampleInterval": "0"}

    async def scenario(charger: SimCharger, central: RawCentral) -> None:
        number = await charging(charger)
        frame = await central.ask("RequestStartTransaction", starting(3))
        assert frame[2] == {"status": "Accepted", "transactionId": number}
        event = await central.hear("TransactionEvent", triggerReason="RemoteStart")
        assert event["eventType"] == "Updated"
        assert event["transactionInfo"]["remoteStartId"] == 3

    play(scenario, start="engine", configuration=points)


def test_a_remote_stop_ends_the_transaction_that_it_names() -> None:
    """No other one."""

    async def scenario(charger: SimCharger, central: RawCentral) -> None:
        number = await charging(charger)
        no, yes = {"transactionId": "another"}, {"transactionId": number}
        assert await central.status_of("RequestStopTransaction", no) == "Rejected"
        assert await central.status_of("RequestStopTransaction", yes) == "Accepted"
        end = await central.hear("TransactionEvent", eventType="Ended")
        assert end["triggerReason"] == "RemoteStop"
        assert end["transactionInfo"] == {
            "transactionId": number,
            "chargingState": "EVConnected",
            "stoppedReason": "Remote",
        }

    play(scenario)


def test_it_knows_which_transactions_go_on() -> None:
    """And whether something of them has still to be said."""
    central = RawCentral("2.0.1")

    async def scenario(charger: SimCharger, central: RawCentral) -> None:
        number = await charging(charger)
        await central.hear("TransactionEvent", triggerReason="ChargingStateChanged")
        await charger.until(lambda: not charger.station.cabinet.outbox.waiting)

        async def told(**which: object) -> object:
            return (await central.ask("GetTransactionStatus", which))[2]

        running = {"ongoingIndicator": True, "messagesInQueue": False}
        assert await told(transactionId=number) == running
        assert await told() == {"messagesInQueue": False}
        central.answers["TransactionEvent"] = lambda _: None
        charger.unplug(1)
        await central.hear("TransactionEvent", eventType="Ended")
        over = {"ongoingIndicator": False, "messagesInQueue": True}
        assert await told(transactionId=number) == over

    play(scenario, central=central)


# --- availability and reset


def test_out_of_service_waits_for_the_end_of_a_transaction() -> None:
    """Scheduled, and then Unavailable."""

    async def scenario(charger: SimCharger, central: RawCentral) -> None:
        await charging(charger)
        away = {"operationalStatus": "Inoperative", "evse": {"id": 1}}
        assert await central.status_of("ChangeAvailability", away) == "Scheduled"
        assert charger.connector(1).status == "Occupied"
        charger.unplug(1)
        await central.hear("StatusNotification", connectorStatus="Unavailable")
        back = {"operationalStatus": "Operative"}
        assert await central.status_of("ChangeAvailability", back) == "Accepted"
        await charger.until(lambda: central.statuses()[-1] == "Available")
        nowhere = {"operationalStatus": "Inoperative", "evse": {"id": 1, "connectorId": 2}}
        assert await central.status_of("ChangeAvailability", nowhere) == "Rejected"

    play(scenario)


def test_a_reset_may_be_at_once() -> None:
    """The transaction ends with it, and the boot says who wanted it."""

    async def scenario(charger: SimCharger, central: RawCentral) -> None:
        await charging(charger)
        central.told.clear()
        assert await central.status_of("Reset", {"type": "Immediate"}) == "Accepted"
        end = await central.hear("TransactionEvent", eventType="Ended")
        assert end["triggerReason"] == "ResetCommand"
        assert end["transactionInfo"]["stoppedReason"] == "ImmediateReset"
        boot = await central.hear("BootNotification")
        assert boot["reason"] == "RemoteReset"
        part = await central.status_of("Reset", {"type": "Immediate", "evseId": 1})
        assert part == "Rejected"

    play(scenario)


def test_a_reset_may_wait_until_nothing_runs() -> None:
    """Scheduled."""

    async def scenario(charger: SimCharger, central: RawCentral) -> None:
        await charging(charger)
        assert await central.status_of("Reset", {"type": "OnIdle"}) == "Scheduled"
        await central.ask("TriggerMessage", {"requestedMessage": "Heartbeat"})
        await central.hear("Heartbeat")
        assert central.connections == 1
        charger.unplug(1)
        await central.hear("BootNotification", reason="RemoteReset")
        assert central.connections == 2

    play(scenario)


def test_a_plug_is_not_unlocked_while_somebody_charges() -> None:
    """It says so."""

    async def scenario(charger: SimCharger, central: RawCentral) -> None:
        await charger.booted.wait()
        one, other = {"evseId": 1, "connectorId": 1}, {"evseId": 1, "connectorId": 2}
        assert await central.status_of("UnlockConnector", one) == "Unlocked"
        assert await central.status_of("UnlockConnector", other) == "UnknownConnector"
        await charging(charger)
        ongoing = await central.status_of("UnlockConnector", one)
        assert ongoing == "OngoingAuthorizedTransaction"

    play(scenario)


# --- the device model


def test_variables_are_found_by_component_whatever_the_case() -> None:
    """What is not there is said by name."""

    async def scenario(charger: SimCharger, central: RawCentral) -> None:
        await charger.booted.wait()
        assert await variable(central, {"name": SMART}, {"name": "RateUnit"}) == "A,W"
        assert await variable(central, {"name": SMART.upper()}, {"name": "rateunit"}) == "A,W"
        assert await variable(central, {"name": SMART}, {"name": "Nose"}) == "UnknownVariable"
        assert await variable(central, {"name": "Nose"}, {"name": "X"}) == "UnknownComponent"
        evse = {"name": "EVSE", "evse": {"id": 2}}
        assert await variable(central, evse, {"name": "AvailabilityState"}) == "Available"
        power = await variable(central, evse, {"name": "Power"}, attributeType="MaxSet")
        assert power == "22000"
        target = await variable(central, evse, {"name": "Power"}, attributeType="Target")
        assert target == "NotSupportedAttributeType"

    play(scenario, connectors=2)


@pytest.mark.parametrize(
    ("component", "name", "value", "status"),
    [
        ("SampledDataCtrlr", "TxUpdatedInterval", "7", "Accepted"),
        ("SampledDataCtrlr", "TxUpdatedInterval", "often", "Rejected"),
        ("TxCtrlr", "TxStartPoint", "EVConnected,Authorized", "Accepted"),
        ("TxCtrlr", "TxStartPoint", "Noon", "Rejected"),
        ("TxCtrlr", "StopTxOnInvalidId", "perhaps", "Rejected"),
        (SMART, "RateUnit", "W", "Rejected"),
        (SMART, "Nose", "W", "UnknownVariable"),
    ],
)
def test_variables_are_set_if_they_can_be(
    component: str, name: str, value: str, status: str
) -> None:
    """And then have the value."""

    async def scenario(charger: SimCharger, central: RawCentral) -> None:
        await charger.booted.wait()
        place = {"component": {"name": component}, "variable": {"name": name}}
        frame = await central.ask(
            "SetVariables", {"setVariableData": [{**place, "attributeValue": value}]}
        )
        assert frame[2]["setVariableResult"] == [{**place, "attributeStatus": status}]
        known = await variable(central, place["component"], place["variable"])
        assert (known == value) == (status == "Accepted")

    play(scenario)


def test_more_variables_than_it_takes_at_once_are_an_error() -> None:
    """It says how many it takes."""

    async def scenario(charger: SimCharger, central: RawCentral) -> None:
        await charger.booted.wait()
        most = {"name": "ItemsPerMessage", "instance": "GetVariables"}
        count = int(await variable(central, {"name": "DeviceDataCtrlr"}, most))
        one = {"component": {"name": SMART}, "variable": {"name": "RateUnit"}}
        frame = await central.ask("GetVariables", {"getVariableData": [one] * (count + 1)})
        assert frame[:1] + frame[2:3] == [CALLERROR, "OccurrenceConstraintViolation"]

    play(scenario)


def test_a_full_report_comes_in_parts() -> None:
    """Numbered, and each but the last says that more is to come."""

    async def scenario(charger: SimCharger, central: RawCentral) -> None:
        await charger.booted.wait()
        full = {"requestId": 4, "reportBase": "FullInventory"}
        assert await central.status_of("GetBaseReport", full) == "Accepted"
        await central.hear("NotifyReport", tbc=False)
        parts = [payload for action, payload in central.told if action == "NotifyReport"]
        assert len(parts) > 2
        assert list(range(len(parts))) == [part["seqNo"] for part in parts]
        assert {4} == {part["requestId"] for part in parts}
        assert [True] * (len(parts) - 1) + [False] == [part["tbc"] for part in parts]
        names = [one["component"]["name"] for part in parts for one in part["reportData"]]
        assert {"EVSE", "Connector", SMART, "ChargingStation"} <= set(names)
        summary = {"requestId": 4, "reportBase": "SummaryInventory"}
        assert await central.status_of("GetBaseReport", summary) == "NotSupported"

    play(scenario)


def test_a_report_of_one_component_has_its_variables_alone() -> None:
    """None is an empty set."""

    async def scenario(charger: SimCharger, central: RawCentral) -> None:
        await charger.booted.wait()

        def wanting(name: str) -> dict[str, object]:
            return {"requestId": 1, "componentVariable": [{"component": {"name": name}}]}

        assert await central.status_of("GetReport", wanting("TxCtrlr")) == "Accepted"
        report = await central.hear("NotifyReport")
        assert {"TxCtrlr"} == {each["component"]["name"] for each in report["reportData"]}
        assert await central.status_of("GetReport", wanting("Nose")) == "EmptyResultSet"

    play(scenario)


# --- triggers, and the rest


@pytest.mark.parametrize(
    ("message", "more", "status"),
    [
        ("Heartbeat", {}, "Accepted"),
        ("StatusNotification", {"evse": {"id": 1, "connectorId": 1}}, "Accepted"),
        ("StatusNotification", {"evse": {"id": 1}}, "Rejected"),
        ("StatusNotification", {}, "Rejected"),
        ("MeterValues", {"evse": {"id": 1}}, "Accepted"),
        ("MeterValues", {"evse": {"id": 9}}, "Rejected"),
        ("TransactionEvent", {}, "Rejected"),
        ("BootNotification", {}, "Rejected"),
        ("LogStatusNotification", {}, "Accepted"),
        ("FirmwareStatusNotification", {}, "Accepted"),
        ("SignV2GCertificate", {}, "NotImplemented"),
    ],
)
def test_a_trigger_is_obeyed_where_it_can_be(
    message: str, more: dict[str, object], status: str
) -> None:
    """The message follows the answer."""

    async def scenario(charger: SimCharger, central: RawCentral) -> None:
        await charger.booted.wait()
        await central.hear("StatusNotification")
        central.told.clear()
        payload = {"requestedMessage": message, **more}
        assert await central.status_of("TriggerMessage", payload) == status
        if status == "Accepted":
            await central.hear(message)

    play(scenario)


def test_a_triggered_transaction_event_has_the_meter() -> None:
    """Of now."""

    async def scenario(charger: SimCharger, central: RawCentral) -> None:
        await charging(charger, Vehicle(ramp_s=0.01))
        payload = {"requestedMessage": "TransactionEvent", "evse": {"id": 1}}
        assert await central.status_of("TriggerMessage", payload) == "Accepted"
        event = await central.hear("TransactionEvent", triggerReason="Trigger")
        samples = event["meterValue"][0]["sampledValue"]
        assert {"Trigger"} == {sample["context"] for sample in samples}

    play(scenario, now=lambda: START)


@pytest.mark.parametrize(
    ("action", "payload", "follows", "statuses"),
    [
        (
            "UpdateFirmware",
            {"firmware": {"location": "ftp://x", "retrieveDateTime": "2026-01-05T12:00:00Z"}},
            "FirmwareStatusNotification",
            ["Downloading", "Downloaded", "Installing", "Installed"],
        ),
        (
            "GetLog",
            {"logType": "DiagnosticsLog", "log": {"remoteLocation": "ftp://x"}},
            "LogStatusNotification",
            ["Uploading", "Uploaded"],
        ),
    ],
)
def test_what_takes_a_while_tells_how_it_goes_on(
    action: str, payload: dict[str, object], follows: str, statuses: list[str]
) -> None:
    """Under the number of the request."""

    async def scenario(charger: SimCharger, central: RawCentral) -> None:
        await charger.booted.wait()
        assert await central.status_of(action, {"requestId": 8, **payload}) == "Accepted"
        await central.hear(follows, status=statuses[-1])
        told = [payload for action, payload in central.told if action == follows]
        assert [{"status": each, "requestId": 8} for each in statuses] == told

    play(scenario)


@pytest.mark.parametrize(
    ("action", "payload", "result"),
    [
        ("DataTransfer", {"vendorId": "x"}, {"status": "UnknownVendorId"}),
        ("ClearCache", {}, {"status": "Rejected"}),
        ("GetLocalListVersion", {}, {"versionNumber": 0}),
    ],
)
def test_what_it_does_not_have_it_says(
    action: str, payload: dict[str, object], result: dict[str, object]
) -> None:
    """As the standard puts it."""

    async def scenario(charger: SimCharger, central: RawCentral) -> None:
        await charger.booted.wait()
        assert (await central.ask(action, payload))[2] == result
        unknown = await central.ask("CostUpdated", {"totalCost": 1, "transactionId": "x"})
        assert unknown[2] == "NotImplemented"

    play(scenario)


def refused(status: str) -> Callable[[list[Any]], bool]:
    """Return a check of an answer's status."""
    return lambda frame: bool(frame[2]["status"] == status)


def failed(code: str) -> Callable[[list[Any]], bool]:
    """Return a check of an error's code."""
    return lambda frame: frame[0] == CALLERROR and frame[2] == code


@pytest.mark.parametrize(
    ("quirk", "change", "is_so"),
    [
        ("reject_profile", {}, refused("Rejected")),
        ("callerror", {}, failed("InternalError")),
        ("no_smart_charging", {}, failed("NotImplemented")),
        ("relative_only", {}, refused("Rejected")),
        ("amps_only", {}, refused("Rejected")),
        ("watts_only", {"unit": "A"}, refused("Rejected")),
        ("one_period", {"periods": ((0, 1.0), (5, 2.0))}, refused("Rejected")),
        ("txprofile_without_tx_accepted", {"purpose": "TxProfile"}, refused("Accepted")),
        ("accept_ignore", {}, refused("Accepted")),
    ],
)
def test_the_quirks_of_1_6_are_those_of_2_0_1(
    quirk: str, change: dict[str, Any], is_so: Callable[[list[Any]], bool]
) -> None:
    """What concerns profiles is bent in the same way."""

    async def scenario(charger: SimCharger, central: RawCentral) -> None:
        await charger.booted.wait()
        frame = await central.ask("SetChargingProfile", profile_201(5_000.0, **change))
        assert is_so(frame)
        await charger.until(lambda: charger.connector(1).limit_w == 22_000.0)

    play(scenario, quirks={quirk})
