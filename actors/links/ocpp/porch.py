"""Where sockets are until it is known who they are: how many, how long, how fast they get in."""

import asyncio
from collections import Counter, deque
from typing import Final, Protocol

from actors.links.ocpp.refusals import Kind, Refusals

AT_ONCE: Final = 256
"""Handshakes under way; TLS takes a third of a megabyte for each."""
ROOM: Final = 4_096
"""Sockets that have not shown who they are."""
ROOM_EACH: Final = 2_500
"""Of these from one address: a whole depot may be behind one."""
PER_S: Final = 500.0
"""Handshakes begun a second, once as many have begun at once."""
HANDSHAKE_S: Final = 10.0
HURRIED_S: Final = 5.0
"""What a handshake may take while others wait for its place."""


def room_for(open_files: int) -> int:
    """Return how many may wait of whom nobody knows who they are, so that files are left over."""
    return min(ROOM, max(1, open_files // 2))


class Visitor(Protocol):
    """A socket on the porch; ``address`` is where it is from.

    ``asked``: its request is complete, and what takes time from then on is the answer to it.
    """

    address: str
    asked: bool

    def begin(self) -> None:
        """Begin the handshake."""

    def turn_away(self) -> None:
        """Close the socket."""


class Porch:
    """Lets handshakes begin, address by address in turn, and ends those that take too long.

    What is full makes room for who comes: the socket that goes is the oldest of the address that
    has the most. So nobody can keep others out by holding on to places. The loop thread.
    """

    def __init__(self, refusals: Refusals, room: int = ROOM) -> None:
        """Begin empty, with ``room`` for so many."""
        self._refusals = refusals
        self._room = room
        self._loop = asyncio.get_running_loop()
        self._begun: dict[Visitor, float] = {}
        self._line: dict[str, deque[Visitor]] = {}
        self._waiting = 0
        self._count: Counter[str] = Counter()
        self._credit = PER_S
        self._credited_s = self._loop.time()
        self._timer: asyncio.TimerHandle | None = None

    def enter(self, visitor: Visitor) -> None:
        """Take somebody in; the handshake begins at once if it may."""
        if self._count[visitor.address] >= ROOM_EACH:
            self._turn_away(self._oldest(visitor.address), Kind.CROWD)
        elif len(self._begun) + self._waiting >= self._room:
            most = max(self._count, key=self._count.__getitem__)
            self._turn_away(self._oldest(most), Kind.CROWD)
        self._count[visitor.address] += 1
        self._line.setdefault(visitor.address, deque()).append(visitor)
        self._waiting += 1
        self._go_on()

    def leave(self, visitor: Visitor) -> None:
        """Let somebody go, in or away. Twice is once."""
        if self._forget(visitor):
            self._go_on()

    def clear(self) -> None:
        """Close whatever is here: nobody listens any more."""
        if self._timer is not None:
            self._timer.cancel()
        everybody = [*self._begun, *(one for line in self._line.values() for one in line)]
        self._begun.clear()
        self._line.clear()
        self._count.clear()
        self._waiting = 0
        for visitor in everybody:
            visitor.turn_away()

    def _forget(self, visitor: Visitor) -> bool:
        """Return whether somebody was here who is not any more."""
        address = visitor.address
        if self._begun.pop(visitor, None) is None:
            line = self._line.get(address)
            if line is None or visitor not in line:
                return False
            line.remove(visitor)
            self._waiting -= 1
            if not line:
                del self._line[address]
        self._count[address] -= 1
        if not self._count[address]:
            del self._count[address]
        return True

    def _oldest(self, address: str) -> Visitor:
        begun = next((one for one in self._begun if one.address == address), None)
        return self._line[address][0] if begun is None else begun

    def _turn_away(self, visitor: Visitor, kind: Kind) -> None:
        self._forget(visitor)
        self._refusals.note(kind, visitor.address)
        visitor.turn_away()

    # --- whose turn it is

    def _go_on(self) -> None:
        """Let begin who may, and look again when that can change by itself."""
        now_s = self._loop.time()
        self._credit = min(PER_S, self._credit + PER_S * (now_s - self._credited_s))
        self._credited_s = now_s
        while self._line and len(self._begun) < AT_ONCE and self._credit >= 1:
            self._credit -= 1
            visitor = self._next()
            self._begun[visitor] = now_s
            visitor.begin()
        if self._timer is not None:
            self._timer.cancel()
        at_s = self._look_at_s(now_s)
        self._timer = None if at_s is None else self._loop.call_at(at_s, self._look)

    def _next(self) -> Visitor:
        """Take the first of the address whose turn it is."""
        address, line = next(iter(self._line.items()))
        del self._line[address]
        visitor = line.popleft()
        self._waiting -= 1
        if line:
            self._line[address] = line
        return visitor

    def _look_at_s(self, now_s: float) -> float | None:
        """Return when a handshake has taken too long, or the next may begin; null: never."""
        if self._line and len(self._begun) < AT_ONCE:
            return now_s + (1 - self._credit) / PER_S
        return next((begun_s + self._limit_s() for begun_s in self._begun.values()), None)

    def _limit_s(self) -> float:
        return HURRIED_S if self._line and len(self._begun) >= AT_ONCE else HANDSHAKE_S

    def _look(self) -> None:
        """End what takes too long, the oldest first; who waits for an answer is given more time."""
        now_s = self._loop.time()
        late_s = now_s - self._limit_s()
        for visitor in [one for one, begun_s in self._begun.items() if begun_s <= late_s]:
            if visitor.asked:
                del self._begun[visitor]
                self._begun[visitor] = now_s
            else:
                self._turn_away(visitor, Kind.SLOW)
        self._go_on()
