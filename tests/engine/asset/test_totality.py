"""decide and evolve never raise, whatever is told and whatever was recorded."""

from typing import get_args

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from msgspec.structs import replace

from actors.testing.rig import FakeSpelling, Rig, battery_rules, charger_rules, plan_of
from engine import events
from engine.adapters import base
from engine.asset import AssetState, decide, evolve, next_wake, noted
from engine.asset import messages as message
from engine.asset.draft import Draft
from engine.asset.granting import desire
from engine.asset.view import view_of
from engine.commands import Cause, CauseKind, CommandStatus, CommandType
from engine.events import RELEASED, Decision, Setpoint, Step, Taken
from engine.grants import Bound, Grant
from engine.plans import PlanRef
from engine.types import AssetId, Channel, CommandId, Instant, ScheduleId

CHARGE = Channel.CHARGE
ONE, TWO = CommandId("cmd_1.0.0"), CommandId("cmd_a_1_9")
SCHEDULE = ScheduleId("sch_1")
PLAN = plan_of((0, CHARGE, 5_000), (60, CHARGE, 0))
START_US = Rig.START_US
NOW = Instant(START_US + 30_000_000, START_US + 30_000_000)
FIVE = Setpoint(5_000, 0)
STEP = Step((ONE,), CommandType.SET_CHARGE_RATE, 5_000, FIVE)
HALF = Step((TWO,), CommandType.SET_DISCHARGE_RATE, 0, Setpoint(0, 0))
DECISION = Decision(FIVE, "schedule", (HALF, STEP), START_US, taken=Taken(SCHEDULE, 1))
PAYLOAD = base.Payload((base.Frame("set", {}),))


def started(ids: CommandId, setpoint: Setpoint | None) -> events.AttemptStarted:
    """Return the start of an attempt."""
    kind = CommandType.CALL if setpoint is None else CommandType.SET_CHARGE_RATE
    return events.AttemptStarted("att_1", 1, 0, (ids,), kind, None, None, setpoint, PAYLOAD, None)


def ended(outcome: base.Outcome, status: CommandStatus) -> events.AttemptEnded:
    """Return the end of an attempt."""
    return events.AttemptEnded("att_1", outcome, status)


RECORDED: tuple[events.AssetEvent, ...] = (
    events.AssetConfigured(charger_rules()),
    events.AssetConfigured(battery_rules()),
    events.AssetRetired(),
    events.AssetRecovered(2),
    events.PlanReplaced(PlanRef(SCHEDULE, 1, 0), PLAN, START_US, START_US + 90_000_000),
    events.PlanReplaced(PlanRef(ScheduleId("sch_2"), 2, 0), PLAN, NOW.plan_us + 9, NOW.plan_us),
    events.PlanRejected(PlanRef(SCHEDULE, 1, 0), "why"),
    events.PlanCut(SCHEDULE, 0, 1, "superseded"),
    events.ScheduleExhausted(SCHEDULE, 1, START_US),
    events.DepartureDetected(SCHEDULE, 1),
    events.DepartureEnded(SCHEDULE),
    events.CommandCreated(TWO, CommandType.CALL, None, Cause(CauseKind.OPERATOR), 0, 9),
    events.CommandCreated(TWO, CommandType.START_CHARGING, None, Cause(CauseKind.PLUG_IN), 0, 9),
    events.CommandCreated(TWO, CommandType.RELEASE, None, Cause(CauseKind.RELEASE), 0, None),
    events.SetpointDecided(DECISION),
    events.CommandHeld((ONE, TWO), "offline"),
    events.CommandCancelled((TWO,), "operator"),
    events.CommandCancelled((ONE,), "operator"),
    started(ONE, FIVE),
    started(ONE, RELEASED),
    started(TWO, None),
    ended("accepted", CommandStatus.COMPLETED),
    ended("accepted", CommandStatus.ACKNOWLEDGED),
    ended("timed_out", CommandStatus.PENDING),
    ended("not_sent", CommandStatus.PENDING),
    ended("error", CommandStatus.PENDING),
    ended("rejected", CommandStatus.FAILED),
    events.AttemptReconciled("att_1", (ONE,), "holds", CommandStatus.COMPLETED),
    events.AttemptReconciled("att_1", (ONE,), "differs", CommandStatus.PENDING),
    events.AttemptReconciled("att_1", (ONE,), "no_answer", CommandStatus.TIMED_OUT),
    events.AttemptReconciled("att_1", (TWO,), "no_answer", CommandStatus.TIMED_OUT),
    events.CommandVerified((ONE,), CommandStatus.COMPLETED, "readback"),
    events.CommandVerified((ONE, TWO), CommandStatus.COMPLETED, "known"),
    events.CommandVerified((ONE,), CommandStatus.FAILED, "readback", "clamped", FIVE),
    events.LateAnswered("att_1", "raw"),
    events.OverrideSet(
        "ovr", FIVE, "time", 9, "ann", "why", TWO, CommandType.SET_CHARGE_RATE, "override"
    ),
    events.OverrideEnded("ovr", "expired"),
    events.StateChanged("AVAILABLE", "CHARGING", "sync", "raw"),
    events.StateChanged("CHARGING", "AVAILABLE", "unplug", "raw"),
    events.StateChanged("AVAILABLE", "AVAILABLE", "fault", "raw", {}, "FAULTED"),
    events.EvseChanged(events.Evse(((1, "Occupied"),), "CHARGING", "ev", "7", 3)),
    events.StatusNotUnderstood("raw"),
    events.ConnectionChanged(connected=True),
    events.ConnectionChanged(connected=True, booted=True),
    events.ConnectionChanged(connected=False),
    events.TransactionStarted("7", "key"),
    events.TransactionStarted("8", "key", offline=True),
    events.TransactionEnded("7"),
    events.TransactionEnded("8"),
    events.CapabilitiesLearned({"a": "b"}),
    events.ClockSkewed(-3_600),
    events.ClockSkewed(0),
    events.ExternalLimitTold("SO", 4_200.0),
    events.ExternalLimitTold("SO", is_over=True),
    events.PhasesMeasured(1),
    events.DeviceChanged(FIVE),
    events.DeviceChanged(Setpoint(1, None)),
    events.MessageNotUnderstood("raw"),
    events.ActorCrashed("Woke", "ValueError", 1, gave_up=True),
    events.ActorCrashed("Woke", "ValueError", 1),
    events.ActorRecovered("ann", "why"),
    events.LinkFailed("ValueError"),
    events.GrantExceeded("measured", 15_000, 11_000),
    events.GrantKept(),
    events.PowerTallied(ONE, 0, 60_000_000, 5_000, 60_000_000, 300_000, 0, 0, 0),
)
TOLD: tuple[message.Message, ...] = (
    message.Woke(),
    message.SlotWanted(),
    message.SlotGranted(),
    message.Recovered(3),
    message.Configured(charger_rules()),
    message.Configured(battery_rules()),
    message.Configured(None),
    message.PlanOffered(PlanRef(ScheduleId("sch_3"), 3, 0), PLAN, START_US, NOW.plan_us + 9),
    message.NothingOffered(),
    message.Observed(base.Connected()),
    message.Observed(base.Disconnected()),
    message.Observed(base.Disconnected("closed", lasts=True)),
    message.Observed(base.Seen()),
    message.Observed(base.StateReported("PREPARING", "raw")),
    message.Observed(base.ConnectorReported("Occupied")),
    message.Observed(base.ChargingReported("7", 4, "updated", "Idle")),
    message.Observed(base.PowerMeasured(1.0)),
    message.Observed(base.PowerMeasured(1.0, phases=1)),
    message.Observed(base.SetpointRead(1.0, 0.0)),
    message.Observed(base.TransactionChanged("started", None)),
    message.Observed(base.CapabilitiesLearned({})),
    message.Observed(base.ClockRead(-3_600)),
    message.Observed(base.ExternalLimit("SO", 4_200.0)),
    message.Observed(base.Unreadable("raw")),
    message.Observed(base.LateAnswer("att_1", "raw")),
    message.AttemptAnswered("att_1", base.Answer("raw"), "accepted"),
    message.AttemptAnswered("att_1", None, "timed_out"),
    message.AttemptAnswered("att_1", None, "not_sent"),
    message.AttemptAnswered("att_1", base.Answer("raw", "rejected"), "rejected"),
    message.QuestionAnswered("att_1", base.Answer("raw", values=(base.SetpointRead(5.0, 0.0),))),
    message.QuestionAnswered("att_1", None),
    message.CommandRequested(CommandType.CALL, "ann", "why", {}, print),
    message.OverrideRequested(
        FIVE, CommandType.SET_CHARGE_RATE, "resume", None, "ann", "why", "override", print
    ),
    message.OverrideCleared("ann", "why", print),
    message.CancelRequested(ONE, "ann", "why", print),
    message.Granted(Grant(Bound(3_000, 5_000, 9_000), Bound(0, 0, 0), 1)),
    message.Stopping(),
    message.LinkClosing(print),
    message.Crashed("Woke", "ValueError", set_aside=True),
    message.Crashed("Committed", "ValueError", unsure="att_1"),
    message.Crashed("Woke", "ValueError", gave_up=True),
    message.LinkFailed("ValueError"),
)


def test_the_samples_are_of_every_kind() -> None:
    """None of the vocabulary is forgotten here."""
    assert {type(one) for one in RECORDED} == set(get_args(events.AssetEvent))
    assert {type(one) for one in TOLD} == set(get_args(message.Message))


@example([RECORDED[0], started(ONE, FIVE), ended("rejected", CommandStatus.FAILED)])
@example([RECORDED[0], started(ONE, FIVE), ended("accepted", CommandStatus.COMPLETED)])
@example([ended("accepted", CommandStatus.COMPLETED)])
@example([events.AttemptReconciled("att_1", (ONE,), "holds", CommandStatus.COMPLETED)])
@example([events.PlanCut(SCHEDULE, 0, 1, "superseded")])
@example([events.DepartureEnded(SCHEDULE)])
@given(st.lists(st.sampled_from(RECORDED), max_size=25))
def test_evolve_takes_any_event_in_any_state(recorded: list[events.AssetEvent]) -> None:
    """Each makes one version more; a view and a wake-up can be had of whatever comes of it."""
    state = AssetState(AssetId("ast_ev"))
    for event in recorded:
        state = evolve(state, event, NOW)
    assert state.version == len(recorded)
    assert view_of(state, NOW).asset_id == "ast_ev"
    next_wake(state, NOW)


@given(st.lists(st.sampled_from(RECORDED), max_size=25), st.sampled_from(TOLD), st.booleans())
def test_decide_takes_any_message_in_any_state(
    recorded: list[events.AssetEvent],
    told: message.Message,
    spelled: bool,  # noqa: FBT001 - drawn
) -> None:
    """What it decides can be evolved, and is the same the second time."""
    state = AssetState(AssetId("ast_ev"))
    for event in (RECORDED[0], *recorded):
        state = evolve(state, event, NOW)
    outside = state.outside
    adapter = FakeSpelling() if spelled else None
    state = replace(state, outside=type(outside)(adapter=adapter, offered=True, epoch=1))
    state = noted(state, told, NOW)
    happened, wanted = decide(state, told, NOW)
    again, wanted_again = decide(state, told, NOW)
    assert happened == again
    assert [type(one) for one in wanted] == [type(one) for one in wanted_again]
    for event in happened:
        state = evolve(state, event, NOW)


def test_nothing_should_hold_of_an_asset_that_is_not_configured() -> None:
    """There are no rules to say so."""
    assert desire(AssetState(AssetId("ast_ev")), NOW) is None


def test_a_draft_of_an_asset_that_is_not_configured_has_no_rules() -> None:
    """`decide` never comes so far."""
    with pytest.raises(LookupError, match="ast_ev is not configured"):
        _ = Draft(AssetState(AssetId("ast_ev")), NOW).rules
