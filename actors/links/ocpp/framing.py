"""OCPP-J frames: text to CALL, CALLRESULT, CALLERROR and back (OCPP-J 1.6, section 4).

The ocpp library's schemas say what a CALL has to look like; they are read tolerantly, as charge
points send fields of their own and statuses that nobody knows. Its session is not used: it keeps
unsolicited results for ever, lets five of 55 malformed frames end it, and waits the whole time-out
when the socket has closed.
"""

from typing import Any, Final

import attrs
import msgspec
from ocpp.messages import get_validator

VERSION: Final = "1.6"
DEPTH: Final = 32
_CALL, _RESULT, _ERROR = 2, 3, 4
_ID_LIMIT: Final = 64
_FATAL: Final = frozenset({"required", "type"})

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
    """A frame that is none of the three; ``id`` where it has one that may be answered."""

    reason: str
    id: str | None = None


def parse(text: str | bytes) -> Call | Result | Error | Garbage:  # noqa: PLR0911 - one return per kind
    """Return what a frame is; never raises."""
    try:
        frame = _decode(text)
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError, ValueError) as error:
        return Garbage(f"no JSON: {error}")
    if not isinstance(frame, list) or len(frame) < 3:  # noqa: PLR2004 - type, id, and one more
        return Garbage("no array of three or more")
    kind, own_id = frame[0], frame[1]
    if not isinstance(own_id, str) or not 0 < len(own_id) <= _ID_LIMIT:
        return Garbage("no message id")
    if kind == _CALL:
        return _call(own_id, frame)
    if kind == _RESULT:
        return Result(own_id, frame[2])
    if kind == _ERROR:
        description = frame[3] if len(frame) > 3 else ""  # noqa: PLR2004 - it may be left out
        return Error(own_id, str(frame[2]), str(description))
    return Garbage("no message type", own_id)


def _call(own_id: str, frame: list[Any]) -> Call | Garbage:
    action = frame[2]
    payload = frame[3] if len(frame) > 3 else None  # noqa: PLR2004 - the fourth is the payload
    if not isinstance(action, str) or not isinstance(payload, dict):
        return Garbage("no action and payload", own_id)
    if _depth(payload) > DEPTH:
        return Garbage("nested too deep", own_id)
    return Call(own_id, action, payload)


def _depth(value: object, so_far: int = 1) -> int:
    if so_far > DEPTH or not isinstance(value, dict | list):
        return so_far
    inner = value.values() if isinstance(value, dict) else value
    return max((_depth(one, so_far + 1) for one in inner), default=so_far)


def fault(call: Call) -> tuple[str, str] | None:
    """Return the CALLERROR code and text for a CALL that lacks what it needs, null for others."""
    try:
        validator = get_validator(_CALL, call.action, VERSION)
    except (OSError, ValueError):
        return "NotImplemented", f"no action is called {call.action[:50]}"
    for error in validator.iter_errors(call.payload):
        if error.validator == "required":
            return "OccurenceConstraintViolation", error.message[:200]
        if error.validator in _FATAL:
            return "TypeConstraintViolation", error.message[:200]
    return None


def call_text(own_id: str, action: str, payload: dict[str, object]) -> str:
    """Return a CALL as text."""
    return _encode((_CALL, own_id, action, payload)).decode()


def result_text(own_id: str, payload: dict[str, object]) -> str:
    """Return a CALLRESULT as text."""
    return _encode((_RESULT, own_id, payload)).decode()


def error_text(own_id: str, code: str, description: str) -> str:
    """Return a CALLERROR as text."""
    return _encode((_ERROR, own_id, code, description, {})).decode()
