import asyncio
import json
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from fractions import Fraction
from pathlib import Path
from typing import Any

import attrs
import pytest
from pymodbus.client import AsyncModbusTcpClient
from pymodbus.pdu import ModbusPDU

from actors.sim.battery import SimBattery
from actors.sim.battery_quirks import QUIRKS
from actors.sim.storage import Cells, Storage
from actors.sim.wirelog import WireEntry, WireLog
from engine.adapters.profile import builtin
from engine.adapters.registers import ModeWrite, Register, RegisterProfile

GENERIC = builtin("generic-battery")
PLAIN = attrs.evolve(GENERIC, keepalive=None)
SIGNED = attrs.evolve(PLAIN, control="signed", charge_sign=-1)


class Wall:
    """A steady clock that stands until a test moves it."""

    def __init__(self) -> None:
        self.now_s = 1_000.0

    def __call__(self) -> float:
        """Return what it shows."""
        return self.now_s


class Rig:
    """A battery that nobody has spoken to yet, and a client of pymodbus's."""

    def __init__(self, battery: SimBattery, client: AsyncModbusTcpClient, wall: Wall) -> None:
        self.battery = battery
        self.client = client
        self.wall = wall

    async def write(self, address: int, *words: int) -> ModbusPDU:
        """Write one word with function code 6, more with 16."""
        if len(words) == 1:
            reply: ModbusPDU = await self.client.write_register(address, words[0])
        else:
            reply = await self.client.write_registers(address, list(words))
        return reply

    async def read(self, address: int, count: int = 1) -> list[int]:
        """Read holding registers."""
        reply = await self.client.read_holding_registers(address, count=count)
        return list(reply.registers)


@asynccontextmanager
async def rig_of(profile: RegisterProfile, **keys: Any) -> AsyncIterator[Rig]:  # noqa: ANN401 - of SimBattery
    """Start a battery on a standing clock, and connect to it."""
    wall = Wall()
    battery = SimBattery(profile, **keys)
    battery.now_s = wall
    async with asyncio.timeout(20):
        port = await battery.start()
        client = AsyncModbusTcpClient("127.0.0.1", port=port, retries=0, timeout=2.0)
        await client.connect()
        try:
            yield Rig(battery, client, wall)
        finally:
            client.close()
            await battery.stop()


def run(
    scenario: Callable[[Rig], Coroutine[Any, Any, None]],
    profile: RegisterProfile = PLAIN,
    **keys: Any,  # noqa: ANN401 - of SimBattery
) -> None:
    """Run a scenario with a battery."""

    async def connected() -> None:
        async with rig_of(profile, **keys) as rig:
            await scenario(rig)

    asyncio.run(connected())


class TestRegisters:
    def test_a_battery_begins_idle_and_half_full(self) -> None:
        """Model, charge, state, power and setpoint, at the addresses of the profile."""

        async def scenario(rig: Rig) -> None:
            assert await rig.read(0) == [802]
            assert await rig.read(10, 4) == [500, 0, 0, 0]
            assert await rig.read(20, 2) == [0, 0]

        run(scenario)

    def test_a_setpoint_is_held_and_followed(self) -> None:
        """State and power say so, as soon as the ramp is over."""

        async def scenario(rig: Rig) -> None:
            assert not (await rig.write(20, 10_000)).isError()
            rig.wall.now_s += 1
            assert await rig.read(11, 3) == [1, 0, 10_000]
            await rig.write(20, 0)
            await rig.write(21, 70)
            rig.wall.now_s += 10
            assert await rig.read(11, 3) == [2, 0xFFFF, 0x10000 - 70]
            assert (rig.battery.setpoint_w(), rig.battery.power_w()) == (-70, -70)

        run(scenario)

    def test_a_signed_setpoint_has_the_profiles_sign(self) -> None:
        """Two words, written at once; a device may count discharging positive."""

        async def scenario(rig: Rig) -> None:
            await rig.write(22, 0, 500)
            rig.wall.now_s += 10
            assert rig.battery.power_w() == -500
            assert await rig.read(12, 2) == [0, 500]

        run(scenario, SIGNED)

    def test_word_orders_may_differ_for_read_and_write(self) -> None:
        """What is written low word first is read high word first."""
        registers = tuple(
            attrs.evolve(one, write_word_order="little") if one.role == "power_setpoint_w" else one
            for one in SIGNED.registers
        )

        async def scenario(rig: Rig) -> None:
            await rig.write(22, 500, 0)
            assert await rig.read(22, 2) == [0, 500]
            assert rig.battery.setpoint_w() == -500

        run(scenario, attrs.evolve(SIGNED, registers=registers))

    @pytest.mark.parametrize(
        ("address", "words", "code"),
        [
            (19, [1], 2),
            (10, [1], 2),
            (23, [1], 2),
            (20, [60_001], 3),
            (20, [1, 60_001], 3),
            (22, [1], 3),
            (22, [0x7FFF, 0], 3),
        ],
    )
    def test_what_cannot_be_written_is_refused_as_a_whole(
        self, address: int, words: list[int], code: int
    ) -> None:
        """No such register, read only, half a value, or beyond the limits: nothing is stored."""

        async def scenario(rig: Rig) -> None:
            reply = await rig.write(address, *words)
            assert reply.isError()
            assert reply.exception_code == code
            assert rig.battery.setpoint_w() == 0

        run(scenario)

    def test_a_sentinel_is_refused(self) -> None:
        """Nobody tells a battery to hold "not available"."""
        registers = tuple(
            attrs.evolve(one, nan=0xFFFF, maximum=None) if one in PLAIN.setpoints else one
            for one in PLAIN.registers
        )

        async def scenario(rig: Rig) -> None:
            assert (await rig.write(20, 0xFFFF)).exception_code == 3

        run(scenario, attrs.evolve(PLAIN, registers=registers))

    def test_what_cannot_be_read_is_refused(self) -> None:
        """An address that does not exist, and function codes for coils."""

        async def scenario(rig: Rig) -> None:
            reply = await rig.client.read_holding_registers(12, count=5)
            assert reply.exception_code == 2
            assert (await rig.client.read_coils(0)).exception_code == 1

        run(scenario)

    def test_input_registers_are_a_space_of_their_own(self) -> None:
        """Read with function code 4, and floats too."""
        power = Register("power_w", 12, "f32", space="input")
        soc = Register("soc_pct", 14, "u16", space="input")

        async def scenario(rig: Rig) -> None:
            await rig.write(20, 1_000)
            rig.wall.now_s += 10
            reply = await rig.client.read_input_registers(12, count=2)
            assert list(reply.registers) == [0x447A, 0]

        run(scenario, attrs.evolve(PLAIN, registers=(power, soc, *PLAIN.setpoints)))

    def test_a_mode_is_needed_where_the_profile_has_one(self) -> None:
        """A setpoint without its mode moves nothing."""
        mode = Register("mode", 7, "u16", writable=True)
        modes = {"charge": (ModeWrite("mode", Fraction(1)), ModeWrite("charge_setpoint_w", None))}
        profile = attrs.evolve(PLAIN, registers=(mode, *PLAIN.registers), modes=modes)

        async def scenario(rig: Rig) -> None:
            await rig.write(20, 1_000)
            rig.wall.now_s += 10
            assert rig.battery.power_w() == 0
            await rig.write(7, 1)
            rig.wall.now_s += 10
            assert rig.battery.power_w() == 1_000

        run(scenario, profile)

    def test_somebody_may_turn_it_by_hand(self) -> None:
        """As another controller would; a register that it has not is left out."""

        async def scenario(rig: Rig) -> None:
            rig.battery.press("charge_setpoint_w", 700)
            rig.battery.press("wind", 1)
            assert await rig.read(20) == [700]

        run(scenario)


class TestLapse:
    @pytest.mark.parametrize(("passed_s", "left_w"), [(59.9, 1_000), (60, 0), (3_600, 0)])
    def test_a_setpoint_lapses_without_a_sign_of_life(self, passed_s: float, left_w: int) -> None:
        """The device takes itself back after its own time-out, counted from the last write."""

        async def scenario(rig: Rig) -> None:
            rig.wall.now_s += 500
            await rig.write(20, 1_000)
            rig.wall.now_s += passed_s
            assert await rig.read(20) == [left_w]

        run(scenario, GENERIC)

    def test_a_heartbeat_keeps_it(self) -> None:
        """Every write to the profile's register counts, another register's does not."""

        async def scenario(rig: Rig) -> None:
            await rig.write(20, 1_000)
            rig.wall.now_s += 50
            await rig.write(30, 1)
            rig.wall.now_s += 50
            assert await rig.read(20) == [1_000]
            await rig.write(22, 0, 1)
            rig.wall.now_s += 50
            assert await rig.read(20) == [0]

        run(scenario, GENERIC)

    def test_energy_flows_until_it_lapses(self) -> None:
        """However late somebody looks."""

        async def scenario(rig: Rig) -> None:
            await rig.write(20, 60_000)
            rig.wall.now_s += 3_600
            assert rig.battery.soc_pct() == pytest.approx(50 + 60 * 60 / 3_600, abs=0.1)

        run(scenario, GENERIC, cells=Cells(efficiency=1.0))


class TestPhysics:
    def test_power_ramps_and_charge_follows(self) -> None:
        """10 kW for an hour into 100 kWh are 10 %, less the losses."""
        storage = Storage(Cells(ramp_w_per_s=1_000, efficiency=0.9))
        storage.target_w = 10_000
        storage.advance(5)
        assert storage.power_w == 5_000
        storage.advance(3_595)
        assert storage.power_w == 10_000
        assert storage.soc_pct == pytest.approx(59, abs=0.02)

    def test_it_gives_less_than_it_holds(self) -> None:
        """Losses count on the way out, too; the power goes through zero."""
        storage = Storage(Cells(efficiency=0.5, ramp_w_per_s=1e6))
        storage.target_w = 1_000
        storage.advance(1)
        storage.target_w = -10_000
        storage.advance(3_600)
        assert storage.power_w == -10_000
        assert storage.soc_pct == pytest.approx(30, abs=0.01)

    @pytest.mark.parametrize(("target_w", "soc_pct"), [(50_000, 100.0), (-50_000, 0.0)])
    def test_full_is_full_and_empty_is_empty(self, target_w: float, soc_pct: float) -> None:
        """Then the power is 0, whatever is asked; the other way is open."""
        storage = Storage(Cells())
        storage.target_w = target_w
        for _ in range(3):
            storage.advance(10_000)
        assert (storage.soc_pct, storage.power_w) == (soc_pct, 0)
        storage.target_w = -target_w
        storage.advance(60)
        assert storage.power_w == -target_w

    def test_simulated_time_may_run_faster(self) -> None:
        """A minute passes in a second."""

        async def scenario(rig: Rig) -> None:
            await rig.write(20, 60_000)
            rig.wall.now_s += 60
            assert rig.battery.soc_pct() == pytest.approx(50 + 60, abs=51)
            assert rig.battery.soc_pct() > 99

        run(scenario, speed=60.0, cells=Cells(efficiency=1.0))


class TestQuirks:
    def test_an_unknown_quirk_names_the_nearest(self) -> None:
        """A slip of the pen on the command line."""
        with pytest.raises(ValueError, match="did you mean 'silent'"):
            SimBattery(PLAIN).fail("silnt")

    def test_quirks_come_and_go_by_name(self) -> None:
        """A demo opens and closes a window of faults."""
        battery = SimBattery(PLAIN)
        battery.fail("silent", "exception_4")
        battery.heal("silent")
        assert battery.quirks == {"exception_4"}
        battery.heal()
        assert battery.quirks == frozenset()

    def test_every_quirk_can_be_named(self) -> None:
        """Those that a person may list."""
        battery = SimBattery(PLAIN)
        battery.fail(*(one.replace("_N", "_6") for one in QUIRKS))
        assert len(battery.quirks) == len(QUIRKS)

    @pytest.mark.parametrize(
        ("quirk", "held"), [("ignore_write", 0), ("clamp", 500), ("mute", 1_000)]
    )
    def test_it_may_do_other_than_it_says(self, quirk: str, held: int) -> None:
        """Accepted and not applied, applied in part, applied and not said."""

        async def scenario(rig: Rig) -> None:
            rig.battery.fail(quirk)
            await asyncio.gather(rig.write(20, 1_000), return_exceptions=True)
            assert rig.battery.setpoint_w() == held

        run(scenario)

    def test_a_clamp_leaves_other_registers_alone(self) -> None:
        """Only setpoints are halved."""

        async def scenario(rig: Rig) -> None:
            rig.battery.fail("clamp")
            await rig.write(30, 8)
            assert await rig.read(30) == [8]

        run(scenario)

    def test_a_silent_battery_does_nothing(self) -> None:
        """Neither for reads nor for writes; the request is in the log all the same."""

        async def scenario(rig: Rig) -> None:
            rig.battery.fail("silent")
            await asyncio.gather(rig.write(20, 1_000), return_exceptions=True)
            assert rig.battery.setpoint_w() == 0
            assert [one.direction for one in rig.battery.wire_log.entries] == ["in"]

        run(scenario)

    def test_another_unit_is_not_answered(self) -> None:
        """As some servers do."""

        async def scenario(rig: Rig) -> None:
            reading = rig.client.read_holding_registers(0, device_id=7)
            (reply,) = await asyncio.gather(reading, return_exceptions=True)
            assert isinstance(reply, Exception)

        run(scenario)

    def test_a_wrong_echo_of_many_words_is_their_number(self) -> None:
        """Function code 16 echoes no values."""

        async def scenario(rig: Rig) -> None:
            rig.battery.fail("wrong_echo")
            assert (await rig.write(22, 0, 1)).count == 3
            assert list((await rig.write(20, 4)).registers) == [5]

        run(scenario)

    @pytest.mark.parametrize(("quirk", "code"), [("faulted", 3), ("unavailable", 4)])
    def test_a_battery_may_be_out_of_order(self, quirk: str, code: int) -> None:
        """It says so and does not move."""

        async def scenario(rig: Rig) -> None:
            await rig.write(20, 1_000)
            rig.battery.fail(quirk)
            rig.wall.now_s += 10
            assert await rig.read(11, 3) == [code, 0, 0]

        run(scenario)

    def test_a_function_code_that_nobody_knows_is_refused(self) -> None:
        """With the transaction id of the request."""

        async def scenario(rig: Rig) -> None:
            host, port = rig.client.comm_params.host, rig.client.comm_params.port
            reader, writer = await asyncio.open_connection(host, port)
            writer.write(bytes.fromhex("0007000000020163"))
            writer.write(bytes.fromhex("00080000"))
            assert await reader.readexactly(9) == bytes.fromhex("00070000000301e301")
            writer.write(bytes.fromhex("0006010300000001"))
            assert await reader.readexactly(11) == bytes.fromhex("0008000000050103020322")
            writer.close()
            await writer.wait_closed()

        run(scenario)

    def test_what_is_no_modbus_is_hung_up_on(self) -> None:
        """Another protocol id is waited through, but not for ever."""

        async def scenario(rig: Rig) -> None:
            host, port = rig.client.comm_params.host, rig.client.comm_params.port
            reader, writer = await asyncio.open_connection(host, port)
            writer.write(bytes.fromhex("0007000100020163") * 40)
            assert await reader.read() == b""
            writer.close()
            await writer.wait_closed()

        run(scenario)

    def test_it_can_be_stopped_while_it_is_slow(self) -> None:
        """Nobody waits for an answer that is not needed any more."""

        async def scenario(rig: Rig) -> None:
            rig.battery.slow_s = 3_600
            rig.battery.fail("slow")
            reading = asyncio.ensure_future(rig.read(0))
            await rig.battery.until(lambda: len(rig.battery.wire_log.entries) == 1)
            await rig.battery.stop()
            await asyncio.gather(reading, return_exceptions=True)

        run(scenario)


class TestWireLog:
    def test_each_frame_is_logged_as_the_device_saw_it(self, tmp_path: Path) -> None:
        """One JSON line per frame, flushed, with transaction id and function code."""
        path = tmp_path / "wire.jsonl"

        async def scenario(rig: Rig) -> None:
            await rig.write(20, 1_000)
            await rig.read(20, 2)
            await rig.write(22, 0, 1)
            await rig.write(99, 1)
            logged = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
            for line in logged:
                assert line.pop("t").endswith("Z")
            shown = [(one["direction"], one["message_id"], one["action"]) for one in logged]
            assert shown == [
                ("in", 1, 6),
                ("out", 1, 6),
                ("in", 2, 3),
                ("out", 2, 3),
                ("in", 3, 16),
                ("out", 3, 16),
                ("in", 4, 6),
                ("out", 4, 0x86),
            ]
            assert [one["payload"] for one in logged] == [
                {"unit": 1, "address": 20, "values": [1_000]},
                {"unit": 1, "address": 20, "values": [1_000]},
                {"unit": 1, "address": 20, "count": 2},
                {"unit": 1, "address": 20, "values": [1_000, 0]},
                {"unit": 1, "address": 22, "values": [0, 1]},
                {"unit": 1, "address": 22, "count": 2},
                {"unit": 1, "address": 99, "values": [1]},
                {"unit": 1, "address": 99, "exception": 2},
            ]
            assert {(one["device"], one["protocol"]) for one in logged} == {
                ("generic-battery", "modbus")
            }

        log = WireLog(path)
        run(scenario, wire_log=log)
        log.close()
        log.close()

    def test_a_log_goes_on_where_it_ended(self, tmp_path: Path) -> None:
        """A device that starts again adds to its file; entries are kept without one, too."""
        path = tmp_path / "wire.jsonl"
        for number in (1, 2):
            log = WireLog(path, wall_us=lambda: 0)
            entry = log.write("CP", "ocpp1.6", "in", message_id=str(number), action="A", payload={})
            assert log.entries == [entry]
            log.close()
        assert len(path.read_text(encoding="utf-8").splitlines()) == 2
        assert entry == WireEntry(
            "1970-01-01T00:00:00.000000Z", "CP", "ocpp1.6", "in", "2", "A", {}
        )


class TestLife:
    def test_stopping_twice_is_stopping_once(self) -> None:
        """And the registers stay for the next start."""

        async def scenario(rig: Rig) -> None:
            await rig.write(20, 1_000)
            await rig.battery.stop()
            await rig.battery.stop()
            assert rig.battery.setpoint_w() == 1_000

        run(scenario)

    def test_a_battery_can_be_looked_at_before_it_listens(self) -> None:
        """Its time begins with the first look."""
        battery = SimBattery(PLAIN)
        assert (battery.soc_pct(), battery.power_w()) == (50.0, 0.0)
