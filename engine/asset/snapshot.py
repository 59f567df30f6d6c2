"""Snapshots: a folded state as bytes, so that a start need not read a whole stream.

A snapshot stands for the events up to its state's version and is never part of the log. One that
was made with other fields, or by another `evolve`, is of no use and is ignored.
"""

import hashlib
from typing import Final

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from engine.asset.state import AssetState, Outside

FIELDS: Final = 19
"""The version of the fields of `AssetState`: raised when one is added, dropped or changed."""
EVOLVE: Final = 18
"""The version of `evolve`: raised when it makes another state of the same events."""

_NOTHING: Final = Outside()


class Snapshot(Struct, frozen=True, gc=False, array_like=True):
    """A state and the versions that it was made with."""

    fields: int
    evolve: int
    state: AssetState


class _Versions(Struct, frozen=True, gc=False, array_like=True):
    fields: int
    evolve: int


_ENCODER: Final = msgspec.msgpack.Encoder(order="deterministic")
_VERSIONS: Final = msgspec.msgpack.Decoder(_Versions)
_DECODER: Final = msgspec.msgpack.Decoder(Snapshot)


def encode(state: AssetState) -> bytes:
    """Return what is folded of a state as bytes; the same state always gives the same."""
    return _ENCODER.encode(Snapshot(FIELDS, EVOLVE, replace(state, outside=_NOTHING)))


def decode(body: bytes) -> AssetState | None:
    """Return the state of a snapshot, without what is beside the fold; null if it is of no use."""
    try:
        versions = _VERSIONS.decode(body)
        if (versions.fields, versions.evolve) != (FIELDS, EVOLVE):
            return None
        return _DECODER.decode(body).state
    except msgspec.MsgspecError:
        return None


def is_other_version(body: bytes) -> bool:
    """Return whether a snapshot was made with other fields or by another `evolve`."""
    try:
        versions = _VERSIONS.decode(body)
    except msgspec.MsgspecError:
        return False
    return (versions.fields, versions.evolve) != (FIELDS, EVOLVE)


def digest(state: AssetState) -> bytes:
    """Return the SHA-256 of what is folded of a state."""
    return hashlib.sha256(encode(state)).digest()
