"""What became different between two moments, and by which event."""

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from typing import TYPE_CHECKING

import attrs

from engine.asset import AssetState, evolve
from engine.asset.view import view_json, view_of
from engine.codec import Record
from engine.types import AssetId, Instant, from_us

if TYPE_CHECKING:
    import pandas as pd

_FACTS = (
    "state",
    "state_known",
    "connected",
    "setpoint_kw",
    "charge_kw",
    "discharge_kw",
    "setpoint_source",
    "valid_until",
    "transaction_id",
    "open_commands",
    "alarms",
)


@attrs.frozen
class Change:
    """A field of an asset's state that was another at the end than at the start.

    ``at`` (plan time, aware, UTC), ``topic`` and ``event_id`` are those of the event that made it
    what it was at the end.
    """

    asset_id: AssetId
    field: str
    before: object
    after: object
    at: datetime
    topic: str
    event_id: str


class Changes(tuple[Change, ...]):
    """Changes, asset by asset."""

    __slots__ = ()

    def to_frame(self) -> "pd.DataFrame":
        """Return them as a table: a row a change, columns as the fields of `Change`."""
        from engine import frames  # noqa: PLC0415 - it takes a while, with pandas

        return frames.to_frame(map(attrs.asdict, self), [one.name for one in attrs.fields(Change)])


def changes_of(
    records: Iterable[Record], start: AssetState, start_us: int, end_us: int
) -> Iterator[Change]:
    """Yield what changed of an asset behind ``start_us`` and up to ``end_us`` (plan clock).

    ``records`` are its stream behind ``start``, which is blank where that is its first event. What
    is not recorded, such as the last sign of life and the measured power, is left out.
    """
    state = start
    before: Mapping[str, object] | None = None
    latest: Mapping[str, object] = {}
    made: dict[str, Record] = {}
    for record in records:
        header = record.header
        if header.at_us > end_us:
            break
        if header.at_us > start_us and before is None:
            before = latest = _facts(state)
        state = evolve(state, record.event, Instant(header.at_us, header.wall_us))
        if before is not None:
            facts = _facts(state)
            made.update({name: record for name in _FACTS if facts[name] != latest[name]})
            latest = facts
    for name, record in made.items():
        if before is not None and before[name] != latest[name]:
            header = record.header
            yield Change(
                start.asset_id,
                name,
                before[name],
                latest[name],
                from_us(header.at_us),
                record.topic,
                header.event_id,
            )


def _facts(state: AssetState) -> Mapping[str, object]:
    return view_json(view_of(state, Instant(0, 0)))
