"""A crash at a point: an engine in this process that gets no further, the nth time it is there.

What a crash leaves is what was committed and what reached the devices. So from the point on nothing
is stored any more and nothing is sent, whatever the engine's threads still try; then it is closed.
"""

import asyncio
import contextlib
import threading
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any, Final, Literal, TypeAlias, get_args

import attrs

from actors import running, snapshots
from actors.links import ocpp
from actors.links.host import LinkHost
from actors.store import Store, open_store
from actors.system import ActorSystem
from actors.testing.faulty_store import FaultyStore
from engine.adapters.base import Answer, Link, Payload
from engine.codec import Row
from engine.errors import NotSent, StoreUnavailable
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
_ANSWERED: Final = next(topic for topic, kind in TOPICS.items() if kind is AttemptEnded)
_LOOK_S: Final = 0.005


@attrs.define
class Crash:
    """Ends an engine at a point, once it is armed; ``seen`` counts what a device has received."""

    seen: Callable[[], int]
    happened: threading.Event = attrs.field(factory=threading.Event)
    _end: Callable[[], None] = lambda: None
    _point: Point | None = None
    _left: int = 0
    _lock: threading.Lock = attrs.field(factory=threading.Lock)

    def arm(self, system: ActorSystem, point: Point, nth: int) -> None:
        """Let the engine end at the nth time that it comes to a point from now on."""
        journal = system._running.journal  # noqa: SLF001 - there is no other way to end it
        with self._lock:
            self._point, self._left = point, nth
            self._end = lambda: journal.taken_over("a crash")

    def disarm(self) -> None:
        """Let nothing happen from now on."""
        with self._lock:
            self._point = None

    def reach(self, point: Point) -> bool:
        """Come to a point; return whether that was the end, or the end had been before."""
        with self._lock:
            if self.happened.is_set():
                return True
            if point != self._point:
                return False
            self._left -= 1
            if self._left:
                return False
            self.happened.set()
        self._end()
        return True


@attrs.define
class CrashingStore(FaultyStore):
    """A store in front of which an engine may end."""

    crash: Crash = attrs.field(kw_only=True)

    def append(self, rows: Sequence[Row]) -> Sequence[int]:
        """Store, unless that is over."""
        answers = any(row.topic == _ANSWERED for row in rows)
        self._reach("before_append")
        if answers:
            self._reach("before_answer_append")
        positions = self.inner.append(rows)
        self._reach("after_append")
        if answers:
            self._reach("after_answer_append")
        return positions

    def save_snapshots(self, rows: Sequence[Row]) -> None:
        """Keep them, unless that is over."""
        self._reach("before_snapshot")
        self.inner.save_snapshots(rows)
        self._reach("after_snapshot")

    def _reach(self, point: Point) -> None:
        if self.crash.reach(point):
            raise StoreUnavailable("it crashed")


class CrashingLink:
    """A link on which an engine may end: before a frame, behind it, behind the answer."""

    def __init__(self, link: Link, crash: Crash) -> None:
        """Wrap a link."""
        self._link = link
        self._crash = crash

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 - whatever the link has
        """As the link."""
        return getattr(self._link, name)

    async def send(self, payload: Payload, timeout_s: float) -> Answer:
        """Send, unless that is over."""
        if not any(frame.control for frame in payload.frames):
            if self._crash.happened.is_set():
                raise NotSent("it crashed")
            return await self._link.send(payload, timeout_s)
        if self._crash.reach("before_send"):
            raise NotSent("it crashed")
        before = self._crash.seen()
        sending = asyncio.ensure_future(self._link.send(payload, timeout_s))
        while self._crash.seen() == before and not sending.done():
            await asyncio.wait((sending,), timeout=_LOOK_S)  # a device has no signal to wait for
        if self._crash.reach("after_send"):
            sending.cancel()
            with contextlib.suppress(asyncio.CancelledError, Exception):
                await sending
            raise NotSent("it crashed")
        answer = await sending
        if self._crash.reach("after_answer"):
            raise NotSent("it crashed")
        return answer


@contextlib.contextmanager
def crashing(crash: Crash) -> Iterator[None]:
    """Let engines that are opened meanwhile run into a crash; each event is worth a snapshot."""
    attach, every, adapter = LinkHost.attach, snapshots.EVERY, ocpp.OcppAdapter

    def attached(self: LinkHost, asset_id: Any, link: Link, tell: Any, slot: Any) -> None:  # noqa: ANN401 - as it is
        attach(self, asset_id, CrashingLink(link, crash), tell, slot)

    def opened(url: str, *, read_only: bool = False, take_over: bool = False) -> Store:
        store = open_store(url, read_only=read_only, take_over=take_over)
        return CrashingStore(store, crash=crash)

    LinkHost.attach = attached  # type: ignore[method-assign]  # for a while
    running.open_store = opened  # type: ignore[attr-defined]  # likewise
    snapshots.EVERY = 1  # type: ignore[misc]  # likewise
    # A charge point that was not off says nothing by itself when it is back: it is asked soon.
    ocpp.OcppAdapter = partial(adapter, quiet_s=0.2)  # type: ignore[misc,assignment]  # likewise
    try:
        yield
    finally:
        LinkHost.attach = attach  # type: ignore[method-assign]  # as it was
        running.open_store = open_store  # type: ignore[attr-defined]  # as it was
        snapshots.EVERY = every  # type: ignore[misc]  # as it was
        ocpp.OcppAdapter = adapter  # type: ignore[misc]  # as it was
