"""Actors whose state is in the log: a crash ends a life of theirs, and the log begins the next.

A thread cannot be killed, so a handler that hangs may go on later. All that handlers change is in
the life that they began with; that it is over shows at the doors through which it acts.
"""

import logging
from collections.abc import Callable
from functools import partial
from typing import Final, Protocol

import attrs

from actors.actor import ActorPool, HandlerHung, PoolActor
from actors.appends import Writer
from actors.clock import Clocks
from actors.journal import Journal
from actors.supervisor import WINDOW_US, CrashLedger, Verdict
from actors.wakeups import Wakeups
from engine.errors import HandlingFailed, StoreError
from engine.types import US_PER_S

logger = logging.getLogger("setpoint")

_LONGEST_PAUSE_S: Final = 60


@attrs.frozen
class Lost:
    """What a life was at when it ended: the message and the error, by their types' names.

    ``told`` is null where the message is not to blame: it is neither tried again nor left out.
    ``draft`` was handed to the journal, and came of the message ``about``; ``owed`` are effects
    that were not carried out.
    """

    told: object
    name: str
    error: str
    verdict: Verdict
    draft: object = None
    about: object = None
    owed: tuple[object, ...] = ()

    @property
    def again(self) -> bool:
        """Whether the message is to be handled once more."""
        return self.verdict is Verdict.RETRY and self.told is not None


class Life(Writer):
    """What an actor's handlers change between two crashes; what they append is written by it.

    ``lost`` is what earlier lives left undone; while there is any, messages wait in ``stash``.
    """

    __slots__ = ("lost", "pause_s", "stash")

    def __init__(self) -> None:
        """Begin with nothing waiting."""
        super().__init__()
        self.stash: list[object] = []  # an empty deque takes 700 bytes, and each asset has one
        self.lost: tuple[Lost, ...] = ()
        self.pause_s = 1

    def follow(self, before: "Life", lost: Lost) -> None:
        """Take over what waits for the life before, which may still be running."""
        self.stash = before.stash.copy()
        self.lost = (*before.lost, lost)


@attrs.frozen(eq=False)
class Readable:
    """All that the lives before have appended is in the store."""

    life: Life


class Supervision(Protocol):
    """What actors need to live on after a crash."""

    @property
    def clocks(self) -> Clocks:
        """Both clocks."""

    @property
    def journal(self) -> Journal:
        """Where their events go."""

    @property
    def wakeups(self) -> Wakeups:
        """The timer."""

    @property
    def ledger(self) -> CrashLedger:
        """Who counts crashes."""


@attrs.frozen
class Supervised:
    """What the actors of a system share for living on; see `Supervision`."""

    clocks: Clocks
    journal: Journal
    wakeups: Wakeups
    ledger: CrashLedger


class JournalledActor(PoolActor):
    """Drops its state when it crashes, and reads it again behind its own queued appends."""

    def __init__(self, pool: ActorPool, name: str, supervision: Supervision) -> None:
        """Begin a first life; ``name`` is the stream's."""
        super().__init__(pool)
        self._name = name
        self._supervision = supervision
        self._given_up_us: int | None = None

    @property
    def name(self) -> str:
        """The stream that its events are in."""
        return self._name

    def on_crash(self, told: object, exception: BaseException) -> None:
        """Begin another life, and read the state again once the store has all. A pool thread."""
        error = type(exception).__name__
        device_us = self._supervision.clocks.device_us()
        culprit = self._culprit(told)
        verdict = self._verdict(culprit, exception, device_us)
        is_news = self._supervision.ledger.is_news(error, device_us)
        exc_info = exception if is_news else None
        name = type(told if culprit is None else culprit).__name__
        logger.error("%s failed on %s: %s", self._name, name, error, exc_info=exc_info)
        before, life = self._begin_life(Lost(culprit, name, error, verdict))
        # What the journal has refused it may refuse again: that takes its time.
        refused = isinstance(exception, StoreError)
        again = partial(self._read_again_later if refused else self._read_again, life)
        self._supervision.journal.retire(before, again)

    def _verdict(self, culprit: object, exception: BaseException, device_us: int) -> Verdict:
        hung = isinstance(exception, HandlerHung)
        return self._supervision.ledger.record(self._name, culprit, device_us, hung=hung)

    def _culprit(self, told: object) -> object:
        """Return the message that is to blame: None where it is what the journal said."""
        raise NotImplementedError

    def _begin_life(self, lost: Lost) -> tuple[Life, Life]:
        """End the life and begin another; return both."""
        raise NotImplementedError

    def is_worth_recording(self, lost: Lost) -> bool:
        """Return whether a crash goes on record: not if it is one more after it was given up."""
        if lost.verdict is not Verdict.GIVE_UP:
            return True
        now_us = self._supervision.clocks.device_us()
        before_us, self._given_up_us = self._given_up_us, now_us
        return before_us is None or now_us - before_us >= WINDOW_US

    def is_given_up(self) -> bool:
        """Return whether it crashed five times in a minute, less than a minute ago."""
        given_up_us = self._given_up_us
        now_us = self._supervision.clocks.device_us()
        return given_up_us is not None and now_us - given_up_us < WINDOW_US

    def _read_again(self, life: Life) -> None:
        """Read the state, now that the store has all. The journal's thread."""
        self.hurry(Readable(life))

    def _read_again_later(self, life: Life) -> None:
        """Try again to read the state, after a pause that grows. Any thread."""
        pause_us = life.pause_s * US_PER_S
        life.pause_s = min(2 * life.pause_s, _LONGEST_PAUSE_S)
        at_us = self._supervision.clocks.device_us() + pause_us
        again = partial(self.hurry, Readable(life))
        self._supervision.wakeups.at(self._name, again, device_us=at_us)

    def read_anew(self, life: Life, readable: Readable, read: Callable[[], None]) -> bool:
        """Read the state, if it is this life's turn; return whether it goes on from there.

        What cannot be read now is tried again, whatever the error: without a state nothing is done.
        """
        if readable.life is not life or not life.lost:
            return False
        try:
            read()
        except Exception as error:  # noqa: BLE001 - see above
            self._not_read(error)
            self._read_again_later(life)
            return False
        return True

    def _not_read(self, error: Exception) -> None:
        """Say that the state cannot be read now."""
        is_news = self._supervision.ledger.is_news(
            type(error).__name__, self._supervision.clocks.device_us()
        )
        known = isinstance(error, StoreError)
        logger.error(
            "%s cannot be read again yet: %s",
            self._name,
            error,
            exc_info=error if is_news and not known else None,
        )


def failure(lost: Lost) -> HandlingFailed:
    """Return what is told to who waits for an answer that will not come."""
    return HandlingFailed(f"the engine failed on {lost.name} ({lost.error})")
