"""Messages in a stream of bytes: those of OCPP-J in websocket frames, and those of Modbus TCP.

Sources: RFC 6455, section 5.2; OCPP-J 1.6, section 4; MODBUS Messaging on TCP/IP Implementation
Guide V1.0b, section 3.1.3.
"""

import json
from collections.abc import Iterable
from typing import Final, Protocol, runtime_checkable

import attrs

from actors.testing.faults import Direction, Faults

_TEXT: Final = 1
_MASKED: Final = 0x80
_SHORT, _LONG = 126, 127
_HEAD: Final = 6  # of a Modbus frame before what its length counts
_FUNCTION: Final = 7
_CALL: Final = 2
_END_OF_REQUEST: Final = b"\r\n\r\n"


@attrs.frozen
class Message:
    """One message as it is on the wire; ``action`` is null for what is none of the protocol's.

    ``id`` is its unique id, or its transaction's in Modbus. ``body`` is where its content stands in
    it: what garbage replaces.
    """

    raw: bytes
    action: str | int | None = None
    body: slice = slice(0, 0)
    id: str | int | None = None


class Splitter(Protocol):
    """Cuts both directions of one connection into messages."""

    def feed(self, direction: Direction, data: bytes) -> list[Message]:
        """Return the messages that are complete with these bytes."""
        ...


@runtime_checkable
class Malforming(Protocol):
    """A splitter that also knows how messages of its protocol are spoilt."""

    def malformed(self, message: Message, faults: Faults) -> Iterable[bytes]:
        """Return what is sent in the place of a message that is spoilt, piece by piece."""
        ...


class ModbusSplitter:
    """Modbus TCP; an action is a function code."""

    def __init__(self) -> None:
        """Begin with nothing left over."""
        self._rest: dict[Direction, bytes] = {"in": b"", "out": b""}

    def feed(self, direction: Direction, data: bytes) -> list[Message]:
        """Return the messages that are complete with these bytes."""
        rest = self._rest[direction] + data
        found = []
        while len(rest) > _FUNCTION:
            length = _HEAD + int.from_bytes(rest[4:6], "big")
            if len(rest) < length:
                break
            raw, rest = rest[:length], rest[length:]
            action = raw[_FUNCTION] & 0x7F if length > _FUNCTION else None
            transaction_id = int.from_bytes(raw[:2], "big")
            found.append(Message(raw, action, slice(_FUNCTION, length), transaction_id))
        self._rest[direction] = rest
        return found

    def malformed(self, message: Message, faults: Faults) -> Iterable[bytes]:
        """Return what is sent in the place of a message that is spoilt, piece by piece."""
        return faults.malformers["modbus"].of(message.raw).pieces


class OcppSplitter:
    """OCPP-J on a websocket; a result's action is that of the call that it answers.

    ``identity`` is the charge point's, once its request for an upgrade has passed.
    """

    def __init__(self) -> None:
        """Begin with the opening handshake."""
        self.identity: str | None = None
        self._rest: dict[Direction, bytes] = {"in": b"", "out": b""}
        self._upgraded: set[Direction] = set()
        self._actions: dict[str, str] = {}

    def feed(self, direction: Direction, data: bytes) -> list[Message]:
        """Return the messages that are complete with these bytes."""
        rest = self._rest[direction] + data
        found: list[Message] = []
        if direction not in self._upgraded:
            head, end, rest = rest.partition(_END_OF_REQUEST)
            if not end:
                self._rest[direction] = head
                return found
            self._upgraded.add(direction)
            self._know(direction, head)
            found.append(Message(head + end))
        while (size := _frame_size(rest)) is not None and len(rest) >= size[1]:
            found.append(self._message(rest[: size[1]], size[0]))
            rest = rest[size[1] :]
        self._rest[direction] = rest
        return found

    def malformed(self, message: Message, faults: Faults) -> Iterable[bytes]:
        """Return a whole websocket frame with a message that is spoilt."""
        raw, start = message.raw, message.body.start
        is_masked = bool(raw[1] & _MASKED)
        text = _masked(raw, start) if is_masked else raw[start:]
        spoilt = faults.malformers["ocpp"].of(text).data
        return (_framed(raw[0], spoilt, raw[start - 4 : start] if is_masked else b""),)

    def _know(self, direction: Direction, head: bytes) -> None:
        if direction == "out":
            path = head.split(b" ")[1].decode(errors="replace")
            self.identity = path.rpartition("/")[2]

    def _message(self, raw: bytes, start: int) -> Message:
        if raw[0] & 0x0F != _TEXT:
            return Message(raw)
        text = _masked(raw, start) if raw[1] & _MASKED else raw[start:]
        action, own_id = self._named(text)
        return Message(raw, action, slice(start, len(raw)), own_id)

    def _named(self, text: bytes) -> tuple[str | None, str | None]:
        """Return a message's action and unique id, null for what is none of OCPP's."""
        try:
            frame = json.loads(text)
        except (ValueError, RecursionError):
            return None, None
        if not isinstance(frame, list) or len(frame) < 3:  # noqa: PLR2004 - type, id, and more
            return None, None
        own_id = str(frame[1])
        if frame[0] == _CALL:
            self._actions[own_id] = str(frame[2])
            return str(frame[2]), own_id
        return self._actions.pop(own_id, None), own_id


def _frame_size(data: bytes) -> tuple[int, int] | None:
    """Return where a websocket frame's payload begins and ends, null while that is not known."""
    if len(data) < 2:  # noqa: PLR2004 - the two bytes that each frame has
        return None
    length, start = data[1] & 0x7F, 2
    if length >= _SHORT:
        width = 2 if length < _LONG else 8
        start += width
        if len(data) < start:
            return None
        length = int.from_bytes(data[2:start], "big")
    start += 4 if data[1] & _MASKED else 0
    return start, start + length


def _framed(first: int, payload: bytes, mask: bytes) -> bytes:
    """Return a websocket frame; ``mask`` is empty for one of a server."""
    size, flag = len(payload), _MASKED if mask else 0
    if size < _SHORT:
        head = bytes((first, flag | size))
    elif size < 1 << 16:
        head = bytes((first, flag | _SHORT)) + size.to_bytes(2, "big")
    else:
        head = bytes((first, flag | _LONG)) + size.to_bytes(8, "big")
    return head + mask + (_masked(mask + payload, len(mask)) if mask else payload)


def _masked(raw: bytes, start: int) -> bytes:
    mask = raw[start - 4 : start]
    return bytes(byte ^ mask[place % 4] for place, byte in enumerate(raw[start:]))
