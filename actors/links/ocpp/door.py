"""Who may come in: which charge point a request is from, and whether it may connect."""

import base64
import binascii
import http
import urllib.parse
from collections import Counter
from collections.abc import Callable, Container
from typing import Final

import attrs
from websockets.asyncio.server import ServerConnection
from websockets.datastructures import Headers
from websockets.http11 import Request, Response

from actors.links.ocpp.versions import subprotocols
from engine.config import OcppListen
from engine.types import US_PER_S

LOCK_OUT: Final = 5
WINDOW_US: Final = 60 * US_PER_S
PEERS: Final = 10_000
_SHOWN: Final = 50

CheckPassword = Callable[[str, str], bool]
Notice = Callable[[str, str], None]
"""Hears of a refused peer: of what kind, and who it said that it was."""


@attrs.frozen
class House:
    """Where the central system listens, and what it asks of those who come.

    A socket without a sign of life for ``stale_s`` seconds is dead.
    """

    listen: OcppListen
    check: CheckPassword
    stale_s: float
    notice: Notice
    device_us: Callable[[], int]


class Door:
    """Refuses unknown charge points, wrong passwords and other versions before the upgrade.

    The loop thread. Security profile 1 is Basic authentication, the user name being the identity
    at the end of the URL (OCPP-J 1.6, 6.2; security whitepaper). Who gives five wrong passwords
    from one address has to wait for the next minute; other addresses do not.
    """

    def __init__(self, house: House, known: Container[str]) -> None:
        """Let in those who are known when they come."""
        self._house = house
        self._known = known
        self._spoken = {*subprotocols(house.listen.versions)}
        self._failures: Counter[tuple[str, str]] = Counter()
        self._told: set[http.HTTPStatus] = set()
        self._window_us = house.device_us()

    def admit(self, connection: ServerConnection, request: Request) -> Response | None:
        """Return why a request is refused, null if it is not; then its user name is set."""
        self._turn_window()
        identity = identity_of(request.path)
        status = self._judge(connection, request, identity)
        if status is None:
            connection.username = identity
            return None
        if status not in self._told:  # one notice a window and kind: attempts cannot flood the log
            self._told.add(status)
            self._house.notice(status.phrase, _shown(identity))
        response = connection.respond(status, f"{status.phrase}\n")
        if status is http.HTTPStatus.UNAUTHORIZED:
            response.headers["WWW-Authenticate"] = 'Basic realm="setpoint"'
        return response

    def _judge(
        self, connection: ServerConnection, request: Request, identity: str
    ) -> http.HTTPStatus | None:
        if identity not in self._known:
            return http.HTTPStatus.NOT_FOUND
        if self._house.listen.security_profile > 0:
            peer = (identity, str(connection.remote_address[0]))
            if self._failures[peer] >= LOCK_OUT:
                return http.HTTPStatus.TOO_MANY_REQUESTS
            if not self._is_authentic(identity, request.headers):
                self._count(peer)
                return http.HTTPStatus.UNAUTHORIZED
        offered = ",".join(request.headers.get_all("Sec-WebSocket-Protocol"))
        if not self._spoken & {one.strip() for one in offered.split(",")}:
            return http.HTTPStatus.BAD_REQUEST
        return None

    def _count(self, peer: tuple[str, str]) -> None:
        """Count a wrong password, for so many peers; beyond that nobody else is locked out."""
        if peer in self._failures or len(self._failures) < PEERS:
            self._failures[peer] += 1

    def _turn_window(self) -> None:
        now_us = self._house.device_us()
        if now_us - self._window_us > WINDOW_US:
            self._window_us = now_us
            self._failures.clear()
            self._told.clear()

    def _is_authentic(self, identity: str, headers: Headers) -> bool:
        given = headers.get_all("Authorization")
        if len(given) != 1:
            return False
        scheme, _, token = given[0].partition(" ")
        if scheme.lower() != "basic":
            return False
        try:
            decoded = base64.b64decode(token.strip(), validate=True).decode()
        except (binascii.Error, ValueError):
            return False
        user, _, password = decoded.partition(":")
        return user == identity and self._house.check(identity, password)


def identity_of(path: str) -> str:
    """Return the charge point's identity: the path's last segment, decoded."""
    return urllib.parse.unquote(path.partition("?")[0].rpartition("/")[2])


def _shown(identity: str) -> str:
    """Return a peer's word for itself, fit for a log."""
    shown = identity[:_SHOWN]
    return shown if shown.isprintable() else ascii(shown)
