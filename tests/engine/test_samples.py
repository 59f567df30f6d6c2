"""What a meter tells: on how many phases current flows, and whatever 2.0.1 puts otherwise."""

import pytest

from engine.adapters.samples import measured, metered_wh, taken_at


def phases(power_w: float | None, **current_a: object) -> int | None:
    """Return what is told by a power and currents by phase."""
    samples: list[dict[str, object]] = [
        {"value": str(value), "measurand": "Current.Import", "unit": "A", "phase": phase}
        for phase, value in current_a.items()
    ]
    samples.append({"value": "50", "measurand": "SoC"})
    if power_w is not None:
        samples.append({"value": str(power_w), "measurand": "Power.Active.Import"})
    found = measured(
        {"meterValue": [{"timestamp": "2025-06-03T08:00:00Z", "sampledValue": samples}]}
    )
    assert found is not None
    return found.phases


@pytest.mark.parametrize(
    ("power_w", "current_a", "expected"),
    [
        (11_000, {"L1": 16, "L2": 16.1, "L3": 15.9}, 3),
        (3_600, {"L1": 16, "L2": 0.1, "L3": 0}, 1),
        (7_300, {"L1": 16, "L2": 16, "L3": 0.3}, 2),
        (None, {"L1": 16, "L2": 0, "L3": 0}, 1),
        (3_680, {"L1": 16}, 1),
        (11_000, {"L1": 16}, None),
        (None, {"L1": 16}, None),
        (100, {"L1": 0.4, "L2": 0, "L3": 0}, None),
        (11_000, {"N": 16}, None),
        (11_000, {"L1": "x", "L2": 16, "L3": 0}, 1),
        (11_000, {}, None),
    ],
)
def test_phases_are_those_on_which_current_flows(
    power_w: float | None, current_a: dict[str, object], expected: int | None
) -> None:
    """One phase that is told alone may be one of three: its power decides."""
    assert phases(power_w, **current_a) == expected


@pytest.mark.parametrize(
    ("told", "power_kw"),
    [
        ({"value": 7_000.0}, 7.0),
        ({"value": 7.0, "unitOfMeasure": {"unit": "kW"}}, 7.0),
        ({"value": 7.0, "unitOfMeasure": {"unit": "W", "multiplier": 3}}, 7.0),
        ({"value": 70.0, "unitOfMeasure": {"multiplier": 2}}, 7.0),
        ({"value": -2.0, "unitOfMeasure": {"unit": "kW"}}, -2.0),
        ({"value": 7.0, "unitOfMeasure": {"unit": "Wh"}}, None),
        ({"value": 7.0, "unitOfMeasure": {"unit": ["W"]}}, None),
        ({"value": 7.0, "unitOfMeasure": {"multiplier": "3"}}, None),
        ({"value": 7.0, "unitOfMeasure": {"multiplier": 4_000}}, None),
        ({"value": 7.0, "unitOfMeasure": {"unit": "kW", "multiplier": 9}}, None),
    ],
    ids=str,
)
def test_a_unit_may_come_with_a_power_of_ten(
    told: dict[str, object], power_kw: float | None
) -> None:
    """Watts where none is told; what makes no power is passed over."""
    sample = {"measurand": "Power.Active.Import", **told}
    value = {"timestamp": "2025-06-03T08:00:00Z", "sampledValue": [sample]}
    found = measured({"meterValue": [value]})
    assert (None if found is None else found.power_kw) == power_kw


@pytest.mark.parametrize(
    ("samples", "read_wh"),
    [
        ([{"value": 1_500.4}], 1_500),
        ([{"value": "1.5", "unit": "kWh", "measurand": "Energy.Active.Import.Register"}], 1_500),
        ([{"value": 1.5, "unitOfMeasure": {"unit": "Wh", "multiplier": 3}}], 1_500),
        ([{"value": 1}, {"value": 2}], 2),
        ([{"value": 1, "phase": "L1"}], None),
        ([{"value": 1, "measurand": "Voltage"}], None),
        ([{"value": 1, "unit": "V"}], None),
        ([{"value": 1e300}], None),
        (["x"], None),
        ("x", None),
    ],
    ids=str,
)
def test_a_meter_reads_in_watt_hours(samples: object, read_wh: int | None) -> None:
    """Energy is meant where no measurand is given; the last reading counts."""
    assert metered_wh({"meterValue": [{"sampledValue": samples}, 5]}) == read_wh
    assert metered_wh({"meterValue": "x"}) is None


def test_what_was_metered_has_the_time_of_its_newest_value() -> None:
    """None where none is told."""
    values = [{"timestamp": f"2025-06-03T08:0{n}:00Z"} for n in (1, 2, 0)]
    newest = taken_at({"meterValue": [*values, {"timestamp": "x"}, {}, 5]})
    assert newest is not None
    assert newest.minute == 2
    assert taken_at({}) is None
