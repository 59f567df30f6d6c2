"""The central system's listener: who may connect, and which charge point a socket is."""

import base64
import binascii
import http
import logging
import urllib.parse
from collections import Counter
from collections.abc import Callable
from typing import Final

import attrs
from websockets.asyncio.server import Server, ServerConnection, serve
from websockets.datastructures import Headers
from websockets.exceptions import ConnectionClosed
from websockets.http11 import Request, Response
from websockets.typing import Subprotocol

from actors.links.ocpp.point import ChargePoint, Manners
from engine.config import OcppListen

logger = logging.getLogger("setpoint")

SUBPROTOCOL: Final = Subprotocol("ocpp1.6")
FRAME_BYTES: Final = 1 << 18
HANDSHAKE_S: Final = 10.0
LOCK_OUT: Final = 5
LOCK_US: Final = 60_000_000

CheckPassword = Callable[[str, str], bool]
Notice = Callable[[str, str], None]
"""Hears of a refused peer: of what kind, and who it said that it was."""


@attrs.frozen
class Door:
    """Where the central system listens and whom it lets in."""

    listen: OcppListen
    check: CheckPassword
    stale_s: float
    notice: Notice


class Csms:
    """One listener for all charge points of a system. The loop thread."""

    def __init__(self, door: Door, manners: Manners) -> None:
        """Listen to nobody yet."""
        self._door = door
        self._manners = manners
        self._points: dict[str, ChargePoint] = {}
        self._server: Server | None = None
        self._opened = 0
        self._failures: Counter[str] = Counter()
        self._told: set[http.HTTPStatus] = set()
        self._window_us = 0
        self.url: str | None = None

    def point(self, identity: str) -> ChargePoint:
        """Return the charge point of an identity that the site names."""
        if identity not in self._points:
            self._points[identity] = ChargePoint(identity, self._manners)
        return self._points[identity]

    async def open(self) -> None:
        """Begin to listen with the first asset that opens.

        Raises:
            OSError: the address is taken.
        """
        self._opened += 1
        if self._server is not None or self._opened > 1:
            return
        listen = self._door.listen
        self._server = await serve(
            self._serve,
            listen.host,
            listen.port,
            process_request=self._admit,
            subprotocols=[SUBPROTOCOL],
            select_subprotocol=_select,
            open_timeout=HANDSHAKE_S,
            max_size=FRAME_BYTES,
            ping_interval=self._door.stale_s / 3,
            ping_timeout=self._door.stale_s / 3,
            compression=None,
            server_header=None,
        )
        port = self._server.sockets[0].getsockname()[1]
        host = f"[{listen.host}]" if ":" in listen.host else listen.host
        self.url = f"ws://{host}:{port}"

    async def close(self) -> None:
        """Stop listening with the last asset that closes."""
        self._opened -= 1
        if self._opened or self._server is None:
            return
        server, self._server = self._server, None
        for point in self._points.values():
            await point.close()
        server.close()
        await server.wait_closed()

    # --- the door

    def _admit(self, connection: ServerConnection, request: Request) -> Response | None:
        """Refuse unknown charge points and wrong passwords before the upgrade."""
        identity = urllib.parse.unquote(urllib.parse.urlsplit(request.path).path.rpartition("/")[2])
        if identity not in self._points:
            return self._refused(connection, identity, http.HTTPStatus.NOT_FOUND)
        if self._door.listen.security_profile > 0:
            if self._locked(identity):
                return self._refused(connection, identity, http.HTTPStatus.TOO_MANY_REQUESTS)
            if not self._authentic(identity, request.headers):
                self._failures[identity] += 1
                return self._refused(connection, identity, http.HTTPStatus.UNAUTHORIZED)
        offered = ",".join(request.headers.get_all("Sec-WebSocket-Protocol"))
        if SUBPROTOCOL not in {one.strip() for one in offered.split(",")}:
            return self._refused(connection, identity, http.HTTPStatus.BAD_REQUEST)
        connection.username = identity
        return None

    def _locked(self, identity: str) -> bool:
        """Return whether a charge point has had its wrong passwords for this minute."""
        self._turn_window()
        return self._failures[identity] >= LOCK_OUT

    def _turn_window(self) -> None:
        now_us = self._manners.device_us()
        if now_us - self._window_us > LOCK_US:
            self._window_us = now_us
            self._failures.clear()
            self._told.clear()

    def _authentic(self, identity: str, headers: Headers) -> bool:
        scheme, _, given = headers.get("Authorization", "").partition(" ")
        if scheme.lower() != "basic":
            return False
        try:
            decoded = base64.b64decode(given.strip(), validate=True).decode()
        except (binascii.Error, UnicodeDecodeError, ValueError):
            return False
        user, _, password = decoded.partition(":")
        return user == identity and self._door.check(identity, password)

    def _refused(
        self, connection: ServerConnection, identity: str, status: http.HTTPStatus
    ) -> Response:
        self._turn_window()
        if status not in self._told:  # one event a window and kind: attempts cannot flood the log
            self._told.add(status)
            self._door.notice(status.phrase, identity[:50])
        response = connection.respond(status, f"{status.phrase}\n")
        if status is http.HTTPStatus.UNAUTHORIZED:
            response.headers["WWW-Authenticate"] = 'Basic realm="setpoint"'
        return response

    # --- sessions

    async def _serve(self, socket: ServerConnection) -> None:
        identity = socket.username or ""
        point = self._points[identity]
        session, before = point.connected(socket)
        if before is not None:
            before.end()
            await before.socket.close(1008, "another socket of this charge point took over")
        point.welcome()
        try:
            async for text in socket:
                point.heard(session, text)
        except ConnectionClosed:
            logger.debug("%s went without a close", identity)
        finally:
            point.ended(session)


def _select(connection: ServerConnection, offered: object) -> Subprotocol | None:
    del connection
    return SUBPROTOCOL if offered else None
