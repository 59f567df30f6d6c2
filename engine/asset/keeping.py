"""A battery's confirmed frames are repeated by its link within their lease, without new events."""

from engine.asset.draft import Draft
from engine.asset.effects import KeepAlive
from engine.asset.state import OpenAttempt
from engine.events import RELEASED
from engine.types import AssetKind


def keep_alive(draft: Draft, attempt: OpenAttempt) -> None:
    """Let a battery's confirmed frames be repeated within their lease, those to flash left out."""
    if draft.rules.kind is AssetKind.BATTERY and attempt.setpoint not in {None, RELEASED}:
        frames = tuple(
            frame
            for frame in attempt.payload.frames
            if frame.control and "persistent" not in frame.body
        )
        draft.want(KeepAlive(frames, attempt.lease_until_us))


def keep_no_more(draft: Draft) -> None:
    """Let a battery's frames be repeated no more: what they said is not what should hold."""
    if draft.rules.kind is AssetKind.BATTERY:
        draft.want(KeepAlive((), None))
