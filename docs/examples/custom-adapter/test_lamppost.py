"""The lamp post's adapter: it keeps its promises, and a street of lamp posts runs with it."""

from pathlib import Path

import pandas as pd
import pytest
from lamppost import LamppostAdapter
from simulated_lamppost import SimulatedLamppost

from actors.testing import AdapterConformance, Fault
from engine import AdapterRegistry


class TestLamppost(AdapterConformance):
    toml = 'host = "127.0.0.1"'
    waits_to_send = False

    def adapter(self):
        return LamppostAdapter()

    def device(self, adapter):
        return SimulatedLamppost()


@pytest.mark.storm(seeds=3)
def test_a_lamp_post_follows_its_plan(setpoint_site, setpoint_clock, setpoint_faults):
    adapters = AdapterRegistry({"lamppost": LamppostAdapter()})
    site = setpoint_site(Path(__file__).with_name("street.toml"), adapters=adapters)
    post = SimulatedLamppost(7400)
    site.world.loop().submit(post.start())
    setpoint_faults.add(Fault(kind="reply_lost", nth=5))
    site.crash_at("after_send")
    times = pd.date_range(setpoint_clock.now, periods=3, freq="15min")
    site.submit(pd.DataFrame({"ev_post_kw": [7.49, 0.0, 5.0]}, index=times))
    setpoint_clock.advance_to(times[1])
    site.restart()
    setpoint_clock.advance_to(times[2] + pd.Timedelta("5s"))
    assert (post.watts, site.state()["ast_post"].setpoint_kw) == (5000, 5.0)
    assert site.assert_promises()["cleared up"] == 1
