"""One Modbus device with its profile: the frames that read it and that bring a setpoint about."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Final, TypeAlias, assert_never, cast

import attrs

from engine.adapters.base import Frame
from engine.adapters.registers import (
    ModeWrite,
    Register,
    RegisterProfile,
    as_read,
    encode,
)

READ_HOLDING: Final = 3
READ_INPUT: Final = 4
WRITE_SINGLE: Final = 6
WRITE_MULTIPLE: Final = 16
MOST_READ: Final = 125
_POLLED: Final = ("soc_pct", "state", "power_w")


Value: TypeAlias = tuple[str, float]
"""A role and the value to write to its register."""


@attrs.frozen
class Device:
    """One unit with its profile: what is written to bring about a pair of powers.

    ``lease_s`` is how long they may hold without being set again, null for as long as may be;
    ``fallback_w`` is the power that follows them then (charging positive), null for the device's
    own control.
    """

    profile: RegisterProfile
    unit: int
    lease_s: float | None = None
    fallback_w: int | None = None

    def write(self, role: str, value: float, *, control: bool = True) -> Frame:
        """Return the one frame that writes one value.

        A register that is kept in flash is only written if it reads otherwise, hence its words as
        they are read, and how often it may be written.
        """
        register = self.profile.register(role)
        body: dict[str, object] = {
            "unit": self.unit,
            "space": register.space,
            "address": register.address,
            "values": encode(register, value),
            "function": register.write_function,
            "role": role,
        }
        persistent = register.persistent
        if persistent is not None:
            body["reads"] = encode(as_read(register), value)
            body["persistent"] = [persistent.min_interval_s, persistent.daily_writes]
        return Frame("write", body, control=control)

    def pair(
        self, charge_w: int, discharge_w: int, first: str | None = None, only: str | None = None
    ) -> tuple[Frame, ...]:
        """Return the frames that make a pair hold, and the reads that prove it.

        ``first`` is a register to write ahead of the mode, ``only`` the one register to write
        after it; without that it is all of the setpoint's.
        """
        mode = "charge" if charge_w > discharge_w else "discharge" if discharge_w else "idle"
        writes = self.profile.modes.get(mode, ())
        written = {one.role for one in writes}
        roles = [one.role for one in self.profile.setpoints if only in {None, one.role}]
        pair = (charge_w, discharge_w)
        values = [] if first is None else [(first, self._power(first, pair))]
        values += [(one.role, self._value(one, pair)) for one in writes]
        values += [(role, self._power(role, pair)) for role in roles if role not in written]
        return (*self._writes(values), *reads(self.profile.telling, self.unit))

    def release(self) -> tuple[Frame, ...]:
        """Return the frames that hand the device back: the profile's, else the pair (0, 0)."""
        writes = self.profile.modes.get("release", ())
        if not writes:
            return self.pair(0, 0)
        return self._writes([(one.role, float(one.value or 0)) for one in writes])

    def poll(self, *, greeting: bool = False) -> tuple[Frame, ...]:
        """Return the reads of state, power, charge and setpoint; on greeting, of what it is too."""
        known = [one for role in _POLLED if (one := self.profile.find(role)) is not None]
        own = self.profile.identity if greeting else ()
        return reads((*own, *known, *self.profile.telling), self.unit)

    def heartbeat(self, role: str, value: float) -> Frame:
        """Return the frame that keeps the device from taking itself back; no control frame."""
        return self.write(role, value, control=False)

    def _writes(self, values: Iterable[Value]) -> tuple[Frame, ...]:
        frames = tuple(self.write(role, value) for role, value in values)
        return tuple(_blocks(frames)) if self.profile.block_writes else frames

    def _value(self, one: ModeWrite, pair: tuple[int, int]) -> float:
        if one.value is not None:
            return float(one.value)
        match one.word:
            case "setpoint":
                return self._power(one.role, pair)
            case "lease":
                return self.lease_s or 0.0
            case "fallback":
                return self.profile.charge_sign * (self.fallback_w or 0)
            case "fallback_given":
                return float(self.fallback_w is not None)
            case _:
                assert_never(one.word)

    def _power(self, role: str, pair: tuple[int, int]) -> float:
        charge_w, discharge_w = pair
        signed_w = charge_w - discharge_w
        match role, self.profile.control:
            case "charge_setpoint_w", "bounds":
                return signed_w
            case "discharge_setpoint_w", "bounds":
                return -signed_w
            case "charge_setpoint_w", _:
                return charge_w
            case "discharge_setpoint_w", _:
                return discharge_w
            case "power_setpoint_w", "signed":
                return self.profile.charge_sign * signed_w
            case _:
                return abs(signed_w)


def _blocks(frames: Iterable[Frame]) -> Iterator[Frame]:
    """Return writes, those to neighbours that follow each other as one."""
    blocks: list[list[Frame]] = []
    for frame in frames:
        if blocks and _follows(blocks[-1], frame.body):
            blocks[-1].append(frame)
        else:
            blocks.append([frame])
    return map(_joined, blocks)


def _follows(block: Sequence[Frame], body: Mapping[str, object]) -> bool:
    words = [word for one in block for word in words_of(one)]
    return (
        body["function"] == WRITE_MULTIPLE == block[0].body["function"]
        and "persistent" not in body
        and "persistent" not in block[0].body
        and body["address"] == cast("int", block[0].body["address"]) + len(words)
    )


def _joined(block: Sequence[Frame]) -> Frame:
    roles = ", ".join(str(one.body["role"]) for one in block)
    words = [word for one in block for word in words_of(one)]
    return Frame("write", {**block[0].body, "values": words, "role": roles})


def words_of(frame: Frame) -> list[int]:
    """Return the words that a frame writes."""
    return cast("list[int]", frame.body["values"])


def reads(registers: Iterable[Register], unit: int) -> tuple[Frame, ...]:
    """Return the frames that read these registers; neighbours without a gap share one frame."""
    blocks: list[list[Register]] = []
    for register in sorted(dict.fromkeys(registers), key=lambda one: (one.space, one.address)):
        last = blocks[-1] if blocks else None
        if last is not None and _joins(last, register):
            last.append(register)
        else:
            blocks.append([register])
    return tuple(_read(block, unit) for block in blocks)


def _joins(block: Sequence[Register], register: Register) -> bool:
    end = block[-1].address + block[-1].count
    return (
        block[0].space == register.space
        and end == register.address
        and end + register.count - block[0].address <= MOST_READ
    )


def _read(block: Sequence[Register], unit: int) -> Frame:
    first, last = block[0], block[-1]
    body: dict[str, object] = {
        "unit": unit,
        "space": first.space,
        "address": first.address,
        "count": last.address + last.count - first.address,
        "function": READ_HOLDING if first.space == "holding" else READ_INPUT,
        "role": ", ".join(one.role for one in block),
    }
    return Frame("read", body, control=False)
