"""A store and a clock that are struck by faults."""

from collections.abc import Sequence

import attrs

from actors.testing.crashes import CrashingStore
from actors.testing.faults import CLOCK, STORE, Fault
from actors.testing.world import World
from engine.codec import Row
from engine.errors import StoreUnavailable
from engine.types import US_PER_S


def _is_of_store(fault: Fault) -> bool:
    return fault.kind in STORE


def _is_of_clock(fault: Fault) -> bool:
    return fault.kind in CLOCK


@attrs.define
class StruckStore(CrashingStore):
    """A store whose appends may fail, be slow, or be stored without that being told."""

    world: World = attrs.field(kw_only=True)

    def append(self, rows: Sequence[Row]) -> Sequence[int]:
        """Store, as far as no fault comes between."""
        faults, time = self.world.faults, self.world.time
        jump = faults.strike(_is_of_clock)
        if jump is not None:
            time.wall_ahead_us += round(jump.seconds * US_PER_S)
        fault = faults.strike(_is_of_store)
        kind = None if fault is None else fault.kind
        if fault is not None and kind == "slow":
            time.device_us += round(fault.seconds * US_PER_S)
        elif kind in {"locked", "full"}:
            raise StoreUnavailable(f"the store is {kind}")
        positions = super().append(rows)
        if kind == "reply_lost":
            raise StoreUnavailable("the answer was lost")
        return positions
