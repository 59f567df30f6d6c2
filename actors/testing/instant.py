"""Whole engines on chargers that answer at once, in the same process; the store is a real file."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pandas as pd

from actors.bench.device import InstantAdapter, InstantOptions
from actors.clock import wall_now
from actors.system import ActorSystem
from engine.adapters.registry import AdapterRegistry
from engine.config import AssetConfig, Site
from engine.rules import AssetRules
from engine.types import AssetId, AssetKind


def site(place: Path, count: int = 2) -> Site:
    """Return a site of instant chargers with a store in a folder."""
    assets = tuple(
        AssetConfig(
            AssetRules(
                AssetId(f"ast_{n}"),
                AssetKind.EV_CHARGER,
                "instant",
                str(n),
                22_000,
                fallback_w=4_200,
                on_stop="hold",
            ),
            InstantOptions(),
        )
        for n in range(count)
    )
    return Site("sit_t", "UTC", f"sqlite:///{place / 't.db'}", assets)


@contextmanager
def opened(place: Path, count: int = 2) -> Iterator[ActorSystem]:
    """Open an engine on instant devices."""
    adapters = AdapterRegistry({"instant": InstantAdapter()})
    with ActorSystem.open(site(place, count), adapters=adapters) as system:
        yield system


def plan(*rows: float, count: int = 2, shift: int = 0) -> pd.DataFrame:
    """Return a schedule of hours from this hour on, the same for every charger."""
    start = pd.Timestamp(wall_now()).floor("h") + pd.Timedelta(hours=shift)
    index = pd.date_range(start, periods=len(rows), freq="h")
    return pd.DataFrame({f"ev_{n}_kw": list(rows) for n in range(count)}, index=index)
