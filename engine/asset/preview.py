"""What a plan would change for one asset, told without its actor: for receipts and dry runs."""

from typing import Final

from msgspec import Struct

from engine.asset.messages import PlanOffered
from engine.asset.offers import skipped_changes, unchanged
from engine.asset.programme import changes_until, first_open
from engine.asset.state import AssetState, Part, Programme
from engine.types import Instant


class Preview(Struct, frozen=True, gc=False):
    """``commands``: how many a plan brings; ``cancelled``: how many planned ones it replaces."""

    changed: bool
    commands: int = 0
    cancelled: int = 0


SAME: Final = Preview(changed=False)


def preview(state: AssetState, offer: PlanOffered, now: Instant) -> Preview:
    """Return what an offer would do to an asset as it is known now."""
    if unchanged(state, offer, now):
        return SAME
    commands = len(offer.plan) - len(skipped_changes(state, offer, now))
    cancelled = sum(_replaced(state.programme, part, offer, now) for part in state.programme.parts)
    return Preview(changed=True, commands=commands, cancelled=cancelled)


def _replaced(programme: Programme, part: Part, offer: PlanOffered, now: Instant) -> int:
    """Return how many open commands of a part an offer replaces: all, when it rules at once."""
    first = first_open(programme, part)
    if offer.start_us > now.plan_us:
        first = max(first, part.plan.index_at(offer.start_us - 1))
    last = len(part.plan) if part.until_us is None else changes_until(part, part.until_us)
    skipped = sum(first <= index < last for index in part.skipped)
    return max(0, last - first) - skipped
