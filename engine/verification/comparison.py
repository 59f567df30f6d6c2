"""What is kept beside the log and has to agree with it: a place for those who keep such a thing."""

from collections.abc import Iterable
from typing import Protocol

from engine.asset import AssetState
from engine.codec import Record
from engine.discrepancy import Discrepancy


class Comparison(Protocol):
    """Compares snapshots, or a read model, with the log while that is verified."""

    def recorded(self, record: Record, state: AssetState | None) -> Iterable[Discrepancy]:
        """Take the next record that can be read; return what disagrees with it.

        ``state`` is its asset's after it, null for other streams.
        """
        ...

    def finished(self) -> Iterable[Discrepancy]:
        """Return what disagrees once the whole log has been read."""
        ...
