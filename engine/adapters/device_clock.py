"""Whether a device's own clock is right, by the times that stand in its messages; pure.

A message tells a moment that may lie back: a status that began an hour ago, a meter value that was
kept while there was no connection. So one message says nothing of a clock; two do that were heard
some time apart, if the clock stands where the first of them lets expect it.
"""

from typing import Final

from msgspec import Struct

from engine.types import US_PER_S

APART_US: Final = 5 * US_PER_S
AGREE_US: Final = 4 * US_PER_S
RIGHT_S: Final = 30
"""Up to here a clock counts as right: a schedule that starts a minute back has begun on it."""


class Told(Struct, frozen=True, gc=False):
    """A time in a message: when it was heard, and by how much it was ahead of our own clock."""

    heard_us: int
    ahead_us: int


class Reading(Struct, frozen=True, gc=False):
    """What is known of a clock.

    ``first`` is the time that the next is compared with, ``ahead_s`` by how many seconds the clock
    is ahead of ours, null while that is not known.
    """

    first: Told | None = None
    ahead_s: int | None = None

    def after(self, told: Told) -> "Reading":
        """Return what is known once another time was told."""
        first = self.first
        if first is None:
            return Reading(told, self.ahead_s)
        agrees = abs(told.ahead_us - first.ahead_us) <= AGREE_US
        if told.heard_us - first.heard_us >= APART_US:
            return Reading(told, round(told.ahead_us / US_PER_S) if agrees else self.ahead_s)
        fresher = told.ahead_us > first.ahead_us and not agrees
        return Reading(told, self.ahead_s) if fresher else self

    @property
    def is_doubtful(self) -> bool:
        """Whether the only time that was told would make the clock a wrong one."""
        return (
            self.ahead_s is None
            and self.first is not None
            and abs(self.first.ahead_us) > RIGHT_S * US_PER_S
        )


def wrong_by_s(ahead_s: int) -> int:
    """Return by how many seconds a clock is wrong, 0 for one that is right enough."""
    return ahead_s if abs(ahead_s) > RIGHT_S else 0
