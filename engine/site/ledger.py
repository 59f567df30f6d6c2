"""The ledger of a site limit: who may hold how much, and who may be set to how much.

What the assets may hold never comes to more than the limit, unless it did before: an increase is
granted from what is free, and only what an asset has been seen to leave is free again. That holds
for the connection as a whole, and for each phase of it that has a limit.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import groupby
from operator import attrgetter

from engine.grants import Bound, Share
from engine.phases import Use
from engine.site.accounts import Account, Rooms
from engine.types import AssetId


class Line:
    """The connection as a whole, or a phase of it: what it carries, what the base load takes."""

    __slots__ = ("base_w", "limit_w", "present_w")

    def __init__(self, limit_w: int) -> None:
        """Begin without a base load."""
        self.limit_w = limit_w
        self.base_w = 0
        """What the base load takes of the limit, or is about to take."""
        self.present_w = 0
        """What it takes now."""

    @property
    def capacity_w(self) -> int:
        """What is left of the limit for the assets; below zero where the base load is above it."""
        return self.limit_w - self.base_w

    @property
    def left_w(self) -> int:
        """What is left of the limit at present."""
        return self.limit_w - self.present_w


class Ledger:
    """One direction of a site's limits. Not a value: assets claim by the thousand at a time."""

    def __init__(self, limits_w: Mapping[str, int], accounts: Iterable[Account]) -> None:
        """Begin with what the assets may hold, as far as the log says.

        ``limits_w`` are those of the whole and of phases; an account knows what it takes of these.
        """
        self.lines = {name: Line(limit_w) for name, limit_w in limits_w.items()}
        self._ranked = sorted(accounts, key=lambda one: (-one.priority, one.asset_id))
        self._by_id = {one.asset_id: one for one in self._ranked}

    @property
    def reserved_w(self) -> dict[str, int]:
        """What all assets may come to hold together, of the whole and of each phase."""
        return self._together([one.reserved_w for one in self._ranked])

    def account(self, asset_id: AssetId) -> Account:
        """Return an asset's account.

        Raises:
            KeyError: it has none.
        """
        return self._by_id[asset_id]

    def bounds(self) -> dict[AssetId, Bound]:
        """Return the bounds that are news: another than was told, or for another wish."""
        reserved_w = [one.reserved_w for one in self._ranked]
        capacity_w = {name: line.capacity_w for name, line in self.lines.items()}
        most_w = granted(capacity_w, self._ranked, self._together(reserved_w))
        after_w = [*map(max, reserved_w, most_w)]
        total_w = self._together(after_w)
        found = {}
        for account, own_w, may_w in zip(self._ranked, after_w, most_w, strict=True):
            told, wish_w = account.told, account.share.wish_w
            answer = None if told is None or not account.heard else (told.most_w, told.answers_w)
            if answer != (may_w, wish_w):
                found[account.asset_id] = self._bound(account, own_w, may_w, total_w)
        return found

    def _together(self, powers_w: Iterable[int]) -> dict[str, int]:
        """Return what powers of the assets, by rank, come to."""
        left_w = dict.fromkeys(self.lines, 0)
        for account, power_w in zip(self._ranked, powers_w, strict=True):
            account.take(left_w, 0, power_w)
        return {name: -lacking_w for name, lacking_w in left_w.items()}

    def _bound(self, account: Account, own_w: int, may_w: int, total_w: Rooms) -> Bound:
        """Return a bound, told by the line that leaves the asset the least."""

        def others_w(use: Use) -> int:
            return total_w[use.line] - use.of(own_w)

        def most_w(use: Use) -> int:
            return use.most_w(self.lines[use.line].capacity_w - others_w(use))

        least = min(account.uses, key=most_w)
        line = self.lines[least.line]
        wish_w, phase = account.share.wish_w, least.line or None
        return Bound(may_w, wish_w, line.limit_w, line.base_w, others_w(least), phase)


def granted(capacity_w: Rooms, ranked: Sequence[Account], reserved_w: Rooms) -> list[int]:
    """Return what each asset may be set to now; ``ranked`` by priority, then id.

    A decrease may come at once, an increase only from what is free: what others are to give up
    is not, until they are known to hold less. Nor is what an asset holds above its grant.
    """
    free_w = {name: max(most_w - reserved_w[name], 0) for name, most_w in capacity_w.items()}
    found = []
    for account, due_w in zip(ranked, entitled(capacity_w, ranked), strict=True):
        own_w = account.own_w
        may_w = account.within(free_w, own_w, max(due_w, own_w))
        if may_w < account.share.least_w:
            may_w = own_w
        account.take(free_w, own_w, may_w)
        found.append(min(due_w, may_w))
    return found


def entitled(capacity_w: Rooms, ranked: Sequence[Account]) -> list[int]:
    """Return what each asset is to have in the end, by what all of them wish.

    Everybody has his floor. The rest goes by priority, and who has a higher one takes from the
    lower ones; among equals who holds something keeps it, then ids decide.
    """
    left_w = dict(capacity_w)
    for account in ranked:
        account.take(left_w, 0, account.share.floor_w)
    if min(left_w.values()) < 0:
        return _below_the_floors(left_w, ranked)
    found: list[int] = []
    for _, equals in groupby(ranked, attrgetter("priority")):
        own = tuple(equals)
        for account, kept_w in zip(own, list(_kept(own, left_w)), strict=True):
            may_w = account.within(left_w, kept_w, max(account.share.wish_w, kept_w))
            due_w = _useful(account.share, may_w, kept_w)
            account.take(left_w, kept_w, due_w)
            found.append(due_w)
    return found


def _kept(equals: Sequence[Account], left_w: dict[str, int]) -> Iterator[int]:
    """Yield what each asset keeps of what it has, as far as it wishes to, and take that.

    What it holds above its grant is not its own.
    """
    for account in equals:
        share = account.share
        has_w = max(min(share.wish_w, account.own_w), share.floor_w)
        kept_w = _useful(share, account.within(left_w, share.floor_w, has_w), share.floor_w)
        account.take(left_w, share.floor_w, kept_w)
        yield kept_w


def _useful(share: Share, power_w: int, instead_w: int) -> int:
    """Return a power, or another instead where it is no more than that, or too little to use."""
    return instead_w if power_w <= instead_w or power_w < share.least_w else power_w


def _below_the_floors(left_w: dict[str, int], ranked: Sequence[Account]) -> list[int]:
    """Return the floors, lowered from the last rank on: the base load leaves no room for them.

    What is too little for a device is nothing.
    """
    found = []
    for account in reversed(ranked):
        floor_w, least_w = account.share.floor_w, account.share.least_w
        short_w = {name: min(room_w, 0) for name, room_w in left_w.items()}
        due_w = max(account.within(short_w, floor_w, floor_w), 0)
        if due_w < min(least_w, floor_w):
            due_w = 0
        account.take(left_w, floor_w, due_w)
        found.append(due_w)
    return found[::-1]
