"""What a system runs on: a pool for its actors, a timer, a loop for its links, a bus thread."""

from typing import Final

import attrs

from actors.actor import ActorPool
from actors.bus import BusThread
from actors.clock import Clocks
from actors.loop import LoopThread
from actors.pool import Pool
from actors.supervisor import Watchdog
from actors.wakeups import Wakeups
from engine.bus import EventBus

_EXTRA_THREADS: Final = 4
"""So many handlers may hang, or be slow at the same time, before others have to wait."""


@attrs.frozen
class Runtime:
    """The threads of one system; nothing here is shared between systems."""

    pool: ActorPool
    wakeups: Wakeups
    loop: LoopThread
    bus: BusThread
    watchdog: Watchdog | None = None

    @classmethod
    def threads(cls, clocks: Clocks, *, pool_threads: int = 1) -> "Runtime":
        """Return a runtime on real threads, not started."""
        pool = Pool(pool_threads, max_extra=_EXTRA_THREADS)
        bus = BusThread(EventBus((BaseException,)), clocks)
        return cls(pool, Wakeups(clocks), LoopThread(), bus, Watchdog(pool))

    def start(self) -> None:
        """Begin to run: the pool runs already."""
        self.wakeups.start()
        self.loop.start()
        self.bus.start()
        if self.watchdog is not None:
            self.watchdog.start()

    def stop(self, timeout_s: float) -> None:
        """End all threads, as far as the time goes."""
        self.wakeups.stop(timeout_s)
        if self.watchdog is not None:
            self.watchdog.stop(timeout_s)
        self.pool.stop(timeout_s)
        self.loop.stop(timeout_s)
        self.bus.close(timeout_s)
