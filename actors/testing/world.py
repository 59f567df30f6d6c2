"""What the engines and devices of a run share, and the clock by which its time goes on."""

import contextlib
from collections.abc import Callable
from datetime import datetime

import attrs

from actors.clock import Clocks
from actors.testing.crashes import Crashed
from actors.testing.faults import Faults
from actors.testing.frames import Splitter
from actors.testing.network import Network, Ways
from actors.testing.stepped import SteppedLoop
from actors.testing.turns import ManualTime, Turns
from actors.testing.wire import Tap
from engine.types import US_PER_S, from_us, to_us


@attrs.frozen
class World:
    """Time, turns, a network and faults, all under one seed. Of one thread."""

    seed: int
    time: ManualTime = attrs.field(factory=ManualTime)
    turns: Turns = attrs.field(init=False)
    network: Network = attrs.field(init=False)
    faults: Faults = attrs.field(init=False)
    _loops: list[SteppedLoop] = attrs.field(factory=list, init=False)

    @turns.default
    def _turns(self) -> Turns:
        return Turns(self.time, self.seed)

    @network.default
    def _network(self) -> Network:
        return Network(self.seed)

    @faults.default
    def _faults(self) -> Faults:
        return Faults(self.time.now_us, self.seed)

    def loop(self) -> SteppedLoop:
        """Return a loop that has its turns."""
        made = SteppedLoop(self.time, self.network)
        self._loops.append(made)
        self.turns.add(made, made.loop.step, made.loop.due_us)
        return made

    def close(self) -> None:
        """Stop all its loops, those of devices of others among them. Twice is once."""
        while self._loops:
            self._loops.pop().stop()

    def tap(self, port: int, splitter: Callable[[], Splitter], *assets: str) -> None:
        """Let faults of the wire strike what is sent to and from a device that listens at a port.

        ``splitter`` makes what cuts one connection's bytes into messages; ``assets`` are whose
        device it is.
        """

        def ways() -> Ways:
            tap = Tap(splitter(), self.faults, lambda: assets)
            return lambda data: tap.through("in", data), lambda data: tap.through("out", data)

        self.network.tap(port, ways)


@attrs.define
class WorldClock:
    """The clock of a world: it stands until a test moves it.

    Moving stops whenever somebody is due, and lets all come to rest before time goes on. An engine
    that crashes on the way is gone; the others and the devices go on.
    """

    world: World
    clocks: Callable[[], Clocks | None] = lambda: None
    """The clocks of the site that was made last, whose plan time `advance_to` means."""

    @property
    def now(self) -> datetime:
        """Plan time, aware, in UTC: device time where no site says otherwise."""
        return from_us(self._clocks().now().plan_us)

    def advance(self, s: float) -> None:
        """Let device time go on by seconds; plan time follows at its speed."""
        self._run_until(self.world.time.device_us + round(s * US_PER_S))

    def advance_to(self, t: datetime | str) -> None:
        """Let plan time go on to ``t``, aware or ISO 8601 with its offset.

        Raises:
            ValueError: the time is past, has no time zone, or plan time stands.
        """
        plan_us = to_us(datetime.fromisoformat(t) if isinstance(t, str) else t)
        device_us = self._clocks().device_of_plan(plan_us)
        if device_us is None:
            raise ValueError("plan time stands: it begins to run with a schedule")
        self._run_until(device_us)

    def _clocks(self) -> Clocks:
        return self.clocks() or Clocks(self.world.time)

    def _run_until(self, device_us: int) -> None:
        while self.world.time.device_us < device_us:
            with contextlib.suppress(Crashed):
                self.world.turns.run_until(device_us)
