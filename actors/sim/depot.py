"""Several simulated devices together, on a loop and a thread of their own."""

from collections.abc import Coroutine, Mapping
from typing import Any

import attrs

from actors.loop import LoopThread
from actors.sim.battery import SimBattery
from actors.sim.charger import ChargerSetup, SimCharger
from actors.sim.connector import Arrival
from actors.sim.wirelog import WireLog

_ANSWER_S = 10.0


@attrs.define
class Depot:
    """Chargers by identity and batteries by name; the methods may be called from any thread."""

    loop: LoopThread = attrs.field(factory=LoopThread)
    chargers: dict[str, SimCharger] = attrs.field(factory=dict)
    batteries: dict[str, SimBattery] = attrs.field(factory=dict)

    def start(self) -> None:
        """Begin to run; devices are added afterwards."""
        self.loop.start()

    def do(self, work: Coroutine[Any, Any, Any]) -> Any:  # noqa: ANN401 - whatever the work gives
        """Run something on the devices' loop and return what it gives."""
        return self.loop.submit(work).result(_ANSWER_S)

    def begin(self, work: Coroutine[Any, Any, Any]) -> None:
        """Let something run on the devices' loop."""
        self.loop.submit(work)

    def add_battery(self, name: str, battery: SimBattery, port: int = 0) -> int:
        """Let a battery listen on loopback; return its port."""
        self.batteries[name] = battery
        taken: int = self.do(battery.start("127.0.0.1", port))
        return taken

    def add_charger(self, setup: ChargerSetup, log: WireLog | None = None) -> SimCharger:
        """Let a charge point connect."""

        async def made() -> SimCharger:
            return SimCharger(setup, log)

        charger: SimCharger = self.do(made())
        self.chargers[setup.identity] = charger
        self.begin(charger.run())
        return charger

    def plug_in(self, identity: str, arrival: Arrival) -> None:
        """Let a vehicle come."""
        connector = self.chargers[identity].connectors[arrival.connector]
        self.begin(connector.plug_in(arrival))

    def unplug(self, identity: str, connector: int) -> None:
        """Let a vehicle go."""
        self.begin(self.chargers[identity].connectors[connector].unplug())

    def logs(self) -> Mapping[str, WireLog]:
        """Return every device's wire log."""
        logs = {name: charger.wire_log for name, charger in self.chargers.items()}
        return logs | {name: battery.wire_log for name, battery in self.batteries.items()}

    def stop(self) -> None:
        """End all devices."""
        for charger in self.chargers.values():
            self.do(charger.stop())
        for battery in self.batteries.values():
            self.do(battery.stop())
        self.loop.stop()
