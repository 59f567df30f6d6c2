"""The benches ``growth``: what dispatch, a re-plan and a restart cost at one size and the next.

The read model is left out: it follows in quiet moments, and an engine would be busy with it while
it is measured.
"""

import shutil
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Final

import attrs

from actors.accepted import encode_accepted
from actors.bench.device import InstantAdapter, InstantOptions
from actors.bench.engine import SteppedPlan, dispatched, folder, herd, keys_of, site_of
from actors.bench.replan import accepted, day, rolled
from actors.bench.rest import at_rest
from actors.bench.rows import Row, row
from actors.clock import steady_s
from actors.following import Follower
from actors.reading import VOCABULARY, Reader
from actors.recovery import recover
from actors.runtime import Part, Runtime
from actors.snapshots import Snapshots
from actors.store import open_store
from actors.system import ActorSystem
from actors.testing.logs import START_US, asset_name, depot_rows, depot_rules
from engine.adapters.registry import AdapterRegistry
from engine.codec import Codec
from engine.config import AssetConfig, Defaults, Site
from engine.types import US_PER_S, from_us

SIZES: Final = (1_000, 10_000, 50_000)
"""Assets, each on an empty store."""
LENGTHS: Final = (10_000, 100_000, 1_000_000, 10_000_000)
"""Events in the store, of a thousand assets."""
OF_EVENTS: Final = 1_000
_SLOTS: Final = 2
_ROWS: Final = 20_000
_MOST_CHANGES: Final = 48
_MINUTE_US: Final = 60 * US_PER_S
_CODEC: Final = Codec(VOCABULARY)


@attrs.frozen
class Cost:
    """Seconds of a herd of two slots, of a re-plan and of a restart."""

    dispatch_s: float
    replan_s: float
    recover_s: float


class Unfollowed(Runtime):
    """Runs an engine without its read model."""

    def begin(self, part: Part) -> None:
        """Let a part begin, unless it is the read model's."""
        if not isinstance(part, Follower):
            super().begin(part)


def cost(site: Site, begin_us: int) -> Cost:
    """Return what an engine's work costs on a store, from a plan time on."""
    import pandas as pd

    plan = SteppedPlan(begin_us - 1)
    instant = InstantAdapter()
    adapters = AdapterRegistry({"instant": instant, "fake": instant})
    with ActorSystem.open(
        site, clocks=plan.clocks(), adapters=adapters, runtime=Unfollowed.threads
    ) as system:
        at_rest(system, model=False)
        table = herd(keys_of(site), _SLOTS, pd.Timestamp(from_us(begin_us)))
        _, dispatch_s = dispatched(system, plan, table)
        at_rest(system, model=False)
        first = day(site, table.index[-1] + pd.Timedelta(minutes=15))
        accepted(system, first)
        at_rest(system, model=False)
        replan_s = accepted(system, rolled(first)).took_s
        at_rest(system, model=False)
    return Cost(dispatch_s, replan_s, _recover_s(site))


def _recover_s(site: Site) -> float:
    store = open_store(site.store_url)
    try:
        began_s = steady_s()
        recover(Reader(store, _CODEC))
        return steady_s() - began_s
    finally:
        store.close()


# --- by assets


def by_assets(runs: int, sizes: Sequence[int] = SIZES) -> Iterator[Row]:
    """Yield the rows of engines with so many assets, beside costs in proportion to them."""
    found = {size: [_cost_of_assets(size) for _ in range(runs)] for size in sizes}
    yield from _rows("assets", found, lambda size: size / sizes[0])


def _cost_of_assets(count: int) -> Cost:
    with folder() as place:
        return cost(site_of(count, place), START_US)


# --- by the length of the log


@attrs.frozen
class Depot:
    """A log of so many events, more or less, and when the last schedule of it is over."""

    assets: int
    changes: int
    schedules: int

    @classmethod
    def of(cls, length: int, assets: int) -> "Depot":
        """Return one of which so many assets have so many events in all."""
        changes = max(1, length // assets // 2 - 2)
        schedules = -(-changes // _MOST_CHANGES)
        return cls(assets, -(-changes // schedules), schedules)

    @property
    def over_us(self) -> int:
        """When its last schedule is over, in plan time."""
        return START_US + self.schedules * self.changes * _MINUTE_US

    def site(self, place: Path) -> Site:
        """Return its site, with the store in a folder."""
        return Site(
            id="sit_depot",
            timezone="UTC",
            store_url=f"sqlite:///{place / 'bench.db'}",
            defaults=Defaults(dispatch_interval_seconds=3_600.0),
            assets=tuple(
                AssetConfig(depot_rules(asset_name(number)), InstantOptions())
                for number in range(1, self.assets + 1)
            ),
        )

    def write(self, place: Path) -> int:
        """Write its log and the snapshots that an engine keeps; return how many events it has."""
        store = open_store(self.site(place).store_url)
        try:
            for rows in depot_rows(self.assets, self.changes, _ROWS, self.changes, self.schedules):
                store.append(rows)
            found = recover(Reader(store, _CODEC))
            snapshots = Snapshots(store, {})
            snapshots.offer_changed(found.assets.values())
            kept = found.accepted
            snapshots.offer_row(encode_accepted(kept.sequence, kept.digests, kept.offers))
            snapshots.write(everything=True)
            return store.last_position()
        finally:
            store.close()


def by_events(
    runs: int, lengths: Sequence[int] = LENGTHS, assets: int = OF_EVENTS
) -> Iterator[Row]:
    """Yield the rows of engines on logs of so many events, beside what the shortest costs."""
    found = {}
    for length in lengths:
        depot = Depot.of(length, assets)
        with folder() as place:
            events = depot.write(place)
            found[events] = [_cost_of_copy(depot, place, events) for _ in range(runs)]
    yield from _rows("events", found, lambda _: 1.0)


def _cost_of_copy(depot: Depot, place: Path, events: int) -> Cost:
    with folder() as copy:
        shutil.copyfile(place / "bench.db", copy / "bench.db")
        store = open_store(depot.site(copy).store_url, read_only=True)
        copied = store.last_position()
        store.close()
        if copied != events:
            raise ValueError(f"{copied} of {events} events were copied")
        return cost(depot.site(copy), depot.over_us)


# --- rows


def _rows(unit: str, found: dict[int, list[Cost]], grown: Callable[[int], float]) -> Iterator[Row]:
    """Yield a row for each kind of cost and size, beside what the smallest lets one expect."""
    beside = "in proportion to the smallest" if unit == "assets" else "the same as the shortest"
    for field in attrs.fields(Cost):
        expected = None
        name = f"{field.name.removesuffix('_s')}_by_{unit}"
        for size, costs in found.items():
            values = [getattr(one, field.name) for one in costs]
            made = row(name, values, "s")
            value = sorted(values)[len(values) // 2]
            expected = value if expected is None else expected
            limit = expected * grown(size)
            yield {
                **made,
                "limit": round(limit, 4),
                "limit_name": beside,
                "ratio": round(limit / value, 3),
                "size": size,
            }
