"""The asyncio loop that all links share, on a thread of its own."""

import asyncio
import logging
import selectors
import threading
from collections import deque
from collections.abc import Callable, Coroutine
from concurrent.futures import Future
from typing import Any, Final, TypeVar

from actors.clock import steady_s
from engine.errors import EngineClosed

logger = logging.getLogger("setpoint")

T = TypeVar("T")

STALL_S: Final = 1.0
"""A loop that stood still for longer may have been taken over meanwhile (P6)."""


def _no_stall(_gap_s: float) -> None:
    """Take no notice."""


class _Pulse(selectors.DefaultSelector):
    """A selector that looks for a standstill before the loop handles what it selected."""

    beat: Callable[[], object]

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        """Return what is ready."""
        ready = super().select(timeout)
        self.beat()
        return ready


def _pulsing(beat: Callable[[], object]) -> asyncio.AbstractEventLoop:
    selector = _Pulse()
    selector.beat = beat
    return asyncio.SelectorEventLoop(selector)


class LoopThread:
    """Runs coroutines and calls on one asyncio loop, and knows when it stood still.

    ``on_stall`` is called with the gap in seconds, on the loop's thread, in place of whatever
    the loop would have done next: before each round of callbacks, and from `check`, which a link
    calls right before its bytes leave, as the standstill may have been within a round. A
    suspended machine or a stopped process counts like a callback that blocked.
    """

    def __init__(
        self,
        *,
        on_stall: Callable[[float], object] = _no_stall,
        stall_s: float = STALL_S,
        now_s: Callable[[], float] = steady_s,
        loop: asyncio.AbstractEventLoop | None = None,
    ) -> None:
        """Make a loop that does not run yet, or take one; ``now_s`` is read for stalls only."""
        self._loop = loop or _pulsing(self.check)
        self.on_stall = on_stall
        """Told of each standstill. Set before `start`."""
        self._stall_s = stall_s
        self._now_s = now_s
        self._beat_s = now_s()
        self._ended = False
        self._calls: deque[tuple[Callable[..., object], tuple[Any, ...]]] = deque()
        self._waking = threading.Lock()  # taken while a wake-up is on its way to the loop
        self._thread = threading.Thread(target=self._run, name="loop", daemon=True)

    def start(self) -> None:
        """Begin to run."""
        self._beat_s = self._now_s()
        self._thread.start()

    def submit(self, coroutine: Coroutine[Any, Any, T]) -> Future[T]:
        """Run a coroutine on the loop; the future has its result. Any thread but the loop's.

        Raises:
            EngineClosed: the loop has stopped.
        """
        try:
            return asyncio.run_coroutine_threadsafe(coroutine, self._loop)
        except RuntimeError as error:
            coroutine.close()
            raise EngineClosed("the loop has stopped") from error

    def call(self, function: Callable[..., object], *args: object) -> None:
        """Call a function on the loop's thread, in the order of the calls. Any thread.

        Calls that come before the loop has woken share one wake-up.

        Raises:
            EngineClosed: the loop has stopped.
        """
        self._calls.append((function, args))
        if self._waking.acquire(blocking=False):
            try:
                self._loop.call_soon_threadsafe(self._drain)
            except RuntimeError as error:
                self._waking.release()
                raise EngineClosed("the loop has stopped") from error

    def check(self) -> bool:
        """Return whether the loop ran all the time; if not, `on_stall` has been called.

        The loop's thread.
        """
        now_s = self._now_s()
        gap_s = now_s - self._beat_s
        self._beat_s = now_s
        if gap_s <= self._stall_s:
            return True
        logger.warning("the loop stood still for %.1f s", gap_s)
        try:
            self.on_stall(gap_s)
        except Exception:
            logger.exception("what follows a standstill of the loop failed")
        return False

    def stop(self, timeout_s: float = 10.0) -> bool:
        """Cancel all tasks and end the thread; return whether it ended in time. Twice is once."""
        if not self._thread.is_alive():
            self._loop.close()
            return True
        try:
            self.submit(self._wind_up(timeout_s / 2))
        except EngineClosed:
            logger.debug("the loop is stopping already")
        self._thread.join(timeout_s)
        return not self._thread.is_alive()

    def _run(self) -> None:
        """Run the loop until it is stopped. The loop's thread."""
        asyncio.set_event_loop(self._loop)
        self._keep_beating()
        try:
            while not self._ended:
                self._run_on()
            for task in asyncio.all_tasks(self._loop):  # submitted while it stopped
                task.cancel()
            self._loop.run_until_complete(asyncio.sleep(0))
        finally:
            self._loop.close()

    def _run_on(self) -> None:
        """Run the loop until it is stopped, or something on it raised what would end a thread."""
        try:
            self._loop.run_forever()
        except (SystemExit, KeyboardInterrupt):
            logger.exception("something on the loop wanted to end it")
        else:
            self._ended = True

    def _keep_beating(self) -> None:
        """Wake the loop often enough to tell idleness from a standstill. The loop's thread."""
        self._loop.call_later(self._stall_s / 4, self._keep_beating)

    def _drain(self) -> None:
        """Make the calls that came in. The loop's thread."""
        self._waking.release()
        for _ in range(len(self._calls)):
            function, args = self._calls.popleft()
            try:
                function(*args)
            except BaseException:  # a link's SystemExit must not end the loop
                logger.exception("a call on the loop failed")

    async def _wind_up(self, timeout_s: float) -> None:
        """Cancel all other tasks, give them time to end, and stop the loop."""
        others = asyncio.all_tasks() - {asyncio.current_task()}
        for task in others:
            task.cancel()
        if others:
            _, stubborn = await asyncio.wait(others, timeout=timeout_s)
            for task in stubborn:
                logger.warning("%s did not end when it was cancelled", task.get_name())
        await self._loop.shutdown_asyncgens()
        self._loop.stop()
