"""How the greetings of one device have gone: who runs the engine hears of one that is not used."""

import logging
from typing import Final

logger = logging.getLogger("setpoint")

OFTEN: Final = 5
"""So many greetings in a row have to fail: a device that restarts, or is slow once, is no news."""
_REASONS: Final = 3


class Greetings:
    """What is told of a device that can be reached and is not used, each reason once."""

    def __init__(self, device: str) -> None:
        """Begin with none; ``device`` names it."""
        self._device = device
        self._said: str | None = None
        self._failed = 0
        self._told: set[str] = set()

    def failed(self, reason: str) -> bool:
        """Count one that failed; return whether that is for a person to look at by now."""
        self._failed += 1
        is_news = reason not in self._told and len(self._told) < _REASONS
        if self._failed < OFTEN or not is_news:
            return False
        self._told.add(reason)
        return True

    def say(self, reason: str) -> None:
        """Warn that a device that answers is not used, and why."""
        if reason != self._said:
            self._said = reason
            logger.warning("%s is not used: %s", self._device, reason)

    def worked(self) -> None:
        """Begin anew: the device was greeted, and is used."""
        self._said = None
        self._failed = 0
        self._told.clear()
