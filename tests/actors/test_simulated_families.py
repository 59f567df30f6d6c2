"""A plan, a crash and a restart on each way of control, under a seed and with the judge."""

from collections.abc import Callable
from typing import Any

import pandas as pd
import pytest

from actors.testing.simulation import Simulation
from actors.testing.world import WorldClock

SITE = """
[site]
id = "sit_families"
[[asset]]
id = "ast_battery"
kind = "battery"
schedule_key = "battery"
adapter = "modbus"
host = "10.0.0.1"
profile = "{name}"
max_charge_kw = 2.5
max_discharge_kw = 2.5
fallback_kw = 0
"""


@pytest.mark.timeout(90)
@pytest.mark.parametrize(
    "name", ["sma-sunny-island", "solaredge-storedge", "sungrow-sh", "sunspec"]
)
def test_every_promise_holds_for_every_way_of_control(
    setpoint_site: Callable[..., Simulation], setpoint_clock: WorldClock, name: str
) -> None:
    """A repeated pair of writes, modes with flash and a timer, an amount, and two bounds.

    Charge, rest, discharge, the end of the plan; behind the second frame the engine dies.
    """
    system = setpoint_site(SITE.format(name=name))
    setpoint_clock.advance(5)
    first = pd.Timestamp(setpoint_clock.now).ceil("5min")
    slots = pd.date_range(first, periods=4, freq="5min")
    powers = {
        "battery_charge_kw": [2.0, 0.0, 0.0, 1.5],
        "battery_discharge_kw": [0.0, 0.0, 1.0, 0.0],
    }
    system.submit(pd.DataFrame(powers, index=slots))
    system.crash_at("after_send", nth=2)
    setpoint_clock.advance(400)
    system.restart()
    setpoint_clock.advance(1_200)
    planned: list[Any] = [one for one in system.history() if one.cause.kind == "schedule"]
    assert {"COMPLETED"} == {str(one.status) for one in planned[-3:]}
    system.assert_promises()
