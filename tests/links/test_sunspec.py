"""A battery that tells its own registers: found, set, read back, and left to itself."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, TypeAlias

import attrs
import pytest

from actors.links.exchange import Reply, request_of
from actors.links.modbus import ModbusAdapter
from actors.links.surveying import Surveyor
from actors.sim.battery import SimBattery
from actors.sim.sunspec import sunspec_battery, sunspec_words
from actors.testing.battery_rig import QUIET, GuardClock
from engine.adapters.base import (
    AssetView,
    CapabilitiesLearned,
    Connected,
    Frame,
    Link,
    Observation,
    Payload,
    SetpointRead,
)
from engine.adapters.device import Device
from engine.adapters.modbus import ModbusOptions
from engine.adapters.profile import builtin
from engine.adapters.sunspec import AC_CONTROLS, STORAGE
from engine.adapters.sunspec_profile import profile_from
from engine.errors import OutcomeUnknown
from engine.types import AssetId, AssetKind

Scenario: TypeAlias = Callable[["Rig"], Coroutine[Any, Any, None]]


@attrs.define
class Rig:
    """A battery and the link to it."""

    battery: SimBattery
    adapter: ModbusAdapter = attrs.field(
        factory=lambda: ModbusAdapter({"sunspec": builtin("sunspec")}, GuardClock().guards())
    )
    seen: list[Observation] = attrs.field(factory=list)
    told: asyncio.Event = attrs.field(factory=asyncio.Event)
    link: Link | None = None
    options: ModbusOptions = attrs.field(
        factory=lambda: ModbusOptions("127.0.0.1", profile="sunspec")
    )

    def report(self, observation: Observation) -> None:
        """Take what the link says."""
        self.seen.append(observation)
        self.told.set()

    async def heard(self, kind: type[Observation]) -> Observation:
        """Wait until the link has said something of a kind, and return the first."""
        while True:
            self.told.clear()
            for one in self.seen:
                if isinstance(one, kind):
                    return one
            await self.told.wait()

    def view(self, facts: CapabilitiesLearned) -> AssetView:
        """Return the asset with what its device said."""
        return AssetView(
            AssetId("ast_b"),
            AssetKind.BATTERY,
            "IDLE",
            options=self.options,
            capabilities=facts.capabilities,
        )


def run(scenario: Scenario, battery: SimBattery) -> None:
    """Run a scenario with a battery and its link."""

    async def connected() -> None:
        rig = Rig(battery)
        async with asyncio.timeout(20):
            port = await battery.start()
            rig.options = ModbusOptions("127.0.0.1", port, 1, "sunspec")
            rig.link = rig.adapter.link(rig.options, rig.report)
            await rig.link.open()
            try:
                await scenario(rig)
            finally:
                await rig.link.close()
                await battery.stop()

    asyncio.run(connected())


@pytest.mark.parametrize("control", [STORAGE, AC_CONTROLS])
@pytest.mark.parametrize("base", [0, 40_000, 50_000])
def test_a_map_is_found_and_obeyed(control: int, base: int) -> None:
    """Charging, discharging, rest and release; what was read is on record before it connects."""

    async def scenario(rig: Rig) -> None:
        facts = await rig.heard(CapabilitiesLearned)
        assert isinstance(facts, CapabilitiesLearned)
        assert facts.capabilities["sunspec"] == str(base)
        await rig.heard(Connected)
        kinds = [type(one) for one in rig.seen]
        assert kinds.index(CapabilitiesLearned) < kinds.index(Connected)
        device = Device(profile_from(facts.capabilities), 1, 900.0)
        assert rig.link is not None
        for pair in ((6_000, 0), (0, 3_000), (0, 0)):
            answer = await rig.link.send(Payload(device.pair(*pair)), 10.0)
            (read,) = rig.adapter.interpret(answer, rig.view(facts))
            assert isinstance(read, SetpointRead)
            assert (read.charge_kw, read.discharge_kw) == (pair[0] / 1_000, pair[1] / 1_000)
            assert rig.battery.setpoint_w() == pair[0] - pair[1]
            assert rig.battery.is_held()
        await rig.link.send(Payload(device.release()), 10.0)
        assert not rig.battery.is_held()

    run(scenario, sunspec_battery(control, base))


def test_a_lease_that_has_run_out_leads_to_the_fallback() -> None:
    """The device itself goes there, and holds it until it is told otherwise."""

    async def scenario(rig: Rig) -> None:
        facts = await rig.heard(CapabilitiesLearned)
        await rig.heard(Connected)
        assert isinstance(facts, CapabilitiesLearned)
        assert rig.link is not None
        now_s = [rig.battery.now_s()]
        rig.battery.now_s = lambda: now_s[0]
        device = Device(profile_from(facts.capabilities), 1, 900.0, -1_500)
        await rig.link.send(Payload(device.pair(6_000, 0)), 10.0)
        now_s[0] += 900
        assert rig.battery.setpoint_w() == -1_500
        now_s[0] += 9_000
        assert rig.battery.setpoint_w() == -1_500

    run(scenario, sunspec_battery(AC_CONTROLS))


def test_a_device_without_a_map_is_not_used(caplog: pytest.LogCaptureFixture) -> None:
    """It is said once why."""

    async def scenario(rig: Rig) -> None:
        await rig.battery.until(lambda: len(rig.battery.wire_log.entries) > 20)
        assert rig.seen == []

    run(scenario, SimBattery(attrs.evolve(QUIET, keepalive=None)))
    assert [one.getMessage() for one in caplog.records if "SunSpec" in one.getMessage()] == [
        next(one for one in caplog.messages if one.endswith("no SunSpec map at 40000, 0 or 50000"))
    ]


def test_a_silent_base_is_passed_over_on_the_next_connection() -> None:
    """And asked again when the map was not elsewhere either."""
    words = sunspec_words(base=0)
    asked: list[int] = []

    async def exchange(frame: Frame) -> Reply:
        request = request_of(frame)
        asked.append(request.address)
        if request.address == 40_000:
            raise OutcomeUnknown("no answer in 3 s", outcome="timed_out")
        places = range(request.address, request.address + request.count)
        if not all(place in words for place in places):
            return Reply("", exception=2)
        return Reply("", tuple(words[place] for place in places))

    async def scenario() -> None:
        surveyor = Surveyor(1, exchange)
        with pytest.raises(OutcomeUnknown):
            await surveyor.facts()
        assert (await surveyor.facts())["sunspec"] == "0"
        assert asked[:2] == [40_000, 0]
        with pytest.raises(OutcomeUnknown):
            await surveyor.facts()

    asyncio.run(scenario())


def test_silence_within_a_map_says_nothing_of_its_base() -> None:
    """The map is looked for at the same place again."""

    async def exchange(frame: Frame) -> Reply:
        if request_of(frame).address == 40_000:
            return Reply("", (0x5375, 0x6E53))
        raise OutcomeUnknown("no answer in 3 s", outcome="timed_out")

    async def scenario() -> None:
        surveyor = Surveyor(1, exchange)
        for _ in range(2):
            with pytest.raises(OutcomeUnknown):
                await surveyor.facts()

    asyncio.run(scenario())
