"""The central system over real sockets: who may come in, and what a session survives."""

import asyncio
import base64
import json
import random
from collections.abc import Awaitable, Callable
from typing import Any

import attrs
import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.typing import Subprotocol

from actors.clock import Clocks
from actors.links.ocpp import OcppAdapter
from engine.adapters import base
from engine.adapters.ocpp16 import OcppOptions
from engine.config import OcppListen
from engine.errors import NotSent, OutcomeUnknown

PASSWORD = "0123456789abcdef"
PROFILE = base.Payload((base.Frame("SetChargingProfile", {"connectorId": 1}),), attempt_id="att_1")


class Bench:
    """A central system with one charge point of two connectors, and what it reported."""

    def __init__(self, **listen: Any) -> None:  # noqa: ANN401 - fields of OcppListen
        """Make it; nothing listens yet."""
        self.clocks = Clocks()
        self.notices: list[tuple[str, str]] = []
        self.adapter = OcppAdapter(
            OcppListen(port=0, **listen),
            self.clocks,
            (
                lambda identity, password: (identity, password) == ("CP 1", PASSWORD),
                lambda kind, peer: self.notices.append((kind, peer)),
            ),
            60.0,
        )
        self.seen: list[tuple[int, base.Observation]] = []
        self.changed = asyncio.Condition()
        self.links = [
            self.adapter.link(OcppOptions("CP 1", number), self.reporter(number))
            for number in (1, 2)
        ]

    def reporter(self, number: int) -> Callable[[base.Observation], None]:
        """Return what keeps a connector's observations."""

        def report(observation: base.Observation) -> None:
            self.seen.append((number, observation))
            task = asyncio.ensure_future(self.tell())
            task.add_done_callback(lambda _: None)

        return report

    async def tell(self) -> None:
        """Wake whoever waits for an observation."""
        async with self.changed:
            self.changed.notify_all()

    async def until(self, kind: type, count: int = 1) -> list[Any]:
        """Return the observations of a kind once there are so many."""

        def found() -> list[Any]:
            return [one for _, one in self.seen if isinstance(one, kind)]

        async with self.changed, asyncio.timeout(10):
            await self.changed.wait_for(lambda: len(found()) >= count)
        return found()

    async def client(self, **changes: Any) -> "Client":  # noqa: ANN401 - see Client
        """Connect a charge point."""
        client = Client(self.adapter.url or "", **changes)
        await client.open()
        return client


@attrs.define
class Client:
    """A charge point that speaks by hand."""

    url: str
    path: str = "/depot/CP%201"
    user: str = "CP 1"
    password: str | None = PASSWORD
    protocols: tuple[str, ...] = ("ocpp1.6",)
    socket: ClientConnection | None = None

    async def open(self) -> None:
        """Connect."""
        headers = {}
        if self.password is not None:
            token = base64.b64encode(f"{self.user}:{self.password}".encode()).decode()
            headers["Authorization"] = f"Basic {token}"
        self.socket = await connect(
            self.url + self.path,
            subprotocols=[Subprotocol(one) for one in self.protocols] or None,
            additional_headers=headers,
        )

    async def send(self, frame: object) -> None:
        """Send one frame, text as it is."""
        assert self.socket is not None
        await self.socket.send(frame if isinstance(frame, str) else json.dumps(frame))

    async def receive(self) -> list[Any]:
        """Return the next frame."""
        assert self.socket is not None
        async with asyncio.timeout(10):
            received: list[Any] = json.loads(await self.socket.recv())
        return received

    async def ask(self, action: str, payload: dict[str, Any]) -> Any:  # noqa: ANN401 - JSON
        """Send a CALL and return its result."""
        await self.send([2, "c", action, payload])
        frame = await self.receive()
        assert frame[:2] == [3, "c"], frame
        return frame[2]

    async def close(self) -> None:
        """Disconnect."""
        assert self.socket is not None
        await self.socket.close()


def run(story: Callable[[Bench], Awaitable[None]], **listen: Any) -> None:  # noqa: ANN401 - as above
    """Run a story against a central system that listens."""

    async def told() -> None:
        bench = Bench(**listen)
        for link in bench.links:
            await link.open()
        try:
            await story(bench)
        finally:
            for link in bench.links:
                await link.close()

    asyncio.run(told())


BOOT = {"chargePointVendor": "v", "chargePointModel": "m"}
START = {
    "connectorId": 1,
    "idTag": "T",
    "meterStart": 5,
    "timestamp": "2020-01-01T00:00:00Z",
}


@pytest.mark.parametrize(
    ("changes", "status"),
    [
        ({"path": "/CP%202"}, 404),
        ({"password": "wrong"}, 401),
        ({"password": None}, 401),
        ({"user": "CP 2"}, 401),
        ({"protocols": ("ocpp2.0.1",)}, 400),
        ({"protocols": ()}, 400),
    ],
    ids=range(6),
)
def test_who_is_not_known_is_refused_before_the_upgrade(
    changes: dict[str, Any], status: int
) -> None:
    """Unknown identity, wrong key, another version: each with its own status."""

    async def story(bench: Bench) -> None:
        with pytest.raises(InvalidStatus) as refused:
            await bench.client(**changes)
        assert refused.value.response.status_code == status

    run(story)


def test_profile_0_asks_for_no_password() -> None:
    """Only where the site file says so."""

    async def story(bench: Bench) -> None:
        client = await bench.client(password=None)
        await client.close()

    run(story, security_profile=0)


def test_wrong_keys_lock_a_charge_point_out_for_a_while() -> None:
    """Even the right one is refused then."""

    async def story(bench: Bench) -> None:
        for _ in range(5):
            with pytest.raises(InvalidStatus):
                await bench.client(password="wrong")
        with pytest.raises(InvalidStatus) as refused:
            await bench.client()
        assert refused.value.response.status_code == 429
        assert bench.notices == [("Unauthorized", "CP 1"), ("Too Many Requests", "CP 1")]

    run(story)


def test_ordinary_messages_are_answered_and_reported() -> None:
    """Boot, heartbeat, status, authorisation, meter values, and what is only noted."""

    async def story(bench: Bench) -> None:
        client = await bench.client()
        boot = await client.ask("BootNotification", {**BOOT, "vendorExtra": 1})
        assert (boot["status"], boot["interval"]) == ("Accepted", 30)
        assert "currentTime" in await client.ask("Heartbeat", {})
        status = {"connectorId": 2, "errorCode": "NoError", "status": "Charging"}
        assert await client.ask("StatusNotification", status) == {}
        authorised = await client.ask("Authorize", {"idTag": "T"})
        assert authorised["idTagInfo"]["status"] == "Accepted"
        sample = {"value": "7400", "measurand": "Power.Active.Import", "unit": "W"}
        value = {"timestamp": "2025-01-01T00:00:00Z", "sampledValue": [sample]}
        values = {"connectorId": 1, "transactionId": 99, "meterValue": [value]}
        assert await client.ask("MeterValues", values) == {}
        assert (await client.ask("DataTransfer", {"vendorId": "v"}))["status"] == "UnknownVendorId"
        notice = {"status": "Downloading"}
        assert await client.ask("FirmwareStatusNotification", notice) == {}
        booted = await bench.until(base.Connected, 3)
        assert booted[-1].booted
        reported = (await bench.until(base.StateReported))[0]
        assert reported.state == "CHARGING"
        assert (2, reported) in bench.seen
        assert (await bench.until(base.PowerMeasured))[0].power_kw == pytest.approx(7.4)
        assert (await bench.until(base.TransactionChanged))[0].kind == "found"
        await client.close()

    run(story)


def test_a_transaction_is_answered_only_with_a_committed_id() -> None:
    """Meanwhile other messages go on; the stop is always accepted."""

    async def story(bench: Bench) -> None:
        client = await bench.client()
        await client.send([2, "s", "StartTransaction", START])
        started = (await bench.until(base.TransactionChanged))[0]
        assert started.offline
        assert "currentTime" in await client.ask("Heartbeat", {})
        started.reply("4711")
        conf = await client.receive()
        assert conf[2]["transactionId"] == 4711
        stop = {"transactionId": 4711, "meterStop": 9, "timestamp": "2020-01-01T01:00:00Z"}
        assert (await client.ask("StopTransaction", stop))["idTagInfo"]["status"] == "Accepted"
        ended = (await bench.until(base.TransactionChanged, 2))[1]
        assert (ended.kind, ended.transaction_id) == ("ended", "4711")
        await client.close()

    run(story)


def test_an_unknown_tag_is_told_so() -> None:
    """Our own is known always."""

    async def story(bench: Bench) -> None:
        client = await bench.client()
        for tag, status in (("X", "Invalid"), ("A", "Accepted"), ("SETPOINT", "Accepted")):
            told = await client.ask("Authorize", {"idTag": tag})
            assert told["idTagInfo"]["status"] == status
        await client.close()

    run(story, id_tags=("A",))


async def answered(bench: Bench, reply: Callable[[str], list[Any]]) -> base.Answer:
    """Send a profile and let the charge point answer."""
    client = await bench.client()
    await bench.until(base.Connected)
    sending = asyncio.ensure_future(bench.links[0].send(PROFILE, 5))
    call = await client.receive()
    assert call[:3] == [2, "att_1", "SetChargingProfile"]
    await client.send(reply(call[1]))
    try:
        return await sending
    finally:
        await client.close()


@pytest.mark.parametrize(
    ("reply", "outcome", "reason"),
    [
        ([3, "att_1", {"status": "Accepted", "vendorNote": "x"}], "accepted", None),
        ([3, "att_1", {"status": "Rejected"}], "rejected", "Rejected"),
        ([4, "att_1", "NotSupported", "", {}], "rejected", "unsupported"),
        ([4, "att_1", "InternalError", "", {}], "error", "InternalError"),
        ([4, "att_1", "GenericError"], "error", "GenericError"),
    ],
    ids=range(5),
)
def test_an_answer_is_what_the_charge_point_said(
    reply: list[Any], outcome: str, reason: str | None
) -> None:
    """A field of its own changes nothing; a CALLERROR is no acceptance."""

    async def story(bench: Bench) -> None:
        answer = await answered(bench, lambda _: reply)
        assert (answer.outcome, answer.reason) == (outcome, reason)
        assert json.loads(answer.raw) == reply

    run(story)


@pytest.mark.parametrize(
    "reply", [[3, "att_1", {"status": "Perhaps"}], [3, "att_1", "text"]], ids=range(2)
)
def test_an_answer_that_nobody_understands_is_an_unknown_outcome(reply: list[Any]) -> None:
    """The raw text is kept."""

    async def story(bench: Bench) -> None:
        with pytest.raises(OutcomeUnknown) as unknown:
            await answered(bench, lambda _: reply)
        assert unknown.value.raw == json.dumps(reply)

    run(story)


def test_no_answer_in_time_is_unknown_and_a_late_one_is_told() -> None:
    """The session goes on."""

    async def story(bench: Bench) -> None:
        client = await bench.client()
        await bench.until(base.Connected)
        with pytest.raises(OutcomeUnknown) as unknown:
            await bench.links[0].send(PROFILE, 0.1)
        assert unknown.value.outcome == "timed_out"
        await client.send([3, "att_1", {"status": "Accepted"}])
        late = (await bench.until(base.LateAnswer))[0]
        assert late.attempt_id == "att_1"
        assert "currentTime" in (await client.receive(), await client.ask("Heartbeat", {}))[1]
        await client.close()

    run(story)


def test_a_closed_socket_ends_the_waiting_at_once() -> None:
    """No time-out is sat out; without a socket nothing is sent."""

    async def story(bench: Bench) -> None:
        with pytest.raises(NotSent):
            await bench.links[0].send(PROFILE, 5)
        client = await bench.client()
        await bench.until(base.Connected)
        sending = asyncio.ensure_future(bench.links[0].send(PROFILE, 60))
        await client.receive()
        await client.close()
        async with asyncio.timeout(5):
            with pytest.raises(OutcomeUnknown) as unknown:
                await sending
        assert unknown.value.outcome == "link_lost"
        await bench.until(base.Disconnected, 2)

    run(story)


def test_an_attempt_whose_window_has_passed_does_not_leave() -> None:
    """The device clock is asked right before the first byte."""

    async def story(bench: Bench) -> None:
        client = await bench.client()
        await bench.until(base.Connected)
        late = attrs.evolve(PROFILE, begin_by_us=bench.clocks.device_us() - 1)
        with pytest.raises(NotSent, match="window"):
            await bench.links[0].send(late, 5)
        await client.close()

    run(story)


def test_one_call_is_out_at_a_time_and_frames_follow_each_other() -> None:
    """The n-th frame of an attempt has its id and a number."""

    async def story(bench: Bench) -> None:
        client = await bench.client()
        await bench.until(base.Connected)
        two = attrs.evolve(PROFILE, frames=PROFILE.frames * 2)
        other = attrs.evolve(PROFILE, attempt_id="att_2")
        first = asyncio.ensure_future(bench.links[0].send(two, 5))
        call = await client.receive()
        second = asyncio.ensure_future(bench.links[1].send(other, 5))
        seen = [call[1]]
        for _ in range(2):
            await client.send([3, seen[-1], {"status": "Accepted"}])
            seen.append((await client.receive())[1])
        await client.send([3, seen[-1], {"status": "Accepted"}])
        answers = await asyncio.gather(first, second)
        assert sorted(seen) == ["att_1", "att_1.1", "att_2"]
        assert seen[0] == "att_1"
        assert [one.outcome for one in answers] == ["accepted", "accepted"]
        await client.close()

    run(story)


def test_the_newest_socket_wins_and_cleans_up_only_after_itself() -> None:
    """The end of the old one does not disconnect the charge point."""

    async def story(bench: Bench) -> None:
        old = await bench.client()
        await bench.until(base.Connected, 2)
        new = await bench.client()
        assert old.socket is not None
        with pytest.raises(ConnectionClosed):
            await old.socket.recv()
        assert "currentTime" in await new.ask("Heartbeat", {})
        assert not [one for _, one in bench.seen if isinstance(one, base.Disconnected)]
        await new.close()
        await bench.until(base.Disconnected, 2)

    run(story)


GARBAGE = [
    "",
    "{}",
    "[]",
    "[2]",
    "[2,1,1,1]",
    '[2,"x"]',
    '[2,"x",[],{}]',
    '[2,"x","Heartbeat",[]]',
    '[9,"x",{}]',
    '[3,"nobody",{}]',
    '[4,"nobody","E"]',
    "[" * 5_000,
    '[2,"x","A",' + '{"a":' * 200 + "1" + "}" * 200 + "]",
    '[2,"x","Heartbeat",{}' + "9" * 5_000 + "]",
    '[2,"' + "x" * 500 + '","Heartbeat",{}]',
]


def test_malformed_frames_end_no_session() -> None:
    """What has an id and needs an answer gets a CALLERROR; the next message is served."""

    async def story(bench: Bench) -> None:
        client = await bench.client()
        chance = random.Random(7)
        good = json.dumps([2, "x", "StatusNotification", {"connectorId": 1}])
        frames = list(GARBAGE)
        for _ in range(500):
            text = list(good)
            for _ in range(chance.randint(1, 4)):
                text[chance.randrange(len(text))] = chr(chance.randrange(32, 127))
            frames.append("".join(text))
        for frame in frames:
            await client.send(frame)
        await client.send([2, "last", "Heartbeat", {}])
        answers = [await client.receive()]
        while answers[-1][1] != "last":
            answers.append(await client.receive())
        assert answers[-1][0] == 3
        assert {one[0] for one in answers[:-1]} <= {2, 4}
        await client.close()

    run(story)


@pytest.mark.parametrize(
    ("action", "payload", "code"),
    [
        ("StatusNotification", {"connectorId": 1}, "OccurenceConstraintViolation"),
        ("StatusNotification", {"connectorId": "x"}, "TypeConstraintViolation"),
        ("Heartbeat", [], "FormationViolation"),
        ("Fly", {}, "NotImplemented"),
        ("Reset", {"type": "Soft"}, "NotSupported"),
        ("Authorize", {"idTag": 5}, "TypeConstraintViolation"),
    ],
    ids=range(6),
)
def test_a_call_that_cannot_be_served_is_told_why(action: str, payload: Any, code: str) -> None:  # noqa: ANN401 - JSON
    """With the standard's own code."""

    async def story(bench: Bench) -> None:
        client = await bench.client()
        await client.send([2, "x", action, payload])
        answer = await client.receive()
        assert (answer[0], answer[1], answer[2]) == (4, "x", code)
        await client.close()

    run(story)
