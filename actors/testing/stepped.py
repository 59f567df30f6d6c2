"""An asyncio loop without a thread: it has its turns, on a clock that a test moves."""

import asyncio
import math
from collections.abc import Callable
from contextvars import Context
from typing import Any, TypeVarTuple

from actors.loop import LoopThread
from actors.testing.network import MemoryServer, MemoryTransport, Network
from actors.testing.turns import ManualTime
from engine.types import US_PER_S

Ts = TypeVarTuple("Ts")

_PATIENCE = 3
_RESOLUTION_S = 0.000_000_1


class _NoSelector:
    """There is nothing to wait for: whoever moves time knows when the next timer is due."""

    def select(self, timeout: float | None) -> list[object]:
        """Return nothing, at once."""
        del timeout
        return []

    def close(self) -> None:
        """Let it be."""


class SteppedEventLoop(asyncio.BaseEventLoop):
    """A loop whose time is a test's, and whose network is in memory."""

    def __init__(self, time: ManualTime, network: Network) -> None:
        """Begin now, which is 0 s of this loop."""
        super().__init__()
        self.network = network
        self._clock_resolution = _RESOLUTION_S
        self._selector = _NoSelector()
        self._manual = time
        self._start_us = time.device_us
        self._ready: Any
        self._scheduled: list[asyncio.TimerHandle]

    def time(self) -> float:
        """Return seconds since the loop was made."""
        return (self._manual.device_us - self._start_us) / US_PER_S

    def step(self) -> bool:
        """Run what is ready now; return False if nothing is."""
        due_us = self.due_us()
        if not self._ready and (due_us is None or due_us > self._manual.device_us):
            return False
        self.stop()
        self.run_forever()
        return True

    def call_at(
        self,
        when: float,
        callback: Callable[[*Ts], object],
        *args: *Ts,
        context: Context | None = None,
    ) -> asyncio.TimerHandle:
        """Call something at the first microsecond that is not before a time.

        Who then looks at the clock never finds that it is too early by a rounding error.
        """
        ticks = math.ceil(when * US_PER_S)
        while ticks / US_PER_S < when:
            ticks += 1
        return super().call_at(ticks / US_PER_S, callback, *args, context=context)

    def due_us(self) -> int | None:
        """Return when the next timer is due, in device time."""
        if not self._scheduled:
            return None
        return self._start_us + round(self._scheduled[0].when() * US_PER_S)

    def _process_events(self, event_list: list[object]) -> None:
        """There are none."""

    def _write_to_self(self) -> None:
        """Nobody sleeps, so nobody has to be woken."""

    async def create_connection(  # type: ignore[override]  # of many arguments two count
        self,
        protocol_factory: Callable[[], asyncio.BaseProtocol],
        host: str | None = None,
        port: int = 0,
        **_: object,
    ) -> tuple[MemoryTransport, asyncio.BaseProtocol]:
        """Connect in memory."""
        del host
        return await self.network.connect(self, protocol_factory, port)

    async def create_server(  # type: ignore[override]  # likewise
        self,
        protocol_factory: Callable[[], asyncio.BaseProtocol],
        host: str | None = None,
        port: int = 0,
        **_: object,
    ) -> MemoryServer:
        """Listen in memory."""
        return self.network.listen(self, protocol_factory, host, port)


class SteppedLoop(LoopThread):
    """The loop of an engine or of devices, in turns; it stands still only by hand."""

    def __init__(self, time: ManualTime, network: Network) -> None:
        """Begin with nothing to do."""
        self.loop = SteppedEventLoop(time, network)
        self.is_dead = False
        """Whether the process that it stands for was killed."""
        self.slept_s = 0.0
        """How long that process has been stopped, in all."""
        super().__init__(now_s=lambda: self.slept_s, loop=self.loop)

    def start(self) -> None:
        """Let it be: it runs in its turns."""

    def die(self) -> None:
        """Take no note of what becomes of the tasks: the process that they were in is gone."""
        self.is_dead = True
        self.loop.set_exception_handler(lambda _loop, _context: None)

    def stop(self, timeout_s: float = 10.0) -> bool:
        """Cancel all tasks, let them end and close the loop."""
        del timeout_s
        if not self.loop.is_closed():
            for _ in range(_PATIENCE):  # some begin to close something in an orderly manner
                for task in sorted(asyncio.all_tasks(self.loop), key=asyncio.Task.get_name):
                    task.cancel()
                while self.loop.step():
                    pass
            self.loop.close()
        return True
