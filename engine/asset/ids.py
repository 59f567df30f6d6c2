"""Ids that follow from where an event stands: no two engines and no two events make the same."""

import hashlib
from functools import lru_cache
from typing import Final

from engine.types import AssetId, CommandId

_DIGITS: Final = "0123456789abcdefghijklmnopqrstuvwxyz"
_TRANSACTION_BITS: Final = 31


@lru_cache(maxsize=65_536)
def token(asset_id: AssetId) -> str:
    """Return ten characters that stand for an asset."""
    return hashlib.blake2s(asset_id.encode(), digest_size=5).hexdigest()


@lru_cache(maxsize=65_536)
def base36(number: int) -> str:
    """Return a number ≥ 0 in base 36."""
    digits = ""
    while True:
        number, digit = divmod(number, 36)
        digits = _DIGITS[digit] + digits
        if number == 0:
            return digits


def attempt_id(asset_id: AssetId, epoch: int, version: int) -> str:
    """Return the id of the attempt that the event of this version starts, 33 characters at most."""
    return f"att_{token(asset_id)}_{base36(epoch)}_{base36(version)}"


def serial_of(attempt: str) -> int:
    """Return the number in an attempt's id that no other attempt of its asset has."""
    return int(attempt.rpartition("_")[2], 36)


def command_id(asset_id: AssetId, epoch: int, version: int, index: int = 0) -> CommandId:
    """Return the id of a command outside plans, created by the event of this version."""
    suffix = f".{index}" if index else ""
    return CommandId(f"cmd_{token(asset_id)}_{base36(epoch)}_{base36(version)}{suffix}")


def override_id(asset_id: AssetId, epoch: int, version: int) -> str:
    """Return the id of an override, set by the event of this version."""
    return f"ovr_{token(asset_id)}_{base36(epoch)}_{base36(version)}"


def transaction_id(version: int, connector: int) -> int:
    """Return a positive 31-bit transaction id, unique on its charge point.

    Source: OCPP 1.6, 5.8 StartTransaction; the id is an integer and chosen by us.
    """
    return ((version << 6) | (connector & 63)) % (1 << _TRANSACTION_BITS) or 1
