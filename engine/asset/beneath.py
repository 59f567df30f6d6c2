"""What a device falls back to when its transaction is over: the default that it was set before."""

from msgspec import Struct


class Beneath(Struct, frozen=True, gc=False):
    """The most that the default beneath a transaction's own setpoint may allow, in whole watts.

    ``until_us`` is when its lease is over (device clock), null where it has no end. ``form`` is the
    spelling in which the device took it. ``doubtful``: it may not be in force as it was set, and is
    to be set anew. ``refused``: the device does not let it be lowered.
    """

    charge_w: int
    until_us: int | None
    form: int
    doubtful: bool = False
    refused: bool = False


def with_ahead(charge_w: int | None, ahead: tuple[tuple[int, int], ...]) -> int:
    """Return the most of a power and of what a charger was given to come after it."""
    return max([charge_w or 0, *(watts for _, watts in ahead)])
