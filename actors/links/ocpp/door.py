"""Who may come in: which charge point a request is from, and whether it may connect."""

import base64
import binascii
import http
import urllib.parse
from collections import Counter
from collections.abc import Callable, Container, Mapping
from typing import Any, Final

import attrs
from websockets.asyncio.server import ServerConnection
from websockets.datastructures import Headers
from websockets.http11 import Request, Response

from actors.links.ocpp.refusals import WINDOW_US, Kind, Notice, Refusals
from actors.links.ocpp.versions import subprotocols
from engine.config import OcppListen

LOCK_OUT: Final = 5
PEERS: Final = 10_000

CheckPassword = Callable[[str, str], bool]

_STATUS: Final = {
    Kind.UNKNOWN: http.HTTPStatus.NOT_FOUND,
    Kind.PASSWORD: http.HTTPStatus.UNAUTHORIZED,
    Kind.LOCKED_OUT: http.HTTPStatus.TOO_MANY_REQUESTS,
    Kind.WRONG_NAME: http.HTTPStatus.FORBIDDEN,
    Kind.VERSION: http.HTTPStatus.BAD_REQUEST,
}
_CN: Final = "commonName"
_MUTUAL: Final = 3
"""The security profile in which a charge point's certificate says who it is."""


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

    The loop thread. Security profiles 1 and 2 have Basic authentication, the user name being the
    identity at the end of the URL (OCPP-J 1.6, 6.2); in profile 3 the identity is the common name,
    or an alternative one, of the client's certificate (security whitepaper). Who gives five wrong
    passwords from one address has to wait for the next minute; other addresses do not.
    """

    def __init__(self, house: House, known: Container[str], refusals: Refusals) -> None:
        """Let in those who are known when they come."""
        self._house = house
        self._known = known
        self._refusals = refusals
        self._spoken = {*subprotocols(house.listen.versions)}
        self._failures: Counter[tuple[str, str]] = Counter()
        self._window_us = house.device_us()

    def admit(self, connection: ServerConnection, request: Request) -> Response | None:
        """Return why a request is refused, null if it is not; then its user name is set."""
        self._turn_window()
        identity = identity_of(request.path)
        kind = self._judge(connection, request, identity)
        if kind is None:
            connection.username = identity
            return None
        self._refusals.note(kind, identity)
        status = _STATUS[kind]
        response = connection.respond(status, f"{status.phrase}\n")
        if kind is Kind.PASSWORD:
            response.headers["WWW-Authenticate"] = 'Basic realm="setpoint"'
        return response

    def _judge(self, connection: ServerConnection, request: Request, identity: str) -> Kind | None:
        if identity not in self._known:
            return Kind.UNKNOWN
        kind = self._authenticate(connection, request, identity)
        if kind is not None:
            return kind
        offered = ",".join(request.headers.get_all("Sec-WebSocket-Protocol"))
        if not self._spoken & {one.strip() for one in offered.split(",")}:
            return Kind.VERSION
        return None

    def _authenticate(
        self, connection: ServerConnection, request: Request, identity: str
    ) -> Kind | None:
        profile = self._house.listen.security_profile
        if profile == 0:
            return None
        if profile == _MUTUAL:
            names = names_of(connection.transport.get_extra_info("peercert") or {})
            return None if identity in names else Kind.WRONG_NAME
        peer = (identity, str(connection.remote_address[0]))
        if self._failures[peer] >= LOCK_OUT:
            return Kind.LOCKED_OUT
        if not self._is_authentic(identity, request.headers):
            self._count(peer)
            return Kind.PASSWORD
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


def names_of(certificate: Mapping[str, Any]) -> frozenset[str]:
    """Return the common and the alternative names of a certificate, as `ssl` decodes it."""
    common = (value for rdn in certificate.get("subject", ()) for name, value in rdn if name == _CN)
    return frozenset((*common, *(value for _, value in certificate.get("subjectAltName", ()))))
