"""What an operator does to a running engine, through its control socket."""

import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from actors.control import NotReachable, request
from actors.testing.site import TestSite
from actors.testing.waiting import wait_until

WHO = ("--by", "anna", "--reason", "a test")


@pytest.fixture
def engine(depot: TestSite) -> Iterator[TestSite]:
    """Give a site whose engine runs, with every asset reported."""
    process = depot.started("run", str(depot.file))
    wait_until(lambda: is_ready(depot.folder / ".sit_test.sock"), engines=(process,))
    yield depot
    process.send_signal(signal.SIGINT)
    assert process.wait(20) == 0, (depot.folder / "err.txt").read_text()


def is_ready(socket: Path) -> bool:
    """Return whether the engine answers and knows the state of every asset."""
    try:
        states: list[dict[str, Any]] = request(str(socket), "state", {})
    except NotReachable:
        return False
    return bool(states) and all(one["state_known"] and one["connected"] for one in states)


@pytest.mark.timeout(120)
def test_a_command_by_hand_goes_out_and_is_on_record(engine: TestSite) -> None:
    """With --wait the verb tells what became of it; the history says who and why."""
    done = engine.setpoint(
        "send", str(engine.file), "ast_a", "SET_CHARGE_RATE", "--kw", "6", "--wait", "20", *WHO
    )
    row: dict[str, Any] = engine.history()[0]
    assert done.returncode == 0, done.stderr
    assert "COMPLETED" in done.stdout
    assert (row["cause"]["kind"], row["cause"]["by"]) == ("operator", "anna")
    assert row["value_kw"] == 6.0


@pytest.mark.timeout(120)
def test_pause_and_resume_hold_and_free_every_asset(engine: TestSite) -> None:
    """stop-all pauses all of them; each pause ends only by resume."""
    paused = engine.setpoint("stop-all", str(engine.file), *WHO)
    state = {one["asset_id"]: one for one in engine.rows("state")}
    refused = engine.setpoint(
        "send", str(engine.file), "ast_battery", "SET_DISCHARGE_RATE", "--kw", "8", *WHO
    )
    resumed = engine.setpoint("resume", str(engine.file), *WHO)
    again = engine.setpoint("resume", str(engine.file), "ast_a", *WHO)
    assert paused.returncode == 0, paused.stderr
    assert len(paused.stdout.splitlines()) == 3
    assert {"override"} == {one["setpoint_source"] for one in state.values()}
    assert refused.returncode in {1, 2}
    assert "ast_battery is paused: resume it first" in refused.stderr
    assert resumed.returncode == 0, resumed.stderr
    assert again.returncode == 2
    assert "not paused" in again.stderr


@pytest.mark.timeout(120)
def test_an_override_outranks_the_plan_until_it_is_cleared(engine: TestSite) -> None:
    """By the verbs: a battery's is signed; why says who asked for it; a past end is refused."""
    file = str(engine.file)
    later = ("--until", "2100-01-01T00:00:00+00:00")
    done = engine.setpoint("override", file, "ast_battery", "-7.5", *later, *WHO)
    state = {one["asset_id"]: one for one in engine.rows("state")}["ast_battery"]
    why = engine.setpoint("why", file, "ast_battery")
    past = engine.setpoint("override", file, "ast_a", "3", "--until", "2020-01-01T00:00:00Z", *WHO)
    vague = engine.setpoint("override", file, "ast_a", "3", "--until", "tomorrow", *WHO)
    unplugged = engine.setpoint("override", file, "ast_a", "3", "--until", "unplugged", *WHO)
    cleared = engine.setpoint("override", "clear", file, "ast_battery", *WHO)
    again = engine.setpoint("override", "clear", file, "ast_battery", *WHO)
    assert done.returncode == 0, done.stderr
    assert (state["setpoint_kw"], state["setpoint_source"]) == (-7.5, "override")
    assert "anna" in why.stdout
    assert past.returncode == 2
    assert "ended already" in past.stderr
    assert vague.returncode == 2
    assert "no ISO 8601 time" in vague.stderr
    assert unplugged.returncode == 0, unplugged.stderr
    assert cleared.returncode == 0, cleared.stderr
    assert again.returncode == 2
    assert "override [OPTIONS] SITE ASSET KW" in engine.setpoint("override", file, "ast_a").stderr
    assert engine.setpoint("override", "--help").stdout.count("SITE ASSET") == 2


@pytest.mark.timeout(120)
def test_any_action_can_be_called_and_its_answer_is_shown(engine: TestSite) -> None:
    """As it was received; what is no JSON object is refused before it goes anywhere."""
    file = str(engine.file)
    asked = ("GetConfiguration", '{"key": ["NumberOfConnectors"]}')
    done = engine.setpoint("call", file, "ast_a", *asked, "--wait", "20", *WHO)
    wrong = engine.setpoint("call", file, "ast_a", "GetConfiguration", "[1]", *WHO)
    assert done.returncode == 0, done.stderr
    assert "COMPLETED" in done.stdout
    assert '"NumberOfConnectors"' in done.stdout
    assert wrong.returncode == 2
    assert "no JSON object" in wrong.stderr


@pytest.mark.timeout(120)
def test_what_an_asset_cannot_take_is_refused(engine: TestSite) -> None:
    """Above its limit, a charger's discharge, an unknown asset: each with its own message."""
    cases = [
        (("ast_a", "SET_CHARGE_RATE", "--kw", "23"), "above"),
        (("ast_a", "SET_DISCHARGE_RATE", "--kw", "3"), "cannot discharge"),
        (("ast_z", "SET_CHARGE_RATE", "--kw", "3"), "ast_z"),
        (("ast_a", "SET_CHARGE_RATE"), "needs a power"),
        (("ast_a", "FLY"), "FLY"),
        (("ast_a", "CALL"), "use call"),
        (("ast_bb", "RELEASE"), "did you mean 'ast_b'"),
    ]
    for arguments, told in cases:
        done = engine.setpoint("send", str(engine.file), *arguments, *WHO)
        assert done.returncode == 2
        assert told in done.stderr
        assert "Traceback" not in done.stderr
    assert engine.rows("history", "--cause", "operator") == []


@pytest.mark.timeout(120)
def test_a_second_engine_is_kept_off_the_store(engine: TestSite) -> None:
    """The lock on a side file ends with its process, and not before; who refuses it is named."""
    (first,) = engine.engines
    done = engine.setpoint("run", str(engine.file))
    assert done.returncode == 1
    assert f"another engine has the store: process {first.pid} holds " in done.stderr


@pytest.mark.timeout(120)
def test_reading_goes_on_beside_a_running_engine(engine: TestSite) -> None:
    """history, show, tail and backup read what is committed."""
    engine.setpoint(
        "send",
        str(engine.file),
        "ast_battery",
        "SET_CHARGE_RATE",
        "--kw",
        "5",
        "--wait",
        "20",
        *WHO,
    )
    row: dict[str, Any] = engine.history()[0]
    shown = engine.setpoint("show", str(engine.file), row["id"])
    told = engine.setpoint("tail", str(engine.file), "--since", "0")
    copied = engine.setpoint("backup", str(engine.file), str(engine.folder / "copy.db"))
    again = engine.setpoint("history", str(engine.folder / "copy.db"), "--csv")
    assert "readback" in shown.stdout
    assert "site.engine_started" in told.stdout
    assert copied.returncode == 0, copied.stderr
    assert row["id"] in again.stdout
