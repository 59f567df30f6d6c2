"""What is measured, held against what the site granted."""

from typing import Final

from engine.asset.state import Outside
from engine.grants import Bound, Grant
from engine.types import Instant

_LEAST_W: Final = 200
_SHARE: Final = 20
"""What is measured may be a twentieth above its bound, or 200 W."""


def above_since(outside: Outside, now: Instant) -> int | None:
    """Return since when the power measured is above the grant (device clock), null if it is not."""
    if outside.grant is None or outside.sample is None:
        return None
    power_w = outside.sample.power_w
    bound_w = bound_of(outside.grant, power_w).most_w
    if abs(power_w) <= bound_w + max(bound_w // _SHARE, _LEAST_W):
        return None
    return now.device_us if outside.above_since_us is None else outside.above_since_us


def bound_of(grant: Grant, power_w: int) -> Bound:
    """Return the bound of a power's direction, charging positive."""
    return grant.charge if power_w >= 0 else grant.discharge
