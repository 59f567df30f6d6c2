"""When a sample was taken: a device's clock may be wrong, and it may have kept it for long."""

from typing import Final

from engine.adapters.device_clock import Reading
from engine.asset.state import Sample
from engine.types import US_PER_S

_NEAR_S: Final = 2


def sampled(power_w: int, stamp_us: int | None, clock: Reading, now_us: int) -> Sample:
    """Return a power with the time at which it was taken: by the device's clock, if it told one.

    A clock that is known to be wrong is put right. A sample that was queued looks like one of a
    slow clock, so of a clock that is not known it counts as old.
    """
    if stamp_us is None:
        return Sample(power_w, now_us, now_us)
    ahead_s = clock.ahead_s or 0
    ahead_us = ahead_s * US_PER_S if abs(ahead_s) > _NEAR_S else 0
    return Sample(power_w, min(stamp_us - ahead_us, now_us), now_us)
