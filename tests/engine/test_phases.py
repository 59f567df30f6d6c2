"""The phases of a site's connection: what an asset's power takes of each of them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.phases import PHASES, Use, is_counted_on_each, measured_on, uses_of
from engine.rules import AssetRules
from engine.types import AssetId, AssetKind


def charger(*rotation: str, **options: object) -> AssetRules:
    """Return a charger of 22 kW."""
    return AssetRules(
        AssetId("ast_a"),
        AssetKind.EV_CHARGER,
        "ocpp",
        "a",
        22_000,
        phase_rotation=rotation,
        options=options,
    )


def battery(*rotation: str) -> AssetRules:
    """Return a battery of 10 kW."""
    return AssetRules(
        AssetId("ast_b"), AssetKind.BATTERY, "modbus", "b", 10_000, phase_rotation=rotation
    )


def taken(rules: AssetRules, power_w: int) -> dict[str, int]:
    """Return what a power takes of each phase."""
    return {use.line: use.of(power_w) for use in uses_of(rules)}


@pytest.mark.parametrize(
    ("rules", "expected"),
    [
        (charger(phases=3, rate_unit="A"), {"L1": 2_000, "L2": 2_000, "L3": 2_000}),
        (charger("L2", "L3", "L1", phases=3, rate_unit="A"), dict.fromkeys(PHASES, 2_000)),
        (charger(phases=3, rate_unit="auto"), dict.fromkeys(PHASES, 6_000)),
        (charger(rate_unit="A"), dict.fromkeys(PHASES, 6_000)),
        (charger("L2", phases=1, rate_unit="A"), {"L2": 6_000}),
        (charger("L2"), {"L2": 6_000}),
        (charger(phases=1, rate_unit="W"), dict.fromkeys(PHASES, 6_000)),
        (charger("L1", "L3", phases=2, rate_unit="A"), {"L1": 3_000, "L3": 3_000}),
        (charger(phases=2, rate_unit="A"), dict.fromkeys(PHASES, 3_000)),
        (charger("L1", "L2", "L3", rate_unit="A"), dict.fromkeys(PHASES, 6_000)),
        (charger(phases=3, rate_unit="A", voltage=120.0), dict.fromkeys(PHASES, 3_834)),
        (charger("L1", voltage=240), {"L1": 5_750}),
        (battery(), dict.fromkeys(PHASES, 6_000)),
        (battery("L3"), {"L3": 6_000}),
        (battery("L1", "L2", "L3"), dict.fromkeys(PHASES, 2_000)),
    ],
)
def test_what_can_only_be_even_is_shared_and_all_else_counts_whole(
    rules: AssetRules, expected: dict[str, int]
) -> None:
    """6 kW, in watts at 230 V: of another voltage the amperes are what counts."""
    assert taken(rules, 6_000) == expected


@pytest.mark.parametrize(
    ("rules", "on_each"),
    [
        (charger(phases=3, rate_unit="A"), False),
        (charger(phases=3), True),
        (charger("L2", phases=1), False),
        (battery(), True),
        (battery("L1", "L2", "L3"), False),
    ],
)
def test_who_counts_with_all_of_its_power_on_more_than_one_phase_is_known(
    rules: AssetRules,
    on_each: bool,  # noqa: FBT001 - a row of the table
) -> None:
    """People can say more of it."""
    assert is_counted_on_each(rules) is on_each


@pytest.mark.parametrize(
    ("rules", "phases", "expected"),
    [
        (charger("L2", "L3", "L1", phases=3), 1, {"L2": 6_000}),
        (charger("L2", "L3", "L1", phases=3), 2, {"L2": 3_000, "L3": 3_000}),
        (charger(phases=3), 1, {"L1": 6_000}),
        (charger(phases=3), 3, dict.fromkeys(PHASES, 2_000)),
        (charger(phases=3), None, dict.fromkeys(PHASES, 6_000)),
        (charger(phases=3), 4, dict.fromkeys(PHASES, 6_000)),
        (charger(phases=1), 1, dict.fromkeys(PHASES, 6_000)),
        (charger(), 1, dict.fromkeys(PHASES, 6_000)),
        (battery("L3"), None, {"L3": 6_000}),
    ],
)
def test_what_is_measured_counts_on_the_phases_that_it_is_measured_on(
    rules: AssetRules, phases: int | None, expected: dict[str, int]
) -> None:
    """Where it is known which those are; else as it is reserved."""
    assert dict(measured_on(rules, 6_000, phases)) == expected


@given(
    power_w=st.integers(0, 1_000_000),
    room_w=st.integers(0, 1_000_000),
    parts=st.integers(1_000, 30_000),
)
def test_the_most_that_fits_does_and_a_little_more_does_not(
    power_w: int, room_w: int, parts: int
) -> None:
    """Whatever is rounded."""
    use = Use("L1", 2_300, parts)
    most_w = use.most_w(room_w)
    assert use.of(most_w) <= room_w
    assert use.of(most_w + 1) > room_w
    assert use.most_w(use.of(power_w)) >= power_w


@pytest.mark.parametrize("told", ["high", 0.001, float("nan"), -230, 1e9])
def test_what_is_no_voltage_is_the_nominal_one(told: object) -> None:
    """Whatever an adapter of others has by that name."""
    assert uses_of(charger(voltage=told))[0].parts == 2_300


@pytest.mark.parametrize("told", [0, -1, 4, "three"])
def test_what_is_no_number_of_phases_is_not_known(told: object) -> None:
    """Then all of its power counts on each."""
    assert taken(charger(phases=told, rate_unit="A"), 6_000) == dict.fromkeys(PHASES, 6_000)
