import threading
from collections.abc import Iterator

import attrs
import pytest

from actors.pool import ActorPool, HandlerHung, Pool, PoolActor
from actors.supervisor import CrashLedger, Verdict, Watchdog

S_US = 1_000_000
WAIT_S = 10.0


@attrs.define
class Scene:
    """What a test and its actor share."""

    entered: threading.Event = attrs.field(factory=threading.Event)
    let_go: threading.Event = attrs.field(factory=threading.Event)
    threads: list[threading.Thread] = attrs.field(factory=list)
    crashes: list[tuple[object, type[BaseException], int]] = attrs.field(factory=list)


class Stuck(PoolActor):
    """Hangs in the message ``hang`` until it is let go."""

    def __init__(self, pool: ActorPool, scene: Scene) -> None:
        super().__init__(pool)
        self.scene = scene

    def on_receive(self, message: object) -> object:
        """Hang, or return the message."""
        if message == "hang":
            self.scene.threads.append(threading.current_thread())
            self.scene.entered.set()
            self.scene.let_go.wait(WAIT_S)
            return "too late"
        return message

    def on_crash(self, message: object, exception: BaseException) -> None:
        """Note the crash."""
        self.scene.crashes.append((message, type(exception), self.incarnation))


@pytest.fixture
def pool() -> Iterator[Pool]:
    """A pool of one thread that may have one more."""
    pool = Pool(1, max_extra=1)
    yield pool
    pool.stop()


@pytest.fixture
def scene() -> Iterator[Scene]:
    """A scene whose handlers do not hang beyond the test."""
    scene = Scene()
    yield scene
    scene.let_go.set()


def test_the_first_crash_on_a_message_is_retried_and_the_second_sets_it_aside() -> None:
    """A message that crashes twice is not tried a third time."""
    ledger = CrashLedger()
    message = object()

    assert ledger.record("a", message, 0) is Verdict.RETRY
    assert ledger.record("a", message, S_US) is Verdict.SET_ASIDE


def test_another_message_or_another_actor_is_counted_by_itself() -> None:
    """Equal messages are two messages, and actors do not share their counts."""
    ledger = CrashLedger()
    verdicts = [ledger.record(actor, ["same"], 0) for actor in "aabb"]

    assert verdicts == [Verdict.RETRY] * 4


def test_a_message_is_known_again_after_another_one_crashed() -> None:
    """Two bad messages in turn are both set aside."""
    ledger = CrashLedger()
    first, second = object(), object()
    verdicts = [
        ledger.record("a", message, index * S_US)
        for index, message in enumerate([first, second, first, second])
    ]

    assert verdicts == [Verdict.RETRY, Verdict.RETRY, Verdict.SET_ASIDE, Verdict.SET_ASIDE]


def test_the_fifth_crash_within_a_minute_gives_up() -> None:
    """Whatever the messages were."""
    ledger = CrashLedger()
    verdicts = [ledger.record("a", object(), index * 14 * S_US) for index in range(5)]

    assert verdicts == [Verdict.RETRY] * 4 + [Verdict.GIVE_UP]


def test_five_crashes_over_a_minute_do_not_give_up() -> None:
    """The window slides."""
    ledger = CrashLedger()
    verdicts = [ledger.record("a", object(), index * 15 * S_US) for index in range(5)]

    assert verdicts == [Verdict.RETRY] * 5


def test_a_crash_without_a_message_counts_and_sets_nothing_aside() -> None:
    """A recovery that fails again and again is given up."""
    ledger = CrashLedger()
    verdicts = [ledger.record("a", None, index) for index in range(5)]

    assert verdicts == [Verdict.RETRY] * 4 + [Verdict.GIVE_UP]


def test_a_hang_sets_its_message_aside_and_the_second_in_a_minute_gives_up() -> None:
    """Each costs a thread."""
    ledger = CrashLedger()
    verdicts = [ledger.record("a", object(), at_s * S_US, hung=True) for at_s in (0, 60, 119, 200)]

    assert verdicts == [Verdict.SET_ASIDE, Verdict.SET_ASIDE, Verdict.GIVE_UP, Verdict.SET_ASIDE]


def test_an_error_is_told_at_length_once_a_minute() -> None:
    """Each kind by itself."""
    ledger = CrashLedger()
    told = [
        ledger.is_news(error, at_s * S_US)
        for error, at_s in (("a", 0), ("a", 59), ("b", 59), ("a", 60))
    ]

    assert told == [True, False, True, True]


def test_a_cleared_actor_starts_from_nothing() -> None:
    """After an operator put it back, old crashes do not count."""
    ledger = CrashLedger()
    for index in range(5):
        ledger.record("a", object(), index)
    ledger.clear("a")

    assert ledger.record("a", object(), 6) is Verdict.RETRY


def test_a_hung_handler_loses_its_actor_which_goes_on_elsewhere(pool: Pool, scene: Scene) -> None:
    """The rest of the inbox is handled while the handler still hangs."""
    ref = Stuck.start(pool, scene)
    watchdog = Watchdog(pool, hung_after_s=10)
    hanging, after = ref.ask("hang", block=False), ref.ask("after", block=False)
    assert scene.entered.wait(WAIT_S)
    found = [watchdog.check(now_s) for now_s in (100.0, 109.0, 110.0)]

    assert found == [0, 0, 1]
    assert after.get(timeout=WAIT_S) == "after"
    with pytest.raises(HandlerHung, match="did not return from str"):
        hanging.get(timeout=WAIT_S)
    assert scene.crashes == [("hang", HandlerHung, 1)]


def test_while_a_handler_is_slow_another_thread_stands_in(pool: Pool, scene: Scene) -> None:
    """The slow one keeps its actor; once it has returned the pool is back to its size."""
    slow, other = Stuck.start(pool, scene), Stuck.start(pool, Scene())
    assert other.ask("before", timeout=WAIT_S) == "before"
    watchdog = Watchdog(pool, hung_after_s=10)
    answer = slow.ask("hang", block=False)
    assert scene.entered.wait(WAIT_S)
    threads = set(threading.enumerate())
    watchdog.check(0.0)
    watchdog.check(0.1)
    assert len(pool.workers()) == 1  # nobody waits
    waiting = other.ask("after", block=False)
    watchdog.check(0.2)
    watchdog.check(0.3)
    assert waiting.get(timeout=WAIT_S) == "after"
    (stand_in,) = set(threading.enumerate()) - threads
    scene.let_go.set()
    assert answer.get(timeout=WAIT_S) == "too late"
    stand_in.join(WAIT_S)
    assert len(pool.workers()) == 1
    assert scene.crashes == []


def test_a_stand_in_that_hangs_is_taken_over_from_too(pool: Pool, scene: Scene) -> None:
    """The thread that is added goes on with the rest."""
    second = Scene()
    first, other = Stuck.start(pool, scene), Stuck.start(pool, second)
    watchdog = Watchdog(pool, hung_after_s=10)
    first.tell("hang")
    assert scene.entered.wait(WAIT_S)
    other.tell("hang")
    watchdog.check(0)
    watchdog.check(1)
    assert second.entered.wait(WAIT_S)
    waiting = other.ask("after", block=False)
    found = [watchdog.check(now_s) for now_s in (2.0, 10.0, 12.0)]
    assert found == [0, 1, 1]
    assert waiting.get(timeout=WAIT_S) == "after"
    second.let_go.set()
    second.threads[0].join(WAIT_S)
    assert not second.threads[0].is_alive()


def test_what_a_hung_handler_returns_later_is_dropped_and_its_thread_ends(
    pool: Pool, scene: Scene
) -> None:
    """The asker was told already, and the pool is back to its size."""
    ref = Stuck.start(pool, scene)
    watchdog = Watchdog(pool, hung_after_s=10)
    hanging = ref.ask("hang", block=False)
    assert scene.entered.wait(WAIT_S)
    watchdog.check(0)
    watchdog.check(10)
    scene.let_go.set()
    scene.threads[0].join(WAIT_S)

    assert not scene.threads[0].is_alive()
    assert len(pool.workers()) == 1
    with pytest.raises(HandlerHung):
        hanging.get(timeout=0)
    assert ref.ask("after", timeout=WAIT_S) == "after"


def test_beyond_the_extra_threads_a_hung_one_joins_in_again_when_it_returns(
    pool: Pool, scene: Scene, caplog: pytest.LogCaptureFixture
) -> None:
    """However many handlers hang, the threads stay bounded and none is lost; the log says so."""
    other = Scene()
    first, second = Stuck.start(pool, scene), Stuck.start(pool, other)
    watchdog = Watchdog(pool, hung_after_s=10)
    for at_s, ref, its_scene in ((0, first, scene), (20, second, other)):
        ref.tell("hang")
        assert its_scene.entered.wait(WAIT_S)
        watchdog.check(at_s)
        watchdog.check(at_s + 10)
    waiting = first.ask("after", block=False)

    assert pool.workers() == ()
    assert "2 threads hang, and none is added any more" in caplog.text
    other.let_go.set()
    assert waiting.get(timeout=WAIT_S) == "after"
    assert len(pool.workers()) == 1


def test_a_handler_that_returns_just_before_it_is_revoked_keeps_its_actor(
    pool: Pool, scene: Scene
) -> None:
    """Either the worker or the watchdog has the actor, never both."""
    ref = Stuck.start(pool, scene)
    ref.tell("hang")
    assert scene.entered.wait(WAIT_S)
    (worker,) = pool.workers()
    envelope = worker.holding()
    assert envelope is not None
    scene.let_go.set()
    ref.ask("after", timeout=WAIT_S)

    assert not pool.revoke(worker, envelope)
    assert pool.workers() == (worker,)


def test_a_worker_that_goes_from_message_to_message_is_not_hung(pool: Pool) -> None:
    """Busy for long is not stuck."""
    first, second = Scene(), Scene()
    watchdog = Watchdog(pool, hung_after_s=10)
    Stuck.start(pool, first).tell("hang")
    assert first.entered.wait(WAIT_S)
    watchdog.check(0)
    Stuck.start(pool, second).tell("hang")
    first.let_go.set()
    assert second.entered.wait(WAIT_S)

    assert watchdog.check(10) == 0
    second.let_go.set()


def test_a_watchdog_looks_by_itself(pool: Pool, scene: Scene) -> None:
    """Started, it finds a hang without being asked; stopped, it ends."""
    hanging = Stuck.start(pool, scene).ask("hang", block=False)
    assert scene.entered.wait(WAIT_S)
    watchdog = Watchdog(pool, hung_after_s=0.0, interval_s=0.001)
    watchdog.start()
    with pytest.raises(HandlerHung):
        hanging.get(timeout=WAIT_S)
    watchdog.stop()

    assert "watchdog" not in {thread.name for thread in threading.enumerate()}


def test_handlers_of_a_process_that_stood_still_do_not_count_as_hung(
    pool: Pool, scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A look that comes an hour late says nothing of them."""
    Stuck.start(pool, scene).tell("hang")
    assert scene.entered.wait(WAIT_S)
    looks, looked = iter(range(0, 21_600, 3_600)), threading.Semaphore(0)

    def an_hour_later() -> float:
        looked.release()
        return float(next(looks, 21_600))

    monkeypatch.setattr("actors.supervisor.steady_s", an_hour_later)
    watchdog = Watchdog(pool, hung_after_s=10.0, interval_s=0.001)
    watchdog.start()
    for _ in range(6):
        assert looked.acquire(timeout=WAIT_S)
    watchdog.stop()

    assert len(pool.workers()) == 1
    assert scene.crashes == []


def test_a_watchdog_that_never_began_can_be_stopped(pool: Pool) -> None:
    """Closing after a failed start does not fail in its turn."""
    Watchdog(pool).stop()
