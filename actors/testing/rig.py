"""One asset without actors: decide and evolve, driven by hand, for tests of the pure core."""

import math
from collections.abc import Iterable, Mapping

import attrs
from msgspec.structs import replace

from engine import events
from engine.adapters import base
from engine.asset import (
    AssetState,
    Outside,
    decided,
    evolve,
    next_wake,
    noted,
    performed,
    settled,
    snapshot,
)
from engine.asset import effects as effect
from engine.asset import messages as message
from engine.asset.decisions import combined, is_plain, plain
from engine.asset.draft import Draft
from engine.asset.due import due_changes
from engine.asset.granting import desire
from engine.asset.sending import is_at_rest, pursue
from engine.codec import Header, Record
from engine.commands import Attempt, Command
from engine.errors import Untranslatable
from engine.grants import Grant
from engine.history import CommandRecord, histories
from engine.plans import Plan, PlannedChange, PlanRef, pack
from engine.rules import AssetRules
from engine.types import US_PER_S, AssetId, AssetKind, Channel, Instant, ScheduleId
from engine.verification.folds import Folds


class FakeSpelling:
    """An adapter that spells every command as one frame and knows ``forms`` forms of it.

    A default that is to be lowered along with it has a frame of its own, before that.
    """

    def __init__(self, forms: int = 1, *, can_ask: bool = True) -> None:
        """Set how many forms there are and whether the device can be asked what it holds."""
        self.forms = forms
        self.can_ask = can_ask

    def translate(self, command: Command, asset: base.AssetView, attempt: Attempt) -> base.Payload:
        """Spell a command; a form beyond the last is untranslatable."""
        if attempt.form >= self.forms:
            text = f"no form {attempt.form} for {asset.asset_id}"
            raise Untranslatable(text)
        body: dict[str, object] = {
            "type": command.type.value,
            "charge_kw": attempt.charge_kw,
            "discharge_kw": attempt.discharge_kw,
        }
        frames = [base.Frame("set", body)]
        if attempt.beneath_form is not None:
            lowered: dict[str, object] = {
                "form": attempt.beneath_form,
                "charge_kw": attempt.charge_kw,
            }
            frames.insert(0, base.Frame("set default", lowered))
        return base.Payload(tuple(frames), command.value_kw)

    def interpret(self, answer: base.Answer, asset: base.AssetView) -> tuple[base.Observation, ...]:
        """Return the observations that the answer carries as its values."""
        del asset
        return tuple(one for one in answer.values if isinstance(one, base.SetpointRead))

    def questions(self, asset: base.AssetView) -> tuple[base.Payload, ...]:
        """Return one question, where the device can be asked."""
        del asset
        if not self.can_ask:
            return ()
        return (base.Payload((base.Frame("get", {}, control=False),)),)


def charger_rules(**changes: object) -> AssetRules:
    """Return the rules of a 22 kW charger with a fallback of 4.2 kW."""
    rules = AssetRules(
        AssetId("ast_ev"), AssetKind.EV_CHARGER, "fake", "ev", 22_000, fallback_w=4_200
    )
    return attrs.evolve(rules, **changes)  # type: ignore[arg-type]  # the fields of AssetRules


def battery_rules(**changes: object) -> AssetRules:
    """Return the rules of a 50 kW battery that is read back, with a fallback of 0."""
    rules = AssetRules(
        AssetId("ast_batt"),
        AssetKind.BATTERY,
        "fake",
        "battery",
        50_000,
        50_000,
        fallback_w=0,
        verify="readback",
    )
    return attrs.evolve(rules, **changes)  # type: ignore[arg-type]  # the fields of AssetRules


def plan_of(*changes: tuple[float, Channel, int], columns: tuple[str, ...] = ("ev_kw",)) -> Plan:
    """Return a plan of changes: seconds since the rig's start, channel, watts."""
    packed = [
        PlannedChange(index, Rig.START_US + round(after_s * US_PER_S), channel, watts)
        for index, (after_s, channel, watts) in enumerate(changes)
    ]
    return pack(packed, columns)


def names_of(happened: Iterable[object]) -> list[str]:
    """Return the names of events or effects, in order."""
    return [type(one).__name__ for one in happened]


class Rig:
    """One asset: tell it things, let time pass, look at what it did.

    Every commit is checked: the live state equals the fold of its events, an attempt has one
    outcome and what is over stays over.
    """

    START_US = 1_800_000_000 * US_PER_S

    def __init__(
        self,
        rules: AssetRules,
        adapter: FakeSpelling | None = None,
        *,
        ahead_s: float = 0.0,
        shared_slot: bool = False,
        grant: Grant | None = None,
    ) -> None:
        """Configure the asset; nothing is connected yet.

        ``ahead_s``: how far the device clock is ahead of the plan clock. ``shared_slot``: the link
        serves other assets too, and its slot has to be granted. ``grant`` is what a site limit
        allows.
        """
        self.rules = rules
        self.now = Instant(self.START_US, self.START_US + round(ahead_s * US_PER_S))
        self.adapter = adapter or FakeSpelling()
        self.events: list[events.AssetEvent] = []
        self.times: list[Instant] = []
        self.effects: list[effect.Effect] = []
        self.replies: list[object] = []
        self.offered: message.PlanOffered | None = None
        self.told = self.now
        self._shared_slot = shared_slot
        self._grant = grant
        self._folds = Folds()
        self.blank = AssetState(rules.asset_id)
        self.state = replace(self.blank, outside=self._outside(1))
        self.tell(message.Configured(rules))

    def _outside(self, epoch: int) -> Outside:
        return Outside(
            adapter=self.adapter,
            epoch=epoch,
            shared_slot=self._shared_slot,
            slot="idle" if self._shared_slot else "granted",
            grant=self._grant,
        )

    def restart(self) -> list[events.AssetEvent]:
        """Start a new engine on the events alone; the newest plan is offered again."""
        before = len(self.events)
        epoch = self.state.outside.epoch + 1
        self.state = replace(self.fold(), outside=self._outside(epoch))
        self.tell(message.Recovered(epoch), message.Configured(self.rules))
        self.tell(self.offered or message.NothingOffered())
        return self.events[before:]

    def tell(self, *told: message.Message) -> list[events.AssetEvent]:
        """Hand messages to the asset one by one; return the events of all."""
        before = len(self.events)
        for one in told:
            self._tell(one)
        return self.events[before:]

    def _tell(self, told: message.Message) -> None:
        self.told = self.now
        state = noted(self.state, told, self.now)
        self._check_plain(state)
        draft = decided(state, told, self.now)
        for event in draft.events:
            self._record(event)
        self.state = draft.state
        for one in draft.effects:
            self.state = performed(self.state, one)
            self.effects.append(one)
            if isinstance(one, effect.Respond):
                one.reply(one.value)
        self.state = settled(self.state)
        self._check_rest()
        assert replace(self.fold(), outside=self.state.outside) == self.state  # noqa: S101 - the kit's own check
        kept = snapshot.decode(snapshot.encode(self.state))
        assert kept == replace(self.state, outside=self.blank.outside)  # noqa: S101 - the kit's own check

    def _record(self, event: events.AssetEvent) -> None:
        """Keep an event, which keeps what is promised of it."""
        self.events.append(event)
        self.times.append(self.now)
        at, version = self.now, len(self.events)
        header = Header(1, self.state.asset_id, version, at.plan_us, at.device_us)
        wrong = self._folds.feed(Record(header, "a.topic", event))
        assert wrong is None, wrong  # noqa: S101 - the kit's own check

    def _check_plain(self, state: AssetState) -> None:
        """What is decided the short way is what all of the rules lead to."""
        draft = Draft(state, self.now)
        want, due = desire(state, self.now), due_changes(state, self.now)
        if want is not None and due is not None and is_plain(draft, want, due):
            assert plain(draft, want, due) == combined(draft, want, due)  # noqa: S101 - the kit's own check

    def _check_rest(self) -> None:
        """What is at rest by its quick test is so by the whole of the rules."""
        if self.state.rules is not None and is_at_rest(self.state, self.now):
            draft = Draft(self.state, self.now)
            pursue(draft)
            assert not draft.events  # noqa: S101 - the kit's own check
            assert not draft.effects  # noqa: S101 - the kit's own check

    def fold(self) -> AssetState:
        """Return the state rebuilt from the events alone."""
        state = self.blank
        for event, at in zip(self.events, self.times, strict=True):
            state = evolve(state, event, at)
        return state

    def connect(self, state: str | None = None) -> None:
        """Let the device come online and report a state, at first that of doing nothing."""
        if state is None:
            state = "IDLE" if self.rules.kind is AssetKind.BATTERY else "AVAILABLE"
        self.observe(base.Connected(booted=True), base.StateReported(state, state))

    def observe(self, *seen: base.Observation) -> list[events.AssetEvent]:
        """Let the link report something."""
        return self.tell(*(message.Observed(one) for one in seen))

    def offer(self, plan: Plan, horizon_s: float, *, sequence: int = 1) -> list[events.AssetEvent]:
        """Offer a plan whose horizon is so many seconds after the rig's start."""
        ref = PlanRef(ScheduleId(f"sch_{sequence}"), sequence, 0)
        horizon_us = self.START_US + round(horizon_s * US_PER_S)
        self.offered = message.PlanOffered(ref, plan, plan.change(0).due_us, horizon_us)
        return self.tell(self.offered)

    def advance(self, seconds: float, *, alive: bool = True) -> list[events.AssetEvent]:
        """Let time pass, waking the asset whenever it asked for it, and at the end.

        ``alive``: a connected device gives signs of life all the time.
        """
        before = len(self.events)
        end_us = self.now.plan_us + round(seconds * US_PER_S)
        while (due_us := self._wake_us()) < end_us:
            self._wake(due_us, alive=alive)
        self._wake(end_us, alive=alive)
        return self.events[before:]

    def _wake_us(self) -> float:
        """Return when the asset wants to be woken next, on the plan clock."""
        wake = next_wake(self.state, self.told)
        ahead_us = self.now.device_us - self.now.plan_us
        plan_us = math.inf if wake.plan_us is None else wake.plan_us
        device_us = math.inf if wake.device_us is None else wake.device_us - ahead_us
        return max(min(plan_us, device_us), self.now.plan_us)

    def _wake(self, plan_us: float, *, alive: bool) -> None:
        ahead_us = self.now.device_us - self.now.plan_us
        self.now = Instant(int(plan_us), int(plan_us) + ahead_us)
        if alive and self.state.device.connected:
            self.state = noted(self.state, message.Observed(base.Seen()), self.now)
        self._tell(message.Woke())

    def history(self) -> dict[str, CommandRecord]:
        """Return every command by its id, as people read it."""
        asset_id = self.state.asset_id
        records = (
            Record(Header(1, asset_id, n, at.plan_us, at.device_us), "a.topic", event, n)
            for n, (event, at) in enumerate(zip(self.events, self.times, strict=True), 1)
        )
        return {one.id: one for one in histories(records)}

    def story(self) -> list[str]:
        """Return how every command stands, in order of due time: its id's end, status, reason."""
        return [
            " ".join(filter(None, (one.id.removeprefix("cmd_"), one.status, one.reason)))
            for one in self.history().values()
        ]

    @property
    def sent(self) -> list[Mapping[str, object]]:
        """The bodies of all control frames handed to the link, in order."""
        return [
            frame.body
            for one in self.effects
            if isinstance(one, effect.Send)
            for frame in one.payload.frames
        ]

    def answer(
        self, *values: object, outcome: base.Outcome = "accepted", reason: str | None = None
    ) -> list[events.AssetEvent]:
        """Answer the attempt on the wire."""
        attempt = self.state.attempt
        if attempt is None:
            text = "no attempt is on the wire"
            raise LookupError(text)
        given = base.Answer("raw", outcome, tuple(values), reason)
        answered = given if outcome in {"accepted", "rejected", "error"} else None
        return self.tell(
            message.AttemptAnswered(attempt.attempt_id, answered, outcome, "raw", reason)
        )

    def read_back(self) -> list[events.AssetEvent]:
        """Accept the attempt on the wire, the device holding just what was asked."""
        attempt = self.state.attempt
        if attempt is None or attempt.setpoint is None:
            text = "no setpoint is on the wire"
            raise LookupError(text)
        charge_w, discharge_w = attempt.setpoint.charge_w, attempt.setpoint.discharge_w
        return self.answer(base.SetpointRead((charge_w or 0) / 1_000, (discharge_w or 0) / 1_000))
