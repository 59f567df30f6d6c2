"""How fast a record of a million events, and of a million commands, is rebuilt and asked."""

import atexit
import functools
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import attrs

from actors.bench.engine import folder
from actors.clock import steady_s
from actors.following import rebuild
from actors.reading import VOCABULARY, Reader
from actors.recovery import rebuilt, recover
from actors.snapshots import Snapshots
from actors.store import Store, open_store
from actors.store.tables import place_of
from actors.testing.logs import asset_name, depot_rows
from engine.codec import Codec
from engine.history import Filters
from engine.types import AssetId

ASSETS: Final = 10_000
CHANGES: Final = 48
"""Of an asset's plan that were carried out: with them it has about 100 events."""
PLANNED: Final = 100
"""Commands of an asset: a million of all."""
_ROWS: Final = 20_000
_CODEC: Final = Codec(VOCABULARY)


@attrs.frozen
class Prepared:
    """A store of a depot that has run for a while."""

    url: str
    store: Store
    assets: Sequence[AssetId]

    def reader(self) -> Reader:
        """Return what reads it, with its read model."""
        return Reader(self.store, _CODEC, place_of(self.url))


@contextmanager
def prepared(assets: int, changes: int, planned: int) -> Iterator[Prepared]:
    """Give a store in a folder that is gone afterwards."""
    with folder() as place:
        shutil.copyfile(_written(assets, changes, planned), place / "bench.db")
        url = f"sqlite:///{place / 'bench.db'}"
        store = open_store(url)
        try:
            yield Prepared(url, store, [asset_name(number) for number in range(1, assets + 1)])
        finally:
            store.close()


@functools.cache
def _written(assets: int, changes: int, planned: int) -> Path:
    """Write a store's file, once for all benches of this process."""
    place = tempfile.TemporaryDirectory(prefix="setpoint-bench-")
    atexit.register(place.cleanup)
    file = Path(place.name) / "written.db"
    store = open_store(f"sqlite:///{file}")
    try:
        for rows in depot_rows(assets, changes, _ROWS, planned):
            store.append(rows)
    finally:
        store.close()
    return file


def read_s(made: Prepared) -> float:
    """Return how long it takes to read and decode every asset's stream."""
    reader, began_s = made.reader(), steady_s()
    for asset_id in made.assets:
        for _ in reader.stream(asset_id):
            pass
    return steady_s() - began_s


def rebuild_s(made: Prepared) -> float:
    """Return how long it takes to rebuild every asset from its stream alone."""
    reader, began_s = made.reader(), steady_s()
    for asset_id in made.assets:
        rebuilt(reader, asset_id)
    return steady_s() - began_s


def keep_snapshots(made: Prepared) -> None:
    """Keep a snapshot of every asset."""
    snapshots = Snapshots(made.store, {})
    for state in recover(made.reader()).assets.values():
        snapshots.offer(state)
    snapshots.write(everything=True)


def recover_s(made: Prepared) -> float:
    """Return how long a start needs to rebuild everything."""
    began_s = steady_s()
    recover(made.reader())
    return steady_s() - began_s


def keep_model(made: Prepared) -> None:
    """Make the read model."""
    rebuild(place_of(made.url), made.store, _CODEC, lambda *_: None)


def history_s(made: Prepared, number: int) -> float:
    """Return how long the whole history of one asset takes.

    Raises:
        ValueError: not all of its commands were found.
    """
    asset_id, began_s = made.assets[number % len(made.assets)], steady_s()
    found = made.reader().history(Filters(asset=asset_id))
    took_s = steady_s() - began_s
    if len(found) != PLANNED:
        raise ValueError(f"{asset_id} has {len(found)} commands, not {PLANNED}")
    return took_s
