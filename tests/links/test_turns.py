"""Turns on a link's slot: in order, kept until they are wanted, not lost by who leaves."""

import asyncio
from collections.abc import Awaitable, Callable

from actors.links.turns import LinkTurns, Slots


class Asset:
    """An asset on a slot, and what it was told."""

    def __init__(self, *, gives_back: Callable[["Asset"], None] | None = None) -> None:
        """Hear nothing yet; ``gives_back`` is done as soon as somebody wants its turn."""
        self.told: list[str] = []
        self._gives_back = gives_back

    def granted(self) -> None:
        """Take note."""
        self.told.append("granted")

    def wanted(self) -> None:
        """Take note."""
        self.told.append("wanted")
        if self._gives_back is not None:
            self._gives_back(self)


def run(story: Callable[[Slots, LinkTurns], Awaitable[None]]) -> None:
    """Run a story with a link's turns on the slot ``s``."""

    async def told() -> None:
        slots, loop = Slots(), asyncio.get_running_loop()
        turns = LinkTurns(slots, "s", loop.call_soon)
        async with asyncio.timeout(10):
            await story(slots, turns)

    asyncio.run(told())


def test_turns_come_in_the_order_in_which_they_were_asked_for() -> None:
    """And nobody is in the queue twice."""
    slots = Slots()
    first, second, third = Asset(), Asset(), Asset()
    for one in (first, second, third, second):
        slots.request("s", one)
    slots.release("s", first)
    slots.release("s", second)
    slots.release("s", third)
    slots.request("s", second)
    assert first.told == ["granted", "wanted", "wanted", "wanted"]
    assert second.told == ["granted", "wanted", "granted"]
    assert third.told == ["granted"]


def test_who_leaves_the_queue_gets_no_turn() -> None:
    """Its place is the next one's."""
    slots = Slots()
    first, second, third = Asset(), Asset(), Asset()
    for one in (first, second, third):
        slots.request("s", one)
    slots.release("s", second)
    slots.release("s", first)
    assert second.told == []
    assert third.told == ["granted"]


def test_a_question_comes_when_an_asset_has_given_its_turn_back() -> None:
    """An asset alone on its link keeps it else."""

    async def story(slots: Slots, turns: LinkTurns) -> None:
        asset = Asset(gives_back=lambda one: slots.release("s", one))
        slots.hold("s", asset)
        async with turns.take(lambda: None):
            assert asset.told == ["wanted"]
            slots.request("s", asset)
            await asyncio.sleep(0)
            assert asset.told == ["wanted"]
        assert asset.told == ["wanted", "granted"]

    run(story)


def test_a_question_is_hastened_by_who_waits_behind_it_and_not_once_it_is_over() -> None:
    """Also by an asset that waited before it began."""

    async def story(slots: Slots, turns: LinkTurns) -> None:
        first, second, hastened = Asset(), Asset(), []
        slots.request("s", first)
        asking = asyncio.ensure_future(_ask(turns, lambda: hastened.append(1)))
        await asyncio.sleep(0)
        slots.request("s", second)
        slots.release("s", first)
        await asking
        assert hastened == [1]
        assert second.told == ["granted"]
        slots.request("s", first)
        await asyncio.sleep(0)
        assert hastened == [1]

    run(story)


async def _ask(turns: LinkTurns, hasten: Callable[[], None]) -> None:
    async with turns.take(hasten):
        await asyncio.sleep(0)
        await asyncio.sleep(0)


def test_a_question_that_is_given_up_leaves_the_queue() -> None:
    """The socket closed while it waited for its turn."""

    async def story(slots: Slots, turns: LinkTurns) -> None:
        first, second = Asset(), Asset()
        slots.request("s", first)
        asking = asyncio.ensure_future(_ask(turns, lambda: None))
        await asyncio.sleep(0)
        slots.request("s", second)
        asking.cancel()
        await asyncio.gather(asking, return_exceptions=True)
        slots.release("s", first)
        assert second.told == ["granted"]

    run(story)
