"""An engine that is killed for good: each charger is at its fallback within the lease."""

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from actors.clock import steady_s
from actors.control import NotReachable, request
from actors.testing.site import simulated_site

LEASE_S = 8.0
TICK_S = 4.0  # the simulated charger looks at its clock every so often, on a busy machine later
CASES = (
    ("", True),
    ("", False),
    ("amps_only", True),
    ("clock_behind", True),
    ("one_period", True),
    ("relative_only", True),
    ("relative_only", False),
    ("relative_only one_period", True),
    ("relative_only relative_from_receipt", True),
)


def until(true: Callable[[], bool], within_s: float = 40.0) -> float:
    """Wait until something is true; return how long that took in seconds."""
    tick, began_s = threading.Event(), steady_s()
    while not true():
        assert steady_s() - began_s < within_s
        tick.wait(0.02)
    return steady_s() - began_s


@pytest.mark.timeout(150)
@pytest.mark.parametrize(("quirks", "plugged"), CASES)
def test_a_charger_whose_engine_is_killed_is_at_its_fallback_within_the_lease(
    tmp_path: Path, quirks: str, *, plugged: bool
) -> None:
    """In a transaction and without one, whatever form of a profile it takes; renewed until then."""
    extra = f"[defaults]\nfailsafe_after_s = {LEASE_S}"
    with simulated_site(tmp_path, ("a",), plugged=plugged, extra=extra) as site:
        charger = site.charger("a")
        for quirk in quirks.split():
            charger.fail(quirk)
        engine = site.started("run", str(site.file))
        connector = charger.connector(1)

        def ask(op: str, **args: object) -> Any:  # noqa: ANN401 - JSON
            try:
                return request(str(tmp_path / ".sit_test.sock"), op, args, 20.0)
            except NotReachable:
                return None

        until(lambda: bool(ask("state")) and connector.may_charge is plugged)
        until(lambda: "clock" not in quirks or "clock_skew" in ask("state")[0]["alarms"])
        rate = {"asset": "ast_a", "type": "SET_CHARGE_RATE", "kw": 6.9, "wait_s": 15.0}
        ask("send", **rate, by="ann", reason="a test")
        until(lambda: connector.limit_w == 6_900.0)
        tick = threading.Event()  # it is renewed, and holds for longer than one lease
        for _ in range(15):
            tick.wait(LEASE_S / 10)
            assert connector.limit_w == 6_900.0
        engine.kill()
        engine.wait(10)
        took_s = until(lambda: connector.limit_w != 6_900.0)
        assert took_s <= LEASE_S + TICK_S
        assert connector.limit_w == pytest.approx(1_400.0, abs=70.0)
