"""Pykka actors that share a few threads, or, under a seed, take turns in the caller's own.

Pykka gives an actor a thread: ten thousand of them take seconds to start, and an exception ends
the actor and drops its inbox. Here a message puts its actor on the pool's ready queue, a worker
lets it handle some messages and goes on to the next actor, and an exception is told to the actor
(`PoolActor.on_crash`), whose ref and inbox live on.
"""

import logging
import queue
import random
import threading
from collections import deque
from collections.abc import Callable
from typing import Any, Final

import pykka
from pykka._envelope import Envelope

from actors.actor import ActorPool, HandlerHung, PoolActor, Worker
from actors.clock import steady_s

__all__ = ["ActorPool", "HandlerHung", "Pool", "PoolActor", "SeededPool", "Worker"]


logger = logging.getLogger("setpoint")


class _Nudge:
    """Wakes a worker to look for actors in a hurry."""


_NUDGE: Final = _Nudge()
CAUGHT: Final = (Exception, SystemExit)
"""What is a crash of an actor in a run without threads."""
_STAND_IN_S: Final = 0.05  # how often a stand-in looks whether it is needed
_ROUND_S: Final = 0.025
"""How long those in a hurry let others have their turns, if there are any."""


class Pool(ActorPool):
    """A few daemon threads that run any number of actors.

    With the GIL one is the fastest: two hand the interpreter's lock to and fro between cores, which
    takes a seventh of what they do. So that a slow handler does not stop all, another thread stands
    in while it goes on (`relieve`); for one that hangs a thread is added (`revoke`). There are no
    more than ``max_extra`` of each. While handlers are slow or hang, actors of one lane get no more
    than ``max_extra`` threads, so that one is left for those of other lanes.
    """

    def __init__(self, threads: int = 1, *, name: str = "actors", max_extra: int = 2) -> None:
        super().__init__()
        self._ready: queue.SimpleQueue[PoolActor | _Nudge | None] = queue.SimpleQueue()
        self._hurried: deque[PoolActor] = deque()
        self._nudged = False
        self._rushing = False  # those in a hurry have their turns now
        self._rush_at_s = 0.0  # and then again, if others still wait (steady clock)
        self._threads = threads
        self._name = name
        self._spare = self._lane_most = max_extra
        self._strained = False  # handlers are slow, or hang
        self._lost: dict[Worker, str | None] = {}  # workers that hang, with their actors' lanes
        self._parked: list[PoolActor] = []
        self._most = threads + max_extra
        self._lock = threading.Lock()  # over the workers
        self._workers: dict[Worker, threading.Thread] = {}
        self._closed = False
        with self._lock:
            for _ in range(threads):
                self._add_worker()

    def schedule(self, actor: PoolActor, *, hurry: bool = False) -> None:
        """Put an actor on the ready queue, its claim with it. Any thread.

        What finishes work that was begun goes before what came later, and waits for what came
        earlier for no longer than a round: a herd of new work otherwise comes between an attempt's
        commit and its send, and the send window passes. By rounds, as the last of a herd would wait
        for all that the first ones do.
        """
        if hurry:
            self._hurried.append(actor)
            if not self._nudged:  # else a worker is about to look
                self._nudged = True
                self._ready.put(_NUDGE)
        else:
            self._ready.put(actor)
        if self._closed:
            self._drop_ready()

    def ask(self, ref: pykka.ActorRef[Any], message: object, timeout_s: float) -> Any:  # noqa: ANN401 -- answers are anything
        """Return an actor's answer, or raise what it raised. Any thread but a worker."""
        return ref.ask(message, timeout=timeout_s)

    def workers(self) -> tuple[Worker, ...]:
        """Return the workers whose handlers are not known to hang. Any thread."""
        with self._lock:
            return tuple(self._workers)

    def relieve(self, worker: Worker, envelope: Envelope[Any]) -> bool:
        """Let another thread run actors for as long as a handler goes on; True if one does.

        None is needed while nobody waits for a turn. Any thread.
        """
        with self._lock:
            nobody_waits = self._ready.empty() and not self._hurried
            if nobody_waits or self._closed or len(self._workers) >= self._most:
                return False
            self._strained = True
            stand_in = Worker((BaseException,))
            self._begin(stand_in, self._stand_in, stand_in, worker, envelope)
        return True

    def revoke(self, worker: Worker, envelope: Envelope[Any]) -> bool:
        """Take an actor away from a handler that hangs; return False if it just returned.

        What the handler returns or raises later is dropped, and its thread ends then, or joins
        in again if no thread could be added for it. The actor goes on with `on_crash`.
        """
        actor = worker.revoke(envelope)
        if actor is None:
            return False
        with self._lock:
            del self._workers[worker]
            self._lost[worker], actor.lane = actor.lane, None
            self._strained = True
            if self._spare and not self._closed:
                self._spare -= 1
                self._add_worker()
            else:
                logger.error("%d threads hang, and none is added any more", len(self._lost))
        self.schedule(actor)
        return True

    def stop(self, timeout_s: float = 10.0) -> bool:
        """Handle what waits as long as there is time, then drop the rest. Twice is once."""
        if self._closed:
            return True
        deadline_s = steady_s() + timeout_s
        self._ready.put(None)
        with self._lock:
            running = dict(self._workers)
        for thread in running.values():
            if thread is not threading.current_thread():
                thread.join(max(0.0, deadline_s - steady_s()))
        self._closed = True
        for worker in running:
            worker.budget = 0
        dropped = self._drop_ready() + self._drop_actors()
        return not dropped and not any(thread.is_alive() for thread in running.values())

    def look_again(self) -> None:
        """Let actors try that wait for a thread of their lane. Any thread."""
        with self._lock:
            parked, self._parked = self._parked, []
        for actor in parked:
            self.schedule(actor)

    def _park(self, actor: PoolActor) -> bool:
        """Set an actor aside if its lane has enough threads. A worker's thread."""
        lane = actor.lane
        if lane is None:
            return False
        with self._lock:
            running = [one for each in self._workers for one in each.held.copy().values()]
            busy = [one.lane for one in running] + list(self._lost.values())
            if busy.count(lane) < self._lane_most or self._closed:
                return False
            self._parked.append(actor)
        return True

    def _relax(self) -> None:
        """Note whether handlers still hang or are slow. Under the lock."""
        self._strained = bool(self._lost) or len(self._workers) > self._threads

    def _add_worker(self) -> None:
        """Start one more thread. Under the lock."""
        worker = Worker((BaseException,))
        self._begin(worker, self._run, worker)

    def _begin(self, worker: Worker, run: Callable[..., None], *args: object) -> None:
        thread = threading.Thread(target=run, args=args, name=f"{self._name}-worker", daemon=True)
        self._workers[worker] = thread
        thread.start()

    def _run(self, worker: Worker) -> None:
        """Run actors until the pool stops. A worker's thread."""
        while (actor := self._next()) is not None:
            if self._strained and self._park(actor):
                continue
            if not worker.turn(actor) and not self._rejoin(worker):
                return
        self._ready.put(None)  # for the next worker

    def _stand_in(self, stand_in: Worker, worker: Worker, envelope: Envelope[Any]) -> None:
        """Run actors while another worker's handler goes on. The stand-in's thread."""
        while envelope in worker.held:
            try:
                actor = self._next(_STAND_IN_S)
            except queue.Empty:
                continue
            if actor is None:
                self._ready.put(None)  # for the next worker
                break
            if self._park(actor):
                continue
            if not stand_in.turn(actor):
                if self._rejoin(stand_in):
                    self._run(stand_in)
                return
        with self._lock:
            del self._workers[stand_in]
            self._relax()

    def _next(self, timeout_s: float | None = None) -> PoolActor | None:
        """Return an actor that waits for its turn, or None at the end. A worker's thread.

        Raises:
            queue.Empty: there was none in time.
        """
        while True:
            hurried = self._next_hurried()
            if hurried is not None:
                return hurried
            actor = self._ready.get(timeout=timeout_s)
            if actor is None:
                if self._closed or self._ready.empty():
                    return None
                self._ready.put(None)  # the end comes after the actors
            elif not isinstance(actor, _Nudge):
                return actor
            else:
                self._nudged = False
                self._rushing = True
                if self._threads > 1 and len(self._hurried) > 1:
                    self._ready.put(_NUDGE)  # another worker may be asleep

    def _next_hurried(self) -> PoolActor | None:
        """Return an actor in a hurry if its time has come. A worker's thread."""
        if self._hurried and not self._rushing:
            self._rushing = steady_s() >= self._rush_at_s
        if not self._rushing:
            return None
        try:
            return self._hurried.popleft()
        except IndexError:
            self._rushing = False
            self._rush_at_s = steady_s() + _ROUND_S
            return None

    def _rejoin(self, worker: Worker) -> bool:
        """Return whether a worker whose handler hung is needed again. Its thread."""
        with self._lock:
            del self._lost[worker]
            needed = not self._closed and len(self._workers) < self._threads
            if needed:
                self._workers[worker] = threading.current_thread()
            else:
                self._spare += 1
            self._relax()
            return needed

    def _drop_ready(self) -> int:
        """Refuse the messages of all actors that wait for a turn; return how many."""
        dropped = 0
        self.look_again()
        while self._hurried or not self._ready.empty():
            try:
                actor = self._hurried.popleft() if self._hurried else self._ready.get_nowait()
            except (queue.Empty, IndexError):
                break
            if isinstance(actor, PoolActor):
                dropped += actor.inbox.refuse()
                actor.inbox.release()
        self._ready.put(None)
        return dropped


class SeededPool(ActorPool):
    """No threads: `run_until_idle` gives one message to one actor at a time, as a seed has it.

    Of one thread. What is no crash of an actor (KeyboardInterrupt, the end of a test) passes.
    """

    def __init__(self, seed: int, worker: Worker | None = None) -> None:
        super().__init__()
        self._random = random.Random(seed)
        self._ready: list[PoolActor] = []
        self._worker = worker or Worker(CAUGHT, budget=1)
        self._running = False

    def schedule(self, actor: PoolActor, *, hurry: bool = False) -> None:  # noqa: ARG002 -- the seed has the order
        """Let an actor have a turn in a later `run_until_idle`."""
        self._ready.append(actor)

    def ask(self, ref: pykka.ActorRef[Any], message: object, timeout_s: float) -> Any:  # noqa: ANN401, ARG002 -- as in ActorPool
        """Run until the actors are idle and return the answer; no answer by then is a Timeout."""
        future = ref.ask(message, block=False)
        self.run_until_idle()
        return future.get(timeout=0)

    def run_until_idle(self, limit: int = 10_000_000) -> int:
        """Run actors until none has a message; return how many were handled.

        Called by a handler it does nothing: the run that called the handler goes on.

        Raises:
            RuntimeError: ``limit`` messages were handled and there were more.
        """
        count = 0
        while self.step():
            count += 1
            if count == limit and self._ready:
                raise RuntimeError(f"actors are still busy after {limit} messages")
        return count

    def step(self) -> bool:
        """Let one actor handle a message; return False if none has any.

        Called by a handler it does nothing: the turn that called the handler goes on.
        """
        if self._running or not self._ready:
            return False
        self._running = True
        try:
            self._worker.turn(self._take())
        finally:
            self._running = False
        return True

    def stop(self, timeout_s: float = 10.0) -> bool:  # noqa: ARG002 -- as in ActorPool
        """Handle what waits, then end all actors."""
        self.run_until_idle()
        return not self._drop_actors()

    def _take(self) -> PoolActor:
        """Return one of the actors that wait, drawn from the seeded source."""
        index = self._random.randrange(len(self._ready))
        self._ready[index], self._ready[-1] = self._ready[-1], self._ready[index]
        return self._ready.pop()
