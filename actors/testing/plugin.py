"""The pytest plugin: a simulated site, its clock, its faults and its seed as fixtures.

The only module that imports pytest; what it needs beside that is imported when it is asked for.
"""

from collections.abc import Callable, Generator, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import pytest

if TYPE_CHECKING:
    from os import PathLike

    from actors.testing.faults import Faults
    from actors.testing.simulation import Simulation
    from actors.testing.world import World, WorldClock

_SEED: Final = pytest.StashKey[int]()


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the options for seeds."""
    group = parser.getgroup("setpoint")
    group.addoption(
        "--setpoint-seed", type=int, metavar="N", help="run every seeded test with this seed"
    )
    group.addoption(
        "--setpoint-storms",
        type=int,
        metavar="N",
        help="run N seeds of each test marked storm, in place of as many as it asks for",
    )


def pytest_configure(config: pytest.Config) -> None:
    """Make the marker known."""
    config.addinivalue_line(
        "markers", "storm(seeds=300): run the test with so many seeds, as setpoint_seed has them"
    )


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run a storm once for each of its seeds."""
    marker = metafunc.definition.get_closest_marker("storm")
    if marker is None or "setpoint_seed" not in metafunc.fixturenames:
        return
    own, asked = metafunc.config.getoption("setpoint_seed"), _storms(metafunc.config, marker)
    seeds = range(asked) if own is None else (own,)
    metafunc.parametrize("setpoint_seed", seeds, indirect=True)


def _storms(config: pytest.Config, marker: pytest.Mark) -> int:
    asked: int | None = config.getoption("setpoint_storms")
    return int(marker.kwargs.get("seeds", 300)) if asked is None else asked


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, Any, Any]:
    """Tell with a failure how it can be repeated."""
    report = yield
    seed = item.stash.get(_SEED, None)
    if seed is not None and report.failed:
        report.sections.append(("repeat it", f"pytest {item.nodeid} --setpoint-seed {seed}"))
    return report


@pytest.fixture
def setpoint_seed(request: pytest.FixtureRequest) -> int:
    """Give the seed: of a storm its own, else that of ``--setpoint-seed``, else 0."""
    asked = request.config.getoption("setpoint_seed")
    seed = int(getattr(request, "param", 0 if asked is None else asked))
    request.node.stash[_SEED] = seed
    return seed


@pytest.fixture
def _setpoint_world(setpoint_seed: int) -> Iterator["World"]:
    from actors.testing.world import World

    world = World(setpoint_seed)
    yield world
    world.close()


@pytest.fixture
def setpoint_clock(_setpoint_world: "World") -> "WorldClock":
    """Give the clock of the test's sites: ``now``, ``advance(s)``, ``advance_to(t)``."""
    from actors.testing.world import WorldClock

    return WorldClock(_setpoint_world)


@pytest.fixture
def setpoint_faults(_setpoint_world: "World") -> "Faults":
    """Give the faults of the test's sites: ``add(rule)``, ``clear()``, ``injected``."""
    return _setpoint_world.faults


@pytest.fixture
def setpoint_site(
    _setpoint_world: "World", setpoint_clock: "WorldClock", tmp_path: Path
) -> Iterator[Callable[..., "Simulation"]]:
    """Give what makes a simulated site of a TOML text or file, with an engine that runs.

    Without one it is a site of two chargers and a battery. ``seed`` makes a world of its own; what
    else is named is handed to `actors.testing.simulation.Simulation`.
    """
    from actors.testing.simulation import Simulation
    from actors.testing.sites import site_file

    made: list[Simulation] = []

    def make(
        toml_or_path: "str | PathLike[str] | None" = None,
        *,
        seed: int | None = None,
        **how: Any,  # noqa: ANN401 - as Simulation has it
    ) -> Simulation:
        world = _setpoint_world if seed is None else seed
        file = site_file(toml_or_path, tmp_path, len(made))
        made.append(Simulation.of(file, world, **how))
        setpoint_clock.clocks = lambda: made[-1].plan_clocks
        return made[-1]

    yield make
    for site in made:
        site.close()
