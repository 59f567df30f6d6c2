"""What a store's log says, read once at the start: every asset, the schedules and the site."""

from collections.abc import Iterable

import attrs

from actors.dispatcher import Accepted
from engine import events
from engine.asset import AssetState, evolve
from engine.codec import Record
from engine.site import SiteState, evolve_site
from engine.types import AssetId, Instant


@attrs.frozen
class Recovery:
    """The state of everything after the last event of the log."""

    assets: dict[AssetId, AssetState]
    accepted: Accepted
    site: SiteState


def recover(records: Iterable[Record]) -> Recovery:
    """Fold a whole log, in the order of its positions."""
    assets: dict[AssetId, AssetState] = {}
    received: list[events.ScheduleReceived] = []
    site = SiteState()
    for record in records:
        header, event = record.header, record.event
        at = Instant(header.at_us, header.wall_us)
        if record.topic.startswith("asset."):
            asset_id = AssetId(header.stream)
            state = assets.get(asset_id) or AssetState(asset_id)
            assets[asset_id] = evolve(state, event, at)
        elif isinstance(event, events.ScheduleReceived):
            received.append(event)
        elif record.topic.startswith("site."):
            site = evolve_site(site, event, at)
    return Recovery(assets, Accepted.of(received), site)
