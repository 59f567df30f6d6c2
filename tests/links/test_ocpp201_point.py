"""One OCPP 2.0.1 station over its sockets: what it says is answered by its schema, and told."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from ocpp.messages import get_validator

from actors.links.ocpp import upkeep
from actors.links.ocpp.assets import Assets
from actors.links.ocpp.manners import Manners
from actors.links.ocpp.point import ChargePoint
from actors.links.ocpp.questions import Questions201
from actors.links.ocpp.session import Request, Session
from actors.links.ocpp.transactions201 import REMEMBERED
from actors.links.ocpp.versions import V16, V201, Version
from actors.testing.clocks import ManualTime
from engine.adapters import base
from engine.adapters.ocpp201_configuration import VARIABLES
from engine.types import US_PER_S, iso


class Wire:
    """A socket that keeps what is sent: CALLs, and answers to CALLs."""

    def __init__(self) -> None:
        """Begin with nothing sent."""
        self.calls: asyncio.Queue[list[Any]] = asyncio.Queue()
        self.answers: asyncio.Queue[list[Any]] = asyncio.Queue()

    async def send(self, message: str) -> None:
        """Take one text."""
        frame = json.loads(message)
        (self.calls if frame[0] == 2 else self.answers).put_nowait(frame)

    async def close(self, code: int = 1000, reason: str = "") -> None:
        """Close it."""


class Station:
    """A station with assets on its EVSEs, and what they were told."""

    def __init__(self, evses: int = 2, **manners: Any) -> None:  # noqa: ANN401 - fields of Manners
        """Begin with a socket."""
        self.time = ManualTime()
        given = {"quiet_s": 600.0, **manners}
        self.point = ChargePoint("CP", Manners(self.time.now_us, self.time.wall_us, **given))
        self.told: dict[int, list[base.Observation]] = {n: [] for n in range(1, evses + 1)}
        for number, told in self.told.items():
            self.point.join(number, told.append)
        self.session = self.connect()

    def connect(self, version: Version = V201) -> Session:
        """Connect on a new socket."""
        self.wire = Wire()
        self.session, _ = self.point.connected(self.wire, version)
        return self.session

    def hear(self, *frame: object) -> None:
        """Let a frame come in."""
        self.point.heard(self.session, json.dumps(frame).encode())

    async def ask(self, action: str, /, **payload: object) -> dict[str, Any]:
        """Let a CALL come in; return its answer, which is valid."""
        self.hear(2, "c", action, payload)
        kind, own_id, conf = await self.wire.answers.get()
        assert (kind, own_id) == (3, "c"), conf
        get_validator(3, action, "2.0.1").validate(conf)
        assert isinstance(conf, dict)
        return conf

    def at(self, ago_s: int = 0) -> str:
        """Return a time so many seconds ago, as a station says it."""
        return iso(self.time.wall_us() - ago_s * US_PER_S)

    def event(
        self,
        kind: str,
        seq_no: int,
        charging: str | None = None,
        *,
        ago_s: int = 0,
        **more: Any,  # noqa: ANN401 - JSON
    ) -> dict[str, Any]:
        """Return a TransactionEvent of transaction tx-1."""
        info: dict[str, object] = {"transactionId": more.pop("transaction", "tx-1")}
        for name in ("chargingState", "stoppedReason"):
            if name in more:
                info[name] = more.pop(name)
        if charging is not None:
            info["chargingState"] = charging
        return {
            "eventType": kind,
            "timestamp": self.at(ago_s),
            "triggerReason": "ChargingStateChanged",
            "seqNo": seq_no,
            "transactionInfo": info,
            **more,
        }

    async def happens(self, *event: Any, **more: Any) -> dict[str, Any]:  # noqa: ANN401 - see event
        """Let a TransactionEvent come in, and its transaction be committed."""
        before = {number: len(told) for number, told in self.told.items()}
        self.hear(2, "c", "TransactionEvent", self.event(*event, **more))
        for number, told in self.told.items():
            for one in told[before[number] :]:
                if isinstance(one, base.TransactionChanged) and one.reply is not None:
                    one.reply(one.transaction_id or "")
        return (await self.wire.answers.get())[2]  # type: ignore[no-any-return]  # JSON

    def of(self, kind: type, evse: int = 1) -> list[Any]:
        """Return what an EVSE's asset was told of a kind."""
        return [one for one in self.told[evse] if isinstance(one, kind)]

    def transactions(self, evse: int = 1) -> list[tuple[str, str | None, bool]]:
        """Return what an EVSE's asset was told of transactions."""
        told = self.of(base.TransactionChanged, evse)
        return [(one.kind, one.transaction_id, one.offline) for one in told]

    async def called(self, action: str, conf: dict[str, Any] | str) -> dict[str, Any]:
        """Return what the central system asks next, and answer it, with an error's code or so."""
        _, own_id, asked, payload = await self.wire.calls.get()
        assert asked == action
        get_validator(2, action, "2.0.1").validate(payload)
        if isinstance(conf, str):
            self.hear(4, own_id, conf, "", {})
        else:
            self.hear(3, own_id, conf)
        assert isinstance(payload, dict)
        return payload


def run(story: Callable[[Station], Awaitable[None]], **given: Any) -> None:  # noqa: ANN401 - see Station
    """Run a story with one station."""

    async def told() -> None:
        station = Station(**given)
        async with asyncio.timeout(30):
            await story(station)
        station.point.ended(station.session)

    asyncio.run(told())


ACCEPTED = {"status": "Accepted"}
BOOT = {"reason": "PowerUp", "chargingStation": {"vendorName": "v", "model": "m"}}
EVSE = {"evse": {"id": 1, "connectorId": 1}}
TOKEN = {"idToken": {"idToken": "T", "type": "ISO14443"}}
CERTIFICATE = {
    "hashAlgorithm": "SHA256",
    "issuerNameHash": "a",
    "issuerKeyHash": "b",
    "serialNumber": "c",
    "responderURL": "http://x",
}
SCHEDULE = {
    "id": 1,
    "chargingRateUnit": "W",
    "chargingSchedulePeriod": [{"startPeriod": 0, "limit": 7}],
}
ORDINARY: dict[str, dict[str, Any]] = {
    "Authorize": TOKEN,
    "BootNotification": BOOT,
    "ClearedChargingLimit": {"chargingLimitSource": "EMS"},
    "DataTransfer": {"vendorId": "v"},
    "FirmwareStatusNotification": {"status": "Installed"},
    "Get15118EVCertificate": {
        "iso15118SchemaVersion": "urn:iso:15118:2:2013",
        "action": "Install",
        "exiRequest": "x",
    },
    "GetCertificateStatus": {"ocspRequestData": CERTIFICATE},
    "Heartbeat": {},
    "LogStatusNotification": {"status": "Uploaded"},
    "MeterValues": {"evseId": 1, "meterValue": [{"timestamp": "x", "sampledValue": []}]},
    "NotifyChargingLimit": {"chargingLimit": {"chargingLimitSource": "EMS"}},
    "NotifyCustomerInformation": {"data": "", "seqNo": 0, "generatedAt": "x", "requestId": 1},
    "NotifyDisplayMessages": {"requestId": 1},
    "NotifyEVChargingNeeds": {
        "evseId": 1,
        "chargingNeeds": {"requestedEnergyTransfer": "AC_three_phase"},
    },
    "NotifyEVChargingSchedule": {"timeBase": "x", "evseId": 1, "chargingSchedule": SCHEDULE},
    "NotifyEvent": {"generatedAt": "x", "seqNo": 0, "eventData": []},
    "NotifyMonitoringReport": {"requestId": 1, "seqNo": 0, "generatedAt": "x"},
    "NotifyReport": {"requestId": 1, "seqNo": 0, "generatedAt": "x"},
    "PublishFirmwareStatusNotification": {"status": "Idle"},
    "ReportChargingProfiles": {
        "requestId": 1,
        "chargingLimitSource": "CSO",
        "evseId": 1,
        "chargingProfile": [],
    },
    "ReservationStatusUpdate": {"reservationId": 1, "reservationUpdateStatus": "Expired"},
    "SecurityEventNotification": {"type": "x", "timestamp": "x"},
    "SignCertificate": {"csr": "x"},
    "StatusNotification": {
        "timestamp": "x",
        "connectorStatus": "Available",
        "evseId": 9,
        "connectorId": 1,
    },
    "TransactionEvent": {
        "eventType": "Updated",
        "timestamp": "x",
        "triggerReason": "Trigger",
        "seqNo": 1,
        "transactionInfo": {"transactionId": "t"},
    },
}


def test_whatever_a_station_may_say_is_answered_by_its_schema() -> None:
    """Each of its messages, also with fields and words that nobody knows."""
    assert set(ORDINARY) == V201.theirs

    async def story(station: Station) -> None:
        for action, payload in ORDINARY.items():
            await station.ask(action, **payload, vendorField={"a": 1})
        assert not station.of(base.Unreadable)

    run(story)


@pytest.mark.parametrize(
    ("action", "payload", "code"),
    [
        ("SetChargingProfile", {}, "NotSupported"),
        ("StartTransaction", {}, "NotImplemented"),
        ("TransactionEvent", {"eventType": "Started"}, "OccurrenceConstraintViolation"),
        ("StatusNotification", {**ORDINARY["StatusNotification"], "evseId": {}}, "TypeConstraint"),
    ],
    ids=str,
)
def test_what_cannot_be_answered_gets_an_error(
    action: str, payload: dict[str, Any], code: str
) -> None:
    """By the codes of OCPP-J 2.0.1; a message of 1.6 is none of 2.0.1."""

    async def story(station: Station) -> None:
        station.hear(2, "c", action, payload)
        kind, own_id, told, *_ = await station.wire.answers.get()
        assert (kind, own_id) == (4, "c")
        assert told.startswith(code)
        station.hear(2, "d", "Heartbeat", [])
        assert (await station.wire.answers.get())[:3] == [4, "d", "RpcFrameworkError"]

    run(story)


def test_the_version_is_told_before_the_connection() -> None:
    """And again when the station comes back with another."""

    async def story(station: Station) -> None:
        station.connect(V16)
        kinds = (base.CapabilitiesLearned, base.Connected)
        told = [one for one in station.told[2] if isinstance(one, kinds)]
        first, second = (
            base.CapabilitiesLearned({"protocol": f"ocpp{one}"}) for one in ("2.0.1", "1.6")
        )
        assert told == [first, base.Connected(), second, base.Connected()]
        station.hear(2, "c", "StatusNotification", {"connectorId": 1, "status": "Charging"})
        await station.wire.answers.get()
        assert station.of(base.StateReported)[0].state == "CHARGING"

    run(story)


def test_a_boot_is_told_with_what_the_station_is() -> None:
    """One that was asked for is none; by its own word, whoever asked."""

    async def story(station: Station) -> None:
        conf = await station.ask("BootNotification", **BOOT)
        assert (conf["status"], conf["interval"]) == ("Accepted", 30)
        await station.ask("BootNotification", **{**BOOT, "reason": "Triggered"})
        told = station.of(base.Connected)[1:]
        assert [one.booted for one in told] == [True, False]
        assert told[0].detail == {"vendor": "v", "model": "m"}

    run(story)


def test_a_status_is_that_of_a_connector_of_its_evse() -> None:
    """EVSE 0 speaks for the station; what is no asset's is nobody's."""

    async def story(station: Station) -> None:
        status = ORDINARY["StatusNotification"]
        await station.ask("StatusNotification", **{**status, "evseId": 2, "connectorId": 2})
        await station.ask(
            "StatusNotification", **{**status, "evseId": 0, "connectorStatus": "Faulted"}
        )
        assert station.of(base.ConnectorReported, 2) == [base.ConnectorReported("Available", 2)]
        assert station.of(base.ConnectorReported) == []
        for evse in (1, 2):
            (told,) = station.of(base.StateReported, evse)
            assert (told.state, told.whole_device) == ("FAULTED", True)

    run(story)


def availability(component: dict[str, object], status: object = "Occupied") -> dict[str, object]:
    """Return an event that tells how available something is."""
    variable = {"name": "AvailabilityState"}
    return {
        "eventId": 1,
        "timestamp": "x",
        "trigger": "Delta",
        "eventNotificationType": "HardWiredNotification",
        "actualValue": status,
        "component": component,
        "variable": variable,
    }


def test_some_say_how_available_they_are_by_an_event() -> None:
    """Of a connector, an EVSE or the station; other events say nothing."""

    async def story(station: Station) -> None:
        events = [
            availability({"name": "Connector", "evse": {"id": 1, "connectorId": 2}}),
            availability({"name": "EVSE", "evse": {"id": 2}}, "Unavailable"),
            availability({"name": "ChargingStation"}, "Available"),
            availability({"name": "Connector"}),
            availability({"name": "Lamp", "evse": {"id": 1}}),
            {**availability({"name": "EVSE", "evse": {"id": 1}}), "variable": {"name": "Power"}},
        ]
        await station.ask("NotifyEvent", generatedAt="x", seqNo=0, eventData=events)
        assert station.of(base.ConnectorReported) == [base.ConnectorReported("Occupied", 2)]
        assert station.of(base.ConnectorReported, 2) == [base.ConnectorReported("Unavailable", 1)]
        (told,) = station.of(base.StateReported)
        assert (told.state, told.whole_device) == ("AVAILABLE", True)

    run(story)


def test_meter_values_are_an_evses_power() -> None:
    """With or without a transaction; EVSE 0 is the meter of the station."""

    async def story(station: Station) -> None:
        sample = {
            "value": 7.4,
            "measurand": "Power.Active.Import",
            "unitOfMeasure": {"unit": "W", "multiplier": 3},
        }
        value = [{"timestamp": station.at(), "sampledValue": [sample]}]
        for evse in (0, 2):
            await station.ask("MeterValues", evseId=evse, meterValue=value)
        await station.happens("Started", 0, **EVSE, meterValue=value)
        for evse in (1, 2):
            assert [one.power_kw for one in station.of(base.PowerMeasured, evse)] == [7.4]

    run(story)


# --- transactions


def test_a_start_is_answered_once_it_is_committed() -> None:
    """With what its token may; other messages go on meanwhile."""

    async def story(station: Station) -> None:
        sample = {"value": 5.5, "unitOfMeasure": {"unit": "kWh"}}
        meter = [{"timestamp": station.at(), "sampledValue": [sample]}]
        more: dict[str, Any] = {**EVSE, **TOKEN, "meterValue": meter}
        started = station.event("Started", 0, "EVConnected", **more)
        station.hear(2, "s", "TransactionEvent", started)
        (told,) = station.of(base.TransactionChanged)
        assert (told.kind, told.transaction_id, told.id_tag) == ("started", "tx-1", "T")
        assert (told.meter_wh, told.offline) == (5_500, False)
        await station.ask("Heartbeat")
        told.reply("tx-1")
        told.reply("tx-1")
        assert (await station.wire.answers.get())[1:] == [
            "s",
            {"idTokenInfo": {"status": "Accepted"}},
        ]
        assert station.wire.answers.empty()
        reported = base.ChargingReported("tx-1", 0, "started", "EVConnected", 1)
        assert station.of(base.ChargingReported) == [reported]

    run(story)


def test_an_end_is_answered_once_it_is_committed_too() -> None:
    """What it rests on would be lost else; its EVSE is known from before."""

    async def story(station: Station) -> None:
        await station.happens("Started", 0, "Charging", **EVSE)
        ended = station.event("Ended", 1, "Idle", stoppedReason="EVDisconnected")
        station.hear(2, "e", "TransactionEvent", ended)
        await asyncio.sleep(0)
        assert station.wire.answers.empty()
        told = station.of(base.TransactionChanged)[1]
        assert (told.kind, told.reason) == ("ended", "EVDisconnected")
        told.reply("tx-1")
        assert (await station.wire.answers.get())[1:] == ["e", {}]
        assert station.of(base.ChargingReported)[1].left
        assert station.transactions(2) == []

    run(story)


def test_a_transaction_that_nobody_knew_of_is_found() -> None:
    """Once; also one whose start was kept while there was no socket."""

    async def story(station: Station) -> None:
        for seq_no in (4, 5):
            await station.happens("Updated", seq_no, "Charging", **EVSE)
        await station.happens("Started", 0, transaction="tx-2", offline=True, evse={"id": 2})
        await station.happens("Updated", 1, "Charging", transaction="tx-2")
        assert station.transactions() == [("found", "tx-1", False)]
        assert station.transactions(2) == [("started", "tx-2", True), ("found", "tx-2", False)]

    run(story)


@pytest.mark.parametrize("kept", [{"offline": True}, {"ago_s": 3_600}], ids=str)
def test_what_was_kept_is_history(kept: dict[str, Any]) -> None:
    """By its own word, or by its time: transactions are told so, and no state."""

    async def story(station: Station) -> None:
        sample = {"value": 7_000, "measurand": "Power.Active.Import"}
        meter = [{"timestamp": station.at(), "sampledValue": [sample]}]
        await station.happens("Started", 0, "Charging", **EVSE, **kept)
        await station.happens("Updated", 1, "SuspendedEV", **kept, meterValue=meter)
        await station.happens("Ended", 2, "Idle", **kept)
        assert station.transactions() == [("started", "tx-1", True), ("ended", "tx-1", True)]
        assert not station.of(base.ChargingReported)
        assert not station.of(base.PowerMeasured)

    run(story)


def test_what_comes_after_something_newer_is_history() -> None:
    """By the number of the event; the newest said again says the same."""

    async def story(station: Station) -> None:
        await station.happens("Updated", 3, "Charging", **EVSE)
        await station.happens("Updated", 2, "SuspendedEV")
        await station.happens("Started", 0, "EVConnected")
        await station.happens("Updated", 3, "Charging")
        numbers = [one.seq_no for one in station.of(base.ChargingReported)]
        assert numbers == [3, 3]
        assert station.transactions() == [("found", "tx-1", False), ("started", "tx-1", True)]

    run(story)


def test_a_start_that_is_said_again_has_the_same_key() -> None:
    """So that it is the same transaction."""

    async def story(station: Station) -> None:
        for _ in range(2):
            await station.happens("Started", 0, "EVConnected", **EVSE)
        await station.happens("Started", 0, "EVConnected", **EVSE, ago_s=1)
        first, again, other = (one.key for one in station.of(base.TransactionChanged))
        assert first == again != other

    run(story)


def test_a_name_that_is_used_again_is_another_transaction() -> None:
    """Some stations count from 1 after each start; a start that comes late is none of those."""

    async def story(station: Station) -> None:
        await station.happens("Started", 0, "Charging", **EVSE, ago_s=30)
        await station.happens("Ended", 5, "EVConnected", ago_s=20)
        await station.happens("Started", 0, "EVConnected", ago_s=30)
        await station.happens("Started", 0, "Charging", ago_s=10)
        assert station.transactions() == [
            ("started", "tx-1", False),
            ("ended", "tx-1", False),
            ("started", "tx-1", True),
            ("started", "tx-1", False),
        ]
        numbers = [one.seq_no for one in station.of(base.ChargingReported)]
        assert numbers == [0, 5, 0]

    run(story)


def test_an_event_whose_evse_nobody_knows_is_told_to_all() -> None:
    """The one whose transaction it is knows it, after a restart of ours too."""

    async def story(station: Station) -> None:
        await station.happens("Started", 0, **TOKEN)
        await station.happens("Updated", 1, "Charging")
        await station.happens("Ended", 2)
        for evse in (1, 2):
            assert station.transactions(evse) == [("ended", "tx-1", False)]
            assert [one.to_all for one in station.of(base.ChargingReported, evse)] == [True] * 3
        await station.happens("Updated", 3, "Charging", **EVSE)
        assert station.transactions()[1:] == [("found", "tx-1", False)]

    run(story)


def test_a_power_whose_evse_nobody_knows_is_told_to_all_with_its_transaction() -> None:
    """After a restart of ours, say."""

    async def story(station: Station) -> None:
        sample = {"value": 7_000.0, "measurand": "Power.Active.Import"}
        meter = [{"timestamp": station.at(), "sampledValue": [sample]}]
        await station.happens("Updated", 1, "Charging", meterValue=meter)
        for evse in (1, 2):
            told = station.of(base.PowerMeasured, evse)
            assert [(one.power_kw, one.transaction_id) for one in told] == [(7.0, "tx-1")]
        await station.happens("Updated", 2, "Charging", meterValue=meter, **EVSE)
        await station.happens("Updated", 3, "Charging", meterValue=meter)
        assert [one.transaction_id for one in station.of(base.PowerMeasured)[1:]] == [None, None]
        assert len(station.of(base.PowerMeasured, 2)) == 1

    run(story)


async def occupied(station: Station, evse: int, status: str = "Occupied") -> None:
    """Let an EVSE's connector be told."""
    told = {"evseId": evse, "connectorId": 1, "connectorStatus": status, "timestamp": station.at()}
    await station.ask("StatusNotification", **told)


def test_a_start_without_its_evse_is_at_the_one_that_is_occupied_without_another() -> None:
    """That is assumed: who has another transaction does not take it."""

    async def story(station: Station) -> None:
        await station.happens("Started", 0, "Charging", transaction="tx-0", evse={"id": 1})
        await occupied(station, 1)
        await occupied(station, 2)
        await station.happens("Started", 0, "EVConnected", **TOKEN)
        await station.happens("Updated", 1, "Charging")
        assert station.transactions(2) == [("started", "tx-1", False)]
        assert [one.is_assumed for one in station.of(base.TransactionChanged, 2)] == [True]
        told = station.of(base.ChargingReported, 2)
        assert [(one.charging, one.to_all) for one in told] == [
            ("EVConnected", True),
            ("Charging", True),
        ]
        await station.happens("Ended", 2)
        await occupied(station, 2, "Available")
        assert [one[0] for one in station.transactions(2)] == ["started", "ended"]
        assert station.transactions(1) == [("started", "tx-0", False)]

    run(story)


def test_where_a_start_without_its_evse_is_may_show_later() -> None:
    """Then it is found there; that nobody knows where it is, is told once."""

    async def story(station: Station) -> None:
        await occupied(station, 1)
        await occupied(station, 2)
        await station.happens("Started", 0, "EVConnected")
        assert [one.raw for one in station.of(base.Unreadable)] == [
            "TransactionEvent tx-1: it starts, and names no EVSE"
        ]
        await station.happens("Updated", 1, "Charging")
        assert station.transactions() == station.transactions(2) == []
        await occupied(station, 2, "Available")
        await station.happens("Updated", 2, "Charging")
        assert station.transactions() == [("found", "tx-1", False)]

    run(story)


def test_who_may_charge_before_a_vehicle_is_there_is_at_no_evse_yet() -> None:
    """Nor is one of which only an update was heard: an asset may know it."""

    async def story(station: Station) -> None:
        await occupied(station, 1)
        await station.happens("Started", 0, "Idle", **TOKEN)
        await station.happens("Updated", 5, "Charging", transaction="tx-2")
        assert station.transactions() == []
        assert station.of(base.Unreadable) == []

    run(story)


def test_what_was_assumed_gives_way_to_what_is_said() -> None:
    """It is over where it was assumed, and found where it is."""

    async def story(station: Station) -> None:
        await occupied(station, 1)
        await station.happens("Started", 0, "EVConnected")
        await station.happens("Updated", 1, "Charging", evse={"id": 2, "connectorId": 1})
        assert [one[0] for one in station.transactions(1)] == ["started", "ended"]
        assert station.transactions(2) == [("found", "tx-1", False)]
        await station.happens("Updated", 2, "Charging", evse={"id": 2, "connectorId": 1})
        assert not station.of(base.ChargingReported, 2)[-1].to_all

    run(story)


def test_a_station_with_evses_without_end_takes_bounded_memory() -> None:
    """None has so many."""

    async def story(station: Station) -> None:
        for evse in range(1, REMEMBERED + 10):
            await occupied(station, evse)
        await station.happens("Started", 0, "EVConnected")
        assert station.transactions() == []

    run(story)


def test_a_clock_that_is_behind_hides_no_transaction_for_long() -> None:
    """Once it is known, what looked old and goes on is found; what was kept stays history."""

    async def story(station: Station) -> None:
        late = {"ago_s": 300, **EVSE}
        sample = {"value": 7_000.0, "measurand": "Power.Active.Import"}
        meter = [{"timestamp": station.at(300), "sampledValue": [sample]}]
        await station.happens("Started", 0, "EVConnected", **late)
        await station.happens("Updated", 1, "Charging", meterValue=meter, **late)
        kept = {"transaction": "tx-2", "ago_s": 4_000, "evse": {"id": 2, "connectorId": 1}}
        await station.happens("Started", 0, "Charging", **kept)
        await station.happens("Updated", 1, "Charging", offline=True, **{**kept, "ago_s": 300})
        over = {"transaction": "tx-3", "ago_s": 300, "evse": {"id": 2, "connectorId": 1}}
        await station.happens("Started", 0, "Charging", **over)
        await station.happens("Ended", 1, **over)
        assert station.of(base.ChargingReported) == []
        station.time.device_us += 6 * US_PER_S
        told = {"evseId": 1, "connectorId": 1, "connectorStatus": "Occupied"}
        await station.ask("StatusNotification", timestamp=station.at(300), **told)
        assert station.transactions() == [("started", "tx-1", True), ("found", "tx-1", False)]
        assert [one.charging for one in station.of(base.ChargingReported)] == ["Charging"]
        assert [one.power_kw for one in station.of(base.PowerMeasured)] == [7.0]
        assert [one[2] for one in station.transactions(2)] == [True] * 3
        assert [one.phase for one in station.of(base.ChargingReported, 2)] == ["ended"]
        await station.happens("Updated", 2, "SuspendedEV", **late)
        assert station.transactions()[2:] == []
        assert [one.charging for one in station.of(base.ChargingReported)][1:] == ["SuspendedEV"]

    run(story)


def test_the_time_at_which_a_message_was_made_tells_of_the_clock() -> None:
    """A report's and an event's."""

    async def story(station: Station) -> None:
        report = {"requestId": 1, "seqNo": 0, "generatedAt": station.at(300)}
        await station.ask("NotifyReport", **report)
        station.time.device_us += 6 * US_PER_S
        event = {
            "eventId": 1,
            "timestamp": station.at(4_000),
            "trigger": "Delta",
            "actualValue": "x",
            "eventNotificationType": "PreconfiguredMonitor",
            "component": {"name": "c"},
            "variable": {"name": "v"},
        }
        told = {"generatedAt": station.at(300), "seqNo": 0, "eventData": [event]}
        await station.ask("NotifyEvent", **told)
        assert station.of(base.ClockRead) == [base.ClockRead(-300)]

    run(story)


def test_the_only_evse_need_not_be_named() -> None:
    """There is no other."""

    async def story(station: Station) -> None:
        await station.happens("Started", 0, "Charging")
        assert station.transactions() == [("started", "tx-1", False)]

    run(story, evses=1)


def test_the_only_asset_is_not_the_only_evse_of_a_station_that_tells_of_others() -> None:
    """What charges there is none of its own, whatever is left unsaid of it."""

    async def story(station: Station) -> None:
        await occupied(station, 2)
        await station.happens("Started", 0, "Charging")
        await station.happens("Updated", 4, "Charging", transaction="tx-2")
        assert station.transactions() == []
        await station.happens("Ended", 1)
        await occupied(station, 2, "Available")
        await occupied(station, 1)
        await station.happens("Started", 0, "Charging", transaction="tx-3")
        assert station.transactions() == [("started", "tx-3", False)]

    run(story, evses=1)


def test_an_evse_that_is_no_asset_charges_too() -> None:
    """Nobody has to commit anything; the station is answered at once."""

    async def story(station: Station) -> None:
        for kind in ("Started", "Updated", "Ended"):
            assert (
                await station.ask("TransactionEvent", **station.event(kind, 0, evse={"id": 9}))
                == {}
            )

    run(story)


def test_transactions_take_bounded_memory() -> None:
    """The one not heard of for longest is forgotten: its EVSE is not known any more."""

    async def story(station: Station) -> None:
        await station.happens("Started", 0, **EVSE)
        for number in range(REMEMBERED):
            await station.happens("Updated", 1, transaction=f"other-{number}")
        await station.happens("Updated", 1)
        assert station.of(base.ChargingReported)[-1].to_all

    run(story)


def test_a_boot_ends_whatever_was_running() -> None:
    """The same transaction is found again if it goes on."""

    async def story(station: Station) -> None:
        await station.happens("Started", 0, "Charging", **EVSE)
        await station.ask("BootNotification", **BOOT)
        await station.happens("Updated", 1, "Charging", **EVSE)
        assert [kind for kind, *_ in station.transactions()] == ["started", "found"]

    run(story)


def test_an_unknown_token_is_told_so() -> None:
    """Our own is known always; the transaction is one all the same."""

    async def story(station: Station) -> None:
        for tag, status in (("X", "Invalid"), ("a", "Accepted"), ("SETPOINT", "Accepted")):
            token = {"idToken": {"idToken": tag, "type": "Central"}}
            told = await station.ask("Authorize", **token)
            assert told == {"idTokenInfo": {"status": status}}
            answer = await station.happens("Started", 0, **EVSE, **token, transaction=tag)
            assert answer == {"idTokenInfo": {"status": status}}
        assert len(station.transactions()) == 3

    run(story, id_tags=("A",))


# --- what it is asked

RESULTS = {
    "getVariableResult": [
        {
            "attributeStatus": "Accepted",
            "attributeValue": value,
            "component": {"name": component},
            "variable": {"name": variable},
        }
        for component, variable, value in (
            ("SmartChargingCtrlr", "RateUnit", "A"),
            ("SmartChargingCtrlr", "ProfileStackLevel", "7"),
            ("SmartChargingCtrlr", "Colour", "red"),
            ("Other", "RateUnit", "W"),
        )
    ]
    + [{"component": 1, "variable": None}, 5, {"component": {"name": ["x"]}, "variable": {}}],
}
LEARNED = base.CapabilitiesLearned(
    {"ChargingScheduleAllowedChargingRateUnit": "A", "ChargeProfileMaxStackLevel": "7"}
)


def test_a_silent_station_is_asked_who_and_how_it_is() -> None:
    """Also what charges: after an engine's restart nobody says it otherwise."""

    async def story(station: Station) -> None:
        asked = await station.called("TriggerMessage", ACCEPTED)
        assert asked == {"requestedMessage": "BootNotification"}
        asked = await station.called("GetVariables", RESULTS)
        assert len(asked["getVariableData"]) == len(VARIABLES)
        for evse in (1, 2):
            asked = await station.called("TriggerMessage", "NotImplemented")
            assert asked == {"requestedMessage": "TransactionEvent", "evse": {"id": evse}}
        for evse in (1, 2):
            asked = await station.called("TriggerMessage", {"status": "Rejected"})
            assert asked["requestedMessage"] == "StatusNotification"
            assert asked["evse"] == {"id": evse, "connectorId": 1}
        assert LEARNED in station.told[2]

    run(story, quiet_s=0.0)


def test_after_a_change_of_availability_who_says_nothing_is_asked() -> None:
    """Some never say that they are available again; who has said it is not asked."""

    async def story(station: Station) -> None:
        await station.ask("BootNotification", **BOOT)
        await station.called("GetVariables", RESULTS)
        for evse in (1, 2):
            await station.ask(
                "StatusNotification", **{**ORDINARY["StatusNotification"], "evseId": evse}
            )
        body: dict[str, object] = {"operationalStatus": "Operative"}
        request = Request("att", "ChangeAvailability", body, 5)
        calling = asyncio.ensure_future(station.point.call(request))
        await station.called("ChangeAvailability", ACCEPTED)
        await calling
        await station.ask("StatusNotification", **{**ORDINARY["StatusNotification"], "evseId": 1})
        asked = await station.called("TriggerMessage", ACCEPTED)
        assert asked["requestedMessage"] == "StatusNotification"
        assert asked["evse"] == {"id": 2, "connectorId": 1}

    run(story, quiet_s=2.0)


def test_what_it_can_do_goes_by_the_names_of_1_6() -> None:
    """After each boot it is asked anew; an attempt goes first."""

    async def story(station: Station) -> None:
        calling = asyncio.ensure_future(
            station.point.call(Request("att", "Reset", {"type": "OnIdle"}, 5))
        )
        await station.called("Reset", ACCEPTED)
        assert (await calling).version is V201
        await station.ask("BootNotification", **BOOT)
        await station.called("GetVariables", RESULTS)
        await asyncio.sleep(0)
        assert LEARNED in station.told[1]

    run(story)


def test_a_station_that_takes_few_variables_at_once_is_asked_one_by_one() -> None:
    """Whatever it calls that; what it has not is left out."""

    async def story(station: Station) -> None:
        await station.ask("BootNotification", **BOOT)
        await station.called("GetVariables", "OccurrenceConstraintViolation")
        for number in range(len(VARIABLES)):
            asked = await station.called("GetVariables", RESULTS if number == 1 else "GenericError")
            assert len(asked["getVariableData"]) == 1
        await asyncio.sleep(0)
        assert station.of(base.CapabilitiesLearned)[1:] == [LEARNED]

    run(story)


@pytest.mark.parametrize("conf", ["NotSupported", {"getVariableResult": []}], ids=str)
def test_a_station_that_tells_no_variables_is_asked_for_a_report(conf: Any) -> None:  # noqa: ANN401 - JSON
    """Nothing is learned from its answer; what it reports comes by itself."""

    async def story(station: Station) -> None:
        await station.ask("BootNotification", **BOOT)
        await station.called("GetVariables", conf)
        asked = await station.called("GetBaseReport", "NotSupported")
        assert asked["reportBase"] == "FullInventory"
        assert len(station.of(base.CapabilitiesLearned)) == 1

    run(story)


def test_what_others_limit_it_to_is_told_to_whom_it_concerns() -> None:
    """EVSE 0, or none, is the station as a whole."""

    async def story(station: Station) -> None:
        limit = {"chargingLimitSource": "SO", "isGridCritical": True}
        await station.ask("NotifyChargingLimit", chargingLimit=limit)
        await station.ask("ClearedChargingLimit", chargingLimitSource="SO", evseId=0)
        profile = {
            "id": 1,
            "stackLevel": 0,
            "chargingProfilePurpose": "ChargingStationExternalConstraints",
            "chargingProfileKind": "Absolute",
            "chargingSchedule": [
                {
                    "id": 1,
                    "chargingRateUnit": "A",
                    "chargingSchedulePeriod": [{"startPeriod": 0, "limit": 10.0}],
                }
            ],
        }
        await station.ask(
            "ReportChargingProfiles",
            requestId=1,
            chargingLimitSource="EMS",
            evseId=2,
            chargingProfile=[profile],
        )
        await station.ask("ClearedChargingLimit", chargingLimitSource="CSO")
        grid = [
            base.ExternalLimit("SO", is_critical=True),
            base.ExternalLimit("SO", is_over=True),
        ]
        assert station.of(base.ExternalLimit) == grid
        assert station.of(base.ExternalLimit, 2) == [*grid, base.ExternalLimit("EMS", 10.0, "A")]

    run(story)


def test_a_report_tells_what_a_station_can_do_whoever_asked_for_it() -> None:
    """By its actual values; what is not understood is passed over."""

    async def story(station: Station) -> None:
        def entry(variable: object, *attributes: object) -> dict[str, object]:
            component = {"name": "SmartChargingCtrlr"}
            return {
                "component": component,
                "variable": variable,
                "variableAttribute": [*attributes],
            }

        data = [
            entry({"name": "PeriodsPerSchedule"}, {"type": "Actual", "value": "24"}),
            entry(
                {"name": "Entries", "instance": "ChargingProfiles"},
                {"type": "Actual", "value": "9"},
            ),
            entry({"name": "RateUnit"}, {"type": "Target", "value": "A"}, {}),
            entry({"name": "Colour"}, {"value": "red", "mutability": "ReadOnly"}),
            entry({"name": "ProfileStackLevel"}, {"value": "7", "mutability": "ReadOnly"}),
        ]
        payload = {"requestId": 1, "seqNo": 0, "generatedAt": "x", "reportData": data}
        await station.ask("NotifyReport", **payload)
        told = station.of(base.CapabilitiesLearned)[-1].capabilities
        assert told == {
            "ChargingScheduleMaxPeriods": "24",
            "MaxChargingProfilesInstalled": "9",
            "ChargeProfileMaxStackLevel": "7",
            "read_only.ChargeProfileMaxStackLevel": "yes",
        }

    run(story)


@pytest.mark.parametrize(
    ("reason", "is_boot"),
    [("PowerUp", True), ("Watchdog", True), ("Triggered", False), ("Unknown", False)],
)
def test_a_boot_that_says_why_is_believed(reason: str, *, is_boot: bool) -> None:
    """Also while one that was asked for is due."""

    async def story(station: Station) -> None:
        await station.called("TriggerMessage", ACCEPTED)
        await station.ask("BootNotification", **{**BOOT, "reason": reason})
        assert station.of(base.Connected)[-1].booted is is_boot

    run(story, quiet_s=0.0)


def test_a_boot_that_comes_long_after_its_trigger_is_one(monkeypatch: pytest.MonkeyPatch) -> None:
    """Some accept the trigger and send nothing."""
    monkeypatch.setattr(upkeep, "TRIGGERED_S", 0.0)

    async def story(station: Station) -> None:
        await station.called("TriggerMessage", ACCEPTED)
        await station.called("GetVariables", RESULTS)
        await station.ask("BootNotification", **{**BOOT, "reason": "Unknown"})
        assert station.of(base.Connected)[-1].booted

    run(story, quiet_s=0.0)


def test_an_absurd_number_does_not_make_history_of_what_follows() -> None:
    """Neither as the first nor between others."""

    async def story(station: Station) -> None:
        await station.happens("Started", 2**40, "EVConnected", **EVSE)
        await station.happens("Updated", 5, "Charging")
        await station.happens("Updated", 2**40, "SuspendedEV")
        await station.happens("Updated", 6, "Charging")
        numbers = [one.seq_no for one in station.of(base.ChargingReported)]
        assert numbers == [0, 5, 5, 6]

    run(story)


def test_case_makes_no_difference() -> None:
    """Some stations write the words of the protocol as they like."""

    async def story(station: Station) -> None:
        await station.happens("STARTED", 0, "charging", **EVSE)
        await station.happens("ended", 1, "IDLE")
        told = [(one.phase, one.charging) for one in station.of(base.ChargingReported)]
        assert told == [("started", "Charging"), ("ended", "Idle")]

    run(story)


def test_long_texts_are_cut() -> None:
    """An id without end does not fill the log."""

    async def story(station: Station) -> None:
        token = {"idToken": {"idToken": "T" * 9_000, "type": "Central"}}
        await station.happens("Started", 0, transaction="x" * 9_000, **EVSE, **token)
        (told,) = station.of(base.TransactionChanged)
        assert (told.transaction_id, told.id_tag) == ("x" * 255, "T" * 255)
        assert len(told.key) < 600

    run(story)


def test_only_the_connectors_of_assets_are_remembered() -> None:
    """Numbers without end take no memory."""

    async def story(station: Station) -> None:
        asked = upkeep.Upkeep(station.session, Questions201(), Assets(station.time.now_us), 600.0)
        asked.said(9)
        asked._mute.add(9)  # noqa: SLF001 - nothing else shows what it keeps
        assert asked.is_mute(9)
        asked.end()

    run(story)
