"""Chargers that misbehave as those in the field do, and what the engine makes of each.

Engine, journal, links and devices are the real ones; threads, sockets and clocks are not.
"""

from collections.abc import Callable, Iterable, Sequence
from datetime import timedelta
from typing import Any

import pytest

from actors.sim.timetable import Arrival
from actors.sim.wirelog import WireEntry
from actors.testing.crashes import Crashed
from actors.testing.planning import plan_from_now
from actors.testing.simulation import Simulation
from engine.commands import CommandStatus
from engine.events import StatusNotUnderstood
from engine.history import CommandRecord

CHARGER = "ast_charger"
SITE = """
[site]
id = "sit_test"
[ocpp]
listen = "127.0.0.1:0"
security_profile = 0
[defaults]
command_timeout_seconds = 5
[[asset]]
id = "ast_charger"
kind = "ev_charger"
schedule_key = "1"
adapter = "ocpp"
charge_point = "CP-1"
max_kw = 22
fallback_kw = 4.2
"""
HOUR = timedelta(hours=1)
Site = Callable[..., Simulation]


def charging(
    site: Site,
    *quirks: str,
    kw: Sequence[float] = (7.0,) * 4,
    seconds: float = 60.0,
    more: str = "",
) -> Simulation:
    """Return a site whose charger has these quirks, with a vehicle that charges by a plan."""
    system = site(SITE + more, arrivals={"CP-1": (Arrival(1, 0.0),)}, quirks={"CP-1": quirks})
    system.advance(10)
    plan_from_now(system, ev_1_kw=kw)
    system.advance(seconds)
    return system


def heard(system: Simulation, *actions: str) -> list[WireEntry]:
    """Return what the charger was asked, of these actions."""
    entries = system.charger(CHARGER).wire_log.entries
    return [one for one in entries if one.direction == "in" and one.action in actions]


def limit_kw(system: Simulation) -> float:
    """Return what the charger allows its vehicle."""
    return system.charger(CHARGER).connector(1).limit_w / 1_000


def planned(system: Simulation) -> list[CommandRecord]:
    """Return the commands of the schedule that have fallen due."""
    return [one for one in system.history(cause="schedule") if one.attempts]


def outcomes(records: Iterable[CommandRecord]) -> list[Any]:
    """Return how the attempts of commands ended."""
    return [tried.outcome for one in records for tried in one.attempts]


# --- 2: charging profiles refused for their form


@pytest.mark.parametrize(
    ("quirk", "tries"), [("relative_only", 2), ("level_zero_only", 5), ("one_period", 1)]
)
def test_a_charger_that_refuses_a_form_is_given_the_next_and_then_the_one_it_took(
    setpoint_site: Site, quirk: str, tries: int
) -> None:
    """What it took is remembered for the next setpoint."""
    system = charging(setpoint_site, quirk, kw=(7.0, 9.0), seconds=300)
    tried = outcomes(system.history())
    assert tried == ["rejected"] * (tries - 1) + ["accepted"]
    assert limit_kw(system) == 7.0
    system.advance(900)
    assert outcomes(planned(system)[1:]) == ["accepted"]
    assert limit_kw(system) == 9.0
    system.assert_promises()


@pytest.mark.parametrize("quirk", ["relative_only", "level_zero_only", "one_period"])
def test_a_station_of_2_0_1_that_refuses_a_form_is_not_kept_from_the_next_by_our_own_fallback(
    setpoint_site: Site, quirk: str
) -> None:
    """It refuses a second profile of one purpose and stack level."""
    system = setpoint_site(SITE, quirks={"CP-1": (quirk,)}, versions={"CP-1": "2.0.1"})
    system.advance(10)
    plan_from_now(system, ev_1_kw=(7.0, 9.0))
    system.advance(300)
    assert limit_kw(system) == 7.0
    system.advance(900)
    assert outcomes(planned(system)[1:]) == ["accepted"]
    assert limit_kw(system) == 9.0
    duplicates = [
        entry.payload
        for entry in system.charger(CHARGER).wire_log.entries
        if entry.direction == "out" and "uplicate" in str(entry.payload)
    ]
    assert duplicates == []
    system.assert_promises()


def test_a_charger_that_cannot_be_limited_is_not_asked_again_and_again(
    setpoint_site: Site,
) -> None:
    """It says so itself."""
    system = charging(setpoint_site, "no_smart_charging")
    (record,) = planned(system)
    assert (record.status, record.reason) == ("FAILED", "unsupported")
    assert len(heard(system, "SetChargingProfile")) == 1


# --- 3: amperes, watts, phases


@pytest.mark.parametrize("quirk", ["amps_only", "amps_unsaid"])
def test_a_charger_of_amperes_gets_amperes_and_both_numbers_are_kept(
    setpoint_site: Site, quirk: str
) -> None:
    """Rounded down to a tenth; one that hides its unit is found out."""
    system = charging(setpoint_site, quirk)
    (record,) = planned(system)
    assert (record.status, record.value_kw, record.applied_kw) == ("COMPLETED", 7.0, 6.969)
    assert limit_kw(system) == pytest.approx(6.969)
    system.assert_promises()


# --- 4: accepted, but not applied


def test_a_charger_that_ignores_what_it_accepts_is_found_out_by_evidence(
    setpoint_site: Site,
) -> None:
    """Where the site file asks for any."""
    system = charging(setpoint_site, "accept_ignore", more='verify = "composite"\n', seconds=120)
    record = planned(system)[0]
    assert record.status == CommandStatus.FAILED
    assert record.evidence == "composite"
    assert outcomes([record])[0] == "accepted"


# --- 6: transaction ids


def test_a_transaction_that_is_told_twice_has_one_id(setpoint_site: Site) -> None:
    """And is one on record."""
    system = charging(setpoint_site, "repeats_start")
    starts = [one.payload for one in heard(system, "StartTransaction")]
    assert len(starts) == 2
    assert starts[0] == starts[1]
    assert len([one for one in system.records() if "Started" in type(one.event).__name__]) >= 1
    assert limit_kw(system) == 7.0


@pytest.mark.parametrize("quirk", ["tx_minus_one", "replays"])
def test_a_transaction_that_is_none_or_long_over_changes_nothing(
    setpoint_site: Site, quirk: str
) -> None:
    """The one that runs keeps its limit, under its own id."""
    system = charging(setpoint_site, quirk, seconds=30)
    own = str(system.charger(CHARGER).connector(1).transaction_id)
    assert system.state()[CHARGER].transaction_id == own
    system.advance(120)
    assert system.state()[CHARGER].transaction_id == own
    assert limit_kw(system) == 7.0
    assert len(heard(system, "SetChargingProfile")) == 1


# --- 8: pause and resume


def test_a_paused_vehicle_that_sleeps_is_never_stopped_and_wakes_with_its_limit(
    setpoint_site: Site,
) -> None:
    """A pause is a limit of 0; what holds after it is set again, long before its lease is."""
    system = charging(setpoint_site, "sleepy_vehicle", seconds=60)
    vehicle = system.charger(CHARGER).connector(1)
    system.override(
        CHARGER, 0.0, until=system.plan_now + timedelta(minutes=2), by="ann", reason="x"
    )
    system.advance(60)
    assert (limit_kw(system), vehicle.power_w) == (0.0, 0.0)
    system.advance(240)
    assert vehicle.power_w > 6_000
    assert heard(system, "RemoteStopTransaction") == []
    system.assert_promises()


@pytest.mark.parametrize("version", ["1.6", "2.0.1"])
@pytest.mark.parametrize(("wake_up", "wakes"), [("limit", False), ("pause", True)])
def test_a_vehicle_that_sleeps_deeply_is_woken_by_another_pause_where_that_is_wanted(
    setpoint_site: Site, wake_up: str, version: str, *, wakes: bool
) -> None:
    """The charger has it in one profile: nothing for a while, the limit, then the fallback."""
    system = setpoint_site(
        SITE + f'wake_up = "{wake_up}"\n',
        arrivals={"CP-1": (Arrival(1, 0.0),)},
        quirks={"CP-1": ("deep_sleeper",)},
        versions={"CP-1": version},
    )
    system.advance(10)
    plan_from_now(system, ev_1_kw=(7.0,) * 4)
    system.advance(60)
    vehicle = system.charger(CHARGER).connector(1)
    until = system.plan_now + timedelta(minutes=2)
    system.override(CHARGER, 0.0, until=until, by="ann", reason="x")
    system.advance(60)
    assert vehicle.power_w == 0.0
    system.advance(400)
    assert (vehicle.power_w > 6_000) is wakes
    assert limit_kw(system) == 7.0
    assert heard(system, "RemoteStopTransaction", "RequestStopTransaction") == []
    system.assert_promises()


# --- 9: messages that break the schema


@pytest.mark.parametrize("quirk", ["loose_messages", "extra_field"])
def test_a_charger_whose_messages_break_the_schema_is_understood(
    setpoint_site: Site, quirk: str
) -> None:
    """Its state, its transaction and its answers."""
    system = charging(setpoint_site, quirk)
    view = system.state()[CHARGER]
    assert (view.state, view.measured_kw) == ("CHARGING", 7.0)
    assert view.transaction_id is not None
    assert [one.status for one in planned(system)] == [CommandStatus.COMPLETED]
    system.assert_promises()


def test_a_status_that_nobody_knows_is_kept_and_changes_nothing(setpoint_site: Site) -> None:
    """As the charger put it."""
    system = charging(setpoint_site, "unknown_status", kw=(0.0, 0.0))
    assert system.state()[CHARGER].state == "CHARGING"
    odd = [one.event for one in system.records() if isinstance(one.event, StatusNotUnderstood)]
    assert [one.raw for one in odd] == ["Suspended"]


# --- 10: the limit is lost


def test_a_charger_that_forgets_its_limit_is_given_it_again(setpoint_site: Site) -> None:
    """When its transaction begins, and when it has booted."""
    system = charging(setpoint_site, "forgets_limit", "resumes_transaction")
    assert limit_kw(system) == 7.0
    system.call(CHARGER, "Reset", {"type": "Hard"})
    system.advance(30)
    assert heard(system, "Reset")
    assert limit_kw(system) == 7.0
    system.assert_promises()


# --- 13: late replies


@pytest.mark.parametrize("quirk", ["late_answer", "unanswered"])
def test_a_charger_that_answers_late_is_asked_what_it_holds(
    setpoint_site: Site, quirk: str
) -> None:
    """The late answer is on record, and changes nothing."""
    system = charging(setpoint_site, quirk)
    (record,) = planned(system)
    assert (record.status, record.evidence) == ("COMPLETED", "composite")
    (tried,) = record.attempts
    assert tried.outcome == "timed_out"
    late = [] if tried.answer is None else [one.raw for one in tried.answer.late]
    assert len(late) == (1 if quirk == "late_answer" else 0)
    assert len(heard(system, "SetChargingProfile")) == 1
    system.assert_promises()


# --- 15: two sockets


def test_of_two_sockets_the_newest_counts_and_the_old_ones_end_harms_nothing(
    setpoint_site: Site,
) -> None:
    """Neither the connection nor the setpoints."""
    system = charging(setpoint_site, "two_sockets", kw=(7.0, 9.0))
    assert limit_kw(system) == 7.0
    system.advance(900)
    assert system.state()[CHARGER].connected
    assert [one.status for one in planned(system)] == [CommandStatus.COMPLETED] * 2
    assert limit_kw(system) == 9.0
    system.assert_promises()


# --- 17: nothing is said after our restart


@pytest.mark.parametrize("quirk", ["says_nothing", "no_trigger", "no_status_after_boot"])
def test_a_charger_that_says_nothing_after_a_restart_is_asked_or_known_by_what_it_meters(
    setpoint_site: Site, quirk: str
) -> None:
    """Until then its state is not known, and no increase goes to it."""
    system = charging(setpoint_site, quirk)
    system.restart()
    system.advance(1)
    view = system.state()[CHARGER]
    assert (view.connected, view.state_known, limit_kw(system)) == (True, False, 22.0)
    system.advance(60)
    assert system.state()[CHARGER].state_known
    assert limit_kw(system) == 7.0
    system.assert_promises()


# --- 18: plugged in after the slot began


def test_a_vehicle_that_comes_late_gets_what_holds_then(setpoint_site: Site) -> None:
    """The slot's value is not an event that was missed."""
    system = charging(setpoint_site, "late_vehicle", "forgets_limit", seconds=40)
    assert system.charger(CHARGER).connector(1).plugged is None
    system.advance(120)
    assert system.charger(CHARGER).connector(1).power_w == pytest.approx(7_000)
    system.assert_promises()


# --- 19: the engine dies


@pytest.mark.parametrize("quirk", ["one_period", "watts_only"])
def test_a_charger_whose_engine_dies_falls_back_when_the_lease_is_over(
    setpoint_site: Site, quirk: str
) -> None:
    """By the second period, or by the default profile below."""
    system = charging(setpoint_site, quirk, kw=(7.0,) * 12)
    system.crash_at("before_append")
    with pytest.raises(Crashed):
        system.override(CHARGER, 9.0, until=system.plan_now + HOUR, by="ann", reason="test")
    system.advance(960)
    assert limit_kw(system) == 4.2
    system.restart()
    system.advance(30)
    assert limit_kw(system) == 7.0
    system.assert_promises()


# --- 20: floods


def test_of_a_flood_of_setpoints_one_is_on_the_wire_and_the_newest_waits(
    setpoint_site: Site,
) -> None:
    """A charger that cannot take two at a time is not given two."""
    system = charging(setpoint_site, "one_at_a_time")
    before = len(heard(system, "SetChargingProfile"))
    until = system.plan_now + HOUR
    for kw in range(5, 15):
        system.override(CHARGER, float(kw), until=until, by="ann", reason="test")
    system.advance(60)
    assert limit_kw(system) == 14.0
    assert len(heard(system, "SetChargingProfile")) <= before + 3
    assert "Disconnected" not in {type(one.event).__name__ for one in system.records()}
    system.assert_promises()


# --- 21: below six amperes


def test_a_power_below_six_amperes_is_off_or_the_least_as_the_site_file_says(
    setpoint_site: Site,
) -> None:
    """A charger that would take it for 6 A is not given it."""
    system = charging(setpoint_site, "min_6a", kw=(3.0, 3.0))
    (record,) = planned(system)
    assert (record.value_kw, record.applied_kw) == (3.0, 0.0)
    assert limit_kw(system) == 0.0


# --- 22: the vehicle takes less, and slowly


def test_a_vehicle_that_takes_less_than_it_may_is_no_failure(setpoint_site: Site) -> None:
    """A charger's setpoint is an upper bound."""
    system = charging(
        setpoint_site, "slow_vehicle", kw=(11.0,) * 4, more='verify = "measured"\n', seconds=180
    )
    assert [one.status for one in planned(system)] == [CommandStatus.COMPLETED]
    assert system.state()[CHARGER].measured_kw == pytest.approx(7.4)


# --- 23: stale meter values


def test_what_a_meter_showed_before_is_no_evidence_of_what_holds_now(setpoint_site: Site) -> None:
    """A decrease is not held against the power that was before it, though it is told after."""
    system = charging(
        setpoint_site, "queued_meter", kw=(11.0, 6.0), more='verify = "measured"\n', seconds=900
    )
    assert system.state()[CHARGER].measured_kw == 11.0
    system.advance(150)
    assert [one.status for one in planned(system)] == [CommandStatus.COMPLETED] * 2
    assert planned(system)[1].evidence == "measured"
    assert system.state()[CHARGER].measured_kw == 6.0


# --- 24: Scheduled


def test_a_change_of_availability_that_is_scheduled_is_done_when_the_status_says_so(
    setpoint_site: Site,
) -> None:
    """It is acknowledged until then, also beyond a restart."""
    system = charging(setpoint_site, "availability_scheduled")
    handle = system.send(CHARGER, "CHANGE_AVAILABILITY", by="ann", reason="test", operative=False)
    system.advance(600)
    assert handle.status == CommandStatus.ACKNOWLEDGED
    system.restart()
    system.advance(60)
    system.charger(CHARGER).unplug(1)
    system.advance(30)
    (record,) = system.history(type="CHANGE_AVAILABILITY")
    assert (record.status, record.evidence) == ("COMPLETED", "status")
    assert system.state()[CHARGER].state == "UNAVAILABLE"
    system.assert_promises()


# --- 25: clocks


@pytest.mark.parametrize("quirk", ["clock_behind", "local_time"])
def test_a_charger_with_a_clock_of_its_own_holds_its_setpoint(
    setpoint_site: Site, quirk: str
) -> None:
    """It is told the time in UTC, and a schedule begins in its past."""
    system = charging(setpoint_site, quirk, seconds=200)
    view = system.state()[CHARGER]
    assert limit_kw(system) == 7.0
    assert view.measured_kw == 7.0
    assert view.transaction_id == str(system.charger(CHARGER).connector(1).transaction_id)
    system.assert_promises()


# --- 14: a site's limit


SECOND = """
[[asset]]
id = "ast_second"
kind = "ev_charger"
schedule_key = "2"
adapter = "ocpp"
charge_point = "CP-2"
max_kw = 22
fallback_kw = 4.2
verify = "measured"
"""


def test_under_a_limit_nothing_rises_before_a_slow_charger_has_come_down(
    setpoint_site: Site,
) -> None:
    """The sum stays within the limit at every second."""
    site = SITE.replace(
        'id = "sit_test"', 'id = "sit_test"\nimport_limit_kw = 20\nbase_load_kw = 0'
    )
    system = setpoint_site(
        site + 'verify = "measured"\n' + SECOND,
        arrivals={"CP-1": (Arrival(1, 0.0),), "CP-2": (Arrival(1, 0.0),)},
        quirks={"CP-1": ("lags",)},
    )
    system.advance(10)
    plan_from_now(system, ev_1_kw=[11.0, 5.0], ev_2_kw=[5.0, 11.0])
    system.advance(880)
    most_kw = 0.0
    for _ in range(180):
        system.advance(1)
        chargers = (system.charger(CHARGER), system.charger("ast_second"))
        most_kw = max(most_kw, sum(one.connector(1).limit_w for one in chargers) / 1_000)
    assert most_kw <= 20.0
    assert limit_kw(system) == 5.0
    assert system.charger("ast_second").connector(1).limit_w == 11_000
    system.assert_promises()
