"""What a device reports: the truth, recorded where it changes something."""

import pytest

from actors.testing.rig import Rig, battery_rules, charger_rules, names_of, plan_of
from engine import events
from engine.adapters import base
from engine.asset import messages as message
from engine.commands import CommandType
from engine.events import Setpoint
from engine.types import US_PER_S, Channel, from_us

CHARGE = Channel.CHARGE


@pytest.fixture
def rig() -> Rig:
    """Return a connected charger with a vehicle."""
    rig = Rig(charger_rules(failsafe_after_s=100_000))
    rig.connect("CHARGING")
    return rig


@pytest.fixture
def battery() -> Rig:
    """Return a battery that holds 5 kW."""
    rig = Rig(battery_rules(failsafe_after_s=100_000))
    rig.connect()
    rig.offer(plan_of((0, CHARGE, 5_000)), 90_000)
    rig.read_back()
    return rig


def changed(rig: Rig) -> events.StateChanged:
    """Return the last change of state."""
    found = rig.events[-1]
    assert isinstance(found, events.StateChanged)
    return found


# --- states


def test_an_edge_of_the_table_is_its_trigger(rig: Rig) -> None:
    """CHARGING to SUSPENDED is suspend."""
    rig.observe(base.StateReported("SUSPENDED", "SuspendedEV", detail={"suspended_by": "ev"}))
    assert (changed(rig).trigger, changed(rig).detail) == ("suspend", {"suspended_by": "ev"})


def test_a_jump_is_a_sync(rig: Rig) -> None:
    """Never an exception."""
    rig.observe(base.StateReported("PREPARING", "Preparing"))
    assert changed(rig).trigger == "sync"
    assert rig.state.device.state == "PREPARING"


def test_the_same_state_is_nothing(rig: Rig) -> None:
    """Another detail of it is something."""
    assert rig.observe(base.StateReported("CHARGING", "Charging")) == []
    assert rig.observe(base.StateReported("CHARGING", "Charging", detail={"a": "b"})) != []


def test_the_first_report_makes_the_state_known() -> None:
    """Also when it is what was taken for granted."""
    rig = Rig(charger_rules())
    rig.observe(base.Connected())
    assert not rig.state.device.state_known
    rig.observe(base.StateReported("AVAILABLE", "Available"))
    assert rig.state.device.state_known


@pytest.mark.parametrize("state", [None, "DANCING"])
def test_an_unknown_status_keeps_the_state_and_is_recorded_once(
    rig: Rig, state: str | None
) -> None:
    """Until the next that is known."""
    odd = base.StateReported(state, "Dancing")
    assert rig.observe(odd, odd) == [events.StatusNotUnderstood("Dancing")]
    assert rig.state.device.state == "CHARGING"
    rig.observe(base.StateReported("SUSPENDED", "SuspendedEV"))
    assert rig.observe(odd) == [events.StatusNotUnderstood("Dancing")]


def test_a_very_long_status_is_cut(rig: Rig) -> None:
    """And still recorded once."""
    odd = base.StateReported(None, "x" * 600)
    assert rig.observe(odd, odd) == [events.StatusNotUnderstood("x" * 500)]


# --- connector 0


@pytest.mark.parametrize(("state", "trigger"), [("UNAVAILABLE", "disable"), ("FAULTED", "fault")])
def test_connector_0_overlays_until_its_available(rig: Rig, state: str, trigger: str) -> None:
    """The connector's own state goes on below it."""
    rig.observe(base.StateReported(state, state, whole_device=True))
    assert changed(rig).trigger == trigger
    rig.observe(base.StateReported("SUSPENDED", "SuspendedEV"))
    assert rig.state.device.state == state
    rig.observe(base.StateReported("AVAILABLE", "Available", whole_device=True))
    assert rig.state.device.state == "SUSPENDED"


def test_connector_0_says_nothing_of_the_connectors_own_state() -> None:
    """That is not known before it reports itself."""
    rig = Rig(charger_rules())
    rig.observe(base.Connected(), base.StateReported("FAULTED", "Faulted", whole_device=True))
    assert not rig.state.device.state_known
    assert rig.state.device.state == "FAULTED"


def test_the_same_overlay_is_nothing(rig: Rig) -> None:
    """Neither is the lack of one."""
    available = base.StateReported("AVAILABLE", "Available", whole_device=True)
    assert rig.observe(available) == []
    faulted = base.StateReported("FAULTED", "Faulted", whole_device=True)
    assert names_of(rig.observe(faulted, faulted)) == ["StateChanged"]


# --- connections


def test_a_second_connect_is_nothing_and_a_boot_is(rig: Rig) -> None:
    """A boot may have made it forget."""
    assert rig.observe(base.Connected()) == []
    assert names_of(rig.observe(base.Connected(booted=True))) == ["ConnectionChanged"]


def test_a_second_disconnect_is_nothing(rig: Rig) -> None:
    """It was gone before."""
    assert names_of(rig.observe(base.Disconnected("a"), base.Disconnected("b"))) == [
        "ConnectionChanged"
    ]


def test_a_battery_read_on_connecting_is_known_at_once(battery: Rig) -> None:
    """Here with another value: it is set again."""
    battery.observe(base.Disconnected(), base.SetpointRead(1.0, 0.0))
    happened = battery.observe(base.Connected())
    assert names_of(happened)[:2] == ["ConnectionChanged", "DeviceChanged"]
    assert battery.sent[-1]["charge_kw"] == 5


def test_a_battery_that_booted_twice_is_set_again_twice(battery: Rig) -> None:
    """A connect is no other controller that must not be fought."""
    for count in (2, 3):
        battery.observe(base.SetpointRead(5.0, 0.0))
        battery.observe(base.Disconnected(), base.SetpointRead(0.0, 0.0), base.Connected())
        assert len(battery.sent) == count
        battery.read_back()


# --- another controller


@pytest.mark.parametrize(
    "read",
    [base.SetpointRead(5.0, 0.0), base.SetpointRead(5.001, None), base.SetpointRead(None, None)],
)
def test_a_read_back_of_what_is_held_is_nothing(battery: Rig, read: base.SetpointRead) -> None:
    """Within a step, on the channels that it tells."""
    assert battery.observe(read) == []


def test_a_read_back_during_an_attempt_says_nothing(battery: Rig) -> None:
    """It may be from before it."""
    battery.offer(plan_of((0, CHARGE, 3_000)), 900, sequence=2)
    assert battery.observe(base.SetpointRead(3.0, 0.0)) == []


def test_a_released_battery_may_hold_what_it_likes() -> None:
    """It is on its own."""
    rig = Rig(battery_rules(fallback_w=None))
    rig.connect()
    rig.offer(plan_of((0, CHARGE, 5_000)), 60)
    rig.read_back()
    rig.advance(60)
    rig.answer()
    assert rig.observe(base.SetpointRead(1.0, 0.0)) == []


def test_a_change_of_a_battery_that_nothing_was_asked_of_is_recorded() -> None:
    """Its value is known, and nothing is set."""
    rig = Rig(battery_rules())
    rig.connect()
    assert rig.observe(base.SetpointRead(1.0, None)) == [
        events.DeviceChanged(Setpoint(1_000, None))
    ]
    assert rig.sent == []


def test_a_charger_has_no_discharge_to_be_unsure_of(rig: Rig) -> None:
    """Its composite schedule tells one channel."""
    rig.offer(plan_of((0, CHARGE, 5_000)), 900)
    rig.answer()
    rig.observe(base.SetpointRead(4.0, None))
    assert rig.state.holding.discharge_w == 0


# --- the rest


def test_capabilities_are_recorded_when_they_change(rig: Rig) -> None:
    """Not each time that they are told."""
    told = base.CapabilitiesLearned({"unit": "A"})
    assert names_of(rig.observe(told, told)) == ["CapabilitiesLearned"]
    assert rig.state.device.capabilities == {"unit": "A"}


def test_what_a_device_can_do_adds_up_in_one_protocol(rig: Rig) -> None:
    """It is not forgotten because the next connection begins with the protocol's name."""
    rig.observe(base.CapabilitiesLearned({"unit": "A"}))
    rig.observe(base.CapabilitiesLearned({"protocol": "ocpp1.6"}))
    known = {"unit": "A", "protocol": "ocpp1.6"}
    assert rig.state.device.capabilities == known
    assert rig.observe(base.CapabilitiesLearned({"protocol": "ocpp1.6"})) == []
    rig.observe(base.CapabilitiesLearned({"levels": "2"}))
    assert rig.state.device.capabilities == {**known, "levels": "2"}


@pytest.mark.parametrize("with_transaction", [True, False])
def test_a_device_that_speaks_another_protocol_has_started_anew(
    rig: Rig, *, with_transaction: bool
) -> None:
    """What it could do, what it held and its transaction were told in other words."""
    rig.offer(plan_of((0, CHARGE, 5_000)), 90_000)
    rig.answer()
    rig.observe(base.CapabilitiesLearned({"protocol": "ocpp1.6", "unit": "A"}))
    if with_transaction:
        rig.observe(base.TransactionChanged("found", "7"))
        rig.answer()
    assert rig.state.holding.charge_w == 5_000
    rig.observe(base.CapabilitiesLearned({"protocol": "ocpp2.0.1"}))
    device = rig.state.device
    assert device.capabilities == {"protocol": "ocpp2.0.1"}
    assert device.transaction is None
    assert rig.state.holding.charge_w is None


def test_what_cannot_be_read_is_recorded_once_a_minute(rig: Rig) -> None:
    """Cut to five hundred characters."""
    unreadable = base.Unreadable("x" * 600)
    assert rig.observe(unreadable, unreadable) == [events.MessageNotUnderstood("x" * 500)]
    rig.advance(60)
    assert len(rig.observe(unreadable)) == 1


def test_measurements_are_not_events(rig: Rig) -> None:
    """The newest is kept, by the device's own time."""
    newer = from_us(rig.now.device_us)
    older = from_us(rig.now.device_us - US_PER_S)
    seen = (base.PowerMeasured(3.0, newer, 50.0), base.PowerMeasured(9.0, older, None))
    assert rig.observe(*seen, base.PowerMeasured(None, None, 51.0)) == []
    outside = rig.state.outside
    assert (outside.measured_w, outside.soc_pct) == (3_000, 51.0)
    assert outside.measured_at_us == rig.now.device_us


def test_what_an_answer_says_beside_the_setpoint_is_observed(rig: Rig) -> None:
    """An adapter may read a state in it."""
    rig.adapter.interpret = lambda answer, _: (  # type: ignore[method-assign, assignment]  # this once
        base.StateReported("SUSPENDED", answer.raw),
    )
    rig.offer(plan_of((0, CHARGE, 5_000)), 900)
    rig.answer()
    assert rig.state.device.state == "SUSPENDED"


# --- the site file


def test_the_same_entry_is_recorded_once(rig: Rig) -> None:
    """A change of it is recorded, and rules from then on."""
    assert rig.tell(message.Configured(rig.rules)) == []
    assert names_of(rig.tell(message.Configured(charger_rules(fallback_w=1)))) == [
        "AssetConfigured"
    ]


def test_an_asset_that_left_the_site_file_ends_everything_it_had(rig: Rig) -> None:
    """Its plan, its override, its orders; what was on the wire is TIMED_OUT unknown."""
    rig.offer(plan_of((0, CHARGE, 5_000), (60, CHARGE, 1_000)), 900)
    reply = rig.replies.append
    rig.tell(message.CommandRequested(CommandType.CALL, "ann", "why", {}, reply))
    rig.tell(message.Configured(None), message.Configured(None))
    assert sorted(line.split(" ", 1)[1] for line in rig.story()) == [
        "CANCELLED operator",
        "CANCELLED operator",
        "TIMED_OUT unknown",
    ]
    assert names_of(rig.events).count("AssetRetired") == 1
    attempts = [tried for one in rig.history().values() for tried in one.attempts]
    assert [tried.outcome for tried in attempts] == ["unknown"]
    assert rig.observe(base.Seen()) == []


def test_an_asset_that_left_with_a_pair_half_done(battery: Rig) -> None:
    """The second half is cancelled; an override ends."""
    turn = plan_of((0, CHARGE, 0), (0, Channel.DISCHARGE, 3_000), columns=("c", "d"))
    battery.offer(turn, 900, sequence=2)
    battery.answer(outcome="timed_out")
    battery.tell(message.Configured(None))
    assert battery.history()["cmd_2.0.0"].status == "TIMED_OUT"
    assert battery.history()["cmd_2.0.1"].reason == "operator"


def test_an_asset_that_left_ends_its_override(rig: Rig) -> None:
    """And the command that waited for it."""
    rig.observe(base.Disconnected())
    rig.tell(
        message.OverrideRequested(
            Setpoint(1, 0),
            CommandType.SET_CHARGE_RATE,
            "resume",
            None,
            "ann",
            "why",
            "override",
            rig.replies.append,
        )
    )
    happened = rig.tell(message.Configured(None))
    assert names_of(happened) == ["OverrideEnded", "CommandCancelled", "AssetRetired"]


def test_an_asset_that_comes_back_waits_for_a_new_schedule(rig: Rig) -> None:
    """The one that was cut is not taken again; the fallback holds."""
    rig.offer(plan_of((0, CHARGE, 5_000)), 900)
    rig.answer()
    rig.tell(message.Configured(None), message.Configured(rig.rules))
    rig.connect("CHARGING")
    assert rig.offered is not None
    rig.tell(rig.offered)
    assert rig.sent[-1]["charge_kw"] == 4.2


def test_a_transaction_whose_place_is_assumed_is_not_taken_beside_another() -> None:
    """It is answered, and is somebody else's."""
    rig = Rig(charger_rules())
    rig.connect("CHARGING")
    rig.observe(base.TransactionChanged("started", "tx-1", "a"))
    told: list[str] = []
    second = base.TransactionChanged("started", "tx-2", "b", is_assumed=True, reply=told.append)
    found = base.TransactionChanged("found", "tx-3", is_assumed=True)
    assert rig.observe(second, found) == []
    assert told == ["tx-2"]
    rig.observe(base.TransactionChanged("ended", "tx-1"))
    rig.observe(second)
    assert rig.state.device.transaction is not None
    assert rig.state.device.transaction.transaction_id == "tx-2"
