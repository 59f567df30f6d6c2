import base64
import json
from datetime import datetime, timedelta
from pathlib import Path

import attrs
import pytest

from actors.sim.central import RawCentral, boot_answer
from actors.sim.charger import SimCharger
from actors.sim.timetable import Arrival
from actors.sim.vehicle import Vehicle
from actors.sim.wirelog import WireLog
from actors.testing.charging import QUICK, START, Clock, charging, play, profile
from engine.errors import UsageError

# --- boot and connection


def test_it_boots_and_tells_the_status_of_every_connector() -> None:
    """Connector 0 is the charge point itself."""

    async def scenario(charger: SimCharger, central: RawCentral) -> None:
        await central.hear("StatusNotification", connectorId=2)
        assert central.actions() == ["BootNotification"]
        told = [p["connectorId"] for a, p in central.told if a == "StatusNotification"]
        assert told == [0, 1, 2]
        assert charger.connected.is_set()
        assert charger.connector(2).status == "Available"

    play(scenario, connectors=2)


def test_it_says_its_name_and_password() -> None:
    """HTTP Basic, with the identity as the user."""

    async def scenario(charger: SimCharger, central: RawCentral) -> None:
        await charger.booted.wait()
        expected = base64.b64encode(b"CP-1:a very long key").decode()
        assert central.authorization == f"Basic {expected}"

    play(scenario, password="a very long key")


@pytest.mark.parametrize("status", ["Pending", "Rejected"])
def test_it_boots_again_until_it_is_accepted(status: str) -> None:
    """And says nothing else before."""
    central = RawCentral()
    waiting = [status, status]
    central.answers["BootNotification"] = lambda _: boot_answer(
        waiting.pop() if waiting else "Accepted", 0
    )

    async def scenario(charger: SimCharger, central: RawCentral) -> None:
        await charger.booted.wait()
        await central.hear("StatusNotification")
        assert [action for action, _ in central.told][:4] == [
            "BootNotification",
            "BootNotification",
            "BootNotification",
            "StatusNotification",
        ]

    play(scenario, central=central)


def test_its_heart_beats_at_the_interval_that_it_was_told() -> None:
    """The interval is a configuration key, too."""
    central = RawCentral()
    central.answers["BootNotification"] = lambda _: boot_answer(interval_s=1)

    async def scenario(charger: SimCharger, central: RawCentral) -> None:
        await charger.booted.wait()
        await central.hear("Heartbeat")
        frame = await central.ask("GetConfiguration", {"key": ["HeartbeatInterval", "Nonsense"]})
        key = {"key": "HeartbeatInterval", "readonly": False, "value": "1"}
        assert frame[2] == {"configurationKey": [key], "unknownKey": ["Nonsense"]}

    play(scenario, central=central)


def test_after_a_lost_connection_it_comes_back_without_a_boot() -> None:
    """It tells only what has changed meanwhile."""

    async def scenario(charger: SimCharger, central: RawCentral) -> None:
        await central.hear("StatusNotification", connectorId=2)
        await charger.drop()
        await charger.connector(2).fault()
        central.told.clear()
        await central.hear("StatusNotification", connectorId=2, status="Faulted")
        assert len(central.told) == 1
        assert central.connections == 2

    play(scenario, connectors=2)


def test_after_a_reboot_it_boots_again() -> None:
    """The transaction that ran is ended for it, and the vehicle begins another one."""

    async def scenario(charger: SimCharger, central: RawCentral) -> None:
        first = await charging(charger)
        central.told.clear()
        await charger.reboot()
        stop = await central.hear("StopTransaction", transactionId=first)
        await charger.until(lambda: charger.connector(1).transaction_id == first + 1)
        assert stop["reason"] == "Reboot"
        assert central.actions()[0] == "BootNotification"

    play(scenario)


def test_a_reset_is_answered_before_it_is_done() -> None:
    """Its kind is the reason of the transaction's end."""

    async def scenario(charger: SimCharger, central: RawCentral) -> None:
        await charging(charger)
        assert await central.status_of("Reset", {"type": "Soft"}) == "Accepted"
        stop = await central.hear("StopTransaction")
        await charger.booted.wait()
        assert stop["reason"] == "SoftReset"
        assert central.connections == 2

    play(scenario)


# --- a charge


def test_a_complete_charge_goes_through_the_statuses_of_the_standard() -> None:
    """The vehicle's own tag starts it, the limit suspends it, the vehicle ends it."""

    async def scenario(charger: SimCharger, central: RawCentral) -> None:
        number = await charging(charger, Vehicle(id_tag="BLUE"))
        await central.hear("StatusNotification", status="Charging")
        await central.ask("SetChargingProfile", profile(0.0))
        await central.hear("StatusNotification", status="SuspendedEVSE")
        assert await central.status_of("ClearChargingProfile", {"id": 1_000}) == "Accepted"
        await charger.until(lambda: charger.connector(1).status == "Charging")
        charger.unplug(1)
        stop = await central.hear("StopTransaction")
        await central.hear("StatusNotification", status="Finishing")
        await charger.until(lambda: central.statuses()[-1] == "Available")
        assert central.statuses() == [
            "Available",
            "Preparing",
            "Charging",
            "SuspendedEVSE",
            "Charging",
            "Finishing",
            "Available",
        ]
        assert central.actions() == [
            "BootNotification",
            "Authorize",
            "StartTransaction",
            "StopTransaction",
        ]
        assert (stop["transactionId"], stop["reason"]) == (number, "EVDisconnected")
        assert stop["idTag"] == "BLUE"

    play(scenario)


def test_a_full_vehicle_suspends_itself() -> None:
    """An hour passes in a second."""

    async def scenario(charger: SimCharger, central: RawCentral) -> None:
        await charging(charger, Vehicle(battery_kwh=10.0, soc_pct=70.0, target_pct=80.0))
        await central.hear("StatusNotification", status="SuspendedEV")
        assert charger.connector(1).power_w == 0.0
        assert charger.connector(1).soc_pct == pytest.approx(80.0)
        assert charger.connector(1).meter_wh == pytest.approx(1_000.0)

    play(scenario, speed=3_600.0)


def test_the_meter_tells_power_energy_and_charge() -> None:
    """With the time of the measurement and the transaction's id."""

    async def scenario(charger: SimCharger, central: RawCentral) -> None:
        number = await charging(charger)
        values = await central.hear("MeterValues", transactionId=number)
        (value,) = values["meterValue"]
        found = {sample["measurand"]: sample["unit"] for sample in value["sampledValue"]}
        assert datetime.fromisoformat(value["timestamp"]).tzinfo is not None
        assert found == {
            "Power.Active.Import": "W",
            "Energy.Active.Import.Register": "Wh",
            "SoC": "Percent",
        }

    play(scenario, configuration={}, meter_s=0.02)


def test_an_unknown_tag_gets_no_transaction() -> None:
    """The vehicle waits."""
    central = RawCentral()
    central.answers["Authorize"] = lambda _: {"idTagInfo": {"status": "Invalid"}}

    async def scenario(charger: SimCharger, central: RawCentral) -> None:
        await charger.booted.wait()
        charger.plug_in(1)
        await central.hear("Authorize")
        await central.ask("TriggerMessage", {"requestedMessage": "Heartbeat"})
        await central.hear("Heartbeat")
        assert charger.connector(1).status == "Preparing"
        assert "StartTransaction" not in central.actions()

    play(scenario, central=central)


def test_a_transaction_that_is_not_allowed_ends_at_once() -> None:
    """Its id was given, so it is stopped by it."""
    central = RawCentral()
    central.answers["StartTransaction"] = lambda _: {
        "transactionId": 5,
        "idTagInfo": {"status": "Blocked"},
    }

    async def scenario(charger: SimCharger, central: RawCentral) -> None:
        await charger.booted.wait()
        charger.plug_in(1)
        stop = await central.hear("StopTransaction", transactionId=5)
        assert stop["reason"] == "DeAuthorized"
        await charger.until(lambda: charger.connector(1).status == "Finishing")

    play(scenario, central=central)


def test_a_start_without_an_answer_is_said_again() -> None:
    """With the same time and meter, and charging waits for it."""
    central = RawCentral()
    accept = central.answers["StartTransaction"]
    silences = [None, None]
    central.answers["StartTransaction"] = lambda p: silences.pop() if silences else accept(p)

    async def scenario(charger: SimCharger, central: RawCentral) -> None:
        await charging(charger)
        starts = [payload for action, payload in central.told if action == "StartTransaction"]
        assert len(starts) >= 3
        assert starts[0] == starts[1] == starts[2]

    play(scenario, central=central, pace=attrs.evolve(QUICK, call_s=0.2))


@pytest.mark.parametrize(("errors", "said"), [(2, 3), (9, 3)])
def test_a_start_that_fails_is_said_as_often_as_configured(errors: int, said: int) -> None:
    """Three times by default, whether the last one succeeds or not."""
    central = RawCentral()
    accept = central.answers["StartTransaction"]
    failures = [{"errorCode": "InternalError"}] * errors
    central.answers["StartTransaction"] = lambda p: failures.pop() if failures else accept(p)

    async def scenario(charger: SimCharger, central: RawCentral) -> None:
        await charger.booted.wait()
        charger.plug_in(1)
        await charger.until(lambda: central.actions().count("StartTransaction") == said)
        await central.ask("TriggerMessage", {"requestedMessage": "Heartbeat"})
        await central.hear("Heartbeat")
        assert central.actions().count("StartTransaction") == said

    configuration = {"TransactionMessageRetryInterval": "0", "MeterValueSampleInterval": "0"}
    play(scenario, central=central, configuration=configuration)


def test_a_broken_connector_gives_no_power_until_it_is_repaired() -> None:
    """Its transaction outlives it."""

    async def scenario(charger: SimCharger, central: RawCentral) -> None:
        number = await charging(charger)
        await charger.connector(1).fault()
        fault = await central.hear("StatusNotification", status="Faulted")
        assert fault["errorCode"] == "GroundFailure"
        assert charger.connector(1).offered_w == 0.0
        await charger.connector(1).repair()
        await charger.until(lambda: central.statuses()[-1] == "Charging")
        assert charger.connector(1).transaction_id == number

    play(scenario)


def test_what_happened_offline_is_told_afterwards() -> None:
    """StopTransaction keeps the time at which it happened."""
    clock = Clock()

    async def scenario(charger: SimCharger, central: RawCentral) -> None:
        number = await charging(charger)
        charger.fail("offline")
        await charger.until(lambda: not charger.connected.is_set())
        charger.unplug(1)
        clock.advance(600.0)
        charger.heal("offline")
        stop = await central.hear("StopTransaction", transactionId=number)
        assert stop["timestamp"] == "2026-01-05T12:00:00.000000Z"
        assert central.connections == 2

    play(scenario, now=clock)


def test_vehicles_come_and_go_as_planned() -> None:
    """In simulated seconds from the start."""
    arrival = Arrival(1, 60.0, Vehicle(id_tag="RED"), departs_at=600.0)

    async def scenario(charger: SimCharger, central: RawCentral) -> None:
        assert charger.connector(1).soc_pct is None
        await central.hear("StartTransaction", idTag="RED")
        await central.hear("StopTransaction", reason="EVDisconnected")

    play(scenario, speed=600.0, arrivals=(arrival,))


def test_vehicles_come_by_a_plan_clock_that_is_given() -> None:
    """While it stands, nothing happens."""
    plan = Clock()
    arrival = Arrival(1, START + timedelta(hours=6))

    async def scenario(charger: SimCharger, central: RawCentral) -> None:
        await central.hear("StatusNotification", connectorId=1)
        assert charger.connector(1).status == "Available"
        plan.advance(6 * 3_600.0)
        await central.hear("StartTransaction")

    play(scenario, plan_now=plan, arrivals=(arrival,))


def test_one_connector_takes_one_vehicle() -> None:
    """The second is refused."""

    async def scenario(charger: SimCharger, central: RawCentral) -> None:
        del central
        charger.plug_in(1)
        with pytest.raises(UsageError, match="connector 1 has a vehicle already"):
            charger.plug_in(1)

    play(scenario)


# --- the wire log


def test_the_wire_log_has_every_frame_with_its_action(tmp_path: Path) -> None:
    """Also a result's, which does not carry it on the wire."""
    file = tmp_path / "wire.jsonl"
    log = WireLog(file)

    async def scenario(charger: SimCharger, central: RawCentral) -> None:
        await charging(charger)
        await central.ask("SetChargingProfile", profile())

    play(scenario, log=log)
    log.close()
    entries = [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]
    assert {(e["device"], e["protocol"]) for e in entries} == {("CP-1", "ocpp1.6")}
    start = [
        (e["direction"], e["message_id"]) for e in entries if e["action"] == "StartTransaction"
    ]
    assert [direction for direction, _ in start] == ["out", "in"]
    assert start[0][1] == start[1][1]
    asked = [e for e in entries if e["action"] == "SetChargingProfile"]
    assert [(e["direction"], e["message_id"]) for e in asked] == [("in", "ask-1"), ("out", "ask-1")]
    assert [e["payload"] for e in asked] == [profile(), {"status": "Accepted"}]
