"""Every built-in profile, between the link and a battery that is simulated from it."""

import asyncio

import attrs
import pytest

from actors.testing.battery_rig import BatteryRig, rig_of
from engine.adapters.base import Payload, Seen, SetpointRead
from engine.adapters.device import Device
from engine.adapters.profile import BUILTIN, builtin

LAPSES = frozenset(BUILTIN) - {"goodwe-et", "marstek-venus", "sungrow-sh"}
"""The devices that take themselves back when nobody speaks to them any more."""
PAIRS = ((2_400, 0), (0, 1_800), (0, 0))


async def set_pair(rig: BatteryRig, charge_w: int, discharge_w: int) -> None:
    """Set a pair of powers; what is read back is what was set, where the device can tell."""
    payload = Payload(Device(rig.profile, 1, 900.0).pair(charge_w, discharge_w))
    answer = await rig.link.send(payload, 10.0)
    assert answer.outcome == "accepted", answer.reason
    seen = rig.adapter.interpret(answer, rig.view())
    reads = [one for one in seen if isinstance(one, SetpointRead)]
    if rig.profile.telling:
        (read,) = reads
        assert (read.charge_kw, read.discharge_kw) == (charge_w / 1_000, discharge_w / 1_000)
        assert not read.released
    assert rig.battery.setpoint_w() == charge_w - discharge_w


@pytest.mark.parametrize("name", BUILTIN)
def test_a_battery_goes_through_every_mode_and_takes_itself_back(name: str) -> None:
    """Charge, discharge, rest and release; then the lapse, where the device has one."""
    profile = attrs.evolve(builtin(name), poll_s=3_600.0, min_gap_s=0.0)

    async def scenario() -> None:
        async with rig_of(profile, device=profile) as rig:
            await rig.heard(Seen)
            now_s = [rig.battery.now_s()]
            rig.battery.now_s = lambda: now_s[0]
            for pair in (*PAIRS, *reversed(PAIRS)):
                await set_pair(rig, *pair)
                now_s[0] += 30
                assert rig.battery.power_w() == pair[0] - pair[1]
            await rig.link.send(Payload(Device(profile, 1).release()), 10.0)
            assert not rig.battery.is_held()
            await set_pair(rig, 2_400, 0)
            now_s[0] += 901
            assert rig.battery.is_held() is (name not in LAPSES)
            assert rig.battery.power_w() == (0 if name in LAPSES else 2_400)

    asyncio.run(scenario())


@pytest.mark.parametrize("name", BUILTIN)
def test_a_profile_says_where_it_comes_from(name: str) -> None:
    """And all but our own that it was never tried on hardware."""
    profile = builtin(name)
    assert profile.name == name
    assert len(profile.source) > 20
