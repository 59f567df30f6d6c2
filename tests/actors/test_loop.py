import asyncio
import contextlib
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import CancelledError

import pytest

from actors.loop import LoopThread
from engine.errors import EngineClosed

WAIT_S = 10.0


class SteppedClock:
    """A steady clock that moves when a test says so."""

    def __init__(self) -> None:
        self.now_s = 1_000.0

    def __call__(self) -> float:
        """Return the seconds."""
        return self.now_s


@pytest.fixture
def clock() -> SteppedClock:
    """A clock for the stalls."""
    return SteppedClock()


@pytest.fixture
def stalls() -> list[object]:
    """What happened on the loop, stalls among it."""
    return []


@pytest.fixture
def loop(clock: SteppedClock, stalls: list[object]) -> Iterator[LoopThread]:
    """A running loop."""
    loop = LoopThread(on_stall=stalls.append, now_s=clock)
    loop.start()
    yield loop
    loop.stop()


async def answer(value: object) -> object:
    """Return the value after a round of the loop."""
    await asyncio.sleep(0)
    return value


def test_a_coroutine_runs_on_the_loops_thread(loop: LoopThread) -> None:
    """Its result comes back in a future."""

    async def name() -> str:
        return threading.current_thread().name

    assert loop.submit(name()).result(WAIT_S) == "loop"


def test_what_a_coroutine_raises_is_in_its_future(loop: LoopThread) -> None:
    """And the loop runs on."""

    async def fail() -> None:
        raise ValueError("odd")

    with pytest.raises(ValueError, match="odd"):
        loop.submit(fail()).result(WAIT_S)
    assert loop.submit(answer(1)).result(WAIT_S) == 1


def test_calls_are_made_in_order(loop: LoopThread) -> None:
    """However many come at once."""
    heard: list[int] = []
    done = threading.Event()
    for number in range(10_000):
        loop.call(heard.append, number)
    loop.call(done.set)

    assert done.wait(WAIT_S)
    assert heard == list(range(10_000))


def test_calls_that_come_together_share_a_wake_up(
    loop: LoopThread, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While the loop is busy, ten calls cost it one."""
    entered, gate, done = threading.Event(), threading.Event(), threading.Event()
    woken: list[None] = []
    wake = asyncio.SelectorEventLoop.call_soon_threadsafe

    def counted(loop: asyncio.SelectorEventLoop, callback: Callable[[], object]) -> asyncio.Handle:
        woken.append(None)
        return wake(loop, callback)

    def hold() -> None:
        entered.set()
        gate.wait(WAIT_S)

    loop.call(hold)
    assert entered.wait(WAIT_S)
    monkeypatch.setattr(asyncio.SelectorEventLoop, "call_soon_threadsafe", counted)
    for _ in range(9):
        loop.call(int)
    loop.call(done.set)
    gate.set()

    assert done.wait(WAIT_S)
    assert len(woken) == 1


def test_a_call_that_raises_is_logged_and_the_next_is_made(
    loop: LoopThread, caplog: pytest.LogCaptureFixture
) -> None:
    """One link's fault is not another's."""
    done = threading.Event()
    loop.call(int, "x")
    loop.call(done.set)

    assert done.wait(WAIT_S)
    assert "a call on the loop failed" in caplog.text


def test_a_standstill_is_told_of_before_anything_else_runs(
    loop: LoopThread, clock: SteppedClock, stalls: list[object]
) -> None:
    """What was waiting meanwhile comes after it."""
    done = threading.Event()

    def block() -> None:
        loop.call(stalls.append, "waiting")
        loop.call(done.set)
        clock.now_s += 1.5

    loop.call(block)

    assert done.wait(WAIT_S)
    assert stalls == [1.5, "waiting"]


def test_a_short_pause_is_no_standstill(
    loop: LoopThread, clock: SteppedClock, stalls: list[object]
) -> None:
    """Up to a second is forgiven."""

    async def pause() -> bool:
        clock.now_s += 1.0
        return loop.check()

    assert loop.submit(pause()).result(WAIT_S)
    assert stalls == []


def test_a_link_that_checks_before_it_sends_learns_of_a_standstill_within_its_round(
    loop: LoopThread, clock: SteppedClock, stalls: list[object]
) -> None:
    """And is told once."""

    async def send() -> list[bool]:
        clock.now_s += 30.0
        return [loop.check(), loop.check()]

    assert loop.submit(send()).result(WAIT_S) == [False, True]
    assert stalls == [30.0]


def test_a_stall_handler_that_raises_does_not_stop_the_loop(
    clock: SteppedClock, caplog: pytest.LogCaptureFixture
) -> None:
    """It is logged."""

    def fail(_gap_s: float) -> None:
        raise ValueError

    loop = LoopThread(on_stall=fail, now_s=clock)
    loop.start()
    clock.now_s += 5.0

    assert loop.submit(answer(1)).result(WAIT_S) == 1
    assert loop.stop()
    assert "standstill of the loop failed" in caplog.text


def test_an_idle_loop_shows_itself() -> None:
    """Real time, nobody calls, and it beats all the same."""
    beats = threading.Semaphore(0)

    def now_s() -> float:
        beats.release()
        return 0.0

    loop = LoopThread(stall_s=0.004, now_s=now_s)
    loop.start()
    beaten = [beats.acquire(timeout=WAIT_S) for _ in range(10)]

    assert all(beaten)
    assert loop.stop()


@pytest.mark.parametrize("error", [SystemExit(), KeyboardInterrupt()])
def test_what_would_end_a_thread_does_not_end_the_loop(
    loop: LoopThread, caplog: pytest.LogCaptureFixture, error: BaseException
) -> None:
    """Raised in a task, or in a call, of somebody's link."""

    async def ends() -> None:
        raise error

    def calls() -> None:
        raise error

    loop.submit(ends())
    assert loop.submit(answer(1)).result(WAIT_S) == 1
    loop.call(calls)
    done = threading.Event()
    loop.call(done.set)
    assert done.wait(WAIT_S)
    assert "wanted to end it" in caplog.text
    assert loop.stop()


def test_stop_cancels_what_runs(loop: LoopThread) -> None:
    """Whoever waits is told; nothing can be submitted after it."""
    entered = threading.Event()

    async def wait() -> None:
        entered.set()
        await asyncio.Event().wait()

    future = loop.submit(wait())
    assert entered.wait(WAIT_S)

    assert loop.stop()
    assert loop.stop()
    with pytest.raises(CancelledError):
        future.result(WAIT_S)
    with pytest.raises(EngineClosed):
        loop.submit(wait())
    for _ in range(2):
        with pytest.raises(EngineClosed):
            loop.call(entered.set)


def test_stop_does_not_wait_for_a_task_that_will_not_end(
    loop: LoopThread, caplog: pytest.LogCaptureFixture
) -> None:
    """It is named in the log."""
    entered = threading.Event()

    async def wait() -> None:
        entered.set()
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.Event().wait()
        await asyncio.Event().wait()

    async def begin() -> None:
        tasks.append(asyncio.create_task(wait(), name="stubborn"))

    tasks: list[asyncio.Task[None]] = []
    loop.submit(begin()).result(WAIT_S)
    assert entered.wait(WAIT_S)

    assert loop.stop(timeout_s=4.0)
    assert "stubborn did not end" in caplog.text


def test_stop_is_bounded_when_a_callback_blocks(loop: LoopThread) -> None:
    """The thread is left to itself and ends when it can."""
    entered, gate = threading.Event(), threading.Event()

    def hold() -> None:
        entered.set()
        gate.wait(WAIT_S)

    loop.call(hold)
    assert entered.wait(WAIT_S)

    assert not loop.stop(timeout_s=0.01)
    gate.set()
    assert loop.stop()


def test_a_loop_that_never_began_can_be_stopped() -> None:
    """Closing after a failed start does not fail in its turn."""
    assert LoopThread().stop()
