"""A vehicle that leaves before its plan is over, and one that comes back."""

import pytest

from actors.testing.rig import Rig, charger_rules, names_of, plan_of
from engine import events
from engine.adapters import base
from engine.asset import messages as message
from engine.commands import CommandType
from engine.events import Setpoint
from engine.types import US_PER_S, Channel, ScheduleId

CHARGE = Channel.CHARGE
TWO_VISITS = plan_of(
    (0, CHARGE, 11_000),
    (900, CHARGE, 7_000),
    (1800, CHARGE, 0),
    (2700, CHARGE, 5_000),
    (3600, CHARGE, 0),
)
GONE = base.StateReported("AVAILABLE", "Available")
BACK = base.StateReported("PREPARING", "Preparing")
SCHEDULE = ScheduleId("sch_1")


@pytest.fixture
def rig() -> Rig:
    """Return a charger that charges for a plan of two visits."""
    rig = Rig(charger_rules(failsafe_after_s=100_000))
    rig.connect("CHARGING")
    rig.tell(message.NothingOffered())
    rig.offer(TWO_VISITS, 4500)
    rig.answer()
    rig.advance(100)
    return rig


def left(rig: Rig) -> list[events.AssetEvent]:
    """Let the vehicle leave for good."""
    rig.observe(GONE)
    return rig.advance(60)


def source(rig: Rig) -> str | None:
    """Return what says what should hold."""
    return None if rig.state.desired is None else rig.state.desired.source


def test_what_was_for_the_vehicle_is_cut(rig: Rig) -> None:
    """Up to and including the next planned 0 kW; later changes stay."""
    happened = left(rig)
    assert names_of(happened)[:2] == ["PlanCut", "DepartureDetected"]
    assert happened[0] == events.PlanCut(SCHEDULE, 1, 3, "early_departure")
    assert rig.history()["cmd_1.0.3"].status == "PENDING"


def test_the_fallback_rules_until_the_next_change_that_stays(rig: Rig) -> None:
    """Also through the changes that were cut."""
    left(rig)
    assert rig.sent[-1]["charge_kw"] == 4.2
    rig.answer()
    rig.advance(2500)
    assert len(rig.sent) == 2
    rig.advance(40)
    assert rig.sent[-1]["charge_kw"] == 5
    rig.answer()
    assert rig.history()["cmd_1.0.3"].status == "COMPLETED"


def test_an_asset_without_fallback_is_released(rig: Rig) -> None:
    """It is nobody's charger then."""
    rig = Rig(charger_rules(fallback_w=None))
    rig.connect("CHARGING")
    rig.offer(TWO_VISITS, 4500)
    rig.answer()
    left(rig)
    assert rig.sent[-1]["type"] == "RELEASE"


def test_a_departure_without_a_later_zero_cuts_to_the_horizon() -> None:
    """There is nothing after it."""
    rig = Rig(charger_rules())
    rig.connect("CHARGING")
    rig.offer(plan_of((0, CHARGE, 11_000), (900, CHARGE, 7_000)), 1800)
    rig.answer()
    assert left(rig)[0] == events.PlanCut(SCHEDULE, 1, 2, "early_departure")


def test_a_departure_after_the_last_change_cuts_nothing() -> None:
    """The fallback rules all the same."""
    rig = Rig(charger_rules())
    rig.connect("CHARGING")
    rig.offer(plan_of((0, CHARGE, 11_000)), 1800)
    rig.answer()
    assert names_of(left(rig))[0] == "DepartureDetected"
    assert source(rig) == "fallback"


def test_a_vehicle_away_for_less_than_the_grace_has_not_left(rig: Rig) -> None:
    """A plug that was moved."""
    rig.observe(GONE)
    rig.advance(59)
    rig.observe(BACK)
    rig.advance(100)
    assert "DepartureDetected" not in names_of(rig.events)


def test_a_charger_that_hides_its_states_has_no_departures(rig: Rig) -> None:
    """Nothing was plugged in as far as it said."""
    rig = Rig(charger_rules())
    rig.connect("AVAILABLE")
    rig.offer(TWO_VISITS, 4500)
    rig.answer()
    rig.advance(600)
    assert "DepartureDetected" not in names_of(rig.events)


@pytest.mark.parametrize("booted", [True, False])
def test_no_vehicle_leaves_within_a_minute_of_a_connect(rig: Rig, *, booted: bool) -> None:
    """A charger that boots says AVAILABLE first."""
    rig.observe(GONE)
    rig.advance(50)
    if not booted:
        rig.observe(base.Disconnected())
    rig.observe(base.Connected(booted))
    rig.answer()
    rig.advance(59)
    assert "DepartureDetected" not in names_of(rig.events)
    rig.advance(1)
    assert "DepartureDetected" in names_of(rig.events)


def test_no_vehicle_leaves_a_charger_that_is_not_there(rig: Rig) -> None:
    """It may be back by the time that the charger is."""
    rig.observe(GONE, base.Disconnected())
    rig.advance(600)
    assert "DepartureDetected" not in names_of(rig.events)


def test_a_plug_in_re_opens_what_is_left(rig: Rig) -> None:
    """As new commands of the rule; the cut ones stay CANCELLED."""
    left(rig)
    rig.answer()
    happened = rig.observe(BACK)
    assert "DepartureEnded" in names_of(happened)
    assert rig.sent[-1]["charge_kw"] == 11
    rig.answer()
    rig.advance(740)
    assert [one["charge_kw"] for one in rig.sent][-1] == 7
    rig.answer()
    created = [one for one in rig.events if isinstance(one, events.CommandCreated)]
    assert [one.cause.kind for one in created[1:]] == ["rule:plug_in", "rule:plug_in"]
    assert rig.history()["cmd_1.0.1"].reason == "early_departure"


def test_a_plug_in_into_a_later_slot_takes_up_what_fell_due_meanwhile(rig: Rig) -> None:
    """Nothing is cut twice."""
    left(rig)
    rig.answer()
    rig.advance(900)
    happened = rig.observe(BACK)
    assert "PlanCut" not in names_of(happened)
    assert rig.sent[-1]["charge_kw"] == 7
    rig.answer()
    rig.advance(740)
    assert [one["charge_kw"] for one in rig.sent][-1] == 0
    rig.answer()
    rig.advance(900)
    rig.answer()
    assert rig.history()["cmd_1.0.3"].status == "COMPLETED"
    assert rig.state.programme.absence is None


def test_a_charger_that_never_says_preparing_re_opens_too(rig: Rig) -> None:
    """Any state with a vehicle in it will do."""
    left(rig)
    rig.answer()
    rig.observe(base.StateReported("CHARGING", "Charging"))
    assert source(rig) == "schedule"


def test_a_vehicle_that_comes_for_the_second_visit_finds_its_plan(rig: Rig) -> None:
    """The visit that was cut is over by then."""
    left(rig)
    rig.answer()
    rig.advance(2540)
    rig.answer()
    rig.observe(BACK)
    assert source(rig) == "schedule"
    assert rig.state.programme.absence is None


def test_a_second_departure_cuts_again(rig: Rig) -> None:
    """Of the same plan."""
    left(rig)
    rig.answer()
    rig.observe(BACK)
    rig.answer()
    rig.observe(GONE)
    rig.advance(60)
    assert names_of(rig.events).count("DepartureDetected") == 2
    assert source(rig) == "fallback"


def test_a_new_plan_rules_whether_or_not_there_is_a_vehicle(rig: Rig) -> None:
    """Whoever planned it may know of the next one."""
    left(rig)
    rig.answer()
    rig.offer(plan_of((160, CHARGE, 3_000)), 4500, sequence=2)
    assert source(rig) == "schedule"
    assert rig.state.programme.absence is None


def test_a_later_new_plan_leaves_the_departure_in_force_until_then(rig: Rig) -> None:
    """The plan before it is still cut."""
    left(rig)
    rig.answer()
    rig.offer(plan_of((1000, CHARGE, 3_000)), 4500, sequence=2)
    rig.advance(800)
    assert source(rig) == "fallback"
    rig.advance(60)
    assert source(rig) == "schedule"


def _order(rig: Rig, kind: CommandType) -> message.CommandRequested:
    return message.CommandRequested(kind, "ann", "why", {}, rig.replies.append)


def test_a_setpoint_in_backoff_ends_with_the_visit() -> None:
    """CANCELLED early_departure; what is on the wire would finish."""
    rig = Rig(charger_rules(departure_grace_s=1))
    rig.connect("CHARGING")
    rig.advance(60)
    rig.offer(TWO_VISITS, 4500)
    rig.observe(GONE)
    rig.answer(outcome="error")
    rig.advance(1)
    assert rig.history()["cmd_1.0.0"].reason == "early_departure"


def test_what_concerns_the_charger_itself_goes_on() -> None:
    """A change of availability is for no vehicle."""
    rig = Rig(charger_rules(departure_grace_s=1))
    rig.connect("CHARGING")
    rig.advance(60)
    rig.tell(_order(rig, CommandType.CHANGE_AVAILABILITY))
    rig.observe(GONE)
    rig.answer(outcome="error")
    rig.advance(1)
    assert rig.history()[str(rig.replies[0])].status == "PENDING"


def test_a_start_in_backoff_ends_with_the_visit() -> None:
    """The vehicle that it was for is gone."""
    rig = Rig(charger_rules(departure_grace_s=1))
    rig.connect("CHARGING")
    rig.advance(60)
    rig.tell(_order(rig, CommandType.START_CHARGING))
    rig.answer(outcome="error")
    rig.observe(GONE)
    rig.advance(1)
    assert rig.history()[str(rig.replies[0])].reason == "early_departure"


def test_a_start_on_the_wire_is_not_cancelled() -> None:
    """Its answer says what became of it."""
    rig = Rig(charger_rules(departure_grace_s=1))
    rig.connect("CHARGING")
    rig.advance(60)
    rig.tell(_order(rig, CommandType.START_CHARGING))
    rig.observe(GONE)
    rig.advance(1)
    assert rig.history()[str(rig.replies[0])].status == "DISPATCHED"


def test_a_later_plan_is_not_re_opened(rig: Rig) -> None:
    """What a vehicle re-opens is the plan that was cut when it left."""
    left(rig)
    rig.answer()
    rig.offer(plan_of((200, CHARGE, 11_000), (300, CHARGE, 3_000)), 4500, sequence=2)
    rig.observe(BACK)
    rig.answer()
    rig.advance(40)
    rig.observe(base.Connected(booted=True))
    created = [one for one in rig.events if isinstance(one, events.CommandCreated)]
    assert [one.cause.kind for one in created[1:]] == ["rule:plug_in", "rule:reassert"]


def test_a_departure_ends_an_override_until_unplugged(rig: Rig) -> None:
    """Then the fallback rules, as the plan of the visit is cut."""
    rig.tell(
        message.OverrideRequested(
            Setpoint(2_000, 0),
            CommandType.SET_CHARGE_RATE,
            "unplugged",
            None,
            "ann",
            "why",
            "override",
            rig.replies.append,
        )
    )
    rig.answer()
    happened = left(rig)
    assert happened[0] == events.OverrideEnded(happened[0].override_id, "unplugged")  # type: ignore[union-attr]  # asserted by it
    assert source(rig) == "fallback"


def test_a_departure_without_a_plan_is_only_noted() -> None:
    """The next plan is not for the vehicle that left."""
    rig = Rig(charger_rules())
    rig.connect("CHARGING")
    rig.tell(message.NothingOffered())
    assert left(rig) == [events.DepartureDetected(events.NO_SCHEDULE, 0)]
    rig.advance(600)
    rig.offer(plan_of((660, CHARGE, 5_000), (720, CHARGE, 0)), 900)
    assert rig.sent[-1]["charge_kw"] == 5
    rig.answer()
    rig.observe(BACK)
    assert rig.state.programme.absence is None


def test_a_plug_in_after_a_departure_without_a_plan_is_no_re_opening() -> None:
    """Commands are the plan's own."""
    rig = Rig(charger_rules())
    rig.connect("CHARGING")
    rig.tell(message.NothingOffered())
    left(rig)
    rig.observe(BACK)
    assert rig.events[-1] == events.DepartureEnded(events.NO_SCHEDULE)
    rig.offer(plan_of((60, CHARGE, 5_000)), 900)
    rig.answer()
    assert rig.history()["cmd_1.0.0"].status == "COMPLETED"


def test_the_grace_is_plan_time() -> None:
    """At sixty times the speed it is a second."""
    rig = Rig(charger_rules(), ahead_s=10_000)
    rig.connect("CHARGING")
    rig.offer(TWO_VISITS, 4500)
    rig.answer()
    rig.advance(100)
    rig.observe(GONE)
    assert rig.state.device.left_at_us == Rig.START_US + 100 * US_PER_S
