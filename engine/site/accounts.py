"""An asset's account under one direction of a site's limits."""

from collections.abc import Mapping, MutableMapping
from typing import TypeAlias

from engine.grants import Bound, Share
from engine.phases import WHOLE, WHOLE_ALONE, Use
from engine.types import AssetId

Rooms: TypeAlias = Mapping[str, int]
"""Watts by the name of the line."""


class Account:
    """One asset in one direction: its share, and the bounds that it may still act on."""

    __slots__ = ("asset_id", "heard", "open", "priority", "share", "told", "uses")

    def __init__(
        self, asset_id: AssetId, priority: int, share: Share, uses: tuple[Use, ...] = WHOLE_ALONE
    ) -> None:
        """Open an account: nothing is granted yet."""
        self.asset_id = asset_id
        self.priority = priority
        self.share = share
        self.uses = uses
        """What its power takes of the lines that have a limit."""
        self.told: Bound | None = None
        """The newest bound that the asset was told."""
        self.heard = True
        """Whether it is not known to have missed that."""
        self.open: list[tuple[int, int]] = []
        """The numbers and watts of the bounds that it may still act on, the newest last."""

    @property
    def reserved_w(self) -> int:
        """The most that the asset may hold, or come to hold under what it was granted."""
        return max([self.share.holds_w, *(most_w for _, most_w in self.open)])

    @property
    def own_w(self) -> int:
        """What is the asset's own to keep: what it was granted, or held before anything was.

        Its floor is, also where it was to go below it for a while.
        """
        if self.told is None:
            return self.reserved_w
        return max(self.told.most_w, self.share.floor_w)

    def claim(self, share: Share, number: int) -> None:
        """Take a new share; bounds before that ``number`` are acted on no more."""
        self.share = share
        self.open = [one for one in self.open if one[0] >= number]

    def grant(self, bound: Bound, number: int) -> None:
        """Take note of what the asset is told."""
        self.told, self.heard = bound, True
        self.open.append((number, bound.most_w))

    def within(self, rooms: Rooms, from_w: int, to_w: int) -> int:
        """Return how far a power may go from what is reckoned with already towards another."""
        if self.uses is WHOLE_ALONE:
            return min(to_w, from_w + rooms[WHOLE])
        return min([to_w, *(use.most_w(use.of(from_w) + rooms[use.line]) for use in self.uses)])

    def take(self, rooms: MutableMapping[str, int], from_w: int, to_w: int) -> None:
        """Take the room that a power needs as it goes from one value to another."""
        if self.uses is WHOLE_ALONE:
            rooms[WHOLE] -= to_w - from_w
            return
        for use in self.uses:
            rooms[use.line] -= use.of(to_w) - use.of(from_w)
