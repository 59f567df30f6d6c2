"""A crash at every point, for every command type on both protocols: the promise holds each time.

One thread and a seed: the same crash comes again with the same numbers.
"""

from pathlib import Path
from typing import Final

import attrs
import pytest

from actors.handles import CommandHandle
from actors.sim.timetable import Arrival
from actors.testing.crashes import POINTS, Crashed, Point
from actors.testing.simulation import Simulation
from engine.commands import FINAL
from engine.history import histories

MOST: Final = 30
"""No command takes so many steps."""

CHARGER, BATTERY = "ast_a", "ast_battery"
COMMANDS: Final = (
    (CHARGER, "SET_CHARGE_RATE"),
    (CHARGER, "START_CHARGING"),
    (CHARGER, "STOP_CHARGING"),
    (CHARGER, "CHANGE_AVAILABILITY"),
    (CHARGER, "RELEASE"),
    (CHARGER, "CALL"),
    (BATTERY, "SET_CHARGE_RATE"),
    (BATTERY, "SET_DISCHARGE_RATE"),
    (BATTERY, "STOP_CHARGING"),
    (BATTERY, "RELEASE"),
    (BATTERY, "CALL"),
)
CALLS: Final[dict[str, tuple[str, dict[str, object]]]] = {
    CHARGER: ("UnlockConnector", {"connectorId": 1}),
    BATTERY: ("write_register", {"address": 20, "value": 11}),
}
SITE: Final = """
[site]
id = "sit_test"
[ocpp]
listen = "127.0.0.1:0"
security_profile = 0
[defaults]
command_timeout_seconds = 3
[[asset]]
id = "ast_a"
kind = "ev_charger"
schedule_key = "a"
adapter = "ocpp"
charge_point = "CP-a"
max_kw = 22
min_a = 0
fallback_kw = 1.4
[[asset]]
id = "ast_battery"
kind = "battery"
schedule_key = "battery"
adapter = "modbus"
host = "127.0.0.1"
port = 502
max_charge_kw = 50
max_discharge_kw = 50
fallback_kw = 0
"""


@attrs.frozen
class Round:
    """One command of a type: an engine that ends at a point on its way, and one that goes on."""

    file: Path
    asset: str
    type: str
    seed: int = 0

    def run(self, point: Point, nth: int) -> bool:
        """Return whether the engine came to the point; the promise holds in any case."""
        arrivals = {"CP-a": (Arrival(1, 0.0),)}
        run = Simulation.of(self.file, self.seed, arrivals=arrivals, snapshot_every=1)
        with run:
            assert run.wait_for(lambda: self._is_ready(run))
            run.crash_at(point, nth)
            told = self._command(run)
            self._let_go(run)
            run.wait_for(lambda: self._is_over(run, started=told is not None))
            crashed = not run.stop()
            run.restart()
            assert run.wait_for(lambda: self._is_over(run, started=False))
            run.stop()
            assert run.judged().violations == ()
            assert run.verified().problems == ()
            assert told is None or told.id in {one.id for one in histories(run.records())}
        return crashed

    def _let_go(self, run: Simulation) -> None:
        """Let the vehicle leave a charger that is to be out of service: it is not before that."""
        if self.type == "CHANGE_AVAILABILITY":
            run.charger(CHARGER).unplug(1)

    def _is_ready(self, run: Simulation) -> bool:
        """Return whether all devices are there, and charge where there is something to stop."""
        states = run.state()
        known = all(one.state_known and one.connected for one in states.values())
        stops = (self.asset, self.type) == (CHARGER, "STOP_CHARGING")
        return known and (not stops or states[CHARGER].transaction_id is not None)

    def _command(self, run: Simulation) -> CommandHandle | None:
        """Ask for the command; return it if that was answered."""
        who = {"by": "anna", "reason": "a test"}
        try:
            if self.type == "CALL":
                action, payload = CALLS[self.asset]
                return run.call(self.asset, action, payload)
            kw = 5.0 if self.type.startswith("SET_") else None
            return run.send(self.asset, self.type, kw=kw, operative=False, **who)
        except Crashed:
            return None

    def _is_over(self, run: Simulation, *, started: bool) -> bool:
        """Return whether every command is over; an operator's among them, if it was ``started``."""
        history = run.history()
        over = all(one.status in FINAL for one in history)
        return over and (not started or any(one.cause.by == "anna" for one in history))


@pytest.mark.parametrize(("asset", "type_"), COMMANDS)
def test_a_crash_at_every_point_leaves_the_truth(tmp_path: Path, asset: str, type_: str) -> None:
    """For every k, until a run comes to its end without a crash."""
    file = tmp_path / "site.toml"
    file.write_text(SITE, encoding="utf-8")
    played = Round(file, asset, type_)
    crashes: dict[str, int] = {}
    for point in POINTS:
        for nth in range(1, MOST):
            if not played.run(point, nth):
                break
            crashes[point] = nth
    assert set(crashes) == set(POINTS), crashes
    print(f"{asset} {type_}: {crashes}")  # noqa: T201 - the counts are part of the report
