"""What the site actor does for the site's limits: takes claims, and tells each asset its grant."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Protocol

import attrs
from msgspec.structs import replace

from actors.recovery import Recovery
from engine import events
from engine.asset import AssetState
from engine.asset import messages as message
from engine.asset.above import drawn_w
from engine.asset.granting import opening_claim
from engine.asset.holding import is_stale
from engine.config import Site
from engine.grants import Claim, Grant
from engine.phases import uses_of
from engine.rules import AssetRules
from engine.site import Book, Limits, Member, SiteState
from engine.site.excess import Drawn, Meter, news, reserved, together
from engine.site.load import BaseLoad, Loads
from engine.types import US_PER_S, AssetId, Instant


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


class Assets(Protocol):
    """The assets as they start."""

    @property
    def tell(self) -> Mapping[AssetId, Callable[[object], None]]:
        """Whom to tell."""

    @property
    def board(self) -> Mapping[AssetId, AssetState]:
        """What is known of them."""


class Grants:
    """The site's book, and the assets that are told what they are granted.

    It outlives a crash of the site actor: what is granted is in no log, and must not be forgotten.
    """

    def __init__(self, book: Book, assets: Assets, settle_us: int, base: BaseLoad) -> None:
        """Begin with a book; what is measured above a limit may take ``settle_us`` to settle."""
        self.book = book
        self._assets = assets
        self._meter = Meter(settle_us)
        self._base = base
        self._due = False

    def planned(self, loads: Loads) -> None:
        """Know what the schedules in force say of the base load."""
        self._base = replace(self._base, planned=loads)

    def carry(self, now: Instant) -> int | None:
        """Let the base load of now count; return when it may be another (plan clock)."""
        self.book.load(self._base.at_w(now.plan_us), self._base.value_w(now.plan_us))
        return self._base.next_us(now.plan_us)

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
        measured_w = together(self.book, _drawn(self._assets.board.values(), now))
        found = (
            *reserved(self.book),
            *self._meter.read(self.book, measured_w, now.device_us),
        )
        return news(state, self.book, found)


def _drawn(states: Iterable[AssetState], now: Instant) -> Iterator[Drawn]:
    """Yield what devices drew lately; nothing of those of which nobody knows."""
    for state in states:
        power_w = None if is_stale(state, now) else drawn_w(state, now)
        if power_w and state.rules is not None:
            yield Drawn(state.rules, power_w, state.outside.phases_seen[0] or None)


def book_of(
    site: Site, rules: Mapping[AssetId, AssetRules], recovery: Recovery, now: Instant
) -> Book | None:
    """Return the book of a site at its start: what each asset may hold by its log.

    There is none for a site without limits. An asset without a log is new.
    """
    limits = Limits(site.import_limit_w, site.export_limit_w, site.phase_limit_w, site.phase_base_w)
    if limits == Limits():
        return None

    def member(asset_id: AssetId, own: AssetRules) -> Member:
        state = recovery.assets.get(asset_id, AssetState(asset_id))
        read = None if asset_id in recovery.unreadable else state
        return Member(asset_id, own.priority, opening_claim(read, own, now), uses_of(own))

    book = Book(limits, (member(asset_id, own) for asset_id, own in rules.items()))
    book.load(BaseLoad(site.base_load_w, recovery.accepted.loads).at_w(now.plan_us))
    return book


def grants_of(site: Site, book: Book | None, planned: Loads, assets: Assets) -> Grants | None:
    """Return what grants the assets their shares, null for a site without limits."""
    if book is None:
        return None
    settle_us = round(site.defaults.settle_s * US_PER_S)
    return Grants(book, assets, settle_us, BaseLoad(site.base_load_w, planned))


def first_grants(book: Book | None) -> dict[AssetId, Grant]:
    """Return what each asset starts with; nothing where there is no limit."""
    return {} if book is None else book.settle()
