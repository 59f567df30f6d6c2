"""Sockets before it is known who they are: who may begin, who has to go."""

import asyncio
from collections.abc import Awaitable, Callable

import attrs
import pytest

from actors.links.ocpp import porch
from actors.links.ocpp.porch import Porch, room_for
from actors.links.ocpp.refusals import Refusals


@attrs.define(eq=False)
class Visitor:
    """A socket that notes what becomes of it."""

    name: str
    address: str
    log: list[str]
    changed: asyncio.Event
    asked: bool = False

    def begin(self) -> None:
        """Note that the handshake may begin."""
        self._note("begins")

    def turn_away(self) -> None:
        """Note that it was closed."""
        self._note("goes")

    def _note(self, what: str) -> None:
        self.log.append(f"{self.name} {what}")
        self.changed.set()


class Scene:
    """A porch, who is on it, and what happened."""

    def __init__(self, room: int = 100) -> None:
        """Begin with nobody."""
        self.log: list[str] = []
        self.kinds: list[str] = []
        self.changed = asyncio.Event()
        self.porch = Porch(Refusals(lambda kind, _peer, _count: self.kinds.append(kind), int), room)

    def comes(self, *names: str) -> list[Visitor]:
        """Let some come; the letter of a name is where from."""
        visitors = [Visitor(name, name[0], self.log, self.changed) for name in names]
        for visitor in visitors:
            self.porch.enter(visitor)
        return visitors

    async def until(self, entry: str) -> None:
        """Wait until something has happened."""
        while entry not in self.log:
            self.changed.clear()
            await self.changed.wait()


def play(story: Callable[[], Awaitable[None]]) -> None:
    """Run a story on a loop."""

    async def told() -> None:
        await story()

    asyncio.run(told())


def test_who_comes_alone_begins_at_once() -> None:
    """And may leave twice."""

    async def story() -> None:
        scene = Scene()
        (visitor,) = scene.comes("a1")
        assert scene.log == ["a1 begins"]
        scene.porch.leave(visitor)
        scene.porch.leave(visitor)
        scene.comes("a2")
        assert scene.log == ["a1 begins", "a2 begins"]

    play(story)


def test_addresses_take_turns(monkeypatch: pytest.MonkeyPatch) -> None:
    """Who comes with many waits for his own, and does not hold up the others."""
    monkeypatch.setattr(porch, "AT_ONCE", 1)

    async def story() -> None:
        scene = Scene()
        visitors = scene.comes("a1", "a2", "a3", "b1", "c1")
        scene.porch.leave(visitors[2])  # gone before its turn
        scene.comes("a4")
        for number in (0, 1, 3, 4):
            scene.porch.leave(visitors[number])
        begun = [entry for entry in scene.log if entry.endswith("begins")]
        assert begun == [f"{name} begins" for name in ("a1", "a2", "b1", "c1", "a4")]

    play(story)


def test_so_many_begin_a_second(monkeypatch: pytest.MonkeyPatch) -> None:
    """The next one a moment later, by itself."""
    monkeypatch.setattr(porch, "PER_S", 2.0)

    async def story() -> None:
        scene = Scene()
        scene.comes("a1", "a2", "a3")
        assert scene.log == ["a1 begins", "a2 begins"]
        began_s = asyncio.get_running_loop().time()
        await scene.until("a3 begins")
        assert asyncio.get_running_loop().time() - began_s > 0.4

    play(story)


def test_an_address_that_has_its_share_loses_its_oldest(monkeypatch: pytest.MonkeyPatch) -> None:
    """Also one whose turn it was; other addresses lose nothing."""
    monkeypatch.setattr(porch, "ROOM_EACH", 2)

    async def story() -> None:
        scene = Scene()
        scene.comes("b1", "a1", "a2", "a3")
        assert [entry for entry in scene.log if entry.endswith("goes")] == ["a1 goes"]
        assert scene.kinds == ["too_many_connections"]

    play(story)


def test_where_there_is_no_room_the_address_with_the_most_loses(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Who holds on to places keeps nobody else out."""
    monkeypatch.setattr(porch, "AT_ONCE", 0)

    async def story() -> None:
        scene = Scene(room=3)
        scene.comes("b1", "a1", "a2", "c1", "d1")
        assert scene.log == ["a1 goes", "b1 goes"]

    play(story)


def test_what_takes_too_long_has_to_go(monkeypatch: pytest.MonkeyPatch) -> None:
    """Sooner where others wait for its place."""
    monkeypatch.setattr(porch, "AT_ONCE", 1)
    monkeypatch.setattr(porch, "HURRIED_S", 0.05)

    async def story() -> None:
        scene = Scene()
        scene.comes("a1", "b1")
        await scene.until("b1 begins")
        assert scene.log == ["a1 begins", "a1 goes", "b1 begins"]
        assert scene.kinds == ["slow_handshake"]
        monkeypatch.setattr(porch, "HANDSHAKE_S", 0.05)
        scene.comes("c1")
        await scene.until("c1 begins")
        await scene.until("c1 goes")

    play(story)


def test_who_has_asked_does_not_go_because_the_answer_takes_long(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Two thousand at once keep the loop busy for seconds; that is not their fault."""
    monkeypatch.setattr(porch, "AT_ONCE", 2)
    monkeypatch.setattr(porch, "HURRIED_S", 0.05)

    async def story() -> None:
        scene = Scene()
        asked, *_ = scene.comes("a1", "b1", "c1", "d1")
        asked.asked = True
        await scene.until("d1 begins")
        assert scene.log == [
            "a1 begins",
            "b1 begins",
            "b1 goes",
            "c1 begins",
            "c1 goes",
            "d1 begins",
        ]

    play(story)


def test_when_nobody_listens_any_more_all_have_to_go(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a word of it; that is nobody's fault."""
    monkeypatch.setattr(porch, "AT_ONCE", 1)

    async def story() -> None:
        scene = Scene()
        scene.comes("a1", "a2")
        scene.porch.clear()
        assert scene.log == ["a1 begins", "a1 goes", "a2 goes"]
        assert scene.kinds == []

    play(story)


def test_strangers_never_take_all_files_that_a_process_may_open() -> None:
    """Half of them are for those who are known, and for the store."""
    assert [room_for(files) for files in (1, 1_024, 1 << 20)] == [1, 512, porch.ROOM]
