import asyncio

import attrs
import pytest

from actors.links.modbus import ModbusAdapter
from actors.testing.battery_rig import QUIET, BatteryRig, rig_of, run_battery
from engine.adapters.base import (
    Connected,
    Disconnected,
    Observation,
    PowerMeasured,
    Seen,
    SetpointRead,
    StateReported,
    Unreadable,
)
from engine.adapters.modbus import ModbusOptions
from engine.adapters.registers import Register
from engine.errors import NotSent

BUSY = attrs.evolve(QUIET, poll_s=0.02)


class TestGreeting:
    def test_a_battery_is_connected_once_it_has_said_what_it_holds(self) -> None:
        """The setpoint comes first, so that the engine knows on connect whether it still holds."""

        async def scenario(rig: BatteryRig) -> None:
            assert [
                SetpointRead,
                Connected,
                StateReported,
                PowerMeasured,
                Seen,
            ] == list(map(type, rig.seen))

        run_battery(scenario)

    def test_another_model_is_refused_and_asked_again(self) -> None:
        """A profile for one device is not tried on another; a changed device is let in."""

        async def scenario() -> None:
            rig = BatteryRig(QUIET)
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

    def test_why_a_device_is_not_used_is_said_once(self, caplog: pytest.LogCaptureFixture) -> None:
        """Who sets it up sees what to look at."""

        async def scenario() -> None:
            rig = BatteryRig(QUIET)
            rig.battery.press("model_id", 803)
            async with asyncio.timeout(20):
                await rig.open(await rig.battery.start())
                await rig.heard(Unreadable, 3)
                assert [one.levelname for one in caplog.records] == ["WARNING"]
                assert "model_id is 803" in caplog.text
                rig.battery.press("model_id", 802)
                await rig.heard(Connected)
                await rig.battery.stop()
                await rig.heard(Disconnected)
                assert len(caplog.records) == 1
                await rig.link.close()

        asyncio.run(scenario())

    def test_that_answers_make_no_sense_is_said_once(
        self, caplog: pytest.LogCaptureFixture
    ) -> None:
        """Whatever it is that listens there."""
        connections: list[asyncio.StreamWriter] = []
        third = asyncio.Event()

        async def web_server(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            connections.append(writer)
            if len(connections) == 3:
                third.set()
            while await reader.read(300):
                writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
            writer.close()

        async def scenario() -> None:
            rig = BatteryRig(QUIET)
            server = await asyncio.start_server(web_server, "127.0.0.1", 0)
            async with asyncio.timeout(20), server:
                await rig.open(server.sockets[0].getsockname()[1])
                await third.wait()
                await rig.link.close()
            for writer in connections:
                await writer.wait_closed()
            assert [one.levelname for one in caplog.records] == ["WARNING"]
            assert "is not used: transaction id 4854, not 0001" in caplog.text

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

        async def scenario(rig: BatteryRig) -> None:
            assert PowerMeasured(0.0) in rig.seen

        run_battery(scenario, profile, device=QUIET)

    def test_a_device_that_comes_later_is_greeted_then(self) -> None:
        """Nobody listens at first: the link tries on, and others are not kept waiting."""

        async def scenario() -> None:
            rig = BatteryRig(QUIET)
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
            rig = BatteryRig(QUIET)
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


class TestConnection:
    def test_a_device_that_hangs_up_is_disconnected_and_greeted_again(self) -> None:
        """After a restart it may have forgotten what it held, so it is read anew."""

        async def scenario(rig: BatteryRig) -> None:
            rig.battery.hang_up()
            await rig.heard(Disconnected)
            await rig.heard(Connected, 2)
            kinds = list(map(type, rig.seen))
            later = kinds[kinds.index(Disconnected) :]
            assert later[:3] == [Disconnected, SetpointRead, Connected]

        run_battery(scenario)

    def test_a_device_that_stays_silent_is_disconnected(self) -> None:
        """No answer is no state of the battery; it is back when it answers."""

        async def scenario(rig: BatteryRig) -> None:
            rig.battery.fail("silent")
            await rig.heard(Disconnected)
            rig.battery.heal()
            await rig.heard(Connected, 2)

        run_battery(scenario, BUSY)

    def test_a_device_behind_a_gateway_that_does_not_reach_it_is_disconnected(self) -> None:
        """It refuses every read of a poll."""

        async def scenario(rig: BatteryRig) -> None:
            rig.battery.fail("gateway_fault")
            await rig.heard(Disconnected)
            assert "gateway target did not respond" in _lost(rig)[0].reason

        run_battery(scenario, BUSY)

    def test_units_of_one_host_share_one_connection(self) -> None:
        """A unit that never answers costs the other its connection, not its standing."""

        async def scenario(rig: BatteryRig) -> None:
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

        run_battery(scenario)

    def test_requests_keep_the_gap_that_a_device_needs(self) -> None:
        """From the end of one exchange to the beginning of the next."""

        async def scenario(rig: BatteryRig) -> None:
            loop = asyncio.get_running_loop()
            begun = loop.time()
            await rig.send()
            assert loop.time() - begun >= 0.1

        run_battery(scenario, attrs.evolve(QUIET, min_gap_s=0.1))

    def test_what_was_not_sent_makes_nobody_wait(self) -> None:
        """Else a gap longer than the send window would let the window pass every time."""

        async def scenario(rig: BatteryRig) -> None:
            loop = asyncio.get_running_loop()
            with pytest.raises(NotSent):
                await rig.send(begin_by_us=0)
            begun = loop.time()
            await rig.send()
            assert loop.time() - begun < 1.5  # the gap before the read-back

        run_battery(scenario, attrs.evolve(QUIET, min_gap_s=1.0))

    def test_a_poll_comes_in_the_profiles_time(self) -> None:
        """Every good poll is a sign of life and says what the device holds."""

        async def scenario(rig: BatteryRig) -> None:
            rig.battery.press("discharge_setpoint_w", 1_000)
            await rig.until(lambda: any(_discharges(one) for one in rig.seen))
            await rig.heard(Seen, 3)
            assert rig.count(Connected) == 1

        run_battery(scenario, BUSY)

    def test_an_asset_is_polled_before_it_is_stale(self) -> None:
        """At least every third of the time after which it is."""

        async def scenario(rig: BatteryRig) -> None:
            guards = attrs.evolve(rig.clock.guards(), stale_s=0.06)
            adapter = ModbusAdapter({QUIET.name: QUIET}, guards)
            link = adapter.link(rig.options, rig.report)
            await link.open()
            await rig.heard(Seen, 4)
            await link.close()

        run_battery(scenario)


def _lost(rig: BatteryRig) -> list[Disconnected]:
    return [one for one in rig.seen if isinstance(one, Disconnected)]


def _discharges(observation: Observation) -> bool:
    return isinstance(observation, SetpointRead) and observation.discharge_kw == 1.0
