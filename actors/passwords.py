"""Charge points' passwords: where they come from, and how one is checked.

The keys are long and random, so a salted SHA-256 is enough, and a slow hash would be too slow for
two thousand charge points that reconnect at once (OCPP security whitepaper: 16 bytes and more).
"""

import hashlib
import hmac
import os
import secrets
from pathlib import Path
from typing import Final

from engine.errors import Problem, SiteRefused

SHORT: Final = 16
_SCHEME: Final = "sha256"


def hash_password(password: str, salt: bytes | None = None) -> str:
    """Return ``sha256$salt$digest``, both in hexadecimal, with a random salt."""
    salt = secrets.token_bytes(16) if salt is None else salt
    digest = hashlib.sha256(salt + password.encode()).hexdigest()
    return f"{_SCHEME}${salt.hex()}${digest}"


def check_password(password: str, hashed: str) -> bool:
    """Return whether a password has this hash, in a time that does not tell how near it was."""
    parts = hashed.split("$")
    if len(parts) != 3 or parts[0] != _SCHEME:  # noqa: PLR2004 - scheme, salt, digest
        return False
    try:
        salt = bytes.fromhex(parts[1])
    except ValueError:
        return False
    return hmac.compare_digest(hash_password(password, salt), hashed)


def hash_of(options: object, asset_id: str) -> str | None:
    """Return the hash of an asset's charge point password, null where it names none.

    Raises:
        SiteRefused: the environment or the file that it names has none; never names the secret.
    """
    given = getattr(options, "password_hash", None)
    if isinstance(given, str):
        return given
    password = getattr(options, "password", None)
    variable = getattr(options, "password_env", None)
    file = getattr(options, "password_file", None)
    if isinstance(variable, str):
        password = os.environ.get(variable)
        if not password:
            raise _refused(asset_id, "password_env", f"the environment has no {variable}")
    elif isinstance(file, str):
        try:
            password = Path(file).read_text(encoding="utf-8").strip()
        except (OSError, UnicodeDecodeError):
            raise _refused(asset_id, "password_file", f"{file} cannot be read") from None
    return None if not isinstance(password, str) else hash_password(password)


def _refused(asset_id: str, key: str, message: str) -> SiteRefused:
    return SiteRefused((Problem("password", f"{asset_id}: {message}", column=key),))
