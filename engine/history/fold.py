"""The history of commands, folded from recorded events in log order."""

from collections.abc import Callable, Container, Iterable, Iterator

from engine import events
from engine.codec import Record
from engine.history.asset import AssetHistory
from engine.history.filters import EVERYTHING, Filters
from engine.history.kept import NOTHING, Recall
from engine.history.records import CommandRecord, History
from engine.types import AssetId, Instant


def histories(
    records: Iterable[Record], filters: Filters = EVERYTHING, *, speed: float = 1.0
) -> History:
    """Return the commands that pass the filters, as recorded, in order of their due times.

    ``records`` are in log order. Of one asset's commands its own stream, the schedules' and the
    site's say everything; without the schedules' an expiry may be an older horizon, without the
    site's one that ran by a scaled device clock is taken as unscaled, or as of ``speed``: the plan
    clock's before the first record.
    """
    history = CommandHistory(filters, speed=speed)
    for record in records:
        history.feed(record)
    return History(history.commands())


def _unknown(stream: str) -> None:
    """Nothing is kept of any asset."""
    del stream


def _nothing(stream: str) -> Recall:
    """Nothing will be kept of it either."""
    del stream
    return NOTHING


class CommandHistory:
    """Folds records into the commands that pass the filters; nothing else is kept.

    ``kept`` gives what is known of an asset from before, when one of its events comes; ``recall``
    what is kept meanwhile of one of which nothing was.
    """

    def __init__(
        self,
        filters: Filters = EVERYTHING,
        *,
        kept: Callable[[str], AssetHistory | None] = _unknown,
        recall: Callable[[str], Recall] = _nothing,
        speed: float = 1.0,
    ) -> None:
        self._filters = filters
        self._kept = kept
        self._recall = recall
        self.assets: dict[str, AssetHistory] = {}
        self.speed = speed

    def feed(self, record: Record) -> None:
        """Take the next record of the log."""
        event = record.event
        at = Instant(record.header.at_us, record.header.wall_us)
        match event:
            case events.ScheduleReceived():
                self._schedule_received(event)
            case events.ClockStarted(speed=speed):
                self.speed = speed
            case events.PlanReplaced():
                if (asset := self._asset(record.header.stream)) is not None:
                    asset.plan_replaced(event, at)
            case events.CommandCreated():
                if (asset := self._asset(record.header.stream)) is not None:
                    asset.command_created(event, at, self.speed)
            case _:
                if (asset := self.known(record.header.stream)) is not None:
                    asset.feed(event, at)

    def commands(self, alone: Container[str] = ()) -> Iterator[CommandRecord]:
        """Yield the commands so far, in order of their due times.

        Of the assets in ``alone`` those only that have events of their own.
        """
        lives = [
            (life.due_us, asset.asset_id, life.created_us, place, life)
            for asset in self.assets.values()
            for place, life in enumerate(
                asset.lives_of_their_own() if asset.asset_id in alone else asset.lives()
            )
            if self._filters.takes_status(life.status)
        ]
        lives.sort(key=lambda one: one[:-1])
        for _, asset_id, _, _, life in lives:
            yield life.record(asset_id)

    def _asset(self, stream: str) -> AssetHistory | None:
        """Return an asset that has commands, if it passes the filters."""
        if not self._filters.takes_asset(stream):
            return None
        asset = self.known(stream)
        if asset is None:
            recall = self._recall(stream)
            asset = AssetHistory(AssetId(stream), self._filters, recall=recall)
            self.assets[stream] = asset
        return asset

    def known(self, stream: str) -> AssetHistory | None:
        """Return an asset of which something is known."""
        asset = self.assets.get(stream)
        if asset is None and (asset := self._kept(stream)) is not None:
            self.assets[stream] = asset
        return asset

    def _schedule_received(self, event: events.ScheduleReceived) -> None:
        for asset_id, asset in self.assets.items():
            if asset_id in event.plans:
                asset.horizon_received(event.sequence, event.horizon_us)
