from datetime import UTC, datetime
from fractions import Fraction

import attrs
import pytest
from msgspec.structs import replace

from engine.adapters.base import (
    Answer,
    AssetView,
    Frame,
    Observation,
    Payload,
    PowerMeasured,
    SetpointRead,
    StateReported,
    Unreadable,
)
from engine.adapters.device import Device, reads
from engine.adapters.modbus import ModbusOptions, ModbusSpelling
from engine.adapters.profile import builtin
from engine.adapters.readings import misfit, observations
from engine.adapters.registers import ModeWrite, Register, RegisterProfile
from engine.commands import Attempt, Cause, CauseKind, Command, CommandType
from engine.errors import Untranslatable, UsageError
from engine.types import AssetId, AssetKind, CommandId

NOW = datetime(2026, 1, 5, 12, tzinfo=UTC)
PAIR = builtin("generic-battery")
SIGNED = attrs.evolve(PAIR, name="signed", control="signed")
REVERSED = attrs.evolve(SIGNED, name="reversed", charge_sign=-1)
MODE = Register("mode", 7, "u16", writable=True)
MODES = attrs.evolve(
    PAIR,
    name="modes",
    registers=(*PAIR.registers, MODE),
    modes={
        "charge": (ModeWrite("mode", Fraction(1)),),
        "discharge": (ModeWrite("mode", Fraction(2)), ModeWrite("discharge_setpoint_w", None)),
        "idle": (ModeWrite("mode", Fraction(0)),),
        "release": (ModeWrite("mode", Fraction(9)), ModeWrite("charge_setpoint_w", None)),
    },
)
COARSE = attrs.evolve(
    PAIR,
    name="coarse",
    registers=tuple(
        attrs.evolve(one, scale=Fraction(100), step=None, maximum=Fraction(5_000))
        if one in PAIR.setpoints
        else one
        for one in PAIR.registers
    ),
)
SPELLING = ModbusSpelling(
    {one.name: one for one in (PAIR, SIGNED, REVERSED, MODES, COARSE)},
)


def view(profile: RegisterProfile = PAIR, **known: float | None) -> AssetView:
    """Return a battery of a profile; ``known`` says what it is known to hold."""
    options = ModbusOptions("127.0.0.1", 5020, 3, profile.name)
    battery = AssetView(AssetId("ast_batt_001"), AssetKind.BATTERY, "IDLE", options=options)
    return replace(battery, **known)


def command(kind: CommandType, value_kw: float | None = None, **arguments: object) -> Command:
    """Return a command for the battery."""
    cause = Cause(CauseKind.SCHEDULE)
    return Command(
        CommandId("cmd_1"), AssetId("ast_batt_001"), kind, value_kw, NOW, cause, arguments=arguments
    )


def attempt(
    charge_kw: float | None = None, discharge_kw: float | None = None, form: int = 0
) -> Attempt:
    """Return a first attempt with the pair that results."""
    return Attempt("att_1", 1, form, NOW, 900.0, 0.0, charge_kw, discharge_kw)


def written(payload: Payload) -> list[tuple[object, object]]:
    """Return role and words of each write, in order."""
    return [(one.body["role"], one.body["values"]) for one in payload.frames if one.control]


def charge(
    profile: RegisterProfile, charge_kw: float, discharge_kw: float = 0.0, **known: float | None
) -> Payload:
    """Return how a charge rate is spelled."""
    wanted = command(CommandType.SET_CHARGE_RATE, charge_kw)
    return SPELLING.translate(wanted, view(profile, **known), attempt(charge_kw, discharge_kw))


def discharge(
    profile: RegisterProfile, discharge_kw: float, charge_kw: float = 0.0, **known: float | None
) -> Payload:
    """Return how a discharge rate is spelled."""
    wanted = command(CommandType.SET_DISCHARGE_RATE, discharge_kw)
    return SPELLING.translate(wanted, view(profile, **known), attempt(charge_kw, discharge_kw))


class TestRates:
    def test_a_rate_is_one_write_and_its_read_back(self) -> None:
        """With the other channel known, one register is written, and both are read."""
        assert charge(PAIR, 2.315, held_discharge_kw=0.0) == Payload(
            (
                Frame(
                    "write",
                    {
                        "unit": 3,
                        "space": "holding",
                        "address": 20,
                        "values": [2_315],
                        "function": 6,
                        "role": "charge_setpoint_w",
                    },
                ),
                Frame(
                    "read",
                    {
                        "unit": 3,
                        "space": "holding",
                        "address": 20,
                        "count": 2,
                        "function": 3,
                        "role": "charge_setpoint_w, discharge_setpoint_w",
                    },
                    control=False,
                ),
            ),
            2.315,
        )

    def test_a_channel_that_is_not_known_is_written_zero_first(self) -> None:
        """Without it the device might charge and discharge at once."""
        payload = charge(PAIR, 2.0)
        assert written(payload) == [("discharge_setpoint_w", [0]), ("charge_setpoint_w", [2_000])]
        payload = discharge(PAIR, 2.0)
        assert written(payload) == [("charge_setpoint_w", [0]), ("discharge_setpoint_w", [2_000])]

    def test_a_channel_that_holds_something_else_is_written_first(self) -> None:
        """The pair that results is the attempt's, whatever was held."""
        payload = charge(PAIR, 2.0, held_discharge_kw=1.5)
        assert written(payload) == [("discharge_setpoint_w", [0]), ("charge_setpoint_w", [2_000])]
        payload = charge(PAIR, 0.0, discharge_kw=3.0)
        assert written(payload) == [("discharge_setpoint_w", [3_000]), ("charge_setpoint_w", [0])]

    def test_without_a_pair_the_commands_own_value_counts(self) -> None:
        """A caller that gives no pair sets one channel, and the other to zero."""
        wanted = command(CommandType.SET_CHARGE_RATE, 1.0)
        payload = SPELLING.translate(wanted, view(), attempt())
        assert written(payload) == [("discharge_setpoint_w", [0]), ("charge_setpoint_w", [1_000])]

    def test_the_applied_value_is_rounded_towards_zero_and_clipped(self) -> None:
        """Steps of 100 W: 2.399 kW is 2.3 kW; more than the register takes is its most."""
        payload = charge(COARSE, 2.399, held_discharge_kw=0.0)
        assert (written(payload), payload.applied_kw) == ([("charge_setpoint_w", [23])], 2.3)
        assert charge(COARSE, 7.0, held_discharge_kw=0.0).applied_kw == 5.0

    def test_one_signed_register_holds_charge_minus_discharge(self) -> None:
        """One frame for the pair; the sign is the profile's."""
        assert written(charge(SIGNED, 2.0)) == [("power_setpoint_w", [0, 2_000])]
        assert written(discharge(SIGNED, 2.0)) == [("power_setpoint_w", [0xFFFF, 0xF830])]
        assert written(charge(REVERSED, 2.0)) == [("power_setpoint_w", [0xFFFF, 0xF830])]
        assert charge(SIGNED, 2.0).applied_kw == 2.0
        assert discharge(REVERSED, 2.0).applied_kw == 2.0
        assert charge(SIGNED, 0.0, discharge_kw=2.0).applied_kw == 0.0

    def test_a_mode_is_written_before_the_setpoint(self) -> None:
        """The mode follows from the pair that results."""
        payload = charge(MODES, 2.0, held_discharge_kw=0.0)
        assert written(payload) == [("mode", [1]), ("charge_setpoint_w", [2_000])]
        payload = charge(MODES, 0.0, held_discharge_kw=0.0)
        assert written(payload) == [("mode", [0]), ("charge_setpoint_w", [0])]

    def test_a_mode_may_say_when_the_setpoint_is_written(self) -> None:
        """``value = "setpoint"`` in a sequence is the write itself; it is not done twice."""
        payload = discharge(MODES, 2.0, held_charge_kw=0.0)
        assert written(payload) == [("mode", [2]), ("discharge_setpoint_w", [2_000])]

    def test_a_mode_may_write_the_power_without_its_sign(self) -> None:
        """A register of another role gets the amount."""
        modes = {"discharge": (ModeWrite("mode", None),)}
        device = Device(attrs.evolve(MODES, modes=modes), 1)
        assert written(Payload(device.pair(0, 700)))[0] == ("mode", [700])

    @pytest.mark.parametrize("value_kw", [None, float("nan"), float("inf"), -1.0])
    def test_what_is_no_power_is_not_spelled(self, value_kw: float | None) -> None:
        """Nothing, NaN, infinity and negatives have no registers."""
        wanted = command(CommandType.SET_CHARGE_RATE, value_kw)
        with pytest.raises(Untranslatable, match="is not a power"):
            SPELLING.translate(wanted, view(), attempt())

    def test_charge_and_discharge_at_once_is_not_spelled(self) -> None:
        """Not even when somebody asks for it."""
        with pytest.raises(Untranslatable, match="at once"):
            charge(PAIR, 1.0, discharge_kw=1.0)

    def test_a_refused_write_has_no_other_form(self) -> None:
        """The ladder of forms is OCPP's."""
        wanted = command(CommandType.SET_CHARGE_RATE, 1.0)
        with pytest.raises(Untranslatable, match="one form"):
            SPELLING.translate(wanted, view(), attempt(1.0, 0.0, form=1))


class TestOtherCommands:
    def test_stop_is_the_pair_of_zeros(self) -> None:
        """In the idle mode, where there is one."""
        zeros = [("charge_setpoint_w", [0]), ("discharge_setpoint_w", [0])]
        stop = command(CommandType.STOP_CHARGING)
        assert written(SPELLING.translate(stop, view(), attempt())) == zeros
        payload = SPELLING.translate(stop, view(MODES), attempt())
        assert written(payload) == [("mode", [0]), *zeros]
        payload = SPELLING.translate(stop, view(SIGNED), attempt())
        assert written(payload) == [("power_setpoint_w", [0, 0])]
        assert payload.applied_kw is None

    def test_release_is_the_profiles_writes_or_the_pair_of_zeros(self) -> None:
        """Handing back is not stopping, where the device knows the difference."""
        release = command(CommandType.RELEASE)
        payload = SPELLING.translate(release, view(MODES), attempt())
        assert written(payload) == [("mode", [9]), ("charge_setpoint_w", [0])]
        payload = SPELLING.translate(release, view(), attempt())
        assert written(payload) == [("charge_setpoint_w", [0]), ("discharge_setpoint_w", [0])]

    @pytest.mark.parametrize("kind", [CommandType.START_CHARGING, CommandType.CHANGE_AVAILABILITY])
    def test_what_a_battery_cannot_is_not_spelled(self, kind: CommandType) -> None:
        """Both are a charger's."""
        with pytest.raises(Untranslatable, match=f"a battery cannot {kind.value}"):
            SPELLING.translate(command(kind), view(), attempt())

    @pytest.mark.parametrize(
        ("action", "payload", "frame"),
        [
            (
                "write_register",
                {"address": 7, "value": 2},
                ("write", {"space": "holding", "address": 7, "values": [2], "function": 6}, True),
            ),
            (
                "write_registers",
                {"address": 7, "values": [1, 2]},
                (
                    "write",
                    {"space": "holding", "address": 7, "values": [1, 2], "function": 16},
                    True,
                ),
            ),
            (
                "read_registers",
                {"address": 7},
                ("read", {"space": "holding", "address": 7, "count": 1, "function": 3}, False),
            ),
            (
                "read_registers",
                {"address": 7, "count": 2, "space": "input"},
                ("read", {"space": "input", "address": 7, "count": 2, "function": 4}, False),
            ),
        ],
    )
    def test_a_call_is_one_frame_as_asked(
        self, action: str, payload: dict[str, object], frame: tuple[str, dict[str, object], bool]
    ) -> None:
        """An operator may read and write any register by its address."""
        call = command(CommandType.CALL, action=action, payload=payload)
        name, body, control = frame
        expected = Frame(name, {"unit": 3, **body, "role": "call"}, control)
        assert SPELLING.translate(call, view(), attempt()).frames == (expected,)

    @pytest.mark.parametrize(
        ("action", "payload"),
        [
            ("reset", {"address": 7}),
            ("write_register", {}),
            ("write_register", {"address": 7}),
            ("write_register", {"address": -1, "value": 2}),
            ("write_register", {"address": 7, "value": 65_536}),
            ("write_register", {"address": 7, "value": 2.0}),
            ("write_registers", {"address": 7, "values": 2}),
            ("write_registers", {"address": 7, "values": []}),
            ("write_registers", {"address": 7, "values": [1] * 124}),
            ("write_registers", {"address": 7, "values": [True]}),
            ("read_registers", {"address": 7, "count": 126}),
            ("read_registers", [7]),
        ],
    )
    def test_a_call_that_no_frame_can_carry_is_refused(self, action: str, payload: object) -> None:
        """Before anything is sent, as pymodbus would fail in the middle of it."""
        call = command(CommandType.CALL, action=action, payload=payload)
        with pytest.raises(Untranslatable):
            SPELLING.translate(call, view(), attempt())

    def test_a_heartbeat_is_no_control_frame(self) -> None:
        """It changes nothing that the device does."""
        frame = Device(PAIR, 3).heartbeat("heartbeat", 7)
        assert (frame.control, frame.body["values"]) == (False, [7])


class TestProfileOfAnAsset:
    def test_the_engine_learns_steps_limits_and_shared_registers(self) -> None:
        """What only the profile knows of an asset."""
        options = {one.name: view(one).options for one in (SIGNED, REVERSED, COARSE)}
        assert SPELLING.step_w(options["coarse"]) == 100
        assert SPELLING.step_w(options["signed"]) == 1
        assert SPELLING.limits_w(options["coarse"]) == (5_000, 5_000)
        assert SPELLING.limits_w(options["signed"]) == (60_000, 60_000)
        assert SPELLING.limits_w(options["reversed"]) == (60_000, 60_000)
        assert SPELLING.shared_register(options["signed"])
        assert not SPELLING.shared_register(options["coarse"])
        assert SPELLING.slot_key(options["coarse"]) == "127.0.0.1:5020"
        assert SPELLING.poll_s(options["coarse"]) == 5.0

    def test_an_unknown_profile_names_the_nearest(self) -> None:
        """A slip of the pen in the site file."""
        with pytest.raises(UsageError, match="did you mean 'generic-battery'"):
            SPELLING.profile_of(ModbusOptions("127.0.0.1", profile="generic-batery"))

    def test_options_of_another_adapter_are_refused(self) -> None:
        """Nothing is guessed from them."""
        with pytest.raises(UsageError, match="host, port, unit and profile"):
            SPELLING.profile_of(object())

    @pytest.mark.parametrize(
        "keys",
        [
            {"host": ""},
            {"host": "h", "port": 0},
            {"host": "h", "port": 65_536},
            {"host": "h", "unit": 0},
            {"host": "h", "unit": 256},
            {"host": "h", "profile": ""},
            {"host": "h", "idle_w": -1},
        ],
    )
    def test_options_out_of_range_are_refused(self, keys: dict[str, object]) -> None:
        """Unit 0 is a broadcast that no device answers."""
        with pytest.raises(ValueError, match=r"."):
            ModbusOptions(**keys)  # type: ignore[arg-type]

    def test_an_address_is_marked_so_that_it_is_not_recorded(self) -> None:
        """No host stands in an event."""
        hidden = {one.name for one in attrs.fields(ModbusOptions) if one.metadata.get("address")}
        assert hidden == {"host", "port"}


class TestReads:
    def test_neighbours_are_read_in_one_frame(self) -> None:
        """One read for what lies side by side, so that it is of one moment."""
        (payload,) = SPELLING.questions(view())
        assert [(one.body["address"], one.body["count"]) for one in payload.frames] == [(20, 2)]
        assert not any(one.control for one in payload.frames)

    def test_a_poll_reads_state_power_charge_and_setpoint(self) -> None:
        """And on greeting the model."""
        options = view().options
        polled = [(one.body["address"], one.body["count"]) for one in SPELLING.poll(options).frames]
        assert polled == [(10, 4), (20, 2)]
        greeting = SPELLING.poll(options, greeting=True).frames
        assert next(one.body["role"] for one in greeting) == "model_id"

    def test_spaces_are_read_apart(self) -> None:
        """Function code 4 reads input registers."""
        registers = (Register("power_w", 2, "i32", space="input"), Register("soc_pct", 4, "u16"))
        frames = reads(registers, 1)
        assert [(one.body["function"], one.body["address"]) for one in frames] == [(3, 4), (4, 2)]

    def test_a_frame_reads_125_words_at_most(self) -> None:
        """More does not fit into one answer."""
        registers = [Register(f"r{at}", at, "u16") for at in range(126)]
        assert [one.body["count"] for one in reads(registers, 1)] == [125, 1]


def read(*blocks: tuple[int, list[int]]) -> Answer:
    """Return an answer with these words at these addresses."""
    values = ({"space": "holding", "address": at, "words": words} for at, words in blocks)
    return Answer("raw", values=(*values, {}, "text"))


class TestInterpret:
    def test_a_poll_says_setpoint_state_power_and_charge(self) -> None:
        """In this order, so that the setpoint is known when the rest is acted on."""
        answer = read((10, [505, 2, 0xFFFF, 0xFC18]), (20, [0, 1_000]))
        assert SPELLING.interpret(answer, view()) == (
            SetpointRead(0.0, 1.0, 0.001, "raw"),
            StateReported("DISCHARGING", "2"),
            PowerMeasured(-1.0, soc_pct=50.5),
        )

    def test_a_refused_read_says_nothing(self) -> None:
        """Neither does one of half a value."""
        assert SPELLING.interpret(Answer("", "rejected"), view()) == ()
        assert SPELLING.interpret(read((12, [0]), (21, [5])), view()) == ()

    def test_a_signed_setpoint_is_a_pair(self) -> None:
        """Charging positive, whatever the device's sign."""
        answer = read((22, [0xFFFF, 0xFC18]))
        assert SPELLING.interpret(answer, view(SIGNED)) == (SetpointRead(0.0, 1.0, 0.001, "raw"),)
        assert SPELLING.interpret(answer, view(REVERSED)) == (SetpointRead(1.0, 0.0, 0.001, "raw"),)

    def test_the_step_of_the_device_is_told(self) -> None:
        """Within it, two setpoints are the same."""
        (seen,) = SPELLING.interpret(read((20, [23, 0])), view(COARSE))
        assert seen == SetpointRead(2.3, 0.0, 0.1, "raw")

    def test_an_unknown_state_is_told_as_it_came(self) -> None:
        """The engine keeps the state that it knew."""
        (seen,) = SPELLING.interpret(read((11, [9])), view())
        assert seen == StateReported(None, "9")

    @pytest.mark.parametrize(
        ("word", "state"),
        [(0, "IDLE"), (100, "IDLE"), (101, "CHARGING"), (0xFF9C, "IDLE"), (0xFF9B, "DISCHARGING")],
    )
    def test_without_a_state_register_the_power_tells(self, word: int, state: str) -> None:
        """Up to ``idle_w``, a battery is idle."""
        power = Register("power_w", 12, "i16")
        profile = attrs.evolve(PAIR, registers=(power, *PAIR.setpoints))
        seen = observations(profile, read((12, [word])), 100)
        assert [one.state for one in seen if isinstance(one, StateReported)] == [state]

    def test_without_state_and_power_no_state_is_told(self) -> None:
        """Nothing is inferred from the charge."""
        soc = Register("soc_pct", 12, "u16")
        profile = attrs.evolve(PAIR, registers=(soc, *PAIR.setpoints))
        seen = observations(profile, read((12, [50])), 100)
        assert seen == (PowerMeasured(None, soc_pct=50.0),)

    def test_a_value_that_cannot_be_is_unreadable(self) -> None:
        """A charge of 655 %, a power beyond the profile's limits, a NaN in a setpoint."""
        profile = attrs.evolve(
            PAIR,
            registers=(
                Register("soc_pct", 10, "u16", scale=Fraction("0.1")),
                Register("power_w", 12, "i16", minimum=Fraction(-50), maximum=Fraction(50)),
                *(attrs.evolve(one, nan=0xFFFF) for one in PAIR.setpoints),
            ),
        )
        answer = read((10, [6_550]), (12, [51]), (20, [0xFFFF, 0]))
        expected: tuple[Observation, ...] = (
            Unreadable("soc_pct 1996"),
            Unreadable("power_w 0033"),
            Unreadable("charge_setpoint_w ffff"),
        )
        assert observations(profile, answer, 100) == expected

    def test_an_answer_that_is_not_ours_says_nothing(self) -> None:
        """Words without an address have no meaning."""
        values = ({"space": "holding", "words": [1]}, {"space": "holding", "address": 10})
        assert SPELLING.interpret(Answer("", values=values), view()) == ()


class TestModel:
    def test_another_model_is_named(self) -> None:
        """A profile for one device is not tried on another."""
        assert misfit(PAIR, read((0, [802]))) is None
        assert misfit(PAIR, read((0, [803]))) == (
            "model_id is 803, profile generic-battery fits 802"
        )
        assert misfit(PAIR, read()) == ("model_id is not told, profile generic-battery fits 802")

    def test_a_profile_without_a_model_fits_everything(self) -> None:
        """Some devices cannot say what they are."""
        assert misfit(attrs.evolve(PAIR, registers=PAIR.setpoints), read()) is None
