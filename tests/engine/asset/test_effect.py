"""Accepted is not obeyed: what a charger allows, and what is measured, show if it took effect."""

import pytest
from msgspec.structs import replace

from actors.testing.rig import FakeSpelling, Rig, battery_rules, charger_rules, names_of, plan_of
from engine import events
from engine.adapters import base
from engine.asset import effects as effect
from engine.asset import messages as message
from engine.asset.attempts import DECREASE_FAILED
from engine.commands import CommandType
from engine.types import US_PER_S, Channel, from_us

CHARGE = Channel.CHARGE
START = base.TransactionChanged("started", "7", "key")


def charger(verify: str, watts: int = 7_400, **changes: object) -> Rig:
    """Return a charger without a vehicle that charges, with a setpoint on the wire."""
    rig = Rig(charger_rules(verify=verify, failsafe_after_s=100_000, **changes))
    rig.connect("PREPARING")
    rig.offer(plan_of((0, CHARGE, watts)), 90_000)
    return rig


def charging(verify: str, watts: int = 7_400, *, quiet_s: float = 1, **changes: object) -> Rig:
    """Return a charger at which a vehicle took 11 kW so long ago, with a setpoint on the wire."""
    rig = Rig(charger_rules(verify=verify, failsafe_after_s=100_000, **changes))
    rig.connect("CHARGING")
    rig.observe(START, base.PowerMeasured(11.0))
    rig.advance(quiet_s)
    rig.offer(plan_of((0, CHARGE, watts)), 90_000)
    return rig


def accepted(rig: Rig) -> Rig:
    """Let the device accept what is on the wire; the next moment is another one."""
    rig.answer()
    rig.advance(0.5)
    return rig


def told(rig: Rig, *limits_kw: float, outcome: base.Outcome = "accepted") -> None:
    """Answer the question that is open with limits that the charger says it has."""
    about = rig.state.outside.asking
    assert about is not None
    reads = tuple(base.SetpointRead(kw, None, 0.07) for kw in limits_kw)
    rig.tell(message.QuestionAnswered(about, base.Answer("raw", outcome, reads)))


def measured(rig: Rig, power_kw: float, age_s: float = 0.0, behind_s: float = 0.0) -> None:
    """Let a power be measured that is so old, told by a clock that is so much behind."""
    at = from_us(rig.now.device_us - round((age_s + behind_s) * US_PER_S))
    rig.observe(base.PowerMeasured(power_kw, at))


def end_of(rig: Rig, command: str = "1.0.0") -> tuple[str, str | None, str | None]:
    """Return how a command stands: status, evidence, reason."""
    record = rig.history()[f"cmd_{command}"]
    return record.status.value, record.evidence, record.reason


def last_end_of(rig: Rig) -> tuple[str, str | None, str | None]:
    """Return how the newest command stands."""
    record = list(rig.history().values())[-1]
    return record.status.value, record.evidence, record.reason


def questions(rig: Rig) -> list[int]:
    """Return how many seconds after the acceptance the device was asked."""
    ended = next(
        at
        for one, at in zip(rig.events, rig.times, strict=True)
        if isinstance(one, events.AttemptEnded)
    )
    asked = [one.asked_us for one in rig.effects if isinstance(one, effect.Ask)]
    return [round((us - ended.device_us) / US_PER_S) for us in asked if us is not None]


# --- what the charger allows


def test_what_a_charger_allows_is_asked_once_it_has_accepted() -> None:
    """ACKNOWLEDGED until it has said so; then COMPLETED with evidence composite."""
    rig = charger("composite")
    accepted(rig)
    assert end_of(rig) == ("ACKNOWLEDGED", None, None)
    told(rig, 7.38)
    assert end_of(rig) == ("COMPLETED", "composite", None)


def test_what_was_sent_is_what_counts() -> None:
    """A power that the adapter rounded to nothing is nothing."""
    rig = charger("composite")
    rig.adapter.translate = lambda *_: base.Payload((base.Frame("set", {}),), 0.0)  # type: ignore[method-assign]  # this once
    rig.offer(plan_of((0, CHARGE, 3_000)), 90_000, sequence=2)
    accepted(rig)
    accepted(rig)
    told(rig, 0.0)
    assert end_of(rig, "2.0.0")[:2] == ("COMPLETED", "composite")


def refused(rig: Rig, limit_kw: float) -> None:
    """Let the charger say so of its limit, as often as it is asked."""
    for _ in range(100):
        if rig.state.outside.asking is not None:
            told(rig, limit_kw)
        rig.advance(1)


def test_a_charger_that_allows_more_is_asked_again_and_failed_in_the_end() -> None:
    """Accepted, no effect: with what was found, an alarm, and again after ``reassert_s``."""
    rig = charger("composite", settle_s=60)
    accepted(rig)
    refused(rig, 11.0)
    assert questions(rig) == [0, 2, 5, 10, 20, 35, 50, 60]
    reason = "accepted, no effect: it allows 11.0 kW against 7.4 kW"
    assert end_of(rig) == ("FAILED", "composite", reason)
    assert rig.state.alarms == (DECREASE_FAILED,)
    assert rig.state.holding.charge_w == 11_000
    assert names_of(rig.advance(265)) == ["CommandCreated", "AttemptStarted"]


def test_an_increase_without_effect_is_limited_not_failed() -> None:
    """A setpoint is an upper bound, and another limit of the charger may be the lower one."""
    rig = charger("composite", 11_000)
    accepted(rig)
    told(rig, 4.2)
    assert end_of(rig)[0] == "ACKNOWLEDGED"
    rig.advance(2)
    told(rig, 4.2)
    reason = "limited: it allows 4.2 kW against 11.0 kW"
    assert end_of(rig) == ("COMPLETED", "composite", reason)
    assert rig.state.holding.charge_w == 11_000


@pytest.mark.parametrize(
    ("verify", "expected"),
    [
        ("auto", ("COMPLETED", "ack", "no evidence")),
        (
            "composite",
            ("FAILED", "composite", "accepted, no effect seen: it does not say what it allows"),
        ),
    ],
)
def test_a_charger_that_goes_under_every_question_is_asked_no_more(
    verify: str, expected: tuple[str, str, str | None]
) -> None:
    """It would go for ever; once may be by chance. After ``reassert_s`` it may have learned."""
    rig = charger(verify)
    for _ in range(2):
        accepted(rig)
        question = rig.state.outside.asking
        assert question is not None
        rig.observe(base.Disconnected("gone"))
        rig.tell(message.QuestionAnswered(question, None))
        rig.advance(1)
        rig.observe(base.Connected())
    asked = len(questions(rig))
    accepted(rig)
    assert last_end_of(rig) == expected
    assert len(questions(rig)) == asked
    rig.advance(300)
    rig.offer(plan_of((0, CHARGE, 7_000)), 90_000, sequence=2)
    while rig.state.attempt is not None:
        accepted(rig)
    assert len(questions(rig)) == asked + 1


@pytest.mark.parametrize(
    ("verify", "expected"),
    [
        ("auto", ("COMPLETED", "ack", "no evidence")),
        (
            "composite",
            ("FAILED", "composite", "accepted, no effect seen: it does not say what it allows"),
        ),
    ],
)
def test_a_charger_that_cannot_say_what_it_allows(
    verify: str, expected: tuple[str, str, str]
) -> None:
    """It is believed, unless nothing but that is wanted; at once, as it has answered."""
    rig = charger(verify)
    accepted(rig)
    told(rig, outcome="rejected")
    assert end_of(rig) == expected
    assert rig.state.alarms == ()


def test_a_failed_pause_is_an_alarm_though_nothing_was_found() -> None:
    """Whatever was held before, it may have been more."""
    rig = charger("composite", 0)
    accepted(rig)
    told(rig, outcome="rejected")
    assert end_of(rig)[0] == "FAILED"
    assert rig.state.alarms == (DECREASE_FAILED,)


def test_a_question_that_nobody_answers_is_asked_again() -> None:
    """Until ``settle_s``; then it goes by what else there is."""
    rig = charger("auto", settle_s=60)
    accepted(rig)
    for _ in range(12):
        if rig.state.outside.asking is not None:
            rig.tell(message.QuestionAnswered(rig.state.outside.asking, None))
        rig.advance(10)
    assert len(questions(rig)) == 6
    assert end_of(rig) == ("COMPLETED", "ack", "no evidence")


def test_an_adapter_that_cannot_ask_is_believed() -> None:
    """At once."""
    rig = Rig(charger_rules(verify="auto"), FakeSpelling(can_ask=False))
    rig.connect()
    rig.offer(plan_of((0, CHARGE, 7_400)), 900)
    accepted(rig)
    assert end_of(rig) == ("COMPLETED", "ack", "no evidence")


# --- one thing at a time on the wire


def test_an_attempt_waits_for_the_question_that_is_out() -> None:
    """A charge point takes one CALL at a time; no attempt is recorded that could not be sent."""
    rig = charger("composite")
    accepted(rig)
    assert rig.offer(plan_of((0, CHARGE, 5_000)), 90_000, sequence=2)[1:] == []
    told(rig, 11.0)
    assert end_of(rig) == ("COMPLETED", "ack", "overtaken")
    assert rig.sent[-1]["charge_kw"] == 5


def test_a_command_by_hand_waits_for_the_question_that_is_out() -> None:
    """As a setpoint does."""
    rig = charger("composite")
    accepted(rig)
    call: dict[str, object] = {"action": "Reset", "payload": {"type": "Soft"}}
    kind = CommandType.CALL
    rig.tell(message.CommandRequested(kind, "bob", "hangs", call, rig.replies.append))
    assert len(rig.sent) == 1
    told(rig, 7.4)
    assert len(rig.sent) == 2


def test_a_retry_waits_for_the_question_that_is_out() -> None:
    """The answer to it is awaited for ten seconds at the most."""
    rig = charger("composite")
    accepted(rig)
    ask = next(one for one in rig.effects if isinstance(one, effect.Ask))
    assert (ask.timeout_s, ask.until_us) == (10, rig.now.device_us + 15 * US_PER_S)


def test_a_shared_link_is_asked_in_turn() -> None:
    """And given back between two questions."""
    rig = Rig(charger_rules(verify="composite"), shared_slot=True)
    rig.connect()
    rig.offer(plan_of((0, CHARGE, 7_400)), 900)
    rig.tell(message.SlotGranted())
    accepted(rig)
    assert names_of(rig.effects)[-1] == "RequestSlot"
    rig.tell(message.SlotGranted())
    told(rig, 11.0)
    assert names_of(rig.effects)[-2:] == ["Ask", "ReleaseSlot"]


# --- what is measured


def test_a_power_within_the_setpoint_completes() -> None:
    """Evidence measured, with the power; a vehicle may take less."""
    rig = accepted(charging("measured"))
    measured(rig, 11.0)
    assert end_of(rig)[0] == "ACKNOWLEDGED"
    rig.advance(30)
    measured(rig, 7.6)
    assert end_of(rig) == ("COMPLETED", "measured", None)
    ended = rig.events[-1]
    assert isinstance(ended, events.CommandVerified)
    assert ended.measured_w == 7_600


@pytest.mark.parametrize(
    ("watts", "power_kw", "shows"),
    [
        (7_400, 7.77, True),
        (7_400, 7.78, False),
        (2_000, 2.2, True),
        (2_000, 2.21, False),
        (0, 0.2, True),
        (0, 0.21, False),
        (7_400, -3.0, True),
    ],
)
def test_measuring_is_not_exact(watts: int, power_kw: float, shows: bool) -> None:  # noqa: FBT001 - a row of the table
    """Five percent, or 200 W where that is more."""
    rig = accepted(charging("measured", watts))
    measured(rig, power_kw)
    assert (end_of(rig)[0] == "COMPLETED") is shows


def test_a_power_beyond_the_setpoint_fails_in_the_end() -> None:
    """After ``settle_s``: vehicles take 30 to 80 s to follow."""
    rig = accepted(charging("measured"))
    for _ in range(9):
        measured(rig, 11.0)
        rig.advance(10)
    reason = "accepted, no effect: measured 11.0 kW against 7.4 kW"
    assert end_of(rig) == ("FAILED", "measured", reason)
    assert rig.state.alarms == (DECREASE_FAILED,)
    assert rig.state.holding.charge_w is None
    assert names_of(rig.advance(300)) == ["CommandCreated", "AttemptStarted"]


def test_without_a_transaction_there_is_nothing_to_measure() -> None:
    """The acceptance is enough."""
    rig = charger("measured")
    accepted(rig)
    assert end_of(rig) == ("COMPLETED", "ack", "nothing to measure")


def test_a_transaction_without_samples_fails_where_only_they_are_wanted() -> None:
    """Nobody knows what flows."""
    rig = accepted(charging("measured", 22_000))
    rig.advance(90)
    reason = "accepted, no effect seen: nothing was measured"
    assert end_of(rig) == ("FAILED", "measured", reason)
    assert rig.state.alarms == ()


def test_a_charger_that_is_away_is_waited_for() -> None:
    """It may be measured when it is back; but then the setpoint is set again."""
    rig = accepted(charging("measured"))
    rig.observe(base.Disconnected())
    assert rig.advance(200) == []
    rig.observe(base.Connected())
    assert end_of(rig) == ("COMPLETED", "ack", "overtaken")
    assert len(rig.sent) == 2


class Triggered(FakeSpelling):
    """It knows how to ask for a sample."""

    def sampling(self, asset: base.AssetView) -> tuple[base.Payload, ...]:
        """Return what to ask to be told what flows now."""
        del asset
        return (base.Payload((base.Frame("trigger", {}, control=False),)),)


def test_a_sample_is_asked_for_where_that_can_be() -> None:
    """Two seconds after the acceptance, as power takes some time to follow; then more seldom."""
    rig = charging("measured")
    rig.adapter = Triggered()
    rig.state = replace(rig.state, outside=replace(rig.state.outside, adapter=rig.adapter))
    accepted(rig)
    for _ in range(100):
        if rig.state.outside.asking is not None:
            told(rig)
            measured(rig, 11.0)
        rig.advance(1)
    assert questions(rig) == [2, 4, 8, 16, 31, 46, 61, 76]
    assert end_of(rig)[:2] == ("FAILED", "measured")


# --- when it was measured


def test_a_sample_from_before_the_acceptance_is_no_evidence() -> None:
    """It was queued, or on its way."""
    rig = accepted(charging("measured", 11_000))
    measured(rig, 3.0, age_s=1)
    assert end_of(rig)[0] == "ACKNOWLEDGED"
    measured(rig, 3.0)
    assert end_of(rig)[0] == "COMPLETED"


def test_queued_samples_are_no_evidence() -> None:
    """Sent at once after a lost connection, however many."""
    rig = accepted(charging("measured", 11_000))
    for age_s in (120, 60, 30, 28, 5):
        measured(rig, 3.0, age_s=age_s)
    assert end_of(rig)[0] == "ACKNOWLEDGED"


@pytest.mark.parametrize("behind_s", [300.0, 50.0, -300.0])
def test_the_devices_clock_may_be_wrong(behind_s: float) -> None:
    """What two reports agree on counts."""
    rig = charging("measured")
    for _ in range(2):
        measured(rig, 11.0, behind_s=behind_s)
        rig.advance(10)
    rig.offer(plan_of((0, CHARGE, 6_000)), 90_000, sequence=2)
    accepted(rig)
    accepted(rig)
    measured(rig, 5.0, age_s=1, behind_s=behind_s)
    assert end_of(rig, "2.0.0")[0] == "ACKNOWLEDGED"
    measured(rig, 5.0, behind_s=behind_s)
    assert end_of(rig, "2.0.0")[0] == "COMPLETED"


def test_a_status_tells_the_devices_time_too() -> None:
    """So that the first sample after it is timed right."""
    rig = charging("measured")
    late = from_us(rig.now.device_us - 100 * US_PER_S)
    rig.observe(base.StateReported("CHARGING", "Charging", late))
    rig.advance(10)
    measured(rig, 11.0, behind_s=100)
    accepted(rig)
    measured(rig, 5.0, behind_s=100)
    assert end_of(rig)[:2] == ("COMPLETED", "measured")


def test_a_clock_that_was_put_right_is_believed_again() -> None:
    """A charge point takes our time from a BootNotification or a Heartbeat."""
    rig = charging("measured")
    for behind_s in (-300, -300, 0, 0):
        measured(rig, 11.0, behind_s=behind_s)
        rig.advance(10)
    assert rig.state.outside.clock.ahead_s == 0


# --- auto


def test_auto_measures_where_a_vehicle_charges_and_samples_come() -> None:
    """Without a question."""
    rig = accepted(charging("auto"))
    measured(rig, 7.4)
    assert end_of(rig) == ("COMPLETED", "measured", None)
    assert questions(rig) == []


@pytest.mark.parametrize("rig", [charger("auto"), charging("auto", quiet_s=100)])
def test_auto_asks_where_nothing_is_measured(rig: Rig) -> None:
    """Without a transaction, or where the last sample is long ago."""
    accepted(rig)
    told(rig, 7.4)
    assert end_of(rig) == ("COMPLETED", "composite", None)


def test_auto_asks_in_the_end_where_samples_stay_away() -> None:
    """What it allows is the last word then."""
    rig = accepted(charging("auto"))
    rig.advance(89)
    assert questions(rig) == []
    rig.advance(1)
    told(rig, 11.0)
    assert end_of(rig)[:2] == ("FAILED", "composite")
    assert questions(rig) == [90]


def test_auto_fails_by_what_was_measured() -> None:
    """Whatever the charger allows."""
    rig = accepted(charging("auto"))
    measured(rig, 11.0)
    rig.advance(90)
    assert end_of(rig)[:2] == ("FAILED", "measured")


def test_samples_that_begin_meanwhile_go_before_what_the_charger_says() -> None:
    """An answer to the question that was out is not taken any more."""
    rig = charging("auto", quiet_s=100)
    accepted(rig)
    rig.advance(1)
    measured(rig, 11.0)
    told(rig, 7.4)
    assert end_of(rig)[0] == "ACKNOWLEDGED"
    measured(rig, 7.4)
    assert end_of(rig)[:2] == ("COMPLETED", "measured")


# --- what is set again meanwhile


def test_a_transaction_that_starts_meanwhile_gets_the_setpoint_at_once() -> None:
    """What was accepted before it says nothing of it: the evidence is overtaken."""
    rig = charger("composite")
    accepted(rig)
    told(rig, 11.0)
    rig.observe(START)
    assert end_of(rig) == ("COMPLETED", "ack", "overtaken")
    assert len(rig.sent) == 2


def test_a_lease_is_renewed_while_evidence_is_gathered() -> None:
    """It is not left to run out for that."""
    rig = Rig(charger_rules(verify="measured", failsafe_after_s=60))
    rig.connect("CHARGING")
    rig.observe(START, base.PowerMeasured(11.0))
    rig.offer(plan_of((0, CHARGE, 7_400)), 900)
    accepted(rig)
    rig.advance(30)
    assert end_of(rig) == ("COMPLETED", "ack", "overtaken")
    assert [one.cause.kind for one in rig.history().values()][-1] == "rule:renew"


def test_a_stop_waits_for_no_evidence() -> None:
    """The fallback is accepted, and that is that."""
    rig = charger("composite", on_stop="fallback")
    accepted(rig)
    told(rig, 7.4)
    rig.tell(message.Stopping())
    accepted(rig)
    assert names_of(rig.effects)[-1] == "Stopped"


def test_a_release_has_no_evidence() -> None:
    """A charger that is on its own says nothing of us."""
    rig = charger("composite", on_stop="release")
    accepted(rig)
    told(rig, 7.4)
    rig.tell(message.Stopping())
    accepted(rig)
    assert list(rig.history().values())[-1].evidence == "ack"


# --- after a crash


def test_the_deadline_is_that_of_the_acceptance_also_after_a_crash() -> None:
    """An actor that reads its state again goes on waiting, not anew."""
    rig = accepted(charging("measured"))
    rig.advance(60)
    outside = rig.state.outside
    rig.state = replace(rig.fold(), outside=outside)
    rig.advance(28)
    assert end_of(rig)[0] == "ACKNOWLEDGED"
    rig.advance(2)
    assert end_of(rig)[0] == "FAILED"


def test_after_a_restart_the_setpoint_is_set_again() -> None:
    """Nobody knows what the charger did meanwhile; the accepted command is overtaken."""
    rig = accepted(charging("auto"))
    rig.restart()
    assert end_of(rig)[0] == "ACKNOWLEDGED"
    rig.connect("CHARGING")
    assert end_of(rig) == ("COMPLETED", "ack", "overtaken")


# --- batteries


def battery(verify: str = "measured", watts: int = 5_000) -> Rig:
    """Return a battery that is measured, with a setpoint on the wire."""
    rig = Rig(battery_rules(verify=verify, failsafe_after_s=100_000))
    rig.connect()
    rig.observe(base.PowerMeasured(0.0))
    rig.offer(plan_of((0, CHARGE, watts)), 90_000)
    rig.advance(1)
    return rig


def test_a_battery_follows_its_setpoint() -> None:
    """Power below it is not enough while it may still come."""
    rig = battery()
    rig.read_back()
    rig.advance(1)
    rig.observe(base.PowerMeasured(2.0))
    assert end_of(rig)[0] == "ACKNOWLEDGED"
    rig.observe(base.PowerMeasured(4.8))
    assert end_of(rig) == ("COMPLETED", "measured", None)


def test_a_battery_that_takes_less_in_the_end_is_read_back() -> None:
    """It is full, perhaps: it holds the setpoint all the same."""
    rig = battery()
    rig.read_back()
    rig.advance(1)
    rig.observe(base.PowerMeasured(0.0))
    rig.advance(90)
    told(rig, 5.0)
    assert end_of(rig) == ("COMPLETED", "readback", None)


@pytest.mark.parametrize("power_kw", [6.0, -1.0])
def test_a_battery_that_does_something_else_fails(power_kw: float) -> None:
    """More than it should, or the other way; and its frames are repeated no more."""
    rig = battery()
    rig.read_back()
    rig.advance(1)
    rig.observe(base.PowerMeasured(power_kw))
    rig.advance(90)
    reason = f"accepted, no effect: measured {power_kw} kW against 5.0 kW"
    assert end_of(rig) == ("FAILED", "measured", reason)
    assert rig.effects[-1] == effect.KeepAlive((), None)


def test_a_battery_without_a_measured_power_is_read_back() -> None:
    """Not each has a register for it."""
    rig = Rig(battery_rules(verify="measured"))
    rig.connect()
    rig.offer(plan_of((0, CHARGE, 5_000)), 900)
    rig.read_back()
    assert end_of(rig) == ("COMPLETED", "readback", None)


def test_the_first_half_of_a_pair_is_read_back() -> None:
    """Only the second shows what comes of both."""
    rig = Rig(battery_rules(verify="measured"))
    rig.connect()
    rig.observe(base.PowerMeasured(0.0))
    both = plan_of((0, Channel.DISCHARGE, 0), (0, CHARGE, 5_000), columns=("c", "d"))
    rig.offer(both, 900)
    rig.read_back()
    assert end_of(rig, "1.0.0") == ("COMPLETED", "readback", None)
    rig.read_back()
    assert end_of(rig, "1.0.1")[0] == "ACKNOWLEDGED"


def test_a_measured_battery_that_holds_another_value_is_clamped_at_once() -> None:
    """That needs no measuring."""
    rig = battery()
    rig.answer(base.SetpointRead(4.0, 0.0))
    assert end_of(rig)[:2] == ("FAILED", "readback")
