"""The bench ``memory``: what an idle asset takes, once an engine was started again.

By the resident memory of a process of its own, after a garbage collection: that of an engine with
so many assets, less that of one with none. So what the allocator holds back is counted, and what
the C libraries keep, which tracemalloc does not see. The engine is whole (actors, timer,
dispatcher, read model); its links do not connect, and the only schedule is over.
"""

import gc
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Final

import click

from actors.bench.device import InstantAdapter, InstantLink
from actors.bench.engine import SteppedPlan, folder, herd, keys_of, site_of
from actors.bench.rest import at_rest, until
from actors.bench.rows import Row, within
from actors.system import ActorSystem
from engine.adapters.base import Link, Observation
from engine.adapters.registry import AdapterRegistry
from engine.asset import AssetState
from engine.asset.messages import Woke
from engine.errors import UsageError
from engine.types import US_PER_S

LIMIT_KB: Final = 10.0
_BEGIN_US: Final = 1_735_689_600 * US_PER_S
_OVER_US: Final = _BEGIN_US + 24 * 3_600 * US_PER_S
_STATM: Final = Path("/proc/self/statm")
_PAGE_KB: Final = 4.096
_LIMIT_S: Final = 300.0


class _Away(InstantLink):
    """A device that is not there."""

    async def open(self) -> None:
        """Find nobody."""


class _AwayAdapter(InstantAdapter):
    """Has links that do not connect."""

    def link(self, options: object, report: Callable[[Observation], None]) -> Link:
        """Return a device that is not there."""
        del options
        return _Away(report)


def prepare(place: Path, assets: int) -> None:
    """Make a store in which every asset carried out a schedule that is over."""
    plan = SteppedPlan(_BEGIN_US)
    system = _opened(place, assets, plan, InstantAdapter())
    with system:
        at_rest(system)
        if assets:
            system.submit(herd(keys_of(system.site), 2))
            at_rest(system)
        plan.at_us = _OVER_US
        for tell in system.assembly.tell.values():
            tell(Woke())
        board = system.assembly.board
        until(lambda: all(map(_is_idle, board.values())))
        at_rest(system)


def resident_kb(place: Path, assets: int) -> float:
    """Return this process's resident memory with an engine on such a store, in 1,000 bytes.

    Raises:
        UsageError: this system does not tell.
    """
    with _opened(place, assets, SteppedPlan(_OVER_US), _AwayAdapter()) as system:
        board = system.assembly.board
        until(lambda: all(map(_is_idle, board.values())))
        system.journal.flush().result(_LIMIT_S)
        gc.collect()
        return resident_now_kb()


def resident_now_kb() -> float:
    """Return this process's resident memory, in 1,000 bytes.

    Raises:
        UsageError: this system does not tell.
    """
    if not _STATM.exists():
        raise UsageError("memory is read from /proc/self/statm, which only Linux has")
    return int(_STATM.read_text().split()[1]) * _PAGE_KB


def _opened(place: Path, assets: int, plan: SteppedPlan, adapter: InstantAdapter) -> ActorSystem:
    adapters = AdapterRegistry({"instant": adapter})
    return ActorSystem.open(site_of(assets, place), clocks=plan.clocks(), adapters=adapters)


def _is_idle(state: AssetState) -> bool:
    return state.outside.offered and not state.programme.parts and state.attempt is None


def of_one_kb(assets: int, runs: int) -> list[float]:
    """Return what one of so many assets takes, measured so often."""
    with folder() as none, folder() as place:
        prepare(none, 0)
        prepare(place, assets)
        return [
            (_elsewhere_kb(place, assets) - _elsewhere_kb(none, 0)) / assets for _ in range(runs)
        ]


def _elsewhere_kb(place: Path, assets: int) -> float:
    """Return what `resident_kb` says in a process of its own."""
    ended = subprocess.run(  # noqa: S603 - our own module
        [sys.executable, "-m", __name__, str(place), str(assets)],
        check=True,
        capture_output=True,
        text=True,
        timeout=_LIMIT_S,
    )
    return float(ended.stdout)


def measure(runs: int, assets: int) -> Row:
    """Return the bench's row, in 1,000 bytes an asset."""
    return within("memory", of_one_kb(assets, runs), LIMIT_KB, "KB an asset")


@click.command()
@click.argument("place", type=click.Path(path_type=Path))
@click.argument("assets", type=int)
def main(place: Path, assets: int) -> None:
    """Print the resident memory of this process with an engine that is started again."""
    click.echo(resident_kb(place, assets))


if __name__ == "__main__":
    main()
