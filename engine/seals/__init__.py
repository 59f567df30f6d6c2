"""Seals: what makes the log evident of tampering, and the fence between engines.

Each transaction ends with one LogSealed in the stream ``log``. Its digest covers stream, version,
topic and bytes of every row of the transaction in order; ``previous`` is the digest of the seal
before it, so that no seal can be changed, left out or put in. Who knows a later seal's digest can
tell that nothing before it was touched; rows cut off at the very end show only so.
"""

from engine.seals.chain import SealChain, broken_seals
from engine.seals.judged import Judged, Missing, Placed
from engine.seals.sealed import (
    BEGINNING,
    FIRST,
    STREAM,
    TOPIC,
    LogSealed,
    SealMark,
    checksums_of,
    digest_of,
    identity_of,
    parse_mark,
)

__all__ = [
    "BEGINNING",
    "FIRST",
    "STREAM",
    "TOPIC",
    "Judged",
    "LogSealed",
    "Missing",
    "Placed",
    "SealChain",
    "SealMark",
    "broken_seals",
    "checksums_of",
    "digest_of",
    "identity_of",
    "parse_mark",
]
