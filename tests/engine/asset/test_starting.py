"""Who starts a charge; and the transactions that a charger tells of."""

import pytest

from actors.testing.rig import Rig, charger_rules, names_of, plan_of
from engine import events
from engine.adapters import base
from engine.asset import messages as message
from engine.commands import CommandType
from engine.types import Channel

CHARGE = Channel.CHARGE


def engine_starts(*changes: tuple[float, Channel, int]) -> Rig:
    """Return a charger whose charges the engine starts, with a plan and no vehicle."""
    rig = Rig(charger_rules(start="engine", failsafe_after_s=100_000, id_tag="OURS"))
    rig.connect("AVAILABLE")
    rig.tell(message.NothingOffered())
    rig.offer(plan_of(*changes), 9_000)
    rig.answer()
    return rig


def starts(rig: Rig) -> list[events.CommandCreated]:
    """Return the starts that the engine created."""
    return [
        one
        for one in rig.events
        if isinstance(one, events.CommandCreated) and one.type is CommandType.START_CHARGING
    ]


def plug_in(rig: Rig) -> None:
    """Let a vehicle be plugged in."""
    rig.observe(base.StateReported("PREPARING", "Preparing"))


def test_the_engine_starts_a_vehicle_when_its_setpoint_is_in_place() -> None:
    """With the site's id tag; the limit comes before the charge."""
    rig = Rig(charger_rules(start="engine", id_tag="OURS"))
    rig.connect("PREPARING")
    rig.offer(plan_of((0, CHARGE, 5_000)), 9_000)
    assert starts(rig) == []
    rig.answer()
    assert rig.sent[-1]["type"] == "START_CHARGING"
    assert starts(rig)[0].arguments == {"id_tag": "OURS"}
    assert starts(rig)[0].cause.kind == "rule:plug_in"


def test_a_vehicle_is_started_when_it_comes() -> None:
    """The setpoint is in place already."""
    rig = engine_starts((0, CHARGE, 5_000))
    plug_in(rig)
    assert len(starts(rig)) == 1


def test_a_vehicle_is_started_once() -> None:
    """Whatever became of it, until something changes."""
    rig = engine_starts((0, CHARGE, 5_000))
    plug_in(rig)
    rig.answer(outcome="rejected")
    rig.advance(300)
    assert len(starts(rig)) == 1


def test_a_new_setpoint_is_a_new_chance() -> None:
    """The vehicle still waits."""
    rig = engine_starts((0, CHARGE, 5_000), (60, CHARGE, 7_000))
    plug_in(rig)
    rig.answer(outcome="rejected")
    rig.advance(60)
    rig.answer()
    assert len(starts(rig)) == 2


def test_there_is_one_start_at_a_time() -> None:
    """A new setpoint while the first waits makes no second."""
    rig = engine_starts((0, CHARGE, 5_000), (60, CHARGE, 7_000))
    rig.advance(59)
    plug_in(rig)
    rig.answer(outcome="error")
    rig.advance(1)
    rig.answer()
    assert len(starts(rig)) == 1


@pytest.mark.parametrize("watts", [0])
def test_nothing_is_started_at_zero(watts: int) -> None:
    """It starts when the plan goes above."""
    rig = engine_starts((0, CHARGE, watts), (60, CHARGE, 7_000))
    plug_in(rig)
    assert starts(rig) == []
    rig.advance(60)
    rig.answer()
    assert len(starts(rig)) == 1


def test_nothing_is_started_while_the_device_is_released() -> None:
    """It is on its own."""
    rig = Rig(charger_rules(start="engine", fallback_w=None))
    rig.connect("PREPARING")
    rig.offer(plan_of((0, CHARGE, 0)), 60)
    rig.answer()
    rig.advance(60)
    rig.answer()
    assert starts(rig) == []


def test_nothing_is_started_without_a_plan() -> None:
    """Nothing has ever been asked of the asset."""
    rig = Rig(charger_rules(start="engine"))
    rig.connect("PREPARING")
    rig.tell(message.NothingOffered())
    assert starts(rig) == []


def test_a_charger_that_takes_no_setpoint_is_started_all_the_same() -> None:
    """It would never charge."""
    rig = Rig(charger_rules(start="engine"))
    rig.connect("PREPARING")
    rig.offer(plan_of((0, CHARGE, 5_000)), 9_000)
    rig.answer(outcome="rejected")
    assert len(starts(rig)) == 1


@pytest.mark.parametrize("seen", ["transaction", "offline"])
def test_what_charges_or_is_not_there_is_not_started(seen: str) -> None:
    """Neither needs it."""
    rig = engine_starts((0, CHARGE, 5_000))
    if seen == "transaction":
        rig.observe(base.TransactionChanged("started", "7", "key"))
        rig.answer()
    else:
        rig.observe(base.Disconnected())
    plug_in(rig)
    assert starts(rig) == []


def test_a_charger_that_starts_by_itself_is_not_started() -> None:
    """The default."""
    rig = Rig(charger_rules())
    rig.connect("PREPARING")
    rig.offer(plan_of((0, CHARGE, 5_000)), 9_000)
    rig.answer()
    assert starts(rig) == []


def test_a_start_by_hand_has_the_sites_tag() -> None:
    """Unless another is given."""
    rig = Rig(charger_rules(id_tag="OURS"))
    reply = rig.replies.append
    rig.tell(message.CommandRequested(CommandType.START_CHARGING, "ann", "why", {}, reply))
    own: dict[str, object] = {"id_tag": "MINE"}
    rig.tell(message.CommandRequested(CommandType.START_CHARGING, "ann", "why", own, reply))
    assert [one.arguments["id_tag"] for one in starts(rig)] == ["OURS", "MINE"]


# --- transactions


def started(rig: Rig, key: str, **more: object) -> str:
    """Report a transaction's start without an id; return the id that the charger is told."""
    replies: list[str] = []
    rig.observe(base.TransactionChanged("started", None, key, reply=replies.append, **more))  # type: ignore[arg-type]  # its fields
    return replies[0]


@pytest.fixture
def rig() -> Rig:
    """Return a connected charger."""
    rig = Rig(charger_rules(options={"connector": 2}))
    rig.connect("PREPARING")
    return rig


def test_a_transaction_gets_a_positive_31_bit_id_of_ours(rig: Rig) -> None:
    """Different on each connector of a charge point."""
    own_id = int(started(rig, "a"))
    assert 0 < own_id < 2**31
    assert own_id & 63 == 2
    assert rig.state.device.transaction is not None
    assert rig.state.device.transaction.transaction_id == str(own_id)


def test_a_connector_that_is_no_number_counts_as_the_first() -> None:
    """Another adapter's options may call something else so."""
    rig = Rig(charger_rules(options={"connector": "left"}))
    assert int(started(rig, "a")) & 63 == 1


def test_a_repeated_start_gets_the_same_id(rig: Rig) -> None:
    """Also when the transaction is over; nothing is recorded again."""
    own_id = started(rig, "a")
    assert started(rig, "a") == own_id
    rig.observe(base.TransactionChanged("ended", own_id))
    assert started(rig, "a") == own_id
    assert names_of(rig.events).count("TransactionStarted") == 1


def test_starts_without_a_key_are_all_new(rig: Rig) -> None:
    """Nothing makes them the same."""
    assert started(rig, "") != started(rig, "")


def test_an_offline_start_is_history_only(rig: Rig) -> None:
    """It gets an id, and never becomes the running transaction."""
    own_id = started(rig, "a", offline=True)
    assert rig.state.device.transaction is None
    assert started(rig, "a", offline=True) == own_id


def test_the_end_of_another_transaction_is_history_only(rig: Rig) -> None:
    """The one that runs goes on."""
    own_id = started(rig, "a")
    rig.observe(base.TransactionChanged("ended", "99"))
    assert rig.state.device.transaction is not None
    rig.observe(base.TransactionChanged("ended", own_id))
    assert rig.state.device.transaction is None


def test_a_repeated_end_is_recorded_once(rig: Rig) -> None:
    """The charger did not get our answer."""
    own_id = started(rig, "a")
    ended = base.TransactionChanged("ended", own_id)
    rig.observe(ended, ended)
    assert names_of(rig.events).count("TransactionEnded") == 1


def test_the_end_of_an_offline_transaction_is_recorded_once(rig: Rig) -> None:
    """Likewise."""
    own_id = started(rig, "a", offline=True)
    ended = base.TransactionChanged("ended", own_id, offline=True)
    rig.observe(ended, ended)
    assert names_of(rig.events).count("TransactionEnded") == 1


def test_the_end_of_a_transaction_that_nobody_knew_is_recorded_once(rig: Rig) -> None:
    """It began before this store."""
    ended = base.TransactionChanged("ended", "99")
    rig.observe(ended, ended)
    assert names_of(rig.events).count("TransactionEnded") == 1


def test_a_transaction_that_is_found_is_adopted(rig: Rig) -> None:
    """Once."""
    found = base.TransactionChanged("found", "99")
    rig.observe(found, found)
    started_events = [one for one in rig.events if isinstance(one, events.TransactionStarted)]
    assert [one.adopted for one in started_events] == [True]


def test_a_transaction_that_is_over_is_not_adopted_again(rig: Rig) -> None:
    """Its last meter values came late."""
    rig.observe(base.TransactionChanged("found", "99"), base.TransactionChanged("ended", "99"))
    rig.observe(base.TransactionChanged("found", "99"))
    assert rig.state.device.transaction is None


def test_an_offline_finding_is_no_state(rig: Rig) -> None:
    """It is old."""
    rig.observe(base.TransactionChanged("found", "99", offline=True))
    assert rig.state.device.transaction is None


def test_a_boot_clears_the_transaction_and_it_may_be_found_again(rig: Rig) -> None:
    """A charger may go on with it."""
    own_id = started(rig, "a")
    rig.observe(base.Connected(booted=True))
    assert rig.state.device.transaction is None
    rig.observe(base.TransactionChanged("found", own_id))
    assert rig.state.device.transaction is not None


@pytest.mark.parametrize("kind", ["found", "ended"])
def test_a_transaction_without_an_id_is_answered_and_forgotten(rig: Rig, kind: str) -> None:
    """Nothing can be said of it."""
    replies: list[str] = []
    happened = rig.observe(base.TransactionChanged(kind, None, reply=replies.append))  # type: ignore[arg-type]  # a kind
    assert (happened, replies) == ([], [""])


@pytest.mark.parametrize("kind", ["found", "ended"])
def test_whoever_waits_for_a_commit_is_told(rig: Rig, kind: str) -> None:
    """Also of what is known already."""
    replies: list[str] = []
    changed = base.TransactionChanged(kind, "99", reply=replies.append)  # type: ignore[arg-type]  # a kind
    rig.observe(changed, changed)
    assert replies == ["99", "99"]
