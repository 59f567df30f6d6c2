"""Events as bytes and back: headers, topics, versions of the schema.

A row's body is a MessagePack array ``[schema, epoch, at, wall, cause, correlation, fields]``; the
stream and the version stand in the row itself. Bytes are deterministic: the same event and header
always give the same.
"""

from collections.abc import Callable, Mapping
from typing import Any, Final, TypeAlias

import msgspec
from msgspec import Struct

from engine.errors import StoreCorrupt

SCHEMA: Final = 1

Upcaster: TypeAlias = Callable[[dict[str, Any]], dict[str, Any]]
"""Turns an event's fields of one schema version into those of the next."""


class Header(Struct, frozen=True, gc=False):
    """Where and when an event happened.

    ``at_us`` is plan clock, ``wall_us`` device clock, both microseconds since 1970 UTC. ``cause``
    names what set the event off, ``correlation`` what it belongs to.
    """

    epoch: int
    stream: str
    version: int
    at_us: int
    wall_us: int
    cause: str | None = None
    correlation: str | None = None
    schema: int = SCHEMA

    @property
    def event_id(self) -> str:
        """The id of the event: no two of one store are the same."""
        return f"evt_{self.epoch}_{self.stream}_{self.version}"


class Record(Struct, frozen=True, gc=False):
    """One event of the store; ``position`` is its place in the log, null before the commit."""

    header: Header
    topic: str
    event: Any
    position: int | None = None


class Row(Struct, frozen=True, gc=False):
    """One event as it stands in the store."""

    stream: str
    version: int
    topic: str
    state: bytes
    position: int | None = None


class Codec:
    """Encodes and decodes the events of one vocabulary."""

    def __init__(
        self,
        vocabulary: Mapping[str, type],
        upcasters: Mapping[tuple[str, int], Upcaster] | None = None,
    ) -> None:
        """Know these topics; ``upcasters`` lift fields from the schema version that they name."""
        self._topics = {type_: topic for topic, type_ in vocabulary.items()}
        self._vocabulary = dict(vocabulary)
        self._upcasters = dict(upcasters or {})
        self._encoder = msgspec.msgpack.Encoder(order="deterministic")
        self._decoders: dict[str, msgspec.msgpack.Decoder[Any]] = {}
        self._raw = msgspec.msgpack.Decoder(
            tuple[int, int, int, int, str | None, str | None, msgspec.Raw]
        )

    def encode(self, header: Header, event: object) -> Row:
        """Return an event as a row.

        Raises:
            KeyError: the event's type has no topic.
        """
        body = (
            header.schema,
            header.epoch,
            header.at_us,
            header.wall_us,
            header.cause,
            header.correlation,
            event,
        )
        topic = self._topics[type(event)]
        return Row(header.stream, header.version, topic, self._encoder.encode(body))

    def decode(self, row: Row) -> Record:
        """Return a row as a record.

        Raises:
            StoreCorrupt: the row cannot be read; names its position, stream and version.
        """
        try:
            schema, epoch, at_us, wall_us, cause, correlation, raw = self._raw.decode(row.state)
            event = self._event(row.topic, schema, raw)
        except (msgspec.MsgspecError, KeyError, ValueError, TypeError) as error:
            where = f"position {row.position}, stream {row.stream}, version {row.version}"
            message = f"the row at {where} ({row.topic}) cannot be read: {error}"
            raise StoreCorrupt(message) from error
        header = Header(epoch, row.stream, row.version, at_us, wall_us, cause, correlation, schema)
        return Record(header, row.topic, event, row.position)

    def _event(self, topic: str, schema: int, raw: msgspec.Raw) -> object:
        if schema < SCHEMA:
            return self._lifted(topic, schema, raw)
        decoder = self._decoders.get(topic)
        if decoder is None:
            decoder = msgspec.msgpack.Decoder(self._vocabulary[topic])
            self._decoders[topic] = decoder
        return decoder.decode(raw)

    def _lifted(self, topic: str, schema: int, raw: msgspec.Raw) -> object:
        fields: dict[str, Any] = msgspec.msgpack.decode(raw)
        for version in range(schema, SCHEMA):
            lift = self._upcasters.get((topic, version))
            if lift is not None:
                fields = lift(fields)
        return msgspec.convert(fields, self._vocabulary[topic])
