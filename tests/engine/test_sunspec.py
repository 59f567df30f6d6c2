"""SunSpec maps: how they are found, what of them is known, and the profile that comes of it."""

from collections.abc import Iterable, Mapping
from fractions import Fraction
from typing import cast

import pytest

from actors.sim.sunspec import sunspec_words
from engine.adapters.base import Answer, AssetView, Frame, SetpointRead, StateReported
from engine.adapters.device import Device
from engine.adapters.modbus import ModbusOptions, ModbusSpelling
from engine.adapters.profile import builtin
from engine.adapters.readings import observations
from engine.adapters.registers import RegisterProfile
from engine.adapters.sunspec import AC_CONTROLS, BASES, STORAGE, survey
from engine.adapters.sunspec_profile import profile_from
from engine.errors import Untranslatable
from engine.types import AssetId, AssetKind

NONE_16 = 0xFFFF


def surveyed(
    words: Mapping[int, int], silent: frozenset[int] = frozenset()
) -> tuple[dict[str, str], list[int]]:
    """Return what a map says, and the addresses that were read."""
    reading = survey(7, silent)
    asked: list[int] = []
    told: tuple[int, ...] | None = None
    try:
        frame = next(reading)
        while True:
            address, count = cast("int", frame.body["address"]), cast("int", frame.body["count"])
            assert (frame.control, frame.body["unit"], count <= 125) == (False, 7, True)
            asked.append(address)
            places = range(address, address + count)
            is_there = all(place in words for place in places)
            told = tuple(words[place] for place in places) if is_there else None
            frame = reading.send(told)
    except StopIteration as done:
        return done.value, asked


def profile_of(
    control: int = STORAGE, changes: Mapping[tuple[int, int], int] | None = None
) -> RegisterProfile:
    """Return the profile of a map with these changes, by model and offset."""
    return profile_from(surveyed(sunspec_words(control, changes=changes))[0])


def written(frames: Iterable[Frame]) -> list[tuple[object, object]]:
    """Return address and words of each write, in order."""
    return [(one.body["address"], one.body["values"]) for one in frames if one.control]


class TestSurvey:
    @pytest.mark.parametrize("base", BASES)
    def test_a_map_is_found_at_each_of_its_bases(self, base: int) -> None:
        """The models follow each other from there, each with its address."""
        facts, asked = surveyed(sunspec_words(base=base))
        assert str(base) == facts["sunspec"]
        assert (facts["manufacturer"], facts["serial"]) == ("Setpoint", "SIM-0001")
        first = base + 2
        places = ((1, first), (103, first + 68), (124, first + 120), (802, first + 146))
        assert facts["models"] == " ".join(f"{model}@{place}" for model, place in places)
        assert base in asked

    def test_a_device_without_a_map_says_nothing(self) -> None:
        """It is asked at each base, once."""
        assert surveyed({40_000: 1, 40_001: 2}) == ({}, list(BASES))

    def test_a_base_that_is_silent_is_passed_over(self) -> None:
        """A device that does not answer there would keep everybody waiting."""
        assert surveyed({}, frozenset({40_000}))[1] == [0, 50_000]

    def test_a_map_without_an_end_ends_where_nothing_is(self) -> None:
        """Some devices leave the end model out."""
        words = sunspec_words()
        last = max(words)
        cut = {address: word for address, word in words.items() if address < last - 1}
        assert surveyed(cut)[0] == surveyed(words)[0]

    def test_a_chain_that_never_ends_is_left(self) -> None:
        """Models of no length would be walked for ever; addresses have an end."""
        zeros = {**dict.fromkeys(range(65_536), 0), 0: 0x5375, 1: 0x6E53}
        assert surveyed(zeros)[0]["models"] == "0@2"
        long = {0: 0x5375, 1: 0x6E53, 2: 9, 3: 65_530, 65_534: 8, 65_535: 0}
        assert surveyed(long)[0]["models"] == "9@2 8@65534"

    def test_a_model_that_ends_beyond_the_addresses_is_none(self) -> None:
        """Its points could not be asked for."""
        beyond = {0: 0x5375, 1: 0x6E53, 2: 9, 3: 65_520, 65_524: STORAGE, 65_525: 24}
        facts, asked = surveyed(beyond)
        assert facts["models"] == "9@2"
        assert max(asked) <= 65_535

    def test_a_model_that_is_shorter_has_fewer_points(self) -> None:
        """What lies beyond its length is the next model's."""
        words = sunspec_words()
        words[40_002 + 1] = 40
        short = {address: word for address, word in words.items() if address < 40_044}
        moved = {address - 26: word for address, word in words.items() if address >= 40_070}
        facts = surveyed(short | moved)[0]
        assert "version" not in facts
        assert "124.InWRte" in facts
        words = sunspec_words()
        words[40_122 + 1] = 0
        assert not [name for name in surveyed(words)[0] if name.startswith("124.")]

    def test_what_is_not_text_is_left_out(self) -> None:
        """A serial number of other octets says nothing."""
        words = sunspec_words(changes={(1, 50): 0x0102})
        words[40_052] = 0x0102
        assert "serial" not in surveyed(words)[0]

    def test_points_that_cannot_be_read_are_not_implemented(self) -> None:
        """A refused read is no crash."""
        words = sunspec_words()
        del words[40_130]
        facts = surveyed(words)[0]
        assert "124" in facts
        assert not [name for name in facts if name.startswith("124.")]


class TestBounds:
    """Model 124."""

    def test_both_bounds_force_a_direction(self) -> None:
        """In percent of WChaMax by its scale factors; the timer first, the switch last."""
        device = Device(profile_of(), 1, 900.0)
        timer, switch = (40_137, [900]), (40_127, [3])
        assert written(device.pair(3_000, 0)) == [timer, (40_134, [65_036, 500]), switch]
        assert written(device.pair(0, 3_000)) == [timer, (40_134, [500, 65_036]), switch]
        assert written(device.pair(0, 0)) == [timer, (40_134, [0, 0]), switch]
        assert written(device.release()) == [(40_127, [0])]

    def test_limits_are_those_of_the_device(self) -> None:
        """WChaMax by its scale factor."""
        (charge, discharge) = profile_of(changes={(STORAGE, 18): 0}).setpoints
        assert (Fraction(-6_000), Fraction(6_000)) == (charge.minimum, charge.maximum)
        assert (discharge.role, discharge.scale) == ("discharge_setpoint_w", Fraction(6, 10))

    def test_a_timer_that_is_not_implemented_is_left_out(self) -> None:
        """Then the device holds what it was told."""
        profile = profile_of(changes={(STORAGE, 15): NONE_16})
        assert [address for address, _ in written(Device(profile, 1, 900.0).pair(1, 0))] == [
            40_134,
            40_127,
        ]

    def test_a_timer_is_never_the_pattern_for_none(self) -> None:
        """A lease of a day is more than 16 bits of seconds."""
        assert written(Device(profile_of(), 1, 86_400.0).pair(1, 0))[0] == (40_137, [0xFFFE])

    def test_a_timer_is_never_none(self) -> None:
        """0 would be no timer: a short lease is a second at the least."""
        assert written(Device(profile_of(), 1, 0.4).pair(1, 0))[0] == (40_137, [1])
        controls = profile_of(AC_CONTROLS)
        assert written(Device(controls, 1, 0.4).pair(1, 0))[1] == (40_307, [0, 0, 1])

    def test_nothing_is_controlled_by_a_percentage_of_nothing(self) -> None:
        """The reason is told in words."""
        with pytest.raises(LookupError, match="WChaMax is 0"):
            profile_of(changes={(STORAGE, 2): 0})

    def test_a_scale_factor_out_of_range_is_refused(self) -> None:
        """They go from -10 to 10."""
        with pytest.raises(LookupError, match="scale factor InOutWRte_SF of model 124 is 11"):
            profile_of(changes={(STORAGE, 25): 11})

    def test_the_state_is_the_batterys_own(self) -> None:
        """ChaSt of model 124; the charge is that of model 802."""
        profile = profile_of()
        assert profile.register("state").enum[4] == "CHARGING"
        assert (profile.register("soc_pct").address, profile.register("soc_pct").scale) == (
            40_159,
            Fraction(1, 10),
        )
        values = ({"space": "holding", "address": 40_133, "words": [3]},)
        assert observations(profile, Answer("", values=values), 100) == (
            StateReported("DISCHARGING", "3"),
        )

    def test_without_a_state_the_inverters_power_tells(self) -> None:
        """It has the sun in it, and is better than nothing."""
        gone = {(STORAGE, 11): NONE_16, (802, 16): NONE_16, (802, 47): 0x8000}
        profile = profile_of(changes=gone)
        assert profile.find("state") is None
        assert profile.register("power_w").address == 40_084
        assert profile_of(changes={(802, 47): 0x8000}).find("power_w") is None


class TestPower:
    """Model 704."""

    def test_a_power_is_watts_with_a_timer_and_a_switch(self) -> None:
        """Neighbours go out as one; discharging is positive."""
        profile = profile_of(AC_CONTROLS)
        device, model = Device(profile, 1, 600.0), 40_277
        assert written(device.pair(3_000, 0)) == [
            (model + 23, [1, 0xFFFF, 0xF448, 0, 0]),
            (model + 30, [0, 0, 600]),
            (model + 22, [1]),
        ]
        assert written(device.pair(0, 3_000))[0] == (model + 23, [1, 0, 3_000, 0, 0])
        assert written(device.release()) == [(model + 22, [0])]

    @pytest.mark.parametrize(("fallback_w", "words"), [(1_000, [0xFFFF, 0xFC18]), (0, [0, 0])])
    def test_the_fallback_follows_when_the_time_is_over(
        self, fallback_w: int, words: list[int]
    ) -> None:
        """As the reversion power, enabled; without a fallback the device is on its own then."""
        device, model = Device(profile_of(AC_CONTROLS), 1, 600.0, fallback_w), 40_277
        assert written(device.pair(0, 3_000))[:2] == [
            (model + 23, [1, 0, 3_000, *words]),
            (model + 30, [1, 0, 600]),
        ]

    def test_a_device_without_a_reversion_power_goes_on_its_own(self) -> None:
        """Whatever the fallback is."""
        gone = {(AC_CONTROLS, 26): 0x8000, (AC_CONTROLS, 27): 0}
        device = Device(profile_of(AC_CONTROLS, gone), 1, 600.0, 1_000)
        assert written(device.pair(0, 3_000))[1] == (40_307, [0, 0, 600])

    def test_limits_are_the_ratings(self) -> None:
        """Of model 702; without them, what the register holds."""
        own = profile_of(AC_CONTROLS, {(702, 10): 400, (702, 11): 500}).setpoints[0]
        assert (Fraction(-4_000), Fraction(5_000)) == (own.minimum, own.maximum)
        none = {(702, 10): NONE_16, (702, 11): NONE_16}
        wide = profile_of(AC_CONTROLS, none).setpoints[0]
        assert (Fraction(-(2**31) + 1), Fraction(2**31 - 1)) == (wide.minimum, wide.maximum)

    def test_a_scale_factor_that_is_not_implemented_is_one(self) -> None:
        """As is usual where a value is in its unit already."""
        profile = profile_of(AC_CONTROLS, {(AC_CONTROLS, 55): 0x8000})
        assert profile.setpoints[0].scale == 1

    def test_what_cannot_be_set_is_said(self) -> None:
        """With the models that it has."""
        with pytest.raises(
            LookupError, match=r"neither model 704 with WSet nor 124 .* 1@40002 701@"
        ):
            profile_of(AC_CONTROLS, {(AC_CONTROLS, 22): NONE_16})

    def test_the_reading_is_the_generators_way_round(self) -> None:
        """And nothing is held while it is not enabled."""
        profile = profile_of(AC_CONTROLS)
        model = 40_277
        for enabled, held in ((1, (0.0, 3.0, False)), (0, (None, None, True))):
            words = [enabled, 1, 0, 3_000]
            values = (
                {"space": "holding", "address": model + 22, "words": words},
                {"space": "holding", "address": model + 30, "words": [0]},
            )
            (read,) = observations(profile, Answer("", values=values), 100)
            assert isinstance(read, SetpointRead)
            assert held == (read.charge_kw, read.discharge_kw, read.released)


class TestAsset:
    OPTIONS = ModbusOptions("127.0.0.1", profile="sunspec")
    SPELLING = ModbusSpelling({"sunspec": builtin("sunspec")})

    def view(self, **capabilities: str) -> AssetView:
        """Return a battery whose device said this."""
        return AssetView(
            AssetId("ast_b"),
            AssetKind.BATTERY,
            "IDLE",
            options=self.OPTIONS,
            capabilities=capabilities,
        )

    def test_what_the_device_said_is_the_profile(self) -> None:
        """It is on record, so that a replay decides the same."""
        facts = surveyed(sunspec_words())[0]
        assert self.SPELLING.profile_for(self.view(**facts)) == profile_of()
        (question,) = self.SPELLING.questions(self.view(**facts))
        assert [one.body["address"] for one in question.frames] == [40_127, 40_134]

    def test_before_it_said_anything_nothing_is_spelled(self) -> None:
        """A dry run says why; nothing is asked, and no answer means anything."""
        with pytest.raises(Untranslatable, match="when it is connected"):
            self.SPELLING.profile_for(self.view())
        assert self.SPELLING.questions(self.view()) == ()
        assert self.SPELLING.interpret(Answer(""), self.view()) == ()

    def test_what_it_said_may_not_be_enough(self) -> None:
        """Then the reason is its map's."""
        with pytest.raises(Untranslatable, match="no SunSpec map at 40000, 0 or 50000"):
            self.SPELLING.profile_for(self.view(other="1"))

    def test_its_limits_are_not_known_beforehand(self) -> None:
        """Steps of a watt, and charge and discharge in one attempt."""
        assert self.SPELLING.step_w(self.OPTIONS) == 1
        assert self.SPELLING.shared_register(self.OPTIONS)
        assert self.SPELLING.limits_w(self.OPTIONS)[0] > 10**9
