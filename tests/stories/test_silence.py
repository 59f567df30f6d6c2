"""A device that says nothing delays nobody else, and is told of once."""

import signal
import socket
import tomllib
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from actors.testing.site import simulated_site
from actors.testing.waiting import wait_until


@pytest.mark.timeout(200)
def test_a_silent_charger_and_a_dead_battery_delay_no_other_asset(
    tmp_path: Path, schedule: Path
) -> None:
    """The healthy charger's commands are all COMPLETED in time."""
    with simulated_site(
        tmp_path, ("a", "b"), extra="[defaults]\ncommand_timeout_seconds = 5\nmax_retries = 1\n"
    ) as site:
        site.charger("b").fail("silent")
        site.depot.do(site.battery.stop())
        site.setpoint(
            "run",
            str(site.file),
            "--schedule",
            str(schedule),
            "--start-at",
            "2025-03-30T00:00:00+01:00",
            "--speed",
            "180",
            "--until-done",
            timeout_s=180.0,
        )
        history: list[dict[str, Any]] = site.history()
    healthy = [
        one for one in history if one["asset_id"] == "ast_a" and one["cause"]["kind"] == "schedule"
    ]
    dead = [one for one in history if one["asset_id"] == "ast_battery"]
    assert {"COMPLETED"} == {one["status"] for one in healthy}
    assert all(_seconds(one) < 5.0 for one in healthy)
    assert not any(one["attempts"] for one in dead)


def _seconds(one: dict[str, Any]) -> float:
    attempt = one["attempts"][0]
    answered, sent = (datetime.fromisoformat(attempt[key]) for key in ("answered_at", "sent_at"))
    return (answered - sent).total_seconds()


@pytest.mark.timeout(120)
def test_a_battery_that_lost_its_power_is_told_of_in_one_line(tmp_path: Path) -> None:
    """However often it is tried to connect meanwhile, and nothing on standard error."""
    with simulated_site(tmp_path, ()) as site:
        out, err = tmp_path / "out.txt", tmp_path / "err.txt"
        engine = site.started("run", str(site.file))
        wait_until(lambda: out.exists() and "ASSET_CONNECTED" in out.read_text())
        site.depot.do(site.battery.stop())
        wait_until(lambda: "ASSET_DISCONNECTED" in out.read_text())
        hang_up(battery_port(site.file), times=3)
        engine.send_signal(signal.SIGINT)
        assert engine.wait(20) == 0
        assert out.read_text().count("ASSET_DISCONNECTED") == 1
        assert not err.read_text()


def battery_port(file: Path) -> int:
    """Return the battery's port in a site file."""
    assets = tomllib.loads(file.read_text())["asset"]
    return next(int(one["port"]) for one in assets if one["id"] == "ast_battery")


def hang_up(port: int, times: int) -> None:
    """Take so many connections, and close each without a word."""
    with socket.create_server(("127.0.0.1", port)) as listener:
        listener.settimeout(20)
        for _ in range(times):
            listener.accept()[0].close()
