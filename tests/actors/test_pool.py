import threading
from collections.abc import Callable, Iterator

import pykka
import pytest
from pykka._envelope import Envelope

from actors.actor import TURN
from actors.pool import ActorPool, Pool, PoolActor, SeededPool
from engine.errors import UsageError

WAIT_S = 10.0


class Recorder(PoolActor):
    """Calls what it is told to, and keeps what it hears and how it crashed."""

    def __init__(self, pool: ActorPool, name: str = "", log: list[object] | None = None) -> None:
        super().__init__(pool, name)
        self.name = name
        self.log: list[object] = [] if log is None else log

    def on_start(self) -> None:
        """Note the start."""
        self.log.append(f"{self.name}start")

    def on_stop(self) -> None:
        """Note the stop."""
        self.log.append(f"{self.name}stop")

    def on_receive(self, message: object) -> object:
        """Call a callable; keep anything else."""
        if callable(message):
            return message()
        self.log.append(f"{self.name}{message}")
        return message

    def on_crash(self, message: object, exception: BaseException) -> None:
        """Note the crash."""
        what = "call" if callable(message) else message
        self.log.append(f"{self.name}{what} raised {type(exception).__name__}")

    def end(self) -> None:
        """Stop this actor from its own handler."""
        self.stop()

    def double(self, number: int) -> int:
        """Return twice the number, for a proxy."""
        return 2 * number


def raiser(exception: BaseException) -> Callable[[], None]:
    """Return a message that raises when it is handled."""

    def fail() -> None:
        raise exception

    return fail


@pytest.fixture
def pool() -> Iterator[Pool]:
    """A pool of two threads."""
    pool = Pool(2, name="test")
    yield pool
    pool.stop()


@pytest.fixture
def log() -> list[object]:
    """What the actors noted."""
    return []


def test_an_actor_hears_its_messages_in_order_after_its_start(
    pool: Pool, log: list[object]
) -> None:
    """One inbox, first in, first out."""
    ref = Recorder.start(pool, "", log)
    for number in range(100):
        ref.tell(number)

    assert ref.ask("last", timeout=WAIT_S) == "last"
    assert log == ["start", *map(str, range(100)), "last"]


def test_actors_share_the_threads_of_the_pool(pool: Pool) -> None:
    """A hundred actors run on two threads with the pool's name."""
    refs = [Recorder.start(pool) for _ in range(100)]
    names = {ref.ask(lambda: threading.current_thread().name, timeout=WAIT_S) for ref in refs}

    assert names == {"test-worker"}
    assert len(pool.workers()) == 2


def test_an_actor_is_never_run_by_two_threads_at_once(pool: Pool) -> None:
    """However many threads tell it something."""
    inside = threading.Lock()
    overlaps: list[bool] = []
    ref = Recorder.start(pool)
    barrier = threading.Barrier(4)

    def visit() -> None:
        overlaps.append(not inside.acquire(blocking=False))
        inside.release()

    def tell() -> None:
        barrier.wait(WAIT_S)
        for _ in range(500):
            ref.tell(visit)

    tellers = [threading.Thread(target=tell) for _ in range(4)]
    for teller in tellers:
        teller.start()
    for teller in tellers:
        teller.join(WAIT_S)
    ref.ask("end", timeout=WAIT_S)

    assert overlaps == [False] * 2_000


def test_two_actors_run_at_the_same_time(pool: Pool) -> None:
    """A handler that waits does not stop the other thread."""
    barrier = threading.Barrier(3)
    for _ in range(2):
        Recorder.start(pool).tell(lambda: barrier.wait(WAIT_S))

    barrier.wait(WAIT_S)


def test_a_busy_actor_lets_others_have_their_turn() -> None:
    """After TURN messages the next actor runs, though more are waiting."""
    pool = Pool(1)
    log: list[object] = []
    gate = threading.Event()
    busy, other = Recorder.start(pool, "b", log), Recorder.start(pool, "o", log)
    busy.tell(lambda: gate.wait(WAIT_S))
    for number in range(2 * TURN):
        busy.tell(number)
    other.tell("!")
    gate.set()
    busy.ask("end", timeout=WAIT_S)
    pool.stop()

    assert 0 < log.index("o!") <= TURN + 2


def test_who_is_in_a_hurry_lets_those_before_go_first_but_not_for_long(
    monkeypatch: pytest.MonkeyPatch, log: list[object]
) -> None:
    """A herd's last one would else wait for all that the first ones do, and they for the last."""
    now_s = [100.0]
    monkeypatch.setattr("actors.pool.steady_s", lambda: now_s[0])
    pool = Pool(1)
    actors = [Recorder.begin(pool, name, log) for name in "abc"]
    blocker = Recorder.start(pool, "", [])

    def order_after(later_s: float) -> list[object]:
        gate, reached = threading.Event(), threading.Event()

        def hold() -> None:
            reached.set()
            gate.wait(WAIT_S)

        blocker.tell(hold)
        assert reached.wait(WAIT_S)
        log.clear()
        actors[0].actor_ref.tell(1)
        actors[1].hurry(2)
        actors[2].actor_ref.tell(3)
        now_s[0] += later_s
        gate.set()
        for actor in (blocker, *(one.actor_ref for one in actors)):
            actor.ask(list)
        return log.copy()

    assert order_after(0.0) == ["b2", "a1", "c3"]  # nobody was in a hurry for a long time
    assert order_after(0.0) == ["a1", "b2", "c3"]
    assert order_after(1.0) == ["b2", "a1", "c3"]
    assert order_after(0.0) == ["a1", "b2", "c3"]
    pool.stop()


@pytest.mark.parametrize("exception", [ValueError(), SystemExit(1), KeyboardInterrupt()])
def test_an_exception_is_told_and_the_actor_goes_on(
    pool: Pool, log: list[object], exception: BaseException
) -> None:
    """Ref, inbox and worker survive anything that is raised."""
    ref = Recorder.start(pool, "", log)
    ref.tell(raiser(exception))

    assert ref.ask("on", timeout=WAIT_S) == "on"
    assert log == ["start", f"call raised {type(exception).__name__}", "on"]
    assert ref.is_alive()


def test_the_asker_gets_what_was_raised_and_the_actor_crashes_too(
    pool: Pool, log: list[object]
) -> None:
    """Half-changed state is not kept because somebody asked."""
    ref = Recorder.start(pool, "", log)

    with pytest.raises(ValueError, match="odd"):
        ref.ask(raiser(ValueError("odd")), timeout=WAIT_S)
    assert log == ["start", "call raised ValueError"]


def test_a_refusal_answers_an_ask_and_is_no_crash(pool: Pool, log: list[object]) -> None:
    """The caller's wrong input is the caller's."""
    ref = Recorder.start(pool, "", log)

    with pytest.raises(UsageError, match="no"):
        ref.ask(raiser(UsageError("no")), timeout=WAIT_S)
    assert log == ["start"]


def test_a_refusal_that_nobody_asked_for_is_a_crash(pool: Pool, log: list[object]) -> None:
    """It is not lost."""
    ref = Recorder.start(pool, "", log)
    ref.tell(raiser(UsageError("no")))
    ref.ask("end", timeout=WAIT_S)

    assert log == ["start", "call raised UsageError", "end"]


class Fragile(Recorder):
    """Raises wherever it can."""

    def on_start(self) -> None:
        """Raise."""
        raise OSError

    def on_stop(self) -> None:
        """Raise."""
        raise ValueError

    def on_crash(self, message: object, exception: BaseException) -> None:
        """Note it, then raise."""
        super().on_crash(message, exception)
        raise SystemExit


def test_an_actor_that_fails_in_each_hook_still_lives_and_stops(
    pool: Pool, log: list[object], caplog: pytest.LogCaptureFixture
) -> None:
    """What on_crash raises is logged; hooks crash with no message."""
    ref = Fragile.start(pool, "", log)

    assert ref.ask("on", timeout=WAIT_S) == "on"
    with pytest.raises(SystemExit):
        ref.stop(timeout=WAIT_S)
    assert not ref.is_alive()
    assert log == ["None raised OSError", "on", "None raised ValueError", "None raised SystemExit"]
    assert "failed in its on_crash" in caplog.text


class Stubborn(Recorder):
    """Tries what crashed it once more."""

    def on_crash(self, message: object, exception: BaseException) -> None:
        """Put the message back the first time."""
        super().on_crash(message, exception)
        if len(self.log) == 2:
            self.again(message)


def test_an_actor_may_try_a_message_again_before_all_others(pool: Pool, log: list[object]) -> None:
    """The order of its messages is kept."""
    ref = Stubborn.start(pool, "", log)
    ref.tell(raiser(ValueError()))
    ref.tell("next")
    ref.ask("end", timeout=WAIT_S)

    assert log == ["start", "call raised ValueError", "call raised ValueError", "next", "end"]


class Plain(PoolActor):
    """Has the hooks of PoolActor itself."""

    def on_receive(self, message: object) -> object:
        """Raise."""
        raise LookupError(message)


def test_a_crash_is_logged_unless_the_actor_does_better(
    pool: Pool, caplog: pytest.LogCaptureFixture
) -> None:
    """With its message's type and its traceback, without its content."""
    with pytest.raises(LookupError):
        Plain.start(pool).ask("secret", timeout=WAIT_S)
    (record,) = caplog.records

    assert "failed to handle str" in record.getMessage()
    assert "secret" not in record.getMessage()
    assert record.exc_info is not None


def test_a_stopped_actor_handles_what_came_before_and_refuses_what_came_after(
    pool: Pool, log: list[object]
) -> None:
    """As Pykka's own actors do."""
    gate = threading.Event()
    ref = Recorder.start(pool, "", log)
    ref.tell(lambda: gate.wait(WAIT_S))
    ref.tell("before")
    stopped, again = ref.stop(block=False), ref.stop(block=False)
    after = ref.ask("after", block=False)
    gate.set()

    assert stopped.get(timeout=WAIT_S)
    assert again.get(timeout=WAIT_S)
    with pytest.raises(pykka.ActorDeadError):
        after.get(timeout=WAIT_S)
    with pytest.raises(pykka.ActorDeadError):
        ref.tell("later")
    assert log == ["start", "before", "stop"]


def test_a_message_that_slips_in_after_the_stop_is_answered(pool: Pool) -> None:
    """An asker who saw the actor alive does not wait for ever."""
    ref = Recorder.start(pool)
    ref.stop(timeout=WAIT_S)
    late = pykka.ThreadingFuture[object]()
    ref.actor_inbox.put(Envelope("late", reply_to=late))

    with pytest.raises(pykka.ActorDeadError):
        late.get(timeout=WAIT_S)


def test_an_actor_can_stop_itself(pool: Pool, log: list[object]) -> None:
    """From its own handler."""
    ref = Recorder.start(pool, "", log)
    ref.proxy().end()

    assert ref.actor_stopped.wait(WAIT_S)


def test_proxies_work(pool: Pool) -> None:
    """Calls and attributes go through the inbox."""
    proxy = Recorder.start(pool, "p").proxy()

    assert proxy.double(21).get(timeout=WAIT_S) == 42
    assert proxy.name.get(timeout=WAIT_S) == "p"
    proxy.name = "q"
    assert proxy.name.get(timeout=WAIT_S) == "q"


class Eager(Recorder):
    """Tells itself something before it runs."""

    def __init__(self, pool: ActorPool, log: list[object]) -> None:
        super().__init__(pool, "", log)
        self.actor_ref.tell("first")


def test_a_message_told_before_the_start_is_heard_after_on_start(
    pool: Pool, log: list[object]
) -> None:
    """An actor may tell itself something in its constructor."""
    Eager.start(pool, log).ask("end", timeout=WAIT_S)

    assert log == ["start", "first", "end"]


def test_actors_stay_out_of_the_global_registry(pool: Pool) -> None:
    """Several systems live in one process, and none stops another's actors."""
    ref = Recorder.start(pool)

    assert ref not in pykka.ActorRegistry.get_all()
    ref.stop(timeout=WAIT_S)


def test_a_pool_that_stops_handles_what_waits() -> None:
    """Given time, nothing is dropped."""
    pool = Pool(2)
    log: list[object] = []
    refs = [Recorder.start(pool, "", log) for _ in range(50)]
    for ref in refs:
        for _ in range(50):
            ref.tell("x")

    assert pool.stop(WAIT_S)
    assert log.count("x") == 2_500
    assert pool.stop()
    assert not any(ref.is_alive() for ref in refs)


def test_a_pool_without_time_drops_what_waits_and_says_so() -> None:
    """A stop is bounded whatever a handler does."""
    pool = Pool(1)
    entered, gate = threading.Event(), threading.Event()
    threads: list[threading.Thread] = []
    ref = Recorder.start(pool)

    def block() -> None:
        threads.append(threading.current_thread())
        entered.set()
        gate.wait(WAIT_S)

    ref.tell(block)
    assert entered.wait(WAIT_S)
    waiting = ref.ask("never", block=False)

    assert not pool.stop(timeout_s=0)
    gate.set()
    threads[0].join(WAIT_S)
    with pytest.raises(pykka.ActorDeadError):
        waiting.get(timeout=WAIT_S)


def test_what_is_scheduled_after_the_stop_is_refused() -> None:
    """An actor started on a pool that is gone answers at once that it is dead."""
    pool = Pool(1)
    pool.stop()
    ref = Recorder.start(pool)

    with pytest.raises(pykka.ActorDeadError):
        ref.ask("anything", timeout=WAIT_S)


def test_two_pools_do_not_know_each_other(pool: Pool) -> None:
    """Stopping one leaves the actors of the other alone."""
    other = Pool(1)
    ref = Recorder.start(pool)
    other.stop()

    assert ref.ask("on", timeout=WAIT_S) == "on"


def chatter(seed: int) -> list[object]:
    """Return what three actors noted under a seed."""
    pool = SeededPool(seed)
    log: list[object] = []
    refs = [Recorder.start(pool, name, log) for name in "abc"]
    for ref in refs:
        for number in range(5):
            ref.tell(number)
    pool.run_until_idle()
    return log


def test_a_seeded_pool_runs_nothing_until_it_is_told_to() -> None:
    """There is no thread."""
    pool = SeededPool(1)
    log: list[object] = []
    Recorder.start(pool, "", log).tell("x")

    assert log == []
    assert pool.run_until_idle() == 2
    assert log == ["start", "x"]
    assert pool.run_until_idle() == 0


def test_the_same_seed_gives_the_same_order_and_another_seed_another() -> None:
    """Order between actors is drawn; within an actor it is kept."""
    assert chatter(7) == chatter(7)
    assert chatter(7) != chatter(8)
    assert [note for note in chatter(7) if str(note).startswith("a")] == [
        "astart",
        *(f"a{number}" for number in range(5)),
    ]


def test_a_seeded_pool_answers_an_ask_in_the_callers_thread() -> None:
    """And says so when there is no answer."""
    pool = SeededPool(1)
    ref = Recorder.start(pool)

    assert pool.ask(ref, "x", WAIT_S) == "x"
    with pytest.raises(UsageError):
        pool.ask(ref, raiser(UsageError()), WAIT_S)


def test_a_threaded_pool_answers_an_ask_the_same_way(pool: Pool) -> None:
    """Code that asks need not know which pool it has."""
    assert pool.ask(Recorder.start(pool), "x", WAIT_S) == "x"


def test_a_handler_that_runs_the_pool_again_does_not_nest() -> None:
    """The outer run goes on."""
    pool = SeededPool(1)
    ref = Recorder.start(pool)

    assert pool.ask(ref, pool.run_until_idle, WAIT_S) == 0


def test_actors_that_never_rest_are_told_of() -> None:
    """A livelock is a failure and not a hang."""
    pool = SeededPool(1)
    ref = Recorder.start(pool)

    def again() -> None:
        ref.tell(again)

    ref.tell(again)
    with pytest.raises(RuntimeError, match="still busy after 100"):
        pool.run_until_idle(limit=100)


def test_a_seeded_crash_is_told_but_an_interrupt_passes() -> None:
    """A person or a test's time limit can end the run."""
    pool = SeededPool(1)
    log: list[object] = []
    ref = Recorder.start(pool, "", log)
    ref.tell(raiser(SystemExit()))
    pool.run_until_idle()
    ref.tell(raiser(KeyboardInterrupt()))

    with pytest.raises(KeyboardInterrupt):
        pool.run_until_idle()
    assert log == ["start", "call raised SystemExit"]


def test_a_seeded_pool_stops_after_what_waits() -> None:
    """Its actors are dead then."""
    pool = SeededPool(1)
    log: list[object] = []
    ref = Recorder.start(pool, "", log)
    ref.tell("x")

    assert pool.stop()
    assert log == ["start", "x"]
    assert not ref.is_alive()
