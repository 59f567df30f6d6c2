"""OCPP 2.0.1: which variables are changed so that what is needed is measured."""

from typing import Any

import pytest
from ocpp.messages import get_validator

from engine.adapters.ocpp import OcppOptions
from engine.adapters.ocpp201_configuration import changes

OWN = OcppOptions("CP-1", sample_interval_s=10)
SAMPLED = "MeterValuesSampledData"
INTERVAL = "MeterValueSampleInterval"
ALIGNED = "ClockAlignedDataInterval"
BOTH = "Power.Active.Import,Current.Import"


def changed(told: dict[str, str], own: OcppOptions = OWN) -> list[tuple[str, str]]:
    """Return the variables that are changed, each with its new value; all payloads are valid."""
    found = []
    for payload in changes(own, told):
        get_validator(2, "SetVariables", "2.0.1").validate(payload)
        listed: Any = payload["setVariableData"]
        (one,) = listed
        found.append((variable_of(one), one["attributeValue"]))
    return found


def variable_of(one: dict[str, Any]) -> str:
    """Return a variable with its component."""
    return f"{one['component']['name']}.{one['variable']['name']}"


@pytest.mark.parametrize(
    ("told", "expected"),
    [
        (
            {SAMPLED: "", INTERVAL: "60", ALIGNED: "900"},
            [
                ("SampledDataCtrlr.TxUpdatedMeasurands", BOTH),
                ("SampledDataCtrlr.TxUpdatedInterval", "10"),
            ],
        ),
        ({SAMPLED: BOTH, INTERVAL: "10"}, []),
        ({SAMPLED: BOTH, INTERVAL: "60", f"read_only.{INTERVAL}": "yes", ALIGNED: "0"}, []),
        ({SAMPLED: "SoC", f"read_only.{SAMPLED}": "yes"}, []),
        ({ALIGNED: "900"}, [("AlignedDataCtrlr.Interval", "10")]),
        ({ALIGNED: "10"}, []),
        ({ALIGNED: "900", f"read_only.{ALIGNED}": "yes"}, []),
        ({}, []),
    ],
)
def test_only_what_can_be_changed_and_is_something_else_is_changed(
    told: dict[str, str], expected: list[tuple[str, str]]
) -> None:
    """Clock-aligned values only where there are none within transactions."""
    assert changed(told) == expected
    assert changed(told, OcppOptions("CP-1")) == []
