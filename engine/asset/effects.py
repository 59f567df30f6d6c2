"""What an asset wants done once its events are committed: data, carried out by its actor."""

from typing import TypeAlias

import attrs
from msgspec import Struct

from engine.adapters.base import Frame, Payload
from engine.asset.messages import Reply
from engine.grants import Claim


class Send(Struct, frozen=True, gc=False):
    """Hand an attempt's payload to the link; ``expires_us`` is plan clock."""

    attempt_id: str
    payload: Payload
    timeout_s: float
    expires_us: int | None


class Ask(Struct, frozen=True, gc=False):
    """Ask the device what it holds, after the attempt named.

    Without an answer by ``until_us`` it is asked again; ``asked_us`` is now (device clock).
    """

    attempt_id: str
    payload: Payload
    timeout_s: float
    until_us: int | None = None
    asked_us: int | None = None


class RequestSlot(Struct, frozen=True, gc=False):
    """Queue for the link's slot."""


class ReleaseSlot(Struct, frozen=True, gc=False):
    """Give the link's slot back."""


class Hasten(Struct, frozen=True, gc=False):
    """Wait no longer than need be for the answer to what the device is being asked."""


@attrs.frozen
class Respond:
    """Answer whoever asked."""

    reply: Reply = attrs.field(eq=False, repr=False)
    value: object


class OfferTaken(Struct, frozen=True, gc=False):
    """Tell the dispatcher that its offer was taken (or rejected, with the reason)."""

    sequence: int
    changed: bool
    rejected: str | None = None


class KeepAlive(Struct, frozen=True, gc=False):
    """Repeat these confirmed frames until ``until_us`` (device clock); no frames ends it."""

    frames: tuple[Frame, ...]
    until_us: int | None


class Stopped(Struct, frozen=True, gc=False):
    """The device was handed back, as far as that can be known."""


class Claimed(Struct, frozen=True, gc=False):
    """Tell the site what this asset wishes and may hold."""

    claim: Claim


class BackToWork(Struct, frozen=True, gc=False):
    """Forget the asset's crashes: somebody put it back to work."""


Effect: TypeAlias = (
    Send
    | Ask
    | RequestSlot
    | ReleaseSlot
    | Hasten
    | Respond
    | OfferTaken
    | KeepAlive
    | Stopped
    | Claimed
    | BackToWork
)
