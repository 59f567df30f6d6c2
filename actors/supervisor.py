"""Supervision: what becomes of an actor that crashed, and of one whose handler hangs."""

import enum
import threading
from collections import deque
from typing import TYPE_CHECKING, Any, Final

import attrs

from actors.clock import steady_s
from engine.types import US_PER_S

if TYPE_CHECKING:
    from pykka._envelope import Envelope

    from actors.pool import Pool, Worker

CRASHES: Final = 5
"""With so many crashes within `WINDOW_US` an actor is given up."""

WINDOW_US: Final = 60 * US_PER_S
_LONGEST_LOOK_S: Final = 1.0


class Verdict(enum.Enum):
    """What a crashed actor does next."""

    RETRY = "retry"
    """Recover and handle the message again."""

    SET_ASIDE = "set_aside"
    """Recover and leave the message out: it crashed the actor twice."""

    GIVE_UP = "give_up"
    """Recover and take no more work: five crashes in a minute."""


@attrs.define
class _Record:
    """The crashes of one actor: their device times, and the messages that crashed it once.

    ``hung_us`` is when a handler hung last.
    """

    times_us: deque[int] = attrs.field(factory=lambda: deque(maxlen=CRASHES))
    hung_us: int | None = None
    messages: deque[object] = attrs.field(factory=lambda: deque(maxlen=CRASHES))


class CrashLedger:
    """Counts crashes by actor. Each actor is counted from its own worker, so there is no lock."""

    def __init__(self) -> None:
        self._records: dict[str, _Record] = {}
        self._told_us: dict[str, int] = {}

    def record(self, actor: str, message: object, device_us: int, *, hung: bool = False) -> Verdict:
        """Count a crash and return what follows.

        A message is known by being the same object. ``message`` None (start, stop, recovery) is
        counted, and never set aside. A handler that ``hung`` costs a thread, so its message is not
        tried again, and the second one within a minute is the last.
        """
        record = self._records.setdefault(actor, _Record())
        record.times_us.append(device_us)
        if hung:
            before_us, record.hung_us = record.hung_us, device_us
            again = before_us is not None and device_us - before_us < WINDOW_US
            return Verdict.GIVE_UP if again else Verdict.SET_ASIDE
        if len(record.times_us) == CRASHES and device_us - record.times_us[0] < WINDOW_US:
            return Verdict.GIVE_UP
        if message is None:
            return Verdict.RETRY
        if any(each is message for each in record.messages):
            return Verdict.SET_ASIDE
        record.messages.append(message)
        return Verdict.RETRY

    def is_news(self, error: str, device_us: int) -> bool:
        """Return whether a kind of error is worth telling at length: once a minute."""
        told_us = self._told_us.get(error)
        if told_us is not None and device_us - told_us < WINDOW_US:
            return False
        self._told_us[error] = device_us
        return True

    def clear(self, actor: str) -> None:
        """Forget an actor's crashes: somebody put it back to work."""
        self._records.pop(actor, None)


class Watchdog:
    """Looks after handlers that are slow or do not return, on a thread of its own.

    A handler that two looks find with the same message is slow: another thread stands in for it.
    When the looks are ``hung_after_s`` apart it counts as hung, and its actor is taken away from
    it. So the clock is read here and not for each message.
    """

    def __init__(
        self, pool: "Pool", *, hung_after_s: float = 10.0, interval_s: float = 0.1
    ) -> None:
        self._pool = pool
        self._hung_after_s = hung_after_s
        self._interval_s = interval_s
        self._seen: dict[Worker, tuple[Envelope[Any], float, bool]] = {}
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="watchdog", daemon=True)

    def start(self) -> None:
        """Begin to watch."""
        self._thread.start()

    def stop(self, timeout_s: float = 10.0) -> None:
        """Stop watching."""
        self._stopping.set()
        if self._thread.is_alive():
            self._thread.join(timeout_s)

    def check(self, now_s: float) -> int:
        """Look once, at ``now_s`` of the steady clock; return how many actors were taken away."""
        before, self._seen = self._seen, {}
        revoked = 0
        self._pool.look_again()
        for worker in self._pool.workers():
            envelope = worker.holding()
            if envelope is None:
                continue
            known, since_s, relieved = before.get(worker, (None, now_s, False))
            if known is not envelope:
                since_s, relieved = now_s, False
            if now_s - since_s >= self._hung_after_s:
                revoked += self._pool.revoke(worker, envelope)
                continue
            if known is envelope and not relieved:
                relieved = self._pool.relieve(worker, envelope)
            self._seen[worker] = (envelope, since_s, relieved)
        return revoked

    def _run(self) -> None:
        """Look at each interval. The watchdog's thread."""
        watched_s = seen_s = steady_s()
        while not self._stopping.wait(self._interval_s):
            now_s = steady_s()
            # A process that stood still has kept its handlers from returning.
            watched_s += min(now_s - seen_s, _LONGEST_LOOK_S)
            seen_s = now_s
            self.check(watched_s)
