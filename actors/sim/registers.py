"""The registers of a simulated device: words at addresses, laid out as its profile says."""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from fractions import Fraction
from typing import Final

import attrs

from engine.adapters.registers import (
    ModeWrite,
    Register,
    RegisterProfile,
    Space,
    as_read,
    decode,
    raw_of,
    raw_words,
    value_range,
)

ILLEGAL_ADDRESS: Final = 2
ILLEGAL_VALUE: Final = 3


class Refused(Exception):
    """A request that is answered with an exception code."""

    def __init__(self, code: int) -> None:
        """Keep the code (MODBUS Application Protocol V1.1b3, section 7)."""
        super().__init__(f"exception {code}")
        self.code = code


class Memory:
    """All registers of one device. They are stored in the order in which they are read."""

    def __init__(self, profile: RegisterProfile) -> None:
        """Begin with 0 everywhere but in the model id, and under the device's own control."""
        self._profile = profile
        self._words: dict[tuple[Space, int], int] = {}
        self._silent = {
            (register.space, register.address + place)
            for register in profile.registers
            for place in range(register.count)
            if not register.readable
        }
        for register in profile.registers:
            expected = register.expect[0] if register.expect else 0
            self._store(register, raw_words(as_read(register), Fraction(expected)))
        self.lapse()

    def add(self, words: Mapping[int, int]) -> None:
        """Put holding registers where the profile has none."""
        for address, word in words.items():
            self._words.setdefault(("holding", address), word)

    def _store(self, register: Register, words: Sequence[int]) -> None:
        for place, word in enumerate(words):
            self._words[register.space, register.address + place] = word

    # --- from the wire

    def read(self, space: Space, address: int, count: int) -> list[int]:
        """Return the words of a range.

        Raises:
            Refused: an address of it does not exist.
        """
        places = [(space, address + place) for place in range(count)]
        if not count or any(place not in self._words or place in self._silent for place in places):
            raise Refused(ILLEGAL_ADDRESS)
        return [self._words[place] for place in places]

    def write(self, address: int, words: Sequence[int], quirks: Collection[str] = ()) -> set[str]:
        """Write whole registers and return their roles; with ``clamp`` half of each setpoint.

        Raises:
            Refused: an address cannot be written, a value is outside of its limits, or with
                ``needs_mode`` a setpoint comes before its mode.
        """
        before = dict(self._words)
        written: dict[Register, Sequence[int]] = {}
        left = list(words)
        while left:
            register = self._writable_at(address)
            taken, left = left[: register.count], left[register.count :]
            written[register] = self._checked(register, taken, halve="clamp" in quirks)
            address += register.count
        for register, stored in written.items():
            self._store(register, stored)
        sets = any(self.is_setpoint(register.address) for register in written)
        if (
            "needs_mode" in quirks
            and sets
            and not (self._is_in("charge") or self._is_in("discharge"))
        ):
            self._words = before
            raise Refused(ILLEGAL_VALUE)
        return {register.role for register in written}

    def is_setpoint(self, address: int) -> bool:
        """Return whether a setpoint is at an address."""
        return any(register.address == address for register in self._profile.setpoints)

    def _writable_at(self, address: int) -> Register:
        for register in self._profile.registers:
            if (register.space, register.address) == ("holding", address) and register.writable:
                return register
        raise Refused(ILLEGAL_ADDRESS)

    def _checked(self, register: Register, words: Sequence[int], *, halve: bool) -> Sequence[int]:
        """Return the words as stored, if they are a value that the register takes."""
        if len(words) != register.count:
            raise Refused(ILLEGAL_VALUE)
        raw = raw_of(attrs.evolve(register, word_order=register.write_word_order), words)
        low, high = value_range(register)
        if raw is None or not low <= raw * register.scale + register.offset <= high:
            raise Refused(ILLEGAL_VALUE)
        if halve and register.role.endswith("_setpoint_w"):
            raw = Fraction(int(raw / 2))
        return raw_words(as_read(register), raw)

    # --- from the device itself

    def put(self, role: str, value: float) -> None:
        """Set a register; one that the profile does not have is left out."""
        register = self._profile.find(role)
        if register is not None:
            raw = (Fraction(value) - register.offset) / register.scale
            exact = raw if register.type == "f32" else Fraction(round(raw))
            self._store(register, raw_words(as_read(register), exact))

    def show(self, state: str, power_w: float, soc_pct: float) -> None:
        """Set what the device tells of itself: state, power (charging positive), charge."""
        self.put("power_w", self._profile.charge_sign * power_w)
        self.put("soc_pct", soc_pct)
        register = self._profile.find("state")
        if register is not None:
            codes = [raw for raw, name in register.enum.items() if name == state]
            if codes:
                self._store(register, raw_words(as_read(register), Fraction(codes[0])))

    def aim(self, power_w: float) -> None:
        """Set the setpoint's registers to a power, charging positive."""
        first, *others = (register.role for register in self._profile.setpoints)
        match self._profile.control:
            case "signed":
                self.put(first, self._profile.charge_sign * power_w)
            case "pair":
                self.put(first, max(power_w, 0.0))
                self.put(others[0], max(-power_w, 0.0))
            case _:
                for role, value in self._constants("charge" if power_w > 0 else "discharge"):
                    self.put(role, value)
                for role in (first, *others):
                    self.put(role, power_w if others else abs(power_w))

    def lapse(self) -> None:
        """Forget the setpoint, for the fallback where one was given, else for its own control."""
        fallback = self._fallback()
        for register in self._profile.setpoints:
            self.put(register.role, fallback or 0.0)
        for timer in self._profile.timers():
            self.put(timer.role, 0.0)
        for role, value in self._constants("release") if fallback is None else ():
            self.put(role, value)

    def _fallback(self) -> float | None:
        """Return the power, as written, that follows a setpoint; null for its own control."""
        roles = {one.word: one.role for one in self._every_write()}
        given = "fallback_given" in roles and self.value(roles["fallback_given"]) == 1
        return self.value(roles["fallback"]) if given else None

    def value(self, role: str) -> float:
        """Return a register's value."""
        register = self._profile.register(role)
        places = range(register.address, register.address + register.count)
        words = [self._words[register.space, place] for place in places]
        return decode(register, words) or 0.0

    def setpoint_w(self) -> float:
        """Return the power that the setpoint's registers ask for, charging positive."""
        told = [self.value(register.role) for register in self._profile.setpoints]
        match self._profile.control:
            case "signed":
                return self._profile.charge_sign * told[0]
            case "amount":
                return told[0] * (self._is_in("charge") - self._is_in("discharge"))
            case "bounds":
                return min(max(0.0, -told[1]), told[0])
            case _:
                return told[0] - told[1]

    def target_w(self) -> float:
        """Return the power to go to: the setpoint, in the mode that it needs."""
        power_w = self.setpoint_w()
        return power_w if self._is_in("charge" if power_w > 0 else "discharge") else 0.0

    def is_held(self) -> bool:
        """Return whether somebody else's setpoint is in force, so that it can lapse."""
        own = self._constants("release")
        is_own = own and all(self.value(role) == value for role, value in own)
        return not is_own and (bool(own) or self.setpoint_w() != 0)

    def timeout_s(self) -> float | None:
        """Return after how long without a sign of life the setpoint lapses, null for never."""
        keepalive = self._profile.keepalive
        told = [self.value(one.role) for one in self._profile.timers()]
        own = [] if keepalive is None else [keepalive.device_timeout_s]
        return min([*own, *(seconds for seconds in told if seconds > 0)], default=None)

    def keeps_alive(self, roles: Iterable[str]) -> bool:
        """Return whether a write to these roles is a sign of life; a new setpoint always is."""
        keepalive = self._profile.keepalive
        beats = {register.role for register in self._profile.setpoints}
        beats.update(one.role for one in self._every_write())
        if keepalive is not None:
            beats.add(keepalive.role)
        return not beats.isdisjoint(roles)

    def _is_in(self, mode: str) -> bool:
        return all(self.value(role) == value for role, value in self._constants(mode))

    def _constants(self, mode: str) -> list[tuple[str, float]]:
        writes = self._profile.modes.get(mode, ())
        return [(one.role, float(one.value)) for one in writes if one.value is not None]

    def _every_write(self) -> Iterator[ModeWrite]:
        for writes in self._profile.modes.values():
            yield from writes
