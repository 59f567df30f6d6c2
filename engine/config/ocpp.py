"""The [ocpp] table of a site file: where charge points connect."""

from typing import Final

from engine.config.model import OcppListen
from engine.config.table import Range, Table
from engine.config.tls import TlsCheck, read_tls, tls_warnings, unseen

_KEYS: Final = (
    "listen",
    "security_profile",
    "versions",
    "id_tags",
    "setpoint_id_tag",
    "heartbeat_seconds",
    "tls",
)
_PORT: Final = Range(least=0, most=65_535)
_PORT_DIGITS: Final = 5
_LONGEST_TAG: Final = 20
"""OCPP 1.6, 7.28 IdToken: CiString20Type."""
_LONGEST_TOKEN: Final = 36
"""OCPP 2.0.1, part 2, 2.28 IdTokenType."""


def read_ocpp(table: Table, check: TlsCheck = unseen) -> OcppListen:
    """Return where charge points connect; what is wrong with it is a finding.

    ``check`` looks at the files of TLS.
    """
    table.known(_KEYS)
    own = OcppListen()
    host, port = _listen(table, own)
    profile = table.whole("security_profile", Range(least=0, most=3))
    profile = own.security_profile if profile is None else profile
    tag = table.text("setpoint_id_tag") or own.setpoint_id_tag
    if len(tag) > _LONGEST_TAG:
        table.refuse("setpoint_id_tag", "range", "an id tag has 1 to 20 characters")
    return OcppListen(
        host,
        port,
        profile,
        _versions(table, own),
        _id_tags(table),
        tag,
        table.whole("heartbeat_seconds", Range(least=1, most=86_400)) or own.heartbeat_seconds,
        read_tls(table, profile, check),
    )


def ocpp_warnings(table: Table, listen: OcppListen) -> list[str]:
    """Return what is taken, but not as it may have been meant."""
    found = []
    if listen.security_profile == 0:
        found.append("ocpp.security_profile 0: charge points connect without a password")
    return found + tls_warnings(table, listen.security_profile)


def _listen(table: Table, own: OcppListen) -> tuple[str, int]:
    listen = table.text("listen")
    if listen is None:
        return own.host, own.port
    host, _, port = listen.rpartition(":")
    host = host.removeprefix("[").removesuffix("]")
    is_number = port.isascii() and port.isdigit() and len(port) <= _PORT_DIGITS
    if not host or not is_number or int(port) not in _PORT:
        table.refuse("listen", "address", "must be host:port, such as 127.0.0.1:9000")
        return own.host, own.port
    return host, int(port)


def _versions(table: Table, own: OcppListen) -> tuple[str, ...]:
    if "versions" not in table:
        return own.versions
    versions = table.raw("versions")
    if not isinstance(versions, list) or not versions:
        table.refuse("versions", "type", 'must be a list, such as ["1.6", "2.0.1"]')
        return own.versions
    for version in versions:
        if version not in own.versions:
            table.refuse("versions", "choice", f"{version!r} is no version: 1.6 or 2.0.1")
    return tuple(one for one in own.versions if one in versions) or own.versions


def _id_tags(table: Table) -> tuple[str, ...] | None:
    if "id_tags" not in table or table.raw("id_tags") == "any":
        return None
    tags = table.raw("id_tags")
    if isinstance(tags, list) and all(_is_tag(tag) for tag in tags):
        return tuple(tags)
    table.refuse("id_tags", "type", 'must be "any" or a list of texts of 1 to 36 characters')
    return None


def _is_tag(tag: object) -> bool:
    return isinstance(tag, str) and 1 <= len(tag) <= _LONGEST_TOKEN
