"""On how many phases current flows, as far as a meter tells."""

import pytest

from engine.adapters.samples import measured


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
