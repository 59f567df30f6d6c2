"""What is metered in the words of OCPP 2.0.1; those of 1.6 are in test_ocpp16_reports."""

import pytest

from engine.adapters.samples import measured


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
