"""What faults did to messages on their way to a device: the judge blames no engine for it."""

from collections.abc import Collection, Sequence
from typing import Final

import attrs

from actors.sim.wirelog import WireEntry
from actors.testing.attempts import Attempt
from actors.testing.faults import LASTING, Injected
from engine.types import US_PER_S, AssetId, to_us

_SLOWS: Final = frozenset({"delay", "drip"}) | LASTING


@attrs.frozen
class OnTheWay:
    """What happened to what one device was sent; ``assets`` are whose it is."""

    struck: Sequence[Injected]
    assets: Collection[AssetId]

    @classmethod
    def to(cls, assets: Collection[AssetId], struck: Sequence[Injected]) -> "OnTheWay":
        """Return what happened on the way to the device of some assets."""
        own = [one for one in struck if one.asset in assets and one.direction != "out"]
        return cls(own, assets)

    def is_reordered(self, message_id: object) -> bool:
        """Whether a message was made to arrive behind a later one."""
        return any(one.kind == "reorder" and one.message_id == message_id for one in self.struck)

    def slack_us(self, attempt: Attempt, seen_us: int) -> int:
        """Return how long a frame may have been held up before it was seen."""
        held_s = (
            one.seconds
            for one in self.struck
            if one.kind in _SLOWS
            and to_us(one.at) <= seen_us
            and (one.kind in LASTING or _until_us(one) >= attempt.recorded_us)
        )
        return round(max(held_s, default=0.0) * US_PER_S)

    def once_each(self, entries: Sequence[WireEntry]) -> list[WireEntry]:
        """Return a wire log without what was only made to arrive a second time."""
        doubled = [one.message_id for one in self.struck if one.kind == "duplicate"]
        kept: list[WireEntry] = []
        before: WireEntry | None = None
        for entry in entries:
            is_again = before is not None and _content(entry) == _content(before)
            if entry.direction == "in":
                before = entry
                if is_again and entry.message_id in doubled:
                    doubled.remove(entry.message_id)
                    continue
            kept.append(entry)
        return kept


def _until_us(struck: Injected) -> int:
    return to_us(struck.at) + round(struck.seconds * US_PER_S)


def _content(entry: WireEntry) -> tuple[object, ...]:
    return entry.message_id, entry.action, entry.payload
