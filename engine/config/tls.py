"""The [ocpp.tls] table of a site file: the certificate that is shown, and whom it trusts."""

from collections.abc import Callable, Iterable
from typing import Final, TypeAlias

from engine.config.model import TlsFiles
from engine.config.table import Table

TlsCheck: TypeAlias = Callable[[TlsFiles], Iterable[tuple[str, str]]]
"""Looks at the files; gives the key at fault and what is wrong, for each problem."""

FIRST_TLS_PROFILE: Final = 2
_MUTUAL: Final = 3


def unseen(_: TlsFiles) -> tuple[tuple[str, str], ...]:
    """Find nothing wrong with files that nobody looks at."""
    return ()


def read_tls(ocpp: Table, profile: int, check: TlsCheck) -> TlsFiles | None:
    """Return the files that a security profile needs, null where it has no TLS.

    A table that would be passed over, as the profile is only the default, is refused: whoever
    wrote it expects TLS.
    """
    if profile < FIRST_TLS_PROFILE:
        if "tls" in ocpp and "security_profile" not in ocpp:
            ocpp.refuse(
                "tls", "profile", "needs security_profile = 2 or 3; 1, the default, has no TLS"
            )
        return None
    if "tls" not in ocpp:
        needs = "cert, key and client_ca" if profile == _MUTUAL else "cert and key"
        ocpp.refuse("security_profile", "tls", f"profile {profile} needs [ocpp.tls] with {needs}")
        return None
    table = ocpp.table("tls")
    table.known(("cert", "key", "client_ca"))
    files = TlsFiles(
        table.text("cert", needed=True) or "",
        table.text("key", needed=True) or "",
        table.text("client_ca", needed=True) if profile == _MUTUAL else None,
    )
    if not any(table.refused(key) for key in ("cert", "key", "client_ca")):
        for key, message in check(files):
            table.refuse(key, "tls", message)
    return files


def tls_warnings(ocpp: Table, profile: int) -> list[str]:
    """Return what of the table is passed over."""
    if profile < FIRST_TLS_PROFILE and "tls" in ocpp:
        return [f"ocpp.tls: security profile {profile} has no TLS; the table is passed over"]
    if profile != _MUTUAL and "client_ca" in ocpp.table("tls"):
        return [f"ocpp.tls.client_ca: security profile {profile} asks for no client certificates"]
    return []
