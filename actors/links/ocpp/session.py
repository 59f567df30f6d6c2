"""One charge point's socket: one CALL of ours at a time, and its own CALLs answered."""

import asyncio
import logging
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, Final, Protocol

import attrs
from websockets.exceptions import ConnectionClosed

from actors.links.ocpp.framing import (
    Call,
    Error,
    Garbage,
    Result,
    call_text,
    error_text,
    parse,
    result_text,
)
from actors.links.ocpp.tolerance import Fault, understood
from actors.links.ocpp.versions import V16, Version
from actors.links.turns import AtOnce, Turns
from engine.errors import NotSent, OutcomeUnknown

logger = logging.getLogger("setpoint")

REMEMBERED: Final = 64
"""CALLs without an answer that a late one is still recognised by."""
OUTBOX: Final = 64
"""Answers that may wait for a charge point that does not read; then it is not read either."""
BRIEF_S: Final = 2.0
"""A question behind which an attempt waits has so long for its answer, from when it was sent."""
RETICENT_S: Final = 0.5
"""So long if the question before has no answer."""
RAW: Final = 2_000


class Socket(Protocol):
    """What a session needs of a websocket."""

    async def send(self, message: str) -> None:
        """Send one text frame."""

    async def close(self, code: int = 1000, reason: str = "") -> None:
        """Close it."""


def _nothing(*_: object) -> None:
    """Neither object to a CALL nor hear of its late answer."""


@attrs.frozen
class Reply:
    """What came back for one CALL, in which version; ``error`` is a CALLERROR's code."""

    raw: str
    payload: Any = None
    error: str | None = None
    version: Version = V16


@attrs.frozen
class Request:
    """A CALL of ours.

    It waits ``wait_s`` for its turn at most (null: as long as it takes), and ``timeout_s`` for its
    answer; a question only briefly once an attempt waits behind it. ``may_leave`` is asked right
    before the first byte and raises NotSent; ``late`` hears an answer that comes after the
    time-out.
    """

    id: str
    action: str
    body: dict[str, object]
    timeout_s: float
    wait_s: float | None = None
    may_leave: Callable[[], None] = _nothing
    late: Callable[[Reply], None] = _nothing
    is_question: bool = False


@attrs.frozen
class Handlers:
    """Who answers the charge point's CALLs, and hears what cannot be understood."""

    call: Callable[["Session", Call], None]
    unreadable: Callable[[str], None]


class Session:
    """The conversation on one socket, in one version of OCPP.

    ``generation`` tells it from the charge point's others. ``is_reticent``: the last question has
    no answer. ``unsolicited`` counts answers to nothing that was asked. The loop thread.
    """

    def __init__(
        self,
        socket: Socket,
        version: Version,
        generation: int,
        handlers: Handlers,
        turns: Turns = AtOnce(),  # noqa: B008 - it has no state
    ) -> None:
        """Begin a conversation; ``turns`` says when there may be a question in between."""
        self.socket = socket
        self.version = version
        self.generation = generation
        self.closed = False
        self.is_reticent = False
        self.unsolicited = 0
        self._handlers = handlers
        self._turn = asyncio.Lock()
        self._waiting = 0
        self._turns = turns
        self._be_brief: Callable[[], None] = _nothing
        self._is_hurried = False
        self._pending: tuple[str, asyncio.Future[Reply | None]] | None = None
        self._unanswered: dict[str, Callable[[Reply], None]] = {}
        self._outbox: set[asyncio.Task[None]] = set()

    # --- our CALLs

    async def ask(self, request: Request) -> Reply:
        """Send a CALL between the attempts; see `call`."""
        async with self._turns.take(self.hasten):
            return await self.call(request)

    def hasten(self) -> None:
        """Give the question that is out, or about to go out, a brief time for its answer."""
        self._is_hurried = True
        be_brief, self._be_brief = self._be_brief, _nothing
        be_brief()

    async def call(self, request: Request) -> Reply:
        """Send a CALL when no other is out, and return what comes back.

        Raises:
            NotSent: the socket has closed, or the time for it has passed.
            OutcomeUnknown: no answer in time, or the socket closed while it was awaited.
        """
        await self._take_turn(request.wait_s)
        try:
            return await self._exchange(request)
        finally:
            self._turn.release()

    async def _take_turn(self, wait_s: float | None) -> None:
        if not self._waiting and not self._turn.locked():
            await self._turn.acquire()  # at once: no timer is needed
            return
        self._waiting += 1
        try:
            async with asyncio.timeout(wait_s):
                await self._turn.acquire()
        except TimeoutError:
            raise NotSent("another CALL was still out") from None
        finally:
            self._waiting -= 1

    async def _exchange(self, request: Request) -> Reply:
        if self.closed:
            raise NotSent("the charge point is not connected")
        request.may_leave()
        answered: asyncio.Future[Reply | None] = asyncio.get_running_loop().create_future()
        self._pending = (request.id, answered)
        try:
            async with asyncio.timeout(request.timeout_s) as allowed:
                if request.is_question:
                    self._begin_question(allowed, request.timeout_s)
                await self.socket.send(call_text(request.id, request.action, request.body))
                reply = await answered
        except TimeoutError:
            self._remember(request)
            raise OutcomeUnknown("no answer in time", outcome="timed_out") from None
        except ConnectionClosed:
            reply = None
        finally:
            self._pending = None
            self._be_brief = _nothing
            self._is_hurried = False
        if reply is None:
            raise OutcomeUnknown("the socket closed", outcome="link_lost")
        if request.is_question:
            self.is_reticent = False
        return reply

    def _begin_question(self, allowed: asyncio.Timeout, timeout_s: float) -> None:
        """It is unanswered until its answer is there, also if the socket closes before."""
        brief_s = RETICENT_S if self.is_reticent else BRIEF_S
        self._be_brief = partial(_shorten, allowed, max(0.0, timeout_s - brief_s))
        self.is_reticent = True
        if self._is_hurried:
            self.hasten()

    def _remember(self, request: Request) -> None:
        self._unanswered[request.id] = request.late
        while len(self._unanswered) > REMEMBERED:
            del self._unanswered[next(iter(self._unanswered))]

    # --- what comes in

    def heard(self, data: bytes) -> None:
        """Take one frame; nothing in it ends the session."""
        frame = parse(data)
        match frame:
            case Call():
                self._called(frame)
            case Result():
                self._answered(frame.id, Reply(_text(data), frame.payload, None, self.version))
            case Error():
                self._answered(frame.id, Reply(_text(data), None, frame.code, self.version))
            case Garbage():
                self._handlers.unreadable(_text(data[:RAW]))
                if frame.id is not None:
                    self.answer_error(frame.id, self.version.malformed, frame.reason)

    def _called(self, call: Call) -> None:
        read = understood(call, self.version)
        if isinstance(read, Fault):
            self._handlers.unreadable(f"{call.action[:50]}: {read.text}")
            self.answer_error(call.id, read.code, read.text)
            return
        try:
            self._handlers.call(self, read)
        except Exception:
            logger.exception("a %s could not be handled", call.action)
            self.answer_error(call.id, "InternalError", "")

    def _answered(self, own_id: str, reply: Reply) -> None:
        if self._pending is not None and self._pending[0] == own_id:
            if not self._pending[1].done():
                self._pending[1].set_result(reply)
            return
        late = self._unanswered.pop(own_id, None)
        if late is None:
            self.unsolicited += 1
        else:
            late(reply)

    # --- our answers

    def answer(self, call_id: str, payload: Mapping[str, object]) -> None:
        """Answer a CALL."""
        self._post(result_text(call_id, dict(payload)))

    def answer_error(self, call_id: str, code: str, description: str) -> None:
        """Answer a CALL with a CALLERROR."""
        self._post(error_text(call_id, code, description))

    def _post(self, text: str) -> None:
        """Send without waiting; frames leave in the order of the calls."""
        task = asyncio.ensure_future(self._post_now(text))
        self._outbox.add(task)
        task.add_done_callback(self._outbox.discard)

    async def _post_now(self, text: str) -> None:
        try:
            await self.socket.send(text)
        except ConnectionClosed:
            logger.debug("the socket closed before an answer was out")

    async def read_on(self) -> None:
        """Wait while too many answers wait for the charge point to read them."""
        while len(self._outbox) >= OUTBOX:
            await asyncio.wait(self._outbox, return_when=asyncio.FIRST_COMPLETED)

    def end(self) -> None:
        """The socket is closed: whoever waits for an answer has none."""
        self.closed = True
        if self._pending is not None and not self._pending[1].done():
            self._pending[1].set_result(None)


def _shorten(allowed: asyncio.Timeout, less_s: float) -> None:
    """Let a time-out end by so much sooner, once; at once if that is past."""
    at_s = allowed.when()
    if at_s is not None and not allowed.expired():
        allowed.reschedule(at_s - less_s)


def _text(data: bytes) -> str:
    return data.decode(errors="replace")
