"""How a charge point's own clock stands, by the times in its messages."""

from collections.abc import Callable
from datetime import datetime

from engine.adapters.device_clock import Reading, Told
from engine.types import to_us


class Watch:
    """What is known of one charge point's clock on one connection. The loop thread."""

    def __init__(self, device_us: Callable[[], int], told: Callable[[int], None]) -> None:
        """Know nothing yet; ``told`` hears by how many seconds it is ahead, when that is news."""
        self._device_us = device_us
        self._told = told
        self._reading = Reading()

    @property
    def is_doubtful(self) -> bool:
        """Whether it may be wrong, and another time should be told to know."""
        return self._reading.is_doubtful

    def forget(self) -> None:
        """It may have been put right."""
        self._reading = Reading()

    def hear(self, at: datetime | None) -> None:
        """Take a time that stood in a message, null where none did."""
        if at is None:
            return
        now_us, before_s = self._device_us(), self._reading.ahead_s
        self._reading = self._reading.after(Told(now_us, to_us(at) - now_us))
        ahead_s = self._reading.ahead_s
        if ahead_s is not None and ahead_s != before_s:
            self._told(ahead_s)
