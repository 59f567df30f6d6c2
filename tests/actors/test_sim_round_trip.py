"""What is written to a device is what it holds and what is read back, for every family."""

from collections.abc import Mapping
from typing import cast

from hypothesis import given, settings
from hypothesis import strategies as st

from actors.sim.registers import Memory
from actors.sim.sunspec import SUNSPEC, profile_of, sunspec_words
from engine.adapters.base import Answer, Frame, SetpointRead
from engine.adapters.device import Device
from engine.adapters.modbus import limits_w
from engine.adapters.profile import BUILTIN, builtin
from engine.adapters.readings import observations
from engine.adapters.registers import RegisterProfile, quantise

PROFILES: Mapping[str, RegisterProfile] = {
    **{name: builtin(name) for name in BUILTIN},
    **{name: profile_of(sunspec_words(model)) for name, model in SUNSPEC.items()},
}


def carried_out(memory: Memory, frames: tuple[Frame, ...]) -> Answer:
    """Do what frames say, and return the words of those that read."""
    values: list[object] = []
    for frame in frames:
        body = frame.body
        address = cast("int", body["address"])
        if frame.control:
            memory.write(address, cast("list[int]", body["values"]))
            values.append({})
        else:
            words = memory.read("holding", address, cast("int", body["count"]))
            values.append({"space": "holding", "address": address, "words": words})
    return Answer("", values=tuple(values))


@settings(deadline=None, max_examples=60)
@given(
    name=st.sampled_from(sorted(PROFILES)),
    powers=st.lists(st.integers(-60_000, 60_000), min_size=1, max_size=4),
    lease_s=st.integers(60, 86_400),
)
def test_every_power_is_held_and_read_back(name: str, powers: list[int], lease_s: int) -> None:
    """One after the other, rounded towards zero to the device's step; then it is handed back."""
    profile = PROFILES[name]
    memory, device = Memory(profile), Device(profile, 1, float(lease_s))
    most_charge_w, most_discharge_w = limits_w(profile)
    for power_w in powers:
        pair = (min(max(power_w, 0), most_charge_w), min(max(-power_w, 0), most_discharge_w))
        answer = carried_out(memory, device.pair(*pair))
        first, last = profile.setpoints[0], profile.setpoints[-1]
        held_w = [
            float(quantise(own, watts)) for own, watts in zip((first, last), pair, strict=True)
        ]
        assert memory.target_w() == held_w[0] - held_w[1]
        if profile.telling:
            (read,) = (
                one for one in observations(profile, answer, 100) if isinstance(one, SetpointRead)
            )
            assert read.charge_kw is not None
            assert read.discharge_kw is not None
            assert abs(read.charge_kw * 1_000 - held_w[0]) < 1e-6
            assert abs(read.discharge_kw * 1_000 - held_w[1]) < 1e-6
    carried_out(memory, device.release())
    assert not memory.is_held()
