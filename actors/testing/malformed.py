"""Frames that are wrong, made of right ones and drawn from a seed, as no list of examples is.

`OcppMalformer` spoils the text of an OCPP-J message, `ModbusMalformer` a device's answer. Some of
what comes out is still acceptable (a key too many, a number spelled otherwise): what has to become
of it is for who sends it to know.
"""

import copy
import json
import random
from collections.abc import Callable, Mapping
from typing import Any, Final, Protocol, TypeAlias

import attrs

Place: TypeAlias = tuple[Any, Any]
"""A list or an object of a message, and the index or key of a value in it."""

_DEEPEST: Final = 20_000
_LONGEST: Final = 300_000
_WRONG: Final[tuple[Any, ...]] = (
    *(None, True, False, 0, -1, 2**31, 2**63, -(2**70), 0.1, -0.0, 1e308, ""),
    *(" ", "x" * 51, "2026-02-30T25:61:61Z", "1970-01-01T00:00:00+24:00", [], {}, [[]], {"": None}),
)
_NUMBERS: Final = ("NaN", "Infinity", "-Infinity", "1e400", "-1e-400", "1E+2", "1.0", "01", "0x10")
_TEXTS: Final = (
    *("\\ud800", "\\udfff\\ud800", "\\u0000", "\\u202e", "\\uffff", "%s%n", "${jndi:x}"),
    *("\\u00e9\\u0301", "'; DROP TABLE events; --", "../../etc/passwd", "\\ud83d\\ude00" * 20),
)
_BYTES: Final = (
    b"\xff\xfe",
    b"\xc0\xaf",
    b"\xed\xa0\x80",
    b"\x00",
    b"\xf4\x90\x80\x80",
    b"\xef\xbb\xbf",
)
_IDS: Final[tuple[Any, ...]] = (
    None,
    1,
    -1,
    1.5,
    True,
    "",
    "x" * 37,
    "x" * 5_000,
    [],
    {},
    "\x00",
    " ",
)
_TYPES: Final[tuple[Any, ...]] = (0, 1, 3, 4, 5, 6, -2, 2.0, 2.5, "2", None, True, [2], {}, 2**40)
_ACTIONS: Final[tuple[Any, ...]] = (
    *(None, 1, [], {}, "", "heartbeat", "Heartbeat ", "Nothing", "x" * 5_000, ["Heartbeat"]),
    *("start", "call", "route_message", "__class__", "__init__", "Reset", "SetChargingProfile"),
    *("TransactionEvent", "NotifyReport", "StartTransaction", "StatusNotification", "DataTransfer"),
)


@attrs.frozen
class Malformed:
    """What was made of a message: in which way, and the bytes, in the pieces in which they go."""

    kind: str
    pieces: tuple[bytes, ...]

    @property
    def data(self) -> bytes:
        """All bytes."""
        return b"".join(self.pieces)


class Malformer(Protocol):
    """Spoils messages of one protocol; ``kinds`` are the ways."""

    kinds: tuple[str, ...]

    def of(self, message: bytes, kind: str | None = None) -> Malformed:
        """Return a message spoilt; ``kind`` null draws one."""
        ...


# --- OCPP-J


class OcppMalformer:
    """Spoils OCPP-J messages, in a way drawn from a seed; ``kinds`` are the ways."""

    def __init__(self, seed: int | str) -> None:
        """Begin a sequence."""
        self._random = random.Random(f"ocpp {seed}")

    kinds: tuple[str, ...] = ()

    def of(self, message: bytes, kind: str | None = None) -> Malformed:
        """Return a message spoilt; ``kind`` null draws one."""
        chosen = self._random.choice(self.kinds) if kind is None else kind
        return Malformed(chosen, (_OCPP[chosen](self._random, message.decode()),))


def _spelled(frame: Any) -> bytes:  # noqa: ANN401 - any JSON
    return json.dumps(frame, separators=(",", ":")).encode()


def _places(value: Any) -> list[Place]:  # noqa: ANN401 - any JSON
    """Return where the values within a message stand."""
    found: list[Place] = []
    waiting = [value]
    while waiting:
        one = waiting.pop()
        keys = one.keys() if isinstance(one, dict) else range(len(one))
        for key in keys:
            found.append((one, key))
            if isinstance(one[key], dict | list):
                waiting.append(one[key])
    return found


def _replaced(make: Callable[[random.Random, Any], Any]) -> Callable[[random.Random, str], bytes]:
    """Return what puts something else in the place of one value."""

    def spoil(dice: random.Random, text: str) -> bytes:
        frame = json.loads(text)
        holder, key = dice.choice(_places(frame))
        holder[key] = make(dice, holder[key])
        return _spelled(frame)

    return spoil


def _at(index: int, values: tuple[Any, ...]) -> Callable[[random.Random, str], bytes]:
    """Return what puts something else at a place of the array that a message is."""

    def spoil(dice: random.Random, text: str) -> bytes:
        frame = json.loads(text)
        frame[index] = copy.deepcopy(dice.choice(values))
        return _spelled(frame)

    return spoil


def _as_text(
    make: Callable[[random.Random], str | bytes],
) -> Callable[[random.Random, str], bytes]:
    """Return what puts a spelling that no encoder has in the place of one value."""

    def spoil(dice: random.Random, text: str) -> bytes:
        frame = json.loads(text)
        holder, key = dice.choice(_places(frame))
        holder[key] = "@@"
        spelling = make(dice)
        raw = spelling if isinstance(spelling, bytes) else spelling.encode()
        return _spelled(frame).replace(b'"@@"', raw, 1)

    return spoil


def _bytes_changed(dice: random.Random, text: str) -> bytes:
    data = bytearray(text.encode())
    for _ in range(dice.randint(1, 4)):
        place = dice.randrange(len(data))
        match dice.randrange(3):
            case 0:
                data[place] ^= 1 << dice.randrange(8)
            case 1:
                data.insert(place, dice.randrange(256))
            case _:
                del data[place]
        data = data or bytearray(b"[")
    return bytes(data)


def _truncated(dice: random.Random, text: str) -> bytes:
    data = text.encode()
    return data[: dice.randrange(len(data))]


def _doubled(dice: random.Random, text: str) -> bytes:
    return (text + dice.choice(("", ",", "\n", " ")) + text).encode()


def _without(dice: random.Random, text: str) -> bytes:
    frame = json.loads(text)
    holder, key = dice.choice(_places(frame))
    del holder[key]
    return _spelled(frame)


def _with_more(dice: random.Random, text: str) -> bytes:
    frame = json.loads(text)
    holders = [value for value in (frame[-1], frame) if isinstance(value, dict)]
    if not holders:
        frame += [{}, dice.randrange(9)]
    for holder in holders:
        holder[dice.choice(("vendorNote", "customData", "", "__proto__", "x" * 300))] = _wrong(dice)
    return _spelled(frame)


def _wrong(dice: random.Random, _: object = None) -> Any:  # noqa: ANN401 - any JSON
    return copy.deepcopy(dice.choice(_WRONG))


def _nested(dice: random.Random) -> str:
    depth = dice.choice((5, 31, 33, 100, 1_000, _DEEPEST))
    opening, closing = dice.choice((("[", "]"), ('{"a":', "}")))
    closings = dice.choice((depth, depth, depth - 1))
    return opening * depth + "1" + closing * closings


def _number(dice: random.Random) -> str:
    if dice.random() < 0.5:  # noqa: PLR2004 - half of them
        return dice.choice(("", "-")) + "9" * dice.choice((10, 19, 20, 310, 5_000))
    return dice.choice(_NUMBERS)


def _odd_text(dice: random.Random) -> str:
    return f'"{dice.choice(_TEXTS)}"'


def _odd_bytes(dice: random.Random) -> bytes:
    return b'"' + dice.choice(_BYTES) + b'"'


def _long(dice: random.Random, _: object) -> str:
    return "x" * dice.choice((21, 256, 2_001, 65_536, _LONGEST))


def _shaped(dice: random.Random, text: str) -> bytes:
    frame = json.loads(text)
    shapes: tuple[Any, ...] = (
        *({}, [], "", 0, None, [frame], frame[:1], frame[:2], frame[:3], frame + frame),
        *({"0": frame}, frame[::-1], [[one] for one in frame], [*frame, *range(1_000)]),
    )
    return _spelled(dice.choice(shapes))


def _twice_named(dice: random.Random, text: str) -> bytes:
    found = text.find("{")
    if found < 0 or text[found + 1] == "}":
        return f"[{text[1:-1]},{{}},{{}}]".encode()
    other = json.dumps(_wrong(dice))
    key = text[found + 1 :].partition(":")[0]
    return f"{text[: found + 1]}{key}:{other},{text[found + 1 :]}".encode()


def _spaced(dice: random.Random, text: str) -> bytes:
    space = dice.choice((" ", "\n\t", "\ufeff", "\u00a0", "\x00", " " * 1_000))
    return (text + space if dice.random() < 0.5 else space + text).encode()  # noqa: PLR2004 - half


def _noise(dice: random.Random, _: str) -> bytes:
    return dice.randbytes(dice.choice((0, 1, 7, 126, 2_000)))


_OCPP: Final[Mapping[str, Callable[[random.Random, str], bytes]]] = {
    "bytes": _bytes_changed,
    "truncated": _truncated,
    "doubled": _doubled,
    "duplicated": lambda _, text: text.encode(),
    "value": _replaced(_wrong),
    "long": _replaced(_long),
    "missing": _without,
    "extra": _with_more,
    "number": _as_text(_number),
    "nested": _as_text(_nested),
    "text": _as_text(_odd_text),
    "encoding": _as_text(_odd_bytes),
    "id": _at(1, _IDS),
    "type": _at(0, _TYPES),
    "action": _at(2, _ACTIONS),
    "shape": _shaped,
    "twice_named": _twice_named,
    "spaces": _spaced,
    "noise": _noise,
}
OcppMalformer.kinds = tuple(_OCPP)


# --- Modbus TCP

_HEAD: Final = 7
_FUNCTIONS: Final = (0, 1, 3, 4, 6, 16, 43, 127)
_LATE: Final = b""
"""No byte at all."""


class ModbusMalformer:
    """Spoils answers of Modbus TCP devices, in a way drawn from a seed; ``kinds`` are the ways."""

    def __init__(self, seed: int | str) -> None:
        """Begin a sequence."""
        self._random = random.Random(f"modbus {seed}")
        self._last = bytes(9)

    kinds: tuple[str, ...] = ()

    def of(self, message: bytes, kind: str | None = None) -> Malformed:
        """Return an answer spoilt; ``kind`` null draws one."""
        chosen = self._random.choice(self.kinds) if kind is None else kind
        if chosen == "of_before":
            pieces: tuple[bytes, ...] = (self._last,)
        else:
            pieces = _MODBUS[chosen](self._random, message)
        self._last = message
        return Malformed(chosen, pieces)


def _with_word(place: int, least: int = 1) -> Callable[[random.Random, bytes], tuple[bytes, ...]]:
    """Return what changes a word of the header."""

    def spoil(dice: random.Random, answer: bytes) -> tuple[bytes, ...]:
        word = int.from_bytes(answer[place : place + 2], "big")
        other = (word + dice.choice((least, -1, 2, 256, 0x7FFF))) % 0x1_0000
        return (answer[:place] + other.to_bytes(2, "big") + answer[place + 2 :],)

    return spoil


def _with_byte(
    place: int, values: tuple[int, ...] | range
) -> Callable[[random.Random, bytes], tuple[bytes, ...]]:
    def spoil(dice: random.Random, answer: bytes) -> tuple[bytes, ...]:
        return (answer[:place] + bytes((dice.choice(values),)) + answer[place + 1 :],)

    return spoil


def _exception(dice: random.Random, answer: bytes) -> tuple[bytes, ...]:
    code = dice.choice((0, 1, 2, 3, 4, 5, 6, 10, 11, 77, 255))
    head = answer[:4] + (3).to_bytes(2, "big") + answer[6:7]
    return (head + bytes((answer[7] | 0x80, code)),)


def _split(dice: random.Random, answer: bytes) -> tuple[bytes, ...]:
    """Return a right answer in two or three segments."""
    cuts = sorted(dice.sample(range(1, len(answer)), dice.choice((1, 2))))
    ends = (*cuts, len(answer))
    return tuple(answer[start:end] for start, end in zip((0, *cuts), ends, strict=True))


def _flipped(dice: random.Random, answer: bytes) -> tuple[bytes, ...]:
    data = bytearray(answer)
    data[dice.randrange(len(data))] ^= 1 << dice.randrange(8)
    return (bytes(data),)


_MODBUS: Final[Mapping[str, Callable[[random.Random, bytes], tuple[bytes, ...]]]] = {
    "transaction": _with_word(0),
    "zero_transaction": lambda _, answer: (b"\x00\x00" + answer[2:],),
    "protocol": _with_word(2),
    "length": _with_word(4),
    "unit": _with_byte(6, range(256)),
    "function": _with_byte(7, _FUNCTIONS),
    "count": _with_byte(8, range(256)),
    "exception": _exception,
    "truncated": lambda dice, answer: (answer[: dice.randrange(1, len(answer))],),
    "split": _split,
    "doubled": lambda _, answer: (answer + answer,),
    "longer": lambda dice, answer: (answer + dice.randbytes(dice.randint(1, 300)),),
    "noise": lambda dice, _: (dice.randbytes(dice.choice((1, 7, 8, 9, 260, 2_000))),),
    "bit": _flipped,
    "silence": lambda _, __: (_LATE,),
    "right": lambda _, answer: (answer,),
}
ModbusMalformer.kinds = (*_MODBUS, "of_before")
