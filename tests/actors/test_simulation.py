"""A site in one thread and under a seed: the same seed, the same log."""

import hashlib
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from actors.sim.timetable import Arrival
from actors.standing import PlanStart
from actors.testing.crashes import Crashed
from actors.testing.faults import Fault
from actors.testing.simulation import Simulation
from engine.errors import EngineClosed, UsageError
from engine.history import histories
from engine.types import to_us

START = datetime(2026, 3, 2, 6, tzinfo=UTC)
SITE = """
[site]
id = "sit_test"
[ocpp]
listen = "127.0.0.1:0"
security_profile = 0
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
[[asset]]
id = "ast_a"
kind = "ev_charger"
schedule_key = "a"
adapter = "ocpp"
charge_point = "CP-1"
max_kw = 22
fallback_kw = 4.2
[[asset]]
id = "ast_b"
kind = "ev_charger"
schedule_key = "b"
adapter = "ocpp"
charge_point = "CP-1"
connector = 2
max_kw = 22
fallback_kw = 4.2
"""


def plan() -> pd.DataFrame:
    """Return three hours of quarter-hours in which everything changes."""
    index = pd.date_range(START, periods=12, freq="15min")
    return pd.DataFrame(
        {
            "ev_a_kw": [7.0, 11.0, 0.0] * 4,
            "ev_b_kw": [11.0, 7.0] * 6,
            "battery_charge_kw": [12.5, 0.0, 3.2] * 4,
            "battery_discharge_kw": [0.0, 20.0, 0.0] * 4,
        },
        index=index,
    )


def made(folder: Path, seed: int = 0) -> Simulation:
    """Return the run of a site of a charge point with two connectors and a battery."""
    file = folder / "site.toml"
    file.write_text(SITE, encoding="utf-8")
    arrivals = {"CP-1": (Arrival(1, 0.0), Arrival(2, 3_000.0))}
    start = PlanStart(to_us(START), 900.0)
    return Simulation.of(file, seed, start=start, arrivals=arrivals)


def log_of(folder: Path, seed: int) -> str:
    """Return a digest of the log of a run with a crash in its middle."""
    with made(folder, seed) as run:
        run.submit(plan())
        run.crash_at("after_send", 12)
        assert not run.run_until("2026-03-02T09:30:00+00:00")
        run.restart()
        run.run_until("2026-03-02T09:30:00+00:00")
        run.stop()
        digest = hashlib.sha256()
        for row in run.rows():
            digest.update(f"{row.stream} {row.version} {row.topic} ".encode() + row.state)
        return digest.hexdigest()


def test_a_day_leaves_every_command_completed(tmp_path: Path) -> None:
    """On the real protocols, in a second."""
    with made(tmp_path) as run:
        receipt = run.submit(plan())
        assert run.run_until("2026-03-02T09:30:00+00:00")
        run.stop()
        commands = [one for one in histories(run.records()) if one.cause.kind == "schedule"]
        assert len(commands) == receipt.commands
        assert {one.status for one in commands} == {"COMPLETED"}
        judgement = run.judged()
        assert judgement.violations == ()
        assert judgement.counts["OCPP control frames"] > 20
        assert judgement.counts["Modbus writes"] > 10
        assert run.verified().problems == ()


@pytest.mark.timeout(180)
def test_the_same_seed_gives_the_same_log(tmp_path: Path) -> None:
    """Byte for byte, in two processes whose hashes differ; another seed gives another."""
    script = (
        "import sys; sys.path.insert(0, sys.argv[1]); from pathlib import Path\n"
        "from test_simulation import log_of; print(log_of(Path(sys.argv[2]), int(sys.argv[3])))"
    )

    def digest(seed: int, hashes: str) -> str:
        done = subprocess.run(
            [sys.executable, "-c", script, str(Path(__file__).parent), str(tmp_path), str(seed)],
            capture_output=True,
            text=True,
            check=True,
            env={"PYTHONHASHSEED": hashes, "PYTHONPATH": ":".join(sys.path)},
        )
        return done.stdout

    assert digest(1, "1") == digest(1, "2")
    assert digest(1, "1") != digest(2, "1")


def test_a_crash_ends_an_engine_where_it_was_to(tmp_path: Path) -> None:
    """Until another is opened there is none; its plan goes on from where the clock is."""
    with made(tmp_path) as run:
        run.submit(plan())
        run.crash_at("after_append", 3)
        assert not run.run_until("2026-03-02T07:00:00+00:00")
        with pytest.raises(EngineClosed, match="crashed"):
            run.state()
        before = len(run.records())
        run.advance(2)
        assert len(run.records()) == before
        run.restart()
        assert run.run_until("2026-03-02T09:30:00+00:00")
        assert run.state()["ast_b"].setpoint_kw == 4.2


def test_a_crash_while_somebody_waits_comes_out_there(tmp_path: Path) -> None:
    """Who submits a schedule at that moment has no answer."""
    with made(tmp_path) as run:
        run.crash_at("before_append")
        with pytest.raises(Crashed):
            run.submit(plan())
        run.restart()
        assert run.submit(plan()).changed_assets == 3


def test_a_plan_clock_that_stands_is_told_of(tmp_path: Path) -> None:
    """Without a schedule it does not begin to run."""
    with made(tmp_path) as run, pytest.raises(UsageError, match="stands"):
        run.run_until("2026-03-02T07:00:00+00:00")


def test_a_skewed_clock_is_a_charge_points_own(tmp_path: Path) -> None:
    """It says so from then on, in what it sends; a battery has none that could be wrong."""
    with made(tmp_path) as run:
        for asset, action in (("ast_battery", None), ("ast_a", "SetChargingProfile")):
            skew = Fault(kind="skew", asset=asset, direction="in", action=action, seconds=-3_600)
            run.world.faults.add(skew)
        run.submit(plan())
        run.advance(30)
        (struck,) = run.world.faults.injected
        assert (struck.kind, struck.asset, struck.seconds) == ("skew", "ast_a", -3_600.0)
        behind = {
            round((datetime.fromisoformat(one.t) - taken_at(one.payload)).total_seconds() / 3_600)
            for one in run.charger("ast_a").wire_log.entries
            if one.action == "MeterValues" and one.direction == "out"
            if datetime.fromisoformat(one.t) > struck.at
        }
        assert behind == {1}
        run.assert_promises()


def taken_at(payload: Any) -> datetime:  # noqa: ANN401 - as it is on the wire
    """Return when meter values say that they were taken."""
    return datetime.fromisoformat(payload["meterValue"][0]["timestamp"])


def test_devices_are_asked_for_by_their_kind(tmp_path: Path) -> None:
    """A charger is no battery, and the connectors of one share it."""
    with made(tmp_path) as run:
        assert run.charger("ast_a") is run.charger("ast_b")
        assert run.battery("ast_battery") is run.devices["ast_battery"]
        with pytest.raises(UsageError):
            run.charger("ast_battery")
        with pytest.raises(UsageError):
            run.battery("ast_a")
