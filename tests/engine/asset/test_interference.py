"""Another controller sets the device too: it is set again, or left alone, and never fought."""

import pytest
from msgspec.structs import replace

from actors.testing.rig import Rig, battery_rules, charger_rules, names_of, plan_of
from engine import events
from engine.adapters import base
from engine.asset import messages as message
from engine.asset.reaction import change_of
from engine.asset.view import view_of
from engine.commands import CauseKind, CommandType
from engine.events import Setpoint
from engine.grants import Bound, Grant
from engine.types import US_PER_S, Channel

CHARGE, DISCHARGE = Channel.CHARGE, Channel.DISCHARGE
COLUMNS = ("battery_charge_kw", "battery_discharge_kw")
FIVE, ONE, TWO = (base.SetpointRead(kw, 0.0) for kw in (5.0, 1.0, 2.0))


def holding(policy: str = "reassert", **changes: object) -> Rig:
    """Return a battery that was set to 5 kW, and is to be set to 3 kW two hours later."""
    rules = {"on_interference": policy, "failsafe_after_s": 100_000.0, **changes}
    rig = Rig(battery_rules(**rules))
    rig.connect()
    rig.offer(plan_of((0, CHARGE, 5_000), (7_200, CHARGE, 3_000), columns=COLUMNS), 90_000)
    rig.read_back()
    return rig


def reactions(rig: Rig) -> list[str]:
    """Return what came of each change that is on record."""
    return [one.reaction for one in rig.events if isinstance(one, events.DeviceChanged)]


def alarms(rig: Rig) -> tuple[str, ...]:
    """Return the alarms that people see."""
    return view_of(rig.state, rig.now).alarms


def fight(rig: Rig, times: int = 3) -> None:
    """Change the battery's setpoint so often, each time that it was set again."""
    for _ in range(times):
        rig.observe(ONE)
        rig.read_back()


# --- reassert


def test_a_change_is_set_right_at_once() -> None:
    """By a new command, which says against whom."""
    rig = holding()
    happened = rig.observe(ONE)
    assert names_of(happened) == ["DeviceChanged", "CommandCreated", "AttemptStarted"]
    assert rig.sent[-1]["charge_kw"] == 5
    made = [one.cause for one in rig.history().values() if one.cause.kind == CauseKind.REASSERT]
    assert [one.reason for one in made] == ["another controller"]


def test_after_three_times_in_an_hour_it_is_left_alone_with_an_alarm() -> None:
    """It is not fought."""
    rig = holding()
    fight(rig)
    assert alarms(rig) == ()
    assert names_of(rig.observe(ONE)) == ["DeviceChanged"]
    assert reactions(rig) == ["set_again", "set_again", "set_again", "left_alone"]
    assert alarms(rig) == ("interference",)
    assert rig.advance(3_599) == []


def test_when_the_first_of_the_three_is_an_hour_old_it_is_set_again() -> None:
    """Once; that counts too."""
    rig = holding()
    rig.observe(ONE)
    rig.read_back()
    rig.advance(600)
    fight(rig, 2)
    rig.observe(ONE)
    sent = len(rig.sent)
    rig.advance(3_000)
    assert len(rig.sent) == sent + 1
    rig.read_back()
    assert alarms(rig) == ()
    rig.observe(TWO)
    assert alarms(rig) == ("interference",)
    assert rig.state.interference.again_at_us == rig.now.device_us + 600 * US_PER_S


def test_changes_that_are_an_hour_apart_are_each_set_right() -> None:
    """Three in an hour, however many in a day."""
    rig = holding()
    for _ in range(3):
        fight(rig, 2)
        rig.advance(3_600)
    assert set(reactions(rig)) == {"set_again"}
    assert alarms(rig) == ()


def test_a_restart_keeps_the_count() -> None:
    """It is in the log."""
    rig = holding()
    fight(rig)
    rig.restart()
    rig.observe(FIVE, base.Connected(), base.StateReported("IDLE", "IDLE"))
    while rig.state.attempt is not None:
        rig.read_back()
    rig.observe(ONE)
    assert reactions(rig)[-1] == "left_alone"
    rig.restart()
    rig.observe(ONE, base.Connected(), base.StateReported("IDLE", "IDLE"))
    assert rig.state.attempt is None
    assert alarms(rig) == ("interference",)


# --- yield


def test_one_that_yields_is_left_alone_until_the_next_planned_change() -> None:
    """Without an alarm, and whatever its device does meanwhile."""
    rig = holding("yield")
    rig.observe(ONE, base.StateReported("CHARGING", "CHARGING"))
    assert reactions(rig) == ["left_alone"]
    assert alarms(rig) == ()
    assert rig.advance(7_199) == []
    rig.advance(1)
    assert rig.sent[-1]["charge_kw"] == 3


def test_a_person_ends_it() -> None:
    """Also with the value that was planned."""
    rig = holding("yield")
    rig.observe(ONE)
    rig.tell(
        message.OverrideRequested(
            Setpoint(5_000, 0),
            CommandType.SET_CHARGE_RATE,
            "resume",
            None,
            "ann",
            "test",
            "override",
            rig.replies.append,
        )
    )
    assert rig.sent[-1]["charge_kw"] == 5
    assert not rig.state.interference.left


def test_a_lost_connection_does_not_end_it() -> None:
    """The other controller is there all the same, with whatever value."""
    rig = holding("yield")
    rig.observe(ONE, base.Disconnected())
    rig.advance(120)
    rig.observe(TWO, base.Connected())
    assert reactions(rig) == ["left_alone", "left_alone"]
    assert rig.state.holding.charge_w == 2_000
    assert len(rig.sent) == 1


def test_a_boot_ends_it() -> None:
    """The device has forgotten what the other one set."""
    rig = holding("yield")
    rig.observe(ONE, base.Connected(booted=True))
    assert rig.sent[-1]["charge_kw"] == 5


@pytest.mark.parametrize(
    "told",
    [
        base.TransactionChanged("started", "8", "other"),
        base.TransactionChanged("ended", "7"),
    ],
)
def test_another_transaction_ends_it(told: base.TransactionChanged) -> None:
    """A charger's limits begin anew with it."""
    rig = Rig(charger_rules(on_interference="yield"))
    rig.connect()
    rig.observe(base.TransactionChanged("started", "7", "key"))
    rig.offer(plan_of((0, CHARGE, 5_000)), 900)
    rig.answer()
    rig.observe(base.SetpointRead(4.0, None))
    assert rig.state.interference.left
    rig.observe(told)
    assert rig.sent[-1]["charge_kw"] == 5


def test_a_device_that_changes_all_the_time_is_told_of_once_a_minute() -> None:
    """While it is left alone anyway."""
    rig = holding("yield")
    for _ in range(60):
        rig.observe(ONE, TWO)
        rig.advance(5)
    assert len(reactions(rig)) == 5
    assert set(reactions(rig)) == {"left_alone"}


def test_a_controller_that_gives_in_makes_the_device_ours_again() -> None:
    """What it holds is renewed, as nobody has kept its lease."""
    rig = holding("yield")
    rig.observe(ONE)
    rig.advance(60)
    happened = rig.observe(base.SetpointRead(5.0004, 0.0))
    assert names_of(happened) == ["DeviceChanged", "CommandCreated", "AttemptStarted"]
    assert reactions(rig)[-1] == "given_in"
    created = happened[1]
    assert isinstance(created, events.CommandCreated)
    assert created.cause.kind is CauseKind.RENEW


def test_an_engine_that_stops_hands_it_back_all_the_same() -> None:
    """As `on_stop` says."""
    rig = holding("yield")
    rig.observe(ONE)
    rig.tell(message.Stopping())
    assert rig.sent[-1]["type"] == "RELEASE"


def test_an_engine_that_stops_does_not_wait_for_what_it_leaves_alone() -> None:
    """Where `on_stop` asks for nothing else."""
    rig = Rig(battery_rules(on_interference="yield", on_stop="fallback"))
    rig.connect()
    rig.offer(plan_of((0, CHARGE, 5_000), columns=COLUMNS), 60)
    rig.read_back()
    rig.advance(60)
    rig.read_back()
    rig.observe(ONE)
    rig.tell(message.Stopping())
    assert len(rig.sent) == 2
    assert rig.state.outside.stopped


# --- alarm


def test_one_that_alarms_changes_nothing() -> None:
    """It says so once, until the device holds what it should."""
    rig = holding("alarm")
    rig.observe(ONE)
    rig.advance(60)
    rig.observe(TWO)
    told = [one.alarm for one in rig.events if isinstance(one, events.DeviceChanged)]
    assert told == [True, False]
    assert len(rig.sent) == 1
    assert alarms(rig) == ("interference",)
    rig.advance(60)
    rig.observe(FIVE)
    assert alarms(rig) == ()


def test_the_next_planned_change_ends_the_alarm() -> None:
    """The device takes it."""
    rig = holding("alarm")
    rig.observe(ONE)
    rig.advance(7_200)
    rig.read_back()
    assert alarms(rig) == ()


# --- limits


@pytest.mark.parametrize("policy", ["reassert", "yield", "alarm"])
@pytest.mark.parametrize("found", [base.SetpointRead(60.0, 0.0), base.SetpointRead(0.0, 60.0)])
def test_what_is_beyond_a_limit_is_set_right_every_time(
    policy: str, found: base.SetpointRead
) -> None:
    """With an alarm after the third, told once, for as long as it goes on."""
    rig = holding(policy, max_charge_w=50_000)
    for _ in range(5):
        rig.observe(found)
        while rig.state.attempt is not None:
            rig.read_back()
    told = [one.alarm for one in rig.events if isinstance(one, events.DeviceChanged)]
    assert told == [False, False, False, True, False]
    assert set(reactions(rig)) == {"set_again"}
    assert rig.state.holding.charge_w == 5_000
    assert alarms(rig) == ("interference",)
    rig.offer(plan_of((0, CHARGE, 4_000), columns=COLUMNS), 900, sequence=2)
    rig.read_back()
    assert alarms(rig) == ()


@pytest.mark.parametrize(
    ("found", "reaction"),
    [
        (Setpoint(6_000, 0), "set_again"),
        (Setpoint(0, 1), "set_again"),
        (Setpoint(4_000, 0), "left_alone"),
    ],
)
def test_a_decrease_below_a_limit_is_insisted_on(found: Setpoint, reaction: str) -> None:
    """What is less than the limit is a change like any other."""
    rig = holding("yield")
    desired = rig.state.desired
    assert desired is not None
    grant = Grant(Bound(5_000, 5_000), Bound(0, 0))
    limited = replace(rig.state, outside=replace(rig.state.outside, grant=grant))
    change = change_of(limited, found, rig.now)
    assert change is not None
    assert change.reaction == reaction


# --- what is no interference


def test_a_device_that_is_just_back_may_have_forgotten() -> None:
    """It is set again whatever the policy, and not counted."""
    rig = holding("yield")
    rig.observe(base.Disconnected(), ONE, base.Connected())
    assert reactions(rig) == ["recorded"]
    assert rig.sent[-1]["charge_kw"] == 5
    assert rig.state.interference.set_again_us == ()


def test_a_change_while_a_setpoint_is_under_way_is_recorded() -> None:
    """It is sent anyway."""
    rig = holding()
    rig.advance(7_200)
    rig.answer(outcome="error")
    rig.observe(ONE)
    assert reactions(rig) == ["recorded"]
    rig.advance(2)
    assert rig.sent[-1]["charge_kw"] == 3


def test_a_device_that_never_took_its_setpoint_is_not_interfered_with() -> None:
    """It took less, and lapses by itself; the setpoint is tried again as any that failed."""
    rig = Rig(battery_rules(on_interference="yield"))
    rig.connect()
    rig.offer(plan_of((0, CHARGE, 5_000), columns=COLUMNS), 90_000)
    rig.answer(base.SetpointRead(2.5, 0.0))
    rig.observe(base.SetpointRead(0.0, 0.0))
    assert reactions(rig) == ["recorded", "recorded"]
    rig.advance(300)
    assert len(rig.sent) == 2


def test_what_is_to_be_released_may_hold_what_it_likes() -> None:
    """Also where it did not take the release."""
    rig = Rig(battery_rules(fallback_w=None))
    rig.connect()
    rig.offer(plan_of((0, CHARGE, 5_000), columns=COLUMNS), 60)
    rig.read_back()
    rig.advance(60)
    rig.answer(outcome="rejected")
    rig.observe(ONE)
    assert reactions(rig) == ["recorded"]
