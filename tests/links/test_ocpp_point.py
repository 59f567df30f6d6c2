"""One charge point over its sockets: what it says of itself, and what it is asked for."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from actors.links.ocpp import upkeep
from actors.links.ocpp.manners import Manners
from actors.links.ocpp.point import ChargePoint
from actors.links.ocpp.session import Request, Session
from actors.links.ocpp.versions import V16
from actors.testing.clocks import ManualTime
from engine.adapters import base
from engine.adapters.ocpp16_configuration import KEYS, configuration
from engine.errors import NotSent
from engine.types import US_PER_S, iso


class Wire:
    """A socket that keeps what is sent: CALLs, and answers to CALLs."""

    def __init__(self) -> None:
        """Begin with nothing sent."""
        self.calls: asyncio.Queue[list[Any]] = asyncio.Queue()
        self.answers: asyncio.Queue[list[Any]] = asyncio.Queue()
        self.kinds: list[int] = []

    async def send(self, message: str) -> None:
        """Take one text."""
        frame = json.loads(message)
        self.kinds.append(frame[0])
        (self.calls if frame[0] == 2 else self.answers).put_nowait(frame)

    async def close(self, code: int = 1000, reason: str = "") -> None:
        """Close it."""


class Depot:
    """A charge point with assets on connectors 1 and 2, and what they were told."""

    def __init__(self, **manners: Any) -> None:  # noqa: ANN401 - fields of Manners
        """Begin with a socket."""
        self.time = ManualTime()
        given = {"quiet_s": 600.0, **manners}
        self.point = ChargePoint("CP", Manners(self.time.now_us, self.time.wall_us, **given))
        self.told: dict[int, list[base.Observation]] = {1: [], 2: []}
        for number, told in self.told.items():
            self.point.join(number, told.append)
        self.session = self.connect()

    def connect(self) -> Session:
        """Connect on a new socket."""
        self.wire = Wire()
        self.session, _ = self.point.connected(self.wire, V16)
        return self.session

    def hear(self, *frame: object) -> None:
        """Let a frame come in."""
        self.point.heard(self.session, json.dumps(frame).encode())

    def say(self, action: str, **payload: object) -> None:
        """Let a CALL come in."""
        self.hear(2, action, action, payload)

    def at(self, ago_s: int) -> str:
        """Return a time so many seconds ago, as a charge point says it."""
        return iso(self.time.wall_us() - ago_s * US_PER_S)

    def start(self, ago_s: int, connector: int = 1, tag: str = "T") -> None:
        """Let a transaction start."""
        at = self.at(ago_s)
        self.say("StartTransaction", connectorId=connector, idTag=tag, meterStart=5, timestamp=at)

    def meter(self, number: int, ago_s: int = 0, connector: int = 1) -> None:
        """Let a connector say what it meters in a transaction."""
        sample = {"value": "7000", "measurand": "Power.Active.Import"}
        value = {"timestamp": self.at(ago_s), "sampledValue": [sample]}
        self.say("MeterValues", connectorId=connector, transactionId=number, meterValue=[value])

    def transactions(self, connector: int = 1) -> list[base.TransactionChanged]:
        """Return what a connector's asset was told of transactions."""
        return [one for one in self.told[connector] if isinstance(one, base.TransactionChanged)]

    async def called(self, action: str, conf: dict[str, Any] | None) -> dict[str, Any]:
        """Return what the central system asks next, and answer it."""
        _, own_id, asked, payload = await self.wire.calls.get()
        assert asked == action
        if conf is None:
            self.hear(4, own_id, "NotImplemented", "", {})
        else:
            self.hear(3, own_id, conf)
        assert isinstance(payload, dict)
        return payload


def run(story: Callable[[Depot], Awaitable[None]], **manners: Any) -> None:  # noqa: ANN401 - see Depot
    """Run a story with one charge point."""

    async def told() -> None:
        depot = Depot(**manners)
        async with asyncio.timeout(30):
            await story(depot)
        depot.point.ended(depot.session)

    asyncio.run(told())


BOOT = {"chargePointVendor": "v", "chargePointModel": "m", "firmwareVersion": "9"}
ACCEPTED = {"status": "Accepted"}
CONFIGURATION = {
    "configurationKey": [
        {"key": "ChargeProfileMaxStackLevel", "readonly": True, "value": "3"},
        {"key": "Secret", "readonly": True, "value": "x"},
    ],
    "unknownKey": ["NumberOfConnectors"],
}


def booted(depot: Depot) -> list[bool]:
    """Return for each connection that connector 1 was told of whether it was a boot."""
    return [one.booted for one in depot.told[1] if isinstance(one, base.Connected)]


def test_a_silent_charge_point_is_asked_who_and_how_it_is() -> None:
    """After an engine's restart nobody boots; a boot that was asked for is none."""

    async def story(depot: Depot) -> None:
        asked = await depot.called("TriggerMessage", ACCEPTED)
        assert asked == {"requestedMessage": "BootNotification"}
        depot.say("BootNotification", **BOOT)
        asked = await depot.called("GetConfiguration", CONFIGURATION)
        assert asked == {"key": list(KEYS)}
        for connector in (1, 2):
            asked = await depot.called("TriggerMessage", None)
            assert asked == {"requestedMessage": "StatusNotification", "connectorId": connector}
        assert booted(depot) == [False, False]
        level = "ChargeProfileMaxStackLevel"
        learned = base.CapabilitiesLearned({level: "3", "read_only": level})
        assert learned in depot.told[2]
        depot.say("BootNotification", **BOOT)
        assert booted(depot) == [False, False, True]

    run(story, quiet_s=0.0)


def test_a_boot_is_answered_first_and_then_asked_for_what_was_not_said() -> None:
    """Capabilities once per boot; the status of a connector that kept it to itself."""

    async def story(depot: Depot) -> None:
        depot.say("BootNotification", **BOOT)
        depot.say("StatusNotification", connectorId=1, errorCode="NoError", status="Available")
        assert booted(depot) == [False, True]
        connected = depot.told[1][-2]
        assert isinstance(connected, base.Connected)
        assert dict(connected.detail) == {"vendor": "v", "model": "m", "firmware": "9"}
        await depot.called("GetConfiguration", {"configurationKey": "odd"})
        assert await depot.called("GetConfiguration", {}) == {}
        assert depot.wire.kinds[:2] == [3, 2]
        assert (await depot.wire.answers.get())[2]["interval"] == 30
        asked = await depot.called("TriggerMessage", {"status": "Rejected"})
        assert asked == {"requestedMessage": "StatusNotification", "connectorId": 2}

    run(story, quiet_s=0.0)


def test_a_trigger_that_is_refused_leaves_a_boot_a_boot() -> None:
    """It comes of itself then."""

    async def story(depot: Depot) -> None:
        await depot.called("TriggerMessage", {"status": "NotImplemented"})
        await depot.wire.calls.get()
        depot.say("BootNotification", **BOOT)
        assert booted(depot) == [False, True]

    run(story, quiet_s=0.0)


def test_questions_give_way_to_attempts() -> None:
    """An attempt that waits goes out before the next question."""

    async def story(depot: Depot) -> None:
        first = await depot.wire.calls.get()
        attempts = [
            asyncio.ensure_future(depot.point.call(Request(own_id, "Reset", {}, 5)))
            for own_id in ("att_1", "att_2")
        ]
        await asyncio.sleep(0)
        depot.hear(3, first[1], {"status": "Rejected"})
        for own_id in ("att_1", "att_2"):
            assert (await depot.wire.calls.get())[1] == own_id
            depot.hear(3, own_id, ACCEPTED)
        assert (await depot.wire.calls.get())[2] == "GetConfiguration"
        await asyncio.gather(*attempts)

    run(story, quiet_s=0.0)


def test_a_connector_without_a_socket_sends_nothing() -> None:
    """Nor does one whose socket has been replaced hear of the old one."""

    async def story(depot: Depot) -> None:
        old = depot.session
        depot.connect()
        depot.point.heard(old, b'[2,"x","Heartbeat",{}]')
        depot.point.pong(old)
        depot.point.ended(old)
        assert not [one for one in depot.told[1] if isinstance(one, base.Seen | base.Disconnected)]
        depot.point.pong(depot.session)
        depot.point.ended(depot.session)
        assert [type(one) for one in depot.told[1][-2:]] == [base.Seen, base.Disconnected]
        with pytest.raises(NotSent):
            await depot.point.call(Request("att_1", "Reset", {}, 5))

    run(story)


def test_signs_of_life_are_told_once_a_second() -> None:
    """A flood stays on the loop."""

    async def story(depot: Depot) -> None:
        for _ in range(2):
            depot.say("Heartbeat")
            depot.hear("garbage")
            depot.hear(3, "nobody", {})
        depot.time.device_us += US_PER_S
        depot.say("Heartbeat")
        kinds = [type(one) for one in depot.told[2]]
        assert kinds[1:] == [base.Connected, base.Seen, base.Unreadable, base.Seen]

    run(story)


def test_connector_0_speaks_for_all() -> None:
    """Its state is everyone's, its meter nobody's; a connector without an asset is only served."""

    async def story(depot: Depot) -> None:
        depot.say("StatusNotification", connectorId=0, errorCode="NoError", status="Faulted")
        depot.say("StatusNotification", connectorId=7, errorCode="NoError", status="Faulted")
        depot.meter(5, connector=0)
        for told in depot.told.values():
            reported = [one for one in told if isinstance(one, base.StateReported)]
            assert [one.whole_device for one in reported] == [True]
            assert not [one for one in told if isinstance(one, base.PowerMeasured)]
        assert [(await depot.wire.answers.get())[0] for _ in range(3)] == [3, 3, 3]

    run(story)


def test_a_transaction_that_runs_is_no_news_twice() -> None:
    """Its id comes with the answer; another one in the meter values is adopted."""

    async def story(depot: Depot) -> None:
        depot.start(ago_s=30)
        started = depot.transactions()[0]
        assert not started.offline
        assert started.reply is not None
        started.reply("4711")
        started.reply("4712")
        conf = await depot.wire.answers.get()
        assert conf[2] == {"transactionId": 4711, "idTagInfo": ACCEPTED}
        for number in (4711, 4712, 4712, -1, 0):
            depot.meter(number)
        assert [one.transaction_id for one in depot.transactions()] == [None, "4712"]
        answers = [await depot.wire.answers.get() for _ in range(5)]
        assert {one[1] for one in answers} == {"MeterValues"}

    run(story)


def test_what_was_kept_while_there_was_no_socket_is_history() -> None:
    """Until fresh meter values tell that it still runs."""

    async def story(depot: Depot) -> None:
        depot.start(ago_s=3_600)
        started = depot.transactions()[0]
        assert started.offline
        assert started.reply is not None
        started.reply("9")
        assert (await depot.wire.answers.get())[2]["transactionId"] == 9
        depot.meter(9, ago_s=1_800)
        assert len(depot.transactions()) == 1
        depot.meter(9)
        assert [one.kind for one in depot.transactions()] == ["started", "found"]
        at = depot.at(1_700)
        depot.say("StopTransaction", transactionId=9, meterStop=9, timestamp=at, reason="Local")
        ended = depot.transactions()[-1]
        assert (ended.kind, ended.offline, ended.meter_wh) == ("ended", True, 9)
        assert not depot.transactions(2)

    run(story)


def test_a_transaction_whose_id_was_lost_is_the_only_one_that_runs() -> None:
    """Some say -1 at its end. Of two, or of one that is history, nobody knows which is meant."""

    async def story(depot: Depot) -> None:
        def stop(ago_s: int) -> base.TransactionChanged:
            at = depot.at(ago_s)
            depot.say("StopTransaction", transactionId=-1, meterStop=9, timestamp=at)
            return depot.transactions()[-1]

        depot.meter(7)
        depot.meter(8, connector=2)
        assert stop(0).transaction_id == "-1"
        depot.say("StopTransaction", transactionId=8, meterStop=9, timestamp=depot.at(0))
        assert stop(3_600).transaction_id == "-1"
        ended = stop(0)
        assert (ended.kind, ended.transaction_id) == ("ended", "7")
        assert stop(0).transaction_id == "-1"

    run(story)


def test_a_clock_that_is_behind_makes_no_history() -> None:
    """A status that is told while the socket is open shows how far it is behind."""

    async def story(depot: Depot) -> None:
        def report(ago_s: int) -> None:
            at = depot.at(ago_s)
            told = {"connectorId": 1, "errorCode": "NoError", "timestamp": at}
            depot.say("StatusNotification", status="Preparing", **told)

        report(ago_s=9_000)  # kept while there was no socket: it tells nothing of the clock
        depot.time.device_us += 61 * US_PER_S
        depot.start(ago_s=3_600)
        report(ago_s=7_200)  # the status began long ago
        report(ago_s=3_600)
        report(ago_s=5_000)
        depot.start(ago_s=3_600)
        depot.connect()
        depot.start(ago_s=3_650)
        depot.start(ago_s=3_700)
        assert [one.offline for one in depot.transactions()] == [True, False, False, True]

    run(story)


def test_a_start_by_a_clock_that_is_behind_is_found_once_that_is_known() -> None:
    """What is over by then, or was kept, stays history."""

    async def story(depot: Depot) -> None:
        async def start(number: int, ago_s: int, connector: int) -> None:
            depot.start(ago_s=ago_s, connector=connector)
            reply = depot.transactions(connector)[-1].reply
            assert reply is not None
            reply(str(number))
            await asyncio.sleep(0)

        await start(4, 4_000, 1)
        await start(1, 300, 1)
        await start(2, 300, 2)
        depot.say("StopTransaction", transactionId=2, meterStop=9, timestamp=depot.at(300))
        await start(3, 4_000, 2)
        depot.time.device_us += 6 * US_PER_S
        told = {"connectorId": 1, "errorCode": "NoError", "status": "Charging"}
        depot.say("StatusNotification", timestamp=depot.at(300), **told)
        found = [one.transaction_id for one in depot.transactions() if one.kind == "found"]
        assert found == ["1"]
        assert not [one for one in depot.transactions(2) if one.kind == "found"]
        depot.meter(1)
        assert [one.kind for one in depot.transactions()].count("found") == 1

    run(story)


def test_a_start_that_is_committed_after_its_clock_is_known_is_found_too() -> None:
    """Once its answer is out; the store may have been away meanwhile."""

    async def story(depot: Depot) -> None:
        depot.start(ago_s=300)
        started = depot.transactions()[0]
        depot.time.device_us += 6 * US_PER_S
        told = {"connectorId": 1, "errorCode": "NoError", "status": "Charging"}
        depot.say("StatusNotification", timestamp=depot.at(300), **told)
        assert started.reply is not None
        started.reply("1")
        for _ in range(3):
            await asyncio.sleep(0)
        found = [one.transaction_id for one in depot.transactions() if one.kind == "found"]
        assert found == ["1"]

    run(story)


def test_a_start_that_waits_long_for_its_answer_does_not_become_history() -> None:
    """What counts is when the socket opened: the charge point says the same start again."""

    async def story(depot: Depot) -> None:
        depot.start(ago_s=0)
        first = depot.transactions()[0]
        depot.time.device_us += 600 * US_PER_S
        depot.start(ago_s=600)
        again = depot.transactions()[1]
        assert (again.key, again.offline) == (first.key, False)

    run(story)


def test_a_stop_of_what_nobody_knows_is_told_to_all() -> None:
    """After a restart only the assets know their transactions; and a boot ends what ran."""

    async def story(depot: Depot) -> None:
        depot.meter(4)
        depot.say("BootNotification", **BOOT)
        at = depot.at(0)
        depot.say("StopTransaction", transactionId=4, meterStop=10**30, timestamp=at)
        for connector in (1, 2):
            ended = depot.transactions(connector)[-1]
            assert (ended.kind, ended.transaction_id, ended.meter_wh) == ("ended", "4", None)
            assert ended.reason == "Local"

    run(story)


def test_a_connector_without_an_asset_gets_an_id_as_well() -> None:
    """The same for the same start, above any of ours."""

    async def story(depot: Depot) -> None:
        depot.start(ago_s=5, connector=3)
        depot.start(ago_s=5, connector=3)
        first, again = [(await depot.wire.answers.get())[2]["transactionId"] for _ in range(2)]
        assert first == again
        assert 2**30 <= first < 2**31

    run(story)


def test_an_unknown_tag_is_invalid_and_has_a_transaction_all_the_same() -> None:
    """Case makes no difference to a tag."""

    async def story(depot: Depot) -> None:
        for tag, status in (("x", "Invalid"), ("abc", "Accepted"), ("setpoint", "Accepted")):
            depot.start(ago_s=5, tag=tag)
            reply = depot.transactions()[-1].reply
            assert reply is not None
            reply("7")
            info = (await depot.wire.answers.get())[2]
            assert info == {"transactionId": 7, "idTagInfo": {"status": status}}

    run(story, id_tags=("ABC",))


@pytest.mark.parametrize(
    "payload", [None, {}, {"configurationKey": ["x", {"key": 1}, {"key": KEYS[0]}]}], ids=range(3)
)
def test_what_is_no_configuration_teaches_nothing(payload: object) -> None:
    """Whatever came instead."""
    assert configuration(payload) == {}


@pytest.mark.parametrize(
    ("action", "payload", "conf"),
    [
        ("DiagnosticsStatusNotification", {"status": "Uploaded"}, {}),
        ("FirmwareStatusNotification", {"status": "Installed"}, {}),
        ("LogStatusNotification", {"status": "Uploaded", "requestId": 1}, {}),
        ("SecurityEventNotification", {"type": "InvalidCsr", "timestamp": "2025-06-03"}, {}),
        ("SignCertificate", {"csr": "x"}, {"status": "Rejected"}),
        ("SignedFirmwareStatusNotification", {"status": "Installed", "requestId": 1}, {}),
        ("DataTransfer", {"vendorId": "x"}, {"status": "UnknownVendorId"}),
    ],
)
def test_every_notification_is_answered(
    action: str, payload: dict[str, object], conf: dict[str, object]
) -> None:
    """We sign no certificate and know no vendor."""

    async def told() -> None:
        depot = Depot()
        depot.say(action, **payload)
        assert await depot.wire.answers.get() == [3, action, conf]

    asyncio.run(told())


def test_a_clock_that_is_wrong_is_told_once_two_times_agree() -> None:
    """By times of any message, told some seconds apart; and again when it changes."""

    async def told() -> None:
        depot = Depot()
        for ago_s in (3_600, 3_600, 3_601, 0, 0):
            depot.meter(1, ago_s)
            depot.time.device_us += 10 * US_PER_S
        found = [one for one in depot.told[2] if isinstance(one, base.ClockRead)]
        assert [one.ahead_s for one in found] == [-3_600, -3_601, 0]

    asyncio.run(told())


def test_a_transaction_of_a_clock_that_is_known_to_be_wrong_is_no_history() -> None:
    """It began just now, whatever the charger's clock says."""

    async def told() -> None:
        depot = Depot()
        for _ in range(2):
            depot.say(
                "StatusNotification",
                connectorId=1,
                errorCode="NoError",
                status="Charging",
                timestamp=depot.at(3_600),
            )
            depot.time.device_us += 10 * US_PER_S
        depot.start(3_600)
        (started,) = [one for one in depot.told[1] if isinstance(one, base.TransactionChanged)]
        assert not started.offline

    asyncio.run(told())


def test_a_doubtful_clock_is_asked_for_the_time_of_now(monkeypatch: pytest.MonkeyPatch) -> None:
    """By having it measure; once, however often it is doubtful."""
    monkeypatch.setattr(upkeep, "_APART_S", 0.0)

    async def told() -> None:
        depot = Depot()
        for _ in range(3):
            depot.meter(1, 3_600)
        for _ in range(2):
            _, own_id, action, payload = await depot.wire.calls.get()
            assert (action, payload) == (
                "TriggerMessage",
                {"requestedMessage": "MeterValues", "connectorId": 1},
            )
            depot.hear(3, own_id, {"status": "Accepted"})
        assert depot.wire.calls.empty()

    asyncio.run(told())


def test_who_does_not_measure_when_asked_tells_the_time_by_its_status(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Most have the time of now in it."""
    monkeypatch.setattr(upkeep, "_APART_S", 0.0)

    async def story(depot: Depot) -> None:
        depot.meter(1, 3_600)
        for _ in range(2):
            asked = [
                await depot.called("TriggerMessage", {"status": "NotImplemented"}),
                await depot.called("TriggerMessage", ACCEPTED),
            ]
            assert [one["requestedMessage"] for one in asked] == [
                "MeterValues",
                "StatusNotification",
            ]

    run(story, quiet_s=600.0)
