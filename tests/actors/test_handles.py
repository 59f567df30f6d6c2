"""A command in somebody's hands."""

import asyncio
import threading
from collections.abc import Iterator
from typing import cast

import pytest

from actors.bus import BusThread
from actors.handles import CommandHandle, Watch
from actors.testing.clocks import START, ManualClocks
from engine.bus import Event, EventBus, EventType
from engine.history import CommandRecord

RECORD = cast("CommandRecord", "the record")


@pytest.fixture
def bus() -> Iterator[BusThread]:
    """Give a bus whose thread runs."""
    bus = BusThread(EventBus(), ManualClocks())
    bus.start()
    yield bus
    bus.close()


@pytest.fixture
def handle(bus: BusThread) -> CommandHandle:
    """Give a handle of a command that is under way."""
    watch = Watch(bus, "ast_1", lambda future, timeout_s: future.result(timeout_s))
    return CommandHandle("cmd_1", watch, lambda _: RECORD)


def end_command(bus: BusThread) -> None:
    """Let the command be COMPLETED."""
    done = Event(EventType.COMMAND_COMPLETED, "ast_1", START, 1, {"command_id": "cmd_1"})
    bus.publish(1, 1, lambda: (done,))


def test_one_may_wait_for_ever(bus: BusThread) -> None:
    """Also in seconds: as many as the machine can count to."""
    waited: list[float | None] = []
    watch = Watch(bus, "ast_1", lambda _, timeout_s: waited.append(timeout_s))
    handle = CommandHandle("cmd_1", watch, lambda _: RECORD)
    for timeout in (float("inf"), 5, None):
        assert handle.wait(timeout) is RECORD
    assert waited == [threading.TIMEOUT_MAX, 5, None]


def test_who_gives_up_awaiting_can_end_the_loop(bus: BusThread, handle: CommandHandle) -> None:
    """The thread that waited ends too: asyncio.run joins it, though the command is not over."""

    async def impatient() -> None:
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(handle, 0.05)

    asyncio.run(impatient())
    end_command(bus)
    assert handle.wait(10) is RECORD


def test_one_who_gives_up_takes_nobody_along(bus: BusThread, handle: CommandHandle) -> None:
    """Each waits for himself: the other still gets the record."""

    async def both() -> CommandRecord:
        patient = asyncio.ensure_future(handle)
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(handle, 0.05)
        with pytest.raises(TimeoutError, match="still PENDING after 0 s"):
            handle.wait(0)
        end_command(bus)
        return await patient

    assert asyncio.run(both()) is RECORD


def test_what_is_over_is_not_waited_for(bus: BusThread, handle: CommandHandle) -> None:
    """Its record is there at once, again and again."""
    end_command(bus)
    assert handle.wait(10) is RECORD
    assert handle.wait(0) is RECORD
