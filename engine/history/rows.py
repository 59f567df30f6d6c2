"""What a read model keeps, as bytes, each row with a checksum: damage is not read as truth."""

from typing import Final, TypeVar
from zlib import crc32

import msgspec

from engine.errors import StoreCorrupt
from engine.history.kept import Head
from engine.history.lives import Life
from engine.history.planned import PlanRow

T = TypeVar("T")

VERSION: Final = 6
"""Of everything that is kept; what another version kept is made anew."""

_SUM: Final = 4
_ENCODER: Final = msgspec.msgpack.Encoder()
_LIFE: Final = msgspec.msgpack.Decoder(Life)
_PLAN: Final = msgspec.msgpack.Decoder(PlanRow)
_HEAD: Final = msgspec.msgpack.Decoder(Head)


def encode(row: Life | PlanRow | Head) -> bytes:
    """Return a row as bytes."""
    body = _ENCODER.encode(row)
    return crc32(body).to_bytes(_SUM, "little") + body


def life_of(data: bytes) -> Life:
    """Return a command.

    Raises:
        StoreCorrupt: it is none, or not as it was kept.
    """
    return _decoded(_LIFE, data)


def plan_of(data: bytes) -> PlanRow:
    """Return a plan.

    Raises:
        StoreCorrupt: it is none, or not as it was kept.
    """
    return _decoded(_PLAN, data)


def head_of(data: bytes) -> Head:
    """Return an asset's head.

    Raises:
        StoreCorrupt: it is none, or not as it was kept.
    """
    return _decoded(_HEAD, data)


def _decoded(decoder: msgspec.msgpack.Decoder[T], data: bytes) -> T:
    body = data[_SUM:]
    if not body or crc32(body) != int.from_bytes(data[:_SUM], "little"):
        message = "the read model is damaged: a row is not as it was kept"
        raise StoreCorrupt(message)
    return decoder.decode(body)
