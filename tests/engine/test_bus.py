import logging
from datetime import UTC, datetime

import pytest

from engine.bus import Event, EventBus, EventType, Subscription

AT = datetime(2026, 3, 2, 14, 15, tzinfo=UTC)


def event(type: EventType) -> Event:
    """Return an event of a type."""
    return Event(type, "ast_batt_001", AT, 7, {"command_id": "cmd_1"})


COMPLETED = event(EventType.COMMAND_COMPLETED)
FAILED = event(EventType.COMMAND_FAILED)


def test_the_types_are_the_eight_of_the_first_day_and_nine_more() -> None:
    """The names are public: hosts subscribe by them."""
    assert [str(type) for type in EventType] == [
        "COMMAND_CREATED",
        "COMMAND_DISPATCHED",
        "COMMAND_ACKNOWLEDGED",
        "COMMAND_COMPLETED",
        "COMMAND_FAILED",
        "COMMAND_TIMED_OUT",
        "STATE_CHANGED",
        "SCHEDULE_RECEIVED",
        "COMMAND_HELD",
        "COMMAND_CANCELLED",
        "SCHEDULE_EXHAUSTED",
        "OVERRIDE_SET",
        "OVERRIDE_ENDED",
        "ASSET_CONNECTED",
        "ASSET_DISCONNECTED",
        "ALARM",
        "NOTICES_DROPPED",
    ]


def test_a_handler_gets_the_types_it_asked_for() -> None:
    """Types are given as members or as plain strings; others do not reach the handler."""
    bus = EventBus()
    by_name: list[Event] = []
    by_member: list[Event] = []
    bus.subscribe(by_name.append, "COMMAND_FAILED")
    bus.subscribe(by_member.append, EventType.COMMAND_FAILED, EventType.COMMAND_COMPLETED)
    bus.publish(COMPLETED)
    bus.publish(FAILED)
    assert (by_name, by_member) == ([FAILED], [COMPLETED, FAILED])


def test_without_types_a_handler_gets_all() -> None:
    """No types means every type."""
    bus = EventBus()
    got: list[Event] = []
    bus.subscribe(got.append)
    published = [event(type) for type in EventType]
    for each in published:
        bus.publish(each)
    assert got == published


def test_an_unknown_type_is_refused_by_name() -> None:
    """A misspelt type would never be heard of, so it is an error at once."""
    with pytest.raises(ValueError, match="'COMMAND_EXPLODED' is no type of event; there are COMM"):
        EventBus().subscribe(print, "COMMAND_EXPLODED")


def test_what_cannot_be_called_is_no_handler() -> None:
    """It would fail at the first event, and only in the log."""
    with pytest.raises(TypeError, match="3 cannot be called"):
        EventBus().subscribe(3)  # type: ignore[arg-type]


def test_handlers_are_called_in_the_order_of_subscription() -> None:
    """First come, first told."""
    bus = EventBus()
    order: list[str] = []
    bus.subscribe(lambda _: order.append("first"), "COMMAND_FAILED")
    bus.subscribe(lambda _: order.append("second"))
    bus.subscribe(lambda _: order.append("third"), "COMMAND_FAILED")
    bus.publish(FAILED)
    assert order == ["first", "second", "third"]


def test_a_handler_that_raises_is_logged_and_stops_nobody(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """The next handler is still told; the log names the event's type and has the error."""
    bus = EventBus()
    got: list[Event] = []

    def stumble(_: Event) -> None:
        raise RuntimeError("no disk")

    bus.subscribe(stumble)
    bus.subscribe(got.append)
    with caplog.at_level(logging.ERROR, logger="setpoint"):
        bus.publish(FAILED)
    assert got == [FAILED]
    (record,) = caplog.records
    assert (record.name, record.getMessage()) == (
        "setpoint",
        "a subscriber to COMMAND_FAILED failed",
    )
    assert record.exc_info is not None
    assert str(record.exc_info[1]) == "no disk"


def test_a_cancelled_subscription_is_over_and_cancelling_twice_is_once() -> None:
    """Only the cancelled one ends, also where a handler is subscribed twice."""
    bus = EventBus()
    got: list[Event] = []
    first = bus.subscribe(got.append)
    bus.subscribe(got.append)
    first.cancel()
    first.cancel()
    bus.publish(FAILED)
    assert got == [FAILED]


def test_a_handler_may_cancel_a_later_one() -> None:
    """Who is cancelled while an event is told is not told of it any more."""
    bus = EventBus()
    got: list[Event] = []
    later: list[Subscription] = []
    bus.subscribe(lambda _: later[0].cancel())
    later.append(bus.subscribe(got.append))
    bus.publish(FAILED)
    assert got == []


def test_who_subscribes_while_an_event_is_told_gets_the_next() -> None:
    """The running event is not told to a newcomer."""
    bus = EventBus()
    got: list[Event] = []

    def bring_another(event: Event) -> None:
        if event is FAILED:
            bus.subscribe(got.append)

    bus.subscribe(bring_another)
    bus.publish(FAILED)
    bus.publish(COMPLETED)
    assert got == [COMPLETED]


def test_wants_says_whether_anybody_listens() -> None:
    """A type without a subscriber need not be expanded for anyone."""
    bus = EventBus()
    assert not bus.wants("COMMAND_CREATED")
    subscription = bus.subscribe(print, "COMMAND_CREATED")
    assert bus.wants(EventType.COMMAND_CREATED)
    assert not bus.wants("ALARM")
    subscription.cancel()
    assert not bus.wants("COMMAND_CREATED")


def test_a_handler_cannot_change_an_event_for_the_next_one() -> None:
    """The data of an event is a read-only copy."""
    data: dict[str, object] = {"state": "CHARGING"}
    told = Event(EventType.STATE_CHANGED, "ast_batt_001", AT, 8, data)
    data["state"] = "IDLE"
    assert told.data == {"state": "CHARGING"}
    with pytest.raises(TypeError):
        told.data["state"] = "IDLE"  # type: ignore[index]


def test_an_event_needs_a_time_zone() -> None:
    """A naive time is refused."""
    with pytest.raises(ValueError, match="no time zone"):
        Event(EventType.ALARM, None, AT.replace(tzinfo=None))
