"""What is known of a register that writing wears out."""

from msgspec import Struct


class Worn(Struct, frozen=True, gc=False):
    """A register that is kept in flash: its last words, when written, how often it still may be.

    ``day`` is counted in UTC, ``left`` are the writes that are left of it; times are device clock.
    """

    role: str
    words: tuple[int, ...] = ()
    day: int = 0
    left: int = 0
    last_us: int = 0
