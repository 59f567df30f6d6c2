"""What a plan would change for one asset, told without its actor: for receipts and dry runs."""

import attrs

from engine.asset.messages import PlanOffered
from engine.asset.offers import skipped_changes, unchanged
from engine.asset.programme import due_range
from engine.asset.state import AssetState
from engine.types import Instant


@attrs.frozen
class Preview:
    """``commands``: how many a plan brings; ``cancelled``: how many planned ones it replaces."""

    changed: bool
    commands: int = 0
    cancelled: int = 0


def preview(state: AssetState, offer: PlanOffered, now: Instant) -> Preview:
    """Return what an offer would do to an asset as it is known now."""
    from_us = max(offer.start_us, now.plan_us)
    if unchanged(state, offer, from_us):
        return Preview(changed=False)
    commands = len(offer.plan) - len(skipped_changes(state, offer, from_us))
    cancelled = 0
    for part in state.programme.parts:
        first, _ = due_range(state.programme, part, now.plan_us)
        first = max(first, part.plan.index_at(from_us - 1))
        last = len(part.plan) if part.until_us is None else part.plan.index_at(part.until_us - 1)
        cancelled += sum(index not in part.skipped for index in range(first, last))
    return Preview(changed=True, commands=commands, cancelled=cancelled)
