"""An adapter of a third party that can be made to fail or hang at any place, for tests."""

from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import attrs

from actors.bench.device import InstantAdapter, InstantOptions
from actors.clock import Clocks
from actors.pool import Pool
from actors.runtime import Runtime
from actors.supervisor import Watchdog
from actors.system import ActorSystem
from engine.adapters.base import (
    Answer,
    AssetView,
    Connected,
    Frame,
    Link,
    Observation,
    Payload,
    SetpointRead,
    StateReported,
)
from engine.adapters.registry import AdapterRegistry
from engine.commands import Attempt, Command
from engine.config import AssetConfig, Defaults, Site
from engine.rules import AssetRules
from engine.types import AssetId, AssetKind

if TYPE_CHECKING:
    from engine.codec import Record

Fault = Callable[[], object]


@attrs.frozen
class FaultyOptions:
    """Which device it is."""

    key: str


class FaultyAdapter:
    """Obedient devices that hold what they are sent, until ``faults`` has something for a place.

    A place is a method's name and a device's key. What is there is called: it may raise or block,
    and what it returns, if anything, is given in place of the right answer.
    """

    options: type = FaultyOptions

    def __init__(self) -> None:
        """Begin without faults."""
        self.faults: dict[tuple[str, str], Fault] = {}
        self.sent: defaultdict[str, list[Payload]] = defaultdict(list)
        """The control frames that each device got."""
        self.links: dict[str, FaultyLink] = {}

    def strike(self, place: str, key: str) -> Any:  # noqa: ANN401 - whatever a fault returns
        """Let happen what is to happen at a place."""
        fault = self.faults.get((place, key))
        return None if fault is None else fault()

    def translate(self, command: Command, asset: AssetView, attempt: Attempt) -> Payload:
        """Spell a command as one frame."""
        struck: Payload | None = self.strike("translate", _key(asset))
        body: dict[str, object] = {"kw": command.value_kw, "attempt": attempt.id}
        return struck or Payload((Frame("Set", body),), command.value_kw)

    def interpret(self, answer: Answer, asset: AssetView) -> tuple[Observation, ...]:
        """Return the readings in an answer."""
        self.strike("interpret", _key(asset))
        return tuple(one for one in answer.values if isinstance(one, SetpointRead))

    def questions(self, asset: AssetView) -> tuple[Payload, ...]:
        """Ask what the device holds."""
        self.strike("questions", _key(asset))
        return (Payload((Frame("Get", {}, control=False),)),)

    def link(self, options: object, report: Callable[[Observation], None]) -> Link:
        """Return a device."""
        key = options.key if isinstance(options, FaultyOptions) else ""
        self.strike("link", key)
        self.links[key] = FaultyLink(self, key, report)
        return self.links[key]


def _key(asset: AssetView) -> str:
    return asset.options.key if isinstance(asset.options, FaultyOptions) else ""


@attrs.define
class FaultyLink:
    """A device that is there, and does what it is told but for its faults."""

    adapter: FaultyAdapter
    key: str
    report: Callable[[Observation], None]
    held_kw: float | None = 0.0

    async def open(self) -> None:
        """Be connected, unless that fails; what it returns is waited for."""
        waiting = self.adapter.strike("open", self.key)
        if waiting is not None:
            await waiting
        self.report(Connected())
        self.report(StateReported("PREPARING", "Preparing"))

    async def send(self, payload: Payload, timeout_s: float) -> Answer:
        """Do as told, or say what is held."""
        del timeout_s
        if not payload.frames[0].control:
            return Answer("held", values=(SetpointRead(self.held_kw, 0.0),))
        self.adapter.sent[self.key].append(payload)
        self.held_kw = payload.applied_kw
        struck: Answer | None = self.adapter.strike("send", self.key)
        return Answer("done") if struck is None else struck

    async def close(self) -> None:
        """Let go, unless that fails; what it returns is waited for."""
        waiting = self.adapter.strike("close", self.key)
        if waiting is not None:
            await waiting


def site(place: Path, faulty: Sequence[str], sound: int = 1, sweep_s: float = 0.1) -> Site:
    """Return a site of devices that may fail and of sound ones, ``ast_sound_0`` and so on."""
    named: list[tuple[str, str, object]] = []
    named += [(key, "faulty", FaultyOptions(key)) for key in faulty]
    named += [(f"sound_{n}", "instant", InstantOptions()) for n in range(sound)]
    assets = tuple(
        AssetConfig(
            AssetRules(
                AssetId(f"ast_{key}"),
                AssetKind.EV_CHARGER,
                adapter,
                key,
                22_000,
                fallback_w=4_200,
                on_stop="hold",
            ),
            options,
        )
        for key, adapter, options in named
    )
    defaults = Defaults(dispatch_interval_seconds=sweep_s)
    return Site("sit_t", "UTC", f"sqlite:///{place / 't.db'}", assets, defaults=defaults)


@contextmanager
def opened(
    place: Path,
    adapter: FaultyAdapter,
    faulty: Sequence[str] = ("bad",),
    *,
    sound: int = 1,
    hung_after_s: float = 10.0,
) -> Iterator[ActorSystem]:
    """Open an engine of faulty and sound devices; a handler hangs after ``hung_after_s``."""
    adapters = AdapterRegistry({"instant": InstantAdapter(), "faulty": adapter})

    def runtime(clocks: Clocks) -> Runtime:
        pool = Pool(1, max_extra=2)
        watchdog = Watchdog(pool, hung_after_s=hung_after_s, interval_s=0.02)
        return attrs.evolve(Runtime.threads(clocks), pool=pool, watchdog=watchdog)

    system = ActorSystem.open(site(place, faulty, sound), adapters=adapters, runtime=runtime)
    try:
        yield system
    finally:
        system.close(4.0)


def recorded(system: ActorSystem, *types: type) -> "list[Record]":
    """Return what is on record of these types of events."""
    return [one for one in system.events() if isinstance(one.event, types)]
