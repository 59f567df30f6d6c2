from collections.abc import Iterator
from typing import Any

import attrs
import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
)

from actors.testing.kept import Kept
from actors.testing.rig import FakeSpelling, Rig, battery_rules, charger_rules, plan_of
from engine import events
from engine.adapters import base
from engine.asset import decide, next_wake, noted
from engine.asset import effects as effect
from engine.asset import messages as message
from engine.asset.attempts import NOT_KNOWN
from engine.asset.desire import horizon
from engine.asset.granting import desire
from engine.asset.holding import holds
from engine.asset.programme import changes_until, first_untaken
from engine.asset.view import open_commands
from engine.commands import FINAL, CommandStatus, CommandType
from engine.events import RELEASED, Setpoint
from engine.history.asset import AssetHistory
from engine.history.filters import EVERYTHING
from engine.machines import table_of
from engine.plans import Plan
from engine.plans import command_id as planned_id
from engine.types import US_PER_S, AssetKind, Channel, CommandId, Instant, from_us

OUTCOMES: tuple[base.Outcome, ...] = (
    "accepted",
    "rejected",
    "error",
    "timed_out",
    "link_lost",
    "not_sent",
    "unknown",
)
POWERS_W = (0, 3_000, 7_000, 11_000)
SLOT_S = 60


class Ledger:
    """The status of every command by the events alone; final ones stay (P8)."""

    def __init__(self) -> None:
        self.statuses: dict[CommandId, CommandStatus] = {}
        self.plans: dict[str, events.PlanReplaced] = {}
        self.own: set[CommandId] = set()
        self.open: tuple[str, tuple[CommandId, ...]] | None = None
        self.unknown: str | None = None
        self.doubted: str | None = None
        self.expires_us: int | None = None

    def take(self, batch: list[events.AssetEvent], at: Instant) -> None:
        """Take the events of one commit."""
        taken_up = {one for event in batch for one in _decided(event)}
        self.own |= taken_up
        for event in batch:
            self._take(event, at)

    def _take(self, event: events.AssetEvent, at: Instant) -> None:  # noqa: C901, PLR0912 - one case per event
        match event:
            case events.PlanReplaced():
                self._replaced(event, at)
            case events.PlanCut():
                for one in self._range(event.schedule_id, event.first, event.last):
                    self._cover(one)
            case events.CommandCreated():
                assert event.command_id not in self.statuses
                self.statuses[event.command_id] = CommandStatus.PENDING
                self.own.add(event.command_id)
            case events.SetpointDecided():
                self._decide(event.decision)
            case events.AttemptStarted():
                self._started(event, at)
            case events.AttemptEnded():
                self._ended(event)
            case events.AttemptReconciled():
                assert event.attempt_id in {self.unknown, self.doubted}
                self.unknown = None
                if event.status is not CommandStatus.PENDING:
                    self.doubted = None  # until then the device may still tell
                self._turn(event.command_ids, event.status)
            case events.CommandVerified() | events.CommandCancelled():
                self._turn(event.command_ids, event.status)
            case events.CommandHeld():
                self._turn(event.command_ids, CommandStatus.PENDING)
            case events.AssetRetired():
                self.open = self.unknown = None
            case events.AssetRecovered() if self.open is not None:
                self.unknown = self.doubted = self.open[0]
                self.open = None
            case _:
                return

    def _replaced(self, event: events.PlanReplaced, at: Instant) -> None:
        for plan in self.plans.values():
            first = 0
            if event.from_us > at.plan_us:
                first = plan.plan.index_at(event.from_us - 1)
            for one in self._range(plan.ref.schedule_id, first, len(plan.plan)):
                self._cover(one)
        self.plans[event.ref.schedule_id] = event
        for one in self._range(event.ref.schedule_id, 0, len(event.plan)):
            self.statuses[one] = CommandStatus.PENDING

    def _range(self, schedule_id: str, first: int, last: int) -> Iterator[CommandId]:
        plan = self.plans[schedule_id]
        assert 0 <= first <= last <= len(plan.plan)
        for index in range(first, last):
            if index not in plan.skipped:
                yield planned_id(plan.ref, index)

    def _cover(self, one: CommandId) -> None:
        if one not in self.own and self.statuses[one] is CommandStatus.PENDING:
            self.statuses[one] = CommandStatus.CANCELLED

    def _decide(self, decision: events.Decision) -> None:
        self.expires_us = decision.expires_us
        for step in decision.steps:
            for one in step.command_ids:
                assert self.statuses[one] is CommandStatus.PENDING, "P5: it was over"

    def _started(self, event: events.AttemptStarted, at: Instant) -> None:
        assert self.open is None, "one attempt at a time"
        assert self.unknown is None, "P4: the outcome before is not known"
        if event.decision is not None:
            self._decide(event.decision)
        if event.setpoint is not None:
            assert self.expires_us is None or at.plan_us < self.expires_us, "P5: expired"
        assert event.number <= 4, "four attempts in all"
        self.open = (event.attempt_id, event.command_ids)
        self._turn(event.command_ids, CommandStatus.DISPATCHED)

    def _ended(self, event: events.AttemptEnded) -> None:
        assert self.open is not None
        attempt_id, ids = self.open
        assert attempt_id == event.attempt_id
        self.open = None
        if event.status is CommandStatus.PENDING and event.outcome in NOT_KNOWN:
            self.unknown = self.doubted = attempt_id
        self._turn(ids, event.status)

    def _turn(self, ids: tuple[CommandId, ...], status: CommandStatus) -> None:
        for one in ids:
            assert self.statuses[one] not in FINAL, f"P8: {one} was {self.statuses[one]}"
            self.statuses[one] = status


def _tell(history: AssetHistory, event: events.AssetEvent, at: Instant) -> None:
    match event:
        case events.PlanReplaced():
            history.plan_replaced(event, at)
        case events.CommandCreated():
            history.command_created(event, at, 1.0)
        case _:
            history.feed(event, at)


def _decided(event: events.AssetEvent) -> Iterator[CommandId]:
    decision = getattr(event, "decision", None)
    if decision is not None:
        for step in decision.steps:
            yield from step.command_ids


@attrs.define
class Device:
    """What the device holds in truth."""

    held: Setpoint = attrs.field(factory=lambda: Setpoint(0, 0))

    def take(self, attempt: Any) -> None:  # noqa: ANN401 - an open attempt
        """Do what an attempt says."""
        if attempt.setpoint is not None:
            self.held = attempt.setpoint

    def reads(self, target: Setpoint) -> bool:
        """Return whether it says that it holds a setpoint; one that is released holds nothing."""
        return Setpoint(self.held.charge_w or 0, self.held.discharge_w or 0) == target

    def read(self) -> base.SetpointRead:
        """Say what is held."""
        charge_w, discharge_w = self.held.charge_w, self.held.discharge_w
        return base.SetpointRead((charge_w or 0) / 1_000, (discharge_w or 0) / 1_000)

    def measured(self) -> base.PowerMeasured:
        """Take what is held, and be measured."""
        return base.PowerMeasured(
            ((self.held.charge_w or 0) - (self.held.discharge_w or 0)) / 1_000
        )


class Storm(RuleBasedStateMachine):
    """Anything happens to one asset in any order; the promises hold all the time."""

    rig: Rig
    ledger: Ledger
    device: Device

    @initialize(
        battery=st.booleans(),
        shared_slot=st.booleans(),
        can_ask=st.booleans(),
        forms=st.integers(1, 3),
        policy=st.fixed_dictionaries(
            {
                "on_schedule_end": st.sampled_from(["fallback", "release", "hold"]),
                "on_stop": st.sampled_from(["fallback", "release", "hold"]),
                "fallback_w": st.sampled_from([None, 0, 3_000]),
                "verify": st.sampled_from(["ack", "readback", "composite", "measured", "auto"]),
                "start": st.sampled_from(["charger", "engine"]),
                "shared_register": st.booleans(),
                "hold_max_s": st.just(90.0),
                "reassert_s": st.just(45.0),
                "failsafe_after_s": st.sampled_from([100.0, 900.0]),
            }
        ),
    )
    def begin(
        self,
        *,
        battery: bool,
        shared_slot: bool,
        can_ask: bool,
        forms: int,
        policy: dict[str, Any],
    ) -> None:
        if policy["verify"] == "composite":
            can_ask = True  # else nothing would ever be good enough
        if battery and policy["verify"] in {"auto", "composite"}:
            policy = {**policy, "verify": "measured"}
        rules = battery_rules(**policy) if battery else charger_rules(**policy)
        self.rig = Rig(
            rules, FakeSpelling(forms, can_ask=can_ask), ahead_s=1e6, shared_slot=shared_slot
        )
        self.ledger = Ledger()
        self.device = Device()
        self.slot = self.rig.state.outside.slot
        self.sequence = 0
        self.seen_events = self.seen_effects = 0
        self._heal()

    @property
    def is_battery(self) -> bool:
        return self.rig.rules.kind is AssetKind.BATTERY

    # --- what can happen

    @rule(
        powers=st.lists(st.sampled_from(POWERS_W), min_size=1, max_size=6),
        discharge=st.lists(st.booleans(), min_size=6, max_size=6),
        start_s=st.sampled_from([-90, -30, 0, 30, 90]),
    )
    def plan(self, powers: list[int], discharge: list[bool], start_s: int) -> None:
        self.sequence += 1
        after_s = (self.rig.now.plan_us - Rig.START_US) / US_PER_S + start_s
        plan = (
            battery_plan(powers, discharge, after_s)
            if self.is_battery
            else charger_plan(powers, after_s)
        )
        self.rig.offer(plan, after_s + SLOT_S * len(powers), sequence=self.sequence)

    @rule()
    def serve(self) -> None:
        """Answer as a healthy device for a while."""
        for _ in range(4):
            self._serve()

    @rule(powers=st.lists(st.sampled_from(POWERS_W), min_size=3, max_size=3))
    def plan_and_serve(self, powers: list[int]) -> None:
        self.plan(powers, [True] * 6, 0)
        self.serve()

    @rule()
    def heal(self) -> None:
        self._heal()

    def _heal(self) -> None:
        healthy = "IDLE" if self.is_battery else "PREPARING"
        self.rig.observe(
            base.Connected(),
            base.StateReported(healthy, healthy, whole_device=True),
            base.StateReported(healthy, healthy),
        )

    def _offer_again(self) -> None:
        if self.rig.offered is not None:
            self.rig.tell(self.rig.offered)
        else:
            self.rig.tell(message.NothingOffered())

    @precondition(lambda self: self.rig.state.attempt is not None)
    @rule(outcome=st.sampled_from(OUTCOMES), done=st.booleans(), read=st.booleans())
    def answer(self, outcome: base.Outcome, *, done: bool, read: bool) -> None:
        attempt = self.rig.state.attempt
        if outcome == "accepted" or (done and outcome in NOT_KNOWN):
            self.device.take(attempt)
        values = (self.device.read(),) if read and outcome == "accepted" else ()
        self.rig.answer(*values, outcome=outcome)

    @precondition(lambda self: self.rig.state.attempt is not None)
    @rule()
    def accept(self) -> None:
        self.device.take(self.rig.state.attempt)
        self.rig.answer(self.device.read())

    @rule(told=st.sampled_from(["truth", "nothing", "lie", "half"]))
    def answer_question(self, told: str) -> None:
        about = self.rig.state.outside.asking
        if about is None:
            return
        answers = {
            "truth": base.Answer("raw", values=(self.device.read(),)),
            "nothing": None,
            "lie": base.Answer("raw", values=(base.SetpointRead(1.0, 0.0),)),
            "half": base.Answer("raw", values=(base.SetpointRead(None, None),)),
        }
        self.rig.tell(message.QuestionAnswered(about, answers[told]))

    def _answer_late(self) -> None:
        self.rig.tell(
            message.AttemptAnswered("att_old", None, "unknown"),
            message.QuestionAnswered("att_old", None),
        )

    @precondition(lambda self: self.slot == "waiting")
    @rule()
    def grant(self) -> None:
        self.slot = "granted"
        self.rig.tell(message.SlotGranted())

    @rule()
    def want_slot(self) -> None:
        self.rig.tell(message.SlotWanted())

    @rule(booted=st.booleans(), reads=st.booleans())
    def connect(self, *, booted: bool, reads: bool) -> None:
        if booted:
            self.device.held = Setpoint(0, 0)
        if reads and not self.rig.state.device.connected:
            self.rig.observe(self.device.read())
        self.rig.observe(base.Connected(booted))

    @rule()
    def disconnect(self) -> None:
        self.rig.observe(base.Disconnected("gone"))

    @rule(number=st.integers(0, 7), whole=st.booleans())
    def report_state(self, number: int, *, whole: bool) -> None:
        states = (*table_of(self.rig.rules.kind).states, "ODD", None)
        state = states[number % len(states)]
        whole_device = whole and number % 3 == 0
        self.rig.observe(base.StateReported(state, str(state), whole_device=whole_device))

    @rule(kind=st.sampled_from(["started", "found", "ended"]), own=st.booleans())
    def report_transaction(self, kind: Any, *, own: bool) -> None:  # noqa: ANN401 - a literal
        running = self.rig.state.device.transaction
        known = running.transaction_id if running is not None and own else "77"
        given = None if kind == "started" else known
        replies: list[str] = []
        key = f"k{len(self.rig.events) // 9}"
        self.rig.observe(base.TransactionChanged(kind, given, key, reply=replies.append))
        assert len(replies) == 1

    @rule(
        seen=st.sampled_from(
            [
                base.Seen(),
                base.Unreadable("x"),
                base.PowerMeasured(3.0),
                base.PowerMeasured(-7.0, from_us(Rig.START_US)),
                base.PowerMeasured(0.0),
                base.PowerMeasured(11.0),
                base.CapabilitiesLearned({"unit": "A"}),
                base.LateAnswer("att_old", "x"),
                base.SetpointRead(2.0, 0.0),
                base.SetpointRead(None, None),
            ]
        )
    )
    def report(self, seen: base.Observation) -> None:
        self.rig.observe(seen)
        if self.is_battery:
            self.rig.observe(self.device.read())

    @rule(seconds=st.sampled_from([0, 1, 5, 20, 60, 61, 200, 1_000]), alive=st.booleans())
    def wait(self, seconds: int, *, alive: bool) -> None:
        self.rig.advance(seconds, alive=alive)

    @rule(
        watts=st.sampled_from(POWERS_W),
        ends=st.sampled_from(["time", "unplugged", "resume", "next_change"]),
        discharge=st.booleans(),
        release=st.booleans(),
    )
    def override(self, watts: int, ends: str, *, discharge: bool, release: bool) -> None:
        kind = CommandType.SET_DISCHARGE_RATE if discharge else CommandType.SET_CHARGE_RATE
        target = Setpoint(0, watts) if discharge else Setpoint(watts, 0)
        if release:
            kind, target = CommandType.RELEASE, RELEASED
        until_us = self.rig.now.plan_us + 45 * US_PER_S if ends == "time" else None
        self.rig.tell(
            message.OverrideRequested(
                target, kind, ends, until_us, "ann", "why", "operator", self.rig.replies.append
            )
        )

    @rule(only=st.sampled_from([None, "resume"]))
    def clear_override(self, only: str | None) -> None:
        reply = self.rig.replies.append
        self.rig.tell(message.OverrideCleared("ann", "why", reply, only))

    @rule(kind=st.sampled_from(list(CommandType)), priority=st.integers(1, 2))
    def command(self, kind: CommandType, priority: int) -> None:
        reply = self.rig.replies.append
        self.rig.tell(message.CommandRequested(kind, "ann", "why", {}, reply, priority))

    @rule(number=st.integers(0, 3))
    def cancel(self, number: int) -> None:
        ids = (*open_commands(self.rig.state), CommandId("cmd_none"))
        reply = self.rig.replies.append
        self.rig.tell(message.CancelRequested(ids[number % len(ids)], "ann", "why", reply))

    @rule()
    def restart(self) -> None:
        self._restart()

    def _restart(self) -> None:
        self.slot = "idle" if self.rig.state.outside.shared_slot else "granted"
        self.rig.restart()

    @rule(what=st.sampled_from(["crash", "give_up", "retire", "stop", "offer", "late"]))
    def be_rare(self, what: str) -> None:
        match what:
            case "crash" | "give_up":
                self._crash(gave_up=what == "give_up")
            case "retire":
                self._retire_and_return()
            case "stop":
                self.rig.tell(message.Stopping())
            case "offer":
                self._offer_again()
            case _:
                self._answer_late()

    def _crash(self, *, gave_up: bool) -> None:
        attempt = self.rig.state.attempt
        unsure = None if attempt is None else attempt.attempt_id
        self.rig.tell(message.Crashed("Woke", "ValueError", gave_up=gave_up, unsure=unsure))
        if gave_up:
            self.rig.tell(message.Woke())
            self.rig.tell(
                message.OverrideCleared("ann", "mended", self.rig.replies.append, "resume")
            )

    def _retire_and_return(self) -> None:
        self.rig.tell(message.Configured(None))
        self.rig.tell(message.Woke(), message.Configured(self.rig.rules))

    # --- what holds all the time

    @invariant()
    def the_promises_hold(self) -> None:
        fresh = list(zip(self.rig.events, self.rig.times, strict=True))[self.seen_events :]
        self.seen_events = len(self.rig.events)
        for at in dict.fromkeys(at for _, at in fresh):
            self.ledger.take([event for event, when in fresh if when == at], at)
        for one in self.rig.effects[self.seen_effects :]:
            self._follow_slot(one)
        self.seen_effects = len(self.rig.effects)
        assert self.rig.state.outside.slot == self.slot
        self._a_granted_slot_is_used()
        self._one_thing_is_on_a_chargers_wire()
        self._every_open_command_is_somebodys()
        self._deciding_twice_decides_the_same()
        self._the_next_wake_is_not_past()

    def _follow_slot(self, one: effect.Effect) -> None:
        match one:
            case effect.Send() | effect.Ask():
                assert self.slot == "granted"
            case effect.RequestSlot():
                assert self.slot == "idle"
                self.slot = "waiting"
            case effect.ReleaseSlot():
                assert self.slot == "granted"
                self.slot = "idle"
            case _:
                return

    def _a_granted_slot_is_used(self) -> None:
        state = self.rig.state
        if state.outside.shared_slot and self.slot == "granted":
            assert state.attempt is not None or state.outside.asking is not None

    def _one_thing_is_on_a_chargers_wire(self) -> None:
        state = self.rig.state
        if not self.is_battery:
            assert state.attempt is None or state.outside.asking is None

    def _every_open_command_is_somebodys(self) -> None:
        state = self.rig.state
        known = set(open_commands(state))
        if state.override is not None and not state.override.used:
            known.add(state.override.command_id)
        programme = state.programme
        for part in programme.parts:
            first = first_untaken(programme, part)
            last = changes_until(part, 10**18)
            known |= {planned_id(part.ref, index) for index in range(first, last)}
        for one, status in self.ledger.statuses.items():
            assert status in FINAL or one in known, f"{one} is {status} and nobody's"
            if one in open_commands(state):
                assert status not in FINAL, f"{one} is {status} and still open"

    def _deciding_twice_decides_the_same(self) -> None:
        state = noted(self.rig.state, message.Woke(), self.rig.now)
        first = decide(state, message.Woke(), self.rig.now)
        assert first == decide(state, message.Woke(), self.rig.now)

    def _the_next_wake_is_not_past(self) -> None:
        wake, now = next_wake(self.rig.state, self.rig.told), self.rig.told
        assert wake.plan_us is None or wake.plan_us > now.plan_us
        assert wake.device_us is None or wake.device_us > now.device_us

    # --- what comes of it all with a healthy device

    def teardown(self) -> None:
        if not hasattr(self, "rig"):
            return
        self._calm_down()
        self.the_promises_hold()
        self._what_is_kept_says_the_same()
        want = desire(self.rig.state, self.rig.now)
        if want is None:
            return
        assert holds(self.rig.state.holding, want.target)
        released = want.target == RELEASED
        assert self.device.held == RELEASED if released else self.device.reads(want.target)
        end_us = horizon(self.rig.state)
        if end_us is not None and self.rig.now.plan_us > end_us:
            assert not self.rig.state.programme.parts

    def _what_is_kept_says_the_same(self) -> None:
        """A history that is kept row by row, and goes on from it, is that of the whole log."""
        asset_id = self.rig.state.asset_id
        whole, kept = AssetHistory(asset_id, EVERYTHING), Kept(asset_id)
        happened = list(zip(self.rig.events, self.rig.times, strict=True))
        for first in range(0, len(happened), 3):
            piece = kept.resumed()
            for event, at in happened[first : first + 3]:
                for one in (whole, piece):
                    _tell(one, event, at)
            kept.keep(piece)
        again = [life.record(asset_id) for life in kept.whole().lives()]
        assert again == [life.record(asset_id) for life in whole.lives()]

    def _calm_down(self) -> None:
        """Let the device be well, and everything come to its end."""
        if self.rig.state.outside.stopping:
            self._restart()
        if not self.rig.state.outside.offered:
            self.rig.tell(message.NothingOffered())
        self.rig.observe(base.Disconnected())
        self._heal()
        for _ in range(60):
            self.the_promises_hold()
            if not self._serve():
                self.rig.advance(5)
        for _ in range(1_000):
            if not self._serve() and self.rig.state.work is None:
                return
            self.rig.advance(1)
        pytest.fail("a healthy device, and no end of the work")

    def _serve(self) -> bool:
        """Answer as a healthy device; return whether there was anything to answer."""
        self.the_promises_hold()
        state = self.rig.state
        if self.slot == "waiting":
            self.grant()
        elif state.attempt is not None:
            self.accept()
        elif state.outside.asking is not None:
            self.answer_question("truth")
        elif state.work is not None and state.work.verifying is not None:
            self.rig.advance(0.1)
            self.rig.observe(self.device.measured())
            return self.rig.state.work != state.work
        else:
            return False
        return True


def charger_plan(powers: list[int], after_s: float) -> Plan:
    """Return the changes of a charger's powers, one a slot."""
    changes = []
    for number, watts in enumerate(powers):
        if number == 0 or watts != powers[number - 1]:
            changes.append((after_s + number * SLOT_S, Channel.CHARGE, watts))
    return plan_of(*changes)


def battery_plan(powers: list[int], discharge: list[bool], after_s: float) -> Plan:
    """Return the changes of a battery's pair, that to zero first."""
    changes: list[tuple[float, Channel, int]] = []
    before: tuple[int | None, ...] = (None, None)
    for number, (watts, out) in enumerate(zip(powers, discharge, strict=False)):
        pair = (0, watts) if out else (watts, 0)
        new = [channel for channel in Channel if pair[channel] != before[channel]]
        order = sorted(new, key=lambda one: (pair[one] > 0, one))
        changes += [(after_s + number * SLOT_S, channel, pair[channel]) for channel in order]
        before = pair
    return plan_of(*changes, columns=("charge_kw", "discharge_kw"))


Storm.TestCase.settings = settings(
    max_examples=150,
    stateful_step_count=40,
    deadline=None,
    suppress_health_check=list(HealthCheck),
)
TestStorm = Storm.TestCase
