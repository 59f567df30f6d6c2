"""Both limits of a site: what its assets claim, and the grants that this makes."""

from collections.abc import Iterable, Iterator
from typing import Final

from msgspec import Struct

from engine.grants import UNBOUNDED_W, Bound, Claim, Grant
from engine.phases import PHASES, WHOLE, WHOLE_ALONE, Use
from engine.site.accounts import Account
from engine.site.ledger import Ledger, Line
from engine.types import AssetId

IMPORT: Final = "import"
EXPORT: Final = "export"


class Limits(Struct, frozen=True, gc=False):
    """A site's limits in whole watts, null for a direction without one.

    ``phase_w`` is what each phase may carry of the import, null where that is not bounded;
    ``phase_base_w`` is what the base load takes of it, null where it takes a third of the whole.
    """

    import_w: int | None = None
    export_w: int | None = None
    phase_w: int | None = None
    phase_base_w: int | None = None

    @property
    def importing_w(self) -> dict[str, int]:
        """What bounds the import, by the name of the line."""
        whole = {} if self.import_w is None else {WHOLE: self.import_w}
        return whole if self.phase_w is None else whole | dict.fromkeys(PHASES, self.phase_w)


class Member(Struct, frozen=True, gc=False):
    """An asset under the limits, and what its log says that it may hold.

    ``uses`` is what its charging takes of the phases.
    """

    asset_id: AssetId
    priority: int
    claim: Claim
    uses: tuple[Use, ...] = ()


class Book:
    """The ledgers of a site, one for each direction that has a limit."""

    def __init__(self, limits: Limits, members: Iterable[Member]) -> None:
        """Enter what each asset may hold before anything is granted."""
        own = tuple(members)
        self._claims = {one.asset_id: one.claim for one in own}
        self._numbers = dict.fromkeys(self._claims, 0)
        self.ledgers: dict[str, Ledger] = {}
        self._limits = limits
        self._uses = {one.asset_id: one.uses for one in own}
        if limits.importing_w:
            accounts = [
                Account(
                    one.asset_id,
                    one.priority,
                    one.claim.charge,
                    self._lines_of(one.claim.uses or one.uses),
                )
                for one in own
            ]
            self.ledgers[IMPORT] = Ledger(limits.importing_w, accounts)
        if limits.export_w is not None:
            accounts = [Account(one.asset_id, one.priority, one.claim.discharge) for one in own]
            self.ledgers[EXPORT] = Ledger({WHOLE: limits.export_w}, accounts)

    def claim(self, asset_id: AssetId, claim: Claim) -> None:
        """Take an asset's claim; one that is made again was not answered, or not heard.

        Raises:
            KeyError: the asset is not under these limits.
        """
        before, self._claims[asset_id] = self._claims[asset_id], claim
        again = claim == before
        for direction, ledger in self.ledgers.items():
            account = ledger.account(asset_id)
            account.claim(claim.charge if direction == IMPORT else claim.discharge, claim.number)
            if direction == IMPORT and claim.uses != before.uses:
                account.uses = self._lines_of(claim.uses or self._uses[asset_id])
            if again:
                account.heard = False

    def load(self, base_w: int, present_w: int | None = None) -> None:
        """Let the base load take so much of the import limit, and so much of that at present.

        Of a phase it takes what is known of that, else its third.
        """
        present_w = base_w if present_w is None else present_w
        for name, line in self._importing():
            line.base_w, line.present_w = base_w, present_w
            if name != WHOLE:
                own_w = self._limits.phase_base_w
                line.base_w = _third(base_w) if own_w is None else own_w
                line.present_w = _third(present_w) if own_w is None else own_w

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

    def lines(self) -> Iterator[tuple[str, str, Line]]:
        """Yield what is limited: its name, that of its direction, and its line.

        A phase has a name of its own; the connection as a whole is called by its direction.
        """
        for direction, ledger in self.ledgers.items():
            for name, line in ledger.lines.items():
                yield name or direction, direction, line

    def excess(self) -> Iterator[tuple[str, int]]:
        """Yield what is limited, and of which more is reserved than that, and how much that is."""
        for direction, ledger in self.ledgers.items():
            for name, reserved_w in ledger.reserved_w.items():
                if reserved_w > ledger.lines[name].left_w:
                    yield name or direction, reserved_w

    def _lines_of(self, uses: tuple[Use, ...]) -> tuple[Use, ...]:
        """Return what charging takes of all that bounds the import, from what it does of phases."""
        whole = () if self._limits.import_w is None else WHOLE_ALONE
        return whole if self._limits.phase_w is None else (*whole, *uses)

    def _importing(self) -> Iterator[tuple[str, Line]]:
        if IMPORT in self.ledgers:
            yield from self.ledgers[IMPORT].lines.items()


def _third(power_w: int) -> int:
    return -(-power_w // len(PHASES))
