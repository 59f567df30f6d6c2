"""Registers and how a value becomes words: the model of a register profile.

Sources: MODBUS Application Protocol V1.1b3, sections 4.3 (data model, 16-bit words, high byte
first) and 6.3, 6.4, 6.6, 6.12 (function codes 3, 4, 6, 16). How several words make one value is
left to the vendor, hence a word order per register.
"""

import math
import struct
from collections.abc import Mapping, Sequence
from fractions import Fraction
from functools import cached_property, lru_cache
from typing import Final, Literal, TypeAlias

import attrs

RegisterType: TypeAlias = Literal["u16", "i16", "u32", "i32", "f32"]
WordOrder: TypeAlias = Literal["big", "little"]
Space: TypeAlias = Literal["holding", "input"]
Word: TypeAlias = Literal["setpoint", "lease", "fallback", "fallback_given"]
Control: TypeAlias = Literal["pair", "signed", "amount", "bounds"]
Exact: TypeAlias = int | Fraction
"""A number without rounding: an int where it is whole, as most are, since those are quick."""

SETTING_MODES: Final = ("charge", "discharge", "idle")
"""The modes that hold a setpoint; the fourth, ``release``, hands the device back."""

_BITS: Final[Mapping[str, int]] = {"u16": 16, "i16": 16, "u32": 32, "i32": 32, "f32": 32}
_FLOAT_MAX: Final = int(struct.unpack(">f", b"\x7f\x7f\xff\xff")[0])
_WORD_BITS: Final = 16
_WORD_MASK: Final = 0xFFFF
_RANGES: Final = 1_024
"""How many registers' ranges are kept, as each write asks for one."""


def exact(value: float | Fraction) -> Exact:
    """Return a number without rounding; it has to be finite."""
    if isinstance(value, int):
        return value
    whole = Fraction(value)
    return whole.numerator if whole.denominator == 1 else whole


def exact_or_null(value: float | Fraction | None) -> Exact | None:
    """Return a number without rounding, null for null."""
    return None if value is None else exact(value)


@attrs.frozen
class Persistent:
    """A register kept in flash, which wears: least seconds between writes, most writes a day."""

    min_interval_s: float
    daily_writes: int


@attrs.frozen(cache_hash=True)
class Register:
    """One value of a device: ``value = raw * scale + offset``, in the unit of its role.

    ``address`` is the 0-based protocol address of the first word. ``minimum``, ``maximum`` and
    ``step`` are values (watts for setpoints), null where the profile names none. ``nan`` is the
    raw pattern that means "no value". ``enum`` maps raw values to states, ``expect`` lists the
    raw values of a device that this profile fits. A register that is not ``readable`` takes what
    is written and does not tell it. ``mask`` picks the bits of the raw pattern that count.
    """

    role: str
    address: int
    type: RegisterType
    space: Space = "holding"
    scale: Exact = attrs.field(default=1, converter=exact)
    offset: Exact = attrs.field(default=0, converter=exact)
    writable: bool = False
    minimum: Exact | None = attrs.field(default=None, converter=exact_or_null)
    maximum: Exact | None = attrs.field(default=None, converter=exact_or_null)
    step: Exact | None = attrs.field(default=None, converter=exact_or_null)
    nan: int | None = None
    word_order: WordOrder = "big"
    write_word_order: WordOrder = "big"
    write_function: int = 6
    enum: Mapping[int, str] = attrs.field(factory=dict, hash=False)
    expect: tuple[int, ...] = ()
    persistent: Persistent | None = None
    readable: bool = True
    mask: int | None = None

    @cached_property
    def count(self) -> int:
        """How many words the value has."""
        return _BITS[self.type] // _WORD_BITS

    @property
    def resolution(self) -> Exact:
        """The step between two values to write: ``step``, else ``scale``; 1 for a float."""
        if self.step is not None:
            return self.step
        return 1 if self.type == "f32" else self.scale


@attrs.frozen
class ModeWrite:
    """One write of a mode's sequence: a value, or what a word stands for where that is null.

    ``setpoint`` is the setpoint itself. ``lease`` is its lease in seconds, for a timer after which
    the device goes back to what it does by itself; or to the ``fallback``, a signed power, where
    ``fallback_given`` (1 or 0) tells it that there is one.
    """

    role: str
    value: Exact | None = attrs.field(converter=exact_or_null)
    word: Word = "setpoint"


@attrs.frozen
class KeepAlive:
    """What a device wants to hear within ``device_timeout_s``, else it takes itself back.

    ``role`` is a register's, or ``setpoint``: the confirmed setpoint again. ``write`` is the value
    to write each time, null to count up.
    """

    role: str
    device_timeout_s: float
    write: Exact | None = attrs.field(default=None, converter=exact_or_null)


@attrs.frozen
class RegisterProfile:
    """A device's register map, as data.

    ``control`` says how the setpoint is held: ``pair``, a charge and a discharge register;
    ``signed``, one register; ``amount``, one register without a sign, whose direction is the
    mode's; ``bounds``, an upper bound of charging and one of discharging, which force a power when
    they meet at it. ``charge_sign`` is +1 where signed power values count charging positive, else
    -1. ``modes`` has the ordered writes of ``charge``, ``discharge``, ``idle`` and ``release``;
    with ``block_writes``, those to neighbours go out as one. One that ``learns`` stands for what
    the device itself says of its registers, once it is connected. ``readback_after_s``: a device
    may take so long to show what was written.
    """

    name: str
    source: str
    registers: tuple[Register, ...]
    control: Control = "pair"
    charge_sign: int = 1
    poll_s: float = 5.0
    min_gap_s: float = 0.0
    modes: Mapping[str, tuple[ModeWrite, ...]] = attrs.field(factory=dict)
    keepalive: KeepAlive | None = None
    block_writes: bool = False
    learns: bool = False
    readback_after_s: float = 0.0

    def timers(self) -> tuple[Register, ...]:
        """Return the registers that take the lease."""
        writes = (one for mode in self.modes.values() for one in mode)
        roles = dict.fromkeys(one.role for one in writes if one.word == "lease")
        return tuple(map(self.register, roles))

    def find(self, role: str) -> Register | None:
        """Return the register of a role, null where there is none."""
        return next((one for one in self.registers if one.role == role), None)

    def register(self, role: str) -> Register:
        """Return the register of a role that a parsed profile is known to have.

        Raises:
            LookupError: there is none.
        """
        found = self.find(role)
        if found is None:
            message = f"profile {self.name} has no register {role!r}"
            raise LookupError(message)
        return found

    @cached_property
    def setpoints(self) -> tuple[Register, ...]:
        """The registers that hold the setpoint: charge and discharge, or the only one."""
        if self.control in {"signed", "amount"}:
            return (self.register("power_setpoint_w"),)
        return (self.register("charge_setpoint_w"), self.register("discharge_setpoint_w"))

    @cached_property
    def identity(self) -> tuple[Register, ...]:
        """The registers by which a device is known to fit: those with values that it must have."""
        return tuple(one for one in self.registers if one.expect)

    @cached_property
    def marks(self) -> Mapping[str, Mapping[str, Exact]]:
        """What tells each mode of a setpoint by reading: the constants that it writes, by role."""
        readable = {one.role for one in self.registers if one.readable}
        return {
            mode: {
                one.role: one.value
                for one in self.modes.get(mode, ())
                if one.value is not None and one.role in readable
            }
            for mode in SETTING_MODES
        }

    @cached_property
    def telling(self) -> tuple[Register, ...]:
        """The registers that say which setpoint the device holds; none if it cannot tell."""
        marks = [role for marks in self.marks.values() for role in marks]
        told = (*self.setpoints, *map(self.register, dict.fromkeys(marks)))
        return tuple(one for one in dict.fromkeys(told) if one.readable)


def raw_range(register_type: RegisterType) -> tuple[int, int]:
    """Return the least and greatest raw value of a type."""
    bits = _BITS[register_type]
    if register_type == "f32":
        return -_FLOAT_MAX, _FLOAT_MAX
    if register_type.startswith("u"):
        return 0, (1 << bits) - 1
    return -(1 << bits - 1), (1 << bits - 1) - 1


@lru_cache(_RANGES)
def value_range(register: Register) -> tuple[Exact, Exact]:
    """Return the least and greatest value that may be written, in the unit of the role."""
    low, high = (raw * register.scale + register.offset for raw in raw_range(register.type))
    if register.minimum is not None:
        low = max(low, register.minimum)
    if register.maximum is not None:
        high = min(high, register.maximum)
    return low, high


def quantise(register: Register, value: float) -> Exact:
    """Return what a value becomes on the device: within its limits, towards zero to its step.

    Raises:
        ValueError: the value is not finite.
    """
    if not math.isfinite(value):
        message = f"{value} cannot be written to {register.role}"
        raise ValueError(message)
    low, high = value_range(register)
    clipped: Exact = min(max(exact(value), low), high)
    step = register.resolution
    return clipped // step * step if clipped >= 0 else -(-clipped // step * step)


def encode(register: Register, value: float) -> list[int]:
    """Return the words that write a value, `quantise` applied.

    Raises:
        ValueError: the value is not finite.
    """
    raw = quantise(register, value) - register.offset
    return raw_words(register, raw if register.scale == 1 else raw / Fraction(register.scale))


def as_read(register: Register) -> Register:
    """Return the register with its words written in the order in which they are read."""
    return attrs.evolve(register, write_word_order=register.word_order)


def raw_words(register: Register, raw: Exact) -> list[int]:
    """Return a raw value as words in the register's order of writing."""
    bits = _BITS[register.type]
    if register.type == "f32":
        pattern = int.from_bytes(struct.pack(">f", float(raw)), "big")
    else:
        pattern = int(raw) & ((1 << bits) - 1)
    words = [pattern >> shift & _WORD_MASK for shift in range(bits - _WORD_BITS, -1, -_WORD_BITS)]
    return words if register.write_word_order == "big" else words[::-1]


def raw_of(register: Register, words: Sequence[int]) -> Exact | None:
    """Return the raw value of words as read, null for the register's NaN.

    Raises:
        ValueError: the number of words is not the register's.
    """
    if len(words) != register.count:
        message = f"{register.role} has {register.count} words, not {len(words)}"
        raise ValueError(message)
    pattern = 0
    for word in words if register.word_order == "big" else reversed(words):
        pattern = pattern << _WORD_BITS | word
    if register.mask is not None:
        pattern &= register.mask
    bits = _BITS[register.type]
    if register.nan is not None and pattern == register.nan & ((1 << bits) - 1):
        return None
    if register.type == "f32":
        number = struct.unpack(">f", pattern.to_bytes(4, "big"))[0]
        return exact(number) if math.isfinite(number) else None
    if register.type.startswith("i") and pattern >> (bits - 1):
        pattern -= 1 << bits
    return pattern


def decode(register: Register, words: Sequence[int]) -> float | None:
    """Return the value of words as read, in the unit of the role; null for NaN.

    Raises:
        ValueError: the number of words is not the register's.
    """
    raw = raw_of(register, words)
    return None if raw is None else float(value_of(register, raw))


def value_of(register: Register, raw: Exact) -> Exact:
    """Return a raw value in the unit of the role."""
    return raw * register.scale + register.offset
