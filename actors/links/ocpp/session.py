"""One charge point's socket: one CALL of ours at a time, and its own CALLs answered."""

import asyncio
import logging
from collections.abc import Callable, Mapping
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
    fault,
    parse,
    result_text,
)
from engine.adapters.base import LateAnswer, Observation, Unreadable
from engine.errors import NotSent, OutcomeUnknown

logger = logging.getLogger("setpoint")

REMEMBERED: Final = 64
"""Ids of CALLs without an answer that a late one is still recognised by."""
RAW: Final = 2_000


class Socket(Protocol):
    """What a session needs of a websocket."""

    async def send(self, message: str) -> None:
        """Send one text frame."""

    async def close(self, code: int = 1000, reason: str = "") -> None:
        """Close it."""


@attrs.frozen
class Reply:
    """What came back for one CALL; ``error`` is a CALLERROR's code."""

    raw: str
    payload: Any = None
    error: str | None = None


@attrs.frozen
class Handlers:
    """Who answers the charge point's CALLs, and hears what is said beside them."""

    call: Callable[["Session", Call], None]
    observe: Callable[[Observation], None]


class Session:
    """The conversation on one socket; ``generation`` tells it from the charge point's others."""

    def __init__(self, socket: Socket, generation: int, handlers: Handlers) -> None:
        """Begin a conversation."""
        self.socket = socket
        self.generation = generation
        self.closed = asyncio.Event()
        self._handlers = handlers
        self._turn = asyncio.Lock()
        self._pending: tuple[str, asyncio.Future[Reply]] | None = None
        self._unanswered: dict[str, str] = {}

    async def call(
        self,
        own_id: str,
        request: tuple[str, dict[str, object]],
        timeout_s: float,
        may_leave: Callable[[], None],
    ) -> Reply:
        """Send a CALL when no other is out, and return what comes back.

        ``may_leave`` is asked right before the first byte and raises NotSent.

        Raises:
            NotSent: the socket has closed, or the time for it has passed.
            OutcomeUnknown: no answer in time, or the socket closed while it was awaited.
        """
        async with self._turn:
            if self.closed.is_set():
                raise NotSent("the charge point is not connected")
            may_leave()
            reply: asyncio.Future[Reply] = asyncio.get_running_loop().create_future()
            self._pending = (own_id, reply)
            try:
                await self._send_call(own_id, request)
                async with asyncio.timeout(timeout_s):
                    return await reply
            except TimeoutError:
                self._remember(own_id)
                raise OutcomeUnknown("no answer in time", outcome="timed_out") from None
            finally:
                self._pending = None

    async def _send_call(self, own_id: str, request: tuple[str, dict[str, object]]) -> None:
        try:
            await self.socket.send(call_text(own_id, *request))
        except ConnectionClosed:
            raise OutcomeUnknown("the socket closed", outcome="link_lost") from None

    def _remember(self, own_id: str) -> None:
        self._unanswered[own_id] = own_id.partition(".")[0]
        while len(self._unanswered) > REMEMBERED:
            del self._unanswered[next(iter(self._unanswered))]

    def heard(self, text: str | bytes) -> None:
        """Take one frame. The loop thread."""
        frame = parse(text)
        raw = text if isinstance(text, str) else text.decode(errors="replace")
        match frame:
            case Call():
                self._called(frame)
            case Result():
                self._answered(frame.id, Reply(raw, frame.payload))
            case Error():
                self._answered(frame.id, Reply(raw, error=frame.code))
            case Garbage():
                self._handlers.observe(Unreadable(raw[:RAW]))
                if frame.id is not None and frame.reason.startswith("no action"):
                    self.answer_error(frame.id, "FormationViolation", frame.reason)

    def _called(self, call: Call) -> None:
        found = fault(call)
        if found is not None:
            self._handlers.observe(Unreadable(f"{call.action[:50]}: {found[1]}"))
            self.answer_error(call.id, *found)
            return
        try:
            self._handlers.call(self, call)
        except Exception:
            logger.exception("a %s could not be handled", call.action)
            self.answer_error(call.id, "InternalError", "")

    def _answered(self, own_id: str, reply: Reply) -> None:
        if self._pending is not None and self._pending[0] == own_id:
            future = self._pending[1]
            if not future.done():
                future.set_result(reply)
            return
        attempt = self._unanswered.pop(own_id, None)
        if attempt is not None:
            self._handlers.observe(LateAnswer(attempt, reply.raw[:RAW]))

    def answer(self, call_id: str, payload: Mapping[str, object]) -> None:
        """Answer a CALL. The loop thread."""
        self._post(result_text(call_id, dict(payload)))

    def answer_error(self, call_id: str, code: str, description: str) -> None:
        """Answer a CALL with a CALLERROR. The loop thread."""
        self._post(error_text(call_id, code, description))

    def _post(self, text: str) -> None:
        """Send without waiting; frames leave in the order of the calls."""
        task = asyncio.ensure_future(self._post_now(text))
        task.add_done_callback(_looked_at)

    async def _post_now(self, text: str) -> None:
        try:
            await self.socket.send(text)
        except ConnectionClosed:
            logger.debug("the socket closed before an answer was out")

    def end(self) -> None:
        """The socket is closed: whoever waits for an answer has none. The loop thread."""
        self.closed.set()
        if self._pending is not None and not self._pending[1].done():
            lost = OutcomeUnknown("the socket closed", outcome="link_lost")
            self._pending[1].set_exception(lost)


def _looked_at(task: "asyncio.Future[None]") -> None:
    if not task.cancelled() and task.exception() is not None:
        logger.error("an answer was not sent", exc_info=task.exception())
