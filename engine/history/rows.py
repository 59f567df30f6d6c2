"""What a read model keeps, as bytes."""

from typing import Final

import msgspec

from engine.history.kept import Head
from engine.history.lives import Life
from engine.history.planned import PlanRow

VERSION: Final = 2
"""Of everything that is kept; what another version kept is made anew."""

_ENCODER: Final = msgspec.msgpack.Encoder()
_LIFE: Final = msgspec.msgpack.Decoder(Life)
_PLAN: Final = msgspec.msgpack.Decoder(PlanRow)
_HEAD: Final = msgspec.msgpack.Decoder(Head)


def encode(row: Life | PlanRow | Head) -> bytes:
    """Return a row as bytes."""
    return _ENCODER.encode(row)


def life_of(data: bytes) -> Life:
    """Return a command.

    Raises:
        msgspec.MsgspecError: it is none.
    """
    return _LIFE.decode(data)


def plan_of(data: bytes) -> PlanRow:
    """Return a plan.

    Raises:
        msgspec.MsgspecError: it is none.
    """
    return _PLAN.decode(data)


def head_of(data: bytes) -> Head:
    """Return an asset's head.

    Raises:
        msgspec.MsgspecError: it is none.
    """
    return _HEAD.decode(data)
