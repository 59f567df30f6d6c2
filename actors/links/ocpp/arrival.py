"""A socket from its first byte on: its place on the porch, TLS, then the websocket.

TLS begins here and not in the listener, as only so it is known who fails at it.
"""

import asyncio
import re
import ssl
from typing import Any, Final, cast

from websockets.asyncio.server import ServerConnection

from actors.links.ocpp.porch import HANDSHAKE_S, Porch
from actors.links.ocpp.refusals import Kind, Refusals
from actors.tls import ServerTls

BEFORE_BYTES: Final = 1 << 14
"""What a peer may send before it is known who it is: a request has a tenth of it."""
UNREAD_BYTES: Final = 1 << 20
"""What may wait for a peer that does not read: pongs, which nobody holds back, come to that."""

_BY_REASON: Final = {
    "PEER_DID_NOT_RETURN_A_CERTIFICATE": Kind.NO_CERTIFICATE,
    "UNSUPPORTED_PROTOCOL": Kind.OLD_TLS,
    "VERSION_TOO_LOW": Kind.OLD_TLS,
    "NO_SHARED_CIPHER": Kind.NO_CIPHER,
    "HTTP_REQUEST": Kind.NO_TLS,
    "WRONG_VERSION_NUMBER": Kind.NO_TLS,
}
_BY_CODE: Final = {
    10: Kind.EXPIRED,
    **dict.fromkeys((18, 19, 20, 21), Kind.UNTRUSTED),
}
"""X509_V_ERR_*: has expired; self-signed, signed by one such, no issuer, first one not verified."""
_END_OF_REQUEST: Final = b"\r\n\r\n"
_CERTIFICATE_ALERT: Final = re.compile(r"ALERT_(UNKNOWN_CA|.*CERTIFICATE)")


class Doorstep:
    """What all sockets of a listener share: the porch, TLS where there is any, who is told."""

    def __init__(self, porch: Porch, tls: ServerTls | None, refusals: Refusals) -> None:
        """Begin with nobody."""
        self.porch = porch
        self.tls = tls
        self.refusals = refusals
        self.tasks: set[asyncio.Task[None]] = set()


class Arrival(ServerConnection):
    """One socket of a charge point. The loop thread."""

    def __init__(self, doorstep: Doorstep, *args: Any, **settings: Any) -> None:  # noqa: ANN401 - as websockets has them
        """Begin without a transport."""
        super().__init__(*args, **settings)
        self.address = ""
        self.asked = False
        self._doorstep = doorstep
        self._bare: asyncio.Transport | None = None
        self._is_open = False
        self._is_known = False
        self._before = b""
        self._before_bytes = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Go to the porch, and say nothing before it is this socket's turn."""
        self._bare = cast("asyncio.Transport", transport)
        peer = transport.get_extra_info("peername")
        self.address = str(peer[0]) if peer else "?"
        self._doorstep.porch.enter(self)
        if not self._is_open:
            # Not now: asyncio begins to read right after this, in Python 3.11.2 all the same.
            self.loop.call_soon(self._hold)

    def _hold(self) -> None:
        """Leave what comes where it is until it is this socket's turn."""
        if not self._is_open:
            self._raw.pause_reading()

    def begin(self) -> None:
        """Begin with TLS, or with the websocket where there is none."""
        if self._doorstep.tls is None:
            self._open(self._raw)
            if not self._raw.is_reading():
                self._raw.resume_reading()
            return
        task = self.loop.create_task(self._secure(self._doorstep.tls))
        self._doorstep.tasks.add(task)
        task.add_done_callback(self._doorstep.tasks.discard)

    @property
    def _raw(self) -> asyncio.Transport:
        if self._bare is None:
            raise RuntimeError("the connection is not made yet")
        return self._bare

    async def _secure(self, tls: ServerTls) -> None:
        """Begin TLS [security whitepaper, profiles 2 and 3]; without it there is no websocket."""
        try:
            secured = await self.loop.start_tls(
                self._raw,
                self,
                tls.context(),
                server_side=True,
                ssl_handshake_timeout=2 * HANDSHAKE_S,  # the porch ends it before
            )
        except OSError as error:
            kind = kind_of(error)
            if kind is not None:
                self._doorstep.refusals.note(kind, self.address)
            self._doorstep.porch.leave(self)
            self._raw.abort()
            return
        if secured is not None and not secured.is_closing():
            self._open(secured)
            self.data_received(b"")

    def _open(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        self._is_open = True

    def known(self) -> None:
        """Leave the porch: it is known who this is."""
        self._is_known = True
        self._doorstep.porch.leave(self)

    def turn_away(self) -> None:
        """End the connection, whatever it is doing."""
        self._raw.abort()

    # --- bytes

    def data_received(self, data: bytes) -> None:
        """Take bytes in, unless they are too many to come from who is to be let in."""
        if not self._is_known:
            data = self._measured(data)
        elif self.transport.get_write_buffer_size() > UNREAD_BYTES:
            self._end(Kind.NOT_READING)
            return
        if data:
            super().data_received(data)

    def _measured(self, data: bytes) -> bytes:
        """Return what may be taken in now; TLS may hand over bytes before it is said to be up."""
        self._before_bytes += len(data)
        if self._before_bytes > BEFORE_BYTES:
            self._end(Kind.TOO_MUCH)
            return b""
        if not self._is_open:
            self._before += data
            return b""
        data, self._before = self._before + data, b""
        self.asked = self.asked or data.endswith(_END_OF_REQUEST)
        return data

    def _end(self, kind: Kind) -> None:
        self._doorstep.refusals.note(kind, self.address)
        self.turn_away()

    def eof_received(self) -> None:
        """Hear that nothing more comes."""
        if self._is_open:
            super().eof_received()

    def connection_lost(self, exc: Exception | None) -> None:
        """Clean up."""
        self._doorstep.porch.leave(self)
        if self._is_open:
            super().connection_lost(exc)


def kind_of(error: OSError) -> Kind | None:
    """Return why TLS did not come about; null where a peer has merely gone."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return _BY_CODE.get(error.verify_code, Kind.BAD_CERTIFICATE)
    if not isinstance(error, ssl.SSLError) or isinstance(error, ssl.SSLEOFError):
        return None
    reason = getattr(error, "reason", None) or ""
    if _CERTIFICATE_ALERT.search(reason):
        return Kind.OURS_REFUSED
    return _BY_REASON.get(reason, Kind.TLS_FAILED)
