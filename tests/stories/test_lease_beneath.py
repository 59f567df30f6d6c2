"""A transaction that ends while the engine is dead: the next vehicle gets what was granted."""

from pathlib import Path

import pytest

from actors.control import NotReachable, request
from actors.sim.connector import Arrival
from actors.testing.site import TestSite, simulated_site
from actors.testing.waiting import wait_until

LIMIT = 'id = "sit_test"\nimport_limit_kw = 30\n'
GRANTED_W = 5_000.0


def answers(site: TestSite) -> bool:
    """Return whether the engine can be asked, and hears its charger."""
    try:
        states = request(str(site.folder / ".sit_test.sock"), "state", {}, 20.0)
    except NotReachable:
        return False
    return any(one["asset_id"] == "ast_a" and one["connected"] for one in states)


def rate(site: TestSite, power_kw: float) -> str:
    """Set a charger by hand; return how its command ended."""
    args = {"asset": "ast_a", "type": "SET_CHARGE_RATE", "kw": power_kw, "wait_s": 20.0}
    told = {**args, "by": "ann", "reason": "a test"}
    return str(request(str(site.folder / ".sit_test.sock"), "send", told, 30.0)["status"])


@pytest.mark.timeout(120)
@pytest.mark.parametrize("version", ["1.6", "2.0.1"])
def test_the_next_vehicle_may_draw_no_more_than_was_granted(tmp_path: Path, version: str) -> None:
    """The default was 11 kW when its vehicle came, and 5 kW were granted when the engine died."""
    with simulated_site(tmp_path, ("a",), plugged=False, versions={"a": version}) as site:
        text = site.file.read_text(encoding="utf-8")
        text = text.replace("min_a = 0", 'min_a = 0\nverify = "ack"')
        site.file.write_text(text.replace('id = "sit_test"\n', LIMIT, 1), encoding="utf-8")
        connector = site.charger("a").connector(1)
        engine = site.started("run", str(site.file))
        wait_until(lambda: answers(site))
        assert rate(site, 11.0) == "COMPLETED"
        site.depot.plug_in("CP-a", Arrival(1, 0.0))
        wait_until(lambda: connector.power_w > GRANTED_W)
        assert rate(site, GRANTED_W / 1_000) == "COMPLETED"
        engine.kill()
        engine.wait(10)
        site.depot.unplug("CP-a", 1)
        wait_until(lambda: connector.transaction_id is None)
        site.depot.plug_in("CP-a", Arrival(1, 0.0))
        wait_until(lambda: connector.plugged is not None)
        wait_until(lambda: connector.limit_w == connector.beneath_w)
        assert connector.limit_w == pytest.approx(GRANTED_W, abs=70.0)
