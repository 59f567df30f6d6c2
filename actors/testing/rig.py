"""One asset without actors: decide and evolve, driven by hand, for tests of the pure core."""

from collections.abc import Mapping

import attrs

from engine import events
from engine.adapters import base
from engine.asset import AssetState, Outside, decide, evolve, next_wake, noted, performed, settled
from engine.asset import effects as effect
from engine.asset import messages as message
from engine.commands import Attempt, Command
from engine.errors import Untranslatable
from engine.plans import Plan, PlannedChange, PlanRef, pack
from engine.rules import AssetRules
from engine.types import US_PER_S, AssetId, AssetKind, Channel, Instant, ScheduleId


class FakeSpelling:
    """An adapter that spells every command as one frame and knows ``forms`` forms of it."""

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
        return base.Payload((base.Frame("set", body),), command.value_kw)

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


class Rig:
    """One asset: tell it things, let time pass, look at what it did.

    Every commit is checked: the live state equals the fold of its events.
    """

    START_US = 1_800_000_000 * US_PER_S

    def __init__(self, rules: AssetRules, adapter: FakeSpelling | None = None) -> None:
        """Configure the asset; nothing is connected yet."""
        self.rules = rules
        self.now = Instant(self.START_US, self.START_US)
        self.adapter = adapter or FakeSpelling()
        self.events: list[events.AssetEvent] = []
        self.times: list[Instant] = []
        self.effects: list[effect.Effect] = []
        self.replies: list[object] = []
        outside = Outside(adapter=self.adapter, epoch=1)
        self.state = AssetState(rules.asset_id, outside=outside)
        self.blank = self.state
        self.tell(message.Configured(rules))

    def tell(self, *told: message.Message) -> list[events.AssetEvent]:
        """Hand messages to the asset one by one; return the events of all."""
        before = len(self.events)
        for one in told:
            self._tell(one)
        return self.events[before:]

    def _tell(self, told: message.Message) -> None:
        self.state = noted(self.state, told, self.now)
        happened, wanted = decide(self.state, told, self.now)
        for event in happened:
            self.state = evolve(self.state, event, self.now)
            self.events.append(event)
            self.times.append(self.now)
        for one in wanted:
            self.state = performed(self.state, one)
            self.effects.append(one)
            if isinstance(one, effect.Respond):
                one.reply(one.value)
        self.state = settled(self.state)
        assert attrs.evolve(self.fold(), outside=self.state.outside) == self.state  # noqa: S101 - the kit's own check

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
        return self.tell(message.PlanOffered(ref, plan, plan.change(0).due_us, horizon_us))

    def advance(self, seconds: float, *, alive: bool = True) -> list[events.AssetEvent]:
        """Let time pass, waking the asset whenever it asked for it.

        ``alive``: a connected device gives signs of life all the time.
        """
        before = len(self.events)
        end_us = self.now.device_us + round(seconds * US_PER_S)
        while True:
            wake = next_wake(self.state)
            times = [us for us in (wake.plan_us, wake.device_us) if us is not None]
            due_us = min((us for us in times if us > self.now.device_us), default=end_us + 1)
            if due_us > end_us:
                break
            self._wake(due_us, alive=alive)
        self._wake(end_us, alive=alive)
        return self.events[before:]

    def _wake(self, due_us: int, *, alive: bool) -> None:
        self.now = Instant(due_us, due_us)
        if alive and self.state.device.connected:
            seen = noted(self.state, message.Observed(base.Seen()), self.now)
            self.state = seen
        self._tell(message.Woke())

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
