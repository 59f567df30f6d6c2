"""OCPP 1.6: which configuration keys are changed so that what is needed is measured."""

import pytest

from engine.adapters.base import AssetView
from engine.adapters.ocpp import OcppOptions, OcppSpelling
from engine.adapters.ocpp16_configuration import changes, configuration
from engine.types import AssetId, AssetKind

OWN = OcppOptions("CP-1", sample_interval_s=10)
SAMPLED = "MeterValuesSampledData"
INTERVAL = "MeterValueSampleInterval"


def test_what_is_told_is_kept_with_what_cannot_be_changed() -> None:
    """Texts of keys that were asked for."""
    entries = [
        {"key": SAMPLED, "readonly": True, "value": "SoC"},
        {"key": INTERVAL, "readonly": False, "value": "60"},
        {"key": "Other", "readonly": True, "value": "1"},
    ]
    told = {SAMPLED: "SoC", INTERVAL: "60", "read_only": SAMPLED}
    assert configuration({"configurationKey": entries}) == told


@pytest.mark.parametrize(
    ("told", "expected"),
    [
        ({SAMPLED: "", INTERVAL: "0"}, ("Power.Active.Import,Current.Import", "10")),
        ({SAMPLED: "SoC, Current.Import"}, ("SoC,Current.Import,Power.Active.Import",)),
        ({SAMPLED: "Power.Active.Import,Current.Import", INTERVAL: " 10"}, ()),
        ({SAMPLED: "SoC", INTERVAL: "60", "read_only": f"{INTERVAL},{SAMPLED}"}, ()),
        (
            {SAMPLED: "SoC", "MeterValuesSampledDataMaxLength": "2"},
            ("SoC,Power.Active.Import",),
        ),
        ({SAMPLED: "SoC", "MeterValuesSampledDataMaxLength": "1"}, ()),
        ({}, ()),
    ],
)
def test_only_what_can_be_changed_and_is_something_else_is_changed(
    told: dict[str, str], expected: tuple[str, ...]
) -> None:
    """What is measured already stays measured."""
    assert tuple(value for _, value in changes(OWN, told)) == expected
    assert changes(OcppOptions("CP-1"), told) == ()


def test_a_change_is_a_call_of_the_version_that_a_charger_speaks() -> None:
    """A variable in 2.0.1, by its place there."""
    seen = AssetView(
        AssetId("ast_1"),
        AssetKind.EV_CHARGER,
        "AVAILABLE",
        options=OWN,
        capabilities={INTERVAL: "60"},
    )
    call = {"action": "ChangeConfiguration", "payload": {"key": INTERVAL, "value": "10"}}
    assert OcppSpelling().configuring(seen) == (call,)
    place = {
        "attributeValue": "10",
        "component": {"name": "SampledDataCtrlr"},
        "variable": {"name": "TxUpdatedInterval"},
    }
    call = {"action": "SetVariables", "payload": {"setVariableData": [place]}}
    assert OcppSpelling(("2.0.1",)).configuring(seen) == (call,)
