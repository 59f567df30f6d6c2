"""Why a setpoint is what it is: a table of situations, each with its sentence and its events."""

from collections.abc import Callable
from datetime import UTC
from zoneinfo import ZoneInfo

import pytest
from msgspec.structs import replace

from actors.testing.records import THREE, by_hand, charger, recorded
from actors.testing.rig import FakeSpelling, Rig, battery_rules, charger_rules, plan_of
from engine.adapters import base
from engine.asset import AssetState
from engine.asset import messages as message
from engine.commands import CommandType
from engine.events import Setpoint
from engine.types import US_PER_S, AssetId, Channel, Instant
from engine.why import Explanation, explain
from engine.why.standing import standing
from engine.why.story import Story
from engine.why.words import Words

BERLIN = ZoneInfo("Europe/Berlin")
CHARGE, DISCHARGE = Channel.CHARGE, Channel.DISCHARGE
PAIR = plan_of(
    (0, CHARGE, 4_000),
    (900, CHARGE, 0),
    (900, DISCHARGE, 3_000),
    columns=("battery_charge_kw", "battery_discharge_kw"),
)
LONG = plan_of((0, CHARGE, 11_000), (3600, CHARGE, 0), (7200, CHARGE, 4_000))


def live(rig: Rig, seconds: int) -> Rig:
    """Let time pass and the device do all that it is asked."""
    for _ in range(seconds // 60):
        rig.advance(60)
        while rig.state.attempt is not None:
            rig.read_back()
    return rig


def fail(rig: Rig, outcome: base.Outcome, reason: str | None = None) -> Rig:
    """Let every attempt of a minute end so."""
    for _ in range(8):
        if rig.state.attempt is not None:
            rig.answer(outcome=outcome, reason=reason)
        rig.advance(8)
    return rig


def settled() -> Rig:
    """Return a charger that has accepted the first of three slots."""
    rig = charger()
    rig.answer()
    return rig


def battery() -> Rig:
    """Return a battery that charges, at the instant at which it is to discharge instead."""
    rig = Rig(battery_rules())
    rig.connect("IDLE")
    rig.offer(PAIR, 2700)
    rig.read_back()
    live(rig, 840)
    rig.advance(60)
    return rig


def down(rig: Rig, seconds: int) -> Rig:
    """Let the engine be down for a while and start again, the device on the line."""
    rig.now = Instant(rig.now.plan_us + seconds * US_PER_S, rig.now.device_us + seconds * US_PER_S)
    offered = rig.offered
    assert offered is not None
    outside = replace(rig.state.outside, offered=False, fresh=True, last_seen_us=None)
    rig.state = replace(rig.state, outside=outside)
    rig.tell(message.Recovered(2))
    rig.connect("CHARGING")
    rig.tell(offered)
    return rig


def why(rig: Rig) -> Explanation:
    """Return why an asset's setpoint is what it is now."""
    return explain(recorded(rig), AssetState(rig.state.asset_id), rig.now, BERLIN)


# --- situations


def planned() -> Rig:
    """The plan's value was sent and accepted."""
    return settled()


def on_the_wire() -> Rig:
    """Sent, and not answered yet."""
    return charger()


def overridden() -> Rig:
    """A person's value over the plan's."""
    rig = settled()
    by_hand(rig)
    rig.answer()
    return rig


def override_over() -> Rig:
    """The plan rules again."""
    rig = overridden()
    rig.advance(300)
    return live(rig, 360)


def paused() -> Rig:
    """By a person, until resumed."""
    rig = settled()
    rig.tell(
        message.OverrideRequested(
            Setpoint(0, 0),
            CommandType.SET_CHARGE_RATE,
            "resume",
            None,
            "bob",
            "works",
            "operator",
            rig.replies.append,
        )
    )
    rig.answer()
    return rig


def superseded() -> Rig:
    """A newer schedule took the place of the old one."""
    rig = settled()
    rig.advance(60)
    rig.offer(plan_of((0, CHARGE, 3_000), (900, CHARGE, 5_000)), 3600, sequence=2)
    rig.answer()
    return rig


def faulted() -> Rig:
    """A rate above zero waits for the fault's end."""
    rig = settled()
    rig.observe(base.StateReported("FAULTED", "Faulted"))
    live(rig, 900)
    return rig


def faulted_while_it_holds() -> Rig:
    """What should hold was accepted, and then the charger broke down."""
    rig = settled()
    rig.advance(30)
    rig.observe(base.StateReported("FAULTED", "Faulted", detail={"error_code": "GroundFailure"}))
    return rig


def handed_back() -> Rig:
    """The engine stops in the middle of the plan; a fallback is set, and does not rule."""
    rig = settled()
    rig.advance(30)
    rig.tell(message.Stopping())
    rig.answer()
    return rig


def offline() -> Rig:
    """Nothing can be sent."""
    rig = settled()
    rig.observe(base.Disconnected("cut"))
    rig.advance(900)
    return rig


def plugged_in_late() -> Rig:
    """The slot had begun long before the charger came back."""
    rig = offline()
    rig.advance(100)
    rig.connect("CHARGING")
    rig.answer()
    return rig


def stale() -> Rig:
    """Nothing was heard, so an increase waits."""
    rig = charger(plan_of((0, CHARGE, 3_000), (90, CHARGE, 9_000)))
    rig.answer()
    rig.now = Instant(rig.now.plan_us + 100 * US_PER_S, rig.now.device_us + 100 * US_PER_S)
    rig.tell(message.Woke())
    return rig


def expired() -> Rig:
    """The engine was down while a slot passed."""
    rig = down(settled(), 2_000)
    rig.answer()
    return rig


def early_departure() -> Rig:
    """The vehicle left before its plan was over."""
    rig = charger(LONG, 9_000)
    rig.answer()
    rig.advance(100)
    rig.observe(base.StateReported("AVAILABLE", "Available"))
    rig.advance(61)
    rig.answer()
    return rig


def back_again() -> Rig:
    """And came back."""
    rig = early_departure()
    rig.advance(30)
    rig.observe(base.StateReported("PREPARING", "Preparing"))
    rig.answer()
    return rig


def exhausted() -> Rig:
    """The schedule has ended."""
    return live(settled(), 2_760)


def released_at_the_end() -> Rig:
    """Without a fallback the device is left to itself."""
    rig = Rig(charger_rules(fallback_w=None))
    rig.connect("CHARGING")
    rig.offer(THREE, 2700)
    rig.answer()
    for _ in range(46):
        rig.advance(60)
        while rig.state.attempt is not None:
            rig.answer()
    return rig


def held_at_the_end() -> Rig:
    """The last value goes on for a while."""
    rig = Rig(charger_rules(on_schedule_end="hold", hold_max_s=3_600.0))
    rig.connect("CHARGING")
    rig.offer(THREE, 2700)
    rig.answer()
    return live(rig, 2_760)


def clamped() -> Rig:
    """The battery took less than it was asked to."""
    rig = Rig(battery_rules())
    rig.connect("IDLE")
    rig.offer(PAIR, 2700)
    rig.answer(base.SetpointRead(2.0, 0.0))
    return rig


def refused() -> Rig:
    """In every form that there is."""
    rig = charger()
    rig.answer(outcome="rejected", reason="Rejected")
    return rig


def refused_once() -> Rig:
    """Answered with an error, and tried again."""
    rig = charger()
    rig.answer(outcome="error", reason="GenericError")
    return rig


def timed_out() -> Rig:
    """No answer, and the charger cannot be asked either."""
    rig = Rig(charger_rules(), FakeSpelling(can_ask=False))
    rig.connect("CHARGING")
    rig.offer(THREE, 2700)
    return fail(rig, "timed_out")


def unknown_after_a_crash() -> Rig:
    """The engine was killed before the answer was recorded."""
    rig = charger()
    rig.tell(message.Recovered(2))
    return rig


def in_doubt() -> Rig:
    """The line was cut after the attempt had begun."""
    rig = charger()
    rig.answer(outcome="link_lost")
    return rig


def blocked() -> Rig:
    """The first half of a battery's pair failed."""
    rig = battery()
    rig.answer(outcome="rejected", reason="illegal value")
    rig.read_back()
    return rig


def half_a_pair() -> Rig:
    """The first half is done, the second on its way."""
    rig = battery()
    rig.read_back()
    return rig


def evidence() -> Rig:
    """Accepted, and to be read back."""
    rig = Rig(battery_rules())
    rig.connect("IDLE")
    rig.offer(PAIR, 2700)
    rig.answer()
    return rig


def verified(verify: str, power_kw: float) -> Rig:
    """Return a charger that has accepted 11 kW; a vehicle takes this, or so much is allowed."""
    rig = Rig(charger_rules(verify=verify))
    rig.connect("CHARGING")
    rig.observe(base.TransactionChanged("started", "7", "key"))
    rig.offer(LONG, 9000)
    rig.answer()
    rig.advance(30)
    rig.observe(base.PowerMeasured(power_kw))
    if rig.state.outside.asking is not None:
        read = base.Answer("raw", values=(base.SetpointRead(power_kw, None),))
        rig.tell(message.QuestionAnswered(rig.state.outside.asking, read))
    rig.advance(60)
    return rig


def without_effect() -> Rig:
    """Accepted, and the vehicle takes what it likes."""
    return verified("measured", 16.0)


def with_effect() -> Rig:
    """Accepted, and the vehicle takes no more."""
    return verified("measured", 10.8)


def limited_further() -> Rig:
    """Accepted, and another limit of the charger's is lower."""
    return verified("composite", 6.0)


def given_up_by_hand() -> Rig:
    """A person cancelled the command."""
    rig = offline()
    (work,) = [rig.state.work]
    assert work is not None
    rig.tell(message.CancelRequested(work.open_ids[0], "ann", "not needed", rig.replies.append))
    return rig


def changed_by_another() -> Rig:
    """Somebody else's controller set another value."""
    rig = settled()
    rig.observe(base.SetpointRead(2.0, 0.0))
    return rig


def nothing_planned() -> Rig:
    """No schedule names it."""
    return charger(None)


def not_yet() -> Rig:
    """The plan begins later."""
    return charger(plan_of((900, CHARGE, 3_000)))


def retired() -> Rig:
    """Not in the site file any more."""
    rig = settled()
    rig.tell(message.Configured(None))
    return rig


def already_held() -> Rig:
    """The next slot wants what the charger holds."""
    rig = settled()
    by_hand(rig, 11_000)
    rig.answer()
    rig.tell(message.OverrideCleared("ann", "done", rig.replies.append))
    return rig


def taken_again() -> Rig:
    """A newer schedule wants the same for now."""
    rig = settled()
    rig.advance(60)
    rig.offer(plan_of((0, CHARGE, 11_000), (1200, CHARGE, 5_000)), 3600, sequence=2)
    return rig


def nameless_columns() -> Rig:
    """A plan that was not made from a table."""
    rig = charger(plan_of((0, CHARGE, 3_000), columns=("",)))
    rig.answer()
    return rig


def set_until(ends: str, until_s: float | None) -> Rig:
    """Return a charger without a plan, set by hand."""
    rig = charger(None)
    rig.tell(message.NothingOffered())
    until_us = None if until_s is None else rig.now.plan_us + round(until_s * US_PER_S)
    rig.tell(
        message.OverrideRequested(
            Setpoint(3_000, 0),
            CommandType.SET_CHARGE_RATE,
            ends,
            until_us,
            "ann",
            "guest",
            "override",
            rig.replies.append,
        )
    )
    rig.answer()
    return rig


def until_unplugged() -> Rig:
    """Nothing is outranked."""
    return set_until("unplugged", None)


def until_the_next_change() -> Rig:
    """An hour at the most."""
    return set_until("next_change", 3_600)


def override_over_nothing() -> Rig:
    """It ended, and no plan takes over."""
    rig = set_until("time", 60)
    rig.advance(61)
    rig.answer()
    return rig


def waiting_for_the_link() -> Rig:
    """The schedule has ended, and it is a neighbour's turn on the shared link."""
    rig = Rig(charger_rules(), shared_slot=True)
    rig.connect("CHARGING")
    rig.offer(plan_of((0, CHARGE, 3_000)), 300)
    rig.tell(message.SlotGranted())
    rig.answer()
    rig.advance(301)
    return rig


def override_over_on_a_shared_link() -> Rig:
    """An override has ended, and it is a neighbour's turn."""
    rig = Rig(charger_rules(), shared_slot=True)
    rig.connect("CHARGING")
    by_hand(rig)
    rig.tell(message.SlotGranted())
    rig.answer()
    rig.tell(message.OverrideCleared("ann", "done", rig.replies.append))
    return rig


def changed_on_a_shared_link() -> Rig:
    """Another controller set a value, and it is a neighbour's turn."""
    rig = Rig(charger_rules(), shared_slot=True)
    rig.connect("CHARGING")
    rig.offer(THREE, 2700)
    rig.tell(message.SlotGranted())
    rig.answer()
    rig.observe(base.SetpointRead(2.0, 0.0))
    return rig


def doubted() -> Rig:
    """No answer, the charger cannot be asked, and it is tried again."""
    rig = Rig(charger_rules(), FakeSpelling(can_ask=False))
    rig.connect("CHARGING")
    rig.offer(THREE, 2700)
    rig.answer(outcome="timed_out")
    return rig


def not_sent() -> Rig:
    """The link was not ready, twice."""
    rig = charger()
    rig.answer(outcome="not_sent")
    rig.answer(outcome="not_sent")
    return rig


def unsupported() -> Rig:
    """There is no way to say it to this charger."""
    rig = Rig(charger_rules(), FakeSpelling(forms=0))
    rig.connect("CHARGING")
    rig.offer(THREE, 2700)
    return rig


def lease_over() -> Rig:
    """The charger was off the line until it fell back by itself."""
    rig = charger(plan_of((0, CHARGE, 3_000)), 9_000)
    rig.answer()
    rig.observe(base.Disconnected("cut"))
    rig.advance(1_000)
    return rig


def late_answer() -> Rig:
    """An answer to an attempt that is over."""
    rig = settled()
    rig.tell(message.AttemptAnswered("att_old", base.Answer("late"), "accepted"))
    return rig


SITUATIONS: dict[Callable[[], Rig], tuple[str, str]] = {
    planned: (
        (
            "11 kW should hold, because schedule sch_1 plans it from 09:00:00+01:00 on (column "
            "ev_kw); the charger accepted it at 09:00:00+01:00 (ack)."
        ),
        "plan_replaced attempt_started attempt_ended",
    ),
    on_the_wire: (
        (
            "11 kW should hold, because schedule sch_1 plans it from 09:00:00+01:00 on (column "
            "ev_kw); attempt 1 was sent at 09:00:00+01:00, and no answer is known yet."
        ),
        "plan_replaced attempt_started",
    ),
    overridden: (
        (
            "5 kW should hold, because ann set it by hand until 09:10:00+01:00 (test drive) over "
            "11 kW by schedule; the charger accepted it at 09:00:00+01:00 (ack)."
        ),
        "override_set attempt_started attempt_ended",
    ),
    override_over: (
        (
            "11 kW should hold, because schedule sch_1 plans it from 09:00:00+01:00 on (column "
            "ev_kw); an override ended at 09:10:00+01:00 (expired); the charger accepted it at "
            "09:10:00+01:00 (ack)."
        ),
        "plan_replaced override_ended attempt_started attempt_ended",
    ),
    paused: (
        (
            "0 kW should hold, because bob paused it until resumed (works) over 11 kW by "
            "schedule; the charger accepted it at 09:00:00+01:00 (ack)."
        ),
        "override_set attempt_started attempt_ended",
    ),
    superseded: (
        (
            "3 kW should hold, because schedule sch_2 plans it from 09:00:00+01:00 on (column "
            "ev_kw); it took the place of schedule sch_1 at 09:01:00+01:00; the charger accepted "
            "it at 09:01:00+01:00 (ack)."
        ),
        "plan_replaced attempt_started attempt_ended",
    ),
    faulted: (
        (
            "7 kW should hold, because schedule sch_1 plans it from 09:15:00+01:00 on (column "
            "ev_kw); it has been waiting since 09:15:00+01:00: the charger reports a fault."
        ),
        "plan_replaced state_changed setpoint_decided command_held",
    ),
    faulted_while_it_holds: (
        (
            "11 kW should hold, because schedule sch_1 plans it from 09:00:00+01:00 on (column "
            "ev_kw); the charger accepted it at 09:00:00+01:00 (ack); since 09:00:30+01:00 it is "
            "FAULTED (GroundFailure)."
        ),
        "plan_replaced attempt_started attempt_ended state_changed",
    ),
    offline: (
        (
            "7 kW should hold, because schedule sch_1 plans it from 09:15:00+01:00 on (column "
            "ev_kw); it has been waiting since 09:15:00+01:00: the charger cannot be reached."
        ),
        "plan_replaced connection_changed setpoint_decided command_held",
    ),
    plugged_in_late: (
        (
            "7 kW should hold, because schedule sch_1 plans it from 09:15:00+01:00 on (column "
            "ev_kw); the charger accepted it at 09:16:40+01:00 (ack)."
        ),
        "plan_replaced setpoint_decided command_held attempt_started attempt_ended",
    ),
    stale: (
        (
            "9 kW should hold, because schedule sch_1 plans it from 09:01:30+01:00 on (column "
            "ev_kw); it has been waiting since 09:01:40+01:00: nothing has been heard from the "
            "charger lately."
        ),
        "connection_changed plan_replaced setpoint_decided command_held",
    ),
    expired: (
        (
            "0 kW should hold, because schedule sch_1 plans it from 09:30:00+01:00 on (column "
            "ev_kw); one planned change before it ended expired; the charger accepted it at "
            "09:33:20+01:00 (ack)."
        ),
        "plan_replaced plan_cut attempt_started attempt_ended",
    ),
    early_departure: (
        (
            "4.2 kW should hold, because the vehicle left early, as was clear at 09:02:40+01:00, "
            "and this is its fallback; the charger accepted it at 09:02:41+01:00 (ack)."
        ),
        "plan_cut departure_detected attempt_started attempt_ended",
    ),
    back_again: (
        (
            "11 kW should hold, because schedule sch_1 plans it from 09:00:00+01:00 on (column "
            "ev_kw); the vehicle was plugged in again at 09:03:11+01:00; the charger accepted it "
            "at 09:03:11+01:00 (ack)."
        ),
        "plan_replaced departure_ended attempt_started attempt_ended",
    ),
    exhausted: (
        (
            "4.2 kW should hold, because schedule sch_1 ended at 09:45:00+01:00, and this is its "
            "fallback; the charger accepted it at 09:45:00+01:00 (ack)."
        ),
        "schedule_exhausted attempt_started attempt_ended",
    ),
    released_at_the_end: (
        (
            "it is left to its own control, because schedule sch_1 ended at 09:45:00+01:00, and "
            "no fallback is set for it; the charger accepted it at 09:45:00+01:00 (ack)."
        ),
        "schedule_exhausted attempt_started attempt_ended",
    ),
    handed_back: (
        (
            "it is left to its own control, because the engine handed it back when it stopped; "
            "the charger accepted it at 09:00:30+01:00 (ack)."
        ),
        "attempt_started attempt_ended",
    ),
    held_at_the_end: (
        (
            "0 kW should hold, because schedule sch_1 ended at 09:45:00+01:00, and its last value"
            " is held for a while; the charger accepted it at 09:45:00+01:00 (ack)."
        ),
        "schedule_exhausted attempt_started attempt_ended",
    ),
    clamped: (
        (
            "charge 4 kW should hold, because schedule sch_1 plans it from 09:00:00+01:00 on "
            "(columns battery_charge_kw and battery_discharge_kw); the last attempt was accepted "
            "without effect (clamped: found 2.0 kW charge, 0.0 kW discharge) at 09:00:00+01:00, "
            "and it is not tried again for a while, unless something happens to the asset."
        ),
        "plan_replaced attempt_started attempt_ended device_changed",
    ),
    refused: (
        (
            "11 kW should hold, because schedule sch_1 plans it from 09:00:00+01:00 on (column "
            "ev_kw); the last attempt was refused (raw) at 09:00:00+01:00, and it is not tried "
            "again for a while, unless something happens to the asset."
        ),
        "plan_replaced attempt_started attempt_ended",
    ),
    refused_once: (
        (
            "11 kW should hold, because schedule sch_1 plans it from 09:00:00+01:00 on (column "
            "ev_kw); attempt 1 was answered with an error (raw), and it is tried again."
        ),
        "plan_replaced attempt_started attempt_ended",
    ),
    timed_out: (
        (
            "11 kW should hold, because schedule sch_1 plans it from 09:00:00+01:00 on (column "
            "ev_kw); the last attempt was not answered in time (raw) at 09:00:24+01:00, and it is"
            " not tried again for a while, unless something happens to the asset."
        ),
        (
            "plan_replaced attempt_started attempt_ended attempt_reconciled attempt_started "
            "attempt_ended attempt_reconciled attempt_started attempt_ended attempt_reconciled "
            "attempt_started attempt_ended"
        ),
    ),
    unknown_after_a_crash: (
        (
            "11 kW should hold, because schedule sch_1 plans it from 09:00:00+01:00 on (column "
            "ev_kw); the engine was started again before the answer to its attempt was recorded, "
            "so nobody knows whether it was carried out, and the charger is asked before anything"
            " is sent."
        ),
        "connection_changed plan_replaced attempt_started recovered command_held",
    ),
    in_doubt: (
        (
            "11 kW should hold, because schedule sch_1 plans it from 09:00:00+01:00 on (column "
            "ev_kw); the attempt ended without a usable answer at 09:00:00+01:00 (link_lost), and"
            " the charger is asked before anything is sent."
        ),
        "plan_replaced attempt_started attempt_ended",
    ),
    blocked: (
        (
            "0 kW should hold, because the first half of the planned pair failed, and this is its"
            " fallback; the battery accepted it at 09:15:00+01:00 (readback)."
        ),
        "attempt_ended command_cancelled attempt_started attempt_ended",
    ),
    half_a_pair: (
        (
            "discharge 3 kW should hold, because schedule sch_1 plans it from 09:15:00+01:00 on "
            "(columns battery_charge_kw and battery_discharge_kw); attempt 1 was sent at "
            "09:15:00+01:00, and no answer is known yet."
        ),
        "plan_replaced attempt_started attempt_ended attempt_started",
    ),
    evidence: (
        (
            "charge 4 kW should hold, because schedule sch_1 plans it from 09:00:00+01:00 on "
            "(columns battery_charge_kw and battery_discharge_kw); the battery accepted it at "
            "09:00:00+01:00, and evidence is still being gathered."
        ),
        "plan_replaced attempt_started attempt_ended",
    ),
    without_effect: (
        (
            "11 kW should hold, because schedule sch_1 plans it from 09:00:00+01:00 on (column "
            "ev_kw); it failed (accepted, no effect: measured 16.0 kW against 11.0 kW), and it is "
            "not tried again for a while, unless something happens to the asset."
        ),
        "plan_replaced attempt_started attempt_ended command_verified",
    ),
    with_effect: (
        (
            "11 kW should hold, because schedule sch_1 plans it from 09:00:00+01:00 on (column "
            "ev_kw); it was seen to take effect at 09:00:30+01:00 (measured 10.8 kW)."
        ),
        "plan_replaced attempt_started attempt_ended command_verified",
    ),
    limited_further: (
        (
            "11 kW should hold, because schedule sch_1 plans it from 09:00:00+01:00 on (column "
            "ev_kw); the charger was found to have it at 09:00:30+01:00 (composite, limited: it "
            "allows 6.0 kW against 11.0 kW)."
        ),
        "plan_replaced attempt_started attempt_ended command_verified",
    ),
    given_up_by_hand: (
        (
            "7 kW should hold, because schedule sch_1 plans it from 09:15:00+01:00 on (column "
            "ev_kw); it was cancelled (operator), and it is not tried again until something "
            "happens to the asset."
        ),
        "plan_replaced setpoint_decided command_held command_cancelled",
    ),
    changed_by_another: (
        (
            "11 kW should hold, because schedule sch_1 plans it from 09:00:00+01:00 on (column "
            "ev_kw); the charger was found to hold 2 kW at 09:00:00+01:00; attempt 1 was sent at "
            "09:00:00+01:00, and no answer is known yet."
        ),
        "plan_replaced device_changed attempt_started",
    ),
    nothing_planned: (
        (
            "nothing has been asked of it, because no schedule names it and nobody has set "
            "anything by hand."
        ),
        "",
    ),
    not_yet: (
        (
            "nothing has been asked of it, because schedule sch_1 plans nothing for it before "
            "09:15:00+01:00."
        ),
        "plan_replaced",
    ),
    retired: (
        "is not in the site file any more.",
        "plan_replaced attempt_started attempt_ended plan_cut",
    ),
    already_held: (
        (
            "11 kW should hold, because schedule sch_1 plans it from 09:00:00+01:00 on (column "
            "ev_kw); an override ended at 09:00:00+01:00 (cleared by ann); the charger held it "
            "already."
        ),
        "plan_replaced override_ended setpoint_decided",
    ),
    taken_again: (
        (
            "11 kW should hold, because schedule sch_2 plans it from 09:00:00+01:00 on (column "
            "ev_kw); it took the place of schedule sch_1 at 09:01:00+01:00; the charger accepted "
            "it at 09:00:00+01:00 (ack)."
        ),
        "plan_replaced attempt_started attempt_ended plan_replaced",
    ),
    nameless_columns: (
        (
            "3 kW should hold, because schedule sch_1 plans it from 09:00:00+01:00 on; the "
            "charger accepted it at 09:00:00+01:00 (ack)."
        ),
        "plan_replaced attempt_started attempt_ended",
    ),
    until_unplugged: (
        (
            "3 kW should hold, because ann set it by hand until the vehicle is unplugged (guest);"
            " the charger accepted it at 09:00:00+01:00 (ack)."
        ),
        "override_set attempt_started attempt_ended",
    ),
    until_the_next_change: (
        (
            "3 kW should hold, because ann set it by hand until the next planned change, or "
            "10:00:00+01:00 (guest); the charger accepted it at 09:00:00+01:00 (ack)."
        ),
        "override_set attempt_started attempt_ended",
    ),
    override_over_nothing: (
        (
            "4.2 kW should hold, because nothing is planned for now, and this is its fallback; an"
            " override ended at 09:01:00+01:00 (expired); the charger accepted it at "
            "09:01:01+01:00 (ack)."
        ),
        "override_ended attempt_started attempt_ended",
    ),
    waiting_for_the_link: (
        (
            "3 kW should hold, because a schedule that has ended planned it; the charger accepted"
            " it at 09:00:00+01:00 (ack)."
        ),
        "plan_replaced attempt_started attempt_ended schedule_exhausted",
    ),
    override_over_on_a_shared_link: (
        (
            "5 kW should hold, because an override that ended at 09:00:00+01:00 set it, and "
            "nothing has been decided since; the charger accepted it at 09:00:00+01:00 (ack)."
        ),
        "override_set attempt_started attempt_ended override_ended",
    ),
    changed_on_a_shared_link: (
        (
            "11 kW should hold, because schedule sch_1 plans it from 09:00:00+01:00 on (column "
            "ev_kw); the charger was found to hold 2 kW instead."
        ),
        "plan_replaced attempt_started attempt_ended device_changed",
    ),
    doubted: (
        (
            "11 kW should hold, because schedule sch_1 plans it from 09:00:00+01:00 on (column "
            "ev_kw); the attempt ended without a usable answer at 09:00:00+01:00 (timed_out), and"
            " it is sent again."
        ),
        "plan_replaced attempt_started attempt_ended attempt_reconciled",
    ),
    not_sent: (
        (
            "11 kW should hold, because schedule sch_1 plans it from 09:00:00+01:00 on (column "
            "ev_kw); it has not been sent yet."
        ),
        "plan_replaced attempt_started attempt_ended attempt_started attempt_ended",
    ),
    unsupported: (
        (
            "11 kW should hold, because schedule sch_1 plans it from 09:00:00+01:00 on (column "
            "ev_kw); it failed (unsupported: no form 0 for ast_ev), and it is not tried again for"
            " a while, unless something happens to the asset."
        ),
        "plan_replaced setpoint_decided command_verified",
    ),
    lease_over: (
        (
            "3 kW should hold, because schedule sch_1 plans it from 09:00:00+01:00 on (column "
            "ev_kw); the charger is not known to hold it, and cannot be reached."
        ),
        "plan_replaced attempt_started attempt_ended",
    ),
    late_answer: (
        (
            "11 kW should hold, because schedule sch_1 plans it from 09:00:00+01:00 on (column "
            "ev_kw); the charger accepted it at 09:00:00+01:00 (ack)."
        ),
        "plan_replaced attempt_started attempt_ended late_answered",
    ),
}


@pytest.mark.parametrize("situation", SITUATIONS, ids=lambda one: one.__name__)
def test_why_is_told_in_a_sentence_and_by_events(situation: Callable[[], Rig]) -> None:
    """The rule, cell or person that rules, and how far the setpoint has come."""
    rig = situation()
    told = why(rig)
    sentence, topics = SITUATIONS[situation]
    said = told.sentence.replace("2027-01-15 ", "").removeprefix(rig.state.asset_id)
    assert said.removeprefix(":").strip() == sentence
    assert [one.topic for one in told.chain] == [f"asset.{topic}" for topic in topics.split()]


def test_what_failed_under_an_older_decision_is_said_to_have_failed() -> None:
    """Its events are no part of the newest decision's."""
    rig = refused()
    story = Story(rig.state.asset_id)
    for record in recorded(rig):
        story.feed(record)
    story.outcomes.clear()
    told = standing(story, rig.now, Words(UTC, rig.state))
    assert told.startswith("it has failed before, and it is not tried again")


def test_every_event_of_a_chain_is_told_in_a_line() -> None:
    """None of them by the name of its type."""
    lines = {one.topic: one.text for situation in SITUATIONS for one in why(situation()).chain}
    assert lines["asset.plan_replaced"].startswith("took the plan of schedule sch_1, which ends at")
    assert not any(text.isalpha() and text[0].isupper() for text in lines.values())


def test_times_are_told_in_the_zone_that_is_asked_for() -> None:
    """With their offset."""
    rig = planned()
    told = explain(recorded(rig), AssetState(rig.state.asset_id), rig.now, UTC)
    assert "from 2027-01-15 08:00:00+00:00 on" in told.sentence


def test_a_limit_that_was_lowered_is_named() -> None:
    """Beside what asked for more: the plan, or a person."""
    lower = message.Configured(charger_rules(max_charge_w=2_000))
    planned_more = settled()
    planned_more.tell(lower)
    assert "(column ev_kw); 11 kW is more than its limit allows" in why(planned_more).sentence
    by_hand_more = charger(THREE)
    by_hand_more.answer()
    by_hand(by_hand_more)
    by_hand_more.answer()
    by_hand_more.tell(lower)
    assert "; 5 kW is more than its limit allows by now;" in why(by_hand_more).sentence


def test_an_asset_that_nobody_knows_is_said_to_be_unknown() -> None:
    """There is no event of it."""
    told = explain([], AssetState(AssetId("ast_x")), Instant(0, 0), UTC)
    assert (told.sentence, told.chain) == ("ast_x is not known yet.", ())


def test_an_explanation_is_plain_values_or_a_table() -> None:
    """For programs and for pandas."""
    told = why(planned())
    plain = told.to_json()
    assert plain["at"] == "2027-01-15T08:00:00.000000Z"
    (first, *_) = told.chain
    assert plain["chain"][0]["event_id"] == first.event_id  # type: ignore[index]  # plain values
    table = told.to_frame()
    assert list(table.columns) == ["position", "event_id", "at", "topic", "text"]
    assert len(table) == len(told.chain)
