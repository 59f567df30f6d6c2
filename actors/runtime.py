"""What a system runs on: a pool for its actors, a timer, a loop for its links, a bus thread."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Final, Protocol, TypeVar

import attrs

from actors.actor import ActorPool
from actors.bus import BusThread
from actors.clock import Clocks
from actors.journal import BATCH
from actors.loop import LoopThread
from actors.pool import Pool
from actors.snapshots import EVERY
from actors.store import Store
from actors.supervisor import Watchdog
from actors.wakeups import Wakeups
from engine.adapters.base import Link
from engine.bus import EventBus

_EXTRA_THREADS: Final = 4
"""So many handlers may hang, or be slow at the same time, before others have to wait."""

if TYPE_CHECKING:
    from concurrent.futures import Future

T = TypeVar("T")


class Part(Protocol):
    """What works on a thread of its own: the journal, the fence, the follower."""

    def start(self) -> None:
        """Begin to work."""


def _same(one: T) -> T:
    return one


def _as_much_as_waits() -> int:
    return BATCH


@attrs.frozen
class Seams:
    """What a test puts between an engine and its store and devices; as it is, nothing.

    ``most`` is asked for each transaction how many events it takes at the most; an asset has a
    snapshot for each ``snapshot_every`` events.
    """

    store: Callable[[Store], Store] = _same
    link: Callable[[Link], Link] = _same
    most: Callable[[], int] = _as_much_as_waits
    snapshot_every: int = EVERY


@attrs.frozen
class Runtime:
    """The threads of one system; nothing here is shared between systems."""

    pool: ActorPool
    wakeups: Wakeups
    loop: LoopThread
    bus: BusThread
    watchdog: Watchdog | None = None
    seams: Seams = Seams()

    @classmethod
    def threads(cls, clocks: Clocks) -> "Runtime":
        """Return a runtime on real threads, not started."""
        pool = Pool(max_extra=_EXTRA_THREADS)
        bus = BusThread(EventBus((BaseException,)), clocks)
        return cls(pool, Wakeups(clocks), LoopThread(), bus, Watchdog(pool))

    def start(self) -> None:
        """Begin to run: the pool runs already."""
        self.wakeups.start()
        self.loop.start()
        self.bus.start()
        if self.watchdog is not None:
            self.watchdog.start()

    def begin(self, part: Part) -> None:
        """Let a part of the engine begin to work, on a thread of its own."""
        part.start()

    def result(self, future: "Future[T]", timeout_s: float | None) -> T:
        """Return what a future is given, or raise what it is given. Any thread but these.

        Raises:
            TimeoutError: that took too long.
        """
        return future.result(timeout_s)

    def stop(self, timeout_s: float) -> None:
        """End all threads, as far as the time goes."""
        self.wakeups.stop(timeout_s)
        if self.watchdog is not None:
            self.watchdog.stop(timeout_s)
        self.pool.stop(timeout_s)
        self.loop.stop(timeout_s)
        self.bus.close(timeout_s)
