"""What registers that were read say of a battery.

An answer's ``values`` hold one mapping per frame; that of a read has ``space``, ``address``
(0-based) and ``words`` as they came.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Final, TypeAlias

from engine.adapters.base import (
    Answer,
    Observation,
    PowerMeasured,
    SetpointRead,
    StateReported,
    Unreadable,
)
from engine.adapters.registers import Exact, Register, RegisterProfile, raw_of, value_of
from engine.types import W_PER_KW

_PLAUSIBLE: Final[Mapping[str, tuple[int, int]]] = {
    "soc_pct": (0, 100),
    "power_w": (-(10**9), 10**9),
}
"""What can be; beyond a gigawatt is some vendor's way to say that there is no value."""


def observations(
    profile: RegisterProfile, answer: Answer, idle_w: float
) -> tuple[Observation, ...]:
    """Return what an answer's registers say, in the order setpoint, state, power.

    ``idle_w``: below it, a battery without a state register is idle. A value that its profile
    calls NaN or that cannot be is Unreadable, and says nothing else.
    """
    return _Readings(profile, answer).observations(idle_w)


def misfit(profile: RegisterProfile, answer: Answer) -> str | None:
    """Return why a device is not the one of the profile, null where it is or does not tell."""
    blocks = _blocks(answer)
    for register in profile.identity:
        words = _words(register, blocks)
        raw = None if words is None else raw_of(register, words)
        if raw is None or raw not in register.expect:
            wanted = " or ".join(map(str, register.expect))
            told = "not told" if raw is None else raw
            return f"{register.role} is {told}, profile {profile.name} fits {wanted}"
    return None


class _Readings:
    """The values of one answer by role."""

    def __init__(self, profile: RegisterProfile, answer: Answer) -> None:
        self.profile = profile
        self.answer = answer
        self.unreadable: list[Observation] = []
        self.raw: dict[str, Exact] = {}
        self.values: dict[str, float] = {}
        """What the registers say in the units of their roles."""
        self.exact: dict[str, Exact] = {}
        """The same, not rounded."""
        blocks = _blocks(answer)
        for register in profile.registers:
            words = _words(register, blocks)
            if words is not None:
                self.take(register, words)

    def take(self, register: Register, words: Sequence[int]) -> None:
        raw = raw_of(register, words)
        exact = None if raw is None else value_of(register, raw)
        if raw is None or exact is None or not is_plausible(register, exact):
            shown = " ".join(f"{word:04x}" for word in words)
            self.unreadable.append(Unreadable(f"{register.role} {shown}"))
            return
        self.raw[register.role] = raw
        self.exact[register.role] = exact
        self.values[register.role] = float(exact)

    def observations(self, idle_w: float) -> tuple[Observation, ...]:
        found = (*self.setpoint(), *self.state(idle_w), *self.power())
        return (*found, *self.unreadable)

    def setpoint(self) -> tuple[Observation, ...]:
        """Return the setpoint: what its registers say, as far as the mode lets it hold."""
        pair_w = self.pair_w()
        modes = self.modes()
        step_kw = float(max(one.resolution for one in self.profile.setpoints)) / W_PER_KW
        if not modes or (pair_w is not None and self.is_band(*pair_w)):
            return (SetpointRead(None, None, step_kw, self.answer.raw, released=True),)
        if pair_w is None:
            return ()
        charge_kw, discharge_kw = (
            max(power_w, 0.0) / W_PER_KW if mode in modes else 0.0
            for mode, power_w in zip(("charge", "discharge"), pair_w, strict=True)
        )
        return (SetpointRead(charge_kw, discharge_kw, step_kw, self.answer.raw),)

    def pair_w(self) -> tuple[float, float] | None:
        """Return the powers that the registers of the setpoint hold, null if they do not tell."""
        roles = [one.role for one in self.profile.setpoints]
        told = [self.values[role] for role in roles if role in self.values]
        if len(told) < len(roles):
            return None
        if self.profile.control == "signed":
            signed_w = self.profile.charge_sign * told[0]
            return signed_w, -signed_w
        return told[0], told[-1]

    def modes(self) -> set[str]:
        """Return the modes of a setpoint that nothing read speaks against."""
        return {
            mode
            for mode, marks in self.profile.marks.items()
            if all(self.exact.get(role, value) == value for role, value in marks.items())
        }

    def is_band(self, charge_w: float, discharge_w: float) -> bool:
        """Return whether two bounds leave the device a choice, so that they hold no power."""
        step_w = max(one.resolution for one in self.profile.setpoints)
        return self.profile.control == "bounds" and abs(charge_w + discharge_w) > step_w

    def state(self, idle_w: float) -> tuple[Observation, ...]:
        register = self.profile.find("state")
        if register is not None and register.enum:
            raw = self.raw.get("state")
            if raw is None:
                return ()
            return (StateReported(register.enum.get(int(raw)), str(int(raw))),)
        power_w = self.power_w()
        if power_w is None:
            return ()
        state = "IDLE"
        if abs(power_w) > idle_w:
            state = "CHARGING" if power_w > 0 else "DISCHARGING"
        return (StateReported(state, f"{power_w:g} W"),)

    def power(self) -> tuple[Observation, ...]:
        power_w, soc_pct = self.power_w(), self.values.get("soc_pct")
        if power_w is None and soc_pct is None:
            return ()
        power_kw = None if power_w is None else power_w / W_PER_KW
        return (PowerMeasured(power_kw, soc_pct=soc_pct),)

    def power_w(self) -> float | None:
        """Measured power in watts, charging positive."""
        value = self.values.get("power_w")
        return None if value is None else self.profile.charge_sign * value


def is_plausible(register: Register, value: Exact | float) -> bool:
    """Return whether a value can be: within what its role and its profile allow."""
    low: Exact | None
    high: Exact | None
    low, high = _PLAUSIBLE.get(register.role, (None, None))
    if not register.writable:
        low = low if register.minimum is None else register.minimum
        high = high if register.maximum is None else register.maximum
    return (low is None or value >= low) and (high is None or value <= high)


_Block: TypeAlias = tuple[object, int, Sequence[int]]
"""The words that a frame read: their space, the address of the first, and they themselves."""


def _blocks(answer: Answer) -> list[_Block]:
    """Return what the frames of an answer read, in order."""
    found: list[_Block] = []
    for body in answer.values:
        if isinstance(body, Mapping):
            words, address = body.get("words"), body.get("address")
            if isinstance(words, Sequence) and isinstance(address, int):
                found.append((body.get("space"), address, words))
    return found


def _words(register: Register, blocks: Iterable[_Block]) -> Sequence[int] | None:
    """Return a register's words, null where no block covers it."""
    for space, address, words in blocks:
        start = register.address - address
        if space == register.space and 0 <= start <= len(words) - register.count:
            return words[start : start + register.count]
    return None
