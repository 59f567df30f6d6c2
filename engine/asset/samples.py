"""When a sample was taken: a device's clock may be wrong, and it may have kept it for long."""

from typing import Final

from engine.asset.state import DeviceClock, Sample
from engine.types import US_PER_S

_AGREE_US: Final = 2 * US_PER_S
_APART_US: Final = US_PER_S


def heard(clock: DeviceClock, stamp_us: int, now_us: int) -> DeviceClock:
    """Return what is known of a device's clock after a report that it timed itself.

    A report that was queued looks like one of a slow clock. So a clock is believed to be behind
    only by what two reports that did not come at once agree on; ahead it is at once, as nothing is
    told before it happens.
    """
    lag_us = now_us - stamp_us
    behind_us = clock.behind_us
    apart = now_us - clock.heard_us >= _APART_US
    if clock.lag_us is not None and apart and abs(lag_us - clock.lag_us) <= _AGREE_US:
        behind_us = min(lag_us, clock.lag_us)
    elif lag_us < behind_us - _AGREE_US:
        behind_us = lag_us
    if abs(behind_us) <= _AGREE_US:
        behind_us = 0
    return DeviceClock(behind_us, lag_us, now_us)


def sampled(power_w: int, stamp_us: int | None, clock: DeviceClock, now_us: int) -> Sample:
    """Return a power with the time at which it was taken: by the device's clock, if it told one."""
    if stamp_us is None:
        return Sample(power_w, now_us, now_us)
    return Sample(power_w, min(stamp_us + clock.behind_us, now_us), now_us)
