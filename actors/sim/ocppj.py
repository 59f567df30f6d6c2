"""OCPP-J on one websocket, by hand, so that a device can misbehave and log each frame."""

import asyncio
import decimal
import functools
import json
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final, TypeAlias

import attrs
from ocpp.messages import get_validator
from websockets.asyncio.client import ClientConnection
from websockets.exceptions import ConnectionClosed

from actors.sim.wirelog import Direction

CALL: Final = 2
CALLRESULT: Final = 3
CALLERROR: Final = 4

# By the JSON schema's keyword that is broken [OCPP-J 4.2.3].
_CODES: Final = {
    "additionalProperties": "FormationViolation",
    "required": "ProtocolError",
    "type": "TypeConstraintViolation",
    "maxLength": "TypeConstraintViolation",
}
_OTHER_CODE: Final = "PropertyConstraintViolation"

Log: TypeAlias = Callable[[Direction, str | None, str | None, object], None]


class CallRefused(Exception):
    """A CALL that is answered with CALLERROR [OCPP-J 4.2.3]."""

    def __init__(self, code: str, description: str = "") -> None:
        """Keep both parts."""
        super().__init__(f"{code}: {description}")
        self.code = code
        self.description = description


@attrs.frozen
class Request:
    """A CALL of the central system."""

    unique_id: str
    action: str
    payload: dict[str, Any]

    def check(self, version: str) -> None:
        """Hold the payload against the schema of a version of OCPP.

        Raises:
            CallRefused: it does not fit, or the action is none of the version's.
        """
        _check(CALL, self.action, self.payload, version)


def check_result(action: str, payload: Mapping[str, object], version: str) -> None:
    """Hold the payload of a CALLRESULT against the schema of a version of OCPP.

    Raises:
        CallRefused: it does not fit.
    """
    _check(CALLRESULT, action, payload, version)


def _check(kind: int, action: str, payload: Mapping[str, object], version: str) -> None:
    try:
        validator = _validator(kind, action, version)
    except OSError:
        raise CallRefused("NotImplemented", f"OCPP {version} has no {action}") from None
    for error in validator.iter_errors(_exact(payload)):
        raise CallRefused(_CODES.get(error.validator, _OTHER_CODE), str(error.message))


@functools.cache
def _validator(kind: int, action: str, version: str) -> Any:  # noqa: ANN401 - of jsonschema
    # The library keeps one a schema, with the numbers of whoever asked first.
    theirs = get_validator(kind, action, version, parse_float=decimal.Decimal)
    return theirs.evolve(schema=_exact(theirs.schema))


def _exact(document: object) -> Any:  # noqa: ANN401 - as JSON
    """Limits have one decimal, which binary floats cannot tell."""
    return json.loads(json.dumps(document, default=float), parse_float=decimal.Decimal)


class Exchange:
    """The frames of one connection. ``take`` is awaited for each CALL that comes in."""

    def __init__(
        self, websocket: ClientConnection, log: Log, take: Callable[[Request], Awaitable[None]]
    ) -> None:
        """Use an open websocket."""
        self._websocket = websocket
        self._log = log
        self._take = take
        self._asked: dict[str, tuple[str, asyncio.Future[dict[str, Any]]]] = {}

    async def call(
        self, unique_id: str, action: str, payload: Mapping[str, object], timeout_s: float
    ) -> dict[str, Any]:
        """Make a CALL and return the payload of its result.

        Raises:
            CallRefused: the central system answered with CALLERROR.
            TimeoutError: it did not answer in time.
            ConnectionClosed: the connection ended.
        """
        answer: asyncio.Future[dict[str, Any]] = asyncio.get_running_loop().create_future()
        self._asked[unique_id] = (action, answer)
        self._log("out", unique_id, action, payload)
        await self._websocket.send(json.dumps([CALL, unique_id, action, payload]))
        async with asyncio.timeout(timeout_s):
            return await answer

    async def reply(self, request: Request, payload: Mapping[str, object]) -> None:
        """Answer a CALL with its result."""
        self._log("out", request.unique_id, request.action, payload)
        await self._websocket.send(json.dumps([CALLRESULT, request.unique_id, payload]))

    async def refuse(self, request: Request, refusal: CallRefused) -> None:
        """Answer a CALL with an error."""
        body = {
            "errorCode": refusal.code,
            "errorDescription": refusal.description,
            "errorDetails": {},
        }
        self._log("out", request.unique_id, request.action, body)
        frame = [CALLERROR, request.unique_id, refusal.code, refusal.description[:255], {}]
        await self._websocket.send(json.dumps(frame))

    async def read(self) -> None:
        """Take what comes until the connection ends."""
        try:
            async for text in self._websocket:
                await self._sort(text)
        except ConnectionClosed:
            return

    async def _sort(self, text: str | bytes) -> None:
        match _parsed(text):
            case [2, str(unique_id), str(action), dict(payload)]:
                self._log("in", unique_id, action, payload)
                await self._take(Request(unique_id, action, payload))
            case [3, str(unique_id), dict(payload)]:
                self._answered(unique_id, payload)
            case [4, str(unique_id), str(code), str(description), *details]:
                self._failed(unique_id, CallRefused(code, description), details)
            case odd:
                self._log("in", None, None, odd)

    def _answered(self, unique_id: str, payload: dict[str, Any]) -> None:
        action, answer = self._asked.pop(unique_id, (None, None))
        self._log("in", unique_id, action, payload)
        if answer is not None and not answer.done():
            answer.set_result(payload)

    def _failed(self, unique_id: str, refusal: CallRefused, details: list[object]) -> None:
        action, answer = self._asked.pop(unique_id, (None, None))
        body = {
            "errorCode": refusal.code,
            "errorDescription": refusal.description,
            "errorDetails": details[0] if details else {},
        }
        self._log("in", unique_id, action, body)
        if answer is not None and not answer.done():
            answer.set_exception(refusal)


def _parsed(text: str | bytes) -> object:
    """Return a frame as JSON, or as it came if it is none."""
    try:
        return json.loads(text)
    except ValueError:
        return text if isinstance(text, str) else text.hex()
