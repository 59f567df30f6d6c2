"""What the site actor does for the site's limits: takes claims, and tells each asset its grant."""

from collections.abc import Callable, Mapping

import attrs

from engine import events
from engine.asset import AssetState
from engine.asset import messages as message
from engine.asset.granting import opening_claim
from engine.asset.holding import is_stale
from engine.grants import Claim, Grant
from engine.rules import AssetRules
from engine.site import Book, Limits, Member, SiteState
from engine.site.excess import Meter, news, reserved
from engine.types import AssetId, Instant


@attrs.frozen
class Claimed:
    """An asset claims; told to the site actor."""

    asset_id: AssetId
    claim: Claim


@attrs.frozen
class Settle:
    """The site actor is to look at what was claimed since it looked last."""


@attrs.frozen
class Look:
    """The sweep came round: are the limits kept?"""


@attrs.frozen
class Assets:
    """The assets as they start: whom to tell, and what is known of them."""

    tell: Mapping[AssetId, Callable[[object], None]]
    board: Mapping[AssetId, AssetState]


class Grants:
    """The site's book, and the assets that are told what they are granted.

    It outlives a crash of the site actor: what is granted is in no log, and must not be forgotten.
    """

    def __init__(self, book: Book, assets: Assets, settle_us: int) -> None:
        """Begin with a book; what is measured above a limit may take ``settle_us`` to settle."""
        self.book = book
        self._assets = assets
        self._meter = Meter(settle_us)
        self._due = False

    def claimed(self, claimed: Claimed) -> bool:
        """Take a claim; return whether the book has to be settled, once for many claims."""
        self.book.claim(claimed.asset_id, claimed.claim)
        due, self._due = self._due, True
        return not due

    def settle(self) -> None:
        """Tell every asset what is news to it."""
        self._due = False
        for asset_id, grant in self.book.settle().items():
            self._assets.tell[asset_id](message.Granted(grant))

    def look(self, state: SiteState, now: Instant) -> tuple[events.SiteEvent, ...]:
        """Return what is to be recorded of limits that are exceeded, or no longer are."""
        measured_w = sum(_measured_w(one, now) for one in self._assets.board.values())
        found = (
            *reserved(self.book),
            *self._meter.read(self.book, measured_w, now.device_us),
        )
        return news(state, self.book, found)


def _measured_w(state: AssetState, now: Instant) -> int:
    """Return what a device drew lately, charging positive; nothing where nobody knows."""
    sample = state.outside.sample
    if sample is None or is_stale(state, now):
        return 0
    return sample.power_w


def opened_book(
    limits: Limits,
    rules: Mapping[AssetId, AssetRules],
    states: Mapping[AssetId, AssetState | None],
    now: Instant,
) -> Book:
    """Return the book of a site at its start: what each asset may hold by its log.

    An asset without a state is new; of one whose log cannot be read the state is null.
    """

    def member(asset_id: AssetId, own: AssetRules) -> Member:
        state = states.get(asset_id, AssetState(asset_id))
        return Member(asset_id, own.priority, opening_claim(state, own, now))

    return Book(limits, (member(asset_id, own) for asset_id, own in rules.items()))


def first_grants(book: Book | None) -> dict[AssetId, Grant]:
    """Return what each asset starts with; nothing where there is no limit."""
    return {} if book is None else book.settle()
