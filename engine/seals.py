"""Seals: what makes the log evident of tampering, and the fence between engines.

Each transaction ends with one LogSealed in the stream ``log``. Its digest covers stream, version,
topic and bytes of every row of the transaction in order; ``previous`` is the digest of the seal
before it, so that no seal can be changed, left out or put in.
"""

import hashlib
import struct
from collections.abc import Iterable, Iterator
from typing import Final

import attrs

from engine.codec import Codec, Row
from engine.errors import StoreCorrupt

STREAM: Final = "log"
TOPIC: Final = "log.sealed"
FIRST: Final = b"\x00" * 32
"""What the first seal has as ``previous``."""

_LENGTHS: Final = struct.Struct("<IQII")


@attrs.frozen
class LogSealed:
    """``count`` rows from ``first`` on were committed together; this seal is the row behind them.

    ``first`` counts all rows of the log from 1, seals too: in a log without gaps it is the
    position of the first row. ``n`` numbers the seals from 1.
    """

    n: int
    count: int
    first: int
    digest: bytes
    previous: bytes
    epoch: int
    instance: str


def digest_of(rows: Iterable[Row]) -> bytes:
    """Return the SHA-256 of rows in order; every part is preceded by its length."""
    parts: list[bytes] = []
    for row in rows:
        stream, topic = row.stream.encode(), row.topic.encode()
        lengths = _LENGTHS.pack(len(stream), row.version, len(topic), len(row.state))
        parts += (lengths, stream, topic, row.state)
    return hashlib.sha256(b"".join(parts)).digest()


def broken_seals(rows: Iterable[Row], codec: Codec) -> Iterator[str]:
    """Yield what is wrong with a whole log, in its order; nothing when every seal holds.

    Each problem names the first row that it concerns. Rows cut off at the very end do not show.
    """
    pending: list[Row] = []
    last: tuple[LogSealed, Row] | None = None
    ordinal = 0
    for row in rows:
        ordinal += 1
        if row.topic != TOPIC:
            pending.append(row)
            continue
        try:
            seal = codec.decode(row).event
        except StoreCorrupt as error:
            yield str(error)
            pending.clear()
            continue
        yield from _problems(seal, pending, last, ordinal)
        last, pending = (seal, row), []
    if pending:
        yield f"{_named(pending[0])}: rows behind the last seal"


def _problems(
    seal: LogSealed, rows: list[Row], last: tuple[LogSealed, Row] | None, ordinal: int
) -> Iterator[str]:
    number = 1 if last is None else last[0].n + 1
    previous = FIRST if last is None else digest_of((last[1],))
    where = _named(rows[0]) if rows else f"seal {seal.n}"
    if seal.n != number:
        yield f"{where}: seal {number} is missing, seal {seal.n} comes instead"
    elif seal.previous != previous:
        yield f"{where}: seal {seal.n} does not follow the seal before it"
    if seal.count != len(rows):
        yield f"{where}: seal {seal.n} covers {seal.count} rows, {len(rows)} are there"
    elif seal.digest != digest_of(rows):
        yield f"{where}: the rows are not those that seal {seal.n} covers"
    elif seal.first != ordinal - len(rows):
        yield f"{where}: seal {seal.n} begins at row {seal.first}, not {ordinal - len(rows)}"


def _named(row: Row) -> str:
    return f"position {row.position}, stream {row.stream}, version {row.version}"
