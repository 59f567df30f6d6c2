"""The benches ``lateness``: how long after its time a setpoint is handed to the link."""

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

import attrs

from actors.bench.device import InstantAdapter
from actors.bench.engine import running
from actors.bench.rest import at_rest, until
from actors.bench.rows import Row, within
from actors.clock import Clocks, steady_s
from engine.types import US_PER_S, from_us

if TYPE_CHECKING:
    import pandas as pd

P99_MS: Final = 50.0
LAST_MS: Final = 1_000.0
_AHEAD_S: Final = 1.5
"""How long before its time a schedule is submitted, and a second more per so many assets."""
_ASSETS_PER_S: Final = 4_000
_LOOK_S: Final = 0.1


@attrs.frozen
class Late:
    """How late each asset was, in seconds, in order of lateness."""

    seconds: Sequence[float]

    @property
    def p99_ms(self) -> float:
        """What 99 of 100 do not exceed."""
        return 1_000 * self.seconds[math.ceil(0.99 * len(self.seconds)) - 1]

    @property
    def last_ms(self) -> float:
        """The last one's."""
        return 1_000 * self.seconds[-1]


def late(assets: int) -> Late:
    """Let a change of every asset fall due at one instant, by the timer, on clocks that run.

    Raises:
        ValueError: an asset was not sent to once, or before its time.
    """
    adapter, clocks = InstantAdapter(), Clocks()
    with running(assets, clocks, adapter=adapter) as (system, _):
        at_rest(system)
        before = [link.sent for link in adapter.links]
        now_us = clocks.device_us()
        ahead_us = round((_AHEAD_S + assets / _ASSETS_PER_S) * US_PER_S)
        due_us = now_us + ahead_us
        due_s = steady_s() + (due_us - clocks.device_us()) / US_PER_S
        system.submit(_change(assets, due_us))
        until(lambda: all(link.last_s > due_s for link in adapter.links), _LOOK_S)
        at_rest(system, model=False)
        sent = [link.sent - count for link, count in zip(adapter.links, before, strict=True)]
    if set(sent) != {1}:
        raise ValueError(f"of {assets} assets {sent.count(1)} were sent to once")
    return Late(sorted(link.last_s - due_s for link in adapter.links))


def _change(assets: int, due_us: int) -> "pd.DataFrame":
    """Return a schedule of two hours whose first slot begins at an instant."""
    import pandas as pd

    index = pd.date_range(from_us(due_us), periods=2, freq="h")
    powers = {f"ev_{number}_kw": 3.0 + number % 8 for number in range(assets)}
    return pd.DataFrame(powers, index)


def measure(runs: int, assets: int) -> Row:
    """Return the row of a thousand assets: the last but one percent, beside 50 ms."""
    done = [late(assets).p99_ms for _ in range(runs)]
    return within("lateness", done, P99_MS, "ms", "99 of 100")


def measure_last(runs: int, assets: int) -> Row:
    """Return the row of ten thousand assets: the last of them, beside a second."""
    done = [late(assets).last_ms for _ in range(runs)]
    return within("lateness_10k", done, LAST_MS, "ms", "the last")
