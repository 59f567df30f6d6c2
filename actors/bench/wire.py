"""Slots over real sockets: what the benches ``ocpp`` and ``modbus`` have in common.

The devices are in a process of their own, and the engine reads its site from a file. A first slot,
which nobody measures, lets each device get to know what it holds.
"""

from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING

import attrs

from actors.bench.engine import SteppedPlan, Tally, bring_on, folder
from actors.clock import Clocks, DeviceClock
from actors.system import ActorSystem
from actors.testing.waiting import wait_until
from engine.commands import CommandStatus
from engine.types import AssetId, to_us

if TYPE_CHECKING:
    import pandas as pd

_HEAD = """
[site]
id = "sit_bench"
timezone = "UTC"
[store]
url = "sqlite:///bench.db"
[defaults]
dispatch_interval_seconds = 3600
stale_state_seconds = 3600
"""


@attrs.frozen
class Depot:
    """An engine on real sockets, and the schedule that it is to dispatch."""

    system: ActorSystem
    plan: SteppedPlan
    table: "pd.DataFrame"

    def begin(self) -> None:
        """Submit, and dispatch the first slot, once every device has said how it is."""
        wait_until(lambda: all(one.state_known for one in self.system.state().values()))
        planned = Tally(self.system.journal, "asset.plan_replaced")
        self.system.submit(self.table)
        planned.wait(len(self._assets))
        self._bring_on(0, 1)
        wait_until(self._is_settled)

    def measure(self) -> tuple[int, float]:
        """Dispatch the other slots; return how many commands were completed, in how many seconds.

        All assets change at each of them, and the next begins when the last of them is done.
        """
        return self._bring_on(1, len(self.table))

    def _bring_on(self, first: int, end: int) -> tuple[int, float]:
        tally = Tally(self.system.journal, "asset.attempt_ended", CommandStatus.COMPLETED)
        starts = [to_us(one.to_pydatetime()) for one in self.table.index[first:end]]
        return bring_on(self.system, self.plan, [(one, self._assets) for one in starts], tally)

    @property
    def _assets(self) -> Sequence[AssetId]:
        return [one.rules.asset_id for one in self.system.site.assets]

    def _is_settled(self) -> bool:
        return not any(one.open_commands for one in self.system.state().values())


@contextmanager
def depot(site: str, table: "pd.DataFrame") -> Iterator[Depot]:
    """Give an engine that runs a site file's assets on an empty store."""
    plan = SteppedPlan(to_us(table.index[0].to_pydatetime()) - 1)
    clocks = Clocks(DeviceClock(), plan)  # type: ignore[arg-type]  # a plan clock by its methods
    with folder() as place:
        file = place / "site.toml"
        file.write_text(_HEAD + site, encoding="utf-8")
        with closing(ActorSystem.open(file, clocks=clocks)) as system:
            yield Depot(system, plan, table)
