"""What ``actors.testing`` gives, and what it leaves alone."""

from typing import get_args

import pytest

import actors.testing
from actors.testing.faults import KINDS
from actors.testing.loaded import loaded

HEAVY = ("attrs", "msgspec", "pandas", "numpy", "websockets", "ocpp", "pymodbus", "sqlite3", "rich")


def test_the_public_names_are_sorted_and_there() -> None:
    """A name that goes is a break for somebody."""
    expected = [
        "KINDS",
        "POINTS",
        "START",
        "AdapterConformance",
        "Arrival",
        "Crashed",
        "DeviceUnderTest",
        "Fault",
        "Faults",
        "Injected",
        "Judgement",
        "Manner",
        "Message",
        "PlanStart",
        "Point",
        "Proxy",
        "Simulation",
        "Splitter",
        "World",
        "WorldClock",
        "judge",
        "site_text",
    ]
    assert expected == actors.testing.__all__
    assert sorted(expected) == dir(actors.testing)
    for name in expected:
        assert getattr(actors.testing, name) is not None
    assert KINDS is actors.testing.KINDS
    assert get_args(actors.testing.Point) == actors.testing.POINTS


def test_another_name_is_told_as_of_any_module() -> None:
    """So that hasattr and import say what they always do."""
    with pytest.raises(AttributeError, match=r"'actors.testing' has no attribute 'Nothing'"):
        _ = actors.testing.Nothing


@pytest.mark.parametrize("code", ["import actors.testing.plugin", "import actors.testing"])
def test_the_plugin_imports_nothing_heavy(code: str) -> None:
    """It comes with every run of pytest, of whatever project."""
    assert loaded(code, HEAVY) == set()
