"""An explanation: one sentence, and the events that it rests on."""

from collections.abc import Iterable
from datetime import datetime, tzinfo
from typing import TYPE_CHECKING

import attrs

from engine.asset import AssetState
from engine.codec import Record
from engine.types import AssetId, Instant, from_us, iso, to_us
from engine.why.lines import told
from engine.why.sentence import sentence
from engine.why.story import Story
from engine.why.words import Words

if TYPE_CHECKING:
    import pandas as pd


@attrs.frozen
class Link:
    """One event of the chain; ``at`` is plan time, aware, UTC; ``text`` says it in a line."""

    position: int | None
    event_id: str
    at: datetime
    topic: str
    text: str


@attrs.frozen
class Explanation:
    """Why an asset's setpoint was what it was at a moment (plan time, aware, UTC).

    ``chain`` has the events that it rests on, oldest first.
    """

    asset_id: AssetId
    at: datetime
    sentence: str
    chain: tuple[Link, ...]

    def to_frame(self) -> "pd.DataFrame":
        """Return the chain as a table: a row an event, columns as the fields of `Link`."""
        from engine import frames  # noqa: PLC0415 - it takes a while, with pandas

        return frames.to_frame(
            map(attrs.asdict, self.chain), [one.name for one in attrs.fields(Link)]
        )

    def to_json(self) -> dict[str, object]:
        """Return it as plain values; times are ISO 8601 UTC with ``Z``."""
        return {
            "asset_id": self.asset_id,
            "at": _text(self.at),
            "sentence": self.sentence,
            "chain": [{**attrs.asdict(one), "at": _text(one.at)} for one in self.chain],
        }


def explain(
    records: Iterable[Record], start: AssetState, now: Instant, timezone: tzinfo
) -> Explanation:
    """Return why an asset's setpoint was what it was.

    Args:
        records: the asset's stream behind ``start``, up to the moment.
        start: the asset before the first of them; blank, where that is its first event.
        now: the moment, on both clocks.
        timezone: the zone in which the sentence tells times.
    """
    story = Story(start.asset_id, start)
    for record in records:
        story.feed(record)
    words = Words(timezone, story.state)
    chain = tuple(
        Link(
            one.position,
            one.header.event_id,
            from_us(one.header.at_us),
            one.topic,
            told(one.event, words),
        )
        for one in story.chain()
    )
    return Explanation(start.asset_id, from_us(now.plan_us), sentence(story, now, words), chain)


def _text(moment: datetime) -> str:
    return iso(to_us(moment))
