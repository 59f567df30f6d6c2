"""A crash at a point: an engine that gets no further, the nth time that it is there.

What a crash leaves is what was committed and what reached the devices. So at the point everything
of the engine ends at once, as in a process that is killed.
"""

import asyncio
from collections.abc import Callable, Sequence
from typing import Any, Final, Literal, TypeAlias, get_args

import attrs

from actors.sim.wirelog import Direction, WireEntry, WireLog
from actors.testing.faulty_store import FaultyStore
from actors.testing.promises import CONTROL_ACTIONS, WRITES
from engine.adapters.base import Answer, Link, Payload
from engine.codec import Row
from engine.errors import UsageError
from engine.events import TOPICS, AttemptEnded

Point: TypeAlias = Literal[
    "before_append",
    "after_append",
    "before_send",
    "after_send",
    "after_answer",
    "before_answer_append",
    "after_answer_append",
    "before_snapshot",
    "after_snapshot",
]
POINTS: Final[tuple[Point, ...]] = get_args(Point)
_CONTROL: Final = CONTROL_ACTIONS | WRITES
_ANSWERED: Final = next(topic for topic, kind in TOPICS.items() if kind is AttemptEnded)


class Crashed(BaseException):
    """An engine has ended where a test wanted it to; it comes out where the test let time go on."""


@attrs.define
class Crash:
    """Ends an engine at a point, once it is armed, by ``end``."""

    end: Callable[[], None]
    happened: bool = False
    _is_news: bool = False
    _point: Point | None = None
    _left: int = 0

    def arm(self, point: Point, nth: int = 1) -> None:
        """Let the engine end at the nth time that it comes to a point from now on.

        Raises:
            UsageError: there is no such point, or no such time.
        """
        if point not in POINTS:
            raise UsageError(f"{point!r} is no crash point, but {', '.join(POINTS)}")
        if nth < 1:
            raise UsageError(f"the first time is nth=1, not {nth}")
        self._point, self._left = point, nth

    def hand_over(self, end: Callable[[], None]) -> "Crash":
        """Return the crash of the engine that takes over; this one's does not come any more."""
        following = Crash(end, point=self._point, left=self._left)
        self._point = None
        return following

    def disarm(self) -> None:
        """Let nothing happen from now on."""
        self._point = None

    def forget(self) -> None:
        """Let nothing happen from now on, as if nothing had."""
        self._point = None
        self.happened = self._is_news = False

    def reach(self, point: Point) -> None:
        """Come to a point, within the engine.

        Raises:
            Crashed: the engine ends here, or has ended already.
        """
        if self.happened or self.passes(point):
            raise Crashed

    def passes(self, point: Point) -> bool:
        """Come to a point, wherever; return whether the engine ends at it."""
        if self.happened or point != self._point:
            return False
        self._left -= 1
        if self._left:
            return False
        self.happened = self._is_news = True
        self.end()
        return True

    def tell(self) -> None:
        """Let whoever gives turns know, once: what ran on into the crash may have caught it.

        Raises:
            Crashed: it has happened since this was asked the last time.
        """
        if self._is_news:
            self._is_news = False
            raise Crashed


@attrs.define
class CrashingStore(FaultyStore):
    """A store in front of which an engine may end."""

    crash: Crash = attrs.field(kw_only=True)

    def append(self, rows: Sequence[Row]) -> Sequence[int]:
        """Store, unless that is over."""
        answers = any(row.topic == _ANSWERED for row in rows)
        self.crash.reach("before_append")
        if answers:
            self.crash.reach("before_answer_append")
        positions = super().append(rows)
        self.crash.reach("after_append")
        if answers:
            self.crash.reach("after_answer_append")
        return positions

    def save_snapshots(self, rows: Sequence[Row]) -> None:
        """Keep them, unless that is over."""
        self.crash.reach("before_snapshot")
        super().save_snapshots(rows)
        self.crash.reach("after_snapshot")


class CrashingLink:
    """A link on which an engine may end: before a frame leaves, and behind the answer.

    Of a device that is not ours nobody knows when it has received a frame: ``is_foreign`` takes the
    moment at which its answer is there for that.
    """

    def __init__(self, link: Link, crash: Crash, *, is_foreign: bool = False) -> None:
        """Wrap a link."""
        self._link = link
        self._crash = crash
        self._is_foreign = is_foreign

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 - whatever the link has
        """As the link."""
        return getattr(self._link, name)

    async def open(self) -> None:
        """As the link."""
        await self._link.open()

    async def close(self) -> None:
        """As the link."""
        await self._link.close()

    async def send(self, payload: Payload, timeout_s: float) -> Answer:
        """Send, unless that is over."""
        if not any(frame.control for frame in payload.frames):
            return await self._link.send(payload, timeout_s)
        await self._reach("before_send")
        answer = await self._link.send(payload, timeout_s)
        if self._is_foreign:
            await self._reach("after_send")
        await self._reach("after_answer")
        return answer

    async def _reach(self, point: Point) -> None:
        """Come to a point; in a process that ends there, nothing comes behind it."""
        try:
            self._crash.reach(point)
        except Crashed:
            await asyncio.get_running_loop().create_future()


class CrashingLog(WireLog):
    """A device's wire log: an engine may end when the device has received a control frame."""

    def __init__(
        self,
        passes: Callable[[Point], object],
        wall_us: Callable[[], int],
        seen: Callable[[str, str], object],
    ) -> None:
        """Begin empty; ``seen`` is told of each control frame, by device and message id."""
        super().__init__(wall_us=wall_us)
        self._passes = passes
        self._seen = seen

    def write(  # noqa: PLR0913 - the contract's keys of one line
        self,
        device: str,
        protocol: str,
        direction: Direction,
        *,
        message_id: str | int | None,
        action: str | int | None,
        payload: object,
    ) -> WireEntry:
        """Add one frame."""
        entry = super().write(
            device, protocol, direction, message_id=message_id, action=action, payload=payload
        )
        if direction == "in" and action in _CONTROL:
            self._seen(device, str(message_id))
            self._passes("after_send")
        return entry
