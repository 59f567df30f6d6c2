"""What a simulated charge point is, and how long things take it."""

import ssl
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from typing import Literal

import attrs

from actors.sim.timetable import Arrival


def _names(names: Iterable[str]) -> frozenset[str]:
    return frozenset(names)


@attrs.frozen(kw_only=True)
class Pace:
    """How long things take, in real seconds; no speed scales them.

    ``late_s`` has to lie beyond the central system's time-out, ``slow_s`` within it.
    """

    tick_s: float = 0.05
    call_s: float = 30.0
    slow_s: float = 5.0
    late_s: float = 35.0
    reboot_s: float = 0.5
    boot_retry_s: float = 10.0
    reconnect_s: float = 0.1
    reconnect_most_s: float = 5.0


@attrs.frozen
class ChargerSetup:
    """What a simulated charge point is.

    ``now`` is real time: what is on the wire, profiles among it, goes by it. ``speed`` scales what
    vehicles do, and when they come and go; ``plan_now`` replaces that clock by another. ``quirks``
    are names of `QUIRKS`. ``start`` is who starts a charge, ``configuration`` the keys that differ
    from the usual, ``meter_s`` the interval of the meter's values. ``version`` is one of
    `versions.VERSIONS`.
    """

    identity: str
    url: str
    now: Callable[[], datetime]
    connectors: int = 1
    password: str | None = attrs.field(default=None, repr=False)
    speed: float = 1.0
    seed: int = 0
    quirks: frozenset[str] = attrs.field(default=frozenset(), converter=_names)
    arrivals: tuple[Arrival, ...] = ()
    meter_s: float = 10.0
    start: Literal["charger", "engine"] = "charger"
    max_kw: float = 22.0
    configuration: Mapping[str, str] = attrs.field(factory=dict)
    plan_now: Callable[[], datetime] | None = None
    pace: Pace = attrs.field(factory=Pace)
    tls: ssl.SSLContext | None = None
    version: str = "1.6"
