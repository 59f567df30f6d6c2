"""Our own adapters pass what those of others have to."""

import asyncio
from typing import Any

import attrs
from msgspec.structs import replace

from actors.clock import Clocks, DeviceClock, wall_now
from actors.links.modbus import ModbusAdapter
from actors.links.ocpp import OcppAdapter
from actors.sim.battery import SimBattery
from actors.sim.charger import ChargerSetup, SimCharger
from actors.sim.setup import Pace
from actors.testing.battery_rig import QUIET, GuardClock
from actors.testing.conformance import AdapterConformance, DeviceUnderTest, Manner
from actors.testing.promises import CONTROL_ACTIONS, WRITES
from actors.testing.site import free_port
from engine.adapters.base import AdapterPlugin, AssetView
from engine.adapters.modbus import ModbusOptions
from engine.adapters.ocpp16 import OcppOptions
from engine.config import OcppListen
from engine.types import AssetKind


class Battery:
    """The simulated battery."""

    def __init__(self) -> None:
        self.battery = SimBattery(attrs.evolve(QUIET, keepalive=None))
        self.port = 0
        self.manner: Manner = "answer"

    async def start(self) -> ModbusOptions:
        """Listen, at the same port as before."""
        self.battery.struck = self.struck
        self.port = await self.battery.start(port=self.port)
        return ModbusOptions("127.0.0.1", self.port, 1, QUIET.name)

    def behave(self, manner: Manner) -> None:
        """Answer writes, or not."""
        self.manner = manner

    def struck(self, function: int) -> tuple[str, ...]:
        """Return its quirks for one request."""
        if function not in WRITES or self.manner == "answer":
            return ()
        if self.manner == "hang_up":
            self.battery.hang_up()
            return ()
        return ("exception_3",) if self.manner == "refuse" else ("silent",)

    def received(self) -> int:
        """Return how many writes it has seen."""
        return sum(
            one.direction == "in" and one.action in WRITES for one in self.battery.wire_log.entries
        )

    async def stop(self) -> None:
        """Be gone."""
        await self.battery.stop()


class TestModbus(AdapterConformance):
    """The Modbus adapter with the built-in profile."""

    kind = AssetKind.BATTERY
    toml = f'host = "127.0.0.1"\nprofile = "{QUIET.name}"'

    def adapter(self) -> AdapterPlugin:
        """Return the adapter with little patience."""
        return ModbusAdapter({QUIET.name: QUIET}, GuardClock().guards())

    def device(self, adapter: AdapterPlugin) -> DeviceUnderTest:
        """Return a simulated battery."""
        del adapter
        return Battery()


class ChargePoint:
    """The simulated charge point."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.charger: Any = None
        self.life: asyncio.Task[None] | None = None
        self.manner: Manner = "answer"

    async def start(self) -> OcppOptions:
        """Connect, as soon as somebody listens."""
        setup = ChargerSetup(
            "CP-1",
            f"ws://127.0.0.1:{self.port}",
            wall_now,
            pace=Pace(reconnect_s=0.05, reconnect_most_s=0.1, reboot_s=0.05),
        )
        self.charger = SimCharger(setup)
        self.charger.struck = self.struck
        self.life = asyncio.create_task(self.charger.run())
        return OcppOptions("CP-1")

    def behave(self, manner: Manner) -> None:
        """Answer control frames, or not."""
        self.manner = manner

    def struck(self, action: str) -> tuple[str, ...]:
        """Return its quirks for one call."""
        if action not in CONTROL_ACTIONS or self.manner == "answer":
            return ()
        if self.manner == "hang_up":
            self.dropping = asyncio.ensure_future(self.charger.drop())
            return ("silent",)
        return ("reject_profile",) if self.manner == "refuse" else ("silent",)

    def received(self) -> int:
        """Return how many control frames it has seen."""
        return sum(
            one.direction == "in" and one.action in CONTROL_ACTIONS
            for one in self.charger.wire_log.entries
        )

    async def stop(self) -> None:
        """Be gone."""
        if self.life is not None:
            await self.charger.stop()
            await self.life
            self.life = None


class TestOcpp(AdapterConformance):
    """The OCPP 1.6 adapter."""

    toml = 'charge_point = "CP-1"'
    call = ("Reset", {"type": "Soft"})

    def adapter(self) -> AdapterPlugin:
        """Return a central system that lets everybody in."""
        self.port = free_port()
        listen = OcppListen(port=self.port, security_profile=0)
        guard = (lambda _id, _password: True, lambda _kind, _peer, _count: None)
        return OcppAdapter(listen, Clocks(DeviceClock()), guard, stale_s=60.0)

    def view(self, options: object) -> AssetView:
        """Return a connector at which no transaction runs, as the simulated one."""
        return replace(super().view(options), transaction_id=None)

    def device(self, adapter: AdapterPlugin) -> DeviceUnderTest:
        """Return a simulated charge point."""
        del adapter
        return ChargePoint(self.port)
