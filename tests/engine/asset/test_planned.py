"""Plans: taken up when they fall due, superseded by newer ones, skipped where nothing changes."""

import pytest

from actors.testing.rig import Rig, charger_rules, names_of, plan_of
from engine import events
from engine.adapters import base
from engine.asset import effects as effect
from engine.asset import messages as message
from engine.commands import CommandStatus
from engine.events import Setpoint
from engine.plans import PlanRef
from engine.types import Channel, ScheduleId

CHARGE = Channel.CHARGE
DAY = plan_of((0, CHARGE, 11_000), (900, CHARGE, 7_000), (1800, CHARGE, 0))


@pytest.fixture
def rig() -> Rig:
    """Return a connected charger with a vehicle."""
    rig = Rig(charger_rules(failsafe_after_s=100_000))
    rig.connect("CHARGING")
    rig.tell(message.NothingOffered())
    return rig


def powers(rig: Rig) -> list[object]:
    """Return what was sent, in kilowatts."""
    return [body["charge_kw"] for body in rig.sent]


def served(rig: Rig) -> None:
    """Accept what is on the wire, if anything is."""
    if rig.state.attempt is not None:
        rig.answer()


# --- level-triggered


def test_the_running_slot_is_in_force_at_once(rig: Rig) -> None:
    """The first slot is sent with the offer, as the plan's own command."""
    happened = rig.offer(DAY, 2700)
    assert names_of(happened) == ["PlanReplaced", "AttemptStarted"]
    started = happened[1]
    assert isinstance(started, events.AttemptStarted)
    assert started.command_ids == ("cmd_1.0.0",)
    assert started.setpoint == Setpoint(11_000, 0)


def test_each_change_is_sent_when_it_is_due(rig: Rig) -> None:
    """Waking at what `next_wake` says is enough."""
    rig.offer(DAY, 2700)
    rig.answer()
    rig.advance(899.9)
    assert powers(rig) == [11]
    rig.advance(0.1)
    assert powers(rig) == [11, 7]
    rig.answer()
    rig.advance(900)
    rig.answer()
    assert rig.story() == ["1.0.0 COMPLETED", "1.0.1 COMPLETED", "1.0.2 COMPLETED"]


def test_a_setpoint_that_holds_is_not_sent_again(rig: Rig) -> None:
    """Waking and sweeping change nothing."""
    rig.offer(DAY, 2700)
    rig.answer()
    assert rig.tell(message.Woke()) == []
    assert rig.advance(400) == []


def test_what_fell_due_while_offline_goes_out_on_reconnect(rig: Rig) -> None:
    """Only what is current: the change before it ends superseded."""
    rig.observe(base.Disconnected())
    rig.offer(DAY, 2700)
    rig.advance(900)
    assert rig.story()[:2] == ["1.0.0 CANCELLED superseded", "1.0.1 PENDING held:offline"]
    rig.observe(base.Connected())
    assert powers(rig) == [7]
    rig.answer()
    assert rig.story()[1] == "1.0.1 COMPLETED"


def test_a_car_plugged_in_during_a_slot_gets_its_setpoint(rig: Rig) -> None:
    """A transaction's start makes nothing of what was set before it."""
    rig.offer(DAY, 2700)
    rig.answer()
    rig.observe(base.TransactionChanged("started", "7", "key"))
    assert powers(rig) == [11, 11]
    created = next(one for one in rig.events if isinstance(one, events.CommandCreated))
    assert created.cause.kind == "rule:reassert"


@pytest.mark.parametrize(
    "seen",
    [
        base.Connected(booted=True),
        base.TransactionChanged("started", "7", "key"),
        base.TransactionChanged("found", "9"),
    ],
)
def test_a_device_that_may_have_forgotten_is_set_again(rig: Rig, seen: base.Observation) -> None:
    """After a boot and with each transaction the current setpoint is re-asserted."""
    rig.offer(DAY, 2700)
    rig.answer()
    rig.observe(seen)
    assert powers(rig) == [11, 11]
    rig.answer()
    assert rig.story()[1].endswith("COMPLETED")


def test_a_boot_during_an_attempt_makes_its_yes_worthless(rig: Rig) -> None:
    """The command is COMPLETED, and the setpoint is sent once more."""
    rig.offer(DAY, 2700)
    rig.observe(base.Connected(booted=True))
    rig.answer()
    assert rig.story()[0] == "1.0.0 COMPLETED"
    assert powers(rig) == [11, 11]


def test_changes_missed_by_a_late_wake_are_passed_over_in_one_cut(rig: Rig) -> None:
    """The newest is sent; nothing older after it."""
    rig.offer(plan_of(*((6 * n, CHARGE, 1_000 * (n + 1)) for n in range(6))), 600)
    rig.advance(27)
    happened = rig.answer()
    assert names_of(happened) == ["AttemptEnded", "PlanCut", "AttemptStarted"]
    assert happened[1] == events.PlanCut(ScheduleId("sch_1"), 1, 4, "superseded")
    assert powers(rig) == [1, 5]


# --- superseding


def test_a_pending_command_ends_when_the_next_change_is_due(rig: Rig) -> None:
    """CANCELLED superseded: it waited for its backoff."""
    rig.offer(plan_of((0, CHARGE, 11_000), (3, CHARGE, 7_000)), 900)
    rig.answer(outcome="error")
    rig.advance(2)
    rig.answer(outcome="error")
    rig.advance(1)
    assert rig.story()[0] == "1.0.0 CANCELLED superseded"
    assert powers(rig) == [11, 11, 7]


def test_a_command_on_the_wire_finishes_before_the_newer_goes(rig: Rig) -> None:
    """One attempt at a time; the newest waits behind it."""
    rig.offer(DAY, 2700)
    rig.advance(20)
    rig.offer(plan_of((10, CHARGE, 3_000)), 2700, sequence=2)
    rig.advance(5)
    assert powers(rig) == [11]
    rig.answer()
    assert powers(rig) == [11, 3]
    assert rig.story()[0] == "1.0.0 COMPLETED"


def test_a_newer_schedule_is_named_by_what_it_replaces(rig: Rig) -> None:
    """A command that had begun ends CANCELLED superseded by the new schedule's id."""
    rig.observe(base.Disconnected())
    rig.offer(DAY, 2700)
    rig.offer(plan_of((0, CHARGE, 3_000)), 2700, sequence=2)
    first = rig.history()["cmd_1.0.0"]
    assert (first.status, first.reason) == (CommandStatus.CANCELLED, "superseded")
    assert first.ended_by == "sch_2"
    assert rig.history()["cmd_1.0.1"].ended_by == "sch_2"


def test_a_retry_does_not_outlive_its_commands_expiry(rig: Rig) -> None:
    """The plan changed beyond a value that stays; the same value goes on as a new command."""
    rig.offer(plan_of((0, CHARGE, 11_000), (5, CHARGE, 7_000)), 900)
    rig.answer(outcome="error")
    rig.offer(plan_of((0, CHARGE, 11_000), (600, CHARGE, 7_000)), 900, sequence=2)
    rig.advance(2)
    rig.answer(outcome="error")
    rig.advance(10)
    assert rig.state.attempt is not None
    assert rig.state.attempt.setpoint == Setpoint(11_000, 0)
    assert rig.story()[0] == "1.0.0 CANCELLED superseded"
    assert rig.state.attempt.command_ids[0] not in {"cmd_1.0.0", "cmd_2.0.0"}


# --- offers


def test_an_unchanged_plan_is_taken_without_an_event(rig: Rig) -> None:
    """A re-plan that says the same costs nothing."""
    rig.offer(DAY, 2700)
    rig.answer()
    assert rig.offer(DAY, 2700, sequence=2) == []
    assert rig.effects[-1] == effect.OfferTaken(2, changed=False)


def test_an_unchanged_plan_moves_the_horizon(rig: Rig) -> None:
    """The horizon is the newest offered; each event decided on it carries it."""
    rig.offer(DAY, 2700)
    rig.answer()
    rig.offer(DAY, 3600, sequence=2)
    happened = rig.advance(900)
    started = happened[-1]
    assert isinstance(started, events.AttemptStarted)
    assert started.decision is not None
    assert started.decision.horizon_us == Rig.START_US + 3_600_000_000
    assert started.decision.sequence == 2


def test_an_offer_that_was_taken_is_taken_again_quietly(rig: Rig) -> None:
    """The dispatcher repeats itself until it has an answer."""
    rig.offer(DAY, 2700)
    assert rig.offer(DAY, 2700) == []
    assert rig.effects[-1] == effect.OfferTaken(1, changed=False)


def test_an_older_offer_is_rejected(rig: Rig) -> None:
    """An asset takes only a higher sequence, and keeps its horizon."""
    rig.offer(DAY, 2700, sequence=2)
    assert rig.offer(plan_of((0, CHARGE, 1_000)), 60, sequence=1) == []
    assert rig.effects[-1] == effect.OfferTaken(1, changed=False, rejected="older")
    assert rig.state.outside.horizon_us == Rig.START_US + 2_700_000_000


def test_a_changed_plan_replaces_what_was_open(rig: Rig) -> None:
    """From its first slot on, also beyond its own end."""
    rig.offer(DAY, 2700)
    rig.answer()
    rig.offer(plan_of((0, CHARGE, 11_000), (600, CHARGE, 3_000)), 1200, sequence=2)
    assert rig.story() == [
        "1.0.0 COMPLETED",
        "2.0.1 PENDING",
        "1.0.1 CANCELLED superseded",
        "1.0.2 CANCELLED superseded",
    ]


def test_a_plan_that_begins_later_leaves_the_time_before_it(rig: Rig) -> None:
    """The earlier plan goes on until then."""
    rig.offer(DAY, 2700)
    rig.answer()
    rig.offer(plan_of((1000, CHARGE, 3_000), (1900, CHARGE, 0)), 2800, sequence=2)
    for seconds in (900, 100, 900):
        rig.advance(seconds)
        served(rig)
    assert powers(rig) == [11, 7, 3, 0]
    assert "1.0.2 CANCELLED superseded" in rig.story()


def test_two_later_plans_follow_each_other(rig: Rig) -> None:
    """The third is compared with both parts before it."""
    rig.offer(DAY, 2700)
    rig.offer(plan_of((1000, CHARGE, 3_000)), 2700, sequence=2)
    both = plan_of((0, CHARGE, 11_000), (900, CHARGE, 7_000), (1000, CHARGE, 3_000))
    assert rig.offer(both, 2700, sequence=3) == []
    rig.offer(plan_of((500, CHARGE, 1_000), (600, CHARGE, 2_000)), 2700, sequence=4)
    assert len(rig.state.programme.parts) == 2


def test_a_plan_over_a_gap_is_new(rig: Rig) -> None:
    """Where nothing is planned, nothing can be the same."""
    rig.offer(plan_of((500, CHARGE, 3_000)), 900)
    assert rig.state.desired is None
    happened = rig.offer(plan_of((0, CHARGE, 3_000)), 900, sequence=2)
    assert names_of(happened) == ["PlanReplaced", "AttemptStarted"]


def test_changes_of_a_part_that_nobody_took_up_end_with_it(rig: Rig) -> None:
    """An attempt was on the wire while the change was due and the next plan began."""
    rig.offer(plan_of((0, CHARGE, 11_000), (10, CHARGE, 7_000)), 2700)
    rig.offer(plan_of((15, CHARGE, 3_000)), 2700, sequence=2)
    rig.advance(20)
    rig.answer()
    assert rig.story() == ["1.0.0 COMPLETED", "1.0.1 CANCELLED superseded", "2.0.0 DISPATCHED"]


# --- the first slot


def test_a_first_slot_that_holds_already_is_no_command(rig: Rig) -> None:
    """Its change is skipped, and nothing is sent."""
    rig.offer(DAY, 2700)
    rig.answer()
    happened = rig.offer(plan_of((0, CHARGE, 11_000), (600, CHARGE, 0)), 1200, sequence=2)
    replaced = happened[0]
    assert isinstance(replaced, events.PlanReplaced)
    assert replaced.skipped == (0,)
    assert powers(rig) == [11]


def test_after_a_skipped_first_slot_the_next_change_is_on_time(rig: Rig) -> None:
    """The skipped change is not waited for again."""
    rig.offer(DAY, 2700)
    rig.answer()
    rig.offer(plan_of((0, CHARGE, 11_000), (600, CHARGE, 0)), 1200, sequence=2)
    rig.advance(599)
    rig.advance(1)
    assert powers(rig) == [11, 0]


def test_nothing_known_is_not_zero(rig: Rig) -> None:
    """A first slot of 0 kW on an empty store is a command."""
    rig.offer(plan_of((0, CHARGE, 0)), 900)
    assert powers(rig) == [0]


def test_a_later_first_slot_is_compared_with_what_holds_right_before(rig: Rig) -> None:
    """The old plan's change at that very moment is replaced by the new plan's own."""
    rig.offer(plan_of((0, CHARGE, 11_000), (900, CHARGE, 7_000)), 2700)
    rig.answer()
    rig.offer(plan_of((900, CHARGE, 7_000), (1200, CHARGE, 0)), 2700, sequence=2)
    rig.advance(900)
    rig.answer()
    assert "1.0.1 CANCELLED superseded" in rig.story()
    assert "2.0.0 COMPLETED" in rig.story()


def test_a_change_that_waits_to_be_taken_up_is_taken_over(rig: Rig) -> None:
    """The same value in a newer plan is that plan's command, not nobody's."""
    rig.offer(DAY, 2700)
    rig.advance(20)
    rig.offer(plan_of((10, CHARGE, 3_000)), 2700, sequence=2)
    rig.offer(plan_of((20, CHARGE, 3_000), (60, CHARGE, 0)), 2700, sequence=3)
    rig.answer()
    assert rig.state.attempt is not None
    assert rig.state.attempt.command_ids == ("cmd_3.0.0",)


def test_rows_that_are_past_are_not_sent(rig: Rig) -> None:
    """Of a plan that began earlier only the running slot is."""
    rig.advance(1000)
    rig.offer(DAY, 2700)
    assert powers(rig) == [7]
    assert rig.story()[0] == "1.0.0 CANCELLED superseded"


def test_a_plan_of_nothing_new_after_a_release_is_sent(rig: Rig) -> None:
    """A released device holds no setpoint that a first slot could equal."""
    rig = Rig(charger_rules(on_schedule_end="release"))
    rig.connect("CHARGING")
    rig.offer(plan_of((0, CHARGE, 3_000)), 60)
    rig.answer()
    rig.advance(60)
    rig.answer()
    rig.offer(plan_of((60, CHARGE, 3_000)), 900, sequence=2)
    assert powers(rig) == [3, None, 3]


def test_nothing_is_decided_before_the_offer_of_a_new_engine(rig: Rig) -> None:
    """After a start the newest schedule is waited for."""
    rig = Rig(charger_rules())
    rig.connect("CHARGING")
    assert rig.advance(60) == []
    assert rig.tell(message.NothingOffered()) == []


def test_before_its_first_change_a_plan_says_nothing(rig: Rig) -> None:
    """Neither does what was before it."""
    ref = PlanRef(ScheduleId("sch_1"), 1, 0)
    plan = plan_of((60, CHARGE, 3_000))
    rig.tell(message.PlanOffered(ref, plan, Rig.START_US, Rig.START_US + 900_000_000))
    assert rig.sent == []
    rig.advance(60)
    assert powers(rig) == [3]
