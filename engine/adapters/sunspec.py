"""SunSpec: how a device's own map of models is found and what of it is worth knowing.

The map begins with "SunS" at one of three addresses. Models follow each other, each with its number
and its length, up to an end model. Only the points that a battery is controlled by are in the
tables here, which is some fifty numbers: the whole of SunSpec's model files would have to be read
for them, and a device may have any of a hundred models that say nothing of its battery.

Sources: SunSpec Device Information Model Specification 1.1, chapters 3 and 4 (map, data types,
values that are not implemented); model definitions 1, 101 to 103, 124, 701, 702, 704, 713, 802.
"""

from collections.abc import Generator, Iterator, Mapping
from typing import Final, TypeAlias

import attrs

from engine.adapters.base import Frame
from engine.adapters.registers import Register, RegisterType, raw_of

PROFILE: Final = "sunspec"
BASES: Final = (40_000, 0, 50_000)
SUNS: Final = (0x5375, 0x6E53)
END: Final = 0xFFFF
COMMON: Final = 1
INVERTERS: Final = (101, 102, 103)
STORAGE: Final = 124
AC_MEASUREMENT: Final = 701
AC_RATINGS: Final = 702
AC_CONTROLS: Final = 704
CAPACITY: Final = 713
BATTERY: Final = 802
_HEADER: Final = 2
_MOST_MODELS: Final = 100
_MOST_READ: Final = 125
_LAST_ADDRESS: Final = 0xFFFF

Words: TypeAlias = tuple[int, ...]
Facts: TypeAlias = Mapping[str, str]
"""What a map says, as text by name: where its models are, and the points that are implemented."""
Survey: TypeAlias = Generator[Frame, Words | None, dict[str, str]]
"""Yields reads, takes their words (null for a refusal) and returns the facts."""


@attrs.frozen
class Point:
    """A value of a model: its offset from the model's number, and the pattern that means none.

    ``fixed``: it does not change while a device runs, so that its value is a fact.
    """

    name: str
    offset: int
    type: RegisterType
    nan: int
    fixed: bool = False


def _u16(name: str, offset: int, *, fixed: bool = False) -> Point:
    return Point(name, offset, "u16", 0xFFFF, fixed)


def _i16(name: str, offset: int) -> Point:
    return Point(name, offset, "i16", 0x8000)


def _factor(name: str, offset: int) -> Point:
    return Point(name, offset, "i16", 0x8000, fixed=True)


POINTS: Final[Mapping[int, tuple[Point, ...]]] = {
    **{model: (_i16("W", 14), _factor("W_SF", 15)) for model in INVERTERS},
    STORAGE: (
        _u16("WChaMax", 2, fixed=True),
        _u16("StorCtl_Mod", 5),
        _u16("ChaState", 8),
        _u16("ChaSt", 11),
        _i16("OutWRte", 12),
        _i16("InWRte", 13),
        _u16("InOutWRte_RvrtTms", 15),
        _factor("WChaMax_SF", 18),
        _factor("ChaState_SF", 22),
        _factor("InOutWRte_SF", 25),
    ),
    AC_MEASUREMENT: (_i16("W", 10), _factor("W_SF", 116)),
    AC_RATINGS: (
        _u16("WChaRteMaxRtg", 10, fixed=True),
        _u16("WDisChaRteMaxRtg", 11, fixed=True),
        _factor("W_SF", 45),
    ),
    AC_CONTROLS: (
        _u16("WSetEna", 22),
        _u16("WSetMod", 23),
        Point("WSet", 24, "i32", 0x8000_0000),
        Point("WSetRvrt", 26, "i32", 0x8000_0000),
        _u16("WSetEnaRvrt", 30),
        Point("WSetRvrtTms", 31, "u32", 0xFFFF_FFFF),
        _factor("WSet_SF", 55),
    ),
    CAPACITY: (_u16("SoC", 4), _factor("Pct_SF", 8)),
    BATTERY: (
        _u16("SoC", 11),
        _u16("ChaSt", 16),
        _i16("W", 47),
        _factor("SoC_SF", 56),
        _factor("W_SF", 63),
    ),
}
_TEXTS: Final = (
    ("manufacturer", 2, 16),
    ("model", 18, 16),
    ("version", 42, 8),
    ("serial", 50, 16),
)


def survey(unit: int, silent: frozenset[int] = frozenset()) -> Survey:
    """Read a device's map step by step; return what it says, nothing where there is no map.

    ``silent`` are bases that are not to be asked, as the device does not answer there.
    """
    base = yield from _find_base(unit, silent)
    if base is None:
        return {}
    models = yield from _walk(unit, base + len(SUNS))
    facts = {"sunspec": str(base), "models": " ".join(_shown(models))}
    for model, (address, length) in models.items():
        facts[f"{model}"] = str(address)
        if model == COMMON:
            facts |= yield from _texts(unit, address, length)
        elif model in POINTS:
            facts |= yield from _points(unit, model, address, length)
    return facts


def _shown(models: Mapping[int, tuple[int, int]]) -> Iterator[str]:
    return (f"{model}@{address}" for model, (address, _) in models.items())


def _find_base(unit: int, silent: frozenset[int]) -> Generator[Frame, Words | None, int | None]:
    for base in BASES:
        if base not in silent:
            words = yield _read(unit, base, len(SUNS), PROFILE)
            if words == SUNS:
                return base
    return None


def _walk(unit: int, address: int) -> Generator[Frame, Words | None, dict[int, tuple[int, int]]]:
    """Return address and length of the first model of each number, up to the end model.

    A map that has no end model ends where nothing can be read any more, or with the addresses.
    """
    models: dict[int, tuple[int, int]] = {}
    for _ in range(_MOST_MODELS):
        if address + _HEADER - 1 > _LAST_ADDRESS:
            break
        header = yield _read(unit, address, _HEADER, "model")
        if header is None or header[0] == END:
            break
        model, length = header
        following = address + _HEADER + length
        if following - 1 <= _LAST_ADDRESS:
            models.setdefault(model, (address, length))
        address = following
    return models


def _texts(unit: int, address: int, length: int) -> Survey:
    facts: dict[str, str] = {}
    for name, offset, size in _TEXTS:
        if offset + size <= length + _HEADER:
            words = yield _read(unit, address + offset, size, name)
            facts[name] = _text(words or ())
    return {name: text for name, text in facts.items() if text}


def _text(words: Words) -> str:
    octets = b"".join(word.to_bytes(2, "big") for word in words)
    text = octets.split(b"\0")[0].decode("ascii", "replace").strip()
    return text if text.isprintable() else ""


def _points(unit: int, model: int, address: int, length: int) -> Survey:
    """Return the points of a model that are implemented; the value of those that are fixed."""
    points = [one for one in POINTS[model] if _end(one) <= length + _HEADER]
    if not points:
        return {}
    first = points[0].offset
    count = min(_end(points[-1]) - first, _MOST_READ)
    words = yield _read(unit, address + first, count, f"model {model}")
    facts: dict[str, str] = {}
    for point in points:
        start = point.offset - first
        raw = raw_of(
            register_at(point, 0), (words or ())[start : start + _size(point)] or _none(point)
        )
        if raw is not None:
            facts[f"{model}.{point.name}"] = str(raw) if point.fixed else ""
    return facts


def _none(point: Point) -> Words:
    return (point.nan >> 16, point.nan & 0xFFFF)[-_size(point) :]


def _size(point: Point) -> int:
    return register_at(point, 0).count


def _end(point: Point) -> int:
    return point.offset + _size(point)


def register_at(point: Point, model_address: int) -> Register:
    """Return a point of a model as a register, its role the point's name."""
    address = model_address + point.offset
    return Register(point.name, address, point.type, nan=point.nan)


def _read(unit: int, address: int, count: int, role: str) -> Frame:
    body: dict[str, object] = {
        "unit": unit,
        "space": "holding",
        "address": address,
        "count": count,
        "function": 3,
        "role": role,
    }
    return Frame("read", body, control=False)
