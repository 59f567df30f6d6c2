"""A new engine on the events of an old one."""

from msgspec.structs import replace

from actors.testing.rig import Rig, battery_rules, charger_rules, names_of, plan_of
from engine import events
from engine.adapters import base
from engine.asset import effects as effect
from engine.asset import messages as message
from engine.commands import CommandType
from engine.errors import CommandRefused
from engine.events import Setpoint
from engine.plans import PlanRef
from engine.types import US_PER_S, Channel, Instant, ScheduleId

CHARGE = Channel.CHARGE
DAY = plan_of(*((900 * n, CHARGE, 1_000 * (n + 1)) for n in range(8)))


def charger(**changes: object) -> Rig:
    """Return a charger that holds the first of eight setpoints."""
    rig = Rig(charger_rules(**{"failsafe_after_s": 100_000, **changes}))
    rig.connect("CHARGING")
    rig.offer(DAY, 7_200)
    rig.answer()
    return rig


def down(rig: Rig, seconds: float) -> list[events.AssetEvent]:
    """Let the engine be down for a while and start it again."""
    gone_us = round(seconds * US_PER_S)
    rig.now = Instant(rig.now.plan_us + gone_us, rig.now.device_us + gone_us)
    return rig.restart()


def test_what_ran_out_while_down_is_one_cut() -> None:
    """Expired, whatever the length of the downtime; the running slot is what holds now."""
    rig = charger()
    happened = down(rig, 3_700)
    cuts = [one for one in happened if isinstance(one, events.PlanCut)]
    assert cuts == [events.PlanCut(ScheduleId("sch_1"), 1, 4, "expired")]
    rig.connect("CHARGING")
    assert rig.sent[-1]["charge_kw"] == 5


def test_a_command_that_waited_when_the_engine_went_down_expires() -> None:
    """Its setpoint was replaced meanwhile."""
    rig = charger()
    rig.observe(base.Disconnected())
    rig.advance(900)
    down(rig, 900)
    assert rig.story()[1] == "1.0.1 CANCELLED expired"


def test_a_horizon_that_passed_while_down_ends_everything() -> None:
    """Then the fallback rules."""
    rig = charger()
    happened = down(rig, 8_000)
    assert names_of(happened)[:4] == [
        "AssetRecovered",
        "PlanCut",
        "ScheduleExhausted",
        "CommandCreated",
    ]
    rig.connect("CHARGING")
    assert rig.sent[-1]["charge_kw"] == 4.2


def test_a_horizon_that_passed_unchanged_is_not_taken_again() -> None:
    """Neither after a restart nor ever: the asset knows the newest sequence from the event."""
    rig = charger()
    rig.offer(DAY, 7_200, sequence=2)
    down(rig, 8_000)
    assert rig.state.programme.sequence == 2
    assert [one for one in rig.events if isinstance(one, events.PlanReplaced)][1:] == []
    down(rig, 100)
    assert [one for one in rig.events if isinstance(one, events.PlanReplaced)][1:] == []


def test_a_schedule_that_was_never_taken_is_accounted_for() -> None:
    """Its commands end expired, although its horizon has passed."""
    rig = charger()
    plan = plan_of((0, CHARGE, 9_000), (60, CHARGE, 8_000))
    ref = PlanRef(ScheduleId("sch_2"), 2, 0)
    rig.offered = message.PlanOffered(ref, plan, Rig.START_US, Rig.START_US + 100 * US_PER_S)
    down(rig, 1_000)
    assert rig.history()["cmd_2.0.1"].reason == "expired"


def test_a_setpoint_is_asserted_again_where_it_is_not_known_to_hold() -> None:
    """A charger may have been booted."""
    rig = charger()
    rig.restart()
    rig.connect("CHARGING")
    assert rig.sent[-1]["charge_kw"] == 1
    created = [one for one in rig.events if isinstance(one, events.CommandCreated)]
    assert created[-1].cause.kind == "rule:reassert"


def test_nothing_is_decided_before_the_newest_schedule_was_offered() -> None:
    """An older one may say otherwise."""
    rig = charger()
    blank = replace(rig.state.outside, offered=False, epoch=2)
    rig.state = replace(rig.fold(), outside=blank)
    rig.tell(message.Recovered(2))
    frames = len(rig.sent)
    rig.connect("CHARGING")
    rig.advance(2_000)
    assert len(rig.sent) == frames
    assert rig.offered is not None
    rig.tell(rig.offered)
    assert len(rig.sent) == frames + 1


def test_overrides_backoff_and_leases_survive() -> None:
    """They are in the events."""
    rig = charger()
    rig.tell(
        message.OverrideRequested(
            Setpoint(2_000, 0),
            CommandType.SET_CHARGE_RATE,
            "time",
            rig.now.plan_us + 600 * US_PER_S,
            "ann",
            "why",
            "override",
            rig.replies.append,
        )
    )
    rig.answer(outcome="error")
    retry_us = rig.state.work.retry_at_us if rig.state.work else None
    rig.restart()
    assert rig.state.work is not None
    assert rig.state.work.retry_at_us == retry_us
    assert rig.state.override is not None
    rig.connect("CHARGING")
    rig.advance(2)
    rig.answer()
    rig.advance(600)
    assert rig.state.override is None


def test_the_device_is_not_known_after_a_restart() -> None:
    """Neither there nor in a state, until it reports."""
    rig = charger()
    rig.observe(base.Disconnected())
    happened = rig.restart()
    assert names_of(happened) == ["AssetRecovered"]
    assert not rig.state.device.state_known
    assert rig.restart() == []


def test_a_crashed_actor_goes_on_where_it_was() -> None:
    """Its events say everything; only the crash is new, and counted."""
    rig = charger()
    crash = message.Crashed("Woke", "ValueError")
    happened = rig.tell(crash, crash)
    assert [one.count for one in happened if isinstance(one, events.ActorCrashed)] == [1, 2]
    assert rig.state.device.state == "CHARGING"


GAVE_UP = message.Crashed("Woke", "ValueError", gave_up=True)


def resume(rig: Rig) -> list[events.AssetEvent]:
    """Let a person put the asset back to work."""
    return rig.tell(message.OverrideCleared("ann", "mended", rig.replies.append, "resume"))


def test_an_actor_that_gave_up_is_faulted_whatever_the_device_reports() -> None:
    """With an alarm that stays; what the device reports is known all the same."""
    rig = charger()
    rig.tell(GAVE_UP, GAVE_UP)
    rig.observe(base.StateReported("SUSPENDED", "SuspendedEV"))
    assert rig.state.device.state == "FAULTED"
    assert rig.state.device.own_state == "SUSPENDED"
    assert rig.state.alarms == ("actor_gave_up",)


def test_an_asset_that_is_given_up_does_nothing_by_itself() -> None:
    """The plan's next change is not sent, nor is a lease renewed."""
    rig = charger()
    before = len(rig.sent)
    rig.tell(GAVE_UP)
    rig.advance(7_200)
    assert len(rig.sent) == before


def test_a_person_can_still_pause_an_asset_that_is_given_up() -> None:
    """0 kW always goes, as to any device that is faulted."""
    rig = charger()
    rig.tell(GAVE_UP)
    before = len(rig.sent)
    rig.tell(
        message.OverrideRequested(
            Setpoint(0, 0),
            CommandType.SET_CHARGE_RATE,
            "resume",
            None,
            "ann",
            "why",
            "override",
            rig.replies.append,
        )
    )
    assert [one["charge_kw"] for one in rig.sent[before:]] == [0.0]
    rig.answer()
    assert rig.state.holding.charge_w == 0


def test_resume_puts_an_asset_back_to_work_that_was_given_up() -> None:
    """It goes on record who did, and what is due is sent at once."""
    rig = charger()
    rig.tell(GAVE_UP)
    rig.advance(7_200)
    before = len(rig.sent)
    happened = resume(rig)
    assert names_of(happened)[0] == "ActorRecovered"
    assert rig.replies[-1] == rig.rules.asset_id
    assert rig.effects.count(effect.BackToWork()) == 1
    assert rig.state.device.state == "CHARGING"
    assert rig.state.alarms == ()
    assert len(rig.sent) > before
    resume(rig)
    assert isinstance(rig.replies[-1], CommandRefused)


def test_resume_ends_a_pause_and_puts_back_to_work_at_once() -> None:
    """One word for both."""
    rig = charger()
    rig.tell(
        message.OverrideRequested(
            Setpoint(0, 0),
            CommandType.SET_CHARGE_RATE,
            "resume",
            None,
            "ann",
            "why",
            "override",
            rig.replies.append,
        )
    )
    rig.answer()
    rig.tell(GAVE_UP)
    assert {"ActorRecovered", "OverrideEnded"} <= set(names_of(resume(rig)))
    assert rig.state.override is None


def test_a_new_engine_tries_again_what_was_given_up() -> None:
    """The start is on record, the alarm is gone."""
    rig = charger()
    rig.tell(GAVE_UP)
    assert "AssetRecovered" in names_of(rig.restart())
    assert not rig.state.device.failed
    assert rig.state.alarms == ()


def test_an_attempt_on_which_the_engine_failed_is_unknown() -> None:
    """The device is asked before anything new is sent; the attempt is not repeated blindly."""
    rig = charger()
    rig.advance(900)
    attempt = rig.state.attempt
    assert attempt is not None
    before = len(rig.sent)
    happened = rig.tell(message.Crashed("Committed", "ValueError", unsure=attempt.attempt_id))
    assert [
        (one.outcome, one.reason) for one in happened if isinstance(one, events.AttemptEnded)
    ] == [("unknown", "the engine failed on it (ValueError)")]
    assert rig.state.unknown == attempt
    rig.tell(message.Woke())
    assert len(rig.sent) == before
    assert rig.state.outside.asking == attempt.attempt_id


def test_an_attempt_that_was_at_no_risk_stays_open_over_a_crash() -> None:
    """Its answer is still on the way."""
    rig = charger()
    rig.advance(900)
    attempt = rig.state.attempt
    assert attempt is not None
    rig.tell(message.Crashed("Woke", "ValueError", unsure="att_other"))
    assert rig.state.attempt == attempt


def test_a_link_that_cannot_be_opened_is_an_alarm_until_it_connects() -> None:
    """Told once for each time."""
    rig = Rig(charger_rules())
    assert names_of(rig.tell(message.LinkFailed("ValueError"))) == ["LinkFailed"]
    assert rig.state.alarms == ("link_failed",)
    rig.connect()
    assert not rig.state.alarms


def test_a_device_that_stays_unusable_is_an_alarm_until_it_connects() -> None:
    """A connection that is lost is none by itself."""
    rig = Rig(battery_rules())
    rig.connect()
    assert names_of(rig.observe(base.Disconnected("closed"))) == ["ConnectionChanged"]
    assert not rig.state.alarms
    assert names_of(rig.observe(base.Disconnected("closed", lasts=True))) == ["LinkFailed"]
    assert rig.state.alarms == ("link_failed",)
    rig.connect()
    assert not rig.state.alarms


def test_a_battery_that_says_otherwise_after_a_restart_is_set_again() -> None:
    """It was read on connecting."""
    rig = Rig(battery_rules())
    rig.connect()
    rig.offer(DAY, 7_200)
    rig.read_back()
    rig.restart()
    rig.observe(base.SetpointRead(0.0, 0.0), base.Connected(), base.StateReported("IDLE", "0"))
    assert rig.sent[-1]["charge_kw"] == 1
