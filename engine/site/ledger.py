"""The ledger of a site limit: who may hold how much, and who may be set to how much.

What the assets may hold never comes to more than the limit, unless it did before: an increase is
granted from what is free, and only what an asset has been seen to leave is free again.
"""

from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby
from operator import attrgetter

from engine.grants import Bound, Share
from engine.types import AssetId


class Account:
    """One asset in one direction: its share, and the bounds that it may still act on."""

    __slots__ = ("asset_id", "heard", "open", "priority", "share", "told")

    def __init__(self, asset_id: AssetId, priority: int, share: Share) -> None:
        """Open an account: nothing is granted yet."""
        self.asset_id = asset_id
        self.priority = priority
        self.share = share
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


class Ledger:
    """One direction of a site's limit. Not a value: assets claim by the thousand at one instant."""

    def __init__(self, limit_w: int, accounts: Iterable[Account]) -> None:
        """Begin with what the assets may hold, as far as the log says."""
        self.limit_w = limit_w
        self.base_w = 0
        """What the base load takes of the limit, or is about to take."""
        self.present_w = 0
        """What it takes now."""
        self._ranked = sorted(accounts, key=lambda one: (-one.priority, one.asset_id))
        self._by_id = {one.asset_id: one for one in self._ranked}

    @property
    def capacity_w(self) -> int:
        """What is left of the limit for the assets; below zero where the base load is above it."""
        return self.limit_w - self.base_w

    @property
    def left_w(self) -> int:
        """What is left of the limit at present."""
        return self.limit_w - self.present_w

    @property
    def reserved_w(self) -> int:
        """What all assets may come to hold together."""
        return sum(one.reserved_w for one in self._ranked)

    def account(self, asset_id: AssetId) -> Account:
        """Return an asset's account.

        Raises:
            KeyError: it has none.
        """
        return self._by_id[asset_id]

    def bounds(self) -> dict[AssetId, Bound]:
        """Return the bounds that are news: another than was told, or for another wish."""
        reserved_w = [one.reserved_w for one in self._ranked]
        total_w = sum(reserved_w)
        most_w = granted(self.capacity_w, self._ranked, reserved_w)
        found = {}
        for account, own_w, may_w in zip(self._ranked, reserved_w, most_w, strict=True):
            told, wish_w = account.told, account.share.wish_w
            answer = None if told is None or not account.heard else (told.most_w, told.answers_w)
            if answer != (may_w, wish_w):
                others_w = total_w - own_w
                found[account.asset_id] = Bound(may_w, wish_w, self.limit_w, self.base_w, others_w)
        return found


def granted(capacity_w: int, ranked: Sequence[Account], reserved_w: Sequence[int]) -> list[int]:
    """Return what each asset may be set to now; ``ranked`` by priority, then id.

    A decrease may come at once, an increase only from what is free: what others are to give up
    is not, until they are known to hold less. Nor is what an asset holds above its grant.
    """
    free_w = max(capacity_w - sum(reserved_w), 0)
    found = []
    for account, due_w in zip(ranked, entitled(capacity_w, ranked), strict=True):
        own_w = account.own_w
        more_w = min(max(due_w - own_w, 0), free_w)
        if own_w + more_w < account.share.least_w:
            more_w = 0
        free_w -= more_w
        found.append(min(due_w, own_w + more_w))
    return found


def entitled(capacity_w: int, ranked: Sequence[Account]) -> list[int]:
    """Return what each asset is to have in the end, by what all of them wish.

    Everybody has his floor. The rest goes by priority, and who has a higher one takes from the
    lower ones; among equals who holds something keeps it, then ids decide.
    """
    left_w = capacity_w - sum(one.share.floor_w for one in ranked)
    if left_w < 0:
        return _below_the_floors(-left_w, ranked)
    found: list[int] = []
    for _, equals in groupby(ranked, attrgetter("priority")):
        own = tuple(equals)
        kept = list(_kept(own, left_w))
        left_w -= sum(kept) - sum(one.share.floor_w for one in own)
        for account, kept_w in zip(own, kept, strict=True):
            due_w = _useful(account.share, min(account.share.wish_w, kept_w + left_w), kept_w)
            left_w -= due_w - kept_w
            found.append(due_w)
    return found


def _kept(equals: Sequence[Account], left_w: int) -> Iterator[int]:
    """Yield what each asset keeps of what it has, as far as it wishes to.

    What it holds above its grant is not its own.
    """
    for account in equals:
        share = account.share
        has_w = min(share.wish_w, account.own_w, share.floor_w + left_w)
        kept_w = _useful(share, has_w, share.floor_w)
        left_w -= kept_w - share.floor_w
        yield kept_w


def _useful(share: Share, power_w: int, instead_w: int) -> int:
    """Return a power, or another instead where it is no more than that, or too little to use."""
    return instead_w if power_w <= instead_w or power_w < share.least_w else power_w


def _below_the_floors(lacking_w: int, ranked: Sequence[Account]) -> list[int]:
    """Return the floors, lowered from the last rank on: the base load leaves no room for them.

    What is too little for a device is nothing.
    """
    found = []
    for account in reversed(ranked):
        share = account.share
        due_w = max(share.floor_w - lacking_w, 0) if lacking_w > 0 else share.floor_w
        if due_w < min(share.least_w, share.floor_w):
            due_w = 0
        lacking_w -= share.floor_w - due_w
        found.append(due_w)
    return found[::-1]
