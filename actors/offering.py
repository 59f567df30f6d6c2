"""What a schedule on its way into the log offers each asset, and which of them need not answer."""

from collections.abc import Mapping
from typing import TypeAlias

import attrs
from msgspec import Struct

from actors.accepted import offers_of
from actors.receipts import Receipt, Submitted, receipt_of
from engine import events
from engine.asset import AssetState
from engine.asset import messages as message
from engine.asset.preview import preview
from engine.types import AssetId, Instant


class PassedOver(Struct, frozen=True, gc=False):
    """An offer that changes nothing for an asset, as long as its stream is at ``version``.

    The asset takes note of it with the next message that it handles. Optimisers plan anew every few
    minutes, and most assets go on as they were.
    """

    offer: message.PlanOffered
    version: int


Passed: TypeAlias = dict[AssetId, PassedOver]
"""What assets have not taken note of yet. The dispatcher puts in, each asset takes out its own."""


@attrs.frozen
class InFlight:
    """A schedule that is being committed; ``same`` has the offers that change nothing.

    ``receipt`` is what its submitter gets then.
    """

    event: events.ScheduleReceived
    submitted: Submitted
    offers: Mapping[AssetId, message.PlanOffered]
    same: Mapping[AssetId, PassedOver]
    receipt: Receipt

    @classmethod
    def of(
        cls,
        event: events.ScheduleReceived,
        submitted: Submitted,
        board: Mapping[AssetId, AssetState],
        now: Instant,
    ) -> "InFlight":
        """Return a schedule with what it changes for each asset, as the assets are now."""
        offers, same, previews = offers_of(event), {}, []
        for asset_id, offer in offers.items():
            state = board[asset_id]
            seen = preview(state, offer, now)
            previews.append(seen)
            if not seen.changed:
                same[asset_id] = PassedOver(offer, state.version)
        return cls(event, submitted, offers, same, receipt_of(event, previews, now))
