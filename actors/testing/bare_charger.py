"""A charge point on a bare socket, made by hand: RFC 6455 and OCPP-J 1.6, and no library of ours.

It says and answers what a test tells it to, and nothing by itself.
"""

import base64
import itertools
import json
import socket
from collections.abc import Callable, Iterable
from types import TracebackType
from typing import Any, Final, Self
from urllib.parse import urlsplit

from actors.clock import steady_s, wall_now

Frame = list[Any]

_TEXT: Final = 0x81
_PING: Final = 0x89
_CLOSE: Final = 0x88
_PONG: Final = 0x8A
_MASKED: Final = 0x80
_MASK: Final = bytes(4)
_SHORT: Final = 125
_IN_TWO_BYTES: Final = 126
_END_OF_HEADERS: Final = b"\r\n\r\n"


class BareCharger:
    """One connection of a charge point, open until it is closed.

    ``heard`` are the CALLs that it got, each with the seconds since the connection began.
    """

    def __init__(self, url: str, identity: str, key: str, limit_s: float = 30.0) -> None:
        """Connect; whatever takes longer than ``limit_s`` raises TimeoutError."""
        address = urlsplit(url)
        self.socket = socket.create_connection((address.hostname, address.port), limit_s)
        self.began_s = steady_s()
        self.heard: list[tuple[float, Frame]] = []
        self._numbers = itertools.count(1)
        self._limit_s = limit_s
        self._data = b""
        token = base64.b64encode(f"{identity}:{key}".encode()).decode()
        nonce = base64.b64encode(bytes(16)).decode()
        asked = (
            f"GET /{identity} HTTP/1.1\r\nHost: {address.netloc}\r\nUpgrade: websocket\r\n"
            f"Connection: Upgrade\r\nSec-WebSocket-Key: {nonce}\r\nSec-WebSocket-Version: 13\r\n"
            f"Sec-WebSocket-Protocol: ocpp1.6\r\nAuthorization: Basic {token}\r\n\r\n"
        )
        self.socket.sendall(asked.encode())
        while _END_OF_HEADERS not in self._data:
            self._read(steady_s() + limit_s)
        head, _, self._data = self._data.partition(_END_OF_HEADERS)
        if b" 101 " not in head:
            raise ConnectionError(head.decode())

    def __enter__(self) -> Self:
        """Be open."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Go without a word."""
        self.socket.close()

    # --- what it says

    def call(self, action: str, **payload: object) -> str:
        """Say something, and wait for no answer; return the CALL's id."""
        own_id = f"own-{next(self._numbers)}"
        self.send([2, own_id, action, payload])
        return own_id

    def boot(self) -> None:
        """Say who it is, and that connector 1 has a vehicle."""
        self.call("BootNotification", chargePointVendor="v", chargePointModel="m")
        self.status("Charging")

    def status(self, status: str) -> None:
        """Say how connector 1 is."""
        at = wall_now().strftime("%Y-%m-%dT%H:%M:%S.000Z")
        self.call(
            "StatusNotification", connectorId=1, errorCode="NoError", status=status, timestamp=at
        )

    def accept(self, call: Frame) -> None:
        """Answer a CALL that it is done."""
        self.send([3, call[1], {"status": "Accepted"}])

    def send(self, frame: Frame) -> None:
        """Send one frame."""
        self._send(_TEXT, json.dumps(frame).encode())

    def _send(self, opcode: int, data: bytes) -> None:
        size = len(data)
        length = bytes([_MASKED | size])
        if size > _SHORT:
            length = bytes([_MASKED | _IN_TWO_BYTES]) + size.to_bytes(2, "big")
        self.socket.sendall(bytes([opcode]) + length + _MASK + data)

    # --- what it hears

    def take(self, seconds: float) -> list[str]:
        """Accept each setpoint of so many seconds, and nothing else; return all CALLs so far."""
        for frame in self._frames(steady_s() + seconds):
            if frame[0] == 2 and frame[2] == "SetChargingProfile":  # noqa: PLR2004 - CALL
                self.accept(frame)
        return [frame[2] for _, frame in self.heard]

    def called(self, action: str) -> Frame:
        """Return the next CALL of an action; others that come first are not answered.

        Raises:
            TimeoutError: it does not come.
        """
        return self.until(lambda frame: frame[0] == 2 and frame[2] == action)  # noqa: PLR2004 - CALL

    def until(self, is_wanted: Callable[[Frame], bool]) -> Frame:
        """Return the first frame that is wanted.

        Raises:
            TimeoutError: it does not come.
        """
        for frame in self._frames(steady_s() + self._limit_s):
            if is_wanted(frame):
                return frame
        raise TimeoutError([frame[2] for _, frame in self.heard])

    def _frames(self, end_s: float) -> Iterable[Frame]:
        """Yield what comes in until a time."""
        while True:
            found = self._next()
            while found is None:
                if not self._read(end_s):
                    return
                found = self._next()
            opcode, data = found
            if opcode == _PING:
                self._send(_PONG, data)
            elif opcode == _CLOSE:
                raise ConnectionError("closed by the central system")
            elif opcode == _TEXT:
                frame: Frame = json.loads(data)
                if frame[0] == 2:  # noqa: PLR2004 - CALL
                    self.heard.append((steady_s() - self.began_s, frame))
                yield frame

    def _read(self, end_s: float) -> bool:
        """Read on; return whether something came in time."""
        self.socket.settimeout(max(0.001, end_s - steady_s()))
        try:
            data = self.socket.recv(1 << 16)
        except TimeoutError:
            return False
        if not data:
            raise ConnectionError("closed by the central system")
        self._data += data
        return True

    def _next(self) -> tuple[int, bytes] | None:
        """Take a whole websocket frame from what was read, null if there is none."""
        start, data = 2, self._data
        if len(data) < start:
            return None
        size = data[1]
        if size == _IN_TWO_BYTES:
            start = 4
            size = int.from_bytes(data[2:start], "big")
        if len(data) < start + size:
            return None
        self._data = data[start + size :]
        return data[0], data[start : start + size]
