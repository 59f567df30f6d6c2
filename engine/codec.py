"""Events as bytes and back: headers, topics, versions of the schema.

A row's body is a MessagePack array ``[schema, epoch, at, wall, cause, correlation, fields]``; the
stream and the version stand in the row itself. Bytes are deterministic: the same event and header
always give the same.
"""

from collections.abc import Mapping
from typing import Annotated, Any, Final, TypeAlias

import msgspec
from msgspec import Meta, Struct

from engine.errors import StoreCorrupt
from engine.types import US_PER_S
from engine.upcasters import SCHEMA, UPCASTERS, Upcaster

# From the year 1 to the year 9999: what a datetime can show.
_Moment: TypeAlias = Annotated[
    int, Meta(ge=-62_135_596_800 * US_PER_S, lt=253_402_300_800 * US_PER_S)
]
_Count: TypeAlias = Annotated[int, Meta(ge=1)]
_Body: TypeAlias = tuple[_Count, int, _Moment, _Moment, str | None, str | None, msgspec.Raw]

_RAW: Final = msgspec.msgpack.Decoder(_Body)


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
        upcasters: Mapping[tuple[str, int], Upcaster] = UPCASTERS,
        schema: int = SCHEMA,
    ) -> None:
        """Know these topics; ``upcasters`` lift what was written before ``schema``."""
        self._topics = {type_: topic for topic, type_ in vocabulary.items()}
        self._vocabulary = dict(vocabulary)
        self._upcasters = dict(upcasters)
        self._schema = schema
        self._encoder = msgspec.msgpack.Encoder(order="deterministic")
        self._decoders: dict[str, msgspec.msgpack.Decoder[Any]] = {}

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
        """Return a row as a record, its event as the present version knows it.

        Raises:
            StoreCorrupt: the row cannot be read; names its position, stream, version and topic.
        """
        try:
            schema, epoch, at_us, wall_us, cause, correlation, raw = _RAW.decode(row.state)
            event = self._event(row.topic, schema, raw)
        except Exception as error:
            raise StoreCorrupt(f"{unreadable(row)}: {error}") from error
        header = Header(epoch, row.stream, row.version, at_us, wall_us, cause, correlation, schema)
        return Record(header, row.topic, event, row.position)

    def _event(self, topic: str, schema: int, raw: msgspec.Raw) -> object:
        kind = self._vocabulary.get(topic)
        if kind is None:
            raise ValueError("this version knows no such event")
        if schema > self._schema:
            raise ValueError(f"schema {schema} is newer than this version's, {self._schema}")
        if schema < self._schema:
            return self._lifted(topic, schema, raw)
        decoder = self._decoders.get(topic)
        if decoder is None:
            decoder = self._decoders[topic] = msgspec.msgpack.Decoder(kind)
        return decoder.decode(raw)

    def _lifted(self, topic: str, schema: int, raw: msgspec.Raw) -> object:
        fields: dict[str, Any] = msgspec.msgpack.decode(raw)
        for version in range(schema, self._schema):
            lift = self._upcasters.get((topic, version))
            if lift is not None:
                fields = lift(fields)
        return msgspec.convert(fields, self._vocabulary[topic])


def unreadable(row: Row) -> str:
    """Return how a row that cannot be read is told of: which one it is."""
    where = f"stream {row.stream}, version {row.version}"
    if row.position is not None:
        where = f"position {row.position}, {where}"
    return f"the row at {where} ({row.topic}) cannot be read"
