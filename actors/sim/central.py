"""A central system by hand, for what is to be seen of a charge point alone: OCPP-J."""

import asyncio
import itertools
import json
from collections.abc import Callable, Mapping
from typing import Any, Final, Self, TypeAlias

from websockets.asyncio.server import Server, ServerConnection, serve
from websockets.exceptions import ConnectionClosed
from websockets.typing import Subprotocol

from actors.sim.ocppj import CALL, CALLERROR, CALLRESULT, CallRefused, Request, check_result

Told: TypeAlias = tuple[str, dict[str, Any]]
Answering: TypeAlias = Callable[[dict[str, Any]], Mapping[str, object] | None]

_TIME: Final = "2026-01-05T12:00:00Z"
_WELCOMES: Final[Mapping[str, Mapping[str, object]]] = {
    "1.6": {"idTagInfo": {"status": "Accepted"}},
    "2.0.1": {"idTokenInfo": {"status": "Accepted"}},
}
_STATUS: Final = {"1.6": ("connectorId", "status"), "2.0.1": ("evseId", "connectorStatus")}


class RawCentral:
    """Answers what charge points say, remembers it, and asks what it is told to ask.

    ``answers`` by action; an answering that gives null stays silent. ``told`` are the CALLs that
    came, ``problems`` what did not fit its schema, ``authorization`` the last handshake's header.
    """

    def __init__(self, version: str = "1.6") -> None:
        """Accept everything."""
        self.version = version
        self.told: list[Told] = []
        self.problems: list[str] = []
        self.authorization: str | None = None
        self.connections = 0
        self._transactions = itertools.count(1)
        self._ids = itertools.count(1)
        welcome = _WELCOMES[version]
        self.answers: dict[str, Answering] = {
            "Authorize": lambda _: welcome,
            "BootNotification": lambda _: boot_answer(),
            "Heartbeat": lambda _: {"currentTime": _TIME},
            "StartTransaction": lambda _: {"transactionId": next(self._transactions), **welcome},
        }
        self.url = ""
        self._server: Server | None = None
        self._websocket: ServerConnection | None = None
        self._asked: dict[str, tuple[str, asyncio.Future[list[Any]]]] = {}
        self._changed = asyncio.Event()

    async def __aenter__(self) -> Self:
        self._server = await serve(
            self._attend, "127.0.0.1", 0, subprotocols=[Subprotocol(f"ocpp{self.version}")]
        )
        port = self._server.sockets[0].getsockname()[1]
        self.url = f"ws://127.0.0.1:{port}/ocpp"
        return self

    async def __aexit__(self, *reason: object) -> None:
        if self._server is not None:
            self._server.close()
            await self._server.wait_closed()

    async def ask(self, action: str, payload: Mapping[str, object]) -> list[Any]:
        """Make a CALL and return the frame that answers it.

        Raises:
            ConnectionError: no charge point is connected.
        """
        if self._websocket is None:
            raise ConnectionError("no charge point is connected")
        unique_id = f"ask-{next(self._ids)}"
        answer: asyncio.Future[list[Any]] = asyncio.get_running_loop().create_future()
        self._asked[unique_id] = (action, answer)
        await self._websocket.send(json.dumps([CALL, unique_id, action, payload]))
        return await answer

    async def status_of(self, action: str, payload: Mapping[str, object]) -> str:
        """Make a CALL and return the status in its result."""
        frame = await self.ask(action, payload)
        return str(frame[2]["status"])

    async def hear(self, action: str, **fields: object) -> dict[str, Any]:
        """Return the first CALL of an action, with these fields, that came or comes."""
        while True:
            self._changed.clear()
            for told, payload in self.told:
                if told == action and fields.items() <= payload.items():
                    return payload
            await self._changed.wait()

    def statuses(self, connector: int = 1) -> list[str]:
        """Return the statuses that a connector, or an EVSE, reported, in order."""
        where, what = _STATUS[self.version]
        return [
            payload[what]
            for action, payload in self.told
            if action == "StatusNotification" and payload[where] == connector
        ]

    def actions(self) -> list[str]:
        """Return the actions of all CALLs but StatusNotification, in order."""
        return [action for action, _ in self.told if action != "StatusNotification"]

    async def _attend(self, websocket: ServerConnection) -> None:
        self._websocket = websocket
        self.connections += 1
        if websocket.request is not None:
            self.authorization = websocket.request.headers.get("Authorization")
        try:
            async for text in websocket:
                await self._take(websocket, json.loads(text))
        except ConnectionClosed:
            return
        finally:
            if self._websocket is websocket:
                self._websocket = None

    async def _take(self, websocket: ServerConnection, frame: list[Any]) -> None:
        if frame[0] != CALL:
            self._answered(frame)
            return
        _, unique_id, action, payload = frame
        try:
            Request(unique_id, action, payload).check(self.version)
        except CallRefused as problem:
            self.problems.append(str(problem))
        answering = self.answers.get(action)
        answer = {} if answering is None else answering(payload)
        self.told.append((action, payload))
        self._changed.set()
        if answer is not None and "errorCode" in answer:
            await websocket.send(json.dumps([CALLERROR, unique_id, answer["errorCode"], "", {}]))
        elif answer is not None:
            await websocket.send(json.dumps([CALLRESULT, unique_id, dict(answer)]))

    def _answered(self, frame: list[Any]) -> None:
        action, answer = self._asked.pop(frame[1])
        if frame[0] == CALLRESULT:
            try:
                check_result(action, frame[2], self.version)
            except CallRefused as problem:
                self.problems.append(str(problem))
        if not answer.done():
            answer.set_result(frame)


def boot_answer(status: str = "Accepted", interval_s: int = 300) -> dict[str, object]:
    """Return the answer to a BootNotification [4.2]."""
    return {"status": status, "interval": interval_s, "currentTime": _TIME}
