"""The event bus: typed publish and subscribe, synchronous, without a thread of its own."""

import enum
import logging
from collections.abc import Callable, Mapping
from datetime import datetime
from types import MappingProxyType
from typing import TypeAlias

import attrs

logger = logging.getLogger("setpoint")


class EventType(enum.StrEnum):
    """What a subscriber can be told of."""

    COMMAND_CREATED = "COMMAND_CREATED"
    COMMAND_DISPATCHED = "COMMAND_DISPATCHED"
    COMMAND_ACKNOWLEDGED = "COMMAND_ACKNOWLEDGED"
    COMMAND_COMPLETED = "COMMAND_COMPLETED"
    COMMAND_FAILED = "COMMAND_FAILED"
    COMMAND_TIMED_OUT = "COMMAND_TIMED_OUT"
    STATE_CHANGED = "STATE_CHANGED"
    SCHEDULE_RECEIVED = "SCHEDULE_RECEIVED"
    COMMAND_HELD = "COMMAND_HELD"
    COMMAND_CANCELLED = "COMMAND_CANCELLED"
    SCHEDULE_EXHAUSTED = "SCHEDULE_EXHAUSTED"
    OVERRIDE_SET = "OVERRIDE_SET"
    OVERRIDE_ENDED = "OVERRIDE_ENDED"
    ASSET_CONNECTED = "ASSET_CONNECTED"
    ASSET_DISCONNECTED = "ASSET_DISCONNECTED"
    ALARM = "ALARM"
    NOTICES_DROPPED = "NOTICES_DROPPED"


def _aware(_event: object, _attribute: object, at: datetime) -> None:
    """Refuse a time without a time zone."""
    if at.tzinfo is None:
        raise ValueError(f"{at.isoformat()} has no time zone")


def _known(name: str) -> EventType:
    """Return the type of a name, or say which there are."""
    try:
        return EventType(name)
    except ValueError:
        known = ", ".join(EventType)
        raise ValueError(f"{name!r} is no type of event; there are {known}") from None


def _read_only(data: Mapping[str, object]) -> Mapping[str, object]:
    """Return a copy that no subscriber can change for the next one."""
    return MappingProxyType(dict(data))


@attrs.frozen
class Event:
    """What a subscriber is told.

    ``at`` is aware, plan clock. ``position`` is the place in the log, null for what is not in it
    (NOTICES_DROPPED). ``asset_id`` is null where the whole site is meant.
    """

    type: EventType
    asset_id: str | None
    at: datetime = attrs.field(validator=_aware)
    position: int | None = None
    data: Mapping[str, object] = attrs.field(factory=dict, converter=_read_only, hash=False)


Handler: TypeAlias = Callable[[Event], None]


@attrs.frozen(eq=False)
class Subscription:
    """A handler and the types that it is called for, until it is cancelled."""

    handler: Handler
    types: frozenset[EventType]
    _end: Callable[["Subscription"], None] = attrs.field(repr=False)

    def cancel(self) -> None:
        """End the subscription: no call begins after this one returns; twice is once."""
        self._end(self)


class EventBus:
    """Calls each subscriber of an event's type, in the order in which they subscribed.

    Handlers run in the thread that publishes. The bus has no lock: who subscribes from several
    threads at once brings one.
    """

    def __init__(self, catches: tuple[type[BaseException], ...] = (Exception, SystemExit)) -> None:
        """Begin without subscribers; what ``catches`` names does not get past the bus."""
        self._catches = catches
        self._subscriptions: tuple[Subscription, ...] = ()

    def subscribe(self, handler: Handler, *types: str) -> Subscription:
        """Call a handler for each event of these types from now on; without types, for all.

        Raises:
            TypeError: the handler is nothing that can be called.
            ValueError: there is no such type.
        """
        if not callable(handler):
            raise TypeError(f"a handler is called for each event, and {handler!r} cannot be called")
        wanted = frozenset(map(_known, types or EventType))
        subscription = Subscription(handler, wanted, self._end)
        self._subscriptions = (*self._subscriptions, subscription)
        return subscription

    def publish(self, event: Event) -> None:
        """Call the handlers; one that raises is logged and does not stop the others.

        A handler that subscribes or cancels does so from the next handler and event on.
        """
        for subscription in self._subscriptions:
            if event.type in subscription.types and subscription in self._subscriptions:
                self._call(subscription.handler, event)

    def wants(self, type: str) -> bool:
        """Return whether anybody is subscribed to a type."""
        return any(type in subscription.types for subscription in self._subscriptions)

    def _end(self, ended: Subscription) -> None:
        """Forget a subscription."""
        self._subscriptions = tuple(each for each in self._subscriptions if each is not ended)

    def _call(self, handler: Handler, event: Event) -> None:
        """Call a handler and log what it raises."""
        try:
            handler(event)
        except self._catches:
            logger.exception("a subscriber to %s failed", event.type)
