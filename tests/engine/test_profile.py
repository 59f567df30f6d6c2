from fractions import Fraction

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.adapters.profile import builtin, parse
from engine.adapters.registers import (
    KeepAlive,
    ModeWrite,
    Persistent,
    Register,
    RegisterProfile,
    decode,
    encode,
    quantise,
    raw_of,
    raw_range,
    value_range,
)
from engine.adapters.tables import Lines
from engine.errors import Problem, SiteRefused

HEAD = """\
[profile]
name = "bess5"
source = "a document"
"""
PAIR = """\
[[register]]
role = "charge_setpoint_w"
address = 20
type = "u16"
access = "rw"
[[register]]
role = "discharge_setpoint_w"
address = 21
type = "u16"
access = "rw"
"""


def problems(text: str) -> list[Problem]:
    """Return what is wrong with a profile."""
    with pytest.raises(SiteRefused) as refused:
        parse(text, "bess5.toml")
    return list(refused.value.problems)


def only_problem(text: str) -> Problem:
    """Return the one thing that is wrong with a profile."""
    found = problems(text)
    assert len(found) == 1, found
    return found[0]


def register(**keys: object) -> Register:
    """Return a register that can be written."""
    return Register(role="charge_setpoint_w", address=20, writable=True, **keys)  # type: ignore[arg-type]


def profile_with(keys: str, role: str = "power_w") -> str:
    """Return a profile whose last register has these keys; it begins on line 14."""
    return f'{HEAD}{PAIR}[[register]]\nrole = "{role}"\n{keys}\n'


class TestParse:
    def test_the_built_in_battery_is_the_map_of_the_contract(self) -> None:
        """Every register of generic-battery stands where the contract puts it, up to 60,000 W."""
        profile = builtin("generic-battery")
        addresses = {one.role: one.address for one in profile.registers}
        assert addresses == {
            "model_id": 0,
            "soc_pct": 10,
            "state": 11,
            "power_w": 12,
            "charge_setpoint_w": 20,
            "discharge_setpoint_w": 21,
            "power_setpoint_w": 22,
            "heartbeat": 30,
        }
        assert [one.maximum for one in profile.setpoints] == [60_000, 60_000]
        assert profile.register("state").enum[1] == "CHARGING"
        assert profile.register("model_id").expect == (802,)
        assert KeepAlive("heartbeat", 60.0) == profile.keepalive

    def test_an_unknown_built_in_profile_names_the_nearest(self) -> None:
        """A slip of the pen is answered with the name that was meant."""
        with pytest.raises(LookupError, match="did you mean 'generic-battery'"):
            builtin("generic-batery")

    def test_what_is_left_out_has_its_default(self) -> None:
        """A profile needs a name, a source and the registers of its setpoint."""
        profile = parse(HEAD + PAIR, "bess5.toml")
        registers = (
            Register("charge_setpoint_w", 20, "u16", writable=True),
            Register("discharge_setpoint_w", 21, "u16", writable=True),
        )
        assert RegisterProfile("bess5", "a document", registers) == profile

    def test_every_key_is_taken_up(self) -> None:
        """Each key of the contract ends in the profile."""
        text = """\
[profile]
name = "all"
source = "a document"
word_order = "little"
control = "signed"
charge_sign = "-"
poll_s = 2.5
min_gap_ms = 50
readback_after_s = 2.5
addresses = "protocol"
[[register]]
role = "power_setpoint_w"
address = 40070
type = "i32"
access = "rw"
scale = 10
offset = -20
min = -5000
max = 5000
step = 100
nan = 2147483648
write_word_order = "big"
write_function = 16
[[register]]
role = "power_w"
address = 12
type = "f32"
space = "input"
[[register]]
role = "mode"
address = 7
type = "u16"
access = "rw"
persistent = { min_interval_s = 0.5, daily_writes = 100 }
[[mode.charge]]
role = "mode"
value = 2
[[mode.charge]]
role = "power_setpoint_w"
value = "setpoint"
[[mode.release]]
role = "mode"
value = 0
[keepalive]
role = "setpoint"
device_timeout_s = 70
"""
        profile = parse(text, "all.toml")
        setpoint = Register(
            "power_setpoint_w",
            40_070,
            "i32",
            scale=Fraction(10),
            offset=Fraction(-20),
            writable=True,
            minimum=Fraction(-5_000),
            maximum=Fraction(5_000),
            step=Fraction(100),
            nan=2**31,
            word_order="little",
            write_word_order="big",
            write_function=16,
        )
        assert setpoint == profile.register("power_setpoint_w")
        assert (setpoint,) == profile.setpoints
        assert profile.register("mode").persistent == Persistent(0.5, 100)
        assert (
            profile.control,
            profile.charge_sign,
            profile.poll_s,
            profile.min_gap_s,
            profile.readback_after_s,
        ) == ("signed", -1, 2.5, 0.05, 2.5)
        assert {
            "charge": (ModeWrite("mode", Fraction(2)), ModeWrite("power_setpoint_w", None)),
            "release": (ModeWrite("mode", Fraction(0)),),
        } == profile.modes
        assert KeepAlive("setpoint", 70.0) == profile.keepalive
        power = profile.register("power_w")
        assert (
            power.space,
            power.word_order,
            power.write_word_order,
            power.write_function,
        ) == ("input", "little", "little", 16)

    def test_a_keep_alive_may_write_a_constant(self) -> None:
        """Some devices want to read the same number again and again."""
        beat = '[[register]]\nrole = "watchdog"\naddress = 30\ntype = "u16"\naccess = "rw"\n'
        keep = '[keepalive]\nrole = "watchdog"\ndevice_timeout_s = 60\nwrite = 1\n'
        keepalive = parse(HEAD + PAIR + beat + keep, "bess5.toml").keepalive
        assert KeepAlive("watchdog", 60.0, Fraction(1)) == keepalive

    def test_a_missing_register_is_an_error_of_the_caller(self) -> None:
        """Asking for a role that a profile does not have raises."""
        profile = parse(HEAD + PAIR, "bess5.toml")
        assert profile.find("soc_pct") is None
        with pytest.raises(LookupError, match="soc_pct"):
            profile.register("soc_pct")


class TestFaults:
    def test_all_faults_come_at_once_with_file_line_and_key(self) -> None:
        """One refusal lists everything, each where it stands."""
        text = """\
[profile]
name = "bess5"
sourcee = "a document"
poll_s = 0
[[register]]
role = "charge_setpoint_w"
address = 70000
type = "u61"
[[register]]
role = "discharge_setpoint_w"
adress = 21
type = "u16"
[keepalive]
rolle = "heartbeat"
"""
        found = [(one.line, one.column, one.rule) for one in problems(text)]
        assert found == [
            (3, "sourcee", "unknown_key"),
            (1, "source", "missing"),
            (7, "address", "value"),
            (8, "type", "value"),
            (11, "adress", "unknown_key"),
            (9, "address", "missing"),
            (14, "rolle", "unknown_key"),
            (13, "role", "missing"),
            (13, "device_timeout_s", "missing"),
            (13, "heartbeat", "missing"),
            (4, "poll_s", "value"),
        ]
        assert {"bess5.toml"} == {one.file for one in problems(text)}

    @pytest.mark.parametrize(
        ("given", "is_taken"),
        [("0", True), ("60", True), ("-0.1", False), ("60.5", False), ("'2'", False)],
    )
    def test_a_read_back_waits_within_reason(self, given: str, is_taken: bool) -> None:  # noqa: FBT001 - a parameter
        """Never below zero, and a minute at the most."""
        text = HEAD + f"readback_after_s = {given}\n" + PAIR
        if is_taken:
            assert parse(text, "bess5.toml").readback_after_s == float(given)
        else:
            assert only_problem(text).column == "readback_after_s"

    def test_an_unknown_key_names_the_nearest(self) -> None:
        """What was probably meant is said."""
        found = only_problem(profile_with("address = 12\ntype = 'i32'\nsclae = 1"))
        assert found.message == "unknown key; did you mean 'scale'?"
        assert "bess5.toml:18, sclae: " in str(found)

    def test_what_is_no_toml_is_one_fault_on_its_line(self) -> None:
        """The parser's own words are kept."""
        found = only_problem("[profile]\nname = \n")
        assert (found.rule, found.line) == ("toml", 2)

    def test_toml_that_breaks_off_is_a_fault_on_the_last_line(self) -> None:
        """The parser gives no line for the end of the text."""
        found = only_problem("[profile]\nname")
        assert (found.rule, found.line) == ("toml", 2)

    @pytest.mark.parametrize("address", ["40001", "30001", "49999", "400001", "465536"])
    def test_the_printed_notation_is_refused(self, address: str) -> None:
        """40001 is a document's name of protocol address 0; the fault says so."""
        found = only_problem(profile_with(f"address = {address}\ntype = 'i32'"))
        assert (found.rule, found.line) == ("notation", 16)
        assert "not a protocol address, which would be " in found.message

    def test_the_fault_names_the_protocol_address(self) -> None:
        """The sixth digit counts as the space, too."""
        short = only_problem(profile_with("address = 40011\ntype = 'i32'"))
        assert 'would be 10; if it is one, say addresses = "protocol"' in short.message
        long = only_problem(profile_with("address = 400011\ntype = 'i32'"))
        assert long.message.endswith("would be 10")

    @pytest.mark.parametrize("address", [0, 29_999, 30_000, 40_000, 50_000, 65_534])
    def test_protocol_addresses_are_taken(self, address: int) -> None:
        """Everything that no document prints in the other notation is an address."""
        profile = parse(profile_with(f"address = {address}\ntype = 'i32'"), "bess5.toml")
        assert address == profile.register("power_w").address

    def test_a_profile_may_say_that_its_addresses_are_meant(self) -> None:
        """SunSpec devices have protocol addresses from 40000 on."""
        head = HEAD + 'addresses = "protocol"\n'
        body = '[[register]]\nrole = "power_w"\naddress = 40083\ntype = "i16"\n'
        profile = parse(head + PAIR + body, "bess5.toml")
        assert profile.register("power_w").address == 40_083

    @pytest.mark.parametrize("address", ['"40001"', "1.5", "true", "-1", "65536"])
    def test_an_address_is_an_integer_in_range(self, address: str) -> None:
        """Texts, fractions, booleans and what 16 bits do not hold are refused."""
        found = only_problem(profile_with(f"address = {address}\ntype = 'i16'"))
        assert (found.column, found.line) == ("address", 16)

    @pytest.mark.parametrize(
        ("keys", "key"),
        [
            ("scale = 0", "scale"),
            ("scale = -1", "scale"),
            ("scale = inf", "scale"),
            ("scale = true", "scale"),
            ('offset = "1"', "offset"),
            ('access = "write"', "access"),
            ('space = "coil"', "space"),
            ("word_order = 1", "word_order"),
            ('write_word_order = "middle"', "write_word_order"),
            ("nan = 1.5", "nan"),
            ("enum = 1", "enum"),
            ('enum = { a = "IDLE" }', "enum"),
            ('enum = { 0 = "IDEL" }', "enum"),
            ("enum = { 0 = 0 }", "enum"),
            ("expect = 802", "expect"),
            ("expect = []", "expect"),
            ("expect = ['802']", "expect"),
            ("persistent = true", "persistent"),
            ("persistent = { min_interval_s = 60 }", "persistent"),
            ("persistent = { min_interval_s = -1, daily_writes = 1 }", "persistent"),
            ("persistent = { min_interval_s = 1, daily_writes = 0 }", "persistent"),
            ("write_function = 6", "write_function"),
            ('write_function = 5\naccess = "rw"', "write_function"),
            ('write_function = 6.0\naccess = "rw"', "write_function"),
            ('access = "rw"\nspace = "input"', "access"),
            ('access = "rw"\noffset = 0.5', "offset"),
            ('access = "rw"\nstep = 1.5', "step"),
            ('access = "rw"\nmax = 40000', "max"),
            ('access = "rw"\nmin = -40000', "min"),
            ('access = "rw"\nnan = 32768', "nan"),
        ],
    )
    def test_a_value_that_cannot_be_is_refused(self, keys: str, key: str) -> None:
        """Each key is checked for itself, and against the others where they have to agree."""
        found = only_problem(profile_with(f"address = 12\ntype = 'i16'\n{keys}"))
        assert key == found.column
        assert found.line is not None
        assert found.line > 17

    def test_function_code_6_writes_one_word_only(self) -> None:
        """A value of two words needs function code 16."""
        keys = "address = 12\ntype = 'i32'\naccess = 'rw'\nwrite_function = 6"
        assert "use 16" in only_problem(profile_with(keys)).message

    @pytest.mark.parametrize(
        ("keys", "key"), [("min = 10", "min"), ("max = -10\nmin = -20", "max")]
    )
    def test_a_setpoint_can_be_zero(self, keys: str, key: str) -> None:
        """A battery that cannot be told to stop is not controlled."""
        text = f'{HEAD}control = "signed"\n[[register]]\nrole = "power_setpoint_w"\n'
        text += f"address = 22\ntype = 'i16'\naccess = 'rw'\n{keys}\n"
        assert key == only_problem(text).column

    def test_the_registers_of_the_setpoint_are_needed_and_writable(self) -> None:
        """Which ones depends on the control."""
        signed = only_problem(HEAD + 'control = "signed"\n')
        assert (signed.rule, signed.column) == ("missing", "power_setpoint_w")
        reads = only_problem(HEAD + PAIR.replace('"rw"', '"r"', 1))
        assert (reads.rule, reads.column) == ("access", "charge_setpoint_w")

    def test_a_float_takes_fractions_of_a_watt_for_its_scale(self) -> None:
        """A setpoint in kW as a float has no steps that would have to fit."""
        keys = "address = 22\ntype = 'f32'\naccess = 'rw'\nscale = 1000\nstep = 1"
        parse(profile_with(keys, role="power_setpoint_w"), "bess5.toml")

    def test_a_role_has_one_register(self) -> None:
        """The second of a role is refused."""
        again = '[[register]]\nrole = "charge_setpoint_w"\naddress = 40\ntype = "u16"\n'
        found = only_problem(HEAD + PAIR + again)
        assert (found.line, found.column) == (15, "role")

    def test_registers_that_are_written_do_not_overlap(self) -> None:
        """A write to one would change the other."""
        found = only_problem(profile_with("address = 19\ntype = 'i32'"))
        assert found.message == "it overlaps charge_setpoint_w, which is written"

    @pytest.mark.parametrize(
        "keys", ["address = 19\ntype = 'i16'", "address = 20\ntype = 'i16'\nspace = 'input'"]
    )
    def test_neighbours_and_other_spaces_do_not_overlap(self, keys: str) -> None:
        """Holding and input registers are counted apart."""
        assert parse(profile_with(keys), "bess5.toml").find("power_w") is not None

    def test_registers_that_are_only_read_may_overlap(self) -> None:
        """A device may show one word in two ways."""
        more = "[[register]]\nrole = 'soc_pct'\naddress = 12\ntype = 'u16'"
        text = profile_with(f"address = 12\ntype = 'i32'\n{more}")
        assert len(parse(text, "bess5.toml").registers) == 4

    def test_a_role_that_nothing_uses_names_the_nearest(self) -> None:
        """It would be read by nobody."""
        found = only_problem(profile_with("address = 12\ntype = 'i32'", role="power_kw"))
        assert (found.rule, found.message) == ("role", "nothing uses it; did you mean 'power_w'?")

    def test_what_a_mode_writes_is_a_writable_register_that_holds_it(self) -> None:
        """A mode register has a role of its own, checked like the setpoint's."""
        mode = "[[mode.charge]]\nrole = 'mode'\nvalue = 2\n"
        missing = only_problem(HEAD + PAIR + mode)
        assert (missing.rule, missing.column, missing.line) == ("missing", "mode", 14)
        reads = only_problem(profile_with("address = 7\ntype = 'u16'", role="mode") + mode)
        assert reads.rule == "access"
        keys = "address = 7\ntype = 'u16'\naccess = 'rw'"
        wide = only_problem(profile_with(keys, role="mode") + mode.replace("2", "70000"))
        assert wide.message == "mode cannot hold this value"

    def test_a_mode_needs_role_and_value(self) -> None:
        """Half a write is none; the modes have names."""
        found = problems(HEAD + PAIR + "[[mode.charge]]\n[[mode.charging]]\n")
        assert {"role", "value", "charging"} == {one.column for one in found}

    def test_a_kept_setpoint_has_no_value_of_its_own(self) -> None:
        """``write`` is for registers."""
        keep = "[keepalive]\nrole = 'setpoint'\ndevice_timeout_s = 60\nwrite = 1\n"
        assert only_problem(HEAD + PAIR + keep).column == "write"

    @pytest.mark.parametrize("text", ["mode = 1\n", "keepalive = 1\n", "register = [1]\n"])
    def test_a_table_is_a_table(self, text: str) -> None:
        """A number in the place of a table is a fault and no crash."""
        assert any("is a table" in one.message for one in problems(text + HEAD))

    @pytest.mark.parametrize("text", ["register = 1\n", "mode = { charge = 1 }\n"])
    def test_an_array_of_tables_has_two_brackets(self, text: str) -> None:
        """One bracket makes one table."""
        assert any("has two brackets" in one.message for one in problems(text + HEAD))

    def test_a_text_is_not_empty(self) -> None:
        """A profile says where it comes from."""
        assert only_problem(HEAD.replace("a document", " ") + PAIR).column == "source"

    def test_a_line_that_is_not_found_is_the_tables(self) -> None:
        """Of an unknown table it is the first."""
        lines = Lines('\n[profile]\nname = "a"\n')
        assert (
            lines.of(("profile", 0), "name"),
            lines.of(("profile", 0), "source"),
            lines.of(("register", 3), "role"),
        ) == (3, 2, 1)


class TestWords:
    @pytest.mark.parametrize(
        ("keys", "value", "words"),
        [
            ({"type": "u16"}, 2_315, [2_315]),
            ({"type": "i16"}, -2, [0xFFFE]),
            ({"type": "u32"}, 0x0001_0002, [1, 2]),
            ({"type": "u32", "write_word_order": "little", "word_order": "little"}, 65_538, [2, 1]),
            ({"type": "i32"}, -2, [0xFFFF, 0xFFFE]),
            ({"type": "f32"}, 1.0, [0x3F80, 0]),
            ({"type": "u16", "scale": Fraction("0.1")}, 65.5, [655]),
            ({"type": "u16", "scale": Fraction(100), "offset": Fraction(-1_000)}, 500, [15]),
        ],
    )
    def test_a_value_becomes_words_and_comes_back(
        self, keys: dict[str, object], value: float, words: list[int]
    ) -> None:
        """Type, scale, offset and word order, there and back."""
        assert words == encode(register(**keys), value)
        assert value == decode(register(**keys), words)

    def test_the_word_order_may_differ_for_read_and_write(self) -> None:
        """Some devices take the low word first and give it last."""
        one = register(type="u32", write_word_order="little")
        assert encode(one, 65_538) == [2, 1]
        assert decode(one, [1, 2]) == 65_538

    @pytest.mark.parametrize(
        ("value", "applied"),
        [(149, 100), (-149, -100), (99.9, 0), (5_100, 5_000), (-9_999, -3_000), (0, 0)],
    )
    def test_values_are_clipped_and_rounded_towards_zero(self, value: float, applied: int) -> None:
        """Never more power than was asked for, in either direction."""
        one = register(
            type="i16", minimum=Fraction(-3_000), maximum=Fraction(5_000), step=Fraction(100)
        )
        assert applied == quantise(one, value)

    @pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf")])
    def test_what_is_not_finite_is_never_written(self, value: float) -> None:
        """There is no safe number for it."""
        with pytest.raises(ValueError, match="cannot be written"):
            encode(register(type="u16"), value)

    def test_a_type_holds_what_its_bits_hold(self) -> None:
        """Without limits of its own a register is bounded by its type and scale."""
        assert [int(raw) for raw in raw_range("u16")] == [0, 65_535]
        assert [int(raw) for raw in raw_range("i16")] == [-32_768, 32_767]
        assert [int(raw) for raw in raw_range("i32")] == [-(2**31), 2**31 - 1]
        assert [int(raw) for raw in raw_range("u32")] == [0, 2**32 - 1]
        assert pytest.approx(3.4028e38, rel=1e-4) == float(raw_range("f32")[1])
        assert [int(raw) for raw in value_range(register(type="u16", scale=Fraction(10)))] == [
            0,
            655_350,
        ]
        assert encode(register(type="u16"), 1e9) == [0xFFFF]

    @pytest.mark.parametrize(
        ("keys", "words"),
        [
            ({"type": "u16", "nan": 0xFFFF}, [0xFFFF]),
            ({"type": "i16", "nan": -32_768}, [0x8000]),
            ({"type": "i32", "nan": 0x8000_0000}, [0x8000, 0]),
            ({"type": "f32"}, [0x7FC0, 0]),
            ({"type": "f32"}, [0x7F80, 0]),
            ({"type": "f32", "nan": 0x7F00_0000}, [0x7F00, 0]),
        ],
    )
    def test_a_sentinel_is_no_value(self, keys: dict[str, object], words: list[int]) -> None:
        """The pattern for "not available" is not a power."""
        assert decode(register(**keys), words) is None

    def test_half_a_value_is_none(self) -> None:
        """One word of two is refused instead of decoded."""
        with pytest.raises(ValueError, match="has 2 words, not 1"):
            raw_of(register(type="u32"), [1])

    def test_the_resolution_is_the_step_or_the_scale(self) -> None:
        """A float can tell one watt from the next."""
        assert register(type="u16", scale=Fraction(100)).resolution == 100
        assert register(type="u16", step=Fraction(200)).resolution == 200
        assert register(type="f32", scale=Fraction(1_000)).resolution == 1

    @given(
        st.sampled_from(["u16", "i16", "u32", "i32"]),
        st.sampled_from(["0.1", "1", "10", "2.5"]),
        st.floats(-1e10, 1e10),
        st.sampled_from(["big", "little"]),
    )
    def test_what_is_written_is_read_and_never_farther_from_zero(
        self, kind: str, scale: str, value: float, order: str
    ) -> None:
        """For every type, scale and order: words of 16 bits that decode to the applied value."""
        one = attrs.evolve(
            register(type=kind, scale=Fraction(scale)),
            word_order=order,  # type: ignore[arg-type]
            write_word_order=order,  # type: ignore[arg-type]
        )
        words = encode(one, value)
        applied = quantise(one, value)
        assert all(0 <= word <= 0xFFFF for word in words)
        assert float(applied) == decode(one, words)
        assert abs(Fraction(applied)) <= abs(Fraction(value))
