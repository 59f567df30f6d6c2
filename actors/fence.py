"""The fence: whether the store is still this engine's, asked before anything goes to a device.

The newest seal of the log says whose it is. It is read before each round of keep-alives, and after
the loop stood still: meanwhile another engine may have taken the store over.
"""

import asyncio
import logging
import queue
import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import Final

from actors.clock import steady_s, wall_now
from actors.store import Store, VersionConflict
from engine.codec import Codec, Header
from engine.errors import SetpointError
from engine.seals import STREAM, LogSealed, digest_of
from engine.types import to_us

logger = logging.getLogger("setpoint")

AFTER_TAKE_OVER_S: Final = 2.0
"""How long an engine that took over from a live one sends nothing (specification P6)."""
_ANSWER_S: Final = 1.0  # a round of keep-alives does not wait longer for the store
_AGAIN_S: Final = 0.2


def claim(store: Store, codec: Codec, instance: str) -> None:
    """Fence whoever writes to a store, by a seal of nothing behind the log's end.

    From then on only this engine can read a log that nobody else goes on with.

    Raises:
        StoreUnavailable: it could not be written.
    """
    while (newest := store.last_row(STREAM)) is not None:
        record = codec.decode(newest)
        last = record.event
        seal = LogSealed(
            last.n + 1,
            0,
            last.first + last.count + 1,
            digest_of(()),
            digest_of((newest,)),
            last.epoch + 1,
            instance,
        )
        version = newest.version + 1
        wall_us = to_us(wall_now())
        header = Header(seal.epoch, STREAM, version, record.header.at_us, wall_us)
        try:
            store.append([codec.encode(header, seal)])
        except VersionConflict:
            logger.info("the engine before is still writing")
        else:
            return


class Fence:
    """Reads the log's head on a thread of its own, and tells whether devices may be sent to."""

    def __init__(
        self, store: Store, codec: Codec, own: tuple[int, str], taken: Callable[[str], object]
    ) -> None:
        """Begin; ``own`` are epoch and instance, ``taken`` is told once who took the store over."""
        self._store = store
        self._codec = codec
        self._epoch, self._instance = own
        self._taken = taken
        self.reason: str | None = None
        """Who took the store over, null while nobody has."""
        self._unsure = False
        self._not_before_s = 0.0
        self._asked: queue.SimpleQueue[Future[bool] | None] = queue.SimpleQueue()
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._run, name="fence", daemon=True)

    def start(self) -> None:
        """Begin to read."""
        self._thread.start()

    def step(self) -> bool:
        """Answer what was asked in the caller's thread, in place of `start`; False if nothing was.

        For runs without threads.
        """
        if self._asked.empty():
            return False
        self._answer()
        return True

    def due_us(self) -> None:
        """Return when there is something to do by itself: never."""

    def hold_back(self) -> None:
        """Send nothing for a while: the engine before may still be sending."""
        self._not_before_s = steady_s() + AFTER_TAKE_OVER_S

    def wait(self) -> None:
        """Wait until that while is over: what is decided before can only be recorded NOT_SENT."""
        self._closing.wait(max(0.0, self._not_before_s - steady_s()))

    def stop(self, timeout_s: float) -> None:
        """Read no more."""
        self._closing.set()
        self._asked.put(None)
        if self._thread.is_alive():
            self._thread.join(timeout_s)

    def may_send(self) -> bool:
        """Return whether a control frame may leave now. Any thread; never blocks."""
        return self.reason is None and not self._unsure and steady_s() >= self._not_before_s

    async def may_keep(self) -> bool:
        """Return whether a round of keep-alives may go out; reads the log's head. The loop thread.

        A store that gives no answer lets it, but not after a standstill.
        """
        if not self.may_send():
            return False
        answer: Future[bool] = Future()
        self._asked.put(answer)
        try:
            await asyncio.wait_for(asyncio.wrap_future(answer), _ANSWER_S)
        except TimeoutError:
            logger.debug("the store gave no answer to a round of keep-alives")
        return self.may_send()

    def stood_still(self, gap_s: float) -> None:
        """Send nothing until the log's head has been read. The loop thread."""
        self._unsure = True
        logger.warning("nothing is sent until it is known whose the store is (%.1f s)", gap_s)
        self._asked.put(Future())

    def look(self) -> None:
        """Have the log's head read soon: an engine without work would not notice otherwise."""
        self._asked.put(Future())

    def fenced(self, reason: str) -> None:
        """Take note that another engine has the store. Any thread."""
        self.reason = reason

    def _run(self) -> None:
        """Read the head as often as it is asked for."""
        while not self._closing.is_set():
            self._answer()

    def _answer(self) -> None:
        """Wait for a question and read the head; several questions have one answer."""
        asked = [self._asked.get()]
        while not self._asked.empty():
            asked.append(self._asked.get())
        self._look()
        for one in asked:
            if one is not None and not one.cancelled():
                one.set_result(self.may_send())

    def _look(self) -> None:
        """Read the head; while it is not known whose the store is, until it can be read."""
        while not self._closing.is_set() and self.reason is None:
            try:
                self._read()
            except SetpointError as error:
                logger.debug("the log's head could not be read: %s", error)
                if not self._unsure:
                    return
                self._closing.wait(_AGAIN_S)
            else:
                self._unsure = False
                return

    def _read(self) -> None:
        newest = self._store.last_row(STREAM)
        seal = None if newest is None else self._codec.decode(newest).event
        if seal is None or (seal.epoch, seal.instance) == (self._epoch, self._instance):
            return
        if seal.epoch >= self._epoch:
            self._taken(f"engine {seal.instance}, epoch {seal.epoch}")
