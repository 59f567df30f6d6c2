"""A schedule goes out over real sockets, and the devices' own logs agree with the history."""

import os
from collections import Counter
from pathlib import Path
from typing import Any, cast

import pytest

from actors.testing.site import TestSite, simulated_site

HEARTBEAT = 30  # the register whose writes are no control frames
DATA = os.environ.get("SETPOINT_TEST_DATA")
DAYS = [
    ("nl_spring_15min", ("2024-03-31T00:00:00+01:00", "3600"), ("leaf", "zoe"), 27),
    ("nl_autumn_15min", ("2024-10-27T00:00:00+02:00", "3600"), ("leaf", "zoe"), 27),
    ("emhass_30min", ("2025-03-12T01:00:00+01:00", "9000"), ("0", "1"), 452),
]


def planned(history: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the commands that a schedule is the cause of."""
    return [one for one in history if one["cause"]["kind"] == "schedule"]


def assert_logs_agree(site: TestSite, history: list[dict[str, Any]]) -> None:
    """Each control frame belongs to exactly one recorded attempt and went out once."""
    attempts = [attempt["id"] for one in history for attempt in one["attempts"]]
    kept_back = {
        attempt["id"]
        for one in history
        for attempt in one["attempts"]
        if attempt["outcome"] == "not_sent"
    }
    frames = Counter(str(entry.message_id) for entry in site.control_frames())
    assert set(frames.values()) <= {1}
    assert {frame.split(".")[0] for frame in frames} <= set(attempts) - kept_back
    started = [
        one["event"]
        for one in site.rows("tail", "--since", "0")
        if one["topic"] == "asset.attempt_started" and one["stream"] == "ast_battery"
    ]
    written = [
        (frame["body"]["address"], frame["body"]["values"])
        for event in cast("list[Any]", started)
        if event["attempt_id"] not in kept_back
        for frame in event["payload"]["frames"]
        if frame["control"]
    ]
    seen = [
        (entry["address"], entry["values"])
        for entry in (cast("Any", one.payload) for one in site.writes())
        if entry["address"] != HEARTBEAT
    ]
    assert seen == written


@pytest.mark.timeout(150)
def test_every_command_of_a_schedule_is_completed_at_five_seconds_a_slot(
    depot: TestSite, schedule: Path
) -> None:
    """With healthy devices nothing is superseded, and the last frame is the last row."""
    done = depot.setpoint(
        "run",
        str(depot.file),
        "--schedule",
        str(schedule),
        "--start-at",
        "2025-03-30T00:00:00+01:00",
        "--speed",
        "180",
        "--until-done",
    )
    history = depot.history()
    assert done.returncode == 0, done.stderr
    assert {"COMPLETED"} == {one["status"] for one in planned(history)}
    assert len(planned(history)) == 30
    assert_logs_agree(depot, history)
    last = planned(history)[-1]
    limits: list[Any] = [
        cast("Any", entry.payload)["csChargingProfiles"]["chargingSchedule"][
            "chargingSchedulePeriod"
        ][0]
        for entry in depot.charger("b").wire_log.entries
        if entry.direction == "in"
        and entry.action == "SetChargingProfile"
        and str(entry.message_id) in {a["id"] for one in planned(history) for a in one["attempts"]}
    ]
    assert limits[-1]["limit"] == 4_600.0
    assert last["finished_at"] is not None


if DATA is not None:  # without the files these are not generated

    @pytest.mark.timeout(240)
    @pytest.mark.parametrize(("name", "clock", "keys", "count"), DAYS)
    def test_a_real_day_goes_out_in_fast_motion(
        tmp_path: Path, name: str, clock: tuple[str, str], keys: tuple[str, ...], count: int
    ) -> None:
        """The number of commands is the schedule's own; hardly any is too late."""
        with simulated_site(tmp_path, keys) as site:
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
            history = site.history()
            assert_logs_agree(site, history)
        statuses = Counter((one["status"], one["reason"]) for one in planned(history))
        assert done.returncode == 0, done.stderr
        assert count == sum(statuses.values())
        completed = statuses["COMPLETED", None] + statuses["COMPLETED", "overtaken"]
        assert completed >= 0.95 * count
        assert statuses["CANCELLED", "superseded"] == count - completed
