"""The link of one connector: an attempt's frames as CALLs of its charge point's session."""

from collections.abc import Callable

import msgspec

from actors.links.ocpp.csms import Csms
from actors.links.ocpp.session import RAW, Reply, Request
from actors.links.turns import Turns
from engine.adapters.base import (
    Answer,
    Disconnected,
    Frame,
    LateAnswer,
    Observation,
    Outcome,
    Payload,
)
from engine.adapters.ocpp_options import OcppOptions
from engine.errors import NotSent, OutcomeUnknown
from engine.types import US_PER_S

_UNSUPPORTED = frozenset({"NotSupported", "NotImplemented"})
_ILL_FORMED = frozenset(
    {
        "FormationViolation",
        "FormatViolation",
        "OccurenceConstraintViolation",
        "OccurrenceConstraintViolation",
        "PropertyConstraintViolation",
        "TypeConstraintViolation",
    }
)
"""CALLERRORs of a charge point that will not have a CALL in this form (OCPP-J 1.6, 4.2.3)."""


class OcppLink:
    """See `engine.adapters.base.Link`. The loop thread."""

    def __init__(
        self,
        csms: Csms,
        own: OcppOptions,
        report: Callable[[Observation], None],
        device_us: Callable[[], int],
    ) -> None:
        """Know the charge point; nothing listens before `open`."""
        self._csms = csms
        self._own = own
        self._report = report
        self._device_us = device_us
        self._point = csms.point(own.charge_point)
        self._questions = 0

    def take_turns(self, turns: Turns) -> None:
        """Hear when the charge point may be asked something between the attempts."""
        self._point.turns = turns

    def hasten(self) -> None:
        """Wait only briefly for the answer to a question: an attempt waits behind it."""
        self._point.hasten()

    async def open(self) -> None:
        """Begin to listen, with the first link of all."""
        self._point.join(self._own.connector, self._report)
        await self._csms.open()

    async def close(self) -> None:
        """Let the charge point go, with the last link of all."""
        self._point.leave(self._own.connector)
        await self._csms.close()
        self._report(Disconnected("closed"))

    async def send(self, payload: Payload, timeout_s: float) -> Answer:
        """Send the frames one after the other; the first that is not accepted is the last.

        Raises:
            NotSent: no byte left.
            OutcomeUnknown: a frame went out and no readable answer came.
        """
        first_id = payload.attempt_id or self._question_id()
        replies: list[Reply] = []
        for number, frame in enumerate(payload.frames):
            own_id = f"{first_id}.{number}" if number else first_id
            begin_by_us = None if number else payload.begin_by_us
            request = self._request(own_id, frame, timeout_s, begin_by_us)
            reply = await self._reply(request, replies)
            replies.append(reply)
            verdict = _verdict(frame, reply, replies)
            if verdict is not None:
                return verdict
        return _answer(replies)

    def _question_id(self) -> str:
        self._questions += 1
        return f"question-{self._own.connector}-{self._questions}"

    def _request(
        self, own_id: str, frame: Frame, timeout_s: float, begin_by_us: int | None
    ) -> Request:
        """Return a frame's CALL; it leaves by ``begin_by_us`` or not at all, null for no bound."""

        def late(reply: Reply) -> None:
            self._report(LateAnswer(own_id.partition(".")[0], reply.raw[:RAW]))

        if begin_by_us is None:
            asks = not frame.control
            settings = (own_id, frame.action, frame.body, timeout_s, timeout_s)
            return Request(*settings, late=late, is_question=asks)

        def may_leave() -> None:
            if self._device_us() > begin_by_us:
                raise NotSent("the send window had passed")

        wait_s = max(0.0, (begin_by_us - self._device_us()) / US_PER_S)
        return Request(own_id, frame.action, frame.body, timeout_s, wait_s, may_leave, late)

    async def _reply(self, request: Request, before: list[Reply]) -> Reply:
        try:
            return await self._point.call(request)
        except NotSent as error:
            if not before:
                raise
            raise OutcomeUnknown(str(error), outcome="link_lost", raw=_raw(before)) from error
        except OutcomeUnknown as error:
            error.raw = _raw(before) if before else None
            raise


def _verdict(frame: Frame, reply: Reply, replies: list[Reply]) -> Answer | None:
    """Return the attempt's answer if this frame's ends it.

    Raises:
        OutcomeUnknown: the charge point answered what nobody understands.
    """
    if reply.error is not None:
        if reply.error in _UNSUPPORTED:
            return _answer(replies, "rejected", "unsupported")
        return _answer(replies, "rejected" if reply.error in _ILL_FORMED else "error", reply.error)
    if not isinstance(reply.payload, dict):
        raise OutcomeUnknown("an answer without a payload", outcome="unknown", raw=_raw(replies))
    outcome, reason = reply.version.judge(frame.action, reply.payload)
    if outcome == "accepted":
        return None
    if outcome == "unknown":
        said = f"answered {reason}, not understood"
        raise OutcomeUnknown(said, outcome="unknown", raw=_raw(replies))
    return _answer(replies, outcome, reason)


def _answer(
    replies: list[Reply], outcome: Outcome = "accepted", reason: str | None = None
) -> Answer:
    return Answer(_raw(replies), outcome, tuple(reply.payload for reply in replies), reason)


def _raw(replies: list[Reply]) -> str:
    if len(replies) == 1:
        return replies[0].raw
    return msgspec.json.encode([reply.raw for reply in replies]).decode()
