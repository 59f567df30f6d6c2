"""What was known of an asset at a moment."""

from collections.abc import Iterable

from engine import events
from engine.asset import AssetState, evolve
from engine.codec import Record
from engine.types import Instant


def asset_state(records: Iterable[Record], until_us: int | None, start: AssetState) -> AssetState:
    """Return an asset's state as it was known at ``until_us`` (plan clock; null: at the end).

    ``start`` is a blank state or a snapshot; ``records`` are what follows it, in log order, of the
    asset's stream at least. What is not folded (``AssetState.outside``) stays as it is in
    ``start``.
    """
    state = start
    for record in records:
        header, event = record.header, record.event
        if until_us is not None and header.at_us > until_us:
            break
        if header.stream == start.asset_id and isinstance(event, events.AssetEvent):
            state = evolve(state, event, Instant(header.at_us, header.wall_us))
    return state
