"""Batteries that misbehave as those in the field do, and what the engine makes of each.

Engine, journal, links and devices are the real ones; threads, sockets and clocks are not.
"""

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest

from actors.testing.crashes import Crashed
from actors.testing.planning import plan_from_now
from actors.testing.simulation import Simulation
from engine.commands import CommandStatus
from engine.events import MessageNotUnderstood

BATTERY = "ast_battery"
SITE = """
[site]
id = "sit_test"
[defaults]
command_timeout_seconds = 5
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
"""
HOUR = timedelta(hours=1)
SETPOINTS = frozenset({20, 21})
HEARTBEAT = 30
Site = Callable[..., Simulation]


def charging(site: Site, *quirks: str, kw: float = 5.0, seconds: float = 30.0) -> Simulation:
    """Return a site whose battery has these quirks and is to charge for an hour, a while later."""
    system = site(SITE)
    system.battery(BATTERY).fail(*quirks)
    system.advance(3)
    plan_from_now(system, battery_charge_kw=[kw] * 4, battery_discharge_kw=[0.0] * 4)
    system.advance(seconds)
    return system


def written(system: Simulation, *addresses: int) -> int:
    """Return how often the battery was written to at these addresses."""
    entries = system.battery(BATTERY).wire_log.entries
    writes = [one.payload for one in entries if (one.direction, one.action) == ("in", 6)]
    return sum(isinstance(one, dict) and one["address"] in addresses for one in writes)


def completed(system: Simulation) -> set[str | None]:
    """Return the evidence of the commands, if all are COMPLETED.

    Raises:
        AssertionError: one is not.
    """
    assert {one.status for one in system.history()} == {CommandStatus.COMPLETED}
    return {one.evidence for one in system.history()}


# --- 1: register encoding


@pytest.mark.parametrize(("quirk", "ends"), [("fc6_only", "COMPLETED"), ("fc16_only", "FAILED")])
def test_a_battery_that_knows_one_function_code_is_written_to_as_its_profile_says(
    setpoint_site: Site, quirk: str, ends: str
) -> None:
    """The other function code is refused by name, and not tried again and again."""
    system = charging(setpoint_site, quirk)
    first = next(one for one in system.history() if one.type == "SET_DISCHARGE_RATE")
    assert first.status == ends
    if ends == "FAILED":
        assert "illegal function" in str(first.reason)
        assert len(first.attempts) == 1
    system.assert_promises()


def test_readings_that_cannot_be_are_no_readings(setpoint_site: Site, tmp_path: Path) -> None:
    """Words in another order, and what a vendor says for no value: the last that could be stays."""
    system = moody(setpoint_site, tmp_path, "swapped_words")
    plan_from_now(system, battery_charge_kw=[5.0] * 4, battery_discharge_kw=[0.0] * 4)
    system.advance(60)
    assert system.state()[BATTERY].measured_kw == 0.0
    assert system.battery(BATTERY).setpoint_w() == 5_000
    odd = [one.event for one in system.records() if isinstance(one.event, MessageNotUnderstood)]
    assert [one.raw.split()[0] for one in odd] == ["power_w"]
    system.battery(BATTERY).heal()
    system.advance(10)
    assert system.state()[BATTERY].measured_kw == 5.0
    system.battery(BATTERY).fail("nan_readings")
    system.advance(10)
    assert system.state()[BATTERY].measured_kw == 5.0


# --- 4: accepted, but not applied


@pytest.mark.parametrize(("quirk", "found"), [("ignore_write", "0.0 kW"), ("clamp", "2.5 kW")])
def test_a_battery_that_does_not_take_what_it_accepts_has_failed_with_what_was_found(
    setpoint_site: Site, quirk: str, found: str
) -> None:
    """Its setpoint is read back, and tried again after a while."""
    system = charging(setpoint_site, quirk)
    planned = next(one for one in system.history() if one.type == "SET_CHARGE_RATE")
    assert (planned.status, planned.evidence) == ("FAILED", "readback")
    assert planned.reason == f"clamped: found {found} charge, 0.0 kW discharge"
    system.battery(BATTERY).heal()
    system.advance(300)
    assert system.battery(BATTERY).setpoint_w() == 5_000


# --- 5: a setpoint lapses unless it is refreshed


def test_a_battery_that_forgets_its_setpoint_is_reminded_without_new_commands(
    setpoint_site: Site,
) -> None:
    """At half of its time-out; when the engine is gone it takes itself back."""
    system = charging(setpoint_site, "forgets_setpoint", seconds=400)
    assert system.battery(BATTERY).setpoint_w() == 5_000
    assert written(system, HEARTBEAT) in range(12, 16)
    assert written(system, *SETPOINTS) == 2
    assert len(system.history()) == 2
    system.assert_promises()


# --- 11: another controller


def test_a_battery_that_somebody_else_sets_is_not_fought_over(setpoint_site: Site) -> None:
    """It is set again three times in an hour, then left alone with an alarm."""
    system = charging(setpoint_site, "other_controller", seconds=600)
    again = system.history(cause="rule:reassert")
    assert [one.cause.reason for one in again] == ["another controller"] * 3
    assert system.state()[BATTERY].alarms == ("interference",)
    system.assert_promises()


# --- 12: one client, slow, drifting


def test_a_battery_that_takes_one_client_is_given_one(setpoint_site: Site) -> None:
    """Also when its connection has to be made anew."""
    system = charging(setpoint_site, "one_client")
    system.battery(BATTERY).hang_up()
    system.advance(30)
    assert system.battery(BATTERY).connections == 2
    assert system.battery(BATTERY).setpoint_w() == 5_000
    assert completed(system) == {"readback"}


def test_a_battery_whose_answers_drift_gets_a_new_connection(setpoint_site: Site) -> None:
    """No answer is taken for that of another request."""
    system = charging(setpoint_site, "drifts", seconds=300)
    assert system.battery(BATTERY).connections > 3
    assert system.battery(BATTERY).setpoint_w() == 5_000
    assert system.state()[BATTERY].measured_kw == 5.0
    assert completed(system) == {"readback"}
    system.assert_promises()


def test_a_battery_that_is_slow_is_waited_for(setpoint_site: Site) -> None:
    """One request at a time."""
    system = charging(setpoint_site, "slow", seconds=60)
    assert completed(system) == {"readback"}
    assert {one.attempts[0].outcome for one in system.history()} == {"accepted"}
    system.assert_promises()


# --- 13: late replies


def test_a_battery_that_answers_late_is_asked_what_it_holds(setpoint_site: Site) -> None:
    """What was written is not written twice."""
    system = charging(setpoint_site, "late", seconds=60)
    assert {one.attempts[0].outcome for one in system.history()} == {"timed_out"}
    assert completed(system) == {"readback"}
    assert written(system, *SETPOINTS) == 2
    system.assert_promises()


# --- 19: the engine dies


@pytest.mark.parametrize(("quirk", "held_w"), [("forgets_setpoint", 0), ("never_lapses", 5_000)])
def test_a_battery_whose_engine_dies_is_as_safe_as_its_own_time_out(
    setpoint_site: Site, quirk: str, held_w: int
) -> None:
    """The engine that comes back sets what should hold now."""
    system = charging(setpoint_site, quirk)
    system.crash_at("before_append")
    with pytest.raises(Crashed):
        system.override(BATTERY, 7.0, until=system.plan_now + HOUR, by="ann", reason="test")
    system.advance(120)
    assert system.battery(BATTERY).setpoint_w() == held_w
    system.restart()
    system.advance(30)
    assert system.battery(BATTERY).setpoint_w() == 5_000
    system.assert_promises()


# --- 7: flash, and 16: modes


PROFILE = """
[profile]
name = "moody"
source = "a test"
poll_s = 5
[[register]]
role = "power_w"
address = 12
type = "i32"
min = -60000
max = 60000
[[register]]
role = "charge_setpoint_w"
address = 20
type = "u16"
access = "rw"
max = 50000
persistent = { min_interval_s = 20, daily_writes = 50 }
[[register]]
role = "discharge_setpoint_w"
address = 21
type = "u16"
access = "rw"
max = 50000
[[register]]
role = "mode"
address = 40
type = "u16"
access = "rw"
[[mode.charge]]
role = "mode"
value = 4
[[mode.discharge]]
role = "mode"
value = 4
[[mode.idle]]
role = "mode"
value = 4
[[mode.release]]
role = "mode"
value = 1
"""
MODE = 40


def moody(site: Site, folder: Path, quirk: str) -> Simulation:
    """Return a site whose battery needs a mode, and keeps its charge rate in flash."""
    (folder / "moody.toml").write_text(PROFILE, encoding="utf-8")
    system = site(SITE + 'profile = "moody.toml"\n')
    system.battery(BATTERY).fail(quirk)
    system.advance(3)
    return system


def test_a_battery_that_wears_out_is_written_no_more_often_than_its_profile_allows(
    setpoint_site: Site, tmp_path: Path
) -> None:
    """The newest setpoint waits, and none is refused; the same is not written again."""
    system = moody(setpoint_site, tmp_path, "flash_wear")
    plan_from_now(
        system,
        step_s=5,
        battery_charge_kw=[1.0, 2.0, 3.0, 4.0, 5.0, 6.0],
        battery_discharge_kw=[0.0] * 6,
    )
    system.advance(28)
    assert written(system, 20) == 1
    assert system.battery(BATTERY).setpoint_w() == 5_000
    assert {tried.outcome for one in system.history() for tried in one.attempts} == {"accepted"}
    system.assert_promises()


def test_a_battery_that_needs_a_mode_is_given_it_first(setpoint_site: Site, tmp_path: Path) -> None:
    """In the order of its profile; and its own control back when the engine stops."""
    system = moody(setpoint_site, tmp_path, "needs_mode")
    battery = system.battery(BATTERY)
    plan_from_now(system, battery_charge_kw=[5.0] * 2, battery_discharge_kw=[0.0] * 2)
    system.advance(30)
    assert battery.power_w() == 5_000
    assert completed(system) == {"readback"}
    entries = battery.wire_log.entries
    writes = [one.payload for one in entries if (one.direction, one.action) == ("in", 6)]
    assert writes[0] == {"unit": 1, "address": MODE, "values": [4]}
    system.restart()
    writes = [one.payload for one in entries if (one.direction, one.action) == ("in", 6)]
    assert writes[-1] == {"unit": 1, "address": MODE, "values": [1]}
    system.assert_promises()
