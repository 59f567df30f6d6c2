"""What an engine runs on under a seed: the same parts as on threads, in turns, in one thread."""

import random
from collections.abc import Callable
from typing import TYPE_CHECKING, Protocol, TypeVar, runtime_checkable

import attrs

from actors.bus import BusThread
from actors.clock import Clocks
from actors.pool import SeededPool
from actors.runtime import Part, Runtime, Seams
from actors.testing.crashes import Crashed
from actors.testing.stepped import SteppedLoop
from actors.testing.struck_pool import StruckWorker
from actors.testing.world import World
from actors.wakeups import Wakeups
from engine.bus import EventBus

if TYPE_CHECKING:
    from concurrent.futures import Future

T = TypeVar("T")

_MOST_EVENTS = 40
"""Transactions take a random number of events up to this one: few, so that their bounds differ."""


@runtime_checkable
class Stepped(Protocol):
    """A part of an engine that can have its turns in place of a thread."""

    def step(self) -> bool:
        """Do what there is to do now; return False if there is nothing."""

    def due_us(self) -> int | None:
        """Return when there will be something to do (device clock), null where nobody knows."""


@attrs.frozen(kw_only=True)
class SeededRuntime(Runtime):
    """An engine's runtime in the turns of a world. Of one thread."""

    loop: SteppedLoop
    pool: SeededPool
    world: World

    @classmethod
    def of(cls, world: World, clocks: Clocks, seams: Seams) -> "SeededRuntime":
        """Return a runtime whose parts have their turns from now on."""
        pool = SeededPool(world.seed, StruckWorker(world.faults))
        wakeups = Wakeups(clocks)
        bus = BusThread(EventBus(), clocks)
        runtime = cls(
            pool=pool,
            wakeups=wakeups,
            loop=world.loop(),
            bus=bus,
            seams=attrs.evolve(seams, most=_drawn(world.seed)),
            world=world,
        )
        world.turns.add(runtime, pool.step)
        world.turns.add(runtime, wakeups.fire_due, wakeups.next_due)
        world.turns.add(runtime, bus.drain)
        return runtime

    def start(self) -> None:
        """Let it be: everything has its turns already."""

    def begin(self, part: Part) -> None:
        """Let a part have its turns; what can only run on a thread is one that can be missed."""
        if isinstance(part, Stepped):
            self.world.turns.add(self, part.step, part.due_us)

    def result(self, future: "Future[T]", timeout_s: float | None) -> T:
        """Let time go on until a future is done, and return what it is given.

        Raises:
            TimeoutError: that took too long.
            Crashed: the engine has ended.
        """
        if self.loop.is_dead:
            raise Crashed
        if not self.world.turns.wait_for(future.done, timeout_s):
            raise TimeoutError
        return future.result(0)

    def stop(self, timeout_s: float) -> None:
        """Do what is left to do, and have no turn any more."""
        self.world.turns.settle()
        self._leave()
        self.pool.stop(timeout_s)
        self.loop.stop(timeout_s)
        self.bus.drain()
        self.bus.close(timeout_s)

    def die(self) -> None:
        """End as a killed process does: nothing more is done, and the other ends notice."""
        self._leave()
        self.loop.die()
        self.world.network.kill(self.loop.loop)

    def bury(self) -> None:
        """Let go of what a dead engine has left in this process."""
        self.loop.stop()

    def _leave(self) -> None:
        self.world.turns.remove(self)
        self.world.turns.remove(self.loop)


def _drawn(seed: int) -> Callable[[], int]:
    source = random.Random(f"batches {seed}")
    return lambda: source.randint(1, _MOST_EVENTS)
