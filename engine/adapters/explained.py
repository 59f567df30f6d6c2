"""What a register profile does, for people who have to believe it before it is written anywhere."""

from collections.abc import Iterable, Mapping
from typing import Final

import attrs

from engine.adapters.base import Frame
from engine.adapters.device import Device
from engine.adapters.modbus import limits_w
from engine.adapters.readings import is_plausible
from engine.adapters.registers import Register, RegisterProfile, quantise, raw_of, value_of

_EXAMPLE_W: Final = 1_000


@attrs.frozen
class Told:
    """One register as a device told it; ``value`` is in the unit of its role, null for none.

    ``verdict``: ok, or what is wrong with it, in words.
    """

    role: str
    address: int
    space: str
    words: tuple[int, ...]
    value: float | None
    verdict: str

    @property
    def is_good(self) -> bool:
        """Whether it makes sense."""
        return self.verdict == "ok"


def explained(profile: RegisterProfile, unit: int, lease_s: float) -> dict[str, tuple[Frame, ...]]:
    """Return the writes of each mode, for an example power of 1 kW or the most that there is."""
    device = Device(profile, unit, lease_s)
    charge_w, discharge_w = (min(_EXAMPLE_W, most_w) for most_w in limits_w(profile))
    modes = {
        f"charge {charge_w} W": device.pair(charge_w, 0),
        f"discharge {discharge_w} W": device.pair(0, discharge_w),
        "idle": device.pair(0, 0),
        "release": device.release(),
    }
    return {mode: tuple(one for one in frames if one.control) for mode, frames in modes.items()}


def lapses_after_s(profile: RegisterProfile, lease_s: float) -> float | None:
    """Return after how long without the engine a device takes itself back, null for never."""
    keepalive = profile.keepalive
    if keepalive is not None:
        return keepalive.device_timeout_s
    return max((float(quantise(one, lease_s)) for one in profile.timers()), default=None)


def fail_safe(profile: RegisterProfile, lease_s: float) -> str:
    """Return in a sentence what a device does when the engine is gone for good."""
    after_s = lapses_after_s(profile, lease_s)
    if after_s is None:
        return "it has no time-out: if the engine dies for good, it holds what it was told last"
    keepalive = profile.keepalive
    if keepalive is None:
        return f"its own timer is written with each setpoint: {after_s:g} s, then it is on its own"
    what = "the setpoint" if keepalive.role == "setpoint" else keepalive.role
    return f"{what} is written every {after_s / 2:g} s; {after_s:g} s without it, it is on its own"


def told(register: Register, words: tuple[int, ...]) -> Told:
    """Return what a register says, and whether it makes sense."""
    raw = raw_of(register, words)
    value = None if raw is None else float(value_of(register, raw))
    verdict = "ok"
    if raw is None or value is None:
        verdict = "no value (NaN)"
    elif register.expect and raw not in register.expect:
        verdict = f"not {' or '.join(map(str, register.expect))}: another device"
    elif register.enum and int(raw) not in register.enum:
        verdict = f"{raw} is no state of the profile"
    elif not is_plausible(register, value):
        verdict = "not plausible"
    return Told(register.role, register.address, register.space, words, value, verdict)


def told_otherwise(register: Register, reason: str) -> Told:
    """Return a register that a device did not tell."""
    return Told(register.role, register.address, register.space, (), None, reason)


def writes_json(modes: Mapping[str, Iterable[Frame]]) -> dict[str, object]:
    """Return the writes of each mode as JSON has them."""
    return {
        mode: [
            {key: one.body[key] for key in ("role", "address", "values", "function")}
            | {"only_if_different": "persistent" in one.body}
            for one in frames
        ]
        for mode, frames in modes.items()
    }
