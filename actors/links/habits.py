"""What the closings of a device's connections tell: that it went, or that it is its way."""

from typing import Final

SOON_S: Final = 1.0
CLOSINGS: Final = 2
"""So often in a row it closes soon after an answer who does so by habit, and did not restart."""
MANY: Final = 20
"""Who has given more answers over one connection does not close it by habit."""


class ClosingHabit:
    """Whether a device closes its connections once it has answered; times are in seconds.

    It is learned, and it is unlearned by a connection that lasts: restarts may look like it.
    """

    def __init__(self) -> None:
        """Begin with a device that has not closed any."""
        self.answers = 0
        self._answered_s = 0.0
        self._closings = 0

    @property
    def is_brief(self) -> bool:
        """Whether it closes each connection once it has answered."""
        return self._closings >= CLOSINGS

    @property
    def ends_by_s(self) -> float:
        """Until when it may be about to close the connection; 0 if it is not."""
        return self._answered_s + SOON_S if self.is_brief and self.answers else 0.0

    def opened(self) -> None:
        """There is a new connection."""
        self.answers = 0

    def answered(self, now_s: float) -> None:
        """A whole answer came over the connection."""
        self.answers += 1
        self._answered_s = now_s
        if self.answers > MANY:
            self._closings = 0

    def closed(self, now_s: float) -> None:
        """The device closed the connection; without an answer that tells nothing."""
        if self.answers:
            was_soon = self.answers <= MANY and now_s - self._answered_s < SOON_S
            self._closings = self._closings + 1 if was_soon else 0
