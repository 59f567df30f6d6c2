"""One ``[[register]]`` table of a profile, read and checked."""

from fractions import Fraction
from typing import Final, cast

from engine.adapters.registers import (
    Persistent,
    Register,
    RegisterType,
    Space,
    WordOrder,
    raw_range,
    value_range,
)
from engine.adapters.tables import Table, fraction, is_whole, nearest
from engine.machines import BATTERY_TABLE

WORD_ORDERS: Final = ("big", "little")

_REGISTER_KEYS: Final = (
    "role",
    "address",
    "type",
    "space",
    "scale",
    "offset",
    "access",
    "min",
    "max",
    "step",
    "nan",
    "word_order",
    "write_word_order",
    "write_function",
    "enum",
    "expect",
    "persistent",
    "mask",
)
_TYPES: Final = ("u16", "i16", "u32", "i32", "f32")
_LAST_ADDRESS: Final = 0xFFFF


def register_of(table: Table, order: WordOrder, *, printed: bool) -> Register | None:
    """Return a register, null where its role, address or type cannot be read."""
    table.only(_REGISTER_KEYS)
    role = table.text("role") if table.require("role") else ""
    address = _address(table, printed=printed) if table.require("address") else None
    register_type = table.choice("type", _TYPES, "") if table.require("type") else ""
    if not role or address is None or not register_type:
        return None
    read_order = cast("WordOrder", table.choice("word_order", WORD_ORDERS, order))
    write_order = table.choice("write_word_order", WORD_ORDERS, read_order)
    access = table.choice("access", ("r", "rw", "w"), "r")
    register = Register(
        role,
        address,
        cast("RegisterType", register_type),
        cast("Space", table.choice("space", ("holding", "input"), "holding")),
        table.number("scale", above=Fraction(0)) or Fraction(1),
        table.number("offset") or Fraction(0),
        access in {"rw", "w"},
        table.number("min"),
        table.number("max"),
        table.number("step", above=Fraction(0)),
        table.whole("nan", -(1 << 31), (1 << 32) - 1),
        read_order,
        cast("WordOrder", write_order),
        _write_function(table, register_type),
        _enum(table),
        _expect(table),
        _persistent(table),
        readable=access != "w",
        mask=table.whole("mask", 1, (1 << 32) - 1),
    )
    _check_writable(table, register)
    return register


def _address(table: Table, *, printed: bool) -> int | None:
    """Return the protocol address, null where it is refused."""
    value = table.get("address")
    if isinstance(value, str) or not is_whole(value):
        table.refuse(
            "address", "the protocol address is expected, an integer counted from 0", value
        )
        return None
    space, place = divmod(value, 100_000 if value > _LAST_ADDRESS else 10_000)
    if space in {3, 4} and place > 0 and (printed or value > _LAST_ADDRESS):
        hint = "" if value > _LAST_ADDRESS else '; if it is one, say addresses = "protocol"'
        table.refuse(
            "address",
            "this is the printed notation (a digit for the space, then counted from 1), "
            f"not a protocol address, which would be {place - 1}{hint}",
            value,
            rule="notation",
        )
        return None
    return table.whole("address", 0, _LAST_ADDRESS)


def _write_function(table: Table, register_type: str) -> int:
    wide = register_type not in {"u16", "i16"}
    function = table.get("write_function")
    if function is None:
        return 16 if wide else 6
    if function not in {6, 16} or not is_whole(function):
        table.refuse("write_function", "6 or 16 is expected", function)
        return 16
    if function == 6 and wide:  # noqa: PLR2004 - function code 6 writes a single register
        table.refuse("write_function", "function code 6 writes one word; use 16", function)
    return function


def _enum(table: Table) -> dict[int, str]:
    value = table.get("enum")
    if value is None:
        return {}
    states = tuple(BATTERY_TABLE.states)
    found: dict[int, str] = {}
    for raw, state in value.items() if isinstance(value, dict) else [("", value)]:
        if not raw.isdecimal():
            table.refuse("enum", 'raw values as keys are expected: { 0 = "IDLE" }', raw)
        elif not isinstance(state, str) or state not in states:
            table.refuse("enum", f"not a state of a battery{nearest(str(state), states)}", state)
        else:
            found[int(raw)] = state
    return found


def _expect(table: Table) -> tuple[int, ...]:
    value = table.get("expect")
    if value is None:
        return ()
    if not isinstance(value, list) or not value or not all(map(is_whole, value)):
        table.refuse("expect", "a list of raw values is expected: [802]", value)
        return ()
    return tuple(value)


def _persistent(table: Table) -> Persistent | None:
    value = table.get("persistent")
    if value is None:
        return None
    interval = fraction(value.get("min_interval_s")) if isinstance(value, dict) else None
    daily = value.get("daily_writes") if isinstance(value, dict) else None
    if interval is None or interval < 0 or not is_whole(daily) or daily < 1:
        form = "{ min_interval_s = 60, daily_writes = 100 }"
        table.refuse("persistent", f"expected is {form}", value)
        return None
    return Persistent(float(interval), daily)


def _check_writable(table: Table, register: Register) -> None:
    """Refuse what could not be written as promised: every value from its step, 0 among them."""
    if not register.writable:
        given = {"write_function": "write_function" in table, "persistent": register.persistent}
        for key in (key for key, is_given in given.items() if is_given):
            table.refuse(key, 'this register has no access = "rw"')
        return
    if not register.readable and register.persistent is not None:
        table.refuse("persistent", "what is kept in flash is read before it is written")
    if register.mask is not None:
        table.refuse("mask", "a register that is written has all of its bits")
    if register.space == "input":
        table.refuse("access", "input registers cannot be written", "rw")
    if register.nan is not None and register.maximum is None:
        table.refuse("nan", "a register that is written needs a max, so that this is never sent")
    if register.type != "f32":
        _check_grid(table, register)
    _check_range(table, register)


def _check_grid(table: Table, register: Register) -> None:
    if register.offset % register.scale:
        table.refuse("offset", "0 has to be a value that can be written: a multiple of scale")
    if register.resolution % register.scale:
        table.refuse("step", f"a multiple of the scale {float(register.scale):g} is expected")


def _check_range(table: Table, register: Register) -> None:
    low, high = (raw * register.scale + register.offset for raw in raw_range(register.type))
    for key, value in (("min", register.minimum), ("max", register.maximum)):
        if value is not None and not low <= value <= high:
            table.refuse(key, f"{register.type} holds {float(low):g} to {float(high):g}", value)
    least, most = value_range(register)
    if register.role.endswith("_setpoint_w") and not least <= 0 <= most:
        table.refuse("min" if least > 0 else "max", "0 has to be allowed")
