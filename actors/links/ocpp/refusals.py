"""Who was turned away, and how often that is told: never so often that a log could be flooded."""

import enum
from collections import Counter
from collections.abc import Callable
from typing import Final, TypeAlias

from engine.types import US_PER_S

WINDOW_US: Final = 60 * US_PER_S
_SHOWN: Final = 50

Notice: TypeAlias = Callable[[str, str, int], None]
"""Hears of refused peers: of what kind, who the last was, how many since it heard of this kind."""


class Kind(enum.StrEnum):
    """Why a peer was turned away; what a SecurityNoticed event calls it."""

    UNKNOWN = "unknown_charge_point"
    PASSWORD = "wrong_password"  # noqa: S105 - its name, no password
    LOCKED_OUT = "locked_out"
    VERSION = "no_common_version"
    NO_CERTIFICATE = "no_certificate"
    UNTRUSTED = "certificate_not_trusted"
    EXPIRED = "certificate_expired"
    BAD_CERTIFICATE = "certificate_not_valid"
    WRONG_NAME = "certificate_of_another"
    OLD_TLS = "tls_too_old"
    NO_CIPHER = "no_common_cipher"
    NO_TLS = "connection_without_tls"
    TLS_FAILED = "tls_failed"
    OURS_REFUSED = "our_certificate_refused"
    SLOW = "slow_handshake"
    TOO_MUCH = "too_much_before_authentication"
    CROWD = "too_many_connections"
    NOT_READING = "answers_not_read"


class Refusals:
    """Tells of each kind once a window. The loop thread."""

    def __init__(self, notice: Notice, device_us: Callable[[], int]) -> None:
        """Begin with nobody turned away."""
        self._notice = notice
        self._device_us = device_us
        self._told_us: dict[Kind, int] = {}
        self._since: Counter[Kind] = Counter()

    def note(self, kind: Kind, peer: str) -> None:
        """Note that a peer was turned away; ``peer`` is its own word for itself, or its address."""
        self._since[kind] += 1
        now_us = self._device_us()
        told_us = self._told_us.get(kind)
        if told_us is None or now_us - told_us > WINDOW_US:
            self._told_us[kind] = now_us
            self._notice(kind.value, shown(peer), self._since.pop(kind))


def shown(peer: str) -> str:
    """Return a peer's word for itself, fit for a log."""
    short = peer[:_SHOWN]
    return short if short.isprintable() else ascii(short)
