"""Somebody beside us limits what a charger gives: known, told, and not fought."""

import pytest

from actors.testing.rig import Rig, charger_rules, names_of, plan_of
from engine import events
from engine.adapters import base
from engine.asset import messages as message
from engine.asset.view import view_of
from engine.types import Channel

CHARGE = Channel.CHARGE
GRID = base.ExternalLimit("SO", 4_200.0, is_critical=True)
GRID_LIFTED = base.ExternalLimit("SO", is_over=True)
EMS = base.ExternalLimit("EMS", 16.0, "A")


def set_to_11_kw(**changes: object) -> Rig:
    """Return a charger that was set to 11 kW."""
    rig = Rig(charger_rules(failsafe_after_s=100_000, **changes))
    rig.connect("CHARGING")
    rig.observe(base.TransactionChanged("started", "7", "key"))
    rig.offer(plan_of((0, CHARGE, 11_000)), 90_000)
    rig.answer()
    return rig


def alarms(rig: Rig) -> tuple[str, ...]:
    """Return the alarms that people see."""
    return view_of(rig.state, rig.now).alarms


def test_a_limit_is_recorded_once_and_is_an_alarm_until_it_is_lifted() -> None:
    """Whatever it is said how often."""
    rig = set_to_11_kw()
    assert names_of(rig.observe(GRID, GRID)) == ["ExternalLimitTold"]
    assert alarms(rig) == ("external_limit",)
    assert names_of(rig.observe(GRID_LIFTED, GRID_LIFTED)) == ["ExternalLimitTold"]
    assert alarms(rig) == ()


def test_each_source_has_its_own() -> None:
    """The newest of one takes the place of the one before."""
    rig = set_to_11_kw()
    rig.observe(GRID, EMS, base.ExternalLimit("EMS", 10.0, "A"))
    assert [(one.source, one.limit) for one in rig.state.device.limits] == [
        ("SO", 4_200.0),
        ("EMS", 10.0),
    ]
    rig.observe(GRID_LIFTED)
    assert [one.source for one in rig.state.device.limits] == ["EMS"]
    assert alarms(rig) == ("external_limit",)


def test_a_limit_changes_no_setpoint() -> None:
    """What we have set lies above it, and holds again when it is gone."""
    rig = set_to_11_kw()
    sent = len(rig.sent)
    rig.observe(GRID, GRID_LIFTED)
    assert len(rig.sent) == sent


def test_a_reading_below_ours_under_a_limit_is_that_limit_and_nobodys_interference() -> None:
    """It is not set again, and nobody is called."""
    rig = set_to_11_kw()
    rig.observe(GRID)
    assert rig.observe(base.SetpointRead(4.2, None)) == []
    assert names_of(rig.observe(base.SetpointRead(12.0, None)))[:1] == ["DeviceChanged"]


@pytest.mark.parametrize("limit", [0.0, 4_200.0])
def test_a_vehicle_that_somebody_else_keeps_from_charging_is_not_woken(limit: float) -> None:
    """It has no limit of ours to be given again; once that is lifted, it has."""
    rig = Rig(charger_rules(failsafe_after_s=100_000, settle_s=90))
    rig.connect("CHARGING")
    rig.observe(base.TransactionChanged("started", "7", "key"))
    rig.offer(plan_of((0, CHARGE, 0), (100, CHARGE, 11_000)), 90_000)
    rig.answer()
    rig.observe(base.StateReported("SUSPENDED", "SuspendedEVSE"))
    rig.observe(base.ExternalLimit("SO", limit))
    rig.advance(100)
    rig.answer()
    sent = len(rig.sent)
    rig.advance(900)
    assert len(rig.sent) - sent == (0 if limit == 0 else 1)
    if limit == 0:
        rig.observe(GRID_LIFTED)
        rig.advance(1)
        assert len(rig.sent) == sent + 1


def test_what_has_failed_is_tried_again_when_a_limit_is_lifted() -> None:
    """It may have failed for that."""
    rig = set_to_11_kw()
    rig.tell(message.Woke())
    rig.observe(GRID)
    rig.offer(plan_of((0, CHARGE, 9_000)), 90_000, sequence=2)
    while rig.state.attempt is not None:
        rig.answer(outcome="error")
        rig.advance(9)
    sent = len(rig.sent)
    rig.observe(GRID_LIFTED)
    assert len(rig.sent) == sent + 1


def test_a_boot_forgets_them() -> None:
    """Who limits it says so again."""
    rig = set_to_11_kw()
    rig.observe(GRID)
    rig.observe(base.Connected(booted=True))
    assert rig.state.device.limits == ()
    assert "external_limit" not in alarms(rig)


def test_a_limit_survives_a_restart() -> None:
    """It is in the log."""
    rig = set_to_11_kw()
    rig.observe(GRID)
    rig.restart()
    (kept,) = rig.state.device.limits
    assert (kept.source, kept.limit, kept.unit, kept.is_critical) == ("SO", 4_200.0, "W", True)
    assert isinstance(rig.events[-1], events.AssetRecovered)


def test_a_command_that_is_limited_by_others_says_by_whom() -> None:
    """It is completed all the same: the limit is over ours."""
    rig = Rig(charger_rules(verify="composite", failsafe_after_s=100_000))
    rig.connect("CHARGING")
    rig.observe(GRID, EMS)
    rig.offer(plan_of((0, CHARGE, 11_000)), 90_000)
    rig.answer()
    rig.advance(3)
    about = rig.state.outside.asking
    assert about is not None
    read = base.SetpointRead(4.2, None, 0.07)
    rig.tell(message.QuestionAnswered(about, base.Answer("raw", "accepted", (read,))))
    (record,) = rig.history().values()
    assert (record.status, record.evidence) == ("COMPLETED", "composite")
    assert record.reason == "limited by SO and EMS: it allows 4.2 kW against 11.0 kW"
