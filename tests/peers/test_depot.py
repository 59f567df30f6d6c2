"""Real schedules go out to charge points and a battery of other makes at once."""

import os
from collections import Counter
from pathlib import Path

import pytest

from actors.testing.site import BATTERY
from tests.peers.modbus_peer import ModbusPeer
from tests.peers.ocpp_peer import charge_points
from tests.peers.test_battery import assert_logs_agree as assert_battery_agrees
from tests.peers.test_charge_point import History, assert_logs_agree, planned

DATA = os.environ.get("SETPOINT_TEST_DATA")
DAYS = [
    ("nl_spring_15min", ("2024-03-31T00:00:00+01:00", "3600"), {"CP-1": ("leaf", "zoe")}, 27),
    ("nl_autumn_15min", ("2024-10-27T00:00:00+02:00", "3600"), {"CP-1": ("leaf", "zoe")}, 27),
    (
        "emhass_30min",
        ("2025-03-12T01:00:00+01:00", "9000"),
        {"CP-1": ("0",), "CP-2": ("1",)},
        452,
    ),
]


if DATA is not None:  # without the files these are not generated

    @pytest.mark.timeout(260)
    @pytest.mark.parametrize(("name", "clock", "points", "count"), DAYS)
    def test_a_real_schedule_goes_out_in_fast_motion(
        tmp_path: Path,
        name: str,
        clock: tuple[str, str],
        points: dict[str, tuple[str, ...]],
        count: int,
    ) -> None:
        """The number of commands is the schedule's own; hardly any is too late."""
        battery = ModbusPeer(tmp_path)
        battery.start()
        more = BATTERY.format(port=battery.port)
        try:
            with charge_points(tmp_path, points, more=more) as (site, peers):
                done = site.setpoint(
                    "run",
                    str(site.file),
                    "--schedule",
                    str(Path(DATA or "") / f"{name}.csv"),
                    "--start-at",
                    clock[0],
                    "--speed",
                    clock[1],
                    "--force",
                    "--until-done",
                    timeout_s=220.0,
                )
                history: History = site.history()
                assert_logs_agree(
                    peers, [one for one in history if one["asset_id"] != "ast_battery"]
                )
                assert_battery_agrees(site, battery, history)
        finally:
            battery.kill()
        statuses = Counter((one["status"], one["reason"]) for one in planned(history))
        assert done.returncode == 0, done.stderr
        assert count == sum(statuses.values())
        completed = statuses["COMPLETED", None] + statuses["COMPLETED", "overtaken"]
        assert completed >= 0.95 * count
        assert statuses["CANCELLED", "superseded"] == count - completed
