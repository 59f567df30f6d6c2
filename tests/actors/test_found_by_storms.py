"""What storms have found in the engine: each once more, alone."""

from collections.abc import Callable
from datetime import timedelta

import pytest

from actors import asset_life
from actors.testing.faults import Fault, Faults
from actors.testing.simulation import Simulation
from actors.testing.world import WorldClock

Site = Callable[..., Simulation]


@pytest.mark.parametrize("nth", range(1, 7))
def test_a_report_that_an_asset_hung_on_is_told_again(
    setpoint_site: Site, setpoint_clock: WorldClock, setpoint_faults: Faults, nth: int
) -> None:
    """A hung handler costs a thread and is not tried again; its device says each thing once."""
    assets = ("ast_charger_1", "ast_battery_1")
    for asset in assets:
        setpoint_faults.add(Fault(kind="hang", asset=asset, action="Observed", nth=nth))
    system = setpoint_site()
    setpoint_clock.advance(30)
    assert [one.kind for one in setpoint_faults.injected] == ["hang", "hang"]
    for asset in assets:
        assert system.state()[asset].state_known
        assert system.state()[asset].connected
    system.assert_promises()


@pytest.mark.parametrize("nth", range(1, 6))
def test_a_message_that_fails_behind_a_commit_is_tried_again(
    setpoint_site: Site, setpoint_clock: WorldClock, setpoint_faults: Faults, nth: int
) -> None:
    """That what was being committed is stored says nothing of the message that came meanwhile."""
    system = setpoint_site()
    setpoint_clock.advance(5)
    system.stop()
    battery = "ast_battery_1"
    setpoint_faults.add(Fault(kind="full", nth=2, times=2))
    setpoint_faults.add(Fault(kind="raise", asset=battery, action="Observed", nth=nth))
    system.restart()
    setpoint_clock.advance(30)
    assert [one.kind for one in setpoint_faults.injected].count("raise") == 1
    assert system.state()[battery].connected
    assert system.state()[battery].state_known
    system.assert_promises()


@pytest.mark.parametrize("seed", range(8))
def test_what_is_on_record_as_the_answer_is_the_one_that_counted(
    setpoint_site: Site, seed: int
) -> None:
    """A write that arrives twice is answered twice; the second answer is nobody's."""
    system = setpoint_site(seed=seed)
    system.advance(5)
    battery, faults = "ast_battery_1", system.world.faults
    faults.add(Fault(kind="duplicate", asset=battery, direction="in", action=6))
    faults.add(Fault(kind="reject", asset=battery, action=6, nth=2))
    until = system.plan_now + timedelta(minutes=5)
    system.override(battery, 9.0, until=until, by="anna", reason="a test")
    system.advance(20)
    assert [one.kind for one in faults.injected] == ["duplicate", "reject"]
    assert system.battery(battery).setpoint_w() == 9_000
    system.assert_promises()


def test_what_was_missed_while_the_store_was_away_is_told_again(
    setpoint_site: Site,
    setpoint_clock: WorldClock,
    setpoint_faults: Faults,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Of more messages than an asset keeps, the newest are not lost."""
    monkeypatch.setattr(asset_life, "STASH_LIMIT", 2)
    system = setpoint_site()
    setpoint_clock.advance(5)
    setpoint_faults.add(Fault(kind="full", times=1_000_000))
    charger = system.charger("ast_charger_1")
    for vehicle in (charger.plug_in, charger.unplug, charger.plug_in):
        vehicle(1)
        setpoint_clock.advance(30)
    assert system.state()["ast_charger_1"].state == "AVAILABLE"
    setpoint_faults.clear()
    setpoint_clock.advance(10)
    assert charger.connector(1).status == "Charging"
    assert system.state()["ast_charger_1"].state == "CHARGING"
    system.assert_promises()


def test_a_lost_question_is_asked_again(
    setpoint_site: Site, setpoint_clock: WorldClock, setpoint_faults: Faults
) -> None:
    """A charger that is not asked again how it is would be stale until it says so by itself."""
    system = setpoint_site()
    setpoint_clock.advance(5)
    setpoint_faults.add(Fault(kind="drop", direction="in", action="TriggerMessage", times=3))
    system.restart()
    setpoint_clock.advance(12)
    assert not system.state()["ast_charger_1"].state_known
    setpoint_clock.advance(60)
    assert [one.kind for one in setpoint_faults.injected] == ["drop"] * 3
    assert system.state()["ast_charger_1"].state_known
    assert system.state()["ast_charger_2"].state_known
