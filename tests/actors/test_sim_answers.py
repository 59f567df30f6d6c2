from typing import Any

import pytest

from actors.sim.central import RawCentral
from actors.sim.charger import SimCharger
from actors.sim.ocppj import CALLERROR
from actors.testing.charging import Clock, charging, play, profile


async def limits_of(central: RawCentral, **more: object) -> list[tuple[int, float]]:
    """Return the composite schedule of connector 1, as seconds and limits."""
    payload = {"connectorId": 1, "duration": 3_600, **more}
    frame = await central.ask("GetCompositeSchedule", payload)
    periods = frame[2]["chargingSchedule"]["chargingSchedulePeriod"]
    return [(period["startPeriod"], period["limit"]) for period in periods]


# --- charging profiles


def test_with_nobody_left_to_ask_the_fallback_period_takes_over() -> None:
    """The connection is gone for good, and the clock goes on."""
    clock = Clock()

    async def scenario(charger: SimCharger, central: RawCentral) -> None:
        await charging(charger)
        lease = profile(periods=((0, 11_000.0), (960, 4_200.0)))
        assert await central.status_of("SetChargingProfile", lease) == "Accepted"
        await charger.until(lambda: charger.connector(1).limit_w == 11_000.0)
        charger.fail("offline")
        clock.advance(959.0)
        await charger.until(lambda: charger.connector(1).power_w > 4_200.0)
        clock.advance(1.0)
        await charger.until(lambda: charger.connector(1).limit_w == 4_200.0)
        await charger.until(lambda: 4_140.0 <= charger.connector(1).power_w <= 4_200.0)

    play(scenario, now=clock, speed=600.0)


def test_a_transactions_profile_needs_a_transaction_and_ends_with_it() -> None:
    """Refused before it, gone after it."""

    async def scenario(charger: SimCharger, central: RawCentral) -> None:
        await charger.booted.wait()
        early = await central.status_of("SetChargingProfile", profile(purpose="TxProfile"))
        number = await charging(charger)
        wanted = profile(purpose="TxProfile", transactionId=number)
        timely = await central.status_of("SetChargingProfile", wanted)
        limited_w = charger.connector(1).limit_w
        charger.unplug(1)
        assert (early, timely, limited_w) == ("Rejected", "Accepted", 6_000.0)
        assert charger.connector(1).limit_w == 22_000.0

    play(scenario, now=Clock())


def test_a_composite_schedule_tells_what_will_hold() -> None:
    """In the unit that was asked for, rounded down to a tenth."""

    async def scenario(charger: SimCharger, central: RawCentral) -> None:
        await charger.booted.wait()
        await central.ask("SetChargingProfile", profile(periods=((0, 9_000.0), (960, 4_200.0))))
        assert await limits_of(central) == [(0, 9_000.0), (960, 4_200.0)]
        assert await limits_of(central, chargingRateUnit="A") == [(0, 13.0), (960, 6.0)]
        await central.ask("ClearChargingProfile", {})
        assert await limits_of(central) == [(0, 22_000.0)]
        unknown = {"connectorId": 9, "duration": 60}
        assert await central.status_of("GetCompositeSchedule", unknown) == "Rejected"

    play(scenario, now=Clock())


@pytest.mark.parametrize(
    "refused",
    [
        pytest.param(profile(periods=tuple((s, 1.0) for s in range(25))), id="too many periods"),
        pytest.param(profile(stackLevel=9), id="stack level"),
        pytest.param({**profile(), "connectorId": 5}, id="no such connector"),
        pytest.param(profile(limit=-1.0), id="negative"),
    ],
)
def test_a_profile_that_it_cannot_keep_is_rejected(refused: dict[str, Any]) -> None:
    """An answer, not an error: the message itself is well formed."""

    async def scenario(charger: SimCharger, central: RawCentral) -> None:
        await charger.booted.wait()
        assert await central.status_of("SetChargingProfile", refused) == "Rejected"

    play(scenario, now=Clock())


def test_two_charging_connectors_share_what_the_whole_may_take() -> None:
    """A ChargePointMaxProfile on 0 bounds their sum."""

    async def scenario(charger: SimCharger, central: RawCentral) -> None:
        await charging(charger)
        whole = {**profile(20_000.0, "ChargePointMaxProfile"), "connectorId": 0}
        await central.ask("SetChargingProfile", whole)
        alone_w = charger.connector(1).limit_w
        charger.plug_in(2)
        await charger.until(lambda: charger.connector(2).transaction_id is not None)
        assert alone_w == 20_000.0
        assert [each.limit_w for each in charger.connectors.values()] == [10_000.0, 10_000.0]

    play(scenario, connectors=2, now=Clock())


# --- transactions


def test_a_remote_start_begins_a_charge_with_its_tag_and_profile() -> None:
    """The charge point itself waits for it."""

    async def scenario(charger: SimCharger, central: RawCentral) -> None:
        await charger.booted.wait()
        charger.plug_in(1)
        start = {
            "connectorId": 1,
            "idTag": "SETPOINT",
            "chargingProfile": profile(purpose="TxProfile")["csChargingProfiles"],
        }
        assert await central.status_of("RemoteStartTransaction", start) == "Accepted"
        await central.hear("StartTransaction", idTag="SETPOINT")
        await charger.until(lambda: charger.connector(1).status == "Charging")
        assert charger.connector(1).limit_w == 6_000.0
        assert "Authorize" not in central.actions()
        assert await central.status_of("RemoteStartTransaction", start) == "Rejected"

    play(scenario, start="engine", now=Clock())


def test_a_remote_start_waits_for_the_vehicle_for_a_while() -> None:
    """After ConnectionTimeOut the connector is free again."""
    clock = Clock()

    async def scenario(charger: SimCharger, central: RawCentral) -> None:
        await charger.booted.wait()
        await central.ask("RemoteStartTransaction", {"idTag": "SETPOINT"})
        await charger.until(lambda: charger.connector(1).status == "Preparing")
        clock.advance(60.0)
        await charger.until(lambda: charger.connector(1).status == "Available")
        await central.ask("RemoteStartTransaction", {"idTag": "SETPOINT"})
        await charger.until(lambda: charger.connector(1).status == "Preparing")
        charger.plug_in(1)
        await central.hear("StartTransaction", idTag="SETPOINT")

    play(scenario, start="engine", now=clock)


def test_after_a_remote_stop_the_vehicle_has_to_be_plugged_in_anew() -> None:
    """Finishing until it leaves."""

    async def scenario(charger: SimCharger, central: RawCentral) -> None:
        number = await charging(charger)
        ask = {"transactionId": number}
        assert await central.status_of("RemoteStopTransaction", ask) == "Accepted"
        stop = await central.hear("StopTransaction")
        await charger.until(lambda: charger.connector(1).status == "Finishing")
        assert stop["reason"] == "Remote"
        assert await central.status_of("RemoteStopTransaction", ask) == "Rejected"
        assert await central.status_of("RemoteStartTransaction", {"idTag": "A"}) == "Rejected"

    play(scenario)


# --- the rest


def test_inoperative_waits_for_the_end_of_the_transaction() -> None:
    """Scheduled, and done by itself afterwards."""

    async def scenario(charger: SimCharger, central: RawCentral) -> None:
        await charging(charger)
        close = {"connectorId": 1, "type": "Inoperative"}
        assert await central.status_of("ChangeAvailability", close) == "Scheduled"
        assert charger.connector(1).status == "Charging"
        charger.unplug(1)
        await central.hear("StatusNotification", connectorId=1, status="Unavailable")
        assert "Finishing" not in central.statuses()
        reopen = {"connectorId": 1, "type": "Operative"}
        assert await central.status_of("ChangeAvailability", reopen) == "Accepted"
        await charger.until(lambda: central.statuses()[-1] == "Available")

    play(scenario)


def test_the_whole_charge_point_can_be_closed() -> None:
    """Every connector says so, and 0 for all of them."""

    async def scenario(charger: SimCharger, central: RawCentral) -> None:
        await charger.booted.wait()
        close = {"connectorId": 0, "type": "Inoperative"}
        assert await central.status_of("ChangeAvailability", close) == "Accepted"
        for number in (0, 1, 2):
            await central.hear("StatusNotification", connectorId=number, status="Unavailable")
        other = {"connectorId": 3, "type": "Inoperative"}
        assert await central.status_of("ChangeAvailability", other) == "Rejected"

    play(scenario, connectors=2)


@pytest.mark.parametrize(
    "action", ["BootNotification", "Heartbeat", "MeterValues", "StatusNotification"]
)
def test_what_is_triggered_is_said(action: str) -> None:
    """After the answer, once."""

    async def scenario(charger: SimCharger, central: RawCentral) -> None:
        await central.hear("StatusNotification", connectorId=1)
        central.told.clear()
        trigger = {"requestedMessage": action, "connectorId": 1}
        assert await central.status_of("TriggerMessage", trigger) == "Accepted"
        await central.hear(action)
        assert [told for told, _ in central.told] == [action]
        assert charger.booted.is_set()

    play(scenario)


def test_not_everything_can_be_triggered() -> None:
    """No firmware, and no connector that does not exist."""

    async def scenario(charger: SimCharger, central: RawCentral) -> None:
        await charger.booted.wait()
        firmware = {"requestedMessage": "FirmwareStatusNotification"}
        nowhere = {"requestedMessage": "MeterValues", "connectorId": 7}
        assert await central.status_of("TriggerMessage", firmware) == "NotImplemented"
        assert await central.status_of("TriggerMessage", nowhere) == "Rejected"

    play(scenario)


@pytest.mark.parametrize(
    ("key", "value", "status"),
    [
        ("MeterValueSampleInterval", "5", "Accepted"),
        ("MeterValueSampleInterval", "often", "Rejected"),
        ("NumberOfConnectors", "9", "Rejected"),
        ("Nonsense", "1", "NotSupported"),
    ],
)
def test_a_key_is_changed_if_it_can_be(key: str, value: str, status: str) -> None:
    """Read-only, unknown and unreadable ones are not."""

    async def scenario(charger: SimCharger, central: RawCentral) -> None:
        await charger.booted.wait()
        change = {"key": key, "value": value}
        assert await central.status_of("ChangeConfiguration", change) == status
        configuration = charger.station.cabinet.configuration
        assert (status == "Accepted") == (key != "Nonsense" and configuration[key] == value)

    play(scenario)


def test_all_keys_are_told_without_a_list() -> None:
    """Among them what an adapter asks for."""

    async def scenario(charger: SimCharger, central: RawCentral) -> None:
        await charger.booted.wait()
        frame = await central.ask("GetConfiguration", {})
        told = {each["key"]: each["value"] for each in frame[2]["configurationKey"]}
        assert told["ChargingScheduleAllowedChargingRateUnit"] == "Current,Power"
        assert told["NumberOfConnectors"] == "3"
        assert frame[2]["unknownKey"] == []

    play(scenario, connectors=3)


@pytest.mark.parametrize(
    ("action", "payload", "expected"),
    [
        ("UnlockConnector", {"connectorId": 1}, "Unlocked"),
        ("UnlockConnector", {"connectorId": 8}, "NotSupported"),
        ("DataTransfer", {"vendorId": "nobody"}, "UnknownVendorId"),
        ("ClearCache", {}, "Accepted"),
        ("ClearChargingProfile", {"id": 1}, "Unknown"),
        ("Reset", {"type": "Hard"}, "Accepted"),
    ],
)
def test_the_small_calls_are_answered(
    action: str, payload: dict[str, object], expected: str
) -> None:
    """Each by its own status."""

    async def scenario(charger: SimCharger, central: RawCentral) -> None:
        await charger.booted.wait()
        assert await central.status_of(action, payload) == expected

    play(scenario)


@pytest.mark.parametrize(
    ("action", "payload", "code"),
    [
        ("MakeCoffee", {}, "NotImplemented"),
        ("SetChargingProfile", {"connectorId": 1}, "ProtocolError"),
        ("Reset", {"type": "Hard", "gently": True}, "FormationViolation"),
        ("Reset", {"type": "Gently"}, "PropertyConstraintViolation"),
        ("UnlockConnector", {"connectorId": "one"}, "TypeConstraintViolation"),
        ("SetChargingProfile", profile(limit=1.23), "PropertyConstraintViolation"),
    ],
)
def test_what_it_cannot_read_is_an_error(
    action: str, payload: dict[str, object], code: str
) -> None:
    """A CALLERROR with the code of OCPP-J."""

    async def scenario(charger: SimCharger, central: RawCentral) -> None:
        await charger.booted.wait()
        frame = await central.ask(action, payload)
        assert (frame[0], frame[2]) == (CALLERROR, code)

    play(scenario)
