"""What the built-in profiles put on the wire, word by word as the vendors' documents have it."""

import struct
from typing import Final, TypeAlias

import pytest

from engine.adapters.base import Answer, StateReported
from engine.adapters.device import Device
from engine.adapters.explained import (
    explained,
    fail_safe,
    lapses_after_s,
    told,
    told_otherwise,
    writes_json,
)
from engine.adapters.profile import BUILTIN, builtin
from engine.adapters.readings import misfit, observations

Writes: TypeAlias = list[tuple[int, list[int]]]
LEASE_S: Final = 900.0


def little_float(value: float) -> list[int]:
    """Return a float's words, the low one first."""
    high, low = struct.unpack(">HH", struct.pack(">f", value))
    return [low, high]


CHARGE_2300: Final[dict[str, Writes]] = {
    "generic-battery": [(20, [2_300]), (21, [0])],
    "victron-gx": [(37, [2_300])],
    "kostal-plenticore": [(1_034, little_float(-2_300.0))],
    "sma-sunny-island": [(40_149, [0xFFFF, 0x10000 - 2_300, 0, 802])],
    "goodwe-et": [(47_512, [2_300]), (47_511, [11])],
    "sungrow-sh": [(13_051, [2_300]), (13_049, [2]), (13_050, [0xAA])],
    "marstek-venus": [(42_000, [0x55AA]), (42_020, [2_300]), (42_010, [1]), (42_021, [0])],
    "huawei-luna2000": [
        (47_246, [0]),
        (47_083, [15]),
        (47_247, [0, 2_300]),
        (47_100, [1]),
        (47_249, [0, 0]),
    ],
    "solaredge-storedge": [
        (0xE004, [4]),
        (0xE00B, [900, 0]),
        (0xE00E, little_float(2_300.0)),
        (0xE00D, [3]),
        (0xE010, [0, 0]),
    ],
    "alpha-ess-smile": [
        (0x0885, [2]),
        (0x0881, [0, 32_000 - 2_300]),
        (0x0886, [250]),
        (0x0887, [0, 900]),
        (0x0880, [1]),
    ],
}
RELEASE: Final[dict[str, Writes]] = {
    "generic-battery": [(20, [0]), (21, [0])],
    "victron-gx": [(37, [0])],
    "kostal-plenticore": [(1_034, [0, 0])],
    "sma-sunny-island": [(40_151, [0, 803])],
    "goodwe-et": [(47_512, [0]), (47_511, [1])],
    "sungrow-sh": [(13_050, [0xCC]), (13_049, [0])],
    "marstek-venus": [(42_010, [0]), (42_000, [0x55BB])],
    "huawei-luna2000": [(47_100, [0])],
    "solaredge-storedge": [(0xE00D, [7])],
    "alpha-ess-smile": [(0x0880, [0])],
}
NO_TIMEOUT: Final = {"goodwe-et", "marstek-venus", "sungrow-sh"}


def written(name: str, *, release: bool = False) -> Writes:
    """Return address and words of what charges with 2.3 kW, or hands the device back."""
    device = Device(builtin(name), 1, LEASE_S)
    frames = device.release() if release else device.pair(2_300, 0)
    return [
        (one.body["address"], one.body["values"])  # type: ignore[misc]  # a frame's body
        for one in frames
        if one.control
    ]


@pytest.mark.parametrize("name", BUILTIN)
def test_the_words_are_those_of_the_document(name: str) -> None:
    """In this order; the switch that starts it comes after what it starts."""
    assert CHARGE_2300[name] == written(name)
    assert RELEASE[name] == written(name, release=True)


@pytest.mark.parametrize("name", BUILTIN)
def test_what_happens_without_the_engine_is_told(name: str) -> None:
    """A time-out of its own, a timer that is written, or nothing at all."""
    after_s = lapses_after_s(builtin(name), LEASE_S)
    assert (after_s is None) is (name in NO_TIMEOUT)
    assert ("holds what it was told last" in fail_safe(builtin(name), LEASE_S)) is (
        name in NO_TIMEOUT
    )


def test_the_fail_safe_is_a_sentence() -> None:
    """A heartbeat, a repeated setpoint, a timer by the lease."""
    assert [fail_safe(builtin(one), 120.0) for one in BUILTIN if one not in NO_TIMEOUT][:4] == [
        "heartbeat is written every 30 s; 60 s without it, it is on its own",
        "its own timer is written with each setpoint: 120 s, then it is on its own",
        "its own timer is written with each setpoint: 120 s, then it is on its own",
        "the setpoint is written every 30 s; 60 s without it, it is on its own",
    ]


def test_each_mode_is_explained() -> None:
    """With an example of 1 kW; what is kept in flash is written only if it differs."""
    modes = explained(builtin("solaredge-storedge"), 1, LEASE_S)
    assert list(modes) == ["charge 1000 W", "discharge 1000 W", "idle", "release"]
    assert all(frame.control for frames in modes.values() for frame in frames)
    rows = writes_json(modes)["idle"]
    assert rows == [
        {
            "role": "storage_control_mode",
            "address": 0xE004,
            "values": [4],
            "function": 6,
            "only_if_different": True,
        },
        *rows[1:],  # type: ignore[index]  # a list of rows
    ]


@pytest.mark.parametrize(
    ("role", "words", "value", "verdict"),
    [
        ("model_id", (802,), 802.0, "ok"),
        ("model_id", (803,), 803.0, "not 802: another device"),
        ("soc_pct", (505,), 50.5, "ok"),
        ("soc_pct", (1_500,), 150.0, "not plausible"),
        ("state", (1,), 1.0, "ok"),
        ("state", (9,), 9.0, "9 is no state of the profile"),
    ],
)
def test_what_a_register_tells_is_judged(
    role: str, words: tuple[int, ...], value: float, verdict: str
) -> None:
    """As a value, and by what is possible for it."""
    found = told(builtin("generic-battery").register(role), words)
    assert (found.value, found.verdict, found.is_good) == (value, verdict, verdict == "ok")


def test_no_value_is_no_good_value() -> None:
    """Neither the register's own pattern for it, nor silence."""
    register = builtin("huawei-luna2000").register("power_w")
    assert told(register, (0x7FFF, 0xFFFF)).verdict == "no value (NaN)"
    assert told_otherwise(register, "no answer in 3 s").is_good is False


def test_a_power_beyond_belief_is_no_power() -> None:
    """Vendors say "no value" by all kinds of numbers."""
    power = builtin("solaredge-storedge").register("power_w")
    assert told(power, (0xFFFF, 0xFF7F)).verdict == "no value (NaN)"
    assert told(power, (0xFFFF, 0x7F7F)).verdict == "not plausible"
    assert told(power, tuple(little_float(-2_500.0))).value == -2_500.0


def test_any_register_may_say_whether_the_device_fits() -> None:
    """Kostal's battery management has to be external."""
    profile = builtin("kostal-plenticore")
    values = ({"space": "holding", "address": 1_080, "words": [0]},)
    assert misfit(profile, Answer("", values=values)) == (
        "battery_management_mode is 0, profile kostal-plenticore fits 2"
    )
    greeting = Device(profile, 71).poll(greeting=True)
    assert 1_080 in [one.body["address"] for one in greeting]


@pytest.mark.parametrize(
    ("raw", "state"), [(0b11, "CHARGING"), (0x104, "DISCHARGING"), (1, "IDLE")]
)
def test_a_state_may_be_some_bits_of_a_register(raw: int, state: str) -> None:
    """The others say something else."""
    values = ({"space": "input", "address": 13_000, "words": [raw]},)
    (seen, *_) = observations(builtin("sungrow-sh"), Answer("", values=values), 100)
    assert isinstance(seen, StateReported)
    assert seen.state == state
