"""A simulated battery and its link over a real socket, for tests of the link."""

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any, Final, TypeAlias

import attrs
from msgspec.structs import replace

from actors.links.exchange import (
    Guards,
)
from actors.links.modbus import ModbusAdapter
from actors.sim.battery import SimBattery
from actors.sim.wirelog import WireEntry
from engine.adapters.base import (
    Answer,
    AssetView,
    Observation,
    Payload,
    Seen,
)
from engine.adapters.modbus import ModbusOptions
from engine.adapters.profile import builtin
from engine.adapters.registers import RegisterProfile
from engine.commands import Attempt, Cause, CauseKind, Command, CommandType
from engine.types import AssetId, AssetKind, CommandId

_NOW: Final = datetime(2026, 1, 5, 12, tzinfo=UTC)
QUIET: Final = attrs.evolve(builtin("generic-battery"), poll_s=3_600.0)
"""The built-in battery, polled so rarely that a test sees its own frames only."""

Scenario: TypeAlias = Callable[["BatteryRig"], Coroutine[Any, Any, None]]


class GuardClock:
    """A device clock and what the engine allows; tests move them."""

    def __init__(self) -> None:
        self.now_us = 1_000_000
        self.sending = True
        self.keeping = True

    async def _may_keep(self) -> bool:
        return self.keeping

    def guards(self) -> Guards:
        """Return guards that ask this clock, with little patience."""
        return Guards(
            lambda: self.now_us,
            lambda: self.sending,
            self._may_keep,
            reply_s=2.0,
            pauses_s=(0.01, 0.05),
        )


class BatteryRig:
    """A battery, its link, and what the link has said."""

    def __init__(self, profile: RegisterProfile, device: RegisterProfile | None = None) -> None:
        self.profile = profile
        self.battery = SimBattery(device or attrs.evolve(profile, keepalive=None))
        self.clock = GuardClock()
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

    async def send(self, kw: float = 2.0, timeout_s: float = 10.0, **payload: Any) -> Answer:  # noqa: ANN401 - of Payload
        """Send a charge rate of a battery whose other channel is known."""
        answer: Answer = await self.link.send(self.charge(kw, **payload), timeout_s)
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
            CommandId("cmd_1"), asset.asset_id, CommandType.SET_CHARGE_RATE, kw, _NOW, cause
        )
        attempt = Attempt("att_1", 1, 0, _NOW, 900.0, 0.0, kw, 0.0)
        return replace(self.adapter.translate(command, asset, attempt), **payload)

    def writes(self, address: int = 20) -> list[WireEntry]:
        """Return the writes to an address that the battery saw."""
        return [
            one
            for one in self.battery.wire_log.entries
            if one.direction == "in"
            and one.action in {6, 16}
            and isinstance(one.payload, dict)
            and one.payload["address"] == address
        ]


def run_battery(
    scenario: Scenario, profile: RegisterProfile = QUIET, **device: RegisterProfile
) -> None:
    """Run a scenario with a battery that is connected already."""

    async def connected() -> None:
        async with rig_of(profile, **device) as rig:
            await rig.heard(Seen)
            await scenario(rig)

    asyncio.run(connected())


@asynccontextmanager
async def rig_of(profile: RegisterProfile, **device: RegisterProfile) -> AsyncIterator[BatteryRig]:
    """Start a battery and open its link; close both."""
    rig = BatteryRig(profile, **device)
    async with asyncio.timeout(20):
        await rig.open(await rig.battery.start())
        try:
            yield rig
        finally:
            await rig.link.close()
            await rig.battery.stop()
