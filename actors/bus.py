"""The bus thread: subscribers hear of what was committed, in log order, and hold nothing up."""

import logging
import threading
from collections import deque
from collections.abc import Callable, Iterable
from typing import Final, TypeAlias

import attrs

from actors.clock import Clocks
from engine.bus import Event, EventBus, EventType, Handler, Subscription
from engine.types import from_us

logger = logging.getLogger("setpoint")

Expand: TypeAlias = Callable[[], Iterable[Event]]

CAPACITY: Final = 100_000
"""Records that may wait for slow subscribers."""


@attrs.define
class _Batch:
    """Committed records at positions ``first`` to ``last``; dropped ones have no ``expand``."""

    first: int
    last: int
    expand: Expand | None

    @property
    def size(self) -> int:
        """How much room it takes."""
        return 0 if self.expand is None else self.last - self.first + 1


class BusThread:
    """Publishes committed records on a thread of its own.

    At most ``capacity`` records wait. Beyond that records are dropped until half of the room is
    free again, and one NOTICES_DROPPED in their place names their positions.
    """

    def __init__(self, bus: EventBus, clocks: Clocks, *, capacity: int = CAPACITY) -> None:
        self._bus = bus
        self._clocks = clocks
        self._capacity = capacity
        self._changed = threading.Condition()  # its lock is over all below
        self._batches: deque[_Batch] = deque()
        self._waiting = 0
        self._dropping = False
        self._closing = False
        self._abandoned = False
        self._thread = threading.Thread(target=self._run, name="bus", daemon=True)

    def start(self) -> None:
        """Begin to publish by itself."""
        self._thread.start()

    def subscribe(self, handler: Handler, *types: str) -> Subscription:
        """Call a handler for each event of these types that is committed from now on. Any thread.

        The handler runs on the bus thread. Once `cancel` has returned, no further call begins,
        but for one that was just about to; one that had begun may still run.

        Raises:
            TypeError: the handler is nothing that can be called.
            ValueError: there is no such type.
        """
        with self._changed:
            inner = self._bus.subscribe(handler, *types)

        def end(_: Subscription) -> None:
            with self._changed:
                inner.cancel()

        return Subscription(inner.handler, inner.types, end)

    def publish(self, first: int, last: int, expand: Expand) -> None:
        """Have committed records published; never blocks. Any thread, in log order.

        Args:
            first: the position of the first record.
            last: the position of the last one.
            expand: gives what subscribers are told of them; called on the bus thread, and not
                at all if nobody is subscribed.
        """
        if not any(map(self._bus.wants, EventType)):
            return
        batch = _Batch(first, last, expand)
        with self._changed:
            full = self._waiting > 0 and self._waiting + batch.size > self._capacity
            self._dropping = full or (self._dropping and self._waiting > self._capacity // 2)
            if self._dropping:
                self._drop(batch)
            else:
                self._batches.append(batch)
                self._waiting += batch.size
            self._changed.notify()

    def wants(self, type_: EventType) -> bool:
        """Return whether anybody listens for events of a type. Any thread."""
        return self._bus.wants(type_)

    def drain(self) -> int:
        """Publish what waits in the caller's thread, in place of `start`; return how many events.

        For runs without threads.
        """
        count = 0
        while (batch := self._take()) is not None:
            count += self._tell(batch)
        return count

    def close(self, timeout_s: float = 10.0) -> bool:
        """Publish what waits as long as there is time; return whether all of it was. Twice is once.

        A handler that calls it does not wait for itself.
        """
        with self._changed:
            self._closing = True
            self._changed.notify()
        if self._thread.is_alive() and self._thread is not threading.current_thread():
            self._thread.join(timeout_s)
        with self._changed:
            self._abandoned = True
            return not self._batches and not self._thread.is_alive()

    def _drop(self, batch: _Batch) -> None:
        """Leave a gap in place of a batch. Locked."""
        if self._batches and self._batches[-1].expand is None:
            self._batches[-1].last = batch.last
        else:
            self._batches.append(_Batch(batch.first, batch.last, None))

    def _take(self) -> _Batch | None:
        """Return the oldest batch, or None. Any thread."""
        with self._changed:
            if not self._batches or self._abandoned:
                return None
            batch = self._batches.popleft()
            self._waiting -= batch.size
            return batch

    def _run(self) -> None:
        """Publish until the end. The bus thread."""
        while True:
            self.drain()
            with self._changed:
                if self._abandoned or (self._closing and not self._batches):
                    return
                if not self._batches:
                    self._changed.wait()

    def _tell(self, batch: _Batch) -> int:
        """Publish a batch; return how many events it had. The bus thread."""
        count = 0
        try:
            for event in self._gap(batch) if batch.expand is None else batch.expand():
                if self._abandoned:
                    break
                self._bus.publish(event)
                count += 1
        except BaseException:  # a subscriber's SystemExit must not end the bus
            logger.exception("positions %d to %d were not published", batch.first, batch.last)
        return count

    def _gap(self, batch: _Batch) -> tuple[Event, ...]:
        """Return the event that stands for dropped records."""
        at = from_us(self._clocks.now().plan_us)
        data = {"first": batch.first, "last": batch.last}
        return (Event(EventType.NOTICES_DROPPED, None, at, data=data),)
