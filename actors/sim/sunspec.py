"""A simulated battery with a SunSpec map: models 1, 103, 124 and 802, or those of IEEE 1547."""

from collections.abc import Mapping
from typing import Any, Final

from actors.profiles import register_profile
from actors.sim.battery import SimBattery
from engine.adapters.registers import RegisterProfile
from engine.adapters.sunspec import (
    AC_CONTROLS,
    AC_MEASUREMENT,
    AC_RATINGS,
    BATTERY,
    CAPACITY,
    COMMON,
    END,
    STORAGE,
    SUNS,
    survey,
)
from engine.adapters.sunspec_profile import profile_from

SUNSPEC: Final[Mapping[str, int]] = {"sunspec": STORAGE, "sunspec-704": AC_CONTROLS}
"""The maps that can be simulated, by name: the model that the battery is controlled by."""
_INVERTER: Final = 103
_ALARM_TEXT: Final = 123
_TEXTS: Final = {2: "Setpoint", 18: "Simulated battery", 42: "1.0", 50: "SIM-0001"}
_LENGTHS: Final[Mapping[int, int]] = {
    COMMON: 66,
    _INVERTER: 50,
    STORAGE: 24,
    AC_MEASUREMENT: 153,
    AC_RATINGS: 50,
    AC_CONTROLS: 65,
    CAPACITY: 7,
    BATTERY: 62,
}
_VALUES: Final[Mapping[int, Mapping[int, int]]] = {
    _INVERTER: {14: 0, 15: 0},
    STORAGE: {2: 6_000, 5: 0, 8: 0, 11: 6, 12: 0, 13: 0, 15: 0, 18: 1, 22: -2, 25: -2},
    BATTERY: {11: 0, 16: 6, 47: 0, 56: -1, 63: 1},
    AC_MEASUREMENT: {10: 0, 116: 1},
    AC_RATINGS: {10: 6_000, 11: 6_000, 45: 1},
    AC_CONTROLS: {**dict.fromkeys(range(22, 28), 0), 30: 0, 31: 0, 32: 0, 55: 0},
    CAPACITY: {4: 0, 8: -1},
}
"""By offset from the model's number: 60 kW, in the units that the scale factors give."""
_SIGNED: Final[Mapping[int, frozenset[int]]] = {
    _INVERTER: frozenset({6, 13, 14, 15, *range(17, 24), 26, 28, 30, *range(31, 38)}),
    STORAGE: frozenset({12, 13, *range(18, 26)}),
    AC_MEASUREMENT: frozenset(
        {*range(10, 15), *range(35, 46), *range(64, 69), *range(87, 92), *range(113, 123)}
    ),
    AC_RATINGS: frozenset(range(45, 52)),
    AC_CONTROLS: frozenset({24, 26, 28, 29, 38, 40, 42, 43, *range(53, 59)}),
    CAPACITY: frozenset({7, 8}),
    BATTERY: frozenset({44, 47, 49, *range(52, 64)}),
}
"""The words that are 0x8000 where they are not implemented, or begin with it."""
_CHAINS: Final[Mapping[int, tuple[int, ...]]] = {
    STORAGE: (COMMON, _INVERTER, STORAGE, BATTERY),
    AC_CONTROLS: (COMMON, AC_MEASUREMENT, AC_RATINGS, AC_CONTROLS, CAPACITY),
}


def sunspec_words(
    control: int = STORAGE,
    base: int = 40_000,
    changes: Mapping[tuple[int, int], int] | None = None,
) -> dict[int, int]:
    """Return the words of a map by address; what is not said is not implemented.

    ``control`` is the model to control it by, 124 or 704. ``changes`` are values by model and
    offset from its number.
    """
    words = dict(enumerate(SUNS, base))
    address = base + len(SUNS)
    for model in _CHAINS[control]:
        length = _LENGTHS[model]
        words |= {address + offset: _nothing(model, offset) for offset in range(2, length + 2)}
        words |= {address: model, address + 1: length}
        changed = {at: word for (of, at), word in (changes or {}).items() if of == model}
        values = {**_VALUES.get(model, {}), **changed}
        words |= {address + offset: value & 0xFFFF for offset, value in values.items()}
        if model == COMMON:
            words |= {address + offset: word for offset, word in _texts().items()}
        address += length + 2
    return words | {address: END, address + 1: 0}


def sunspec_battery(control: int = STORAGE, base: int = 40_000, **keys: Any) -> SimBattery:  # noqa: ANN401 - of SimBattery
    """Return a battery whose map is to be found; see `sunspec_words`."""
    words = sunspec_words(control, base)
    battery = SimBattery(profile_of(words), **keys)
    battery.add_words(words)
    return battery


def simulated(name: str, unit: int = 1, **keys: Any) -> SimBattery:  # noqa: ANN401 - of SimBattery
    """Return a battery of a register profile, or of a SunSpec map, by the name of either.

    Raises:
        SiteRefused: there is none of this name, or its file has problems.
    """
    if name in SUNSPEC:
        return sunspec_battery(SUNSPEC[name], unit=unit, **keys)
    return SimBattery(register_profile(name), unit, **keys)


def profile_of(words: Mapping[int, int]) -> RegisterProfile:
    """Return the register profile that a map leads to."""
    reading = survey(1)
    frame = next(reading)
    while True:
        address, count = (int(str(frame.body[key])) for key in ("address", "count"))
        told = tuple(words.get(address + place, -1) for place in range(count))
        try:
            frame = reading.send(None if -1 in told else told)
        except StopIteration as done:
            return profile_from(done.value)


def _nothing(model: int, offset: int) -> int:
    """Return the pattern of a word that is not implemented."""
    if model == COMMON or (model == AC_MEASUREMENT and offset >= _ALARM_TEXT):
        return 0
    return 0x8000 if offset in _SIGNED[model] else 0xFFFF


def _texts() -> dict[int, int]:
    found: dict[int, int] = {}
    for offset, text in _TEXTS.items():
        octets = text.encode() + bytes(len(text) % 2)
        for place in range(0, len(octets), 2):
            found[offset + place // 2] = int.from_bytes(octets[place : place + 2], "big")
    return found
