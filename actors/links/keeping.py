"""What keeps a battery's setpoint alive: frames to repeat, or a heartbeat that counts."""

import math
from collections.abc import Iterable
from typing import Final

import attrs

from engine.adapters.base import Frame, Payload
from engine.adapters.device import Device
from engine.adapters.registers import KeepAlive, value_range

BEAT_WRAP: Final = 1 << 16
_BEATS_PER_TIMEOUT: Final = 2


@attrs.frozen
class Kept:
    """What is repeated until ``until_us`` (device clock), null for until it is dropped."""

    frames: tuple[Frame, ...]
    until_us: int | None

    def touches(self, payload: Payload) -> bool:
        """Return whether a payload writes a register that is kept alive."""
        return bool(_written(self.frames) & _written(payload.frames))


@attrs.define
class Beats:
    """The heartbeats of one device, counted on from ``count``."""

    device: Device
    count: int = 0

    def next(self, keepalive: KeepAlive) -> Frame:
        """Return the next one, as the profile's ``[keepalive]`` says."""
        if keepalive.write is not None:
            return self.device.heartbeat(keepalive.role, float(keepalive.write))
        most = math.floor(value_range(self.device.profile.register(keepalive.role))[1])
        self.count = (self.count + 1) % min(BEAT_WRAP, most + 1)
        return self.device.heartbeat(keepalive.role, self.count)


def beat_s(keepalive: KeepAlive) -> float:
    """Return the seconds between two signs of life: half of what the device waits for one."""
    return keepalive.device_timeout_s / _BEATS_PER_TIMEOUT


def _written(frames: Iterable[Frame]) -> set[object]:
    return {frame.body.get("address") for frame in frames if frame.control}
