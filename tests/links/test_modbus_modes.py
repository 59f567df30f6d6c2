"""Modes, timers and registers in flash, between the link and a simulated battery."""

from fractions import Fraction

import attrs

from actors.testing.battery_rig import QUIET, BatteryRig, run_battery
from engine.adapters.base import Payload, SetpointRead
from engine.adapters.device import Device
from engine.adapters.registers import ModeWrite, Persistent, Register, RegisterProfile

MODE = Register("mode", 40, "u16", writable=True, persistent=Persistent(0.0, 100))


def modes() -> RegisterProfile:
    """Return a battery that needs a mode, and whose mode is kept in flash."""
    ours = (ModeWrite("mode", Fraction(4)),)
    return attrs.evolve(
        QUIET,
        registers=(*QUIET.registers, MODE),
        modes={
            "charge": ours,
            "discharge": ours,
            "idle": ours,
            "release": (ModeWrite("mode", Fraction(1)),),
        },
        keepalive=None,
    )


async def send(rig: BatteryRig, charge_w: int, discharge_w: int = 0) -> SetpointRead:
    """Set a pair, and return what was read back."""
    payload = Payload(Device(rig.profile, 1).pair(charge_w, discharge_w))
    answer = await rig.link.send(payload, 10.0)
    assert answer.outcome == "accepted"
    (read,) = rig.adapter.interpret(answer, rig.view())
    assert isinstance(read, SetpointRead)
    return read


def test_flash_is_written_only_if_it_reads_otherwise() -> None:
    """The mode once, the power each time; the reading is that of after the write."""

    async def scenario(rig: BatteryRig) -> None:
        assert (await send(rig, 1_000)).charge_kw == 1
        assert (await send(rig, 2_000)).charge_kw == 2
        assert [one.payload["values"] for one in rig.writes(40)] == [[4]]  # type: ignore[index]
        rig.battery.press("mode", 1)
        assert (await send(rig, 2_000)).charge_kw == 2
        assert len(rig.writes(40)) == 2

    run_battery(scenario, modes())


def test_a_release_is_read_as_the_devices_own_control() -> None:
    """What the setpoint's registers still hold does not count."""

    async def scenario(rig: BatteryRig) -> None:
        await send(rig, 1_000)
        await rig.link.send(Payload(Device(rig.profile, 1).release()), 10.0)
        (question,) = rig.adapter.questions(rig.view())
        (read,) = rig.adapter.interpret(await rig.link.send(question, 10.0), rig.view())
        assert isinstance(read, SetpointRead)
        assert read.released

    run_battery(scenario, modes())
