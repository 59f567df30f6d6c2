"""The bench ``dispatch_threads``: the same actors, each with a thread of its own."""

import queue
import threading
from typing import TYPE_CHECKING, Any, Final

from actors.actor import ActorPool, PoolActor, Worker
from actors.bench import engine
from actors.bench.rows import Row, row
from actors.bus import BusThread
from actors.clock import Clocks, steady_s
from actors.loop import LoopThread
from actors.runtime import Runtime
from actors.wakeups import Wakeups
from engine.bus import EventBus

if TYPE_CHECKING:
    import pykka

FLOOR: Final = 3.0
_OTHERS: Final = 2
"""Actors that are not assets: the dispatcher and the site."""


class _Own:
    """An actor's thread, and the turns that it is given."""

    def __init__(self, actor: PoolActor) -> None:
        self.turns: queue.SimpleQueue[bool] = queue.SimpleQueue()
        self._actor = actor
        self._worker = Worker((BaseException,))
        self.thread = threading.Thread(target=self._run, name="actor", daemon=True)

    def _run(self) -> None:
        """Take turns until there are no more. The actor's thread."""
        while self.turns.get():
            self._worker.turn(self._actor)


class ThreadEach(ActorPool):
    """Runs every actor on a thread of its own, as Pykka's ThreadingActor does.

    The order of turns is the interpreter's: there is no hurry.
    """

    def __init__(self) -> None:
        super().__init__()
        self._own: dict[PoolActor, _Own] = {}

    def adopt(self, actor: PoolActor) -> None:
        """Start an actor's thread. Any thread."""
        super().adopt(actor)
        own = self._own[actor] = _Own(actor)
        own.thread.start()

    def schedule(self, actor: PoolActor, *, hurry: bool = False) -> None:  # noqa: ARG002 - its thread is its own
        """Give an actor a turn on its thread. Any thread."""
        self._own[actor].turns.put(True)  # noqa: FBT003 - of a queue

    def ask(self, ref: "pykka.ActorRef[Any]", message: object, timeout_s: float) -> Any:  # noqa: ANN401 - as in ActorPool
        """Return an actor's answer, or raise what it raised. Any thread but an actor's."""
        return ref.ask(message, timeout=timeout_s)

    def stop(self, timeout_s: float = 10.0) -> bool:
        """Let every thread end behind the turns that it was given; return whether all did."""
        deadline_s = steady_s() + timeout_s
        for own in self._own.values():
            own.turns.put(False)  # noqa: FBT003 - of a queue
        for own in self._own.values():
            own.thread.join(max(0.0, deadline_s - steady_s()))
        ended = not any(own.thread.is_alive() for own in self._own.values())
        return not self._drop_actors() and ended


def runtime(clocks: Clocks) -> Runtime:
    """Return a runtime with a thread for each actor, and nobody to watch them."""
    bus = BusThread(EventBus((BaseException,)), clocks)
    return Runtime(ThreadEach(), Wakeups(clocks), LoopThread(), bus)


def bearable(most: int) -> int:
    """Return how many threads this machine starts, up to so many: each time half of them less."""
    while most > 1 and not _starts(most):
        most //= 2
    return most


def _starts(count: int) -> bool:
    end = threading.Event()
    threads = [threading.Thread(target=end.wait, daemon=True) for _ in range(count)]
    started = []
    try:
        for thread in threads:
            thread.start()
            started.append(thread)
    except RuntimeError:
        return False
    finally:
        end.set()
        for thread in started:
            thread.join()
    return True


def measure(runs: int, assets: int, slots: int) -> Row:
    """Return the rate of dispatch beside that with a thread each, with as many as can be borne."""
    count = bearable(assets + _OTHERS) - _OTHERS
    done = [
        (engine.dispatch(count, slots).rate, engine.dispatch(count, slots, runtime).rate)
        for _ in range(runs)
    ]
    limit = engine.median([threads for _, threads in done])
    ratio = engine.median([pool / threads for pool, threads in done])
    name = f"the same {count} actors with a thread each"
    return row(
        "dispatch_threads", [one[0] for one in done], "commands/s", (limit, name), (ratio, FLOOR)
    )
