import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from fractions import Fraction
from typing import Any

import attrs
import pytest

from actors.links.exchange import (
    Guards,
    Request,
    Timing,
    outcome_of,
    reason_of,
    reply_fault,
    request_of,
)
from actors.links.modbus import ModbusAdapter, ModbusConnection
from actors.sim.battery import SimBattery
from actors.sim.wirelog import WireEntry
from engine.adapters.base import (
    Answer,
    AssetView,
    Connected,
    Disconnected,
    Frame,
    Link,
    Observation,
    Payload,
    PowerMeasured,
    Seen,
    SetpointRead,
    StateReported,
    Unreadable,
)
from engine.adapters.modbus import ModbusOptions
from engine.adapters.profile import builtin
from engine.adapters.registers import KeepAlive, Register, RegisterProfile
from engine.commands import Attempt, Cause, CauseKind, Command, CommandType
from engine.errors import NotSent, OutcomeUnknown
from engine.types import AssetId, AssetKind, CommandId

NOW = datetime(2026, 1, 5, 12, tzinfo=UTC)
GENERIC = builtin("generic-battery")
QUIET = attrs.evolve(GENERIC, poll_s=3_600.0)
BUSY = attrs.evolve(GENERIC, poll_s=0.02)
REPEATED = attrs.evolve(QUIET, keepalive=KeepAlive("setpoint", 0.1))
BEATEN = attrs.evolve(QUIET, keepalive=KeepAlive("heartbeat", 0.1))

Scenario = Callable[["Rig"], Coroutine[Any, Any, None]]


class Clock:
    """A device clock and what the engine allows; tests move them."""

    def __init__(self) -> None:
        self.now_us = 1_000_000
        self.sending = True
        self.keeping = True

    def guards(self) -> Guards:
        """Return guards that ask this clock, with little patience."""
        return Guards(
            lambda: self.now_us,
            lambda: self.sending,
            lambda: self.keeping,
            reply_s=0.3,
            pauses_s=(0.01, 0.05),
        )


class Rig:
    """A battery, its link, and what the link has said."""

    def __init__(self, profile: RegisterProfile, device: RegisterProfile | None = None) -> None:
        self.profile = profile
        self.battery = SimBattery(device or attrs.evolve(profile, keepalive=None))
        self.clock = Clock()
        self.adapter = ModbusAdapter({profile.name: profile}, self.clock.guards())
        self.seen: list[Observation] = []
        self.link: Any = None
        self.options = ModbusOptions("127.0.0.1")
        self._told = asyncio.Event()

    def report(self, observation: Observation) -> None:
        """Take what a link says."""
        self.seen.append(observation)
        self._told.set()

    async def until(self, condition: Callable[[], bool]) -> None:
        """Wait for what the link says to fulfil a condition."""
        while not condition():
            self._told.clear()
            await self._told.wait()

    async def heard(self, kind: type[Observation], times: int = 1) -> None:
        """Wait until the link has said something of this kind, so many times."""
        await self.until(lambda: self.count(kind) >= times)

    def count(self, kind: type[Observation]) -> int:
        """Return how often the link has said something of this kind."""
        return sum(isinstance(one, kind) for one in self.seen)

    async def open(self, port: int) -> None:
        """Open the link to the battery, which listens there."""
        self.options = ModbusOptions("127.0.0.1", port, 1, self.profile.name)
        self.link = self.adapter.link(self.options, self.report)
        await self.link.open()

    async def send(self, kw: float = 2.0, timeout_s: float = 0.3, **payload: Any) -> Answer:  # noqa: ANN401 - of Payload
        """Send a charge rate of a battery whose other channel is known."""
        answer = await self.link.send(self.charge(kw, **payload), timeout_s)
        assert isinstance(answer, Answer)
        return answer

    def view(self) -> AssetView:
        """Return the battery as the engine sees it."""
        asset_id = AssetId("ast_batt_001")
        return AssetView(
            asset_id, AssetKind.BATTERY, "IDLE", options=self.options, held_discharge_kw=0.0
        )

    def charge(self, kw: float, **payload: Any) -> Payload:  # noqa: ANN401 - of Payload
        """Return the payload of a charge rate."""
        cause = Cause(CauseKind.SCHEDULE)
        asset = self.view()
        command = Command(
            CommandId("cmd_1"), asset.asset_id, CommandType.SET_CHARGE_RATE, kw, NOW, cause
        )
        attempt = Attempt("att_1", 1, 0, NOW, 900.0, 0.0, kw, 0.0)
        return attrs.evolve(self.adapter.translate(command, asset, attempt), **payload)

    def writes(self, address: int = 20) -> list[WireEntry]:
        """Return the writes to an address that the battery saw."""
        return writes(self.battery, address)


def writes(battery: SimBattery, address: int = 20) -> list[WireEntry]:
    """Return the writes to an address that a battery saw."""
    return [
        one
        for one in battery.wire_log.entries
        if one.direction == "in"
        and one.action in {6, 16}
        and isinstance(one.payload, dict)
        and one.payload["address"] == address
    ]


def run(scenario: Scenario, profile: RegisterProfile = QUIET, **device: RegisterProfile) -> None:
    """Run a scenario with a battery that is connected already."""

    async def connected() -> None:
        async with rig_of(profile, **device) as rig:
            await rig.heard(Seen)
            await scenario(rig)

    asyncio.run(connected())


@asynccontextmanager
async def rig_of(profile: RegisterProfile, **device: RegisterProfile) -> AsyncIterator[Rig]:
    """Start a battery and open its link; close both."""
    rig = Rig(profile, **device)
    async with asyncio.timeout(20):
        await rig.open(await rig.battery.start())
        try:
            yield rig
        finally:
            await rig.link.close()
            await rig.battery.stop()


class TestGreeting:
    def test_a_battery_is_connected_once_it_has_said_what_it_holds(self) -> None:
        """The setpoint comes first, so that the engine knows on connect whether it still holds."""

        async def scenario(rig: Rig) -> None:
            assert [
                SetpointRead,
                Connected,
                StateReported,
                PowerMeasured,
                Seen,
            ] == list(map(type, rig.seen))

        run(scenario)

    def test_another_model_is_refused_and_asked_again(self) -> None:
        """A profile for one device is not tried on another; a changed device is let in."""

        async def scenario() -> None:
            rig = Rig(QUIET)
            rig.battery.press("model_id", 803)
            async with asyncio.timeout(20):
                await rig.open(await rig.battery.start())
                await rig.heard(Unreadable, 2)
                with pytest.raises(NotSent, match="model_id is 803"):
                    await rig.send()
                assert rig.count(Connected) == 0
                rig.battery.press("model_id", 802)
                await rig.heard(Connected)
                await rig.link.close()
                await rig.battery.stop()

        asyncio.run(scenario())

    def test_a_device_that_refuses_every_read_is_not_connected(self) -> None:
        """A gateway answers for a unit that does not."""
        moved = [attrs.evolve(one, address=one.address + 1_000) for one in QUIET.registers]
        registers = tuple(one for one in moved if one.role != "model_id")

        async def scenario() -> None:
            profile = attrs.evolve(QUIET, registers=registers)
            async with rig_of(profile, device=QUIET) as rig:
                await rig.heard(Unreadable)
                assert rig.count(Connected) == 0
                with pytest.raises(NotSent, match="illegal data address"):
                    await rig.send()

        asyncio.run(scenario())

    def test_a_register_that_a_device_lacks_does_not_keep_it_away(self) -> None:
        """What it does tell is used."""
        extra = Register("soc_pct", 500, "u16")
        kept = tuple(one for one in QUIET.registers if one.role != "soc_pct")
        profile = attrs.evolve(QUIET, registers=(*kept, extra))

        async def scenario(rig: Rig) -> None:
            assert PowerMeasured(0.0) in rig.seen

        run(scenario, profile, device=QUIET)

    def test_a_device_that_comes_later_is_greeted_then(self) -> None:
        """Nobody listens at first: the link tries on, and others are not kept waiting."""

        async def scenario() -> None:
            rig = Rig(QUIET)
            port = await rig.battery.start()
            await rig.battery.stop()
            async with asyncio.timeout(20):
                await rig.open(port)
                with pytest.raises(NotSent, match="not connected"):
                    await rig.send()
                await rig.battery.start(port=port)
                await rig.heard(Connected)
                assert rig.count(Disconnected) == 0
                await rig.link.close()
                await rig.battery.stop()

        asyncio.run(scenario())

    def test_a_host_that_does_not_exist_is_tried_again(self) -> None:
        """A name that no resolver takes is an address like any other that fails."""

        async def scenario() -> None:
            rig = Rig(QUIET)
            rig.options = ModbusOptions("a" * 64, 502, 1, QUIET.name)
            link = rig.adapter.link(rig.options, rig.report)
            async with asyncio.timeout(20):
                await link.open()
                while True:
                    with pytest.raises(NotSent) as refused:
                        await link.send(rig.charge(1.0), 1)
                    if "cannot connect" in str(refused.value):
                        break
                    await asyncio.sleep(0)
                await link.close()

        asyncio.run(scenario())


class TestSending:
    def test_each_frame_goes_out_once_and_the_read_back_is_evidence(self) -> None:
        """One write per frame on the wire; pymodbus would send it four times."""

        async def scenario(rig: Rig) -> None:
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

        run(scenario)

    def test_a_value_of_two_words_is_one_write(self) -> None:
        """Function code 16, echoed by address and count."""
        profile = attrs.evolve(QUIET, control="signed")
        setpoint = attrs.evolve(profile.setpoints[0], write_function=16)
        others = [one for one in profile.registers if one.role != "power_setpoint_w"]
        profile = attrs.evolve(profile, registers=(*others, setpoint))

        async def scenario(rig: Rig) -> None:
            await rig.send(2.315)
            assert [one.action for one in rig.writes(22)] == [16]
            assert rig.battery.setpoint_w() == 2_315

        run(scenario, profile)

    def test_input_registers_are_read_with_function_code_4(self) -> None:
        """They are counted apart."""
        inputs = [
            attrs.evolve(one, space="input") if one.role == "power_w" else one
            for one in QUIET.registers
        ]

        async def scenario(rig: Rig) -> None:
            assert 4 in [one.action for one in rig.battery.wire_log.entries]
            assert rig.count(PowerMeasured) == 1

        run(scenario, attrs.evolve(QUIET, registers=tuple(inputs)))

    @pytest.mark.parametrize("code", [1, 2, 3])
    def test_a_refusal_is_an_answer(self, code: int) -> None:
        """Exception codes 1, 2 and 3: understood and refused, with the reason and the raw text."""

        async def scenario(rig: Rig) -> None:
            rig.battery.fail(f"exception_{code}")
            answer = await rig.send()
            assert answer.outcome == "rejected"
            assert answer.raw.endswith(f"0003018{6}0{code}")
            assert (answer.reason or "").startswith(f"exception {code}: illegal")
            assert len(rig.writes()) == 1

        run(scenario)

    def test_a_device_failure_is_an_error(self) -> None:
        """Exception code 4 and what is not in the standard may pass."""

        async def scenario(rig: Rig) -> None:
            rig.battery.fail("exception_4")
            answer = await rig.send()
            assert answer.outcome == "error"
            assert answer.reason == "exception 4: device failure, on write of charge_setpoint_w"

        run(scenario)

    def test_a_refusal_after_an_accepted_write_says_so(self) -> None:
        """The attempt is not accepted, and the device has changed all the same."""

        async def scenario(rig: Rig) -> None:
            payload = rig.charge(2.0)
            broken = attrs.evolve(payload.frames[0], body={**payload.frames[0].body, "address": 99})
            answer = await rig.link.send(Payload((payload.frames[0], broken)), 1)
            assert answer.outcome == "rejected"
            assert answer.reason.endswith("after 1 of its writes were accepted")

        run(scenario)

    def test_a_refused_read_back_is_no_evidence_and_no_refusal(self) -> None:
        """The write was accepted; what it did is not known."""

        async def scenario(rig: Rig) -> None:
            payload = rig.charge(2.0)
            body = {**payload.frames[-1].body, "address": 99}
            answer = await rig.link.send(
                Payload((payload.frames[0], Frame("read", body, control=False))), 1
            )
            assert answer.outcome == "accepted"
            assert rig.adapter.interpret(answer, rig.view()) == ()

        run(scenario)

    def test_a_refused_question_is_refused(self) -> None:
        """A payload that only reads has nothing else to be accepted."""

        async def scenario(rig: Rig) -> None:
            (question,) = rig.adapter.questions(rig.view())
            accepted = await rig.link.send(question, 1)
            assert accepted.outcome == "accepted"
            body = {**question.frames[0].body, "address": 99}
            answer = await rig.link.send(Payload((Frame("read", body, control=False),)), 1)
            assert answer.outcome == "rejected"

        run(scenario)


class TestNotSent:
    def test_after_its_send_window_nothing_leaves(self) -> None:
        """The window is looked at right before the first byte."""

        async def scenario(rig: Rig) -> None:
            with pytest.raises(NotSent, match="send window"):
                await rig.send(begin_by_us=rig.clock.now_us - 1)
            assert rig.writes() == []
            assert (await rig.send(begin_by_us=rig.clock.now_us)).outcome == "accepted"

        run(scenario)

    def test_without_leave_nothing_leaves(self) -> None:
        """An engine that another has taken over from sends no control frame; it may read."""

        async def scenario(rig: Rig) -> None:
            rig.clock.sending = False
            with pytest.raises(NotSent, match="not allowed"):
                await rig.send()
            assert rig.writes() == []
            (question,) = rig.adapter.questions(rig.view())
            assert (await rig.link.send(question, 1)).outcome == "accepted"

        run(scenario)

    def test_on_a_busy_connection_nothing_leaves(self) -> None:
        """Another unit's exchange takes longer than the time-out."""

        async def scenario(rig: Rig) -> None:
            connection = rig.adapter._hub.at(rig.options.host, rig.options.port)  # noqa: SLF001
            async with connection.lock:
                with pytest.raises(NotSent, match="busy"):
                    await rig.send(timeout_s=0.01)

        run(scenario)

    def test_before_it_is_opened_and_after_it_is_closed_nothing_leaves(self) -> None:
        """And closing twice is closing once."""

        async def scenario(rig: Rig) -> None:
            other: Link = rig.adapter.link(rig.options, rig.report)
            with pytest.raises(NotSent, match="not opened"):
                await other.send(rig.charge(1.0), 1)
            await other.close()
            await rig.link.open()
            await rig.link.close()
            with pytest.raises(NotSent):
                await rig.send()

        run(scenario)

    def test_a_connection_that_is_not_there_takes_nothing(self) -> None:
        """Whoever has not asked first is told."""

        async def scenario() -> None:
            connection = ModbusConnection("127.0.0.1", 1, Clock().guards())
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

        async def scenario(rig: Rig) -> None:
            rig.battery.fail(quirk)
            with pytest.raises(OutcomeUnknown) as unknown:
                await rig.send()
            assert unknown.value.outcome == outcome
            assert (unknown.value.raw is not None) == (outcome == "unknown")
            assert len(rig.writes()) == 1
            rig.battery.heal()
            await rig.battery.until(lambda: rig.battery.connections >= 2)
            await rig.heard(Seen, 2)
            assert (await rig.send(3.0)).outcome == "accepted"

        run(scenario)

    def test_a_write_that_timed_out_may_have_been_done(self) -> None:
        """That is why nobody takes a time-out for a no; the next greeting shows it."""

        async def scenario(rig: Rig) -> None:
            rig.battery.fail("mute")
            with pytest.raises(OutcomeUnknown):
                await rig.send(2.0)
            rig.battery.heal()
            await rig.until(lambda: any(_reads(one, 2.0) for one in rig.seen))
            assert rig.count(Disconnected) == 0

        run(scenario)

    def test_a_late_reply_is_never_taken_for_another(self) -> None:
        """It comes to a connection that is no more."""

        async def scenario(rig: Rig) -> None:
            rig.battery.slow_s = 0.3
            rig.battery.fail("slow")
            with pytest.raises(OutcomeUnknown):
                await rig.send(2.0, timeout_s=0.1)
            rig.battery.heal()
            await rig.heard(Seen, 2)
            answer = await rig.send(3.0)
            (read,) = rig.adapter.interpret(answer, rig.view())
            assert isinstance(read, SetpointRead)
            assert read.charge_kw == 3.0

        run(scenario)

    def test_an_answer_that_nobody_waits_for_ends_the_connection(self) -> None:
        """Requests and replies are out of step."""

        async def scenario(rig: Rig) -> None:
            rig.battery.fail("answer_twice")
            payload = rig.charge(2.0)
            await asyncio.gather(
                rig.link.send(Payload(payload.frames[:1]), 1), return_exceptions=True
            )
            await rig.battery.until(lambda: rig.battery.connections >= 2)

        run(scenario)

    def test_once_a_write_is_out_nothing_is_not_sent_any_more(self) -> None:
        """The leave is withdrawn between two frames: the device has half of it."""

        async def scenario(rig: Rig) -> None:
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
                await link.send(Payload((payload.frames[0], payload.frames[0])), 1)
            assert unknown.value.outcome == "link_lost"
            assert unknown.value.raw is not None
            assert len(rig.writes()) == 1
            await link.close()

        run(scenario)

    def test_a_send_that_is_cancelled_leaves_no_reply_behind(self) -> None:
        """The engine closes in the middle of it."""

        async def scenario(rig: Rig) -> None:
            rig.battery.fail("mute")
            sending = asyncio.create_task(rig.send(timeout_s=10))
            await rig.battery.until(lambda: len(rig.writes()) == 1)
            sending.cancel()
            with pytest.raises(asyncio.CancelledError):
                await sending
            await rig.battery.until(lambda: rig.battery.connections >= 2)

        run(scenario)


def _reads(observation: Observation, kw: float) -> bool:
    return isinstance(observation, SetpointRead) and observation.charge_kw == kw


class TestConnection:
    def test_a_device_that_hangs_up_is_disconnected_and_greeted_again(self) -> None:
        """After a restart it may have forgotten what it held, so it is read anew."""

        async def scenario(rig: Rig) -> None:
            rig.battery.hang_up()
            await rig.heard(Disconnected)
            await rig.heard(Connected, 2)
            kinds = list(map(type, rig.seen))
            later = kinds[kinds.index(Disconnected) :]
            assert later[:3] == [Disconnected, SetpointRead, Connected]

        run(scenario)

    def test_a_device_that_stays_silent_is_disconnected(self) -> None:
        """No answer is no state of the battery; it is back when it answers."""

        async def scenario(rig: Rig) -> None:
            rig.battery.fail("silent")
            await rig.heard(Disconnected)
            rig.battery.heal()
            await rig.heard(Connected, 2)

        run(scenario, BUSY)

    def test_a_device_behind_a_gateway_that_does_not_reach_it_is_disconnected(self) -> None:
        """It refuses every read of a poll."""

        async def scenario(rig: Rig) -> None:
            rig.battery.fail("gateway_fault")
            await rig.heard(Disconnected)
            assert "gateway target did not respond" in _lost(rig)[0].reason

        run(scenario, BUSY)

    def test_units_of_one_host_share_one_connection(self) -> None:
        """A unit that never answers costs the other its connection, not its standing."""

        async def scenario(rig: Rig) -> None:
            assert rig.battery.connections == 1
            silent: list[Observation] = []
            other = rig.adapter.link(attrs.evolve(rig.options, unit=9), silent.append)
            await other.open()
            await rig.battery.until(lambda: rig.battery.connections >= 3)
            await rig.heard(Seen, 3)
            assert rig.count(Disconnected) == 0
            assert not any(isinstance(one, Connected) for one in silent)
            await other.close()
            assert (await rig.send()).outcome == "accepted"

        run(scenario)

    def test_requests_keep_the_gap_that_a_device_needs(self) -> None:
        """From the end of one exchange to the beginning of the next."""

        async def scenario(rig: Rig) -> None:
            loop = asyncio.get_running_loop()
            begun = loop.time()
            await rig.send()
            assert loop.time() - begun >= 0.1

        run(scenario, attrs.evolve(QUIET, min_gap_s=0.1))

    def test_a_poll_comes_in_the_profiles_time(self) -> None:
        """Every good poll is a sign of life and says what the device holds."""

        async def scenario(rig: Rig) -> None:
            rig.battery.press("discharge_setpoint_w", 1_000)
            await rig.until(lambda: any(_discharges(one) for one in rig.seen))
            await rig.heard(Seen, 3)
            assert rig.count(Connected) == 1

        run(scenario, BUSY)

    def test_an_asset_is_polled_before_it_is_stale(self) -> None:
        """At least every third of the time after which it is."""

        async def scenario(rig: Rig) -> None:
            guards = attrs.evolve(rig.clock.guards(), stale_s=0.06)
            adapter = ModbusAdapter({QUIET.name: QUIET}, guards)
            link = adapter.link(rig.options, rig.report)
            await link.open()
            await rig.heard(Seen, 4)
            await link.close()

        run(scenario)


def _lost(rig: Rig) -> list[Disconnected]:
    return [one for one in rig.seen if isinstance(one, Disconnected)]


def _discharges(observation: Observation) -> bool:
    return isinstance(observation, SetpointRead) and observation.discharge_kw == 1.0


class TestKeepAlive:
    def test_a_heartbeat_counts_up_at_half_the_devices_time(self) -> None:
        """From the moment that a setpoint is confirmed."""

        async def scenario(rig: Rig) -> None:
            rig.link.keep(rig.charge(2.0).frames, None)
            rig.link.keep(rig.charge(2.0).frames, None)
            await rig.battery.until(lambda: len(rig.writes(30)) >= 3)
            beats = [one.payload["values"][0] for one in rig.writes(30)]  # type: ignore[index]
            assert beats[:3] == [2, 3, 4]
            assert rig.writes() == []

        run(scenario, BEATEN)

    def test_a_heartbeat_may_be_a_constant(self) -> None:
        """As the profile says."""

        async def scenario(rig: Rig) -> None:
            rig.link.keep(rig.charge(2.0).frames, None)
            await rig.battery.until(lambda: len(rig.writes(30)) >= 2)
            assert {one.payload["values"][0] for one in rig.writes(30)} == {7}  # type: ignore[index]

        keepalive = KeepAlive("heartbeat", 0.1, Fraction(7))
        run(scenario, attrs.evolve(QUIET, keepalive=keepalive))

    def test_a_kept_setpoint_is_repeated_unchanged(self) -> None:
        """The confirmed attempt's control frames, and nothing new."""

        async def scenario(rig: Rig) -> None:
            await rig.send(2.0)
            rig.link.keep(rig.charge(2.0).frames, None)
            await rig.battery.until(lambda: len(rig.writes()) >= 3)
            assert {one.payload["values"][0] for one in rig.writes()} == {2_000}  # type: ignore[index]

        run(scenario, REPEATED)

    def test_it_ends_with_the_lease(self) -> None:
        """Then the device takes itself back, which is what a lease is for."""

        async def scenario(rig: Rig) -> None:
            rig.link.keep(rig.charge(2.0).frames, rig.clock.now_us + 1)
            await rig.battery.until(lambda: len(rig.writes(30)) >= 1)
            rig.clock.now_us += 1
            await _a_while(rig, lambda: rig.link._kept is None)  # noqa: SLF001 - nothing is to be seen
            assert len(rig.writes(30)) <= 2

        run(scenario, BEATEN)

    def test_it_ends_when_it_is_dropped(self) -> None:
        """By no frames, or by a release."""

        async def scenario(rig: Rig) -> None:
            rig.link.keep(rig.charge(2.0).frames, None)
            rig.link.keep((), None)
            assert rig.link._kept is None  # noqa: SLF001 - nothing is to be seen
            (question,) = rig.adapter.questions(rig.view())
            await rig.link.send(question, 1)
            assert rig.writes(30) == []

        run(scenario, BEATEN)

    def test_a_profile_without_it_keeps_nothing(self) -> None:
        """The device's own time-out is none, or longer than the lease."""

        async def scenario(rig: Rig) -> None:
            rig.link.keep(rig.charge(2.0).frames, None)
            assert rig.link._kept is None  # noqa: SLF001 - nothing is to be seen

        run(scenario, attrs.evolve(QUIET, keepalive=None))

    def test_without_leave_it_waits(self) -> None:
        """An engine that has been taken over from keeps nothing alive."""

        async def scenario(rig: Rig) -> None:
            rig.clock.keeping = False
            rig.link.keep(rig.charge(2.0).frames, None)
            await _a_while(rig, lambda: rig.link._beat_at > asyncio.get_running_loop().time() + 0.5)  # noqa: SLF001
            assert rig.writes(30) == []
            rig.clock.keeping = True
            await rig.battery.until(lambda: len(rig.writes(30)) >= 1)

        run(scenario, BEATEN)

    def test_a_new_setpoint_ends_the_old_ones_repetition(self) -> None:
        """Nothing older is sent after something newer."""

        async def scenario(rig: Rig) -> None:
            rig.link.keep(rig.charge(2.0).frames, None)
            await rig.send(3.0)
            assert rig.link._kept is None  # noqa: SLF001 - nothing is to be seen
            assert rig.writes()[-1].payload["values"] == [3_000]  # type: ignore[index]

        run(scenario, REPEATED)

    @pytest.mark.parametrize("quirks", [["exception_3"], []])
    def test_a_setpoint_that_did_not_get_through_leaves_the_old_one_alive(
        self, quirks: list[str]
    ) -> None:
        """Refused, or not sent at all: the device holds what it held."""

        async def scenario(rig: Rig) -> None:
            await rig.send(2.0)
            rig.link.keep(rig.charge(2.0).frames, None)
            if quirks:
                rig.battery.fail(*quirks)
                assert (await rig.send(3.0)).outcome == "rejected"
                rig.battery.heal()
            else:
                with pytest.raises(NotSent):
                    await rig.send(3.0, begin_by_us=0)
            before = len(rig.writes())
            await rig.battery.until(lambda: len(rig.writes()) > before)
            assert rig.writes()[-1].payload["values"] == [2_000]  # type: ignore[index]

        run(scenario, REPEATED)

    def test_a_write_to_another_register_leaves_it_alive(self) -> None:
        """An operator's call is no new setpoint."""

        async def scenario(rig: Rig) -> None:
            rig.link.keep(rig.charge(2.0).frames, None)
            frame = rig.charge(2.0).frames[0]
            call = attrs.evolve(frame, body={**frame.body, "address": 30})
            await rig.link.send(Payload((call,)), 1)
            await rig.battery.until(lambda: len(rig.writes()) >= 1)

        run(scenario, REPEATED)

    def test_a_refused_keep_alive_is_told(self) -> None:
        """And tried again in its time."""

        async def scenario(rig: Rig) -> None:
            rig.battery.fail("exception_3")
            rig.link.keep(rig.charge(2.0).frames, None)
            await rig.heard(Unreadable, 2)

        run(scenario, BEATEN)

    def test_it_goes_on_after_a_new_connection(self) -> None:
        """At once, as time has passed."""

        async def scenario(rig: Rig) -> None:
            rig.link.keep(rig.charge(2.0).frames, None)
            await rig.battery.until(lambda: len(rig.writes(30)) == 1)
            rig.battery.hang_up()
            await rig.battery.until(lambda: len(rig.writes(30)) == 2)

        keepalive = KeepAlive("heartbeat", 3_600.0)
        run(scenario, attrs.evolve(QUIET, keepalive=keepalive))


async def _a_while(rig: Rig, condition: Callable[[], bool]) -> None:
    """Wait for something of the link's that nobody tells, by asking the battery meanwhile."""
    (question,) = rig.adapter.questions(rig.view())
    while not condition():
        await rig.link.send(question, 1)


SENT_READ = bytes.fromhex("000100000006010300140002")
SENT_WRITE = bytes.fromhex("00010000000601060014090b")
SENT_WRITES = bytes.fromhex("00010000000b011000160002040000090b")


class TestReply:
    @pytest.mark.parametrize(
        ("sent", "got"),
        [
            (SENT_READ, "0001000000070103040000090b"),
            (SENT_READ, "00010000000701030400"),
            (SENT_READ, "0001"),
            (SENT_READ, ""),
            (SENT_READ, "000100000003018302"),
            (SENT_WRITE, "00010000000601060014090b"),
            (SENT_WRITE, "00010000000601060014"),
            (SENT_WRITES, "000100000006011000160002"),
        ],
    )
    def test_a_reply_that_fits_or_is_not_complete_is_let_through(
        self, sent: bytes, got: str
    ) -> None:
        """TCP may deliver it in parts."""
        assert reply_fault(sent, bytes.fromhex(got)) is None

    @pytest.mark.parametrize(
        ("sent", "got", "fault"),
        [
            (SENT_READ, "0002000000070103040000090b", "transaction id 0002, not 0001"),
            (SENT_READ, "0000000000070103040000090b", "transaction id 0000, not 0001"),
            (SENT_READ, "0001000100070103040000090b", "protocol 0001, not 0000"),
            (SENT_READ, "0001000000070203040000090b", "unit 2, not 1"),
            (SENT_READ, "0001000000070104040000090b", "function code 4, not 3"),
            (SENT_READ, "000100000005010302090b", "2 bytes of registers, not 4"),
            (SENT_READ, "0001000000090103040000090b", "13 bytes of length 9, not 7"),
            (SENT_READ, "0001000000070103040000090b00", "14 bytes of length 7, not 7"),
            (SENT_WRITE, "000100000006010600140002", "echo 00140002, not 0014090b"),
            (SENT_WRITE, "000100000006010600150", "echo"),
            (SENT_WRITES, "000100000006011000160001", "echo 00160001, not 00160002"),
            (SENT_WRITES, "000100000007011000160002", "12 bytes of length 7, not 6"),
        ],
    )
    def test_a_reply_that_does_not_fit_is_named(self, sent: bytes, got: str, fault: str) -> None:
        """Pymodbus would take most of them for success."""
        found = reply_fault(sent, bytes.fromhex(got[: len(got) // 2 * 2]))
        assert found is not None
        assert found.startswith(fault)

    def test_exceptions_have_names(self) -> None:
        """Codes 1 to 3 refuse; others may pass."""
        frame = Frame("write", {"role": "mode"})
        assert [outcome_of(code) for code in (1, 2, 3, 4, 11)] == [
            "rejected",
            "rejected",
            "rejected",
            "error",
            "error",
        ]
        assert reason_of(99, frame) == "exception 99: not in the standard, on write of mode"

    def test_a_frame_that_is_none_is_a_bug(self) -> None:
        """Only `translate` makes them."""
        with pytest.raises(TypeError, match="no integer"):
            request_of(Frame("write", {"unit": "1", "function": 6, "address": 20}))
