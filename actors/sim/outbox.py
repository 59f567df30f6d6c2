"""What a charge point has to say, in order, until it has been said. Loop thread only."""

import asyncio
import collections
from collections.abc import Callable, Mapping
from typing import Any, Final

import attrs

_MOST: Final = 1_000


def _nothing(conf: Mapping[str, Any]) -> None:
    del conf


@attrs.define(eq=False)
class Notice:
    """A CALL to be made. ``keep``: it outlives the connection, as all of a transaction does [4.1].

    ``then`` is called with the answer. ``not_before_s`` is a time of the loop.
    """

    action: str
    payload: dict[str, Any]
    keep: bool = False
    then: Callable[[Mapping[str, Any]], None] = _nothing
    tries: int = 0
    not_before_s: float = 0.0

    @property
    def starts(self) -> bool:
        """Whether it says that a transaction has begun."""
        return self.action == "StartTransaction" or self.payload.get("eventType") == "Started"


class Outbox:
    """A queue whose head leaves it only when it was answered."""

    def __init__(self) -> None:
        """Begin empty."""
        self._notices: collections.deque[Notice] = collections.deque()
        self._posted = asyncio.Event()

    @property
    def waiting(self) -> tuple[Notice, ...]:
        """All that has still to be said, or answered."""
        return tuple(self._notices)

    def post(self, notice: Notice) -> None:
        """Put a notice at the end; above a thousand the oldest that may be lost is."""
        if len(self._notices) >= _MOST:
            self.done(next((each for each in self._notices if not each.keep), self._notices[0]))
        self._notices.append(notice)
        self._posted.set()

    def done(self, notice: Notice) -> None:
        """Take a notice out."""
        if notice in self._notices:
            self._notices.remove(notice)

    def drop_passing(self) -> None:
        """Take out what is of no use after the connection it was meant for."""
        self._notices = collections.deque(each for each in self._notices if each.keep)

    async def head(self) -> Notice:
        """Return the next notice to send; it stays in the queue."""
        loop = asyncio.get_running_loop()
        while True:
            self._posted.clear()
            notice = self._ready(loop.time())
            if notice is not None:
                return notice
            times = [each.not_before_s for each in self._notices if each.keep][:1]
            timer = loop.call_at(times[0], self._posted.set) if times else None
            await self._posted.wait()
            if timer is not None:
                timer.cancel()

    def _ready(self, now_s: float) -> Notice | None:
        """Return the first that may go: those to be kept wait for one another."""
        waiting = False
        for notice in self._notices:
            if not notice.keep:
                return notice
            if not waiting and notice.not_before_s <= now_s:
                return notice
            waiting = True
        return None
