"""What is promised of each asset's events: they fold, and what is over stays over."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final, get_args

from engine import events
from engine.asset import AssetState, evolve
from engine.asset.state import OpenAttempt
from engine.codec import Record
from engine.commands import FINAL, CommandStatus
from engine.site import SiteState, evolve_site
from engine.types import AssetId, CommandId, Instant

REMEMBERED: Final = 200_000
"""Of so many commands, those that ended last, it is known that they are over."""

_NO_SITE: Final = SiteState()
_OF_AN_ASSET: Final = frozenset(get_args(events.AssetEvent))
_OF_THE_SITE: Final = frozenset(get_args(events.SiteEvent))


class Folds:
    """Folds every asset's stream and the site's, and looks at each event before."""

    def __init__(
        self,
        start: Mapping[AssetId, AssetState] = MappingProxyType({}),
        site: SiteState = _NO_SITE,
    ) -> None:
        """Begin with nothing known of any asset but those in ``start``."""
        self.assets: dict[AssetId, AssetState] = dict(start)
        self.site = site
        self._over: dict[CommandId, int] = {}

    def feed(self, record: Record) -> str | None:
        """Fold the next event; return what is wrong with it."""
        kind = type(record.event)
        if kind in _OF_AN_ASSET:
            return self._of_an_asset(record)
        if kind in _OF_THE_SITE:
            return self._of_the_site(record)
        return None

    def _of_an_asset(self, record: Record) -> str | None:
        event: events.AssetEvent = record.event
        asset_id = AssetId(record.header.stream)
        before = self.assets.get(asset_id) or AssetState(asset_id)
        wrong = _of_an_attempt(before, event)
        ids, status = _turned(before, event)
        for one in ids:
            if one in self._over:
                wrong = f"it turns {one}, which ended with version {self._over[one]}, to {status}"
        if status in FINAL:
            self._end(ids, record.header.version)
        try:
            self.assets[asset_id] = evolve(before, event, _instant(record))
        except Exception as error:  # noqa: BLE001 - whatever it stumbles over, the row is at fault
            return f"the asset's state cannot be worked out: {type(error).__name__}: {error}"
        return wrong

    def _of_the_site(self, record: Record) -> str | None:
        try:
            self.site = evolve_site(self.site, record.event, _instant(record))
        except Exception as error:  # noqa: BLE001 - likewise
            return f"the site's state cannot be worked out: {type(error).__name__}: {error}"
        return None

    def _end(self, ids: tuple[CommandId, ...], version: int) -> None:
        for one in ids:
            self._over.setdefault(one, version)
        while len(self._over) > REMEMBERED:
            del self._over[next(iter(self._over))]


def _instant(record: Record) -> Instant:
    return Instant(record.header.at_us, record.header.wall_us)


def _of_an_attempt(before: AssetState, event: events.AssetEvent) -> str | None:
    """Return what is wrong with an attempt's event: each has one beginning and one outcome."""
    open_, doubted = before.attempt, before.in_doubt
    match event:
        case events.AttemptStarted(attempt_id=one) if open_ is not None:
            return f"{one} began while {open_.attempt_id} had no outcome"
        case events.AttemptEnded(attempt_id=one) if not _is(open_, one):
            return f"{one} has an outcome and was not on the wire"
        case events.AttemptReconciled(attempt_id=one) if not _is(doubted, one):
            return f"{one} was cleared up and was not in doubt"
        case _:
            return None


def _is(attempt: OpenAttempt | None, attempt_id: str) -> bool:
    return attempt is not None and attempt.attempt_id == attempt_id


def _turned(
    before: AssetState, event: events.AssetEvent
) -> tuple[tuple[CommandId, ...], CommandStatus]:
    """Return which commands an event gives a status, and which."""
    match event:
        case events.AttemptStarted(command_ids=ids):
            return ids, CommandStatus.DISPATCHED
        case events.AttemptEnded(status=status):
            return () if before.attempt is None else before.attempt.command_ids, status
        case (
            events.AttemptReconciled(command_ids=ids, status=status)
            | events.CommandVerified(command_ids=ids, status=status)
            | events.CommandCancelled(command_ids=ids, status=status)
        ):
            return ids, status
        case events.CommandHeld(command_ids=ids):
            return ids, CommandStatus.PENDING
        case _:
            return (), CommandStatus.PENDING
