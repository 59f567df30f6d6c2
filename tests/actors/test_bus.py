import threading
from collections.abc import Callable, Iterator

import pytest

from actors.bus import BusThread
from actors.testing.clocks import START, ManualClocks
from engine.bus import Event, EventBus, EventType

WAIT_S = 10.0


def alarms(first: int, last: int) -> list[Event]:
    """Return an alarm for each position."""
    return [
        Event(EventType.ALARM, "a", START, position=position) for position in range(first, last + 1)
    ]


def publish(bus: BusThread, first: int, last: int) -> None:
    """Publish an alarm for each position."""
    bus.publish(first, last, lambda: alarms(first, last))


@pytest.fixture
def still() -> BusThread:
    """A bus that publishes only when it is drained."""
    return BusThread(EventBus(), ManualClocks(), capacity=10)


@pytest.fixture
def bus(still: BusThread) -> Iterator[BusThread]:
    """A bus with its thread."""
    still.start()
    yield still
    still.close()


@pytest.fixture
def heard() -> list[Event]:
    """What a subscriber heard."""
    return []


def blocker(entered: threading.Event, gate: threading.Event) -> Callable[[Event], None]:
    """Return a handler that waits at the gate."""

    def handle(_event: Event) -> None:
        entered.set()
        gate.wait(WAIT_S)

    return handle


def test_events_are_published_in_log_order_on_the_bus_thread(
    bus: BusThread, heard: list[Event]
) -> None:
    """Batch by batch."""
    done = threading.Event()
    names: list[str] = []

    def handle(event: Event) -> None:
        heard.append(event)
        names.append(threading.current_thread().name)
        if event.position == 6:
            done.set()

    bus.subscribe(handle)
    publish(bus, 1, 3)
    publish(bus, 4, 6)

    assert done.wait(WAIT_S)
    assert [event.position for event in heard] == [1, 2, 3, 4, 5, 6]
    assert set(names) == {"bus"}


def test_a_slow_handler_does_not_stop_who_publishes(bus: BusThread) -> None:
    """The committer goes on while the handler waits."""
    entered, gate = threading.Event(), threading.Event()
    bus.subscribe(blocker(entered, gate))
    publish(bus, 1, 1)
    assert entered.wait(WAIT_S)
    publish(bus, 2, 5)
    gate.set()

    assert bus.close()


def test_what_does_not_fit_is_named_once_and_then_it_goes_on(
    still: BusThread, heard: list[Event]
) -> None:
    """The range of positions stands where the events would have been."""
    still.subscribe(heard.append)
    for first in (1, 5, 9, 13, 17):
        publish(still, first, first + 3)
    still.drain()
    publish(still, 21, 21)
    still.drain()

    assert [event.position for event in heard] == [*range(1, 9), None, 21]
    assert heard[8].type is EventType.NOTICES_DROPPED
    assert heard[8].data == {"first": 9, "last": 20}
    assert heard[8].at == START


def test_dropping_ends_when_half_of_the_room_is_free(still: BusThread, heard: list[Event]) -> None:
    """One gap for one overflow, not one for every other record."""

    def more(event: Event) -> None:
        heard.append(event)
        if event.position is not None and event.position <= 10:
            publish(still, 10 + event.position, 10 + event.position)

    still.subscribe(more)
    for position in range(1, 11):
        publish(still, position, position)
    publish(still, 11, 11)
    still.drain()
    gaps = [event.data for event in heard if event.type is EventType.NOTICES_DROPPED]

    assert gaps == [{"first": 11, "last": 14}]


def test_a_batch_larger_than_the_room_is_taken_when_nothing_waits(
    still: BusThread, heard: list[Event]
) -> None:
    """Else it would never be heard of."""
    still.subscribe(heard.append)
    publish(still, 1, 25)
    still.drain()

    assert len(heard) == 25


def test_nothing_is_expanded_for_nobody(still: BusThread) -> None:
    """Without a subscriber a record costs nothing."""
    expanded: list[None] = []

    def expand() -> list[Event]:
        expanded.append(None)
        return alarms(1, 1)

    still.publish(1, 1, expand)

    assert still.drain() == 0
    assert expanded == []


def test_a_handler_that_raises_does_not_stop_the_others(
    bus: BusThread, caplog: pytest.LogCaptureFixture
) -> None:
    """It is logged."""
    done = threading.Event()

    def fail(_event: Event) -> None:
        raise ValueError

    bus.subscribe(fail)
    bus.subscribe(lambda _event: done.set())
    publish(bus, 1, 1)

    assert done.wait(WAIT_S)
    assert "a subscriber to ALARM failed" in caplog.text


@pytest.mark.parametrize("error", [SystemExit, KeyboardInterrupt, LookupError])
def test_records_that_cannot_be_told_of_do_not_end_the_bus(
    bus: BusThread, caplog: pytest.LogCaptureFixture, error: type[BaseException]
) -> None:
    """Whatever comes out of them."""
    done = threading.Event()

    def fail() -> list[Event]:
        raise error

    bus.subscribe(lambda _event: done.set())
    bus.publish(1, 2, fail)
    publish(bus, 3, 3)

    assert done.wait(WAIT_S)
    assert "positions 1 to 2 were not published" in caplog.text


def test_a_cancelled_subscription_hears_nothing_more(still: BusThread, heard: list[Event]) -> None:
    """Cancelling twice is cancelling once."""
    subscription = still.subscribe(heard.append, "ALARM")
    publish(still, 1, 1)
    still.drain()
    publish(still, 2, 2)
    subscription.cancel()
    subscription.cancel()
    still.drain()

    assert [event.position for event in heard] == [1]
    assert subscription.types == frozenset({EventType.ALARM})


def test_an_unknown_type_is_refused(still: BusThread) -> None:
    """At once, and not by silence."""
    with pytest.raises(ValueError, match="NO_SUCH"):
        still.subscribe(print, "NO_SUCH")


def test_close_publishes_what_waits(bus: BusThread, heard: list[Event]) -> None:
    """Closing twice is closing once."""
    bus.subscribe(heard.append)
    publish(bus, 1, 8)

    assert bus.close()
    assert bus.close()
    assert len(heard) == 8


def test_close_does_not_wait_for_ever(bus: BusThread, heard: list[Event]) -> None:
    """A handler that hangs keeps its thread, and nothing is published after it."""
    entered, gate = threading.Event(), threading.Event()
    bus.subscribe(blocker(entered, gate))
    bus.subscribe(heard.append, EventType.STATE_CHANGED)
    publish(bus, 1, 2)
    assert entered.wait(WAIT_S)

    assert not bus.close(timeout_s=0)
    gate.set()
    bus._thread.join(WAIT_S)  # noqa: SLF001 -- the thread that was left to itself
    assert heard == []


def test_a_handler_may_close_the_bus(bus: BusThread) -> None:
    """It does not wait for itself."""
    done = threading.Event()

    def handle(_event: Event) -> None:
        bus.close()
        done.set()

    bus.subscribe(handle)
    publish(bus, 1, 1)

    assert done.wait(WAIT_S)
