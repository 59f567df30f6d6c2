"""OCPP-J frames: text to CALL, CALLRESULT, CALLERROR and back (OCPP-J, section 4).

The ocpp library's session is not used: it keeps unsolicited results for ever, some malformed frames
end it, an Accepted with a field too many raises, a CALL to a silent charge point has no deadline of
its own, and the whole time-out is sat out when the socket has closed. What is left of OCPP-J is
four arrays.
"""

from typing import Any, Final

import attrs
import msgspec

FRAME_BYTES: Final = 1 << 18
DEPTH: Final = 32

_CALL, _RESULT, _ERROR = 2, 3, 4
_ID_LIMIT: Final = 64
_LEAST, _WITH_PAYLOAD = 3, 4
_SAID: Final = 200
_MARK: Final = b"\xef\xbb\xbf"
"""A byte order mark; whoever reads JSON may pass over it (RFC 8259, 8.1)."""

_decode: Final = msgspec.json.Decoder().decode
_encode: Final = msgspec.json.Encoder().encode


@attrs.frozen
class Call:
    """A request of the charge point."""

    id: str
    action: str
    payload: dict[str, Any]


@attrs.frozen
class Result:
    """An answer of the charge point to a request of ours."""

    id: str
    payload: Any


@attrs.frozen
class Error:
    """A CALLERROR of the charge point."""

    id: str
    code: str
    description: str


@attrs.frozen
class Garbage:
    """A frame that is none of the three; ``id`` where it is a CALL that may be answered."""

    reason: str
    id: str | None = None


def parse(data: bytes) -> Call | Result | Error | Garbage:
    """Return what a frame is; never raises."""
    if len(data) > FRAME_BYTES:
        return Garbage("too long")
    try:
        frame = _decode(data.removeprefix(_MARK))
    except (msgspec.DecodeError, RecursionError, ValueError) as error:
        return Garbage(f"no JSON: {error}")
    if not isinstance(frame, list) or len(frame) < _LEAST:
        return Garbage("no array of three or more")
    own_id = frame[1]
    if not isinstance(own_id, str) or not 0 < len(own_id) <= _ID_LIMIT:
        return Garbage("no message id")
    if _is_deep(data, frame):
        return Garbage("nested too deep", own_id if frame[0] == _CALL else None)
    return _message(own_id, frame)


def _message(own_id: str, frame: list[Any]) -> Call | Result | Error | Garbage:
    kind = frame[0]
    if kind == _CALL:
        return _call(own_id, frame)
    if kind == _RESULT:
        return Result(own_id, frame[2])
    if kind == _ERROR:
        description = frame[3] if len(frame) >= _WITH_PAYLOAD else ""
        return Error(own_id, str(frame[2])[:_SAID], str(description)[:_SAID])
    return Garbage("no message type")  # to be ignored [OCPP-J 4.1.3]


def _call(own_id: str, frame: list[Any]) -> Call | Garbage:
    """Return a CALL; one without a payload, or null for it, has an empty one."""
    action = frame[2]
    payload = frame[3] if len(frame) >= _WITH_PAYLOAD else None
    payload = {} if payload is None else payload
    if not isinstance(action, str) or not isinstance(payload, dict):
        return Garbage("no action and payload", own_id)
    return Call(own_id, action, payload)


def _is_deep(data: bytes, frame: list[Any]) -> bool:
    """Return whether a frame is nested too deep; one with few brackets cannot be."""
    return data.count(b"[") + data.count(b"{") > DEPTH and _is_deeper([frame])


def _is_deeper(level: list[Any]) -> bool:
    """Return whether things on one level have parts on more levels than may be."""
    for _ in range(DEPTH - 1):
        inner = (one.values() if isinstance(one, dict) else one for one in level)
        level = [part for one in inner for part in one if isinstance(part, dict | list)]
        if not level:
            return False
    return True


def call_text(own_id: str, action: str, payload: dict[str, object]) -> str:
    """Return a CALL as text."""
    return _encode((_CALL, own_id, action, payload)).decode()


def result_text(own_id: str, payload: dict[str, object]) -> str:
    """Return a CALLRESULT as text."""
    return _encode((_RESULT, own_id, payload)).decode()


def error_text(own_id: str, code: str, description: str) -> str:
    """Return a CALLERROR as text."""
    return _encode((_ERROR, own_id, code, description, {})).decode()
