"""One seal: what it says of the rows before it, and how that is reckoned."""

import contextlib
import hashlib
import struct
from collections.abc import Iterable
from typing import Final, TypeAlias
from zlib import crc32

import attrs
from msgspec import Struct

from engine.codec import Row

STREAM: Final = "log"
TOPIC: Final = "log.sealed"
FIRST: Final = b"\x00" * 32
"""What the first seal has as ``previous``."""

Checksum: TypeAlias = tuple[int, int]
"""A row's: of what it is (stream and version), and of what it says (topic and bytes)."""

_LENGTHS: Final = struct.Struct("<IQII")
_CHECKSUM: Final = struct.Struct("<II")
_WORD: Final = (1 << 32) - 1
_LONG: Final = (1 << 64) - 1


@attrs.frozen
class LogSealed:
    """``count`` rows from ``first`` on were committed together; this seal is the row behind them.

    ``first`` counts all rows of the log from 1, seals too: it is no position, which a store may
    skip. ``n`` numbers the seals from 1. ``checksums`` has a `Checksum` of each row, two 32-bit
    words little-endian: the digest alone is evidence, they say which row it is that is not as it
    was.
    """

    n: int
    count: int
    first: int
    digest: bytes
    previous: bytes
    epoch: int
    instance: str
    checksums: bytes = b""


class SealMark(Struct, frozen=True, gc=False):
    """A seal as it is told to others: its number and the digest of its own row.

    The digest stands for every row up to the seal; ``rows`` is how many those are, seals too, null
    where only the digest was told.
    """

    n: int
    digest: bytes
    rows: int | None = None

    def __str__(self) -> str:
        """Return it as people write it down."""
        return f"{self.n}:{self.digest.hex()}"


BEGINNING: Final = SealMark(0, FIRST, 0)
"""What stands before the first row of a log."""


def digest_of(rows: Iterable[Row]) -> bytes:
    """Return the SHA-256 of rows in order; every part is preceded by its length."""
    parts: list[bytes] = []
    for row in rows:
        stream, topic = row.stream.encode(), row.topic.encode()
        lengths = _LENGTHS.pack(len(stream), row.version & _LONG, len(topic), len(row.state))
        parts += (lengths, stream, topic, row.state)
    return hashlib.sha256(b"".join(parts)).digest()


def identity_of(stream: str, version: int) -> int:
    """Return the CRC-32 of what a row is."""
    return crc32(stream.encode(), version & _WORD)


def checksum_of(row: Row) -> Checksum:
    """Return a row's checksum."""
    return identity_of(row.stream, row.version), crc32(row.state, crc32(row.topic.encode()))


def checksums_of(rows: Iterable[Row]) -> bytes:
    """Return the checksums of rows in order, as a seal has them."""
    return b"".join([_CHECKSUM.pack(*checksum_of(row)) for row in rows])


def checksums_in(seal: LogSealed) -> list[Checksum]:
    """Return the checksums that a seal has; none where they are not one for each of its rows."""
    if len(seal.checksums) != seal.count * _CHECKSUM.size:
        return []
    return list(_CHECKSUM.iter_unpack(seal.checksums))


def parse_mark(text: str) -> SealMark:
    """Return a mark that somebody wrote down: ``N:DIGEST``, the digest in 64 hexadecimal digits.

    Raises:
        ValueError: it is no such text.
    """
    number, _, digest = text.partition(":")
    with contextlib.suppress(ValueError):
        mark = SealMark(int(number), bytes.fromhex(digest))
        if mark.n >= 1 and len(mark.digest) == len(FIRST):
            return mark
    raise ValueError(f"{text!r} is no seal: N:DIGEST, the digest in 64 hexadecimal digits")
