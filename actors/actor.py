"""A Pykka actor that lends itself to any thread for a turn, and outlives what it raises.

One thread at a time runs an actor: who takes its inbox's claim schedules it, and the claim is
given back when its turn ends.
"""

import abc
import logging
import threading
from collections import deque
from typing import Any, ClassVar, Final, Self, cast

import pykka
from pykka import messages
from pykka._envelope import Envelope

from engine.errors import SetpointError, UsageError

logger = logging.getLogger("setpoint")

TURN: Final = 32
"""Messages that an actor may handle before the next actor has its turn."""


class HandlerHung(SetpointError):
    """A handler did not return in time, and its actor was taken away from it."""


class _Started:
    """The first message of every actor."""


class _Revoked:
    """Comes before an actor's other messages when it was taken away from a hung handler."""

    def __init__(self, message: object) -> None:
        self.message = message


class _Raised:
    """What handling a message ended in, instead of an answer."""

    def __init__(self, exception: BaseException) -> None:
        self.exception = exception


_STOP: Final = messages._ActorStop  # noqa: SLF001 -- a runtime for actors knows Pykka's own messages
_SPECIAL: Final = frozenset(
    {
        _Started,
        _Revoked,
        _STOP,
        messages.ProxyCall,
        messages.ProxyGetAttr,
        messages.ProxySetAttr,
    }
)


class _Flag:
    """The `threading.Event` of a Pykka actor, without its kilobyte until somebody waits."""

    __slots__ = ("_event", "_is_set")

    def __init__(self) -> None:
        self._is_set = False
        self._event: threading.Event | None = None

    def is_set(self) -> bool:
        """Return whether the actor has stopped. Any thread."""
        return self._is_set

    def set(self) -> None:
        """Let the actor have stopped. Any thread."""
        with _WAITING:
            self._is_set = True
        if self._event is not None:
            self._event.set()

    def wait(self, timeout: float | None = None) -> bool:
        """Wait until the actor has stopped, so many seconds at the most. Any thread."""
        with _WAITING:
            if self._is_set:
                return True
            if self._event is None:
                self._event = threading.Event()
        return self._event.wait(timeout)


_WAITING: Final = threading.Lock()


class Inbox:
    """An actor's messages; a put schedules the actor unless it is scheduled already.

    The deque's ``append`` and ``popleft`` and the lock's ``acquire`` without blocking are atomic,
    so no lock is held around them.
    """

    __slots__ = ("actor", "claim", "messages")

    def __init__(self) -> None:
        self.actor: PoolActor | None = None  # none until it starts
        self.claim = threading.Lock()
        self.messages: deque[Envelope[Any]] = deque()

    def put(self, envelope: Envelope[Any], /) -> None:
        """Take a message. Any thread."""
        self.messages.append(envelope)
        if self.claim.acquire(blocking=False):
            self._schedule()

    def hurry(self, envelope: Envelope[Any], /, *, first: bool = False) -> None:
        """Take a message that finishes what was begun: its actor's turn comes before others'.

        ``first`` also puts it before the actor's other messages. Any thread.
        """
        if first:
            self.messages.appendleft(envelope)
        else:
            self.messages.append(envelope)
        if self.claim.acquire(blocking=False):
            self._schedule(hurry=True)

    def get(self) -> Envelope[Any]:
        """Return the oldest message. The thread that has the claim."""
        return self.messages.popleft()

    def empty(self) -> bool:
        """Return whether no message waits."""
        return not self.messages

    def release(self) -> None:
        """Give back the claim; schedule the actor again if messages wait."""
        self.claim.release()
        if self.messages and self.claim.acquire(blocking=False):
            self._schedule()

    def refuse(self) -> int:
        """Answer all messages as Pykka does for an actor that stopped; return how many."""
        count = 0
        while self.messages:
            envelope = self.messages.popleft()
            stop = isinstance(envelope.message, _STOP)
            count += not stop
            dead = pykka.ActorDeadError(f"{self.actor} stopped before handling the message")
            _reply(envelope, None if stop else _Raised(dead))
        return count

    def _schedule(self, *, hurry: bool = False) -> None:
        """Put the actor on its pool's ready queue; before it starts, leave that to its start."""
        if self.actor is None:
            self.claim.release()
        else:
            self.actor.pool.schedule(self.actor, hurry=hurry)


class PoolActor(pykka.Actor):
    """A Pykka actor that runs on the pool passed to `start`.

    `on_receive` and the hooks run on a worker of the pool, never on two at once. An exception
    is told to `on_crash`, and the actor goes on with its next message; in answer to an ``ask``
    the asker gets it too, and an exception of the kinds in ``answers`` is nothing but that
    answer. Actors are not in Pykka's `ActorRegistry`: it is global to the process, and leaving
    it takes time in proportion to its size.
    """

    answers: ClassVar[tuple[type[BaseException], ...]] = (UsageError,)
    """Exceptions that answer an ``ask`` without being a crash."""

    lane: str | None = None
    """What its handlers have in common with others', so that they may hang together.

    It is null while the actor recovers from a hang: what it does then is its own.
    """

    home_lane: str | None = None
    """Its lane when all is well."""

    def __init__(self, pool: "ActorPool", *args: object, **kwargs: object) -> None:
        super().__init__(*args, **kwargs)
        self.actor_stopped = self.actor_ref.actor_stopped = cast("threading.Event", _Flag())
        self.pool = pool
        self.inbox = cast("Inbox", self.actor_inbox)
        """The actor's messages."""
        self.incarnation = 0
        """How often the actor was taken away from a hung handler."""

    @classmethod
    def start(cls, pool: "ActorPool", *args: object, **kwargs: object) -> pykka.ActorRef[Self]:
        """Make an actor, let it run on ``pool`` and return its ref. Any thread."""
        return cls.begin(pool, *args, **kwargs).actor_ref

    @classmethod
    def begin(cls, pool: "ActorPool", *args: object, **kwargs: object) -> Self:
        """Make an actor, let it run on ``pool`` and return it, for `hurry`. Any thread."""
        actor = cls(pool, *args, **kwargs)
        actor._start_actor_loop()
        return actor

    @staticmethod
    def _create_actor_inbox() -> Inbox:
        return Inbox()

    @staticmethod
    def _create_future() -> pykka.Future[Any]:
        return pykka.ThreadingFuture()

    def _start_actor_loop(self) -> None:
        self.inbox.messages.appendleft(Envelope(_Started()))
        self.inbox.claim.acquire()
        self.inbox.actor = self
        self.pool.adopt(self)
        self.pool.schedule(self)

    def hurry(self, message: object) -> None:
        """Take a message soon: it finishes what this or another actor has begun. Any thread."""
        self.inbox.hurry(Envelope(message))

    def hurry_first(self, message: object) -> None:
        """Take a message before all others that wait, and soon. Any thread."""
        self.inbox.hurry(Envelope(message), first=True)

    def again(self, message: object) -> None:
        """Handle a message before all others that wait. The actor's worker."""
        self.inbox.messages.appendleft(Envelope(message))

    def deliver(self, message: object) -> object:
        """Handle one of the messages that are not the actor's own. The actor's worker."""
        if isinstance(message, _Started):
            self.on_start()
            return None
        if isinstance(message, _Revoked):
            raise _hung(self, message.message)
        return self._handle_receive(message)

    def _stop(self) -> None:
        """Stop without handling what else waits. The actor's worker."""
        self.actor_stopped.set()
        self.pool.disown(self)
        try:
            self.on_stop()
        except Exception as exception:  # noqa: BLE001 -- the actor is told, and stops all the same
            self.on_crash(None, exception)

    def on_crash(self, message: object, exception: BaseException) -> None:
        """Learn that handling ``message`` raised; by default it is logged. The actor's worker.

        ``message`` is None if `on_start` or `on_stop` raised. After a hang ``exception`` is
        `HandlerHung`, and the handler may still be running, on a thread that is lost to it.
        """
        what = "start or stop" if message is None else f"handle {type(message).__name__}"
        logger.error("%s failed to %s", self, what, exc_info=exception)


class ActorPool(abc.ABC):
    """Where actors run."""

    def __init__(self) -> None:
        self._actors: set[PoolActor] = set()

    def adopt(self, actor: PoolActor) -> None:
        """Count an actor as running here. Any thread."""
        self._actors.add(actor)

    def disown(self, actor: PoolActor) -> None:
        """Forget an actor that stopped. Any thread."""
        self._actors.discard(actor)

    @abc.abstractmethod
    def schedule(self, actor: PoolActor, *, hurry: bool = False) -> None:
        """Give an actor a turn, in a ``hurry`` before those that are not. Any thread.

        The caller hands over the actor's claim.
        """

    @abc.abstractmethod
    def ask(self, ref: pykka.ActorRef[Any], message: object, timeout_s: float) -> Any:  # noqa: ANN401 -- answers are anything
        """Return an actor's answer, or raise what it raised. Any thread but a worker.

        Raises:
            pykka.ActorDeadError: the actor stopped.
            pykka.Timeout: there was no answer in time.
        """

    @abc.abstractmethod
    def stop(self, timeout_s: float = 10.0) -> bool:
        """Handle what waits as long as there is time, then drop the rest. Twice is once.

        The actors' `on_stop` is not called; stop them before. Returns whether no message was
        dropped and no handler was still running.
        """

    def _drop_actors(self) -> int:
        """End all actors; return how many messages none of them will handle.

        An actor that is still held refuses its messages when its turn ends.
        """
        dropped = 0
        while self._actors:
            actor = self._actors.pop()
            actor.actor_stopped.set()
            if actor.inbox.claim.acquire(blocking=False):
                dropped += actor.inbox.refuse()
                actor.inbox.release()
        return dropped


class Worker:
    """Runs actors, one after the other; on a thread or in a test's own.

    ``held`` has the message being handled and its actor. Who pops it owns the actor: the worker
    when the handler returned, or who takes the actor away from it (`revoke`).
    """

    def __init__(self, catches: tuple[type[BaseException], ...], budget: int = TURN) -> None:
        self.held: dict[Envelope[Any], PoolActor] = {}
        self.budget = budget
        """How many messages an actor may handle in a turn."""
        self._catches = catches

    def turn(self, actor: PoolActor) -> bool:
        """Let an actor handle messages; return False if it was taken away. The worker's thread."""
        inbox, held, lane = actor.inbox, self.held, actor.lane
        waiting = inbox.messages
        if actor.actor_stopped.is_set():
            inbox.refuse()
        count = 0
        while waiting and count < self.budget:
            count += 1
            envelope = waiting.popleft()
            held[envelope] = actor
            answer = self.deliver(actor, envelope)
            if held.pop(envelope, None) is None:
                return False
            if envelope.reply_to is not None:
                _reply(envelope, answer)
            if type(envelope.message) is _STOP or actor.lane is not lane:
                break
        inbox.release()
        return True

    def holding(self) -> Envelope[Any] | None:
        """Return the message being handled, if there is one. Any thread."""
        return next(iter(self.held.copy()), None)

    def revoke(self, envelope: Envelope[Any]) -> PoolActor | None:
        """Take away the actor that handles a message; None if its handler just returned.

        The caller owns the actor then and has to schedule it. What the handler returns or raises
        later is dropped. Any thread.
        """
        actor = self.held.pop(envelope, None)
        if actor is not None:
            actor.incarnation += 1
            _reply(envelope, _Raised(_hung(actor, envelope.message)))
            actor.inbox.messages.appendleft(Envelope(_Revoked(envelope.message)))
        return actor

    def deliver(self, actor: PoolActor, envelope: Envelope[Any]) -> object:
        """Return the actor's answer to a message, or what it raised."""
        message = envelope.message
        try:
            if type(message) in _SPECIAL:
                return actor.deliver(message)
            return actor.on_receive(message)
        except self._catches as exception:
            answered = envelope.reply_to is not None and isinstance(exception, actor.answers)
            if not answered and envelope in self.held:
                self.crash(actor, message, exception)
            return _Raised(exception)

    def crash(self, actor: PoolActor, message: object, exception: BaseException) -> None:
        """Tell an actor of its crash; what it raises then is logged."""
        if isinstance(message, _Revoked):
            message = message.message
        elif isinstance(message, (_Started, _STOP)):
            message = None
        try:
            actor.on_crash(message, exception)
        except self._catches:
            logger.exception("%s failed in its on_crash", actor)


def _hung(actor: PoolActor, message: object) -> HandlerHung:
    """Return the error that stands for a handler that did not return."""
    return HandlerHung(f"{actor} did not return from {type(message).__name__}")


def _reply(envelope: Envelope[Any], answer: object) -> None:
    """Give the asker, if there is one, an answer or what was raised."""
    future = envelope.reply_to
    if future is None:
        return
    if isinstance(answer, _Raised):
        raised = answer.exception
        future.set_exception((type(raised), raised, raised.__traceback__))
    else:
        future.set(answer)
