"""kill -9 in the middle of a run, and start again."""

import signal
from pathlib import Path
from typing import Any

import pytest

from actors.testing.site import TestSite
from actors.testing.waiting import wait_until


@pytest.mark.timeout(200)
def test_nothing_sent_is_missing_from_the_store_after_a_kill(
    depot: TestSite, schedule: Path
) -> None:
    """The restarted engine goes on at the slot that runs then, and nothing stale goes out.

    Five seconds a slot, so that it is there before the last one.
    """
    arguments = [
        "run",
        str(depot.file),
        "--start-at",
        "2025-03-30T00:00:00+01:00",
        "--speed",
        "180",
    ]
    first = depot.started(*arguments, "--schedule", str(schedule))
    wait_until(lambda: len(depot.control_frames()) >= 6, 60, (first,))
    first.send_signal(signal.SIGKILL)
    first.wait(10)
    before = len(depot.control_frames())
    attempts = {a["id"] for one in depot.history() for a in _attempts(one)}
    assert {str(e.message_id).split(".")[0] for e in depot.control_frames()} <= attempts

    done = depot.setpoint("run", str(depot.file), "--until-done")
    history: list[dict[str, Any]] = depot.history()
    by_attempt = {a["id"]: one for one in history for a in _attempts(one)}
    assert done.returncode in {0, 1}
    assert len(depot.control_frames()) > before
    for entry in depot.control_frames():
        owner = by_attempt[str(entry.message_id).split(".")[0]]
        assert owner["expires_at"] is None or owner["dispatched_at"] <= owner["expires_at"]
    last = [one for one in history if one["cause"]["kind"] == "schedule"][-3:]
    assert {"COMPLETED"} == {one["status"] for one in last}


def _attempts(one: dict[str, Any]) -> list[dict[str, Any]]:
    attempts: list[dict[str, Any]] = one["attempts"]
    return attempts
