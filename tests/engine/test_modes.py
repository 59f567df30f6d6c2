"""Ways in which batteries hold a setpoint: modes, amounts, bounds, timers, blocks."""

from collections.abc import Mapping
from datetime import UTC, datetime
from fractions import Fraction
from typing import Any

import attrs
import pytest

from engine.adapters.base import Answer, AssetView, Frame, SetpointRead
from engine.adapters.device import Device
from engine.adapters.modbus import ModbusOptions, ModbusSpelling
from engine.adapters.readings import observations
from engine.adapters.registers import ModeWrite, Persistent, Register, RegisterProfile
from engine.commands import Attempt, Cause, CauseKind, Command, CommandType
from engine.types import AssetId, AssetKind, CommandId

NOW = datetime(2026, 1, 5, 12, tzinfo=UTC)
MODE = Register("mode", 10, "u16", writable=True)
TIMER = Register("timer", 11, "u16", writable=True, scale=Fraction(60), minimum=Fraction(60))
POWER = Register("power_setpoint_w", 12, "u16", writable=True, maximum=Fraction(5_000))
AMOUNT = RegisterProfile(
    "amount",
    "a test",
    (MODE, TIMER, POWER),
    control="amount",
    modes={
        "charge": (
            ModeWrite("timer", None, "lease"),
            ModeWrite("power_setpoint_w", None),
            ModeWrite("mode", Fraction(11)),
        ),
        "discharge": (ModeWrite("mode", Fraction(12)),),
        "idle": (ModeWrite("mode", Fraction(8)),),
        "release": (ModeWrite("mode", Fraction(1)),),
    },
)
BOUND = Register(
    "charge_setpoint_w",
    21,
    "i16",
    writable=True,
    minimum=Fraction(-5_000),
    maximum=Fraction(4_000),
    write_function=16,
)
BOUNDS = RegisterProfile(
    "bounds",
    "a test",
    (
        attrs.evolve(MODE, write_function=16),
        BOUND,
        attrs.evolve(BOUND, role="discharge_setpoint_w", address=20, maximum=Fraction(3_000)),
    ),
    control="bounds",
    modes={
        mode: (
            ModeWrite("discharge_setpoint_w", None),
            ModeWrite("charge_setpoint_w", None),
            ModeWrite("mode", Fraction(3)),
        )
        for mode in ("charge", "discharge", "idle")
    },
    block_writes=True,
)
SPELLING = ModbusSpelling({one.name: one for one in (AMOUNT, BOUNDS)})


def written(frames: tuple[Frame, ...]) -> list[tuple[object, object]]:
    """Return address and words of each write, in order."""
    return [(one.body["address"], one.body["values"]) for one in frames if one.control]


def read(profile: RegisterProfile, words: Mapping[int, int]) -> tuple[SetpointRead, ...]:
    """Return what registers with these words say of the setpoint."""
    values = tuple(
        {"space": "holding", "address": address, "words": [word & 0xFFFF]}
        for address, word in words.items()
    )
    seen = observations(profile, Answer("", values=values), 100)
    return tuple(one for one in seen if isinstance(one, SetpointRead))


def pair_of(profile: RegisterProfile, words: Mapping[int, int]) -> tuple[object, ...]:
    """Return charge and discharge power in kW, and whether the device is on its own."""
    (one,) = read(profile, words)
    return one.charge_kw, one.discharge_kw, one.released


def view(profile: RegisterProfile) -> AssetView:
    """Return a battery of a profile."""
    options = ModbusOptions("127.0.0.1", 5020, 1, profile.name)
    return AssetView(AssetId("ast_b"), AssetKind.BATTERY, "IDLE", options=options)


class TestAmount:
    """One register without a sign; the mode says where the power goes."""

    def test_the_mode_says_the_direction(self) -> None:
        """The amount is the same word for both."""
        device = Device(AMOUNT, 1, 900.0)
        assert written(device.pair(700, 0)) == [(11, [15]), (12, [700]), (10, [11])]
        assert written(device.pair(0, 700)) == [(10, [12]), (12, [700])]
        assert written(device.pair(0, 0)) == [(10, [8]), (12, [0])]
        assert written(device.release()) == [(10, [1])]

    @pytest.mark.parametrize(("lease_s", "raw"), [(900.0, 15), (119.0, 1), (5.0, 1), (None, 1)])
    def test_a_timer_is_never_longer_than_the_lease(self, lease_s: float | None, raw: int) -> None:
        """Rounded down to what the register can hold, its least at the least."""
        assert written(Device(AMOUNT, 1, lease_s).pair(700, 0))[0] == (11, [raw])

    def test_an_attempt_gives_its_lease(self) -> None:
        """The command's own, in seconds."""
        cause = Cause(CauseKind.SCHEDULE)
        command = Command(
            CommandId("cmd_1"), AssetId("ast_b"), CommandType.SET_CHARGE_RATE, 0.7, NOW, cause
        )
        attempt = Attempt("att_1", 1, 0, NOW, 120.0, 0.0, 0.7, 0.0)
        payload = SPELLING.translate(command, view(AMOUNT), attempt)
        assert written(payload.frames)[0] == (11, [2])
        assert payload.applied_kw == 0.7

    def test_what_tells_the_setpoint_is_read_back(self) -> None:
        """The mode is a part of it, the timer counts down."""
        reads = [one.body for one in Device(AMOUNT, 1).pair(0, 0) if not one.control]
        assert [(one["address"], one["count"]) for one in reads] == [(10, 1), (12, 1)]

    @pytest.mark.parametrize(
        ("mode", "held"),
        [
            (11, (0.7, 0.0, False)),
            (12, (0.0, 0.7, False)),
            (8, (0.0, 0.0, False)),
            (1, (None, None, True)),
        ],
    )
    def test_a_reading_means_what_its_mode_says(self, mode: int, held: tuple[object, ...]) -> None:
        """In a mode of its own the device holds nothing of ours, whatever the amount."""
        assert held == pair_of(AMOUNT, {10: mode, 12: 700})

    def test_half_an_answer_tells_nothing(self) -> None:
        """An amount alone fits every mode, a mode alone has no amount."""
        assert read(AMOUNT, {10: 11}) == ()

    def test_limits_and_sharing(self) -> None:
        """Both directions have the amount's limit; they are written together."""
        assert SPELLING.limits_w(view(AMOUNT).options) == (5_000, 5_000)
        assert SPELLING.shared_register(view(AMOUNT).options)


class TestBounds:
    """Two bounds that meet at a power force it."""

    @pytest.mark.parametrize(
        ("pair", "bounds"), [((700, 0), [-700, 700]), ((0, 700), [700, -700]), ((0, 0), [0, 0])]
    )
    def test_both_bounds_are_one_write(self, pair: tuple[int, int], bounds: list[int]) -> None:
        """Neighbours go out together, so that they never cross; the mode is no neighbour."""
        words = [one & 0xFFFF for one in bounds]
        assert written(Device(BOUNDS, 1).pair(*pair)) == [(20, words), (10, [3])]

    @pytest.mark.parametrize(
        ("words", "held"),
        [
            ({10: 3, 20: -700, 21: 700}, (0.7, 0.0, False)),
            ({10: 3, 20: 700, 21: -700}, (0.0, 0.7, False)),
            ({10: 3, 20: 3_000, 21: 4_000}, (None, None, True)),
            ({10: 0, 20: -700, 21: 700}, (None, None, True)),
        ],
    )
    def test_bounds_with_a_choice_between_them_hold_nothing(
        self, words: dict[int, int], held: tuple[object, ...]
    ) -> None:
        """They are limits then, and the device is on its own within them."""
        assert held == pair_of(BOUNDS, words)

    def test_each_direction_has_its_own_limit(self) -> None:
        """The greatest value of each bound."""
        assert SPELLING.limits_w(view(BOUNDS).options) == (4_000, 3_000)


class TestBlocks:
    @pytest.mark.parametrize(
        "change",
        [
            {"write_function": 6},
            {"address": 23},
            {"persistent": Persistent(60.0, 10)},
        ],
    )
    def test_what_cannot_be_joined_goes_out_alone(self, change: dict[str, Any]) -> None:
        """Another function code, a gap, or a register that is written only if it differs."""
        *others, last = BOUNDS.registers
        second = attrs.evolve(BOUND, **{"address": 21, **change})
        registers = (others[0], second, last)
        frames = Device(attrs.evolve(BOUNDS, registers=registers), 1).pair(700, 0)
        assert len(written(frames)) == 3

    def test_a_block_does_not_begin_with_what_is_kept_in_flash(self) -> None:
        """It may have to be left out."""
        mode, charge, discharge = BOUNDS.registers
        kept = attrs.evolve(discharge, persistent=Persistent(60.0, 10))
        frames = Device(attrs.evolve(BOUNDS, registers=(mode, charge, kept)), 1).pair(700, 0)
        assert [one.body.get("persistent") for one in frames if one.control] == [
            [60.0, 10],
            None,
            None,
        ]
        assert frames[0].body["reads"] == frames[0].body["values"]


class TestWriteOnly:
    def test_a_device_that_cannot_tell_is_not_asked(self) -> None:
        """Nothing is read back; the acknowledgement is all the evidence there is."""
        silent = attrs.evolve(POWER, readable=False)
        profile = attrs.evolve(
            AMOUNT, registers=(attrs.evolve(MODE, readable=False), TIMER, silent)
        )
        spelling = ModbusSpelling({"amount": profile})
        assert all(one.control for one in Device(profile, 1).pair(700, 0))
        assert spelling.questions(view(AMOUNT)) == ()
        assert read(profile, {}) == ()
