"""What an actor hands to the journal, and what it gets back."""

from collections.abc import Callable, Sequence
from typing import TypeAlias

from msgspec import Struct

from engine.types import Instant


class Committed(Struct, frozen=True, gc=False):
    """An append is durable; its events are at these positions."""

    positions: Sequence[int]


class Refused(Struct, frozen=True, gc=False):
    """An append was not stored and never will be.

    ``for_good``: no other append will be either.
    """

    reason: str
    for_good: bool = True


Reply: TypeAlias = Callable[[object], None]


class Writer:
    """One life of an actor that appends: what it appends once it is ``closed`` is dropped."""

    __slots__ = ("closed",)

    def __init__(self) -> None:
        """Begin open."""
        self.closed = False


class Append(Struct, frozen=True):
    """One actor's events, in order, to be stored together behind version ``expected``.

    ``reply`` gets Committed once they are durable, or Refused; it is called on the journal's
    thread and has to be quick.
    """

    stream: str
    expected: int
    events: Sequence[object]
    now: Instant
    reply: Reply
    cause: str | None = None
    correlation: str | None = None
    writer: Writer | None = None
