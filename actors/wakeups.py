"""Wake-ups: one timer for all actors, on either clock."""

import heapq
import logging
import threading
from collections.abc import Callable, Hashable
from typing import Final

from msgspec import Struct

from actors.clock import Clocks
from engine.types import US_PER_S

logger = logging.getLogger("setpoint")

_STALE: Final = 1_000
# A suspended machine's waits do not see the time that passed; no wait is longer than this.
_LONGEST_WAIT_S: Final = 1.0


class _Alarm(Struct, frozen=True):
    """One wake-up of one key; compared by being the same object."""

    key: Hashable
    device_us: int | None
    plan_us: int | None
    callback: Callable[[], object]


class Wakeups:
    """Calls a callback per key when its time has come on the device clock or the plan clock.

    A key has one wake-up; arming it again replaces it. Callbacks are called one after the other
    and have to be quick: they tell an actor. One that was due while its key was armed anew may
    still be called, so a woken actor looks at the time itself.

    Alarms of one instant share one entry of the heap, as those of a schedule's slot do; replaced
    ones stay in it until their time, or until there are too many of them.
    """

    def __init__(self, clocks: Clocks) -> None:
        self._clocks = clocks
        self._lock = threading.Lock()  # over all below
        self._changed = threading.Condition(self._lock)
        self._alarms: dict[Hashable, _Alarm] = {}
        self._times: list[int] = []  # a heap of the keys of _slots
        self._slots: dict[int, list[_Alarm]] = {}
        self._queued = 0
        self._stopping = False
        self._thread = threading.Thread(target=self._run, name="wakeups", daemon=True)

    def at(
        self,
        key: Hashable,
        callback: Callable[[], object],
        *,
        device_us: int | None = None,
        plan_us: int | None = None,
    ) -> None:
        """Arm a key's wake-up, in place of the one that it had; without a time it has none.

        The earlier of the two times counts. A plan time is not reached while the plan clock
        stands. Any thread.
        """
        alarm = _Alarm(key, device_us, plan_us, callback)
        with self._lock:
            if device_us is None and plan_us is None:
                self._alarms.pop(key, None)
                return
            self._alarms[key] = alarm
            if self._queue(alarm):
                self._changed.notify()
            if self._queued > 2 * len(self._alarms) + _STALE:
                self._queue_all()

    def cancel(self, key: Hashable) -> None:
        """Take away a key's wake-up. Any thread."""
        with self._lock:
            self._alarms.pop(key, None)

    def recompute(self) -> None:
        """Work out all times anew, because the plan clock began to run. Any thread."""
        with self._lock:
            self._queue_all()
            self._changed.notify()

    def next_due(self) -> int | None:
        """Return the device time of the next wake-up, in microseconds since 1970. Any thread."""
        with self._lock:
            return self._next_due()

    def fire_due(self) -> int:
        """Call what is due by now, in order of time; return how many. The timer's thread.

        A test that moves the clocks calls it itself, in place of `start`.
        """
        with self._lock:
            due = self._take_due(self._clocks.device_us())
        for alarm in due:
            try:
                alarm.callback()
            except Exception:
                logger.exception("the wake-up of %s failed", alarm.key)
        return len(due)

    def start(self) -> None:
        """Begin to fire by itself."""
        self._thread.start()

    def stop(self, timeout_s: float = 10.0) -> None:
        """Fire nothing more."""
        with self._lock:
            self._stopping = True
            self._changed.notify()
        if self._thread.is_alive():
            self._thread.join(timeout_s)

    def _run(self) -> None:
        """Fire what is due and wait for the next. The timer's thread."""
        while not self._stopping:
            self.fire_due()
            with self._lock:
                if not self._stopping:
                    self._changed.wait(self._wait_s())

    def _wait_s(self) -> float:
        """Return how long to wait. Under the lock."""
        due_us = self._next_due()
        if due_us is None:
            return _LONGEST_WAIT_S
        wait_s = (due_us - self._clocks.device_us()) / US_PER_S
        return min(max(wait_s, 0.0), _LONGEST_WAIT_S)

    def _queue(self, alarm: _Alarm) -> bool:
        """Put an alarm into the heap if its time is known; True if it is the next. Locked."""
        due_us = alarm.device_us
        if alarm.plan_us is not None:
            reached_us = self._clocks.device_of_plan(alarm.plan_us)
            if reached_us is not None:
                due_us = reached_us if due_us is None else min(due_us, reached_us)
        if due_us is None:
            return False
        self._queued += 1
        slot = self._slots.get(due_us)
        if slot is not None:
            slot.append(alarm)
            return False
        self._slots[due_us] = [alarm]
        heapq.heappush(self._times, due_us)
        return self._times[0] == due_us

    def _queue_all(self) -> None:
        """Fill the heap again with the alarms that count. Locked."""
        self._times.clear()
        self._slots.clear()
        self._queued = 0
        for alarm in self._alarms.values():
            self._queue(alarm)

    def _next_due(self) -> int | None:
        """Return the earliest time, passing over slots of replaced alarms. Locked."""
        while self._times:
            due_us = self._times[0]
            slot = self._slots[due_us]
            if any(self._alarms.get(alarm.key) is alarm for alarm in slot):
                return due_us
            self._drop_slot()
        return None

    def _take_due(self, now_us: int) -> list[_Alarm]:
        """Return the alarms that are due and forget them. Locked."""
        due: list[_Alarm] = []
        alarms = self._alarms
        while self._times and self._times[0] <= now_us:
            live = [alarm for alarm in self._drop_slot() if alarms.get(alarm.key) is alarm]
            for alarm in live:
                del alarms[alarm.key]
            due += live
        return due

    def _drop_slot(self) -> list[_Alarm]:
        """Take the earliest slot out of the heap. Locked."""
        slot = self._slots.pop(heapq.heappop(self._times))
        self._queued -= len(slot)
        return slot
