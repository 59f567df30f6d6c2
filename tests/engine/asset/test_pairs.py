"""A battery's setpoint is the pair: in two steps, the channel that goes to zero first."""

from collections.abc import Callable

import pytest

from actors.testing.rig import Rig, battery_rules, names_of, plan_of
from engine.adapters import base
from engine.asset import messages as message
from engine.commands import CommandType
from engine.events import Setpoint
from engine.types import Channel

CHARGE, DISCHARGE = Channel.CHARGE, Channel.DISCHARGE
COLUMNS = ("battery_charge_kw", "battery_discharge_kw")
TURN = plan_of(
    (0, DISCHARGE, 0), (0, CHARGE, 5_000), (60, CHARGE, 0), (60, DISCHARGE, 3_000), columns=COLUMNS
)


def battery(**changes: object) -> Rig:
    """Return a connected battery that keeps what it was told for long."""
    rig = Rig(battery_rules(failsafe_after_s=100_000, **changes))
    rig.connect()
    rig.tell(message.NothingOffered())
    return rig


@pytest.fixture
def rig() -> Rig:
    """Return a battery that charges with 5 kW and turns to discharge after a minute."""
    rig = battery()
    rig.offer(TURN, 600)
    rig.read_back()
    rig.read_back()
    return rig


def steps(rig: Rig) -> list[tuple[object, ...]]:
    """Return what was sent: the type and the resulting pair."""
    return [(body["type"], body["charge_kw"], body["discharge_kw"]) for body in rig.sent]


def test_the_channel_that_goes_to_zero_is_first(rig: Rig) -> None:
    """The other follows when the first is COMPLETED, with the slot's own pair."""
    rig.advance(60)
    assert steps(rig)[2:] == [("SET_CHARGE_RATE", 0, 0)]
    rig.read_back()
    assert steps(rig)[3:] == [("SET_DISCHARGE_RATE", 0, 3)]
    rig.read_back()
    assert [line.split()[1] for line in rig.story()] == ["COMPLETED"] * 4


def test_the_first_slot_sets_the_zero_first_too(rig: Rig) -> None:
    """With nothing known both channels are set."""
    assert steps(rig) == [("SET_DISCHARGE_RATE", 0, 0), ("SET_CHARGE_RATE", 5, 0)]


def test_a_channel_that_stays_at_zero_does_not_interrupt_the_other() -> None:
    """Halfway the other channel still holds what it held."""
    rig = battery()
    rig.observe(base.Disconnected(), base.SetpointRead(3.0, 0.0), base.Connected())
    rig.offer(TURN, 600)
    assert steps(rig) == [("SET_DISCHARGE_RATE", 3, 0)]


def test_only_the_channel_that_changes_is_a_command() -> None:
    """The other is known to hold its value."""
    rig = battery()
    rig.offer(plan_of(*_pair(0, 5_000, 0), (60, CHARGE, 2_000), columns=COLUMNS), 600)
    rig.read_back()
    rig.read_back()
    rig.advance(60)
    assert steps(rig)[2:] == [("SET_CHARGE_RATE", 2, 0)]


def test_a_failed_first_half_blocks_the_second(rig: Rig) -> None:
    """The second ends CANCELLED blocked, and the battery goes to its fallback."""
    rig.advance(60)
    happened = rig.answer(outcome="rejected")
    assert names_of(happened)[:2] == ["AttemptEnded", "CommandCancelled"]
    assert rig.story()[2:4] == ["1.0.2 FAILED rejected", "1.0.3 CANCELLED blocked"]
    assert rig.state.desired is not None
    assert rig.state.desired.source == "fallback"
    assert rig.state.desired.target == Setpoint(0, 0)
    assert steps(rig)[-1] == ("SET_CHARGE_RATE", 0, 0)


def test_after_a_while_a_blocked_pair_is_tried_again(rig: Rig) -> None:
    """`reassert_s` later, as new commands."""
    rig.advance(60)
    rig.answer(outcome="rejected")
    rig.read_back()
    rig.advance(299.9)
    assert rig.state.desired is not None
    assert rig.state.desired.source == "fallback"
    rig.advance(0.1)
    assert rig.state.desired.source == "schedule"
    assert steps(rig)[-1] == ("SET_DISCHARGE_RATE", 0, 3)


def test_a_fallback_that_fails_too_is_given_up_for_a_while(rig: Rig) -> None:
    """No flood: each is tried once in `reassert_s`."""
    rig.advance(60)
    rig.answer(outcome="rejected")
    rig.answer(outcome="rejected")
    assert rig.state.attempt is None
    assert rig.advance(299) == []


@pytest.mark.parametrize("outcome", ["timed_out", "rejected"])
def test_a_timed_out_first_half_blocks_the_second(rig: Rig, outcome: base.Outcome) -> None:
    """Whichever way it fails."""
    rig = battery(max_retries=0)
    rig.offer(TURN, 600)
    rig.answer(outcome=outcome)
    assert rig.story()[1] == "1.0.1 CANCELLED blocked"


def test_a_first_half_that_nobody_can_clear_up_blocks_the_second() -> None:
    """After a crash in the last attempt the device does not know."""
    rig = battery(max_retries=0)
    rig.adapter.can_ask = False
    rig.offer(TURN, 600)
    rig.restart()
    rig.connect()
    assert rig.story()[:2] == ["1.0.0 TIMED_OUT unknown", "1.0.1 CANCELLED blocked"]


def test_a_clamped_first_half_blocks_the_second() -> None:
    """The register was read back with another value."""
    rig = battery()
    rig.offer(TURN, 600)
    rig.answer(base.SetpointRead(0.0, 1.0))
    assert rig.story()[0].startswith("1.0.0 FAILED clamped")
    assert rig.story()[1] == "1.0.1 CANCELLED blocked"


def test_an_unspeakable_first_half_blocks_the_second() -> None:
    """The adapter knows no form of it."""
    rig = battery()
    rig.adapter.forms = 0
    rig.offer(TURN, 600)
    assert rig.story()[0].startswith("1.0.0 FAILED unsupported")
    assert rig.story()[1] == "1.0.1 CANCELLED blocked"
    assert rig.sent == []


def test_a_newer_setpoint_replaces_the_pair_and_not_its_first_half(rig: Rig) -> None:
    """What is on the wire finishes; its second half never goes."""
    rig.advance(60)
    rig.offer(plan_of(*_pair(60, 1_000, 0), columns=COLUMNS), 600, sequence=2)
    rig.read_back()
    assert rig.story()[2:4] == ["1.0.2 COMPLETED", "1.0.3 CANCELLED superseded"]
    assert steps(rig)[-1] == ("SET_DISCHARGE_RATE", 0, 0)
    rig.read_back()
    assert steps(rig)[-1] == ("SET_CHARGE_RATE", 1, 0)


def test_a_shared_register_takes_both_commands_in_one_attempt() -> None:
    """Both are listed in it, and both end with its outcome."""
    rig = battery(shared_register=True)
    rig.offer(TURN, 600)
    attempt = rig.state.attempt
    assert attempt is not None
    assert attempt.command_ids == ("cmd_1.0.0", "cmd_1.0.1")
    assert attempt.type is CommandType.SET_CHARGE_RATE
    rig.read_back()
    assert rig.story()[:2] == ["1.0.0 COMPLETED", "1.0.1 COMPLETED"]


def test_a_shared_register_fails_both_commands() -> None:
    """There is no half of one register."""
    rig = battery(shared_register=True)
    rig.offer(TURN, 600)
    rig.answer(outcome="rejected")
    assert rig.story()[:2] == ["1.0.0 FAILED rejected", "1.0.1 FAILED rejected"]


def test_planned_commands_of_what_holds_already_are_known() -> None:
    """They are COMPLETED without a frame: a rate by hand came to the same value before."""
    rig = battery()
    rig.offer(plan_of(*_pair(0, 5_000, 0), (60, CHARGE, 2_000), columns=COLUMNS), 120)
    rig.read_back()
    rig.read_back()
    rig.tell(by_hand(Setpoint(2_000, 0), CommandType.SET_CHARGE_RATE, rig.replies.append))
    rig.read_back()
    frames = len(rig.sent)
    assert names_of(rig.advance(60)) == ["OverrideEnded", "SetpointDecided", "CommandVerified"]
    assert len(rig.sent) == frames
    last = rig.history()["cmd_1.0.2"]
    assert (last.status, last.evidence) == ("COMPLETED", "known")


def test_what_holds_already_needs_no_command(rig: Rig) -> None:
    """The end of an override at the plan's own value is one event."""
    rig.tell(by_hand(Setpoint(5_000, 0), CommandType.SET_CHARGE_RATE, rig.replies.append))
    rig.read_back()
    happened = rig.tell(message.OverrideCleared("ann", "enough", rig.replies.append))
    assert names_of(happened) == ["OverrideEnded", "SetpointDecided"]


def by_hand(
    target: Setpoint, kind: CommandType, reply: Callable[[object], None]
) -> message.OverrideRequested:
    """Return a setpoint by hand until the next planned change."""
    return message.OverrideRequested(
        target, kind, "next_change", None, "ann", "why", "operator", reply
    )


@pytest.mark.parametrize(
    ("target", "kind"),
    [
        (Setpoint(0, 2_000), CommandType.SET_DISCHARGE_RATE),
        (Setpoint(2_000, 0), CommandType.SET_CHARGE_RATE),
    ],
)
def test_a_rate_by_hand_is_its_own_step_of_the_pair(target: Setpoint, kind: CommandType) -> None:
    """The person's command is the one on its channel; what has to go first is a new one."""
    rig = battery()
    rig.offer(plan_of(*_pair(0, 5_000, 0), columns=COLUMNS), 600)
    rig.read_back()
    rig.read_back()
    replies: list[object] = []
    rig.tell(by_hand(target, kind, replies.append))
    while rig.state.attempt is not None:
        rig.read_back()
    mine = rig.history()[str(replies[0])]
    assert (mine.status, mine.type) == ("COMPLETED", kind)
    assert mine.attempts[0].outcome == "accepted"
    assert steps(rig)[-1] == (kind, (target.charge_w or 0) / 1000, (target.discharge_w or 0) / 1000)


def test_a_batterys_stop_is_the_pair_of_zeros_in_one_attempt(rig: Rig) -> None:
    """The adapter writes both channels; nothing is left of it for another command."""
    replies: list[object] = []
    rig.tell(by_hand(Setpoint(0, 0), CommandType.STOP_CHARGING, replies.append))
    rig.read_back()
    assert rig.history()[str(replies[0])].status == "COMPLETED"
    assert rig.state.work is None
    assert steps(rig)[-1] == ("STOP_CHARGING", 0, 0)


def test_of_several_missed_changes_the_newest_of_each_channel_counts(rig: Rig) -> None:
    """Those between them are passed over in one cut."""
    changes = ((60, CHARGE, 1_000), (65, CHARGE, 2_000), (70, CHARGE, 3_000), (75, CHARGE, 4_000))
    rig.offer(plan_of(*changes, columns=COLUMNS), 600, sequence=2)
    rig.advance(80)
    rig.read_back()
    assert steps(rig)[-1] == ("SET_CHARGE_RATE", 4, 0)
    assert [line.split(" ", 1)[1] for line in rig.story()[-3:-1]] == ["CANCELLED superseded"] * 2


def test_a_re_assertion_sets_only_what_is_not_held(rig: Rig) -> None:
    """Another controller changed one channel."""
    rig.observe(base.SetpointRead(4.0, 0.0))
    assert steps(rig)[-1] == ("SET_CHARGE_RATE", 5, 0)
    assert len(rig.state.work.steps if rig.state.work else ()) == 1


def test_a_discharge_that_is_forgotten_is_set_again() -> None:
    """With nothing known the channel above zero is set, the adapter zeroes the other."""
    rig = battery()
    rig.offer(plan_of((0, CHARGE, 0), (0, DISCHARGE, 3_000), columns=COLUMNS), 600)
    rig.read_back()
    rig.read_back()
    rig.observe(base.Connected(booted=True))
    assert steps(rig)[2:] == [("SET_DISCHARGE_RATE", 0, 3)]
    rig.read_back()
    assert rig.state.work is None


def _pair(
    after_s: float, charge_w: int, discharge_w: int
) -> tuple[tuple[float, Channel, int], ...]:
    """Return the two changes of an instant, that to zero first."""
    changes = [(after_s, CHARGE, charge_w), (after_s, DISCHARGE, discharge_w)]
    return tuple(sorted(changes, key=lambda one: (one[2] > 0, one[1])))
