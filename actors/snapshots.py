"""Snapshots: states kept beside the log, so that a start reads only what came after them."""

import logging
from collections.abc import Iterable, Mapping
from typing import Final

from actors.store import Store
from engine.asset import AssetState
from engine.asset.snapshot import encode
from engine.codec import Row
from engine.errors import StoreError
from engine.types import AssetId

logger = logging.getLogger("setpoint")

EVERY: Final = 64
"""How many events of a stream there are from one snapshot to the next."""
TOPIC: Final = "snapshot.asset"
_BATCH: Final = 500


class Snapshots:
    """Keeps the newest states offered, and stores them when the journal has nothing else to do.

    They are an optimisation: one that cannot be stored is not missed.
    """

    def __init__(
        self, store: Store, versions: Mapping[AssetId, int], *, every: int = EVERY
    ) -> None:
        """Begin; ``versions`` are those of the assets' snapshots in the store."""
        self._store = store
        self._every = every
        self._versions = dict(versions)
        self._waiting: dict[str, AssetState | Row] = {}

    def due_at(self, asset_id: AssetId) -> int:
        """Return the version at which an asset's next snapshot is due. Any thread."""
        return self._versions.get(asset_id, 0) + self._every

    def offer(self, state: AssetState) -> int:
        """Have a committed state stored; return when the next one is due. Any thread."""
        self._versions[state.asset_id] = state.version
        self._waiting[state.asset_id] = state
        return state.version + self._every

    def offer_row(self, row: Row) -> None:
        """Have a row stored that is a snapshot already. Any thread."""
        self._waiting[row.stream] = row

    def offer_changed(self, states: Iterable[AssetState]) -> None:
        """Have those states stored that are newer than their snapshots. Any thread."""
        for state in states:
            if state.version > self._versions.get(state.asset_id, 0):
                self.offer(state)

    def write(self, *, everything: bool = False) -> None:
        """Store some of what waits, or everything. The journal's thread."""
        while self._waiting:
            rows: list[Row] = []
            while self._waiting and len(rows) < _BATCH:
                _, one = self._waiting.popitem()
                rows.append(one if isinstance(one, Row) else _row(one))
            try:
                self._store.save_snapshots(rows)
            except StoreError as error:
                logger.warning("snapshots were not kept: %s", error)
                return
            if not everything:
                return


def _row(state: AssetState) -> Row:
    return Row(state.asset_id, state.version, TOPIC, encode(state))
