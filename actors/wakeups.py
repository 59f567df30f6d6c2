"""Wake-ups: one timer for all actors, on either clock."""

import heapq
import logging
import threading
from collections.abc import Callable, Hashable
from typing import Final

from msgspec import Struct
from msgspec.structs import replace

from actors.clock import Clocks
from engine.types import US_PER_S

logger = logging.getLogger("setpoint")

_STALE: Final = 1_000
# A suspended machine's waits do not see the time that passed; no wait is longer than this.
_LONGEST_WAIT_S: Final = 1.0


# Seen by the collector: the callback's actor leads back to here.
class _Alarm(Struct, frozen=True):
    """A key's wake-up: its times as they were armed, and the device time of the earlier one."""

    device_us: int | None
    plan_us: int | None
    due_us: int | None
    callback: Callable[[], object]


class Wakeups:
    """Calls a callback per key when its time has come on the device clock or the plan clock.

    A key has one wake-up; arming it again replaces it. Callbacks are called one after the other
    and have to be quick: they tell an actor. One that was due while its key was armed anew may
    still be called, so a woken actor looks at the time itself.

    Keys that are due at one instant share one entry of the heap, as those of a schedule's slot
    do. A key that is put off stays where it is queued and moves on when that time has come: most
    time-outs are put off before they are over. One that is brought forward is queued once more;
    what is left behind goes at its time, or when there is too much of it.
    """

    def __init__(self, clocks: Clocks) -> None:
        self._clocks = clocks
        self._lock = threading.Lock()  # over all below
        self._changed = threading.Condition(self._lock)
        self._alarms: dict[Hashable, _Alarm] = {}
        self._queued_us: dict[Hashable, int] = {}  # no later than the key's alarm
        self._times: list[int] = []  # a heap of the keys of _slots
        self._slots: dict[int, list[Hashable]] = {}
        self._entries = 0  # of all slots; a key that was brought forward has more than one
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
        if device_us is None and plan_us is None:
            self.cancel(key)
            return
        with self._lock:
            due_us = self._due_us(device_us, plan_us)
            self._alarms[key] = _Alarm(device_us, plan_us, due_us, callback)
            if due_us is not None and self._queue(key, due_us):
                self._changed.notify()
            if self._entries > 2 * len(self._alarms) + _STALE:
                self._queue_all()

    def cancel(self, key: Hashable) -> None:
        """Take away a key's wake-up. Any thread."""
        with self._lock:
            self._alarms.pop(key, None)

    def recompute(self) -> None:
        """Work out all times anew, because the plan clock began to run. Any thread."""
        with self._lock:
            for key, alarm in self._alarms.items():
                due_us = self._due_us(alarm.device_us, alarm.plan_us)
                self._alarms[key] = replace(alarm, due_us=due_us)
            self._queue_all()
            self._changed.notify()

    def next_due(self) -> int | None:
        """Return the device time of the next wake-up, in microseconds since 1970. Any thread."""
        with self._lock:
            while self._times:
                due_us = self._times[0]
                keys = self._open_slot()
                for key in keys:
                    self._queue(key, due_us)
                if keys:
                    return due_us
            return None

    def fire_due(self) -> int:
        """Call what is due by now, in order of time; return how many. The timer's thread.

        A test that moves the clocks calls it itself, in place of `start`.
        """
        with self._lock:
            due = self._take_due(self._clocks.device_us())
        for key, callback in due:
            try:
                callback()
            except Exception:
                logger.exception("the wake-up of %s failed", key)
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
        if not self._times:
            return _LONGEST_WAIT_S
        wait_s = (self._times[0] - self._clocks.device_us()) / US_PER_S
        return min(max(wait_s, 0.0), _LONGEST_WAIT_S)

    def _due_us(self, device_us: int | None, plan_us: int | None) -> int | None:
        """Return the device time of the earlier of two times, as far as it is known. Locked."""
        if plan_us is None:
            return device_us
        reached_us = self._clocks.device_of_plan(plan_us)
        if device_us is None or reached_us is None:
            return device_us if reached_us is None else reached_us
        return min(device_us, reached_us)

    def _queue(self, key: Hashable, due_us: int) -> bool:
        """Have a key looked at no later than its time; True if that is the next. Locked."""
        queued_us = self._queued_us.get(key)
        if queued_us is not None and queued_us <= due_us:
            return False
        self._queued_us[key] = due_us
        self._entries += 1
        slot = self._slots.get(due_us)
        if slot is not None:
            slot.append(key)
            return False
        self._slots[due_us] = [key]
        heapq.heappush(self._times, due_us)
        return self._times[0] == due_us

    def _queue_all(self) -> None:
        """Fill the heap again with the alarms that count. Locked."""
        self._times.clear()
        self._slots.clear()
        self._queued_us.clear()
        self._entries = 0
        for key, alarm in self._alarms.items():
            if alarm.due_us is not None:
                self._queue(key, alarm.due_us)

    def _take_due(self, now_us: int) -> list[tuple[Hashable, Callable[[], object]]]:
        """Return what is due by now and forget it. Locked."""
        due: list[tuple[Hashable, Callable[[], object]]] = []
        while self._times and self._times[0] <= now_us:
            due += [(key, self._alarms.pop(key).callback) for key in self._open_slot()]
        return due

    def _open_slot(self) -> list[Hashable]:
        """Take the earliest slot out; return what is due then, queue again what was put off.

        Locked.
        """
        slot_us = heapq.heappop(self._times)
        slot = self._slots.pop(slot_us)
        self._entries -= len(slot)
        due: list[Hashable] = []
        for key in slot:
            if self._queued_us.get(key) != slot_us:
                continue  # it was brought forward since, or is in the slot twice
            del self._queued_us[key]
            alarm = self._alarms.get(key)
            if alarm is None or alarm.due_us is None:
                continue
            if alarm.due_us > slot_us:
                self._queue(key, alarm.due_us)
            else:
                due.append(key)
        return due
