"""TLS from files: contexts for both ends, and what is wrong with the files before anybody comes.

What can only be known by connecting is tried in memory: a certificate is good if a client that
trusts it takes it.
"""

import logging
import ssl
from collections.abc import Iterator
from pathlib import Path
from typing import Final, TypeVar

from actors.clock import wall_now
from engine.config import TlsFiles
from engine.errors import Problem, SiteRefused

CIPHERS: Final = "ECDHE+AESGCM:ECDHE+CHACHA20:RSA+AESGCM"
"""Authenticated ones only. Those without ECDHE come last: OCPP asks for them (2.0.1, A00.FR.319),
as some charge points have no other."""

C = TypeVar("C", bound=ssl.SSLContext)

logger = logging.getLogger("setpoint")

_MOST_BYTES: Final = 1 << 20

Fault = tuple[str, str]
"""The key of the file at fault (cert, key, client_ca, ca) and what is wrong with it."""


# --- contexts


def server_context(files: TlsFiles) -> ssl.SSLContext:
    """Return the context of who listens; with ``client_ca`` it asks for a client's certificate.

    Raises:
        OSError: a file cannot be used; see `server_faults`.
    """
    context = _sound(ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER))
    context.options |= ssl.OP_CIPHER_SERVER_PREFERENCE | ssl.OP_NO_RENEGOTIATION
    context.options |= ssl.OP_NO_TICKET  # who comes again shows its certificate again
    context.num_tickets = 0
    _load_own(context, files.cert, files.key)
    if files.client_ca is not None:
        context.verify_mode = ssl.CERT_REQUIRED
        context.load_verify_locations(files.client_ca)
    return context


def client_context(
    ca: str | None, cert: str | None = None, key: str | None = None, name: str | None = None
) -> ssl.SSLContext:
    """Return the context of who connects: it trusts ``ca`` alone, null the system's.

    The certificate has to be for ``name``, null for the host that is connected to.

    Raises:
        OSError: a file cannot be used; see `client_faults`.
    """
    context = _sound(_Naming(ssl.PROTOCOL_TLS_CLIENT))
    context.expected = name
    if ca is None:
        context.load_default_certs(ssl.Purpose.SERVER_AUTH)
    else:
        context.load_verify_locations(ca)
    if cert is not None:
        _load_own(context, cert, key or cert)
    return context


class _Naming(ssl.SSLContext):
    """A context that may expect another name than that of the host."""

    expected: str | None = None

    def wrap_bio(
        self,
        incoming: ssl.MemoryBIO,
        outgoing: ssl.MemoryBIO,
        server_side: bool = False,  # noqa: FBT001, FBT002 - as ssl has it
        server_hostname: str | bytes | None = None,
        session: ssl.SSLSession | None = None,
    ) -> ssl.SSLObject:
        """Wrap, as asyncio does, with the name that is expected."""
        name = self.expected or server_hostname
        return super().wrap_bio(incoming, outgoing, server_side, name, session)


def _sound(context: C) -> C:
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.options |= ssl.OP_NO_COMPRESSION
    context.set_ciphers(CIPHERS)
    return context


def _load_own(context: ssl.SSLContext, cert: str, key: str) -> None:
    # Without a password to give, OpenSSL would ask for one at the terminal.
    context.load_cert_chain(cert, key, password="")


# --- what is wrong with files


def server_faults(files: TlsFiles) -> Iterator[Fault]:
    """Give what is wrong with the files of who listens."""
    yield from _own_faults(files.cert, files.key, is_server=True)
    if files.client_ca is not None:
        yield from _ca_faults("client_ca", files.client_ca)


def client_faults(ca: str | None, cert: str | None, key: str | None) -> Iterator[Fault]:
    """Give what is wrong with the files of who connects."""
    if ca is not None:
        yield from _ca_faults("ca", ca)
    if cert is not None:
        yield from _own_faults(cert, key or cert, is_server=False)
    elif key is not None:
        yield "key", "is of no use without a cert"


def _own_faults(cert: str, key: str, *, is_server: bool) -> Iterator[Fault]:
    found = [*_unreadable("cert", cert), *_unreadable("key", key)]
    found = found or [*_no_certificate("cert", cert), *_no_key(key)]
    found = found or [*_no_pair(cert, key)]
    yield from found or _rehearsed(cert, key, is_server=is_server)


def _unreadable(which: str, file: str) -> Iterator[Fault]:
    try:
        if len(_bytes(file)) == _MOST_BYTES:
            yield which, "is far too long"
    except OSError as error:
        yield which, error.strerror or type(error).__name__


def _no_certificate(which: str, file: str) -> Iterator[Fault]:
    try:
        _trusting(ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT), file)
    except (ssl.SSLError, ValueError):
        yield which, "has no certificate in PEM form"


def _no_key(file: str) -> Iterator[Fault]:
    text = _bytes(file)
    if b"PRIVATE KEY-----" not in text:
        yield "key", "has no private key in PEM form"
    elif b"ENCRYPTED" in text:
        yield "key", "is encrypted, and there is no way to give its password; use mode 0600 instead"


def _no_pair(cert: str, key: str) -> Iterator[Fault]:
    try:
        _load_own(_sound(ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)), cert, key)
    except ssl.SSLError as error:
        if error.reason == "KEY_VALUES_MISMATCH":
            yield "key", "does not belong to the certificate"
        else:
            yield "cert", f"cannot be used with its key: {_said(error)}"


def _ca_faults(which: str, file: str) -> Iterator[Fault]:
    """Give what is wrong with the certificates that others' have to be signed with."""
    found = [*_unreadable(which, file)] or [*_no_certificate(which, file)]
    if found:
        yield from found
        return
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.load_verify_locations(file)
    ends_s = [ssl.cert_time_to_seconds(str(one["notAfter"])) for one in context.get_ca_certs()]
    if not ends_s:
        yield which, "has no certificate of a certificate authority"
    elif max(ends_s) < wall_now().timestamp():
        yield which, "certificate has expired"


# --- connecting in memory


def _rehearsed(cert: str, key: str, *, is_server: bool) -> Iterator[Fault]:
    """Give why nobody takes a certificate, not even who trusts exactly this one."""
    server, client = (
        _sound(ssl.SSLContext(one)) for one in (ssl.PROTOCOL_TLS_SERVER, ssl.PROTOCOL_TLS_CLIENT)
    )
    client.check_hostname = False
    client.verify_mode = ssl.CERT_NONE
    _load_own(server, cert, key)
    _load_own(client, cert, key)
    judge = client if is_server else server
    judge.verify_mode = ssl.CERT_REQUIRED
    judge.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    _trusting(judge, cert)
    try:
        _shake_hands(server, client)
    except ssl.SSLCertVerificationError as error:
        yield "cert", error.verify_message
    except ssl.SSLError as error:
        yield "cert", f"cannot be used: {_said(error)}"


def _shake_hands(server: ssl.SSLContext, client: ssl.SSLContext) -> None:
    """Connect two contexts with each other.

    Raises:
        ssl.SSLError: they do not get on.
    """
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    waiting = [
        client.wrap_bio(to_client, to_server),
        server.wrap_bio(to_server, to_client, server_side=True),
    ]
    while waiting:
        end = waiting.pop(0)
        try:
            end.do_handshake()
        except ssl.SSLWantReadError:
            waiting.append(end)


def _trusting(context: ssl.SSLContext, file: str) -> None:
    context.load_verify_locations(cadata=_bytes(file).decode("ascii", "ignore"))


def _bytes(file: str) -> bytes:
    with Path(file).open("rb") as opened:
        return opened.read(_MOST_BYTES)


def _said(error: ssl.SSLError) -> str:
    return (error.reason or "unknown").replace("_", " ").lower()


# --- a certificate that is renewed while it is in use


class ServerTls:
    """The context of who listens, for as long as it listens: files that are replaced count."""

    def __init__(self, files: TlsFiles) -> None:
        """Read the files.

        Raises:
            SiteRefused: they cannot be used.
        """
        self._files = files
        problems = [
            Problem("tls", message, column=f"ocpp.tls.{key}", value=repr(getattr(files, key)))
            for key, message in server_faults(files)
        ]
        if problems:
            raise SiteRefused(tuple(problems))
        self._stamps = self._looked_at()
        self._context = server_context(files)

    def context(self) -> ssl.SSLContext:
        """Return the context for the next connection; what cannot be used is not taken up."""
        stamps = self._looked_at()
        if stamps != self._stamps:
            self._stamps = stamps
            faults = list(server_faults(self._files))
            for key, message in faults:
                logger.error("ocpp.tls.%s %s; what was read before is used on", key, message)
            if not faults:
                self._context = server_context(self._files)
                logger.info("the files of ocpp.tls were replaced and are in use")
        return self._context

    def _looked_at(self) -> tuple[object, ...]:
        files = (self._files.cert, self._files.key, self._files.client_ca)
        return tuple(_stamp(file) for file in files if file is not None)


def _stamp(file: str) -> tuple[int, int, int] | None:
    """Return what tells a file from the one that it replaced, null where there is none."""
    try:
        found = Path(file).stat()
    except OSError:
        return None
    return found.st_mtime_ns, found.st_size, found.st_ino
