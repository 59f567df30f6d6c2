"""A payload on its way to a Modbus device, frame by frame."""

import asyncio

from actors.links.exchange import Reply, outcome_of, reason_of
from engine.adapters.base import Answer, Frame, Payload
from engine.adapters.device import READ_HOLDING, words_of
from engine.errors import LinkError, OutcomeUnknown


class Sending:
    """One payload on its way: what was written, and what came back.

    ``shows_after_s``: the device may take so long to show what was written.
    """

    def __init__(self, payload: Payload, shows_after_s: float = 0.0) -> None:
        """Begin with nothing sent."""
        self.payload = payload
        self._shows_after_s = shows_after_s
        self.begun = False
        self.written = 0
        self.raw: list[str] = []
        self.values: list[object] = []
        self._controls = any(frame.control for frame in payload.frames)

    def pause_s(self, frame: Frame, left_s: float) -> float:
        """Return how long to wait before a frame: the first that reads back what was written.

        It waits half of the time that is left at the most.
        """
        if not self._shows_after_s or not self.written or frame.control:
            return 0.0
        pause_s, self._shows_after_s = min(self._shows_after_s, left_s / 2), 0.0
        return pause_s

    def take(self, frame: Frame, reply: Reply) -> Answer | None:
        """Keep a reply; return the answer if it ends the payload, as a refused write does."""
        self.begun = self.begun or frame.control
        self.raw.append(reply.raw)
        self.values.append(value_of(frame, reply))
        if reply.exception is None:
            self.written += frame.control
            return None
        if self._controls and not frame.control:
            return None
        outcome, reason = outcome_of(reply.exception), reason_of(reply.exception, frame)
        if self.written:
            reason += f", after {self.written} of its writes were accepted"
        return Answer(" ".join(self.raw), outcome, tuple(self.values), reason)

    def unknown(self, error: LinkError, outcome: str, raw: str | None) -> OutcomeUnknown:
        """Return the error of a payload that broke off, with all that was received."""
        received = " ".join((*self.raw, raw) if raw else self.raw)
        return OutcomeUnknown(str(error), outcome=outcome, raw=received or None)


def value_of(frame: Frame, reply: Reply) -> dict[str, object]:
    """Return the parsed body of one frame: the words of a read; empty where there are none."""
    if not reply.words:
        return {}
    body = frame.body
    return {"space": body["space"], "address": body["address"], "words": list(reply.words)}


def look_first(frame: Frame) -> Frame | None:
    """Return the read that goes before a write to flash, null for every other frame."""
    if "reads" not in frame.body:
        return None
    body = {key: frame.body[key] for key in ("unit", "space", "address", "role")}
    return Frame(
        "read", {**body, "count": len(words_of(frame)), "function": READ_HOLDING}, control=False
    )


def holds_already(frame: Frame, reply: Reply) -> bool:
    """Return whether a register that was read has the words that a frame would write."""
    return list(reply.words) == frame.body["reads"]


class HeldLock:
    """A lock that is held, and may be lent to others meanwhile.

    Whoever is interrupted while it is lent gives back nothing that is another's by then.
    """

    def __init__(self, lock: asyncio.Lock) -> None:
        """Begin without it."""
        self._lock = lock
        self._is_held = False

    async def acquire(self) -> None:
        """Wait for it, and hold it."""
        await self._lock.acquire()
        self._is_held = True

    def release(self) -> None:
        """Give it back, if it is held."""
        if self._is_held:
            self._is_held = False
            self._lock.release()

    async def lend(self, seconds: float) -> None:
        """Let others have it for so long."""
        if seconds > 0:
            self.release()
            await asyncio.sleep(seconds)
            await self.acquire()
