"""Whose turn it is on a link: that of one of its assets, or its own, for a question."""

import asyncio
import threading
from collections import deque
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager, nullcontext
from typing import Protocol

import attrs


class Party(Protocol):
    """Who may have a turn."""

    def granted(self) -> None:
        """Hear that it is the own turn. Any thread."""

    def wanted(self) -> None:
        """Hear that somebody waits for the turn to end. Any thread."""


@attrs.frozen
class Place:
    """Where an asset's attempts go: over a slot, which it may share with other assets."""

    slot: str
    is_shared: bool


class Slots:
    """Fair turns on links, by the names of their slots: one holder, the others wait in order.

    Any thread.
    """

    def __init__(self) -> None:
        """Begin with every slot free."""
        self._lock = threading.Lock()
        self._holders: dict[str, Party] = {}
        self._waiting: dict[str, deque[Party]] = {}

    def hold(self, slot: str, party: Party) -> None:
        """Give a free slot to a party that keeps it until somebody else wants it."""
        with self._lock:
            self._holders.setdefault(slot, party)

    def request(self, slot: str, party: Party) -> None:
        """Queue for a turn; it may be there at once."""
        with self._lock:
            holder = self._holders.setdefault(slot, party)
            if holder is not party:
                waiting = self._waiting.setdefault(slot, deque())
                if party not in waiting:
                    waiting.append(party)
        if holder is party:
            party.granted()
        else:
            holder.wanted()

    def release(self, slot: str, party: Party) -> None:
        """End a turn, or the waiting for one; the next in the queue has it now."""
        with self._lock:
            waiting = self._waiting.get(slot, deque())
            if self._holders.get(slot) is not party:
                if party in waiting:
                    waiting.remove(party)
                return
            if not waiting:
                del self._holders[slot]
                return
            following = self._holders[slot] = waiting.popleft()
            is_wanted = bool(waiting)
        following.granted()
        if is_wanted:
            following.wanted()


class Turns(Protocol):
    """The turns that a link takes for questions of its own."""

    def take(self, hasten: Callable[[], None]) -> AbstractAsyncContextManager[None]:
        """Wait for a turn and have it; ``hasten`` is called when an asset waits for its end."""
        ...


class AtOnce:
    """The turns on a link that no asset's attempts go over."""

    def take(self, hasten: Callable[[], None]) -> AbstractAsyncContextManager[None]:
        """Have it at once."""
        del hasten
        return nullcontext()


class LinkTurns:
    """A link's own turns on its slot, between those of its assets. The loop thread."""

    def __init__(
        self, slots: Slots, slot: str, on_loop: Callable[[Callable[[], object]], object]
    ) -> None:
        """Take turns on a slot; ``on_loop`` calls a function on the loop's thread."""
        self._slots = slots
        self._slot = slot
        self._on_loop = on_loop

    @asynccontextmanager
    async def take(self, hasten: Callable[[], None]) -> AsyncIterator[None]:
        """Wait for a turn and have it; ``hasten`` is called when an asset waits for its end."""
        turn = _Turn(self._on_loop, hasten)
        self._slots.request(self._slot, turn)
        try:
            await turn.begun.wait()
            yield
        finally:
            turn.is_over = True
            self._slots.release(self._slot, turn)


class _Turn:
    """One turn of a link; see `Party`."""

    def __init__(
        self, on_loop: Callable[[Callable[[], object]], object], hasten: Callable[[], None]
    ) -> None:
        self.begun = asyncio.Event()
        self.is_over = False
        self._on_loop = on_loop
        self._hasten = hasten

    def granted(self) -> None:
        """Begin."""
        self._on_loop(self.begun.set)

    def wanted(self) -> None:
        """Come to an end soon."""
        self._on_loop(self._end_soon)

    def _end_soon(self) -> None:
        if not self.is_over:
            self._hasten()
