"""The test kit: a site under a seed, its clock and faults, and tests that adapters have to pass.

What is named here is public. It is imported when it is asked for: the pytest plugin is in this
package, and comes with every run of pytest.
"""

import importlib
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from actors.sim.timetable import Arrival
    from actors.standing import PlanStart
    from actors.testing.adapter_hooks import DeviceUnderTest, Manner
    from actors.testing.conformance import AdapterConformance
    from actors.testing.crashes import POINTS, Crashed, Point
    from actors.testing.faults import KINDS, Fault, Faults, Injected
    from actors.testing.frames import Message, Splitter
    from actors.testing.promises import Judgement, judge
    from actors.testing.proxy import Proxy
    from actors.testing.simulation import Simulation
    from actors.testing.sites import site_text
    from actors.testing.turns import START
    from actors.testing.world import World, WorldClock

__all__ = [
    "KINDS",
    "POINTS",
    "START",
    "AdapterConformance",
    "Arrival",
    "Crashed",
    "DeviceUnderTest",
    "Fault",
    "Faults",
    "Injected",
    "Judgement",
    "Manner",
    "Message",
    "PlanStart",
    "Point",
    "Proxy",
    "Simulation",
    "Splitter",
    "World",
    "WorldClock",
    "judge",
    "site_text",
]

_MODULES: Final = {
    "actors.sim.timetable": ("Arrival",),
    "actors.standing": ("PlanStart",),
    "actors.testing.adapter_hooks": ("DeviceUnderTest", "Manner"),
    "actors.testing.conformance": ("AdapterConformance",),
    "actors.testing.crashes": ("POINTS", "Crashed", "Point"),
    "actors.testing.faults": ("KINDS", "Fault", "Faults", "Injected"),
    "actors.testing.frames": ("Message", "Splitter"),
    "actors.testing.promises": ("Judgement", "judge"),
    "actors.testing.proxy": ("Proxy",),
    "actors.testing.simulation": ("Simulation",),
    "actors.testing.sites": ("site_text",),
    "actors.testing.turns": ("START",),
    "actors.testing.world": ("World", "WorldClock"),
}
_MODULE_OF: Final = {name: module for module, names in _MODULES.items() for name in names}


def __getattr__(name: str) -> Any:  # noqa: ANN401 - whatever it is
    """Import a public name when it is asked for."""
    module = _MODULE_OF.get(name)
    if module is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(module), name)


def __dir__() -> list[str]:
    """Return the public names."""
    return __all__
