"""How fast an engine starts, takes a schedule and dispatches it, on devices in this process."""

import statistics
import tempfile
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Final

import attrs

from actors.bench.convert import frame
from actors.bench.device import InstantAdapter, InstantOptions
from actors.clock import IDENTITY, ClockMapping, Clocks, DeviceClock, steady_s
from actors.journal import Journal
from actors.reading import VOCABULARY
from actors.runtime import Runtime
from actors.store import open_store
from actors.system import ActorSystem
from engine.adapters.registry import AdapterRegistry
from engine.asset.messages import Woke
from engine.codec import Codec, Record, Row
from engine.commands import CommandStatus
from engine.config import AssetConfig, Defaults, Site
from engine.rules import AssetRules
from engine.types import AssetId, AssetKind, to_us

if TYPE_CHECKING:
    from datetime import datetime

    import pandas as pd

BEGIN: Final = "2025-01-01"
"""When the schedules of a bench begin, in UTC."""
_WAIT_S: Final = 120.0
_WOKE = Woke()


@contextmanager
def folder() -> Iterator[Path]:
    """Give a folder that is gone afterwards."""
    with tempfile.TemporaryDirectory(prefix="setpoint-bench-") as name:
        yield Path(name)


def site_of(count: int, place: Path) -> Site:
    """Return a site of so many chargers, with its store in a folder."""
    assets = tuple(
        AssetConfig(
            AssetRules(
                AssetId(f"ast_{index}"),
                AssetKind.EV_CHARGER,
                "instant",
                str(index),
                22_000,
                fallback_w=4_200,
                stale_s=3_600.0,
                on_stop="hold",
            ),
            InstantOptions(),
        )
        for index in range(count)
    )
    return Site(
        id="sit_bench",
        timezone="UTC",
        store_url=f"sqlite:///{place / 'bench.db'}",
        defaults=Defaults(dispatch_interval_seconds=3_600.0),
        assets=assets,
    )


@contextmanager
def running(
    count: int,
    clocks: Clocks | None = None,
    *,
    adapter: InstantAdapter | None = None,
    runtime: Callable[[Clocks], Runtime] | None = None,
) -> Iterator[tuple[ActorSystem, float]]:
    """Give a running engine on an empty store, and how many seconds it took to open."""
    with folder() as place:
        adapters = AdapterRegistry({"instant": adapter or InstantAdapter()})
        site = site_of(count, place)
        began_s = steady_s()
        system = ActorSystem.open(site, clocks=clocks, adapters=adapters, runtime=runtime)
        took_s = steady_s() - began_s
        try:
            yield system, took_s
        finally:
            system.close(_WAIT_S)


def schedule(count: int, slots: int = 96) -> "pd.DataFrame":
    """Return a schedule of so many chargers, whose columns name them by number."""
    made = frame(count + count // 9 + 1, slots, seed=1)
    made = made[[name for name in made.columns if str(name).startswith("ev_")]].iloc[:, :count]
    made.columns = [f"ev_{index}_kw" for index in range(len(made.columns))]
    return made


def keys_of(site: Site) -> list[str]:
    """Return by which keys a schedule names the assets of a site."""
    return [one.rules.schedule_key or "" for one in site.assets]


def herd(
    keys: Sequence[str],
    slots: int,
    begin: "str | datetime | pd.Timestamp" = BEGIN,
    slot_s: float = 900.0,
) -> "pd.DataFrame":
    """Return a schedule in which the power of every charger that it names changes at every slot."""
    import pandas as pd

    step = pd.Timedelta(seconds=slot_s)
    index = pd.date_range(begin, periods=slots, freq=step, tz="UTC")
    powers = [
        [(7_919 * (row + number)) % 22_000 / 1_000 for number in range(len(keys))]
        for row in range(slots)
    ]
    return pd.DataFrame(powers, index, [f"ev_{key}_kw" for key in keys])


@attrs.define
class SteppedPlan:
    """A plan clock that stands where it is put, so that a slot lasts as long as its commands."""

    at_us: int
    mapping: ClockMapping = IDENTITY

    def plan_us(self, device_us: int) -> int:
        """Return where it was put."""
        del device_us
        return self.at_us

    def device_us(self, plan_us: int) -> None:
        """Plan times are not reached by themselves."""
        del plan_us

    def clocks(self) -> Clocks:
        """Return clocks of which this is the plan clock."""
        return Clocks(DeviceClock(), self)  # type: ignore[arg-type]  # a plan clock by its methods


class Tally:
    """Counts committed events of one kind, and lets a bench wait for a number of them."""

    def __init__(self, journal: Journal, topic: str, status: CommandStatus | None = None) -> None:
        """Count from now on; with a ``status`` only those that gave their commands this one."""
        self._topic = topic
        self._status = status
        self._count = 0
        self._changed = threading.Condition()
        journal.hooks.committed.append(self._committed)

    def _committed(self, records: Sequence[Record]) -> None:
        more = len([record for record in records if self._counts(record)])
        if more:
            with self._changed:
                self._count += more
                self._changed.notify_all()

    def _counts(self, record: Record) -> bool:
        if record.topic != self._topic:
            return False
        return self._status is None or record.event.status is self._status

    def wait(self, count: int) -> None:
        """Wait for so many in all.

        Raises:
            TimeoutError: they did not come.
        """
        with self._changed:
            if not self._changed.wait_for(lambda: self._count >= count, _WAIT_S):
                raise TimeoutError(f"{self._count} of {count} {self._topic} were committed")


def start_s(assets: int) -> float:
    """Return how long it takes until so many assets are ready on an empty store."""
    with running(assets) as (_, took_s):
        return took_s


def submit_s(assets: int) -> float:
    """Return how long `submit` takes for a day of so many assets, until it is committed."""
    table = schedule(assets)
    first_us = to_us(table.index[0].to_pydatetime())
    with running(assets, SteppedPlan(first_us - 1).clocks()) as (system, _):
        began_s = steady_s()
        system.submit(table)
        return steady_s() - began_s


@attrs.frozen
class Dispatched:
    """What a dispatch run did: commands, seconds, and the same rows' cost without an engine."""

    commands: int
    took_s: float
    reference_s: float

    @property
    def rate(self) -> float:
        """Commands per second."""
        return self.commands / self.took_s

    @property
    def ratio(self) -> float:
        """The rate beside that of encoding and inserting the same rows."""
        return self.reference_s / self.took_s


def dispatch(
    assets: int, slots: int, runtime: Callable[[Clocks], Runtime] | None = None
) -> Dispatched:
    """Dispatch every slot's commands as fast as they go, each durable before it is sent.

    At each slot all assets change at once, and the next begins when the last of them is done.
    """
    plan = SteppedPlan(0)
    with running(assets, plan.clocks(), runtime=runtime) as (system, _):
        done, took_s = dispatched(system, plan, herd(keys_of(system.site), slots))
        attempts = [one for one in system.events() if one.topic.startswith("asset.attempt_")]
    return Dispatched(done, took_s, _reference_s(attempts))


def dispatched(system: ActorSystem, plan: SteppedPlan, table: "pd.DataFrame") -> tuple[int, float]:
    """Carry out a schedule slot by slot; return how many commands, and in how many seconds."""
    starts = [to_us(one.to_pydatetime()) for one in table.index]
    ids = [one.rules.asset_id for one in system.site.assets]
    plan.at_us = starts[0] - 1
    planned = Tally(system.journal, "asset.plan_replaced")
    tally = Tally(system.journal, "asset.attempt_ended")
    per_slot = [[ids[number] for number in due] for due in _due_per_slot(table)]
    system.submit(table)
    planned.wait(len(ids))
    return bring_on(system, plan, zip(starts, per_slot, strict=True), tally)


def bring_on(
    system: ActorSystem,
    plan: SteppedPlan,
    slots: Iterable[tuple[int, Sequence[AssetId]]],
    tally: Tally,
) -> tuple[int, float]:
    """Bring on slot after slot, each when the last one's commands are done.

    A slot is when it begins, and whose power changes with it. Returns how many commands that were,
    and how many seconds they took.
    """
    done, began_s = 0, steady_s()
    for start_us, due in slots:
        plan.at_us = start_us
        done += len(due)
        for asset_id in due:
            system.assembly.tell[asset_id](_WOKE)
        tally.wait(done)
    return done, steady_s() - began_s


def _due_per_slot(table: "pd.DataFrame") -> list[list[int]]:
    """Return whose power changes at each slot, by number: those that the timer would wake."""
    watts = (table * 1_000).round().astype("int64")
    last = watts.iloc[0] * 0 - 10
    due = []
    for _, row in watts.iterrows():
        changed = (row - last).abs() > 1
        last = last.where(~changed, row)
        due.append([int(number) for number in changed.to_numpy().nonzero()[0]])
    return due


def _reference_s(records: Sequence[Record]) -> float:
    """Return how long encoding and inserting the same rows takes, 2,000 at a time.

    No engine may run meanwhile: its read model would take time from it.
    """
    codec = Codec(VOCABULARY)
    with folder() as place:
        store = open_store(f"sqlite:///{place / 'reference.db'}")
        began_s = steady_s()
        for first in range(0, len(records), 2_000):
            batch: list[Row] = [
                codec.encode(one.header, one.event) for one in records[first : first + 2_000]
            ]
            store.append(batch)
        took_s = steady_s() - began_s
        store.close()
    return took_s


def median(values: list[float]) -> float:
    """Return the median of runs."""
    return statistics.median(values)
