"""Simulated batteries obey modes, and take themselves back when their timer has run out."""

import asyncio
from collections.abc import Callable
from fractions import Fraction

import attrs
import pytest
from pymodbus.client import AsyncModbusTcpClient

from actors.sim.battery import SimBattery
from engine.adapters.device import Device
from engine.adapters.registers import ModeWrite, Register, RegisterProfile

MODE = Register("mode", 10, "u16", writable=True)
TIMER = Register("timer", 11, "u16", writable=True, readable=False)
LEASE = ModeWrite("timer", None, "lease")


def amount() -> RegisterProfile:
    """Return a battery with an amount and a mode for its direction."""
    power = Register("power_setpoint_w", 12, "u16", writable=True, maximum=Fraction(5_000))
    modes = {
        mode: (LEASE, ModeWrite("power_setpoint_w", None), ModeWrite("mode", Fraction(raw)))
        for mode, raw in (("charge", 11), ("discharge", 12), ("idle", 8))
    }
    release = {"release": (ModeWrite("mode", Fraction(1)),)}
    return RegisterProfile(
        "amount", "a test", (MODE, TIMER, power), "amount", modes={**modes, **release}
    )


def bounds() -> RegisterProfile:
    """Return a battery with two bounds that force a power when they meet."""
    charge = Register(
        "charge_setpoint_w", 21, "i16", writable=True, minimum=Fraction(-5_000), write_function=16
    )
    discharge = attrs.evolve(charge, role="discharge_setpoint_w", address=20)
    writes = (
        LEASE,
        ModeWrite("discharge_setpoint_w", None),
        ModeWrite("charge_setpoint_w", None),
        ModeWrite("mode", Fraction(3)),
    )
    modes = dict.fromkeys(("charge", "discharge", "idle"), writes)
    release = {"release": (ModeWrite("mode", Fraction(0)),)}
    registers = (MODE, TIMER, discharge, charge)
    return RegisterProfile(
        "bounds", "a test", registers, "bounds", modes={**modes, **release}, block_writes=True
    )


@pytest.mark.parametrize("made", [amount, bounds])
def test_each_mode_is_obeyed_until_its_timer_has_run_out(
    made: Callable[[], RegisterProfile],
) -> None:
    """Charge, discharge, idle; then the device's own control, which is rest."""
    profile = made()

    async def scenario() -> None:
        now_s = [1_000.0]
        battery = SimBattery(profile)
        battery.now_s = lambda: now_s[0]
        client = AsyncModbusTcpClient("127.0.0.1", port=await battery.start())
        await client.connect()
        device = Device(profile, 1, 30.0)
        for pair, power_w in (((2_000, 0), 2_000), ((0, 1_500), -1_500), ((0, 0), 0)):
            for frame in device.pair(*pair):
                if frame.control:
                    words = frame.body["values"]
                    reply = await client.write_registers(frame.body["address"], words)  # type: ignore[arg-type]  # a frame's body
                    assert not reply.isError()
            now_s[0] += 29
            assert power_w == battery.power_w()
            assert battery.is_held()
        now_s[0] += 1
        assert not battery.is_held()
        assert (await client.read_holding_registers(10)).registers != [3]
        assert (await client.read_holding_registers(11)).isError()
        client.close()
        await battery.stop()

    asyncio.run(scenario())
