"""What bad manners make of Modbus words and answers."""

from collections.abc import Iterator, Sequence
from typing import Final

from pymodbus.pdu import ModbusPDU
from pymodbus.pdu.register_message import WriteMultipleRegistersResponse

from engine.adapters.registers import Register, RegisterProfile, Space

_NO_NUMBER: Final = {
    "u16": (0xFFFF,),
    "i16": (0x8000,),
    "u32": (0xFFFF, 0xFFFF),
    "i32": (0x8000, 0x0000),
    "f32": (0x7FC0, 0x0000),
}
"""What vendors put where there is no value."""
_MEASURED: Final = frozenset({"power_w", "soc_pct"})


def spoilt_words(
    profile: RegisterProfile,
    place: tuple[Space, int],
    words: Sequence[int],
    quirks: frozenset[str],
) -> list[int]:
    """Return the words of a range that is read, or written, as the quirks have them.

    ``place`` is the space and the address of the first.
    """
    spoilt = list(words)
    for register, at in _within(profile, place, len(words)):
        count = register.count
        if "nan_readings" in quirks and register.role in _MEASURED:
            spoilt[at : at + count] = _NO_NUMBER[register.type]
        if "swapped_words" in quirks:
            spoilt[at : at + count] = reversed(spoilt[at : at + count])
    return spoilt


def _within(
    profile: RegisterProfile, place: tuple[Space, int], count: int
) -> Iterator[tuple[Register, int]]:
    """Yield the registers that lie whole in a range, each with where it begins."""
    space, address = place
    for register in profile.registers:
        at = register.address - address
        if register.space == space and 0 <= at <= count - register.count:
            yield register, at


def spoilt_answer(answer: ModbusPDU, quirks: frozenset[str]) -> ModbusPDU:
    """Return the answer to a write as the quirks have it."""
    if "wrong_transaction" in quirks:
        answer.transaction_id = (answer.transaction_id + 1) % 65_536
    if "zero_transaction" in quirks:
        answer.transaction_id = 0
    if "wrong_function" in quirks:
        address, count = answer.address, len(answer.registers) or 1
        spoilt = WriteMultipleRegistersResponse(address=address, count=count)
        spoilt.dev_id, spoilt.transaction_id = answer.dev_id, answer.transaction_id
        return spoilt
    if "wrong_echo" in quirks:
        if answer.registers:
            answer.registers = [answer.registers[0] ^ 1]
        else:
            answer.count += 1
    return answer
