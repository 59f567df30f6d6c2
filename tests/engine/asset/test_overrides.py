"""Setpoints by hand: what they outrank, how they end, and what becomes of their command."""

import pytest
from msgspec.structs import replace

from actors.testing.rig import Rig, battery_rules, charger_rules, names_of, plan_of
from engine import events
from engine.adapters import base
from engine.asset import messages as message
from engine.asset.view import view_of
from engine.commands import CommandType
from engine.errors import CommandRefused, UnknownCommand
from engine.events import RELEASED, Setpoint
from engine.types import US_PER_S, Channel, CommandId

CHARGE = Channel.CHARGE
DAY = plan_of((0, CHARGE, 11_000), (900, CHARGE, 7_000), (1800, CHARGE, 0))


@pytest.fixture
def rig() -> Rig:
    """Return a charger that holds 11 kW by its plan."""
    rig = Rig(charger_rules(failsafe_after_s=100_000))
    rig.connect("CHARGING")
    rig.tell(message.NothingOffered())
    rig.offer(DAY, 9_000)
    rig.answer()
    return rig


def by_hand(rig: Rig, watts: int, ends: str = "unplugged", after_s: float | None = None) -> str:
    """Set a rate by hand; return its command's id."""
    until_us = None if after_s is None else rig.now.plan_us + round(after_s * US_PER_S)
    rig.tell(
        message.OverrideRequested(
            Setpoint(watts, 0),
            CommandType.SET_CHARGE_RATE,
            ends,
            until_us,
            "ann",
            "why",
            "operator",
            rig.replies.append,
        )
    )
    return str(rig.replies[-1])


def release(rig: Rig) -> None:
    """Release by hand."""
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


def clear(rig: Rig, only: str | None = None) -> list[events.AssetEvent]:
    """Clear the override."""
    return rig.tell(message.OverrideCleared("bob", "enough", rig.replies.append, only))


def source(rig: Rig) -> str | None:
    """Return what says what should hold."""
    return None if rig.state.desired is None else rig.state.desired.source


# --- while it lasts


def test_a_rate_by_hand_outranks_the_plan(rig: Rig) -> None:
    """Its decision names what it outranks."""
    own_id = by_hand(rig, 2_000)
    assert rig.sent[-1]["charge_kw"] == 2
    assert rig.state.desired is not None
    assert rig.state.desired.losers == (("schedule", 11_000, 0),)
    rig.answer()
    assert rig.history()[own_id].status == "COMPLETED"


def test_an_override_to_what_is_planned_has_no_losers(rig: Rig) -> None:
    """It is sent all the same: a person asked for it."""
    own_id = by_hand(rig, 11_000)
    assert rig.state.desired is not None
    assert rig.state.desired.losers == ()
    rig.answer()
    assert rig.history()[own_id].attempts[0].outcome == "accepted"


def test_planned_changes_are_passed_over_meanwhile(rig: Rig) -> None:
    """CANCELLED override, each with one event, and nothing is sent."""
    by_hand(rig, 2_000)
    rig.answer()
    happened = rig.advance(900)
    assert names_of(happened) == ["PlanCut"]
    assert rig.history()["cmd_1.0.1"].reason == "override"
    assert len(rig.sent) == 2


def test_a_command_by_hand_that_waits_is_not_replaced_by_a_planned_change(rig: Rig) -> None:
    """It goes when the device is back."""
    rig.observe(base.Disconnected())
    own_id = by_hand(rig, 2_000)
    rig.advance(900)
    assert rig.history()[own_id].reason == "held:offline"
    rig.observe(base.Connected())
    rig.answer()
    assert rig.history()[own_id].status == "COMPLETED"


def test_a_planned_command_that_waits_is_replaced_by_an_override(rig: Rig) -> None:
    """CANCELLED override, by its id."""
    rig.observe(base.Disconnected())
    rig.advance(900)
    by_hand(rig, 2_000)
    record = rig.history()["cmd_1.0.1"]
    assert (record.status, record.reason) == ("CANCELLED", "override")
    assert rig.state.override is not None
    assert record.ended_by == rig.state.override.override_id


def test_a_change_that_is_due_when_an_override_begins_is_passed_over(rig: Rig) -> None:
    """An attempt was on the wire when both came."""
    rig.advance(899)
    rig.observe(base.Connected(booted=True))
    rig.advance(1)
    by_hand(rig, 2_000)
    rig.answer()
    assert rig.history()["cmd_1.0.1"].reason == "override"
    assert rig.sent[-1]["charge_kw"] == 2


def test_a_re_assertion_of_an_override_is_a_new_command(rig: Rig) -> None:
    """The person's own is sent once."""
    own_id = by_hand(rig, 2_000)
    rig.answer()
    rig.observe(base.Connected(booted=True))
    rig.answer()
    assert len(rig.history()[own_id].attempts) == 1
    assert rig.sent[-1]["charge_kw"] == 2


def test_an_override_works_before_any_plan() -> None:
    """Nothing has to be offered first."""
    rig = Rig(charger_rules())
    rig.connect("CHARGING")
    by_hand(rig, 2_000)
    rig.answer()
    assert rig.story() == [f"{rig.story()[0].split()[0]} COMPLETED"]


def test_an_override_goes_on_after_the_horizon(rig: Rig) -> None:
    """It outranks the fallback too."""
    by_hand(rig, 2_000)
    rig.answer()
    rig.advance(9_000)
    assert source(rig) == "override"
    clear(rig)
    assert source(rig) == "fallback"


# --- how it ends


def test_an_override_ends_at_its_time(rig: Rig) -> None:
    """Then the plan rules again, with a command of the rule."""
    by_hand(rig, 2_000, "time", 100)
    rig.answer()
    assert rig.state.desired is not None
    assert rig.state.desired.expires_us == rig.now.plan_us + 100 * US_PER_S
    happened = rig.advance(100)
    assert names_of(happened) == ["OverrideEnded", "CommandCreated", "AttemptStarted"]
    assert rig.sent[-1]["charge_kw"] == 11


def test_a_rate_by_hand_ends_with_the_next_planned_change(rig: Rig) -> None:
    """That change is taken up as planned."""
    by_hand(rig, 2_000, "next_change")
    rig.answer()
    rig.advance(900)
    assert rig.sent[-1]["charge_kw"] == 7
    rig.answer()
    assert rig.history()["cmd_1.0.1"].status == "COMPLETED"


def test_a_rate_by_hand_ends_after_an_hour_at_most(rig: Rig) -> None:
    """Where no change comes before."""
    for _ in range(2):
        rig.advance(900)
        rig.answer()
    by_hand(rig, 2_000, "next_change")
    rig.answer()
    rig.advance(3_599)
    assert rig.state.override is not None
    rig.advance(1)
    assert rig.state.override is None


def test_a_rate_by_hand_ends_with_the_first_change_of_a_later_plan(rig: Rig) -> None:
    """Where that comes first."""
    rig.offer(plan_of((500, CHARGE, 3_000), (600, CHARGE, 0)), 9_000, sequence=2)
    by_hand(rig, 2_000, "next_change")
    assert rig.state.override is not None
    assert rig.state.override.until_us == Rig.START_US + 500 * US_PER_S


def test_a_rate_by_hand_without_a_plan_lasts_an_hour() -> None:
    """There is no change to wait for."""
    rig = Rig(charger_rules())
    rig.connect("CHARGING")
    by_hand(rig, 2_000, "next_change")
    assert rig.state.override is not None
    assert rig.state.override.until_us == Rig.START_US + 3_600 * US_PER_S


def test_a_pause_ends_by_resume_only(rig: Rig) -> None:
    """Not with a planned change, and not with what ends another override."""
    by_hand(rig, 0, "resume")
    rig.answer()
    rig.advance(900)
    assert rig.state.override is not None
    assert clear(rig) == []
    assert str(rig.replies[-1]) == "ast_ev is paused: resume it"
    ended = clear(rig, "resume")[0]
    assert isinstance(ended, events.OverrideEnded)
    assert (ended.reason, ended.by) == ("resumed", "bob")
    assert rig.sent[-1]["charge_kw"] == 7


@pytest.mark.parametrize("ends", ["time", "unplugged", "next_change", "resume"])
def test_a_paused_asset_takes_no_power(rig: Rig, ends: str) -> None:
    """However long it would be for."""
    by_hand(rig, 0, "resume")
    rig.answer()
    paused = rig.state
    by_hand(rig, 2_000, ends, 100)
    assert isinstance(rig.replies[-1], CommandRefused)
    assert str(rig.replies[-1]) == "ast_ev is paused: resume it first"
    assert rig.state.override == paused.override
    assert rig.state.attempt is None


def test_a_paused_asset_is_not_released() -> None:
    """On its own it may take what it likes."""
    rig = Rig(battery_rules())
    rig.connect()
    by_hand(rig, 0, "resume")
    rig.answer()
    release(rig)
    assert str(rig.replies[-1]) == "ast_batt is paused: resume it first"


@pytest.mark.parametrize("ends", ["time", "unplugged", "next_change", "resume"])
def test_a_paused_asset_takes_another_0_and_stays_paused(rig: Rig, ends: str) -> None:
    """It is sent, with a command of its own, and outlasts the end that was asked for."""
    by_hand(rig, 0, "resume")
    rig.answer()
    own_id = by_hand(rig, 0, ends, 100)
    rig.answer()
    rig.advance(5_000)
    assert rig.history()[own_id].attempts[0].outcome == "accepted"
    assert rig.state.override is not None
    assert (rig.state.override.ends, rig.state.override.until_us) == ("resume", None)
    clear(rig, "resume")
    assert rig.state.override is None


def test_a_pause_takes_the_place_of_a_rate_by_hand(rig: Rig) -> None:
    """Whatever that one's end."""
    by_hand(rig, 2_000)
    rig.answer()
    by_hand(rig, 0, "resume")
    assert rig.sent[-1]["charge_kw"] == 0
    assert rig.state.override is not None
    assert rig.state.override.ends == "resume"


def test_only_a_pause_can_be_resumed(rig: Rig) -> None:
    """Another override is cleared."""
    by_hand(rig, 2_000, "time", 100)
    assert clear(rig, "resume") == []
    assert isinstance(rig.replies[-1], CommandRefused)
    rig.answer()
    ended = clear(rig)[0]
    assert isinstance(ended, events.OverrideEnded)
    assert ended.reason == "cleared"


def test_nothing_can_be_cleared_where_nothing_is_set(rig: Rig) -> None:
    """The person is told."""
    assert clear(rig) == []
    assert str(rig.replies[-1]) == "ast_ev has no override"


def test_a_newer_override_replaces_an_older(rig: Rig) -> None:
    """The older one ends, and so does its command if it was not sent."""
    rig.observe(base.Disconnected())
    first = by_hand(rig, 2_000)
    second = by_hand(rig, 3_000)
    record = rig.history()[first]
    assert (record.status, record.reason) == ("CANCELLED", "override")
    rig.observe(base.Connected())
    rig.answer()
    assert rig.history()[second].status == "COMPLETED"


def test_an_override_to_the_same_value_is_sent_again(rig: Rig) -> None:
    """Its command is the newer person's."""
    by_hand(rig, 2_000)
    rig.answer()
    second = by_hand(rig, 2_000)
    rig.answer()
    assert rig.history()[second].status == "COMPLETED"
    assert len(rig.sent) == 3


def test_an_override_replaced_before_it_could_begin_ends_its_command(rig: Rig) -> None:
    """An attempt was on the wire all the time."""
    by_hand(rig, 1_000)
    second = by_hand(rig, 2_000)
    by_hand(rig, 3_000)
    record = rig.history()[second]
    assert (record.status, record.reason) == ("CANCELLED", "override")


@pytest.mark.parametrize(("way", "reason"), [("clear", "operator"), ("expire", "expired")])
def test_a_command_that_waits_ends_with_its_override(rig: Rig, way: str, reason: str) -> None:
    """By the operator, or expired."""
    rig.observe(base.Disconnected())
    own_id = by_hand(rig, 2_000, "time", 100)
    if way == "clear":
        clear(rig)
    else:
        rig.advance(100)
    record = rig.history()[own_id]
    assert (record.status, record.reason) == ("CANCELLED", reason)


def test_a_command_in_backoff_when_its_override_ends_on_the_wire_expires(rig: Rig) -> None:
    """It came back after the end."""
    own_id = by_hand(rig, 2_000, "time", 5)
    rig.advance(5)
    rig.answer(outcome="error")
    assert rig.history()[own_id].reason == "expired"


def test_an_override_whose_end_is_past_ends_at_once(rig: Rig) -> None:
    """Its command with it."""
    own_id = by_hand(rig, 2_000, "time", -1)
    assert rig.history()[own_id].reason == "expired"
    assert rig.state.override is None


def test_a_release_by_hand_lasts_until_the_next_change(rig: Rig) -> None:
    """The device is on its own meanwhile."""
    release(rig)
    assert rig.sent[-1]["type"] == "RELEASE"
    rig.answer()
    assert rig.history()[str(rig.replies[-1])].status == "COMPLETED"
    rig.advance(900)
    assert rig.sent[-1]["charge_kw"] == 7


# --- what is refused


@pytest.mark.parametrize(
    ("rules", "target", "kind"),
    [
        (charger_rules(), Setpoint(22_001, 0), CommandType.SET_CHARGE_RATE),
        (charger_rules(), Setpoint(0, 1), CommandType.SET_DISCHARGE_RATE),
        (charger_rules(), Setpoint(0, 0), CommandType.SET_DISCHARGE_RATE),
        (battery_rules(), Setpoint(50_001, 0), CommandType.SET_CHARGE_RATE),
        (battery_rules(), Setpoint(0, 50_001), CommandType.SET_DISCHARGE_RATE),
    ],
)
def test_what_an_asset_cannot_do_is_refused(
    rules: object, target: Setpoint, kind: CommandType
) -> None:
    """Nothing is recorded."""
    rig = Rig(rules)  # type: ignore[arg-type]  # one of the two
    happened = rig.tell(
        message.OverrideRequested(
            target, kind, "resume", None, "ann", "why", "override", rig.replies.append
        )
    )
    assert happened == []
    assert isinstance(rig.replies[0], CommandRefused)


@pytest.mark.parametrize(
    ("rules", "kind"),
    [
        (battery_rules(), CommandType.START_CHARGING),
        (charger_rules(), CommandType.SET_CHARGE_RATE),
        (charger_rules(), CommandType.RELEASE),
    ],
)
def test_a_single_command_that_sets_a_setpoint_is_refused(rules: object, kind: CommandType) -> None:
    """It would not last; a battery has no charge to start."""
    rig = Rig(rules)  # type: ignore[arg-type]  # one of the two
    rig.tell(message.CommandRequested(kind, "ann", "why", {}, rig.replies.append))
    assert isinstance(rig.replies[0], CommandRefused)


def test_an_asset_that_is_not_configured_refuses_everything() -> None:
    """Whoever asks is told, and the dispatcher too."""
    rig = Rig(charger_rules())
    rig.tell(message.Configured(None))
    reply = rig.replies.append
    by_hand(rig, 2_000)
    clear(rig)
    rig.tell(
        message.CommandRequested(CommandType.CALL, "ann", "why", {}, reply),
        message.CancelRequested(CommandId("cmd_x"), "ann", "why", reply),
    )
    assert [type(one) for one in rig.replies] == [CommandRefused] * 4
    rig.offer(DAY, 9_000)
    assert rig.effects[-1].rejected == "not configured"  # type: ignore[union-attr]  # OfferTaken


def test_an_asset_whose_stream_cannot_be_read_refuses_everything() -> None:
    """The row is named; nothing is decided, and `state` shows an alarm."""
    rig = Rig(charger_rules())
    rig.connect("CHARGING")
    outside = replace(rig.state.outside, unreadable="the row at position 7 cannot be read")
    rig.state = replace(rig.state, outside=outside)
    before = len(rig.events)
    by_hand(rig, 2_000)
    rig.offer(DAY, 9_000)
    rig.tell(message.Stopping())
    (reply,) = rig.replies
    assert str(reply).endswith("takes no command: the row at position 7 cannot be read")
    assert len(rig.events) == before
    assert view_of(rig.state, rig.now).alarms == ("unreadable",)


# --- cancelling


def cancel(rig: Rig, command_id: str) -> list[events.AssetEvent]:
    """Cancel a command."""
    return rig.tell(message.CancelRequested(CommandId(command_id), "bob", "no", rig.replies.append))


def test_a_waiting_command_can_be_cancelled(rig: Rig) -> None:
    """Its setpoint is not tried again until something happens."""
    rig.observe(base.Disconnected())
    own_id = by_hand(rig, 2_000)
    happened = cancel(rig, own_id)
    assert names_of(happened) == ["CommandCancelled"]
    record = rig.history()[own_id]
    assert (record.reason, record.ended_by) == ("operator", "bob")
    assert rig.advance(1_000) == [events.PlanCut(rig.events[-1].schedule_id, 1, 2, "override")]  # type: ignore[union-attr]  # a cut
    rig.observe(base.Connected())
    assert rig.sent[-1]["charge_kw"] == 2


def test_a_cancelled_setpoint_stays_cancelled_on_a_device_that_is_there(rig: Rig) -> None:
    """No sweep brings it back."""
    rig.adapter.can_ask = False
    by_hand(rig, 2_000)
    rig.answer(outcome="error")
    cancel(rig, str(rig.replies[0]))
    assert rig.advance(800) == []


def test_a_command_on_the_wire_cannot_be_cancelled(rig: Rig) -> None:
    """It finishes."""
    own_id = by_hand(rig, 2_000)
    assert cancel(rig, own_id) == []
    assert str(rig.replies[-1]) == f"{own_id} is on the wire"


def test_a_command_of_unknown_outcome_cannot_be_cancelled(rig: Rig) -> None:
    """It may have been carried out."""
    own_id = by_hand(rig, 2_000)
    rig.answer(outcome="timed_out")
    cancel(rig, own_id)
    assert "not known" in str(rig.replies[-1])


def test_an_accepted_command_cannot_be_cancelled() -> None:
    """Its evidence is still being gathered."""
    rig = Rig(battery_rules())
    rig.connect()
    own_id = by_hand(rig, 2_000, "time", 600)
    rig.answer()
    cancel(rig, own_id)
    assert "accepted already" in str(rig.replies[-1])


def test_a_battery_is_never_unplugged() -> None:
    """Its override would have no end."""
    rig = Rig(battery_rules())
    rig.connect()
    assert "nobody unplugs" in by_hand(rig, 2_000)
    assert rig.state.override is None


def test_half_a_pair_is_cancelled_with_the_other_half() -> None:
    """Unless that has begun."""
    rig = Rig(battery_rules())
    both = plan_of((0, Channel.DISCHARGE, 0), (0, CHARGE, 5_000), columns=("c", "d"))
    rig.offer(both, 900)
    cancel(rig, "cmd_1.0.1")
    assert rig.story() == ["1.0.0 CANCELLED operator", "1.0.1 CANCELLED operator"]


def test_the_second_half_of_a_pair_can_be_cancelled_alone() -> None:
    """The first is on the wire and finishes."""
    rig = Rig(battery_rules())
    rig.connect()
    both = plan_of((0, Channel.DISCHARGE, 0), (0, CHARGE, 5_000), columns=("c", "d"))
    rig.offer(both, 900)
    cancel(rig, "cmd_1.0.1")
    rig.read_back()
    assert rig.story() == ["1.0.0 COMPLETED", "1.0.1 CANCELLED operator"]
    assert rig.state.work is None


def test_an_order_that_waits_can_be_cancelled(rig: Rig) -> None:
    """Nothing else is touched."""
    rig.observe(base.Disconnected())
    reply = rig.replies.append
    rig.tell(message.CommandRequested(CommandType.CALL, "ann", "why", {}, reply))
    own_id = str(rig.replies[-1])
    assert rig.history()[own_id].reason == "held:offline"
    cancel(rig, own_id)
    assert rig.history()[own_id].status == "CANCELLED"
    assert rig.state.orders == ()


@pytest.mark.parametrize("command_id", ["cmd_1.0.0", "cmd_1.0.2", "cmd_x"])
def test_what_is_not_open_cannot_be_cancelled(rig: Rig, command_id: str) -> None:
    """It is over, has not begun or never was."""
    assert cancel(rig, command_id) == []
    assert isinstance(rig.replies[-1], UnknownCommand)
