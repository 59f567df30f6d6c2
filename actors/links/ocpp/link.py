"""The link of one connector: an attempt's frames as CALLs of its charge point's session."""

from collections.abc import Callable

import msgspec

from actors.links.ocpp.csms import Csms
from actors.links.ocpp.session import Reply
from engine.adapters.base import Answer, Disconnected, Frame, Observation, Payload
from engine.adapters.ocpp16 import OcppOptions, judge
from engine.errors import NotSent, OutcomeUnknown

_UNSUPPORTED = frozenset({"NotSupported", "NotImplemented"})


class OcppLink:
    """See `engine.adapters.base.Link`. The loop thread."""

    def __init__(
        self,
        csms: Csms,
        own: OcppOptions,
        report: Callable[[Observation], None],
        device_us: Callable[[], int],
    ) -> None:
        """Join the charge point; nothing listens before `open`."""
        self._csms = csms
        self._own = own
        self._report = report
        self._device_us = device_us
        self._point = csms.point(own.charge_point)
        self._questions = 0

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
        replies: list[Reply] = []
        first_id = payload.attempt_id
        if first_id is None:
            self._questions += 1
            first_id = f"ask-{self._own.connector}-{self._questions}"
        for number, frame in enumerate(payload.frames):
            own_id = first_id if number == 0 else f"{first_id}.{number}"
            try:
                reply = await self._point.call(
                    own_id,
                    (frame.action, dict(frame.body)),
                    timeout_s,
                    self._leave(payload, number),
                )
            except NotSent as error:
                if number == 0:
                    raise
                raise OutcomeUnknown(str(error), outcome="link_lost") from error
            replies.append(reply)
            verdict = _verdict(frame, reply, replies)
            if verdict is not None:
                return verdict
        return Answer(_raw(replies), values=tuple(reply.payload for reply in replies))

    def _leave(self, payload: Payload, number: int) -> Callable[[], None]:
        def may_leave() -> None:
            begin_by_us = payload.begin_by_us
            if number == 0 and begin_by_us is not None and self._device_us() > begin_by_us:
                raise NotSent("the send window had passed")

        return may_leave


def _verdict(frame: Frame, reply: Reply, replies: list[Reply]) -> Answer | None:
    """Return the attempt's answer if this frame's ends it.

    Raises:
        OutcomeUnknown: the charge point answered what nobody understands.
    """
    raw = _raw(replies)
    if reply.error is not None:
        if reply.error in _UNSUPPORTED:
            return Answer(raw, "rejected", reason="unsupported")
        return Answer(raw, "error", reason=reply.error)
    if not isinstance(reply.payload, dict):
        raise OutcomeUnknown("an answer without a payload", outcome="unknown", raw=raw)
    outcome, reason = judge(frame.action, reply.payload)
    if outcome == "accepted":
        return None
    if outcome == "unknown":
        raise OutcomeUnknown(f"answered {reason}, not understood", outcome="unknown", raw=raw)
    return Answer(raw, outcome, reason=reason)


def _raw(replies: list[Reply]) -> str:
    if len(replies) == 1:
        return replies[0].raw
    return msgspec.json.encode([reply.raw for reply in replies]).decode()
