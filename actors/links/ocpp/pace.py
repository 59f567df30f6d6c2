"""How fast the frames of one peer are read."""

import asyncio
from typing import Final

FRAMES_S: Final = 300.0
"""Frames a second for as long as it likes: three times what the chattiest one has to say."""
BURST: Final = 3_000.0
"""Frames at once: what was kept while there was no connection."""
_TURN: Final = 16
"""So many are read before others have their turn."""


class Pace:
    """The pace of one socket; what is not read waits at the peer's own end. The loop thread."""

    def __init__(self) -> None:
        """Begin with a whole burst."""
        self._loop = asyncio.get_running_loop()
        self._credit = BURST
        self._credited_s = self._loop.time()
        self._read = 0

    async def next(self) -> None:
        """Wait until the next frame may be read."""
        now_s = self._loop.time()
        self._credit = min(BURST, self._credit + FRAMES_S * (now_s - self._credited_s)) - 1
        self._credited_s = now_s
        self._read += 1
        if self._credit < 0:
            await asyncio.sleep(-self._credit / FRAMES_S)
        elif self._read % _TURN == 0:
            await asyncio.sleep(0)
