"""Charge points' passwords: where they come from, and how one is checked.

The keys are long and random, so a salted SHA-256 is enough, and a slow hash would be too slow for
two thousand charge points that reconnect at once (OCPP security whitepaper: 16 bytes and more).
"""

import hashlib
import hmac
import logging
import os
import secrets
from pathlib import Path
from typing import Final

import attrs

from engine.errors import Problem, SiteRefused

SHORT: Final = 16
"""Bytes: a shorter OCPP key is taken, with a warning."""

_SCHEME: Final = "sha256"
_SALT_BYTES: Final = 16

logger = logging.getLogger(__name__)


@attrs.frozen
class Hashed:
    """A password's hash, and what is unwise about the password, as lines without it."""

    text: str = attrs.field(repr=False)
    warnings: tuple[str, ...] = ()


def hash_password(password: str, salt: bytes | None = None) -> str:
    """Return ``sha256$salt$digest``, both in hexadecimal, with a random salt."""
    salt = secrets.token_bytes(_SALT_BYTES) if salt is None else salt
    return f"{_SCHEME}${salt.hex()}${_digest(password, salt).hex()}"


def check_password(password: str, hashed: str) -> bool:
    """Return whether a password has this hash, in a time that does not tell how near it was."""
    parts = _parts(hashed)
    if parts is None:
        return False
    salt, digest = parts
    return hmac.compare_digest(_digest(password, salt), digest)


def hash_of(options: object, asset_id: str) -> str | None:
    """Return the hash of an asset's charge point password, null where it names none.

    What is unwise about the password is logged.

    Raises:
        SiteRefused: what it names has no usable password; never names the secret.
    """
    found = resolve_password(options, asset_id)
    if found is None:
        return None
    for warning in found.warnings:
        logger.warning("%s", warning)
    return found.text


def resolve_password(options: object, asset_id: str) -> Hashed | None:
    """Return the hash of the password that an asset's options name, null where they name none.

    Reads ``password_hash``, else ``password_env``, ``password_file`` or ``password``.

    Raises:
        SiteRefused: the hash, the environment or the file is no good; never names the secret.
    """
    given = getattr(options, "password_hash", None)
    if isinstance(given, str):
        if _parts(given) is None:
            message = "no hash as hash-password prints it: sha256$salt$digest"
            raise _refused(asset_id, "password_hash", message)
        return Hashed(given)
    password = _plain(options, asset_id)
    if password is None:
        return None
    warnings = []
    if getattr(options, "password", None) == password:
        warnings.append(f"{asset_id}: the password stands in the site file")
    if len(_bytes(password)) < SHORT:
        warnings.append(f"{asset_id}: the password has fewer than {SHORT} bytes")
    return Hashed(hash_password(password), tuple(warnings))


def _plain(options: object, asset_id: str) -> str | None:
    """Return the password itself, from where the options say.

    Raises:
        SiteRefused: it is not there, or empty.
    """
    variable = getattr(options, "password_env", None)
    file = getattr(options, "password_file", None)
    if isinstance(variable, str):
        password, key, place = os.environ.get(variable), "password_env", variable
    elif isinstance(file, str):
        password, key, place = _read(file, asset_id), "password_file", file
    else:
        password, key, place = getattr(options, "password", None), "password", "the site file"
        if password is None:
            return None
    if not password:
        raise _refused(asset_id, key, f"no password in {place}")
    return password


def _read(file: str, asset_id: str) -> str:
    try:
        return Path(file).read_text(encoding="utf-8").strip()
    except OSError as error:
        reason = error.strerror or type(error).__name__
    except UnicodeDecodeError:
        reason = "not UTF-8"
    raise _refused(asset_id, "password_file", f"{file}: {reason}")


def _parts(hashed: str) -> tuple[bytes, bytes] | None:
    """Return salt and digest, null where this is no hash of ours."""
    scheme, _, rest = hashed.partition("$")
    salt, _, digest = rest.partition("$")
    try:
        parts = bytes.fromhex(salt), bytes.fromhex(digest)
    except ValueError:
        return None
    known = scheme == _SCHEME and parts[0] and len(parts[1]) == hashlib.sha256().digest_size
    return parts if known else None


def _digest(password: str, salt: bytes) -> bytes:
    return hashlib.sha256(salt + _bytes(password)).digest()


def _bytes(password: str) -> bytes:
    # A device or the environment may give what is not UTF-8; it is a wrong password, not a fault.
    return password.encode("utf-8", "surrogatepass")


def _refused(asset_id: str, key: str, message: str) -> SiteRefused:
    return SiteRefused((Problem("password", f"{asset_id}: {message}", column=key),))
