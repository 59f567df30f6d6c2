"""Register profiles: what a Modbus device's registers mean, read from TOML with all its faults.

Addresses are protocol addresses, counted from 0. Vendors' documents often print the same register
as ``40001`` or ``400001``, a digit for the space and then a count from 1. Such a number is refused,
with the protocol address it probably stands for, as a write to the wrong register is worse than
none. SunSpec devices and some others do have protocol addresses from 30001 to 49999: a profile says
so with ``addresses = "protocol"`` in its ``[profile]``.
"""

import importlib.resources
import re
import tomllib
from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from fractions import Fraction
from typing import Final, TypeAlias, cast

from engine.adapters.register_keys import WORD_ORDERS, register_of
from engine.adapters.registers import (
    Control,
    Exact,
    KeepAlive,
    ModeWrite,
    Register,
    RegisterProfile,
    Word,
    WordOrder,
    quantise,
)
from engine.adapters.sunspec_profile import UNLEARNED
from engine.adapters.tables import Faults, Place, Table, nearest
from engine.errors import ProfileRefused
from engine.naming import instead_of

BUILTIN: Final = (
    "generic-battery",
    "alpha-ess-smile",
    "goodwe-et",
    "huawei-luna2000",
    "kostal-plenticore",
    "marstek-venus",
    "sma-sunny-island",
    "solaredge-storedge",
    "sungrow-sh",
    "victron-gx",
)
ROLES: Final = (
    "model_id",
    "soc_pct",
    "state",
    "power_w",
    "charge_setpoint_w",
    "discharge_setpoint_w",
    "power_setpoint_w",
    "heartbeat",
)
MODES: Final = ("charge", "discharge", "idle", "release")

_SETPOINTS: Final[Mapping[str, tuple[str, ...]]] = {
    "pair": ("charge_setpoint_w", "discharge_setpoint_w"),
    "signed": ("power_setpoint_w",),
    "amount": ("power_setpoint_w",),
    "bounds": ("charge_setpoint_w", "discharge_setpoint_w"),
}
_TOP_KEYS: Final = ("profile", "register", "mode", "keepalive")
_PROFILE_KEYS: Final = (
    "name",
    "source",
    "word_order",
    "control",
    "charge_sign",
    "poll_s",
    "min_gap_ms",
    "readback_after_s",
    "addresses",
    "block_writes",
)
_WORDS: Final = ("setpoint", "lease", "fallback", "fallback_given")
Written: TypeAlias = tuple[str, Place, Exact | None]
"""A role that has to be writable, the table that needs it, and the value, null for any."""

_AT_LINE: Final = re.compile(r"at line (\d+)")


def parse(text: str, name: str) -> RegisterProfile:
    """Return the register profile of a TOML text; ``name`` is its file, for problems.

    Raises:
        ProfileRefused: the profile has faults; it lists all of them with file, line and key.
    """
    faults = Faults(name, text)
    try:
        document = tomllib.loads(text, parse_float=Decimal)
    except tomllib.TOMLDecodeError as error:
        line = _AT_LINE.search(str(error))
        faults.add("toml", str(error), int(line[1]) if line else text.count("\n") + 1, "")
        raise ProfileRefused(tuple(faults.problems)) from None
    profile = _Reading(document, faults).profile()
    if faults.problems:
        raise ProfileRefused(tuple(faults.problems))
    return profile


def builtin(name: str) -> RegisterProfile:
    """Return a profile that comes with Setpoint, by its name.

    Raises:
        LookupError: there is none of this name; names those that there are.
    """
    if name == UNLEARNED.name:
        return UNLEARNED
    if name not in BUILTIN:
        instead = instead_of(name, (*BUILTIN, UNLEARNED.name))
        message = f"no built-in profile is called {name!r}; {instead}"
        raise LookupError(message)
    file = importlib.resources.files("engine.adapters") / "profiles" / f"{name}.toml"
    return parse(file.read_text(encoding="utf-8"), f"{name}.toml")


class _Reading:
    """One document on its way to a profile."""

    def __init__(self, document: dict[str, object], faults: Faults) -> None:
        self.document = document
        self.faults = faults
        top = Table(document, ("", 0), faults)
        top.only(_TOP_KEYS)
        self.head = Table(document.get("profile", {}), ("profile", 0), faults)
        self.register_tables = self.tables(document, "register")

    def profile(self) -> RegisterProfile:
        head = self.head
        head.only(_PROFILE_KEYS)
        head.require("name")
        head.require("source")
        control = cast("Control", head.choice("control", tuple(_SETPOINTS), "pair"))
        order = cast("WordOrder", head.choice("word_order", WORD_ORDERS, "big"))
        addresses = head.choice("addresses", ("protocol", ""), "")
        registers = self.registers(order, printed=addresses != "protocol")
        modes = self.modes()
        self.check_direction(control, modes)
        keepalive = self.keepalive()
        self.check_roles(registers, _written(control, modes, keepalive))
        gap_ms = head.whole("min_gap_ms", 0, 60_000)
        poll_s = head.number("poll_s", above=Fraction(0))
        readback_after_s = head.within("readback_after_s", 0, 60)
        return RegisterProfile(
            head.text("name"),
            head.text("source"),
            tuple(registers.values()),
            control,
            1 if head.choice("charge_sign", ("+", "-"), "+") == "+" else -1,
            5.0 if poll_s is None else float(poll_s),
            (gap_ms or 0) / 1_000,
            modes,
            keepalive,
            head.flag("block_writes"),
            readback_after_s=float(readback_after_s or 0),
        )

    def tables(self, holder: object, key: str) -> list[Table]:
        """Return an array of tables; anything else in its place is a fault."""
        name = key if holder is self.document else f"mode.{key}"
        found = holder.get(key, []) if isinstance(holder, dict) else []
        if not isinstance(found, list):
            line = self.faults.lines.of((name, 0))
            self.faults.add("value", f"[[{name}]] has two brackets", line, name)
            return []
        return [Table(one, (name, place), self.faults) for place, one in enumerate(found)]

    # --- registers

    def registers(self, order: WordOrder, *, printed: bool) -> dict[str, Register]:
        """Return the registers by role, those that can be read of the text."""
        registers: dict[str, Register] = {}
        for table in self.register_tables:
            register = register_of(table, order, printed=printed)
            if register is None:
                continue
            if register.role in registers:
                table.refuse("role", "this role has a register already", register.role)
            for other in registers.values():
                if _overlap(register, other):
                    table.refuse(
                        "address", f"it overlaps {other.role}, which is written", register.address
                    )
            registers.setdefault(register.role, register)
        return registers

    def check_roles(self, registers: Mapping[str, Register], written: Sequence[Written]) -> None:
        """Refuse roles that nothing uses, and registers that are missing or cannot be written."""
        names = [table.get("role") for table in self.register_tables]
        for role, place, value in written:
            register = registers.get(role)
            line = self.faults.lines.of(place)
            if register is None:
                if role not in names:
                    message = (
                        f"[{place[0]}] needs a register of this role{nearest(role, registers)}"
                    )
                    self.faults.add("missing", message, line, role)
            elif not register.writable:
                message = f'[{place[0]}] needs access = "rw" on this register'
                self.faults.add("access", message, line, role)
            elif value is not None and quantise(register, float(value)) != value:
                message = f"{role} cannot hold this value"
                self.faults.add("value", message, line, "value", float(value))
        known = {*ROLES, *(role for role, _, _ in written)}
        for table, name in zip(self.register_tables, names, strict=True):
            if isinstance(name, str) and name and name not in known and "expect" not in table:
                table.refuse("role", f"nothing uses it{nearest(name, ROLES)}", name, rule="role")

    # --- modes and keep-alive

    def modes(self) -> dict[str, tuple[ModeWrite, ...]]:
        """Return the ordered writes of each mode."""
        holder = self.document.get("mode", {})
        modes = Table(holder, ("mode", 0), self.faults)
        modes.only(MODES)
        found = {name: tuple(map(_mode_write, self.tables(holder, name))) for name in MODES}
        return {name: writes for name, writes in found.items() if writes}

    def check_direction(self, control: Control, modes: Mapping[str, Sequence[ModeWrite]]) -> None:
        """Refuse an amount without a sign whose direction no mode says."""
        charge, discharge = (_constants(modes.get(name, ())) for name in ("charge", "discharge"))
        if control == "amount" and not any(
            role in discharge and value != discharge[role] for role, value in charge.items()
        ):
            message = "[[mode.charge]] and [[mode.discharge]] have to write one register otherwise"
            self.head.refuse("control", message, control)

    def check_flash(self, table: Table, role: str) -> None:
        """Refuse to keep a device alive by what is kept in flash."""
        kept = {one.get("role") for one in self.register_tables if "persistent" in one}
        alive = {role} if role != "setpoint" else {r for rs in _SETPOINTS.values() for r in rs}
        if kept & alive:
            table.refuse("role", "it would wear out a register that is kept in flash", role)

    def keepalive(self) -> KeepAlive | None:
        """Return how the device is kept from taking itself back, null where it needs nothing."""
        if "keepalive" not in self.document:
            return None
        table = Table(self.document["keepalive"], ("keepalive", 0), self.faults)
        table.only(("role", "device_timeout_s", "write"))
        table.require("role")
        table.require("device_timeout_s")
        role = table.text("role", "heartbeat")
        if role == "setpoint" and "write" in table:
            table.refuse("write", "the setpoint itself is written again", table.get("write"))
        value = None if table.get("write") == "increment" else table.number("write")
        self.check_flash(table, role)
        timeout_s = table.number("device_timeout_s", above=Fraction(0)) or Fraction(1)
        return KeepAlive(role, float(timeout_s), value)


def _written(
    control: str, modes: Mapping[str, Sequence[ModeWrite]], keepalive: KeepAlive | None
) -> list[Written]:
    """Return what is written to which role, and the tables that say so."""
    written: list[Written] = [(role, ("profile", 0), None) for role in _SETPOINTS[control]]
    for name, writes in modes.items():
        for place, one in enumerate(writes):
            written.append((one.role, (f"mode.{name}", place), one.value))
    if keepalive is not None and keepalive.role != "setpoint":
        written.append((keepalive.role, ("keepalive", 0), keepalive.write))
    return [one for one in written if one[0]]


def _mode_write(table: Table) -> ModeWrite:
    table.only(("role", "value"))
    table.require("role")
    table.require("value")
    word = table.get("value")
    if isinstance(word, str) and word in _WORDS:
        return ModeWrite(table.text("role"), None, cast("Word", word))
    return ModeWrite(table.text("role"), table.number("value"))


def _constants(writes: Iterable[ModeWrite]) -> dict[str, Exact]:
    return {one.role: one.value for one in writes if one.value is not None}


def _overlap(one: Register, other: Register) -> bool:
    """Return whether two registers share a word that one of them writes."""
    if one.space != other.space or not (one.writable or other.writable):
        return False
    return one.address < other.address + other.count and other.address < one.address + one.count
