"""One session on a socket made by hand: turns, deadlines, late answers and bounds."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from websockets.exceptions import ConnectionClosedOK

from actors.links.ocpp.framing import Call, parse
from actors.links.ocpp.session import OUTBOX, REMEMBERED, Handlers, Reply, Request, Session
from actors.links.ocpp.tolerance import understood
from actors.links.ocpp.versions import V16
from engine.errors import NotSent, OutcomeUnknown


class Wire:
    """A socket that keeps what is sent, and takes it only while it is open."""

    def __init__(self) -> None:
        """Begin open."""
        self.sent: asyncio.Queue[list[Any]] = asyncio.Queue()
        self.taking = asyncio.Event()
        self.taking.set()
        self.is_closed = False

    async def send(self, message: str) -> None:
        """Take one text."""
        if self.is_closed:
            raise ConnectionClosedOK(None, None)
        await self.taking.wait()
        self.sent.put_nowait(json.loads(message))

    async def close(self, code: int = 1000, reason: str = "") -> None:
        """Close it."""
        del code, reason
        self.is_closed = True


class Talk:
    """A session, its wire, and what it told."""

    def __init__(self) -> None:
        """Begin with nothing said."""
        self.wire = Wire()
        self.calls: list[Call] = []
        self.unreadable: list[str] = []
        self.late: list[Reply] = []
        handlers = Handlers(self.called, self.unreadable.append)
        self.session = Session(self.wire, V16, 1, handlers)

    def called(self, session: Session, call: Call) -> None:
        """Answer everything but a DataTransfer."""
        if call.action == "DataTransfer":
            raise RuntimeError("a handler's mistake")
        self.calls.append(call)
        session.answer(call.id, {})

    def hear(self, frame: object) -> None:
        """Let a frame come in."""
        self.session.heard(json.dumps(frame).encode())

    def ask(self, own_id: str, timeout_s: float = 30.0, **more: Any) -> "asyncio.Task[Any]":  # noqa: ANN401 - see Request
        """Begin a CALL."""
        request = Request(own_id, "Reset", {}, timeout_s, late=self.late.append, **more)
        return asyncio.ensure_future(self.session.call(request))


def run(story: Callable[[Talk], Awaitable[None]]) -> None:
    """Run a story with one session."""

    async def told() -> None:
        async with asyncio.timeout(30):
            await story(Talk())

    asyncio.run(told())


def test_one_call_is_out_and_the_next_waits_for_its_turn() -> None:
    """In the order in which they came."""

    async def story(talk: Talk) -> None:
        first, second = talk.ask("1"), talk.ask("2")
        assert (await talk.wire.sent.get())[1] == "1"
        assert talk.wire.sent.empty()
        talk.hear([3, "1", {"status": "Accepted"}])
        assert (await talk.wire.sent.get())[1] == "2"
        talk.hear([4, "2", "GenericError", "why", {}])
        assert (await first).payload == {"status": "Accepted"}
        assert (await second).error == "GenericError"

    run(story)


def test_a_turn_that_does_not_come_is_not_sent() -> None:
    """Who waits has a deadline of its own, whatever the call before takes."""

    async def story(talk: Talk) -> None:
        first = talk.ask("1")
        await talk.wire.sent.get()
        with pytest.raises(NotSent, match="still out"):
            await talk.ask("2", wait_s=0.0)
        talk.hear([3, "1", {}])
        await first
        assert talk.wire.sent.empty()

    run(story)


def test_a_turn_that_was_just_given_to_another_is_not_free() -> None:
    """Between the end of a CALL and the beginning of the next, a third one has its deadline."""

    async def story(talk: Talk) -> None:
        async def first_and_third() -> None:
            await talk.session.call(Request("1", "Reset", {}, 10.0))
            await talk.session.call(Request("3", "Reset", {}, 10.0, wait_s=0.0))

        both, second = asyncio.ensure_future(first_and_third()), talk.ask("2")
        await talk.wire.sent.get()
        talk.hear([3, "1", {}])
        with pytest.raises(NotSent, match="still out"):
            await both
        assert (await talk.wire.sent.get())[1] == "2"
        talk.hear([3, "2", {}])
        await second

    run(story)


def test_an_objection_at_the_last_moment_keeps_it_back() -> None:
    """Right before the first byte; the turn is free again."""

    async def story(talk: Talk) -> None:
        def object_() -> None:
            raise NotSent("too late")

        with pytest.raises(NotSent, match="too late"):
            await talk.ask("1", may_leave=object_)
        last = talk.ask("2")
        assert (await talk.wire.sent.get())[1] == "2"
        talk.hear([3, "2", {}])
        await last

    run(story)


def test_a_wire_that_takes_nothing_is_a_time_out() -> None:
    """The bytes may have left: the outcome is not known."""

    async def story(talk: Talk) -> None:
        talk.wire.taking.clear()
        with pytest.raises(OutcomeUnknown) as unknown:
            await talk.ask("1", 0.01)
        assert unknown.value.outcome == "timed_out"

    run(story)


def test_the_end_of_the_socket_ends_every_call() -> None:
    """The one that is out with an unknown outcome, those behind it unsent."""

    async def story(talk: Talk) -> None:
        first, second = talk.ask("1"), talk.ask("2")
        await talk.wire.sent.get()
        talk.session.end()
        with pytest.raises(OutcomeUnknown) as unknown:
            await first
        assert unknown.value.outcome == "link_lost"
        with pytest.raises(NotSent, match="not connected"):
            await second
        talk.session.end()

    run(story)


def test_a_socket_that_closes_under_a_call_is_a_lost_link() -> None:
    """The library says so before the session has heard of it."""

    async def story(talk: Talk) -> None:
        await talk.wire.close()
        with pytest.raises(OutcomeUnknown) as unknown:
            await talk.ask("1")
        assert unknown.value.outcome == "link_lost"
        talk.hear([2, "x", "Heartbeat", {}])
        await asyncio.gather(*asyncio.all_tasks() - {asyncio.current_task()})

    run(story)


def test_a_late_answer_is_told_to_who_asked_and_others_are_counted() -> None:
    """Once; what nobody asked for is kept nowhere."""

    async def story(talk: Talk) -> None:
        with pytest.raises(OutcomeUnknown):
            await talk.ask("1", 0.01)
        talk.hear([3, "1", {}])
        talk.hear([3, "1", {}])
        talk.hear([4, "nobody", "GenericError", "", {}])
        assert [json.loads(one.raw) for one in talk.late] == [[3, "1", {}]]
        assert talk.session.unsolicited == 2

    run(story)


def test_a_question_is_brief_once_it_is_hastened() -> None:
    """What it had is counted from when it was sent; a CALL that is none has its whole time."""

    async def story(talk: Talk) -> None:
        talk.session.is_reticent = True
        began_s = asyncio.get_running_loop().time()
        asking = talk.ask("1", is_question=True)
        await talk.wire.sent.get()
        talk.session.hasten()
        talk.session.hasten()
        with pytest.raises(OutcomeUnknown, match="no answer in time"):
            await asking
        assert asyncio.get_running_loop().time() - began_s < 5
        order = talk.ask("2")
        await talk.wire.sent.get()
        talk.session.hasten()
        done, _ = await asyncio.wait({order}, timeout=0.6)
        assert not done
        talk.hear([3, "2", {}])
        assert (await order).payload == {}

    run(story)


def test_a_question_that_is_hastened_before_it_is_out_is_brief_too() -> None:
    """Who waits need not say so twice."""

    async def story(talk: Talk) -> None:
        talk.session.is_reticent = True
        asking = talk.ask("1", is_question=True)
        talk.session.hasten()
        with pytest.raises(OutcomeUnknown):
            await asking
        assert talk.session.is_reticent
        asking = talk.ask("2", is_question=True)
        await asyncio.sleep(0)
        talk.hear([3, "2", {}])
        await asking
        assert not talk.session.is_reticent

    run(story)


def test_an_answer_said_twice_counts_once() -> None:
    """The first one is the answer."""

    async def story(talk: Talk) -> None:
        asking = talk.ask("1")
        await talk.wire.sent.get()
        talk.hear([3, "1", {"status": "Accepted"}])
        talk.hear([3, "1", {"status": "Rejected"}])
        assert (await asking).payload == {"status": "Accepted"}

    run(story)


def test_only_so_many_unanswered_calls_are_remembered() -> None:
    """The oldest is forgotten."""

    async def story(talk: Talk) -> None:
        for number in range(REMEMBERED + 1):
            with pytest.raises(OutcomeUnknown):
                await talk.ask(str(number), 0.0)
        talk.hear([3, "0", {}])
        talk.hear([3, "1", {}])
        assert len(talk.late) == 1
        assert talk.session.unsolicited == 1

    run(story)


def test_who_does_not_read_is_not_read() -> None:
    """Answers wait within bounds."""

    async def story(talk: Talk) -> None:
        talk.wire.taking.clear()
        for _ in range(OUTBOX):
            talk.hear([2, "x", "Heartbeat", {}])
        reading_on = asyncio.ensure_future(talk.session.read_on())
        done, _ = await asyncio.wait({reading_on}, timeout=0.05)
        assert not done
        talk.wire.taking.set()
        await reading_on

    run(story)


def test_answers_leave_in_the_order_of_the_calls() -> None:
    """And a mistake in answering one is an InternalError, no more."""

    async def story(talk: Talk) -> None:
        talk.hear([2, "a", "Heartbeat", {}])
        talk.hear([2, "b", "DataTransfer", {"vendorId": "v"}])
        talk.hear([2, "c", "Heartbeat", {}])
        answers = [await talk.wire.sent.get() for _ in range(3)]
        assert [one[:2] for one in answers] == [[3, "a"], [4, "b"], [3, "c"]]
        assert answers[1][2] == "InternalError"

    run(story)


@pytest.mark.parametrize(
    ("action", "payload", "code"),
    [
        ("StatusNotification", {"connectorId": 1}, "OccurenceConstraintViolation"),
        (
            "StatusNotification",
            {"connectorId": "x", "errorCode": "NoError", "status": "Faulted"},
            "TypeConstraintViolation",
        ),
        ("Heartbeat", [], "FormationViolation"),
        ("Authorize", None, "OccurenceConstraintViolation"),
        ([], {}, "FormationViolation"),
        ("Authorize", json.loads("[" * 40 + "]" * 40), "FormationViolation"),
        ("Fly", {}, "NotImplemented"),
        ("../v201/schemas/HeartbeatRequest", {}, "NotImplemented"),
        ("HeartbeatResponse", {}, "NotImplemented"),
        ("Reset", {"type": "Soft"}, "NotSupported"),
        ("Authorize", {"idTag": ["5"]}, "TypeConstraintViolation"),
    ],
    ids=range(11),
)
def test_a_call_that_cannot_be_served_is_told_why(
    action: object, payload: object, code: str
) -> None:
    """With the standard's own code; it is told as unreadable too."""

    async def story(talk: Talk) -> None:
        talk.hear([2, "x", action, payload])
        assert (await talk.wire.sent.get())[:3] == [4, "x", code]
        assert len(talk.unreadable) == 1
        assert not talk.calls

    run(story)


@pytest.mark.parametrize(
    "text",
    ['[2,"x","Heartbeat"]', '[2,"x","Heartbeat",null]', '\ufeff[2,"x","Heartbeat",{}]'],
    ids=range(3),
)
def test_a_call_may_have_no_payload_and_begin_with_a_mark(text: str) -> None:
    """Nothing else can be meant."""
    assert parse(text.encode()) == Call("x", "Heartbeat", {})


@pytest.mark.parametrize(
    "payload",
    [
        {"connectorId": 1, "errorCode": "NoError", "status": "Dancing", "vendorNote": {"a": 1}},
        {"connectorId": 1, "errorCode": "x" * 300, "status": "Available", "timestamp": "today"},
    ],
    ids=range(2),
)
def test_odd_words_and_further_fields_are_let_pass(payload: dict[str, Any]) -> None:
    """Who reads them keeps what they are."""
    frame = parse(json.dumps([2, "x", "StatusNotification", payload]).encode())
    assert isinstance(frame, Call)
    assert understood(frame, V16) is frame
