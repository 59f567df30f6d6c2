"""TLS of simulated devices: the options ``--ca``, ``--cert`` and ``--key``."""

import ssl
from collections.abc import Callable
from typing import Any, TypeVar

import click

from actors.tls import client_context, client_faults, server_context, server_faults
from engine.config import TlsFiles
from engine.errors import UsageError

F = TypeVar("F", bound=Callable[..., Any])


def tls_options(command: F) -> F:
    """Give a verb the options; it gets them as the keywords ``ca``, ``cert`` and ``key``."""
    for name, said in (
        ("--key", "The key of its certificate; else that file has it."),
        ("--cert", "The device's own certificate, PEM."),
        ("--ca", "Whose certificates the device trusts, PEM."),
    ):
        command = click.option(name, metavar="FILE", help=said)(command)
    return command


def calling(
    url: str, *, ca: str | None = None, cert: str | None = None, key: str | None = None
) -> ssl.SSLContext | None:
    """Return how to connect to ``wss://``, null for ``ws://``.

    Raises:
        UsageError: a file cannot be used, or is given for a URL without TLS.
    """
    given = {"ca": ca, "cert": cert, "key": key}
    if not url.startswith("wss://"):
        useless = [f"--{option}" for option, file in given.items() if file is not None]
        if useless:
            raise UsageError(f"{', '.join(useless)}: only for a URL that begins with wss://")
        return None
    for which, message in client_faults(ca, cert, key):
        raise UsageError(f"--{which} {given[which] or cert}: {message}")
    return client_context(ca, cert, key)


def listening(
    *, ca: str | None = None, cert: str | None = None, key: str | None = None
) -> ssl.SSLContext | None:
    """Return how to listen, null without TLS; with ``ca`` a client has to show a certificate.

    Raises:
        UsageError: a file cannot be used.
    """
    if cert is None:
        if ca is not None or key is not None:
            raise UsageError("--ca and --key need --cert")
        return None
    files = TlsFiles(cert, key or cert, ca)
    for which, message in server_faults(files):
        option = "--ca" if which == "client_ca" else f"--{which}"
        raise UsageError(f"{option} {getattr(files, which)}: {message}")
    return server_context(files)
