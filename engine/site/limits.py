"""Both limits of a site: what its assets claim, and the grants that this makes."""

from collections.abc import Iterable, Iterator
from typing import Final

from msgspec import Struct

from engine.grants import UNBOUNDED_W, Bound, Claim, Grant
from engine.site.ledger import Account, Ledger
from engine.types import AssetId

IMPORT: Final = "import"
EXPORT: Final = "export"


class Limits(Struct, frozen=True, gc=False):
    """A site's limits in whole watts, null for a direction without one."""

    import_w: int | None = None
    export_w: int | None = None


class Member(Struct, frozen=True, gc=False):
    """An asset under the limits, and what its log says that it may hold."""

    asset_id: AssetId
    priority: int
    claim: Claim


class Book:
    """The ledgers of a site, one for each direction that has a limit."""

    def __init__(self, limits: Limits, members: Iterable[Member]) -> None:
        """Enter what each asset may hold before anything is granted."""
        own = tuple(members)
        self._claims = {one.asset_id: one.claim for one in own}
        self._numbers = dict.fromkeys(self._claims, 0)
        self.ledgers: dict[str, Ledger] = {}
        if limits.import_w is not None:
            accounts = (Account(one.asset_id, one.priority, one.claim.charge) for one in own)
            self.ledgers[IMPORT] = Ledger(limits.import_w, accounts)
        if limits.export_w is not None:
            accounts = (Account(one.asset_id, one.priority, one.claim.discharge) for one in own)
            self.ledgers[EXPORT] = Ledger(limits.export_w, accounts)

    def claim(self, asset_id: AssetId, claim: Claim) -> None:
        """Take an asset's claim; one that is made again was not answered, or not heard.

        Raises:
            KeyError: the asset is not under these limits.
        """
        again = claim == self._claims[asset_id]
        self._claims[asset_id] = claim
        for direction, ledger in self.ledgers.items():
            account = ledger.account(asset_id)
            account.claim(claim.charge if direction == IMPORT else claim.discharge, claim.number)
            if again:
                account.heard = False

    def load(self, base_w: int, present_w: int | None = None) -> None:
        """Let the base load take so much of the import limit, and so much of that at present."""
        if IMPORT in self.ledgers:
            ledger = self.ledgers[IMPORT]
            ledger.base_w, ledger.present_w = base_w, base_w if present_w is None else present_w

    def settle(self) -> dict[AssetId, Grant]:
        """Return the grants that are news to their assets; they count as told."""
        news = {name: ledger.bounds() for name, ledger in self.ledgers.items()}
        grants = {}
        for asset_id in dict.fromkeys(one for bounds in news.values() for one in bounds):
            number = self._numbers[asset_id] = self._numbers[asset_id] + 1
            charge = self._bound(IMPORT, asset_id, number, news)
            discharge = self._bound(EXPORT, asset_id, number, news)
            grants[asset_id] = Grant(charge, discharge, number)
        return grants

    def _bound(
        self, direction: str, asset_id: AssetId, number: int, news: dict[str, dict[AssetId, Bound]]
    ) -> Bound:
        """Return the bound of one direction, the one before where there is no news."""
        claim = self._claims[asset_id]
        ledger = self.ledgers.get(direction)
        if ledger is None:
            share = claim.charge if direction == IMPORT else claim.discharge
            return Bound(UNBOUNDED_W, share.wish_w)
        account = ledger.account(asset_id)
        bound = news[direction].get(asset_id) or account.told
        if bound is None:
            raise LookupError(f"{asset_id} was never told a bound")
        account.grant(bound, number)
        return bound

    def excess(self) -> Iterator[tuple[str, int]]:
        """Yield each direction in which more is reserved than its limit, and how much that is."""
        for direction, ledger in self.ledgers.items():
            if ledger.reserved_w > ledger.left_w:
                yield direction, ledger.reserved_w
