"""An asset under a site limit: what it claims, what it does with a grant, and what is on record."""

from collections.abc import Mapping

import pytest
from msgspec.structs import replace

from actors.testing.rig import Rig, battery_rules, charger_rules, names_of, plan_of
from engine import events
from engine.adapters import base
from engine.asset import AssetState, Outside, decide
from engine.asset import effects as effect
from engine.asset import messages as message
from engine.asset.decisions import cut_anew
from engine.asset.desire import Desire
from engine.asset.draft import Draft
from engine.asset.granting import opening_claim
from engine.asset.view import view_of
from engine.commands import CauseKind, CommandType
from engine.events import RELEASED, Cut, Setpoint
from engine.grants import UNBOUNDED_W, Bound, Claim, Grant, Share
from engine.rules import AssetRules
from engine.types import US_PER_S, AssetId, Channel, Instant

CHARGE, DISCHARGE = Channel.CHARGE, Channel.DISCHARGE
FREE = Bound(UNBOUNDED_W, 0)
LONG: Mapping[str, object] = {"failsafe_after_s": 100_000.0, "stale_s": 100_000.0}


def grant(most_w: int, answers_w: int, number: int = 1) -> Grant:
    """Return a grant for charging, of a limit of 30 kW of which others have 20 kW."""
    return Grant(Bound(most_w, answers_w, 30_000, 4_000, 20_000), Bound(UNBOUNDED_W, 0), number)


def charger(**rules: object) -> Rig:
    """Return a charger that has 11 kW and then 16 kW planned, and was granted its fallback."""
    rig = Rig(charger_rules(**{**LONG, **rules}), grant=grant(4_200, 0, 0))
    rig.connect("CHARGING")
    if rig.state.attempt is not None:
        rig.answer()
    rig.offer(plan_of((0, CHARGE, 11_000), (900, CHARGE, 16_000)), 2_700)
    return rig


def granted(rig: Rig, most_w: int, answers_w: int) -> None:
    """Let the site grant; the number goes up."""
    own = rig.state.outside.grant
    assert own is not None
    rig.tell(message.Granted(grant(most_w, answers_w, own.number + 1)))


def powers(rig: Rig) -> list[object]:
    """Return what was sent, in kilowatts."""
    return [body["charge_kw"] for body in rig.sent]


def claims(rig: Rig) -> list[Claim]:
    """Return what was claimed, in order."""
    return [one.claim for one in rig.effects if isinstance(one, effect.Claimed)]


def causes(rig: Rig) -> list[str]:
    """Return the causes of the commands in order."""
    return [one.cause.kind for one in rig.history().values()]


# --- claims


def test_without_a_limit_nothing_is_claimed() -> None:
    """An asset that has no grant is bounded by nobody."""
    rig = Rig(charger_rules(**LONG))
    rig.connect("CHARGING")
    rig.offer(plan_of((0, CHARGE, 11_000)), 900)
    assert claims(rig) == []
    assert powers(rig) == [11]


def test_an_increase_is_claimed_and_waits_for_its_grant() -> None:
    """Nothing is on record meanwhile."""
    rig = charger()
    assert claims(rig)[-1] == Claim(Share(11_000, 4_200, 4_200), Share(), 0)
    assert powers(rig) == []
    assert names_of(rig.advance(5)) == []
    granted(rig, 11_000, 11_000)
    assert powers(rig) == [11]
    assert claims(rig)[-1] == Claim(Share(11_000, 11_000, 4_200), Share(), 1)


def test_who_waits_for_an_answer_claims_again_at_the_next_sweep() -> None:
    """The first claim, or its answer, may have been lost in a crash."""
    rig = charger()
    before = len(claims(rig))
    rig.tell(message.Woke())
    assert claims(rig)[before:] == claims(rig)[before - 1 : before]
    granted(rig, 11_000, 11_000)
    before = len(claims(rig))
    rig.tell(message.Woke())
    assert len(claims(rig)) == before


def test_a_decrease_waits_for_nobody_and_is_told_when_it_is_done() -> None:
    """What was held counts until the device has taken the lower one."""
    rig = charger()
    granted(rig, 11_000, 11_000)
    rig.answer()
    rig.offer(plan_of((0, CHARGE, 6_000)), 2_700, sequence=2)
    assert powers(rig) == [11, 6]
    assert claims(rig)[-1].charge == Share(6_000, 11_000, 4_200)
    rig.answer()
    assert claims(rig)[-1].charge == Share(6_000, 6_000, 4_200)


def test_for_what_it_cannot_take_an_asset_claims_no_more_than_it_may_hold() -> None:
    """Whoever is offline leaves the room to the others; back again it claims it."""
    rig = charger()
    granted(rig, 11_000, 11_000)
    rig.answer()
    rig.observe(base.Disconnected())
    rig.advance(900)
    assert claims(rig)[-1].charge == Share(11_000, 11_000, 4_200)
    assert rig.history()["cmd_1.0.1"].reason == "held:offline"
    rig.observe(base.Connected())
    assert claims(rig)[-1].charge == Share(16_000, 11_000, 4_200)
    granted(rig, 16_000, 16_000)
    assert powers(rig) == [11, 16]
    assert "1.0.1 DISPATCHED" in rig.story()


def test_a_device_that_cannot_be_reached_keeps_its_room_until_its_lease_is_over() -> None:
    """And a minute more, as its clock may be slow; then it is at its fallback."""
    rig = charger(failsafe_after_s=900.0)
    granted(rig, 11_000, 11_000)
    rig.answer()
    rig.observe(base.Disconnected())
    rig.advance(959)
    assert claims(rig)[-1].charge.holds_w == 11_000
    rig.advance(1)
    assert claims(rig)[-1].charge == Share(4_200, 4_200, 4_200)


def test_an_attempt_that_nobody_answered_counts_like_one_that_was_taken() -> None:
    """Whatever is tried after it."""
    rig = charger(failsafe_after_s=900.0, max_retries=0)
    granted(rig, 11_000, 11_000)
    rig.answer(outcome="timed_out")
    rig.observe(base.Disconnected())
    rig.advance(60)
    assert claims(rig)[-1].charge.holds_w == 11_000
    rig.advance(900)
    assert claims(rig)[-1].charge.holds_w == 4_200


def test_an_attempt_that_was_seen_after_the_device_forgot_it_may_still_hold() -> None:
    """A transaction began meanwhile: what it holds now is not known."""
    rig = charger()
    granted(rig, 11_000, 11_000)
    rig.observe(base.TransactionChanged("started", "7"))
    rig.answer(outcome="timed_out")
    granted(rig, 4_200, 11_000)
    about = rig.state.unknown
    assert about is not None
    seen = base.Answer("raw", values=(base.SetpointRead(11.0, None),))
    happened = rig.tell(message.QuestionAnswered(about.attempt_id, seen))
    assert "AttemptReconciled" in names_of(happened)
    assert claims(rig)[-1].charge.holds_w == 11_000


def test_what_has_expired_is_decided_anew_and_not_cut_anew() -> None:
    """It waited for its device, and its time is over: its command goes out no more."""
    rig = charger()
    granted(rig, 11_000, 11_000)
    rig.answer()
    rig.observe(base.Disconnected())
    rig.advance(900)
    work = rig.state.work
    assert work is not None
    assert work.decision.expires_us is not None
    late = replace(rig.now, plan_us=work.decision.expires_us)
    want = Desire(Setpoint(16_000, 0), "schedule", CauseKind.REASSERT)
    assert cut_anew(Draft(rig.state, rig.now), want) is not None
    assert cut_anew(Draft(rig.state, late), want) is None


# --- cuts


def test_a_setpoint_is_cut_to_its_grant_and_says_so() -> None:
    """The plan's own command goes out; the plan is the loser in the event."""
    rig = charger()
    granted(rig, 6_200, 11_000)
    assert powers(rig) == [6.2]
    rig.answer()
    decision = rig.state.desired
    assert decision is not None
    assert decision.cut == Cut(Setpoint(11_000, 0), "import", 6_200, 30_000, 4_000, 20_000)
    assert decision.losers == (("schedule", 11_000, 0),)
    record = rig.history()["cmd_1.0.0"]
    assert (record.value_kw, record.applied_kw, record.cause.kind) == (11, 6.2, "schedule")
    view = view_of(rig.state, rig.now)
    assert (view.setpoint_kw, view.setpoint_source) == (6.2, "limit")


def test_a_cut_that_the_device_holds_already_is_done() -> None:
    """The command says what was planned and what holds."""
    rig = charger()
    granted(rig, 11_000, 11_000)
    rig.answer()
    rig.advance(900)
    granted(rig, 11_000, 16_000)
    assert powers(rig) == [11]
    record = rig.history()["cmd_1.0.1"]
    assert (record.status, record.value_kw, record.applied_kw) == ("COMPLETED", 16, 11)


def test_a_lower_grant_throttles_and_a_higher_one_lifts() -> None:
    """Each by a command of its own, that says so."""
    rig = charger()
    granted(rig, 11_000, 11_000)
    rig.answer()
    granted(rig, 5_000, 11_000)
    rig.answer()
    granted(rig, 8_000, 11_000)
    rig.answer()
    granted(rig, 11_000, 11_000)
    rig.answer()
    assert powers(rig) == [11, 5, 8, 11]
    limit, lifted = CauseKind.LIMIT, CauseKind.LIMIT_LIFTED
    assert causes(rig)[-4:-1] == [limit, lifted, lifted]
    assert view_of(rig.state, rig.now).setpoint_source == "schedule"


def test_what_is_asked_for_may_become_what_is_granted() -> None:
    """Then the limit has no part in it any more, and nothing is sent."""
    rig = charger()
    granted(rig, 6_000, 11_000)
    rig.answer()
    rig.offer(plan_of((0, CHARGE, 6_000)), 2_700, sequence=2)
    assert powers(rig) == [6]
    assert view_of(rig.state, rig.now).setpoint_source == "schedule"


@pytest.mark.parametrize(
    ("policy", "asked_w", "most_w", "applied_kw"),
    [
        ("off", 11_000, 4_000, 0),
        ("minimum", 11_000, 4_000, 0),
        ("minimum", 2_000, 3_000, 0),
        ("off", 2_000, 3_000, 2),
        ("minimum", 2_000, 4_140, 2),
        ("off", 11_000, 4_999, 4.99),
    ],
)
def test_what_is_too_little_for_a_vehicle_is_nothing(
    policy: str, asked_w: int, most_w: int, applied_kw: float
) -> None:
    """A limit is not exceeded for the sake of the minimum; what is left is in whole steps."""
    own = {**LONG, "below_min": policy, "least_w": 4_140, "step_w": 10, "fallback_w": 0}
    rig = Rig(charger_rules(**own), grant=grant(0, 0, 0))
    rig.connect("CHARGING")
    rig.offer(plan_of((0, CHARGE, asked_w)), 900)
    wish_w = claims(rig)[-1].charge.wish_w
    assert wish_w == (4_140 if policy == "minimum" and asked_w == 2_000 else asked_w)
    granted(rig, most_w, wish_w)
    sent = powers(rig)
    assert sent[-1] == applied_kw


def test_an_override_is_cut_too() -> None:
    """A safety limit wins over an operator, who wins over the plan: both are losers."""
    rig = charger()
    granted(rig, 11_000, 11_000)
    rig.answer()
    rig.tell(
        message.OverrideRequested(
            Setpoint(20_000, 0),
            CommandType.SET_CHARGE_RATE,
            "unplugged",
            None,
            "ann",
            "why",
            "override",
            rig.replies.append,
        )
    )
    granted(rig, 13_000, 20_000)
    assert powers(rig) == [11, 13]
    decision = rig.state.desired
    assert decision is not None
    assert decision.losers == (("override", 20_000, 0), ("schedule", 11_000, 0))


# --- releases


def release(rig: Rig) -> None:
    """Let a person hand the device back to its own control."""
    rig.tell(
        message.OverrideRequested(
            RELEASED,
            CommandType.RELEASE,
            "next_change",
            None,
            "ann",
            "why",
            "operator",
            rig.replies.append,
        )
    )


def test_a_release_needs_all_that_the_device_can_draw() -> None:
    """It is on its own then."""
    rig = charger()
    granted(rig, 11_000, 11_000)
    rig.answer()
    release(rig)
    assert claims(rig)[-1].charge == Share(22_000, 11_000, 4_200, 22_000)
    granted(rig, 22_000, 22_000)
    assert rig.sent[-1]["type"] == "RELEASE"
    rig.answer()
    assert claims(rig)[-1].charge.holds_w == 22_000


def test_without_room_for_a_release_the_fallback_holds() -> None:
    """The limit is what won; the release is what was asked for."""
    rig = charger()
    granted(rig, 11_000, 11_000)
    rig.answer()
    release(rig)
    granted(rig, 11_000, 22_000)
    assert rig.sent[-1] == {"type": "SET_CHARGE_RATE", "charge_kw": 4.2, "discharge_kw": 0}
    rig.answer()
    (asked,) = (one for one in rig.history().values() if one.type == "RELEASE")
    assert asked.status == "COMPLETED"
    decision = rig.state.desired
    assert decision is not None
    assert decision.cut is not None
    assert decision.cut.asked == RELEASED


def test_a_release_may_be_lifted_later() -> None:
    """When there is room for all of it."""
    rig = charger()
    release(rig)
    granted(rig, 4_200, 22_000)
    rig.answer()
    granted(rig, 22_000, 22_000)
    assert rig.sent[-1]["type"] == "RELEASE"
    assert CauseKind.LIMIT_LIFTED in causes(rig)


def test_a_stopping_engine_sets_the_fallback_where_a_release_does_not_fit() -> None:
    """It waits for the site's answer before it counts as handed back."""
    rig = charger()
    granted(rig, 11_000, 11_000)
    rig.answer()
    rig.tell(message.Stopping())
    assert not any(isinstance(one, effect.Stopped) for one in rig.effects)
    granted(rig, 11_000, 22_000)
    rig.answer()
    assert powers(rig)[-1] == 4.2
    assert isinstance(rig.effects[-2], effect.Stopped)


# --- where nothing is planned


def test_a_device_that_is_there_is_not_left_alone_under_a_limit() -> None:
    """Nothing is planned for it, and it could draw all that it can."""
    rig = Rig(charger_rules(**LONG), grant=grant(4_200, 0, 0))
    rig.tell(message.NothingOffered())
    assert rig.events[-1] == events.AssetConfigured(rig.rules)
    rig.connect("CHARGING")
    assert powers(rig) == [4.2]


def test_a_device_without_a_fallback_is_left_alone_and_counts_with_all_that_it_can() -> None:
    """There is nothing that it could be set to."""
    rig = Rig(battery_rules(**LONG, fallback_w=None), grant=grant(50_000, 0, 0))
    rig.tell(message.NothingOffered())
    rig.connect()
    assert rig.sent == []
    assert claims(rig)[-1].charge == Share(50_000, 50_000, 50_000)


# --- what is held after the horizon


def test_what_was_cut_is_held_as_it_was_asked_for() -> None:
    """The limit goes on cutting it."""
    rig = charger(on_schedule_end="hold", hold_max_s=3_600.0)
    granted(rig, 6_000, 11_000)
    rig.answer()
    rig.advance(900)
    granted(rig, 6_000, 16_000)
    rig.advance(1_800)
    assert powers(rig) == [6]
    granted(rig, 16_000, 16_000)
    assert powers(rig) == [6, 16]


# --- being away while throttled


def test_a_throttled_device_that_goes_away_is_not_decided_on_anew() -> None:
    """What should hold stays cut; when it is back the site is asked again."""
    rig = charger()
    granted(rig, 6_000, 11_000)
    rig.answer()
    assert names_of(rig.observe(base.Disconnected())) == ["ConnectionChanged"]
    assert rig.advance(60) == []
    granted(rig, 4_200, 6_000)
    rig.observe(base.Connected())
    assert claims(rig)[-1].charge.wish_w == 11_000
    granted(rig, 7_000, 11_000)
    assert powers(rig) == [6, 7]


def test_what_is_planned_while_it_is_away_is_held_as_planned() -> None:
    """Its command is cut once it can be sent, and goes on as the same command."""
    rig = charger()
    granted(rig, 6_000, 11_000)
    rig.answer()
    rig.observe(base.Disconnected())
    rig.advance(900)
    rig.observe(base.Connected())
    granted(rig, 9_000, 16_000)
    record = rig.history()["cmd_1.0.1"]
    assert (record.value_kw, record.applied_kw, record.status) == (16, 9, "DISPATCHED")


# --- batteries


def battery(rules: AssetRules, charge: Bound = FREE, discharge: Bound = FREE) -> Rig:
    """Return a battery that is to discharge with 30 kW, then to charge with 20 kW."""
    rig = Rig(rules, grant=Grant(charge, discharge))
    rig.connect()
    if rig.state.attempt is not None:
        rig.read_back()
    plan = plan_of(
        *((0, CHARGE, 0), (0, DISCHARGE, 30_000), (900, DISCHARGE, 0), (900, CHARGE, 20_000)),
        columns=("c", "d"),
    )
    rig.offer(plan, 1_800)
    while rig.state.attempt is not None:
        rig.read_back()
    return rig


def test_an_export_limit_bounds_discharging() -> None:
    """Charging is not its business."""
    rig = battery(battery_rules(**LONG), discharge=Bound(0, 0, 8_000))
    assert claims(rig)[-1].discharge == Share(30_000, 0, 0)
    rig.tell(message.Granted(Grant(FREE, Bound(8_000, 30_000, 8_000), 1)))
    while rig.state.attempt is not None:
        rig.read_back()
    decision = rig.state.desired
    assert decision is not None
    assert decision.target == Setpoint(0, 8_000)
    assert decision.cut == Cut(Setpoint(0, 30_000), "export", 8_000, 8_000, 0, 0)
    assert claims(rig)[-1].discharge == Share(30_000, 8_000, 0)


@pytest.mark.parametrize("shared", [False, True])
def test_a_pair_that_was_held_is_cut_when_it_can_be_sent(shared: bool) -> None:  # noqa: FBT001 - drawn
    """Both of its commands go on."""
    rig = battery(battery_rules(**LONG, shared_register=shared))
    rig.observe(base.Disconnected())
    rig.advance(900)
    rig.observe(base.Connected(), base.SetpointRead(0.0, 30.0))
    rig.tell(message.Granted(Grant(Bound(9_000, 20_000, 10_000), FREE, 2)))
    while rig.state.attempt is not None:
        rig.read_back()
    assert rig.state.holding.charge_w == 9_000
    assert {"1.0.2 COMPLETED", "1.0.3 COMPLETED"} <= set(rig.story())


def test_a_release_of_a_battery_that_does_not_fit_is_its_fallback() -> None:
    """The release's own command sets it."""
    rig = battery(battery_rules(**LONG, fallback_w=-5_000), discharge=Bound(40_000, 0, 40_000))
    release(rig)
    rig.tell(message.Granted(Grant(FREE, Bound(40_000, 50_000, 40_000), 1)))
    while rig.state.attempt is not None:
        rig.read_back()
    assert rig.state.holding.discharge_w == 5_000
    assert {one.status for one in rig.history().values() if one.type == "RELEASE"} == {"COMPLETED"}


def test_a_battery_whose_fallback_discharges_reserves_that() -> None:
    """At the end of its lease it goes there."""
    rig = battery(battery_rules(**LONG, fallback_w=-5_000))
    assert claims(rig)[-1].discharge == Share(30_000, 30_000, 5_000)
    assert claims(rig)[-1].charge == Share(0, 0, 0)


# --- at the start, and in the ledger's eyes


def test_at_the_start_an_asset_may_hold_what_its_log_says() -> None:
    """Until its lease is over, and a minute more; then its fallback."""
    rig = charger(failsafe_after_s=900.0)
    granted(rig, 11_000, 11_000)
    rig.answer()
    later = replace(rig.now, device_us=rig.now.device_us + 959 * US_PER_S)
    assert opening_claim(rig.fold(), rig.rules, later).charge == Share(11_000, 11_000, 4_200)
    later = replace(rig.now, device_us=rig.now.device_us + 960 * US_PER_S)
    assert opening_claim(rig.fold(), rig.rules, later).charge == Share(4_200, 4_200, 4_200)


def test_what_a_charger_was_given_ahead_counts_at_the_start() -> None:
    """Before there was a limit nobody bounded it: it goes there by itself."""
    rig = Rig(charger_rules(**{**LONG, "periods_ahead": 3}))
    rig.connect("CHARGING")
    rig.offer(plan_of((0, CHARGE, 11_000), (900, CHARGE, 16_000)), 2_700)
    assert opening_claim(rig.fold(), rig.rules, rig.now).charge.holds_w == 16_000
    rig.answer()
    assert opening_claim(rig.fold(), rig.rules, rig.now).charge.holds_w == 16_000
    rig.observe(base.Connected(booted=True))
    assert opening_claim(rig.fold(), rig.rules, rig.now).charge.holds_w == 16_000


def test_an_asset_whose_log_cannot_be_read_may_hold_all_that_it_can() -> None:
    """Nobody knows."""
    own = opening_claim(None, charger_rules(), Instant(0, 0))
    assert own.charge == Share(22_000, 22_000, 4_200)


def test_an_asset_whose_log_cannot_be_read_claims_all_that_it_can_and_decides_nothing() -> None:
    """Whatever it says of itself meanwhile."""
    outside = Outside(unreadable="row 7", grant=grant(5_000, 0, 3))
    state = AssetState(AssetId("ast_1"), rules=charger_rules(), outside=outside)
    decided = decide(state, message.Observed(base.PowerMeasured(11.0)), Instant(0, 0))
    own = Claim(Share(22_000, 22_000, 4_200), number=3)
    assert [[*one] for one in decided] == [[], [effect.Claimed(own)]]


def test_a_setpoint_that_was_told_before_proves_nothing() -> None:
    """Its evidence was still being gathered: what the device drew may not be over."""
    rig = Rig(charger_rules(**LONG, verify="measured"), grant=grant(11_000, 11_000, 0))
    rig.connect("CHARGING")
    rig.observe(base.TransactionChanged("started", "7", "key"))
    rig.offer(plan_of((0, CHARGE, 11_000), (100, CHARGE, 5_000)), 9_000)
    rig.answer()
    rig.advance(95)
    rig.observe(base.PowerMeasured(11.0))
    granted(rig, 5_000, 11_000)
    rig.answer()
    rig.advance(6)
    rig.observe(base.PowerMeasured(11.0))
    assert claims(rig)[-1].charge.holds_w == 11_000
    rig.advance(1)
    assert rig.state.remains is not None


def test_a_battery_that_is_left_alone_on_its_own_may_take_all_that_it_can() -> None:
    """Somebody has handed it back, and the site has room for that."""
    rules = battery_rules(**LONG, on_interference="yield")
    rig = Rig(rules, grant=Grant(Bound(60_000, 3_000, 60_000), FREE))
    rig.connect()
    rig.offer(plan_of((0, CHARGE, 3_000), (0, DISCHARGE, 0), columns=("c", "d")), 90_000)
    while rig.state.attempt is not None:
        rig.read_back()
    rig.observe(base.SetpointRead(None, None, released=True))
    assert rig.state.interference.left
    assert claims(rig)[-1].charge.holds_w == rules.max_charge_w
    rig.advance(61)
    rig.observe(base.SetpointRead(4.0, 0.0))
    assert claims(rig)[-1].charge.holds_w == 4_000


def test_the_end_of_a_doubt_about_a_start_says_nothing_of_what_is_held() -> None:
    """It was about another thing."""
    rig = Rig(charger_rules(**LONG, start="engine"), grant=grant(11_000, 11_000, 0))
    rig.connect("PREPARING")
    rig.offer(plan_of((0, CHARGE, 11_000)), 9_000)
    while (
        rig.state.attempt is not None and rig.state.attempt.type is not CommandType.START_CHARGING
    ):
        rig.answer()
    rig.observe(base.TransactionChanged("started", "7", "key"))
    rig.offer(plan_of((0, CHARGE, 5_000)), 9_000, sequence=2)
    rig.observe(base.Disconnected("away"))
    rig.answer(outcome="link_lost")
    rig.observe(base.Connected(), base.StateReported("CHARGING", "Charging"))
    assert "AttemptReconciled" in names_of(rig.events)
    assert rig.state.remains is not None
    assert rig.state.remains.charge_w == 11_000


def test_an_asset_that_was_never_asked_for_anything_keeps_what_it_may_hold() -> None:
    """Before it was offered a plan it wishes for nothing else."""
    rig = Rig(charger_rules(**LONG), grant=grant(4_200, 0, 0))
    assert claims(rig) == [Claim(Share(4_200, 4_200, 4_200), Share(), 0)]


def test_a_failed_setpoint_is_decided_anew_when_its_grant_changes() -> None:
    """It was sent already: another command follows."""
    rig = charger(max_retries=3)
    granted(rig, 11_000, 11_000)
    rig.answer(outcome="error")
    granted(rig, 6_000, 11_000)
    assert powers(rig) == [11, 6]
    assert "1.0.0 CANCELLED superseded" in rig.story()
    assert CauseKind.LIMIT in causes(rig)


def test_what_waits_is_decided_anew_when_something_else_is_asked_for() -> None:
    """Not only the limit has changed."""
    rig = charger()
    rig.observe(base.Disconnected())
    rig.advance(5)
    granted(rig, 11_000, 11_000)
    rig.observe(base.StateReported("FAULTED", "Faulted"), base.Connected())
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
    assert "1.0.0 CANCELLED override" in rig.story()


def test_a_discharge_that_was_held_is_cut_when_it_can_be_sent() -> None:
    """Whichever channel it is, its command goes on."""
    rig = Rig(battery_rules(**LONG, shared_register=True), grant=Grant(FREE, Bound(0, 0, 9_000)))
    rig.tell(message.NothingOffered())
    rig.offer(plan_of((0, CHARGE, 0), (0, DISCHARGE, 30_000), columns=("c", "d")), 900)
    rig.connect()
    rig.tell(message.Granted(Grant(FREE, Bound(9_000, 30_000, 9_000), 1)))
    rig.read_back()
    assert rig.state.holding.discharge_w == 9_000
    assert rig.story() == ["1.0.0 COMPLETED", "1.0.1 COMPLETED"]
    assert rig.history()["cmd_1.0.1"].applied_kw == 9


def test_a_second_cut_is_one_by_the_limit_too() -> None:
    """Nothing is lifted by it."""
    rig = charger()
    granted(rig, 9_000, 11_000)
    rig.answer()
    granted(rig, 7_000, 11_000)
    assert powers(rig) == [9, 7]
    assert CauseKind.LIMIT_LIFTED not in causes(rig)


def test_an_asset_that_is_not_configured_claims_nothing() -> None:
    """It has no rules to say what it may hold."""
    outside = Outside(grant=grant(4_200, 0))
    state = AssetState(AssetId("ast_ev"), outside=outside)
    assert decide(state, message.Woke(), Instant(0, 0)) == ((), ())


# --- a decrease beside an increase


def charging_battery(*, shared: bool) -> Rig:
    """Return a battery that charges with 20 kW and is to discharge with 30 kW from now on."""
    rules = battery_rules(**LONG, shared_register=shared)
    rig = Rig(rules, grant=Grant(Bound(20_000, 20_000, 30_000), Bound(0, 0, 30_000)))
    rig.connect()
    if rig.state.attempt is not None:
        rig.read_back()
    plan = plan_of(
        *((0, CHARGE, 20_000), (0, DISCHARGE, 0), (900, CHARGE, 0), (900, DISCHARGE, 30_000)),
        columns=("c", "d"),
    )
    rig.offer(plan, 90_000)
    while rig.state.attempt is not None:
        rig.read_back()
    assert rig.state.holding.charge_w == 20_000
    rig.advance(900)
    return rig


@pytest.mark.parametrize("shared", [False, True])
def test_a_decrease_does_not_wait_for_the_grant_of_the_other_direction(shared: bool) -> None:  # noqa: FBT001 - drawn
    """The battery is idle until that comes, and then the plan's own command sets it."""
    rig = charging_battery(shared=shared)
    assert rig.sent[-1]["charge_kw"] == 0
    assert rig.sent[-1]["discharge_kw"] == 0
    rig.read_back()
    sent = len(rig.sent)
    assert "1.0.2 COMPLETED" in rig.story()
    assert claims(rig)[-1].charge.holds_w == 0
    assert claims(rig)[-1].discharge.wish_w == 30_000
    assert rig.advance(60) == []
    rig.tell(message.Granted(Grant(Bound(0, 0, 30_000), Bound(30_000, 30_000, 30_000), 1)))
    assert rig.sent[sent:] == [{"type": "SET_DISCHARGE_RATE", "charge_kw": 0, "discharge_kw": 30}]
    rig.read_back()
    record = rig.history()["cmd_1.0.3"]
    assert (record.status, record.value_kw, record.applied_kw) == ("COMPLETED", 30, 30)
    assert set(causes(rig)) <= {"schedule", "rule:fallback"}


@pytest.mark.parametrize("shared", [False, True])
def test_a_grant_that_comes_while_the_decrease_is_on_the_wire_goes_next(shared: bool) -> None:  # noqa: FBT001 - drawn
    """As if it had been there before."""
    rig = charging_battery(shared=shared)
    rig.tell(message.Granted(Grant(Bound(0, 0, 30_000), Bound(8_000, 30_000, 30_000), 1)))
    rig.read_back()
    rig.read_back()
    assert rig.state.holding.discharge_w == 8_000
    record = rig.history()["cmd_1.0.3"]
    assert (record.status, record.value_kw, record.applied_kw) == ("COMPLETED", 30, 8)


def test_a_device_above_its_grant_goes_down_although_more_is_wished_for_since() -> None:
    """What the site makes of the new wish comes after it."""
    rig = charger()
    granted(rig, 11_000, 11_000)
    rig.answer()
    rig.observe(base.StateReported("FAULTED", "Faulted"))
    granted(rig, 6_000, 11_000)
    rig.advance(900)
    rig.observe(base.StateReported("CHARGING", "Charging"))
    assert powers(rig) == [11, 6]


# --- room that comes free in small pieces


def test_a_little_more_waits_until_the_setpoint_before_has_stood_for_a_while() -> None:
    """One command for many small pieces; a large one, and all that is wished for, go at once."""
    rig = charger()
    granted(rig, 6_000, 11_000)
    rig.answer()
    rig.advance(5)
    for most_w in (6_300, 6_500, 6_900):
        granted(rig, most_w, 11_000)
    assert powers(rig) == [6]
    rig.advance(24)
    assert powers(rig) == [6]
    rig.advance(1)
    assert powers(rig) == [6, 6.9]
    rig.answer()
    granted(rig, 7_900, 11_000)
    rig.answer()
    granted(rig, 10_500, 11_000)
    rig.answer()
    granted(rig, 11_000, 11_000)
    assert powers(rig) == [6, 6.9, 7.9, 10.5, 11]


def test_a_little_less_goes_at_once() -> None:
    """Nobody is left above the grant."""
    rig = charger()
    granted(rig, 6_000, 11_000)
    rig.answer()
    granted(rig, 6_500, 11_000)
    granted(rig, 5_900, 11_000)
    assert powers(rig) == [6, 5.9]


def test_a_little_more_goes_with_what_has_to_be_set_anyway() -> None:
    """The device is not known to hold what it was set to."""
    rig = charger()
    granted(rig, 6_000, 11_000)
    rig.answer()
    granted(rig, 6_500, 11_000)
    rig.observe(base.TransactionChanged("started", "7"))
    assert powers(rig) == [6, 6.5]


def test_something_else_that_is_asked_for_does_not_wait() -> None:
    """The next slot has its own setpoint, even if the limit leaves little more of it."""
    rig = charger()
    granted(rig, 6_000, 11_000)
    rig.answer()
    rig.offer(plan_of((0, CHARGE, 12_000)), 2_700, sequence=2)
    granted(rig, 6_100, 12_000)
    assert powers(rig) == [6, 6.1]
