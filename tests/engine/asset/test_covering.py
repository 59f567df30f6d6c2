"""What lies beneath a transaction's own setpoint is lowered along with it, under a site limit."""

from collections.abc import Mapping
from typing import Final

import pytest
from msgspec import UNSET
from msgspec.structs import replace

from actors.testing.rig import FakeSpelling, Rig, charger_rules, plan_of
from engine import events
from engine.adapters import base
from engine.asset import AssetState, evolve
from engine.asset import effects as effect
from engine.asset import messages as message
from engine.asset.beneath import Beneath
from engine.asset.state import Remains
from engine.commands import CommandStatus, CommandType
from engine.grants import UNBOUNDED_W, Bound, Grant
from engine.types import US_PER_S, Channel, Instant

CHARGE: Final = Channel.CHARGE
LONG: Final[Mapping[str, object]] = {"failsafe_after_s": 10_000.0}
FREE: Final = Bound(UNBOUNDED_W, 0)
WIDE: Final = Grant(Bound(22_000, 22_000, 30_000), FREE)
PLAN: Final = plan_of((0, CHARGE, 11_000), (600, CHARGE, 6_000), (1_200, CHARGE, 9_000))


def begin(key: str = "7") -> base.TransactionChanged:
    """Return the start of a transaction."""
    return base.TransactionChanged("started", key, f"key {key}", "TAG")


def end(key: str = "7") -> base.TransactionChanged:
    """Return its end."""
    return base.TransactionChanged("ended", key)


def plugged(
    grant: Grant | None = WIDE, adapter: FakeSpelling | None = None, **rules: object
) -> Rig:
    """Return a charger that has taken 11 kW as its default, in a transaction with 11 kW."""
    rig = Rig(charger_rules(**{**LONG, **rules}), adapter, grant=grant)
    rig.connect("PREPARING")
    rig.offer(PLAN, 2_700)
    while rig.state.attempt is not None:
        rig.answer()
    rig.observe(begin())
    rig.answer()
    return rig


def frames(rig: Rig) -> list[tuple[str, object]]:
    """Return what was sent last: each frame's action and power."""
    sent = [one for one in rig.effects if isinstance(one, effect.Send)][-1]
    return [(frame.action, frame.body["charge_kw"]) for frame in sent.payload.frames]


def holds_w(rig: Rig) -> int:
    """Return what was claimed last as the most that the device may hold."""
    return [one.claim for one in rig.effects if isinstance(one, effect.Claimed)][-1].charge.holds_w


BOTH: Final = [("set default", 6), ("set", 6)]
ALONE: Final = [("set", 6)]


def test_a_lower_setpoint_lowers_the_default_first() -> None:
    """In one attempt; once it is completed the device may hold no more, whatever ends."""
    rig = plugged()
    assert rig.state.beneath is not None
    assert rig.state.beneath.charge_w == 11_000
    rig.advance(600)
    assert frames(rig) == BOTH
    assert holds_w(rig) == 11_000
    rig.answer()
    assert holds_w(rig) == 6_000
    rig.observe(end())
    assert holds_w(rig) == 6_000


def test_a_higher_setpoint_leaves_the_default_as_it_is() -> None:
    """It allows less than is granted."""
    rig = plugged()
    rig.advance(600)
    rig.answer()
    rig.advance(600)
    assert frames(rig) == [("set", 9)]
    rig.answer()
    assert rig.state.beneath is not None
    assert rig.state.beneath.charge_w == 6_000
    rig.observe(end())
    assert holds_w(rig) == 9_000


def test_without_a_limit_nothing_goes_along() -> None:
    """Nor is anything of it on record."""
    rig = plugged(None)
    rig.advance(600)
    assert frames(rig) == ALONE
    started = [one for one in rig.events if isinstance(one, events.AttemptStarted)]
    assert {one.lowers_default for one in started} == {UNSET}


def test_what_was_set_without_a_limit_is_lowered_under_one() -> None:
    """The log knows of it, also after a restart."""
    rig = plugged(None)
    rig._grant = WIDE  # noqa: SLF001 - the next engine runs under a limit
    rig.advance(590)
    rig.restart()
    rig.observe(base.Connected(), base.StateReported("CHARGING", "CHARGING"))
    rig.answer()
    rig.advance(60)
    assert frames(rig) == BOTH


def test_a_default_whose_lease_is_over_is_left_alone() -> None:
    """The device has gone to its fallback beneath by itself; its clock may be a minute slow."""
    rig = plugged(failsafe_after_s=300.0)
    while rig.now.plan_us < Rig.START_US + 595 * US_PER_S:
        rig.advance(5)
        if rig.state.attempt is not None:
            rig.answer()
    rig.advance(10)
    assert frames(rig) == ALONE
    rig.answer()
    assert holds_w(rig) == 6_000


def test_a_device_that_has_taken_no_default_is_sent_none() -> None:
    """It was found with a vehicle that charges."""
    rig = Rig(charger_rules(**LONG), grant=WIDE)
    rig.connect("CHARGING")
    rig.observe(begin())
    rig.offer(PLAN, 2_700)
    while rig.state.attempt is not None:
        rig.answer()
    rig.advance(600)
    assert frames(rig) == ALONE


def test_a_default_that_is_refused_stays_reserved_and_the_setpoint_goes_alone() -> None:
    """At once, in the same form, and for as long as the transaction lasts."""
    rig = plugged(adapter=FakeSpelling(3))
    rig.advance(600)
    rig.answer({"status": "Rejected"}, outcome="rejected", reason="unsupported")
    assert frames(rig) == ALONE
    assert rig.state.refused == ()
    rig.answer()
    assert holds_w(rig) == 11_000
    rig.offer(plan_of((600, CHARGE, 5_000)), 2_700, sequence=2)
    assert frames(rig) == [("set", 5)]
    rig.answer()
    rig.observe(end())
    assert holds_w(rig) == 11_000
    rig.answer()
    assert holds_w(rig) == 5_000


def test_a_setpoint_that_is_refused_after_its_default_goes_on_in_its_next_form() -> None:
    """The default goes along with that too."""
    rig = plugged(adapter=FakeSpelling(3))
    rig.advance(600)
    rig.answer({"status": "Accepted"}, {"status": "Rejected"}, outcome="rejected")
    assert frames(rig) == BOTH
    assert rig.state.attempt is not None
    assert rig.state.attempt.form == 1


def test_what_keeps_failing_goes_without_the_default() -> None:
    """Whoever answers it with errors, or not at all, gets its setpoint the third time."""
    rig = plugged()
    rig.advance(600)
    rig.answer(outcome="error")
    rig.advance(5)
    assert frames(rig) == BOTH
    rig.answer(outcome="error")
    rig.advance(10)
    assert frames(rig) == ALONE
    rig.answer()
    assert holds_w(rig) == 11_000
    rig.offer(plan_of((600, CHARGE, 5_000)), 2_700, sequence=2)
    assert frames(rig) == [("set default", 5), ("set", 5)]


def test_a_doubt_that_is_cleared_up_is_of_both() -> None:
    """The default went first."""
    rig = plugged()
    rig.advance(600)
    rig.answer(outcome="link_lost")
    (asked,) = (one for one in rig.effects if isinstance(one, effect.Ask))
    assert holds_w(rig) == 11_000
    read = base.SetpointRead(6.0, None)
    rig.tell(message.QuestionAnswered(asked.attempt_id, base.Answer("raw", values=(read,))))
    assert holds_w(rig) == 6_000


def test_a_boot_ends_the_transaction_and_what_lay_beneath_may_be_in_force() -> None:
    """A charger keeps its default."""
    rig = plugged(adapter=FakeSpelling(3))
    rig.advance(600)
    rig.answer({"status": "Rejected"}, outcome="rejected")
    rig.answer()
    rig.observe(base.Connected(booted=True))
    assert rig.state.remains is not None
    assert rig.state.remains.charge_w == 11_000


def test_a_setpoint_on_its_way_when_a_vehicle_comes_may_be_the_default() -> None:
    """It was spelled as one."""
    rig = Rig(charger_rules(**LONG), grant=WIDE)
    rig.connect("PREPARING")
    rig.offer(PLAN, 2_700)
    rig.observe(begin())
    assert rig.state.beneath is not None
    assert rig.state.beneath.charge_w == 11_000
    rig.answer()
    assert rig.state.beneath.charge_w == 11_000


def test_the_next_vehicle_finds_the_default_of_the_one_before() -> None:
    """If it comes before anything was set; what is set without a vehicle takes its place."""
    rig = plugged()
    rig.observe(end())
    rig.observe(begin("8"))
    assert rig.state.beneath is not None
    assert rig.state.beneath.charge_w == 11_000
    rig.answer()
    rig.answer()
    rig.observe(end("8"))
    assert rig.state.beneath is not None
    rig.answer()
    assert rig.state.beneath is None


def test_a_transaction_within_another_changes_nothing() -> None:
    """An end was lost."""
    rig = plugged()
    known = rig.state.beneath
    rig.observe(begin("8"))
    assert rig.state.beneath == known


def test_after_a_release_nothing_lies_beneath_until_a_default_does() -> None:
    """Its device is on its own as soon as its transaction is over."""
    rig = plugged()
    released = _released(rig.state)
    assert released.beneath == Beneath(UNBOUNDED_W, None, 0)
    unknown = _released(replace(rig.state, beneath=None))
    assert unknown.beneath == Beneath(UNBOUNDED_W, None, 0)


def _released(state: AssetState) -> AssetState:
    """Return the state after a release in its transaction."""
    now = Instant(Rig.START_US, Rig.START_US)
    started = events.AttemptStarted(
        "att_x", 1, 0, (), CommandType.RELEASE, None, None, events.RELEASED, base.Payload(()), None
    )
    after = evolve(state, started, now)
    done = events.AttemptEnded("att_x", "accepted", CommandStatus.COMPLETED)
    return evolve(after, done, now)


@pytest.mark.parametrize(("found_s", "longer_s"), [(-600, 600), (600, 0)])
def test_by_a_clock_that_is_behind_the_default_lasts_longer(found_s: int, longer_s: int) -> None:
    """As its lease was told by it."""
    state = plugged().state
    now = Instant(Rig.START_US, Rig.START_US)
    assert state.beneath is not None
    until_us = state.beneath.until_us
    assert until_us is not None
    after = evolve(state, events.ClockSkewed(found_s), now)
    assert after.beneath is not None
    assert after.beneath.until_us == until_us + longer_s * US_PER_S
    endless = replace(state, beneath=replace(state.beneath, until_us=None))
    known = evolve(endless, events.ClockSkewed(found_s), now).beneath
    assert known is not None
    assert known.until_us is None


def test_by_another_clock_the_default_is_set_anew_with_the_setpoint() -> None:
    """It may begin too late to be in force at all, however low it is."""
    rig = plugged()
    rig.observe(base.ClockRead(-3_600))
    assert frames(rig) == [("set default", 11), ("set", 11)]
    rig.answer()
    rig.advance(600)
    assert frames(rig) == BOTH


def test_an_asset_that_leaves_the_site_file_keeps_its_default() -> None:
    """It is still on the device."""
    state = plugged().state
    after = evolve(state, events.AssetRetired(), Instant(Rig.START_US, Rig.START_US))
    assert after.beneath == state.beneath
    assert isinstance(after.remains, Remains)
