"""The central system over real sockets: what is said, answered and survived."""

import asyncio
import base64
import json
import random
from collections.abc import Awaitable, Callable
from typing import Any

import attrs
import pytest
from msgspec.structs import replace
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed
from websockets.typing import Subprotocol

from actors.clock import Clocks
from actors.links.ocpp import OcppAdapter, csms
from actors.links.ocpp.link import OcppLink
from actors.links.ocpp.session import Reply, Request
from actors.testing.clocks import ManualTime
from engine.adapters import base
from engine.adapters.ocpp16 import OcppOptions
from engine.config import OcppListen
from engine.errors import NotSent, OutcomeUnknown

PASSWORD = "0123456789abcdef"
AUTHORIZATION = "Basic " + base64.b64encode(f"CP 1:{PASSWORD}".encode()).decode()
PROFILE = base.Payload((base.Frame("SetChargingProfile", {"connectorId": 1}),), attempt_id="att_1")


class Bench:
    """A central system with one charge point of two connectors, and what it reported."""

    def __init__(self, stale_s: float = 60.0, **listen: Any) -> None:  # noqa: ANN401 - fields of OcppListen
        """Make it; nothing listens yet."""
        self.time = ManualTime()
        self.clocks = Clocks(self.time)
        self.adapter = OcppAdapter(
            OcppListen(port=0, **listen),
            self.clocks,
            (
                lambda identity, password: (identity, password) == ("CP 1", PASSWORD),
                lambda _kind, _peer, _count: None,
            ),
            stale_s,
            quiet_s=600.0,
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

        async with self.changed, asyncio.timeout(30):
            await self.changed.wait_for(lambda: len(found()) >= count)
        return found()

    async def among(self, kind: type, count: int) -> list[tuple[int, Any]]:
        """Return the observations of a kind, each with its connector, once there are so many."""
        await self.until(kind, count)
        return [(number, one) for number, one in self.seen if isinstance(one, kind)]

    async def client(self) -> "Client":
        """Connect a charge point."""
        client = Client(self.adapter.url or "")
        await client.open()
        return client


@attrs.define
class Client:
    """A charge point that speaks by hand."""

    url: str
    socket: ClientConnection | None = None

    async def open(self) -> None:
        """Connect."""
        self.socket = await connect(
            self.url + "/depot/CP%201",
            subprotocols=[Subprotocol("ocpp1.6")],
            additional_headers={"Authorization": AUTHORIZATION},
        )

    async def send(self, frame: object) -> None:
        """Send one frame, text and bytes as they are."""
        assert self.socket is not None
        if isinstance(frame, bytes):
            await self.socket.send(frame, text=True)
        else:
            await self.socket.send(frame if isinstance(frame, str) else json.dumps(frame))

    async def receive(self) -> list[Any]:
        """Return the next frame."""
        assert self.socket is not None
        async with asyncio.timeout(30):
            received: list[Any] = json.loads(await self.socket.recv())
        return received

    async def ask(self, action: str, payload: dict[str, Any]) -> Any:  # noqa: ANN401 - JSON
        """Send a CALL and return its result; what is asked meanwhile is not answered."""
        await self.send([2, "c", action, payload])
        frame = await self.receive()
        while frame[0] == 2:
            frame = await self.receive()
        assert frame[:2] == [3, "c"], frame
        return frame[2]

    async def close(self) -> None:
        """Disconnect."""
        assert self.socket is not None
        await self.socket.close()


def run(story: Callable[[Bench], Awaitable[None]], **listen: Any) -> None:  # noqa: ANN401 - see Bench
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
        value = {"timestamp": "2026-03-02T06:00:00Z", "sampledValue": [sample]}
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
        (
            [4, "att_1", "PropertyConstraintViolation", "numberPhases", {}],
            "rejected",
            "PropertyConstraintViolation",
        ),
        ([4, "att_1", "FormationViolation", "", {}], "rejected", "FormationViolation"),
        ([4, "att_1", "InternalError", "", {}], "error", "InternalError"),
        ([4, "att_1", "GenericError"], "error", "GenericError"),
    ],
    ids=range(7),
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


def test_a_late_answer_is_told_to_the_asset_that_asked() -> None:
    """By its attempt, whichever frame it is an answer to; the neighbour hears nothing."""

    async def story(bench: Bench) -> None:
        client = await bench.client()
        two = replace(PROFILE, frames=PROFILE.frames * 2)
        sending = asyncio.ensure_future(bench.links[1].send(two, 2.0))
        await client.receive()
        await client.send([3, "att_1", {"status": "Accepted"}])
        with pytest.raises(OutcomeUnknown) as unknown:
            await sending
        assert unknown.value.raw == json.dumps([3, "att_1", {"status": "Accepted"}])
        await client.send([3, "att_1.1", {"status": "Accepted"}])
        late = await bench.among(base.LateAnswer, 1)
        assert [(number, one.attempt_id) for number, one in late] == [(2, "att_1")]
        await client.close()

    run(story)


def test_the_first_frame_that_is_refused_is_the_last() -> None:
    """The answer holds all that came back."""

    async def story(bench: Bench) -> None:
        client = await bench.client()
        three = replace(PROFILE, frames=PROFILE.frames * 3)
        sending = asyncio.ensure_future(bench.links[0].send(three, 5))
        replies = [[3, "att_1", {"status": "Accepted"}], [3, "att_1.1", {"status": "Rejected"}]]
        for reply in replies:
            assert (await client.receive())[1] == reply[1]
            await client.send(reply)
        answer = await sending
        assert (answer.outcome, answer.reason) == ("rejected", "Rejected")
        assert answer.values == ({"status": "Accepted"}, {"status": "Rejected"})
        assert [json.loads(raw) for raw in json.loads(answer.raw)] == replies
        await client.close()

    run(story)


class Leaving:
    """A charge point that accepts one frame and has gone before the next."""

    async def call(self, request: Request) -> Reply:
        """Answer the first frame."""
        if request.id != "att_1":
            raise NotSent("gone")
        return Reply("raw", {"status": "Accepted"})

    def point(self, identity: str) -> "Leaving":
        """Stand in for the central system too."""
        del identity
        return self


def test_a_frame_that_cannot_follow_leaves_the_outcome_unknown() -> None:
    """The first was accepted: that is not nothing sent."""
    two = replace(PROFILE, frames=PROFILE.frames * 2)
    link = OcppLink(Leaving(), OcppOptions("CP 1"), lambda _: None, lambda: 0)  # type: ignore[arg-type]  # a stand-in
    with pytest.raises(OutcomeUnknown) as unknown:
        asyncio.run(link.send(two, 5))
    assert (unknown.value.outcome, unknown.value.raw) == ("link_lost", "raw")


def test_a_question_has_an_id_of_its_own() -> None:
    """And no send window."""

    async def story(bench: Bench) -> None:
        client = await bench.client()
        question = base.Payload((base.Frame("GetCompositeSchedule", {}, control=False),))
        asking = asyncio.ensure_future(bench.links[1].send(question, 5))
        call = await client.receive()
        assert call[1] == "question-2-1"
        await client.send([3, call[1], {"status": "Rejected"}])
        assert (await asking).outcome == "rejected"
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
        async with asyncio.timeout(30):
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
        late = replace(PROFILE, begin_by_us=bench.clocks.device_us() - 1)
        with pytest.raises(NotSent, match="window"):
            await bench.links[0].send(late, 5)
        await client.close()

    run(story)


def test_one_call_is_out_at_a_time_and_frames_follow_each_other() -> None:
    """The n-th frame of an attempt has its id and a number."""

    async def story(bench: Bench) -> None:
        client = await bench.client()
        await bench.until(base.Connected)
        two = replace(PROFILE, frames=PROFILE.frames * 2)
        other = replace(PROFILE, attempt_id="att_2")
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


async def half_open(bench: Bench) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """Connect a charge point that reads and says nothing more, not even a close or a pong."""
    host, _, port = (bench.adapter.url or "").removeprefix("ws://").partition(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    writer.write(
        f"GET /CP%201 HTTP/1.1\r\nHost: {host}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        "Sec-WebSocket-Key: MDEyMzQ1Njc4OWFiY2RlZg==\r\nSec-WebSocket-Version: 13\r\n"
        f"Sec-WebSocket-Protocol: ocpp1.6\r\nAuthorization: {AUTHORIZATION}\r\n\r\n".encode()
    )
    head = await reader.readuntil(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 101")
    return reader, writer


def test_a_half_open_socket_does_not_hold_up_its_successor(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The old one's close is never answered; the new one is served meanwhile."""
    monkeypatch.setattr(csms, "CLOSE_S", 60.0)

    async def story(bench: Bench) -> None:
        reader, writer = await half_open(bench)
        sending = asyncio.ensure_future(bench.links[0].send(PROFILE, 60))
        await reader.readuntil(b"att_1")
        async with asyncio.timeout(30):  # less than the old one's close may take
            client = await bench.client()
            assert "currentTime" in await client.ask("Heartbeat", {})
            with pytest.raises(OutcomeUnknown):
                await sending
        assert not [one for _, one in bench.seen if isinstance(one, base.Disconnected)]
        await client.close()
        writer.close()

    run(story)


def test_a_socket_without_a_pong_is_given_up() -> None:
    """Before its charge point would count as stale."""

    async def story(bench: Bench) -> None:
        _, writer = await half_open(bench)
        await bench.until(base.Disconnected, 2)
        writer.close()

    run(story, stale_s=0.3)


def test_a_pong_is_a_sign_of_life() -> None:
    """A charge point that says nothing by itself does not become stale."""

    async def story(bench: Bench) -> None:
        client = await bench.client()
        assert {number for number, one in await bench.among(base.Seen, 2)} == {1, 2}
        await client.close()

    run(story, stale_s=6.0)


GARBAGE: list[str | bytes] = [
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
    '[3,"nobody",' + "[" * 200 + "]" * 200 + "]",
    "[" * 5_000,
    '[2,"x","A",' + '{"a":' * 200 + "1" + "}" * 200 + "]",
    '[2,"x","Heartbeat",{}' + "9" * 5_000 + "]",
    '[2,"' + "x" * 500 + '","Heartbeat",{}]',
    '[2,"x","Heartbeat",{"a":"' + "x" * 300_000 + '"}]',
    b'[2,"x","Heartbeat",{"a":"\xff\xfe"}]',
    "\ud800".encode("utf-8", "surrogatepass"),
]
SEEDS = (
    [2, "x", "StatusNotification", {"connectorId": 1, "errorCode": "NoError", "status": "Faulted"}],
    [2, "x", "StartTransaction", START],
    [2, "x", "MeterValues", {"connectorId": 1, "transactionId": 3, "meterValue": []}],
    [3, "x", {"status": "Accepted"}],
)


def malformed(count: int) -> list[str | bytes]:
    """Return so many frames of which most are not what they should be."""
    chance = random.Random(7)
    frames = list(GARBAGE)
    while len(frames) < count:
        raw = bytearray(json.dumps(chance.choice(SEEDS)).encode())
        for _ in range(chance.randint(1, 6)):
            where = chance.randrange(len(raw))
            if chance.random() < 0.3:
                del raw[where]
            else:
                raw[where] = chance.choice(b'0129[]{}",:xe-. \\\x00\xff')
        frames.append(bytes(raw))
    return frames


def test_malformed_frames_end_no_session() -> None:
    """What has an id and needs an answer gets one; the next message is served."""

    async def story(bench: Bench) -> None:
        client = await bench.client()

        async def send_all() -> None:
            for frame in malformed(2_000):
                await client.send(frame)
            await client.send([2, "last", "Heartbeat", {}])

        sending = asyncio.ensure_future(send_all())
        kinds = set()
        answer = await client.receive()
        while answer[1] != "last":
            kinds.add(answer[0])
            answer = await client.receive()
        await sending
        assert answer[0] == 3
        assert kinds <= {3, 4}
        assert len([one for _, one in bench.seen if isinstance(one, base.Unreadable)]) == 2
        assert not [one for _, one in bench.seen if isinstance(one, base.Disconnected)]
        await client.close()

    run(story)
