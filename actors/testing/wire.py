"""A tap on a connection: it strikes messages on their way with the faults of the wire."""

from collections.abc import Callable, Collection
from typing import Final

import attrs

from actors.testing.faults import SAID, WIRE, Direction, Fault, Faults
from actors.testing.frames import Malforming, Message, Splitter


@attrs.frozen
class Piece:
    """Bytes to pass on; with ``cuts`` the connection ends behind them, with ``resets`` by a reset.

    ``delay_s`` holds up what comes behind, too; ``latency_s`` is how long the way is.
    """

    data: bytes
    delay_s: float = 0.0
    cuts: bool = False
    resets: bool = False
    latency_s: float = 0.0


_DRIP: Final = 3
"""How many bytes fall at a time."""


def _to_device(fault: Fault) -> bool:
    return fault.kind in WIRE - SAID


def _from_device(fault: Fault) -> bool:
    return fault.kind in WIRE


class Tap:
    """Both directions of one connection. ``assets`` tells whose it is, as far as that is known."""

    def __init__(
        self, splitter: Splitter, faults: Faults, assets: Callable[[], Collection[str]]
    ) -> None:
        """Pass everything on."""
        self._splitter = splitter
        self._faults = faults
        self._assets = assets
        self._held: dict[Direction, bytes] = {"in": b"", "out": b""}
        self._is_half_open = False

    @property
    def is_half_open(self) -> bool:
        """Whether nothing passes any more, and nobody is told."""
        return self._is_half_open

    def through(self, direction: Direction, data: bytes) -> list[Piece]:
        """Return what becomes of bytes on their way; nothing while a message is not complete."""
        pieces: list[Piece] = []
        for message in self._splitter.feed(direction, data):
            pieces += self._pass(direction, message)
        latency_s = self._faults.latency_s(self._assets(), direction)
        if latency_s:
            pieces = [attrs.evolve(piece, latency_s=latency_s) for piece in pieces]
        return pieces

    def _pass(self, direction: Direction, message: Message) -> list[Piece]:
        if self._is_half_open:
            return []
        fault = None
        if message.action is not None:
            assets = self._assets()
            kinds = _to_device if direction == "in" else _from_device
            fault = self._faults.strike(kinds, assets, direction, message.action, message.id)
        if fault is not None:
            return self._struck(direction, message, fault)
        held, self._held[direction] = self._held[direction], b""
        return [Piece(message.raw + held)]

    def _struck(self, direction: Direction, message: Message, fault: Fault) -> list[Piece]:
        raw = message.raw
        if fault.kind == "reorder":
            self._held[direction] += raw
        self._is_half_open = fault.kind == "half_open"
        if fault.kind == "drip":
            return _dripping(raw, fault.seconds)
        if fault.kind == "malformed" and isinstance(self._splitter, Malforming):
            return [Piece(one) for one in self._splitter.malformed(message, self._faults)]
        pieces = {
            "delay": Piece(raw, fault.seconds),
            "duplicate": Piece(raw + raw),
            "garbage": Piece(_garbage(message)),
            "malformed": Piece(_garbage(message)),
            "cut": Piece(raw[: len(raw) // 2], cuts=True),
            "reset": Piece(b"", resets=True),
        }
        found = pieces.get(fault.kind)
        return [] if found is None else [found]


def _dripping(raw: bytes, seconds: float) -> list[Piece]:
    """Return a message in drops; the last one falls after ``seconds``."""
    starts = range(0, len(raw), _DRIP)
    return [Piece(raw[start : start + _DRIP], seconds / len(starts)) for start in starts]


def _garbage(message: Message) -> bytes:
    """Return a message whose content makes no sense; its frame is whole."""
    start, end = message.body.start, message.body.stop
    spoilt = bytes(byte ^ 0x15 for byte in message.raw[start:end])
    return message.raw[:start] + spoilt + message.raw[end:]
