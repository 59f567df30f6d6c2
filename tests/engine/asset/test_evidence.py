"""What makes a command COMPLETED: the answer, the read-back in it, or what is asked for after."""

import pytest

from actors.testing.rig import FakeSpelling, Rig, battery_rules, charger_rules, names_of, plan_of
from engine import events
from engine.adapters import base
from engine.asset import effects as effect
from engine.asset import messages as message
from engine.events import Setpoint
from engine.types import Channel

CHARGE = Channel.CHARGE


def battery(**changes: object) -> Rig:
    """Return a battery that is read back, with 5 kW on the wire."""
    rig = Rig(battery_rules(**{"failsafe_after_s": 100_000, **changes}))
    rig.connect()
    rig.offer(plan_of((0, CHARGE, 5_000)), 90_000)
    return rig


def told(rig: Rig, *values: base.Observation) -> list[events.AssetEvent]:
    """Answer the question that is open."""
    about = rig.state.outside.asking
    assert about is not None
    return rig.tell(message.QuestionAnswered(about, base.Answer("raw", values=values)))


def kept(rig: Rig) -> list[effect.KeepAlive]:
    """Return what was to be kept alive, in order."""
    return [one for one in rig.effects if isinstance(one, effect.KeepAlive)]


def test_an_acceptance_is_evidence_for_a_charger() -> None:
    """With ``verify = "ack"``."""
    rig = Rig(charger_rules())
    rig.connect("CHARGING")
    rig.offer(plan_of((0, CHARGE, 5_000)), 900)
    ended = rig.answer()[0]
    assert isinstance(ended, events.AttemptEnded)
    assert (ended.status, ended.evidence) == ("COMPLETED", "ack")


@pytest.mark.parametrize("read_kw", [5.0, 5.001, 4.999])
def test_a_read_back_within_a_step_completes(read_kw: float) -> None:
    """Evidence readback."""
    rig = battery()
    rig.answer(base.SetpointRead(read_kw, None))
    assert rig.story() == ["1.0.0 COMPLETED"]
    assert rig.history()["cmd_1.0.0"].evidence == "readback"


def test_a_read_back_of_another_value_is_clamped() -> None:
    """FAILED with what was found; it is not tried again for a while."""
    rig = battery()
    happened = rig.answer(base.SetpointRead(4.0, 0.0))
    assert names_of(happened) == ["AttemptEnded", "DeviceChanged"]
    assert rig.story() == ["1.0.0 FAILED clamped: found 4.0 kW charge, 0.0 kW discharge"]
    assert rig.state.holding.charge_w == 4_000
    assert rig.advance(299) == []
    assert kept(rig)[-1].frames == ()


def test_without_a_read_back_the_wire_is_free_and_evidence_is_asked_for() -> None:
    """ACKNOWLEDGED, and COMPLETED by the answer."""
    rig = battery()
    rig.answer()
    assert rig.story() == ["1.0.0 ACKNOWLEDGED"]
    assert names_of(rig.effects)[-1] == "Ask"
    told(rig, base.SetpointRead(5.0, 0.0))
    assert rig.history()["cmd_1.0.0"].evidence == "readback"


def test_evidence_to_the_contrary_is_clamped() -> None:
    """FAILED, and nothing is kept alive any more."""
    rig = battery()
    rig.answer()
    told(rig, base.SetpointRead(1.0, 0.0))
    assert rig.story() == ["1.0.0 FAILED clamped: found 1.0 kW charge, 0.0 kW discharge"]
    assert rig.state.holding.charge_w == 1_000
    assert kept(rig)[-1] == effect.KeepAlive((), None)


@pytest.mark.parametrize("values", [(), (base.SetpointRead(None, None),)])
def test_a_device_that_cannot_tell_is_believed(values: tuple[base.SetpointRead, ...]) -> None:
    """Evidence ack, with a note."""
    rig = battery()
    rig.answer()
    told(rig, *values)
    record = rig.history()["cmd_1.0.0"]
    assert (record.status, record.evidence, record.reason) == ("COMPLETED", "ack", "no evidence")


def test_a_device_that_cannot_be_asked_is_believed_at_once() -> None:
    """There is no question."""
    rig = Rig(battery_rules(), FakeSpelling(can_ask=False))
    rig.connect()
    rig.offer(plan_of((0, CHARGE, 5_000)), 900)
    rig.answer()
    assert rig.history()["cmd_1.0.0"].reason == "no evidence"


def test_a_newer_setpoint_overtakes_the_evidence() -> None:
    """COMPLETED with evidence ack and the note overtaken."""
    rig = battery()
    rig.answer()
    rig.offer(plan_of((0, CHARGE, 3_000)), 900, sequence=2)
    record = rig.history()["cmd_1.0.0"]
    assert (record.status, record.evidence, record.reason) == ("COMPLETED", "ack", "overtaken")
    assert rig.sent[-1]["charge_kw"] == 3
    assert told(rig, base.SetpointRead(5.0, 0.0)) == []


def test_the_second_half_waits_for_the_evidence_of_the_first() -> None:
    """Not for its acceptance."""
    rig = Rig(battery_rules())
    rig.connect()
    both = plan_of((0, Channel.DISCHARGE, 0), (0, CHARGE, 5_000), columns=("c", "d"))
    rig.offer(both, 900)
    rig.answer()
    assert len(rig.sent) == 1
    told(rig, base.SetpointRead(None, 0.0))
    assert len(rig.sent) == 2


def test_a_second_half_is_superseded_while_the_first_waits_for_evidence() -> None:
    """The first is COMPLETED as overtaken."""
    rig = Rig(battery_rules())
    rig.connect()
    both = plan_of((0, Channel.DISCHARGE, 0), (0, CHARGE, 5_000), columns=("c", "d"))
    rig.offer(both, 900)
    rig.answer()
    rig.offer(plan_of((0, CHARGE, 1_000), columns=("c", "d")), 900, sequence=2)
    assert "1.0.0 COMPLETED overtaken" in rig.story()
    assert "1.0.1 CANCELLED superseded" in rig.story()


def test_a_lost_connection_keeps_the_evidence_wanted() -> None:
    """It is asked for when the device is back."""
    rig = battery()
    rig.answer()
    rig.observe(base.Disconnected())
    rig.tell(message.QuestionAnswered(str(rig.state.outside.asking), None))
    assert rig.story() == ["1.0.0 ACKNOWLEDGED"]
    rig.observe(base.Connected())
    told(rig, base.SetpointRead(5.0, 0.0))
    assert rig.story()[0] == "1.0.0 COMPLETED"


def test_a_release_needs_no_read_back() -> None:
    """No register says that a device is on its own."""
    rig = battery(on_stop="release")
    rig.read_back()
    rig.tell(message.Stopping())
    rig.answer()
    assert rig.story()[-1].endswith("COMPLETED")
    assert rig.state.holding.released


# --- keep-alive


def test_a_confirmed_setpoint_is_kept_alive_within_its_lease() -> None:
    """The control frames of the attempt that was accepted, until the lease's end."""
    rig = battery()
    attempt = rig.state.attempt
    assert attempt is not None
    assert kept(rig) == [effect.KeepAlive((), None)]
    rig.read_back()
    assert kept(rig)[1:] == [effect.KeepAlive(attempt.payload.frames, attempt.lease_until_us)]


def test_an_accepted_setpoint_is_kept_alive_before_its_evidence() -> None:
    """The device would take itself back meanwhile."""
    rig = battery()
    rig.answer()
    assert len(kept(rig)[-1].frames) == 1


def test_only_control_frames_are_repeated() -> None:
    """A read in between changes nothing."""
    rig = Rig(battery_rules(), _Reading())
    rig.connect()
    rig.offer(plan_of((0, CHARGE, 5_000)), 900)
    rig.read_back()
    assert [frame.control for frame in kept(rig)[-1].frames] == [True]


class _Reading(FakeSpelling):
    def translate(self, *args: object) -> base.Payload:
        payload = super().translate(*args)  # type: ignore[arg-type]  # handed on
        read = base.Frame("read", {}, control=False)
        return base.Payload((*payload.frames, read), payload.applied_kw)


def test_each_new_send_ends_the_keep_alive() -> None:
    """What is confirmed next takes its place."""
    rig = battery()
    rig.read_back()
    rig.offer(plan_of((0, CHARGE, 3_000)), 900, sequence=2)
    assert kept(rig)[-1] == effect.KeepAlive((), None)
    assert names_of(rig.effects)[-2:] == ["KeepAlive", "Send"]


def test_a_release_ends_the_keep_alive() -> None:
    """And nothing takes its place."""
    rig = battery(on_stop="release")
    rig.read_back()
    rig.tell(message.Stopping())
    rig.answer()
    assert kept(rig)[-1] == effect.KeepAlive((), None)


def test_another_controllers_change_ends_the_keep_alive() -> None:
    """It is not fought by repeating ours."""
    rig = battery()
    rig.read_back()
    rig.observe(base.SetpointRead(1.0, 0.0))
    assert [one.frames for one in kept(rig)[2:]] == [(), ()]


def test_a_charger_is_not_kept_alive() -> None:
    """Its profile holds by itself."""
    rig = Rig(charger_rules())
    rig.connect("CHARGING")
    rig.offer(plan_of((0, CHARGE, 5_000)), 900)
    rig.answer()
    assert kept(rig) == []


def test_the_pair_between_two_steps_is_confirmed_as_such() -> None:
    """It is what the device holds until the second."""
    rig = Rig(battery_rules())
    rig.connect()
    both = plan_of((0, Channel.DISCHARGE, 0), (0, CHARGE, 5_000), columns=("c", "d"))
    rig.offer(both, 900)
    rig.read_back()
    held = rig.state.holding
    assert Setpoint(held.charge_w, held.discharge_w) == Setpoint(0, 0)


ITSELF = base.SetpointRead(None, None, released=True)


def test_a_device_on_its_own_holds_nothing_that_was_set() -> None:
    """Its mode went back although the write was accepted."""
    rig = battery()
    happened = rig.answer(ITSELF)
    assert names_of(happened) == ["AttemptEnded", "DeviceChanged"]
    assert rig.story() == ["1.0.0 FAILED clamped: found its own control"]


def test_a_device_that_took_itself_back_is_set_again() -> None:
    """Its own time-out has passed; 0 kW on its own control is not 0 kW."""
    rig = battery()
    rig.answer(base.SetpointRead(5.0, 0.0))
    assert names_of(rig.observe(ITSELF))[:2] == ["DeviceChanged", "CommandCreated"]
    assert rig.sent[-1]["charge_kw"] == 5


def test_what_is_not_known_to_hold_anything_loses_nothing() -> None:
    """A device on its own before it was told anything is no news."""
    rig = Rig(battery_rules(failsafe_after_s=100_000))
    rig.connect()
    assert rig.observe(ITSELF) == []


def test_a_device_that_comes_back_on_its_own_is_set_again() -> None:
    """What it reads on connecting counts."""
    rig = battery()
    rig.answer(base.SetpointRead(5.0, 0.0))
    happened = rig.observe(base.Disconnected(), ITSELF, base.Connected())
    assert "DeviceChanged" in names_of(happened)
    assert rig.sent[-1]["charge_kw"] == 5
