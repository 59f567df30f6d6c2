from typing import Any

import attrs

from actors.sim.central import RawCentral, boot_answer
from actors.sim.charger import SimCharger
from actors.sim.vehicle import Vehicle
from actors.sim.wirelog import WireLog
from actors.testing.charging import QUICK, Clock, Scenario, charging, play, profile_201

V = "2.0.1"
UPDATED = ("Updated", "ChargingStateChanged")
TOKEN = {"idToken": "APP", "type": "Central"}


def play_201(scenario: Scenario, central: RawCentral | None = None, **setup: Any) -> None:  # noqa: ANN401 - as `play`
    """Run a scenario in OCPP 2.0.1."""
    play(scenario, central=central, **{"version": V, **setup})


def events_of(central: RawCentral) -> list[dict[str, Any]]:
    """Return the TransactionEvents that came, in order."""
    return [payload for action, payload in central.told if action == "TransactionEvent"]


def story(central: RawCentral) -> list[tuple[str, str, str]]:
    """Return type, trigger and charging state of the TransactionEvents that came."""
    return [
        (e["eventType"], e["triggerReason"], e["transactionInfo"]["chargingState"])
        for e in events_of(central)
        if e["triggerReason"] != "MeterValuePeriodic"
    ]


async def ended(central: RawCentral) -> dict[str, Any]:
    """Return the first TransactionEvent that ends a transaction, once it has come."""
    return await central.hear("TransactionEvent", eventType="Ended")


# --- boot and connection


def test_it_boots_and_tells_the_status_of_every_connector() -> None:
    """Each EVSE has connector 1; nothing is said of the station as a whole."""

    async def scenario(charger: SimCharger, central: RawCentral) -> None:
        await central.hear("StatusNotification", evseId=2)
        assert central.actions() == ["BootNotification"]
        boot = central.told[0][1]
        assert boot["reason"] == "PowerUp"
        told = [
            (p["evseId"], p["connectorId"], p["connectorStatus"])
            for a, p in central.told
            if a == "StatusNotification"
        ]
        assert told == [(1, 1, "Available"), (2, 1, "Available")]
        assert charger.connected.is_set()

    play_201(scenario, connectors=2)


def test_its_heart_beats_at_the_interval_that_it_was_told() -> None:
    """The interval is a variable of the device model, too."""
    central = RawCentral(V)
    central.answers["BootNotification"] = lambda _: boot_answer(interval_s=1)

    async def scenario(charger: SimCharger, central: RawCentral) -> None:
        await charger.booted.wait()
        await central.hear("Heartbeat")
        wanted = {
            "component": {"name": "OCPPCommCtrlr"},
            "variable": {"name": "HeartbeatInterval"},
        }
        frame = await central.ask("GetVariables", {"getVariableData": [wanted]})
        (result,) = frame[2]["getVariableResult"]
        assert (result["attributeStatus"], result["attributeValue"]) == ("Accepted", "1")

    play_201(scenario, central)


def test_the_wire_log_names_the_version() -> None:
    """As the subprotocol does."""
    log = WireLog()

    async def scenario(charger: SimCharger, central: RawCentral) -> None:
        await charging(charger)
        await central.hear("TransactionEvent")

    play(scenario, log, version=V)
    assert {entry.protocol for entry in log.entries} == {"ocpp2.0.1"}
    assert {"in", "out"} == {e.direction for e in log.entries if e.action == "TransactionEvent"}


# --- a charge


def test_a_complete_charge_tells_its_story() -> None:
    """The vehicle's own tag starts it, the limit suspends it, the vehicle ends it."""

    async def scenario(charger: SimCharger, central: RawCentral) -> None:
        number = await charging(charger, Vehicle(id_tag="BLUE"))
        await charger.until(lambda: story(central)[-1:] == [(*UPDATED, "Charging")])
        await central.ask("SetChargingProfile", profile_201(0.0))
        await charger.until(lambda: story(central)[-1] == (*UPDATED, "SuspendedEVSE"))
        clear = {"chargingProfileId": 1_000}
        assert await central.status_of("ClearChargingProfile", clear) == "Accepted"
        await charger.until(lambda: story(central)[-1] == (*UPDATED, "Charging"))
        charger.unplug(1)
        end = await ended(central)
        await charger.until(lambda: central.statuses()[-1] == "Available")
        assert central.statuses() == ["Available", "Occupied", "Available"]
        assert story(central) == [
            ("Started", "Authorized", "EVConnected"),
            (*UPDATED, "Charging"),
            (*UPDATED, "SuspendedEVSE"),
            (*UPDATED, "Charging"),
            ("Ended", "EVCommunicationLost", "Idle"),
        ]
        start = events_of(central)[0]
        assert start["idToken"] == {"idToken": "BLUE", "type": "ISO14443"}
        assert start["evse"] == {"id": 1, "connectorId": 1}
        assert end["transactionInfo"]["stoppedReason"] == "EVDisconnected"
        assert {number} == {e["transactionInfo"]["transactionId"] for e in events_of(central)}
        assert list(range(5)) == [e["seqNo"] for e in events_of(central)]
        assert "offline" not in end

    play_201(scenario)


def test_a_transaction_may_begin_with_the_cable() -> None:
    """And go on when the remote stop has come, until the cable is out: the points say so."""
    points = {"TxStartPoint": "EVConnected", "TxStopPoint": "EVConnected"}

    async def scenario(charger: SimCharger, central: RawCentral) -> None:
        number = await charging(charger)
        await central.hear("TransactionEvent", triggerReason="Authorized")
        stop = {"transactionId": number}
        assert await central.status_of("RequestStopTransaction", stop) == "Accepted"
        await central.hear("TransactionEvent", triggerReason="RemoteStop", eventType="Updated")
        assert charger.connector(1).transaction_id == number
        charger.unplug(1)
        await ended(central)
        assert story(central) == [
            ("Started", "CablePluggedIn", "EVConnected"),
            ("Updated", "Authorized", "Charging"),
            ("Updated", "RemoteStop", "EVConnected"),
            ("Ended", "EVCommunicationLost", "Idle"),
        ]

    play_201(scenario, configuration={"MeterValueSampleInterval": "0", **points})


def test_the_meter_speaks_within_the_transaction() -> None:
    """Numbers with their units, begun and ended with the register."""

    async def scenario(charger: SimCharger, central: RawCentral) -> None:
        await charging(charger)
        periodic = await central.hear("TransactionEvent", triggerReason="MeterValuePeriodic")
        (value,) = periodic["meterValue"]
        found = {s["measurand"]: s["unitOfMeasure"]["unit"] for s in value["sampledValue"]}
        assert found == {
            "Power.Active.Import": "W",
            "Energy.Active.Import.Register": "Wh",
            "SoC": "Percent",
        }
        charger.unplug(1)
        end = await ended(central)
        (sample,) = end["meterValue"][0]["sampledValue"]
        assert sample["context"] == "Transaction.End"
        assert sample["measurand"] == "Energy.Active.Import.Register"
        assert "MeterValues" not in central.actions()

    play_201(scenario, configuration={}, meter_s=0.02)


def test_what_happened_offline_is_told_afterwards_and_says_so() -> None:
    """With its own time and numbers; the status only as it is now."""
    clock = Clock()

    async def scenario(charger: SimCharger, central: RawCentral) -> None:
        await charging(charger)
        await charger.until(lambda: story(central)[-1:] == [(*UPDATED, "Charging")])
        await charger.until(lambda: not charger.station.cabinet.outbox.waiting)
        charger.fail("offline")
        await charger.until(lambda: not charger.connected.is_set())
        charger.unplug(1)
        clock.advance(600.0)
        charger.heal("offline")
        end = await ended(central)
        assert end["offline"] is True
        assert end["timestamp"] == "2026-01-05T12:00:00.000000Z"
        assert [e["seqNo"] for e in events_of(central)] == [0, 1, 2]
        assert [e.get("offline", False) for e in events_of(central)] == [False, False, True]
        await charger.until(lambda: central.statuses()[-1] == "Available")
        assert central.connections == 2

    play_201(scenario, now=clock)


def test_an_event_without_an_answer_is_said_again() -> None:
    """The same in every word."""
    central = RawCentral(V)
    silences = [None, None]
    central.answers["TransactionEvent"] = lambda _: silences.pop() if silences else {}

    async def scenario(charger: SimCharger, central: RawCentral) -> None:
        await charging(charger)
        await charger.until(lambda: len(events_of(central)) >= 4)
        first = events_of(central)[:3]
        assert first[0] == first[1] == first[2]
        assert events_of(central)[3]["seqNo"] == 1

    play_201(scenario, central, pace=attrs.evolve(QUICK, call_s=0.2))


def test_a_token_that_is_not_known_stops_charging() -> None:
    """The answer to TransactionEvent says so, after it has begun."""
    central = RawCentral(V)
    refused = {"idTokenInfo": {"status": "Blocked"}}
    central.answers["TransactionEvent"] = lambda p: refused if "idToken" in p else {}

    async def scenario(charger: SimCharger, central: RawCentral) -> None:
        await charger.booted.wait()
        charger.plug_in(1)
        end = await ended(central)
        assert end["triggerReason"] == "Deauthorized"
        assert end["transactionInfo"]["stoppedReason"] == "DeAuthorized"

    play_201(scenario, central)


def test_a_tag_that_is_refused_gets_no_transaction() -> None:
    """The connector stays Occupied."""
    central = RawCentral(V)
    central.answers["Authorize"] = lambda _: {"idTokenInfo": {"status": "Invalid"}}

    async def scenario(charger: SimCharger, central: RawCentral) -> None:
        await charger.booted.wait()
        charger.plug_in(1)
        await central.hear("Authorize")
        await central.ask("TriggerMessage", {"requestedMessage": "Heartbeat"})
        await central.hear("Heartbeat")
        assert charger.connector(1).status == "Occupied"
        assert not events_of(central)

    play_201(scenario, central)


def test_after_a_loss_of_power_the_transaction_has_ended() -> None:
    """It is told after the boot, and the vehicle begins another one with another id."""

    async def scenario(charger: SimCharger, central: RawCentral) -> None:
        first = await charging(charger)
        await charger.until(lambda: len(events_of(central)) == 2)
        central.told.clear()
        await charger.reboot()
        end = await ended(central)
        assert (end["transactionInfo"]["stoppedReason"], end["offline"]) == ("Reboot", True)
        assert central.actions()[0] == "BootNotification"
        await charger.until(lambda: charger.connector(1).transaction_id not in {None, first})

    play_201(scenario)


def test_a_suspended_charge_may_be_told_as_something_else() -> None:
    """The quirks of 1.6 bend the charging state."""
    for quirk, state in (("few_states", "Charging"), ("unknown_status", "Suspended")):
        seen: list[str] = []

        async def scenario(
            charger: SimCharger, central: RawCentral, seen: list[str] = seen
        ) -> None:
            await charging(charger)
            await central.ask("SetChargingProfile", profile_201(0.0))
            await charger.until(lambda: charger.connector(1).limit_w == 0.0)
            await central.ask("TriggerMessage", {"requestedMessage": "TransactionEvent"})
            event = await central.hear("TransactionEvent", triggerReason="Trigger")
            seen.append(event["transactionInfo"]["chargingState"])
            central.problems.clear()

        play_201(scenario, quirks={quirk})
        assert seen == [state]
