"""Whole engines on chargers that answer at once, in the same process; the store is a real file."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import pandas as pd

from actors.bench.device import InstantAdapter, InstantOptions
from actors.clock import wall_now
from actors.system import ActorSystem
from engine.adapters.registry import AdapterRegistry
from engine.config import AssetConfig, Site
from engine.rules import AssetRules
from engine.types import AssetId, AssetKind

_BEGINS: Final = pd.Timestamp(wall_now()).floor("h")
"""Once for a process: two schedules of the same powers are the same, whatever the time."""


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
    """Return a schedule of days for all chargers, from now or ``shift`` days later."""
    return days(*rows, columns=[f"ev_{n}_kw" for n in range(count)], shift=shift)


def days(*rows: float, columns: Sequence[str], shift: int = 0) -> pd.DataFrame:
    """Return a schedule of days, the same in every column; no test outlasts its first slot."""
    start = _BEGINS + pd.Timedelta(days=shift)
    index = pd.date_range(start, periods=len(rows), freq="24h")
    return pd.DataFrame({column: list(rows) for column in columns}, index=index)
