import pytest
from msgspec.structs import replace

from actors.testing.records import (
    BATTERY,
    EV,
    START_US,
    THREE,
    after,
    charger,
    history_of,
    received,
    record,
    started,
    statuses,
    taken,
)
from actors.testing.rig import Rig, charger_rules, plan_of
from engine import events
from engine.commands import CommandType
from engine.history import (
    Filters,
    histories,
)
from engine.plans import PlanRef
from engine.types import US_PER_S, Channel, CommandId, ScheduleId

CHARGE, DISCHARGE = Channel.CHARGE, Channel.DISCHARGE


# --- plans that cover plans


def test_a_later_plan_supersedes_what_it_covers() -> None:
    """Changes from its first slot on end by it; those before go on, the open one too."""
    rig = charger()
    rig.answer()
    rig.advance(60)
    rig.offer(plan_of((900, CHARGE, 3_000), (1800, CHARGE, 5_000)), 3600, sequence=2)
    old = list(history_of(rig, schedule="sch_1"))
    new = list(history_of(rig, schedule="sch_2"))
    assert statuses(old) == ["COMPLETED", "CANCELLED", "CANCELLED"]
    assert statuses(new) == ["PENDING", "PENDING"]
    assert (old[1].reason, old[1].ended_by) == ("superseded", "sch_2")
    assert (old[1].finished_at, old[1].attempts) == (after(60), ())


def test_of_several_plans_the_first_that_covers_a_command_ends_it() -> None:
    """The one after it finds only what that one left open."""
    log = [
        record(taken()),
        record(taken(sequence=2, from_s=1800), 60),
        record(taken(sequence=3, from_s=1800), 61),
        record(taken(sequence=4, from_s=900), 62),
    ]
    first = histories(log, Filters(schedule="sch_1"))
    assert statuses(first) == ["PENDING", "CANCELLED", "CANCELLED"]
    assert [one.ended_by for one in first] == [None, "sch_4", "sch_2"]


def test_a_plan_that_rules_at_once_ends_all_before_it() -> None:
    """What had fallen due untaken in that very moment is not left PENDING for ever."""
    log = [record(taken()), record(taken(sequence=2, from_s=901), 901)]
    first = histories(log, Filters(schedule="sch_1"))
    assert statuses(first) == ["CANCELLED"] * 3
    assert {one.ended_by for one in first} == {"sch_2"}


def test_a_plan_whose_time_is_over_is_not_covered_again() -> None:
    """A plan that begins later cannot end what was due before it."""
    log = [
        record(taken()),
        record(taken(sequence=2, from_s=1800), 60),
        record(taken(sequence=3, from_s=3600), 2000),
    ]
    first = histories(log, Filters(schedule="sch_1"))
    assert statuses(first) == ["PENDING", "PENDING", "CANCELLED"]


def test_cut_changes_are_cancelled_for_the_reason_of_the_cut() -> None:
    """A cut names a plan and a range; a cut of an unknown plan says nothing."""
    log = [
        record(taken()),
        record(events.PlanCut(ScheduleId("sch_1"), 0, 2, "early_departure"), 5),
        record(events.PlanCut(ScheduleId("sch_1"), 1, 9, "expired"), 6),
        record(events.PlanCut(ScheduleId("sch_9"), 0, 3, "expired"), 7),
    ]
    found = histories(log)
    assert [one.reason for one in found] == ["early_departure", "early_departure", "expired"]
    assert [one.finished_at for one in found] == [after(5), after(5), after(6)]


def test_what_was_taken_up_goes_by_its_own_events_alone() -> None:
    """A cut around a command, or a plan over it, leaves the command that was decided on."""
    step = events.Step(
        (CommandId("cmd_1.0.1"),), CommandType.SET_CHARGE_RATE, 7_000, events.Setpoint(7_000, 0)
    )
    decision = events.Decision(events.Setpoint(7_000, 0), "schedule", (step,), START_US)
    log = [
        record(taken()),
        record(events.PlanCut(ScheduleId("sch_1"), 0, 2, "superseded"), 900),
        record(events.SetpointDecided(decision), 900),
        record(taken(sequence=2, from_s=900), 900),
    ]
    found = histories(log, Filters(schedule="sch_1"))
    assert statuses(found) == ["CANCELLED", "PENDING", "CANCELLED"]


def test_skipped_changes_are_no_commands() -> None:
    """The first slot's change that the setpoint equals already is not in the history."""
    event = replace(taken(THREE), skipped=(0,))
    log = [record(event), record(started("cmd_1.0.0"), 1)]
    assert [one.id for one in histories(log)] == ["cmd_1.0.1", "cmd_1.0.2"]


def test_past_commands_of_a_downtime_are_expired() -> None:
    """What ran out by the horizon is CANCELLED expired by one event."""
    rig = Rig(charger_rules())
    rig.offer(THREE, 2700)
    rig.advance(2700)
    found = history_of(rig, cause="schedule")
    assert statuses(found)[-1] == "CANCELLED"
    assert found[-1].reason == "expired"


# --- horizons


def test_the_last_command_of_a_channel_expires_at_the_horizon() -> None:
    """Each channel has its own next change."""
    plan = plan_of((0, CHARGE, 5_000), (0, DISCHARGE, 0), (900, CHARGE, 0), columns=("c", "d"))
    found = histories([record(taken(plan), stream=BATTERY)])
    assert [one.expires_at for one in found] == [after(900), after(2700), after(2700)]
    assert [one.cause.column for one in found] == ["c", "d", "c"]


def test_a_schedule_that_leaves_the_plan_unchanged_prolongs_it() -> None:
    """Its horizon is that of the plan in force, though the asset stored nothing."""
    log = [
        record(taken()),
        record(received(2, 3600, EV)),
        record(received(3, 4500, EV)),
        record(received(4, 9000, BATTERY)),
    ]
    assert [one.expires_at for one in histories(log)] == [after(900), after(1800), after(4500)]


@pytest.mark.parametrize("sequence", [2, 3])
def test_a_plan_taken_later_has_a_horizon_of_its_own(sequence: int) -> None:
    """The plan before it keeps the horizon that it had last."""
    log = [
        record(taken()),
        record(received(2, 3600, EV)),
        record(taken(sequence=sequence, from_s=1800, horizon_s=9000), 1),
    ]
    last = [one.expires_at for one in histories(log)][-2:]
    assert last == [after(3600 if sequence == 3 else 2700), after(9000)]


def test_a_horizon_within_the_plan_is_not_the_plans() -> None:
    """A shorter schedule that a newer one overtook before the asset heard of it."""
    log = [
        record(taken()),
        record(received(2, 1_200, EV), 10),
        record(received(3, 5_400, EV), 11),
        record(taken(sequence=3), 12),
    ]
    first = histories(log, Filters(schedule="sch_1"))
    assert [one.expires_at for one in first] == [after(900), after(1_800), after(2_700)]


def test_a_schedule_received_early_is_not_lost() -> None:
    """A plan of an older schedule, taken late, does not use up a newer one's horizon."""
    log = [
        record(taken()),
        record(received(3, 3600, EV)),
        record(taken(sequence=2, from_s=0, horizon_s=9000), 1),
    ]
    assert histories(log, Filters(schedule="sch_2"))[-1].expires_at == after(3600)


def test_a_rejected_plan_prolongs_nothing() -> None:
    """The plan in force keeps its horizon."""
    rejected = events.PlanRejected(PlanRef(ScheduleId("sch_2"), 2, 0), "no")
    log = [record(taken()), record(received(2, 3600, EV)), record(rejected)]
    assert histories(log)[-1].expires_at == after(2700)


def test_a_horizon_that_passed_stays() -> None:
    """What the asset ran out at is told by its event; later schedules are another plan's."""
    exhausted = events.ScheduleExhausted(ScheduleId("sch_1"), 2, START_US + 3_600 * US_PER_S)
    log = [
        record(taken()),
        record(received(2, 3600, EV)),
        record(exhausted, 3600),
        record(received(3, 9000, EV)),
        record(replace(exhausted, sequence=3), 9000),
    ]
    assert histories(log)[-1].expires_at == after(3600)
