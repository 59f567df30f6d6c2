"""The pytest plugin, as somebody uses it who tests their own handling of our events."""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

import pandas as pd
import pytest

from actors.testing.faults import Fault, Faults
from actors.testing.simulation import Simulation
from actors.testing.world import WorldClock
from engine.errors import EngineClosed

if TYPE_CHECKING:
    from engine.bus import Event

pytest_plugins = ("pytester",)

Site = Callable[..., Simulation]


def plan(now: datetime, *kw: float) -> pd.DataFrame:
    """Return a schedule of quarter-hours for the first charger and the battery."""
    index = pd.date_range(pd.Timestamp(now).floor("15min"), periods=len(kw) + 1, freq="15min")
    rates = [*kw, kw[-1]]
    return pd.DataFrame(
        {"ev_1_kw": rates, "battery_b1_charge_kw": rates, "battery_b1_discharge_kw": 0.0},
        index=index,
    )


def test_a_site_runs_by_the_clock(setpoint_site: Site, setpoint_clock: WorldClock) -> None:
    """Time stands until it is moved; then everything happens that is due."""
    system = setpoint_site()
    began = setpoint_clock.now
    heard: list[Event] = []
    system.subscribe(heard.append, "COMMAND_COMPLETED")
    setpoint_clock.advance(5)
    system.submit(plan(began, 7.0, 9.0))
    setpoint_clock.advance_to(began + timedelta(minutes=16))
    assert system.state()["ast_battery_1"].setpoint_kw == 9.0
    assert system.battery("ast_battery_1").setpoint_w() == 9_000
    assert {one.asset_id for one in heard} == {"ast_charger_1", "ast_battery_1"}
    counts = system.assert_promises()
    assert counts["Modbus writes"] >= 2
    assert counts["states compared"] > 5


def test_a_fault_strikes_what_its_rule_names(
    setpoint_site: Site, setpoint_clock: WorldClock, setpoint_faults: Faults
) -> None:
    """And is on record, with what the engine made of it."""
    system = setpoint_site()
    setpoint_clock.advance(5)
    setpoint_faults.add(Fault(kind="reject", asset="ast_charger_1", action="SetChargingProfile"))
    setpoint_faults.add(Fault(kind="drop", asset="ast_battery_1", direction="out", action=6))
    system.submit(plan(setpoint_clock.now, 7.0))
    setpoint_clock.advance(60)
    assert sorted(one.kind for one in setpoint_faults.injected) == ["drop", "reject"]
    outcomes = {(one.asset_id, tried.outcome) for one in system.history() for tried in one.attempts}
    assert {("ast_charger_1", "rejected"), ("ast_battery_1", "timed_out")} <= outcomes
    assert system.battery("ast_battery_1").setpoint_w() == 7_000
    system.assert_promises()


def test_a_crash_and_a_restart(setpoint_site: Site, setpoint_clock: WorldClock) -> None:
    """What was on the wire is cleared up, and the plan goes on."""
    system = setpoint_site()
    setpoint_clock.advance(5)
    system.crash_at("after_send")
    system.submit(plan(setpoint_clock.now, 7.0, 8.0))
    setpoint_clock.advance(5)
    with pytest.raises(EngineClosed):
        system.state()
    system.restart()
    setpoint_clock.advance(1_000)
    assert system.state()["ast_charger_1"].setpoint_kw == 8.0
    assert system.assert_promises()["cleared up"] >= 1


def test_a_site_of_ones_own(setpoint_site: Site) -> None:
    """As TOML text."""
    text = """
[site]
id = "sit_mine"
[[asset]]
id = "ast_b"
kind = "battery"
schedule_key = "battery"
adapter = "modbus"
host = "127.0.0.1"
port = 502
max_charge_kw = 5
max_discharge_kw = 5
fallback_kw = 0
"""
    assert setpoint_site(text, seed=3).site.id == "sit_mine"


@pytest.mark.storm(seeds=3)
def test_a_storm_has_a_seed_each_time(setpoint_seed: int) -> None:
    """As many as it asks for."""
    assert setpoint_seed in range(3)


def test_a_failing_seed_is_told_as_a_command(pytester: pytest.Pytester) -> None:
    """Which then repeats it, and nothing else."""
    pytester.makepyfile(
        """
        import pytest

        @pytest.mark.storm(seeds=5)
        def test_it(setpoint_seed):
            assert setpoint_seed != 3
        """
    )
    result = pytester.runpytest_inprocess("-p", "no:randomly")
    result.assert_outcomes(passed=4, failed=1)
    command = "*pytest test_a_failing_seed_is_told_as_a_command.py::test_it[[]3] --setpoint-seed 3"
    result.stdout.fnmatch_lines([command])
    again = pytester.runpytest_inprocess("--setpoint-seed", "3")
    again.assert_outcomes(failed=1)
    fewer = pytester.runpytest_inprocess("--setpoint-storms", "2")
    fewer.assert_outcomes(passed=2)
