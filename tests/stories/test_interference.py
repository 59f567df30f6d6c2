"""Another controller sets a battery too: what the engine does about it, as its asset's entry says.

The engine and the battery are real but for threads, sockets and clocks.
"""

from collections.abc import Callable

import pandas as pd
import pytest

from actors.testing.simulation import Simulation
from engine import bus

BATTERY = "ast_battery"
SITE = """
[site]
id = "sit_test"
[[asset]]
id = "ast_battery"
kind = "battery"
schedule_key = "battery"
adapter = "modbus"
host = "127.0.0.1"
port = 502
max_charge_kw = 50
max_discharge_kw = 50
fallback_kw = 0
on_stop = "hold"
on_interference = "{policy}"
"""
ABOVE_LIMIT_W = 55_000


def planned(site: Callable[..., Simulation], policy: str) -> tuple[Simulation, list[bus.Event]]:
    """Return a site whose battery holds 5 kW for two hours and 3 kW then, and its alarms."""
    system = site(SITE.format(policy=policy))
    heard: list[bus.Event] = []
    system.subscribe(heard.append, "ALARM")
    start = pd.Timestamp(system.plan_now).ceil("s")
    system.submit(
        pd.DataFrame(
            {"battery_charge_kw": [5.0, 3.0], "battery_discharge_kw": [0.0, 0.0]},
            index=[start, start + pd.Timedelta(hours=2)],
        )
    )
    system.advance(60)
    return system, heard


def press(system: Simulation, watts: float = 1_000) -> None:
    """Let the other controller set the battery; the next poll finds it."""
    system.battery(BATTERY).press("charge_setpoint_w", watts)
    system.advance(6)


def writes(system: Simulation) -> int:
    """Return how often the battery was written to."""
    entries = system.battery(BATTERY).wire_log.entries
    return sum((one.direction, one.action) == ("in", 6) for one in entries)


def reasserted(system: Simulation) -> list[str | None]:
    """Return the reasons of what was asserted again."""
    return [one.cause.reason for one in system.history(cause="rule:reassert")]


def test_a_battery_is_set_again_three_times_and_then_left_alone_for_an_hour(
    setpoint_site: Callable[..., Simulation],
) -> None:
    """A restart changes nothing about it."""
    system, heard = planned(setpoint_site, "reassert")
    battery = system.battery(BATTERY)
    for _ in range(3):
        press(system)
        assert battery.setpoint_w() == 5_000
    assert not heard
    press(system)
    assert battery.setpoint_w() == 1_000
    assert reasserted(system) == ["another controller"] * 3
    (alarm,) = heard
    assert (alarm.asset_id, alarm.data["alarm"]) == (BATTERY, "interference")
    assert system.state()[BATTERY].alarms == ("interference",)
    system.restart()
    before = writes(system)
    system.advance(600)
    assert writes(system) == before
    assert "is left alone until" in system.why(BATTERY, system.plan_now).sentence
    system.advance(3_600)
    assert battery.setpoint_w() == 5_000
    assert system.state()[BATTERY].alarms == ()
    system.assert_promises()


@pytest.mark.parametrize(("policy", "alarms"), [("yield", 0), ("alarm", 1)])
def test_a_battery_is_left_alone_until_the_next_planned_change(
    setpoint_site: Callable[..., Simulation], policy: str, alarms: int
) -> None:
    """With an alarm where one is asked for; not a frame goes out meanwhile."""
    system, heard = planned(setpoint_site, policy)
    battery = system.battery(BATTERY)
    press(system)
    assert battery.setpoint_w() == 1_000
    before = writes(system)
    system.advance(3_600)
    assert writes(system) == before
    assert reasserted(system) == []
    assert len(heard) == alarms
    assert "until the next planned change" in system.why(BATTERY, system.plan_now).sentence
    system.advance(3_600)
    assert battery.setpoint_w() == 3_000
    assert system.state()[BATTERY].alarms == ()
    system.assert_promises()


@pytest.mark.parametrize("policy", ["yield", "alarm"])
def test_above_the_assets_limit_a_battery_is_set_again_whatever_its_policy(
    setpoint_site: Callable[..., Simulation], policy: str
) -> None:
    """Each time."""
    system, _ = planned(setpoint_site, policy)
    for _ in range(5):
        press(system, ABOVE_LIMIT_W)
        assert system.battery(BATTERY).setpoint_w() == 5_000
    assert len(reasserted(system)) == 5
    assert system.state()[BATTERY].alarms == ("interference",)
