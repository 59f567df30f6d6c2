"""After the horizon, and when the engine stops: fallback, release or hold."""

import pytest

from actors.testing.rig import Rig, battery_rules, charger_rules, names_of, plan_of
from engine import events
from engine.adapters import base
from engine.asset import effects as effect
from engine.asset import messages as message
from engine.commands import CommandType
from engine.events import RELEASED, Setpoint
from engine.types import Channel

CHARGE, DISCHARGE = Channel.CHARGE, Channel.DISCHARGE


def ending(**changes: object) -> Rig:
    """Return a charger that holds 11 kW until the horizon at 60 s."""
    rig = Rig(charger_rules(**{"failsafe_after_s": 100_000, **changes}))
    rig.connect("CHARGING")
    rig.offer(plan_of((0, CHARGE, 11_000)), 60)
    rig.answer()
    return rig


def last_sent(rig: Rig) -> tuple[object, object]:
    """Return the type and power that was sent last."""
    return rig.sent[-1]["type"], rig.sent[-1]["charge_kw"]


# --- the horizon


def test_the_horizon_is_one_event() -> None:
    """It carries the schedule's sequence and horizon."""
    rig = ending()
    happened = rig.advance(60)
    assert names_of(happened) == ["ScheduleExhausted", "CommandCreated", "AttemptStarted"]
    assert happened[0] == events.ScheduleExhausted("sch_1", 1, rig.now.plan_us)  # type: ignore[arg-type]  # an id
    assert rig.tell(message.Woke()) == []


def test_the_fallback_rules_by_default() -> None:
    """Its command's cause is the rule."""
    rig = ending()
    rig.advance(60)
    assert last_sent(rig) == ("SET_CHARGE_RATE", 4.2)
    created = next(one for one in rig.events if isinstance(one, events.CommandCreated))
    assert created.cause.kind == "rule:fallback"


def test_without_a_fallback_the_device_is_released() -> None:
    """It goes back to its own control."""
    rig = ending(fallback_w=None)
    rig.advance(60)
    assert last_sent(rig) == ("RELEASE", None)
    assert rig.state.desired is not None
    assert rig.state.desired.target == RELEASED


def test_a_release_may_be_asked_for() -> None:
    """Also where there is a fallback."""
    rig = ending(on_schedule_end="release")
    rig.advance(60)
    assert last_sent(rig) == ("RELEASE", None)


def test_the_last_setpoint_may_be_held_for_a_while() -> None:
    """Nothing is sent until ``hold_max_s`` is over; then the fallback rules."""
    rig = ending(on_schedule_end="hold", hold_max_s=100)
    assert names_of(rig.advance(60)) == ["ScheduleExhausted", "SetpointDecided"]
    assert rig.advance(99) == []
    rig.advance(1)
    assert last_sent(rig) == ("SET_CHARGE_RATE", 4.2)


def test_hold_without_an_end_is_the_fallback() -> None:
    """The site file does not let this through."""
    rig = ending(on_schedule_end="hold")
    rig.advance(60)
    assert last_sent(rig)[1] == 4.2


def test_a_fallback_is_not_held() -> None:
    """What ruled at the horizon was no plan."""
    rig = ending(on_schedule_end="hold", hold_max_s=100)
    rig.tell(
        message.OverrideRequested(
            Setpoint(1_000, 0),
            CommandType.SET_CHARGE_RATE,
            "time",
            rig.now.plan_us + 90_000_000,
            "a",
            "b",
            "override",
            print,
        )
    )
    rig.answer()
    rig.advance(90)
    assert last_sent(rig)[1] == 4.2


@pytest.mark.parametrize(
    ("fallback_w", "target"), [(2_000, Setpoint(2_000, 0)), (-3_000, Setpoint(0, 3_000))]
)
def test_a_batterys_fallback_is_signed(fallback_w: int, target: Setpoint) -> None:
    """Charging positive."""
    rig = Rig(battery_rules(fallback_w=fallback_w))
    rig.connect()
    rig.offer(plan_of((0, CHARGE, 5_000)), 60)
    rig.read_back()
    rig.advance(60)
    assert rig.state.desired is not None
    assert rig.state.desired.target == target


def test_what_is_still_open_ends_expired() -> None:
    """Also what an older, longer plan had beyond the newest horizon."""
    rig = ending()
    plan = plan_of((0, CHARGE, 11_000), (30, CHARGE, 7_000), (900, CHARGE, 3_000))
    rig.offer(plan, 1200, sequence=2)
    rig.offer(plan_of((0, CHARGE, 11_000), (30, CHARGE, 7_000)), 60, sequence=3)
    rig.observe(base.Disconnected())
    rig.advance(60)
    story = rig.story()
    assert "2.0.1 CANCELLED expired" in story
    assert "2.0.2 CANCELLED expired" in story


def test_what_is_on_the_wire_at_the_horizon_finishes() -> None:
    """Then the fallback goes."""
    rig = Rig(charger_rules())
    rig.connect("CHARGING")
    rig.offer(plan_of((0, CHARGE, 11_000)), 10)
    rig.advance(10)
    assert rig.story() == ["1.0.0 DISPATCHED"]
    rig.answer()
    assert rig.story()[0] == "1.0.0 COMPLETED"
    assert last_sent(rig)[1] == 4.2


def test_a_command_that_fails_on_the_wire_at_the_horizon_ends_expired() -> None:
    """Nothing is tried again after it."""
    rig = Rig(charger_rules())
    rig.connect("CHARGING")
    rig.offer(plan_of((0, CHARGE, 11_000)), 10)
    rig.advance(10)
    rig.answer(outcome="error")
    assert rig.story()[0] == "1.0.0 CANCELLED expired"


def test_parts_that_were_to_follow_end_with_the_horizon() -> None:
    """A newer offer can move it to before them."""
    rig = ending()
    rig.offer(plan_of((50, CHARGE, 11_000), (55, CHARGE, 1_000)), 90, sequence=2)
    rig.offer(plan_of((0, CHARGE, 11_000)), 40, sequence=3)
    rig.advance(40)
    assert "2.0.1 CANCELLED expired" in rig.story()


def test_a_new_schedule_ends_the_fallback() -> None:
    """Its plan is in force again."""
    rig = ending()
    rig.advance(60)
    rig.answer()
    rig.offer(plan_of((60, CHARGE, 7_000)), 900, sequence=2)
    assert last_sent(rig) == ("SET_CHARGE_RATE", 7)


def test_a_first_slot_at_the_fallbacks_power_is_no_command() -> None:
    """The asset's setpoint equals it already."""
    rig = ending()
    rig.advance(60)
    rig.answer()
    rig.offer(plan_of((60, CHARGE, 4_200), (90, CHARGE, 0)), 900, sequence=2)
    assert "2.0.0" not in " ".join(rig.story())


def test_before_a_plan_begins_the_fallback_rules_an_asset_that_had_one() -> None:
    """Nothing rules one that never had."""
    rig = ending()
    rig.advance(60)
    rig.answer()
    rig.offer(plan_of((120, CHARGE, 7_000)), 900, sequence=2)
    assert rig.state.desired is not None
    assert rig.state.desired.source == "fallback"
    rig.advance(60)
    assert last_sent(rig) == ("SET_CHARGE_RATE", 7)


def test_a_plan_whose_end_has_passed_is_over_as_soon_as_it_is_taken() -> None:
    """It was accepted right before the engine went down."""
    rig = Rig(charger_rules())
    rig.connect("CHARGING")
    rig.advance(100)
    happened = rig.offer(plan_of((0, CHARGE, 11_000)), 60)
    assert names_of(happened) == ["PlanReplaced", "PlanCut", "ScheduleExhausted"]
    assert rig.sent == []


# --- stopping


def stopped(rig: Rig) -> int:
    """Return how often the asset said that it has stopped."""
    return sum(isinstance(one, effect.Stopped) for one in rig.effects)


@pytest.mark.parametrize(
    ("on_stop", "sent"), [("release", ("RELEASE", None)), ("fallback", ("SET_CHARGE_RATE", 4.2))]
)
def test_a_device_is_handed_back_before_the_engine_stops(
    on_stop: str, sent: tuple[str, float | None]
) -> None:
    """It says so once, when the device has accepted."""
    rig = ending(on_stop=on_stop)
    rig.tell(message.Stopping())
    assert last_sent(rig) == sent
    assert stopped(rig) == 0
    rig.answer()
    assert stopped(rig) == 1
    rig.advance(30)
    assert stopped(rig) == 1


def test_a_setpoint_may_be_left_as_it_is() -> None:
    """With ``on_stop = "hold"`` there is nothing to do."""
    rig = ending(on_stop="hold")
    frames = len(rig.sent)
    rig.tell(message.Stopping())
    assert stopped(rig) == 1
    assert len(rig.sent) == frames


@pytest.mark.parametrize("on_stop", ["release", "hold"])
def test_an_open_attempt_is_awaited(on_stop: str) -> None:
    """Whatever follows it."""
    rig = Rig(charger_rules(on_stop=on_stop))
    rig.connect("CHARGING")
    rig.offer(plan_of((0, CHARGE, 11_000)), 60)
    rig.tell(message.Stopping())
    assert stopped(rig) == 0
    rig.answer()
    if on_stop == "release":
        rig.answer()
    assert stopped(rig) == 1


def test_a_device_that_is_not_there_cannot_be_handed_back() -> None:
    """The stop does not wait for it."""
    rig = ending()
    rig.observe(base.Disconnected())
    rig.tell(message.Stopping())
    assert stopped(rig) == 1


def test_a_device_that_is_lost_over_its_release_is_waited_for() -> None:
    """It may be back in a moment, and else it would be left as it was set."""
    rig = ending()
    rig.tell(message.Stopping())
    rig.answer(outcome="link_lost")
    rig.observe(base.Disconnected())
    assert stopped(rig) == 0
    frames = len(rig.sent)
    rig.observe(base.Connected())
    rig.tell(message.QuestionAnswered(str(rig.state.outside.asking), None))
    rig.advance(2)
    assert stopped(rig) == 0
    assert len(rig.sent) == frames + 1
    rig.answer()
    assert stopped(rig) == 1


def test_a_device_that_cannot_take_it_is_not_waited_for() -> None:
    """A fallback above zero is held by a fault."""
    rig = ending(on_stop="fallback")
    rig.observe(base.StateReported("FAULTED", "Faulted"))
    rig.tell(message.Stopping())
    assert stopped(rig) == 1


def test_a_device_that_refuses_is_not_waited_for() -> None:
    """Once it is given up."""
    rig = ending()
    rig.tell(message.Stopping())
    rig.answer(outcome="rejected")
    assert stopped(rig) == 1


def test_a_release_that_fails_is_tried_again_while_stopping() -> None:
    """The stop itself is bounded elsewhere."""
    rig = ending()
    rig.tell(message.Stopping())
    rig.answer(outcome="error")
    assert stopped(rig) == 0
    rig.advance(2)
    rig.answer()
    assert stopped(rig) == 1


def test_stopping_waits_for_the_links_slot() -> None:
    """The release has its turn like everything else."""
    rig = Rig(charger_rules(), shared_slot=True)
    rig.connect("CHARGING")
    rig.offer(plan_of((0, CHARGE, 11_000)), 60)
    rig.tell(message.SlotGranted())
    rig.answer()
    rig.tell(message.Stopping())
    assert stopped(rig) == 0
    rig.tell(message.SlotGranted())
    rig.answer()
    assert stopped(rig) == 1


def test_an_asset_that_nothing_was_asked_of_stops_at_once() -> None:
    """There is nothing to hand back."""
    rig = Rig(charger_rules())
    rig.connect()
    rig.tell(message.Stopping())
    assert stopped(rig) == 1


def test_an_asset_that_is_not_configured_stops_at_once() -> None:
    """Nothing will ever happen to it."""
    rig = Rig(charger_rules())
    rig.tell(message.Configured(None), message.Stopping())
    assert stopped(rig) == 1


def test_stopping_cuts_nothing_of_the_plan() -> None:
    """The next engine takes it up again."""
    rig = ending()
    rig.offer(plan_of((0, CHARGE, 11_000), (5, CHARGE, 7_000)), 900, sequence=2)
    rig.tell(message.Stopping())
    rig.answer()
    rig.advance(10)
    assert "2.0.1 PENDING" in rig.story()
    rig.restart()
    rig.connect("CHARGING")
    rig.answer()
    assert "2.0.1 COMPLETED" in rig.story()


def test_a_command_that_waits_is_cancelled_by_the_stop() -> None:
    """What the device is handed back with takes its place: nobody asked for that by hand."""
    rig = Rig(charger_rules())
    rig.offer(plan_of((0, CHARGE, 11_000)), 900)
    rig.tell(message.Stopping())
    assert rig.story()[0] == "1.0.0 CANCELLED superseded"


def test_once_its_link_closes_nothing_is_sent_or_asked() -> None:
    """Whatever else happens; what comes of an attempt that is out is still put on record."""
    rig = ending()
    rig.tell(message.Stopping())
    frames, replies = len(rig.sent), len(rig.replies)
    rig.tell(message.LinkClosing(rig.replies.append))
    assert len(rig.replies) == replies + 1
    assert names_of(rig.answer(outcome="error")) == ["AttemptEnded"]
    rig.observe(base.Connected(booted=True))
    rig.tell(message.Woke())
    rig.advance(60)
    assert len(rig.sent) == frames
    assert rig.state.attempt is None


def test_an_asset_that_is_not_configured_lets_its_link_close() -> None:
    """Nothing of it would go out."""
    rig = Rig(charger_rules())
    rig.tell(message.Configured(None), message.LinkClosing(rig.replies.append))
    assert len(rig.replies) == 1
