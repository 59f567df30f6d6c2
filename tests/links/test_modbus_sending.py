import asyncio

import attrs
import pytest
from msgspec.structs import replace

from actors.links.exchange import (
    Request,
    Timing,
)
from actors.links.modbus import ModbusAdapter, ModbusConnection
from actors.testing.battery_rig import QUIET, BatteryRig, GuardClock, run_battery
from engine.adapters.base import (
    Disconnected,
    Frame,
    Link,
    Observation,
    Payload,
    PowerMeasured,
    Seen,
    SetpointRead,
)
from engine.errors import NotSent, OutcomeUnknown


class TestSending:
    def test_each_frame_goes_out_once_and_the_read_back_is_evidence(self) -> None:
        """One write per frame on the wire; pymodbus would send it four times."""

        async def scenario(rig: BatteryRig) -> None:
            answer = await rig.send(2.315)
            assert answer.outcome == "accepted"
            assert [one.payload for one in rig.writes()] == [
                {"unit": 1, "address": 20, "values": [2_315]}
            ]
            (read,) = rig.adapter.interpret(answer, rig.view())
            assert isinstance(read, SetpointRead)
            assert (read.charge_kw, read.discharge_kw) == (2.315, 0.0)
            assert len(answer.raw.split()) == 2
            assert rig.battery.setpoint_w() == 2_315

        run_battery(scenario)

    def test_who_is_cancelled_goes_no_further_though_the_reply_has_come(self) -> None:
        """The write is done, its read-back is not begun."""

        async def scenario(rig: BatteryRig) -> None:
            sending = asyncio.ensure_future(rig.send())
            await rig.battery.until(lambda: bool(rig.writes()))
            sending.cancel()
            with pytest.raises(asyncio.CancelledError):
                await sending
            assert rig.battery.setpoint_w() == 2_000

        run_battery(scenario)

    def test_a_value_of_two_words_is_one_write(self) -> None:
        """Function code 16, echoed by address and count."""
        profile = attrs.evolve(QUIET, control="signed")
        setpoint = attrs.evolve(profile.setpoints[0], write_function=16)
        others = [one for one in profile.registers if one.role != "power_setpoint_w"]
        profile = attrs.evolve(profile, registers=(*others, setpoint))

        async def scenario(rig: BatteryRig) -> None:
            await rig.send(2.315)
            assert [one.action for one in rig.writes(22)] == [16]
            assert rig.battery.setpoint_w() == 2_315

        run_battery(scenario, profile)

    def test_input_registers_are_read_with_function_code_4(self) -> None:
        """They are counted apart."""
        inputs = [
            attrs.evolve(one, space="input") if one.role == "power_w" else one
            for one in QUIET.registers
        ]

        async def scenario(rig: BatteryRig) -> None:
            assert 4 in [one.action for one in rig.battery.wire_log.entries]
            assert rig.count(PowerMeasured) == 1

        run_battery(scenario, attrs.evolve(QUIET, registers=tuple(inputs)))

    @pytest.mark.parametrize("code", [1, 2, 3])
    def test_a_refusal_is_an_answer(self, code: int) -> None:
        """Exception codes 1, 2 and 3: understood and refused, with the reason and the raw text."""

        async def scenario(rig: BatteryRig) -> None:
            rig.battery.fail(f"exception_{code}")
            answer = await rig.send()
            assert answer.outcome == "rejected"
            assert answer.raw.endswith(f"0003018{6}0{code}")
            assert (answer.reason or "").startswith(f"exception {code}: illegal")
            assert len(rig.writes()) == 1

        run_battery(scenario)

    def test_a_device_failure_is_an_error(self) -> None:
        """Exception code 4 and what is not in the standard may pass."""

        async def scenario(rig: BatteryRig) -> None:
            rig.battery.fail("exception_4")
            answer = await rig.send()
            assert answer.outcome == "error"
            assert answer.reason == "exception 4: device failure, on write of charge_setpoint_w"

        run_battery(scenario)

    def test_a_refusal_after_an_accepted_write_says_so(self) -> None:
        """The attempt is not accepted, and the device has changed all the same."""

        async def scenario(rig: BatteryRig) -> None:
            payload = rig.charge(2.0)
            broken = replace(payload.frames[0], body={**payload.frames[0].body, "address": 99})
            answer = await rig.link.send(Payload((payload.frames[0], broken)), 10)
            assert answer.outcome == "rejected"
            assert answer.reason.endswith("after 1 of its writes were accepted")

        run_battery(scenario)

    def test_a_refused_read_back_is_no_evidence_and_no_refusal(self) -> None:
        """The write was accepted; what it did is not known."""

        async def scenario(rig: BatteryRig) -> None:
            payload = rig.charge(2.0)
            body = {**payload.frames[-1].body, "address": 99}
            answer = await rig.link.send(
                Payload((payload.frames[0], Frame("read", body, control=False))), 10
            )
            assert answer.outcome == "accepted"
            assert rig.adapter.interpret(answer, rig.view()) == ()

        run_battery(scenario)

    def test_a_refused_question_is_refused(self) -> None:
        """A payload that only reads has nothing else to be accepted."""

        async def scenario(rig: BatteryRig) -> None:
            (question,) = rig.adapter.questions(rig.view())
            accepted = await rig.link.send(question, 10)
            assert accepted.outcome == "accepted"
            body = {**question.frames[0].body, "address": 99}
            answer = await rig.link.send(Payload((Frame("read", body, control=False),)), 10)
            assert answer.outcome == "rejected"

        run_battery(scenario)


class TestNotSent:
    def test_after_its_send_window_nothing_leaves(self) -> None:
        """The window is looked at right before the first byte."""

        async def scenario(rig: BatteryRig) -> None:
            with pytest.raises(NotSent, match="send window"):
                await rig.send(begin_by_us=rig.clock.now_us - 1)
            assert rig.writes() == []
            assert (await rig.send(begin_by_us=rig.clock.now_us)).outcome == "accepted"

        run_battery(scenario)

    def test_without_leave_nothing_leaves(self) -> None:
        """An engine that another has taken over from sends no control frame; it may read."""

        async def scenario(rig: BatteryRig) -> None:
            rig.clock.sending = False
            with pytest.raises(NotSent, match="not allowed"):
                await rig.send()
            assert rig.writes() == []
            (question,) = rig.adapter.questions(rig.view())
            assert (await rig.link.send(question, 10)).outcome == "accepted"

        run_battery(scenario)

    def test_on_a_busy_connection_nothing_leaves(self) -> None:
        """Another unit's exchange takes longer than the time-out."""

        async def scenario(rig: BatteryRig) -> None:
            connection = rig.adapter._hub.at(rig.options)  # noqa: SLF001
            async with connection.lock:
                with pytest.raises(NotSent, match="busy"):
                    await rig.send(timeout_s=0.01)

        run_battery(scenario)

    def test_before_it_is_opened_and_after_it_is_closed_nothing_leaves(self) -> None:
        """And closing twice is closing once."""

        async def scenario(rig: BatteryRig) -> None:
            other: Link = rig.adapter.link(rig.options, rig.report)
            with pytest.raises(NotSent, match="not opened"):
                await other.send(rig.charge(1.0), 1)
            await other.close()
            await rig.link.open()
            await rig.link.close()
            with pytest.raises(NotSent):
                await rig.send()

        run_battery(scenario)

    def test_a_connection_that_is_not_there_takes_nothing(self) -> None:
        """Whoever has not asked first is told."""

        async def scenario() -> None:
            connection = ModbusConnection(("127.0.0.1", 1), None, GuardClock().guards())
            with pytest.raises(NotSent, match="connecting"):
                await connection.exchange(Request(1, 3, 0, count=1), Timing(1), control=False)

        asyncio.run(scenario())


class TestUnknown:
    @pytest.mark.parametrize(
        ("quirk", "outcome"),
        [
            ("silent", "timed_out"),
            ("mute", "timed_out"),
            ("drop_connection", "link_lost"),
            ("wrong_echo", "unknown"),
            ("wrong_transaction", "unknown"),
            ("zero_transaction", "unknown"),
            ("wrong_function", "unknown"),
        ],
    )
    def test_without_an_answer_that_fits_the_outcome_is_unknown(
        self, quirk: str, outcome: str
    ) -> None:
        """One write on the wire, no retry of the library's, a new connection, and it goes on."""

        async def scenario(rig: BatteryRig) -> None:
            rig.battery.fail(quirk)
            with pytest.raises(OutcomeUnknown) as unknown:
                await rig.send(timeout_s=0.3 if outcome == "timed_out" else 10.0)
            assert unknown.value.outcome == outcome
            assert (unknown.value.raw is not None) == (outcome == "unknown")
            assert len(rig.writes()) == 1
            rig.battery.heal()
            await rig.heard(Seen, 2)
            assert (await rig.send(3.0)).outcome == "accepted"

        run_battery(scenario)

    def test_a_write_that_timed_out_may_have_been_done(self) -> None:
        """That is why nobody takes a time-out for a no; the next greeting shows it."""

        async def scenario(rig: BatteryRig) -> None:
            rig.battery.fail("mute")
            with pytest.raises(OutcomeUnknown):
                await rig.send(2.0, timeout_s=0.3)
            rig.battery.heal()
            await rig.until(lambda: any(_reads(one, 2.0) for one in rig.seen))
            assert rig.count(Disconnected) == 0

        run_battery(scenario)

    def test_the_question_after_it_waits_for_the_new_connection(self) -> None:
        """The device is asked first, where it can be, before anything is sent again."""

        async def scenario(rig: BatteryRig) -> None:
            rig.battery.fail("wrong_echo")
            with pytest.raises(OutcomeUnknown):
                await rig.send(2.0)
            (question,) = rig.adapter.questions(rig.view())
            answer = await rig.link.send(question, 5)
            (read,) = rig.adapter.interpret(answer, rig.view())
            assert _reads(read, 2.0)

        run_battery(scenario)

    def test_a_question_does_not_wait_for_a_device_that_is_gone(self) -> None:
        """Once it is disconnected, nobody is kept waiting."""

        async def scenario(rig: BatteryRig) -> None:
            rig.battery.fail("mute")
            with pytest.raises(OutcomeUnknown):
                await rig.send(2.0, timeout_s=0.3)
            (question,) = rig.adapter.questions(rig.view())
            asking = asyncio.create_task(rig.link.send(question, 3_600))
            await rig.battery.stop()
            with pytest.raises(NotSent, match="not connected"):
                await asking

        run_battery(scenario)

    def test_a_late_reply_is_never_taken_for_another(self) -> None:
        """It comes to a connection that is no more."""

        async def scenario(rig: BatteryRig) -> None:
            rig.battery.slow_s = 0.6
            rig.battery.fail("slow")
            with pytest.raises(OutcomeUnknown):
                await rig.send(2.0, timeout_s=0.1)
            rig.battery.heal()
            await rig.heard(Seen, 2)
            answer = await rig.send(3.0)
            (read,) = rig.adapter.interpret(answer, rig.view())
            assert isinstance(read, SetpointRead)
            assert read.charge_kw == 3.0

        run_battery(scenario)

    def test_an_answer_that_nobody_waits_for_ends_the_connection(self) -> None:
        """Requests and replies are out of step."""

        async def scenario(rig: BatteryRig) -> None:
            rig.battery.fail("answer_twice")
            payload = rig.charge(2.0)
            await asyncio.gather(
                rig.link.send(Payload(payload.frames[:1]), 10), return_exceptions=True
            )
            await rig.battery.until(lambda: rig.battery.connections >= 2)

        run_battery(scenario)

    def test_once_a_write_is_out_nothing_is_not_sent_any_more(self) -> None:
        """The leave is withdrawn between two frames: the device has half of it."""

        async def scenario(rig: BatteryRig) -> None:
            payload = rig.charge(2.0)
            allowed = iter([True, False])
            guards = attrs.evolve(rig.clock.guards(), may_send=lambda: next(allowed))
            adapter = ModbusAdapter({QUIET.name: QUIET}, guards)
            seen = asyncio.Event()
            link = adapter.link(
                rig.options, lambda one: seen.set() if isinstance(one, Seen) else None
            )
            await link.open()
            await seen.wait()
            with pytest.raises(OutcomeUnknown) as unknown:
                await link.send(Payload((payload.frames[0], payload.frames[0])), 10)
            assert unknown.value.outcome == "link_lost"
            assert unknown.value.raw is not None
            assert len(rig.writes()) == 1
            await link.close()

        run_battery(scenario)

    def test_a_send_that_is_cancelled_leaves_no_reply_behind(self) -> None:
        """The engine closes in the middle of it."""

        async def scenario(rig: BatteryRig) -> None:
            rig.battery.fail("mute")
            sending = asyncio.create_task(rig.send(timeout_s=10))
            await rig.battery.until(lambda: len(rig.writes()) == 1)
            sending.cancel()
            with pytest.raises(asyncio.CancelledError):
                await sending
            await rig.battery.until(lambda: rig.battery.connections >= 2)

        run_battery(scenario)


def _reads(observation: Observation, kw: float) -> bool:
    return isinstance(observation, SetpointRead) and observation.charge_kw == kw
