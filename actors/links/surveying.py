"""Asks a device for its SunSpec map, read by read."""

from collections.abc import Awaitable, Callable

from actors.links.exchange import Reply, request_of
from engine.adapters.base import Frame
from engine.adapters.sunspec import PROFILE, survey
from engine.errors import OutcomeUnknown


class Surveyor:
    """Finds the map of one unit.

    A base at which the device stays silent is passed over the next time.
    """

    def __init__(self, unit: int, exchange: Callable[[Frame], Awaitable[Reply]]) -> None:
        """Take what sends one read and returns its reply."""
        self._unit = unit
        self._exchange = exchange
        self._silent: set[int] = set()

    async def facts(self) -> dict[str, str]:
        """Return what the map says, nothing where there is none.

        Raises:
            LinkError: the device did not answer; it may be asked again on a new connection.
        """
        reading = survey(self._unit, frozenset(self._silent))
        try:
            frame = next(reading)
            while True:
                frame = reading.send(await self._words(frame))
        except StopIteration as done:
            self._silent.clear()
            return dict(done.value)

    async def _words(self, frame: Frame) -> tuple[int, ...] | None:
        try:
            reply = await self._exchange(frame)
        except OutcomeUnknown:
            if frame.body["role"] == PROFILE:
                self._silent.add(request_of(frame).address)
            raise
        return None if reply.exception is not None else reply.words
