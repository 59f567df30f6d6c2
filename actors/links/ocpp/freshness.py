"""What a charge point says of now, and what it has kept from before."""

from collections.abc import Callable
from datetime import datetime
from typing import Final

from actors.links.ocpp.assets import Assets
from actors.links.ocpp.manners import Manners
from actors.links.ocpp.watch import Watch
from engine.adapters.base import ClockRead
from engine.adapters.samples import instant, is_now_somewhere, moment
from engine.types import US_PER_S, to_us

OFFLINE_US: Final = 60 * US_PER_S
"""What lies further back than this before the socket opened was kept while there was none."""


def _nothing() -> None:
    """Have nothing to judge again."""


class Freshness:
    """How a charge point's clock stands to ours, and since when it has been heard.

    The loop thread.
    """

    def __init__(self, manners: Manners, assets: Assets) -> None:
        """Begin without a socket; the assets are told by how much the clock is wrong."""
        self._manners = manners
        self._assets = assets
        self._watch = Watch(manners.device_us, self._clock_told)
        self._since_us = 0
        self._opened_us = 0
        self._behind_us: int | None = None
        self._whenever_known: Callable[[], None] = _nothing

    def whenever_known(self, judge_again: Callable[[], None]) -> None:
        """Have it called when more is known of the clock: what looked old may be of now."""
        self._whenever_known = judge_again

    def connected(self) -> None:
        """Note when the socket opened: what is older is history."""
        self._since_us = self._manners.wall_us()
        self._opened_us = self._manners.device_us()
        self._watch.forget()

    def booted(self) -> None:
        """A boot may have put the clock right."""
        self._watch.forget()

    def hear(self, at: datetime | None) -> None:
        """Take a time that stood in a message, null where none did."""
        self._watch.hear(at)

    @property
    def is_doubtful(self) -> bool:
        """Whether the clock may be wrong, and another time should be told to know."""
        return self._watch.is_doubtful

    def _clock_told(self, ahead_s: int) -> None:
        """Know how the clock stands: from several times, so it outranks a status."""
        self._assets.tell_all(ClockRead(ahead_s))
        self._learn(-ahead_s * US_PER_S)

    def told_time(self, at: datetime | None) -> None:
        """Learn from a status by how much the charge point's clock is behind ours.

        Not from one that may have been kept while there was no socket. Some say when a status
        began, however long ago: the freshest that was ever told counts.
        """
        if at is None or self._manners.device_us() <= self._opened_us + OFFLINE_US:
            return
        behind_us = max(self._manners.wall_us() - to_us(at), 0)
        known_us = behind_us if self._behind_us is None else self._behind_us
        self._learn(min(behind_us, known_us))

    def _learn(self, behind_us: int) -> None:
        if behind_us != self._behind_us:
            self._behind_us = behind_us
            self._whenever_known()

    def is_old(self, told: object) -> bool:
        """Return whether a time lies before the socket; without an offset it may be of any zone."""
        at = moment(told)
        if at is None:
            return False
        if instant(told) is None and is_now_somewhere(self._manners.wall_us() - to_us(at)):
            return False
        return to_us(at) + (self._behind_us or 0) < self._since_us - OFFLINE_US
