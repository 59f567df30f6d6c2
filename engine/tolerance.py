"""By how much a power that is measured may differ from the one that was meant."""

from typing import Final

_LEAST_W: Final = 200
_SHARE: Final = 20


def tolerance_w(meant_w: int) -> int:
    """Return the tolerance of a power: a twentieth of it, or 200 W where that is more.

    Setpoints, grants and limits are judged by the same (specification 3, ``measured``).
    """
    return max(abs(meant_w) // _SHARE, _LEAST_W)
