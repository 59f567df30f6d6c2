"""What became different between two moments, and by which event."""

import attrs

from actors.testing.records import EV, at_us, by_hand, charger, recorded
from actors.testing.rig import Rig
from engine.adapters import base
from engine.asset import AssetState
from engine.history import Change, Changes, changes_of


def changes(rig: Rig, start_s: float, end_s: float) -> dict[str, Change]:
    """Return what changed between two moments, by field."""
    found = changes_of(recorded(rig), AssetState(EV), at_us(start_s), at_us(end_s))
    return {one.field: one for one in found}


def overridden() -> Rig:
    """Return a charger that is lost after 20 s and back after 40 s, overridden at 60 s."""
    rig = charger()
    rig.answer()
    rig.advance(20)
    rig.observe(base.Disconnected("cut"))
    rig.advance(20)
    rig.connect("CHARGING")
    rig.answer()
    rig.advance(20)
    by_hand(rig)
    rig.answer()
    return rig


def test_a_change_names_the_last_event_that_made_it() -> None:
    """With what was before and what was after."""
    found = changes(overridden(), 50, 60)
    setpoint = found["setpoint_kw"]
    assert (setpoint.before, setpoint.after) == (11.0, 5.0)
    assert setpoint.topic == "asset.attempt_started"
    assert setpoint.event_id.startswith(f"evt_1_{EV}_")
    assert found["setpoint_source"].after == "override"


def test_what_came_and_went_is_no_change() -> None:
    """The charger was lost and is back."""
    assert "connected" in changes(overridden(), 10, 30)
    assert "connected" not in changes(overridden(), 10, 50)


def test_nothing_happened_behind_the_last_event() -> None:
    """And nothing before the first."""
    assert changes(overridden(), 61, 100) == {}
    assert changes(overridden(), -100, -50) == {}


def test_an_asset_that_is_new_has_changed_from_nothing() -> None:
    """From before its first event on."""
    found = changes(overridden(), -1, 5)
    assert (found["setpoint_kw"].before, found["setpoint_kw"].after) == (None, 11.0)
    assert (found["state"].before, found["state"].after) == ("AVAILABLE", "CHARGING")


def test_changes_are_a_table_too() -> None:
    """A row a change, in the same order."""
    rig = overridden()
    found = Changes(changes_of(recorded(rig), AssetState(EV), at_us(50), at_us(60)))
    table = found.to_frame()
    assert list(table["field"]) == [one.field for one in found]
    assert set(table.columns) == set(attrs.asdict(found[0]))
    assert list(Changes().to_frame().columns) == list(table.columns)
