"""A row that cannot be read stops its asset, not the engine, and is named."""

import sqlite3
from pathlib import Path

import pytest
from click.testing import CliRunner

from actors.cli import setpoint
from actors.testing.instant import opened, plan
from actors.testing.waiting import wait_until
from engine import events
from engine.asset import AssetState, evolve
from engine.errors import CommandRefused
from engine.types import Instant


@pytest.fixture
def store(tmp_path: Path) -> Path:
    """Give the store of two chargers that have carried out a command each."""
    with opened(tmp_path) as system:
        system.submit(plan(5.0, 7.0))
        wait_until(lambda: all(v.held_charge_kw == 5.0 for v in system.state().values()))
    return tmp_path / "t.db"


def damage(store: Path, stream: str, version: int) -> None:
    """Overwrite a row, and take away what would make up for it."""
    with sqlite3.connect(store) as connection:
        changed = connection.execute(
            "UPDATE stored_events SET state=x'93' WHERE originator_id=? AND originator_version=?",
            (stream, version),
        )
        assert changed.rowcount == 1
        connection.execute("DELETE FROM snapshots")
    connection.close()


def test_an_unreadable_event_stops_its_asset_and_no_other(
    store: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """The message names the row; the other asset takes a new plan and carries it out."""
    damage(store, "ast_0", 3)
    with opened(store.parent) as system:
        told = [one.getMessage() for one in caplog.records if "ast_0 is stopped" in one.message]
        assert len(told) == 1
        assert all(part in told[0] for part in ("stream ast_0", "version 3", "cannot be read"))
        system.submit(plan(9.0, 8.0))
        wait_until(lambda: system.state()["ast_1"].held_charge_kw == 9.0)
        stopped = system.state()["ast_0"]
        assert stopped.alarms == ("unreadable",)
        assert stopped.held_charge_kw is None
        with pytest.raises(CommandRefused, match="stream ast_0, version 3"):
            system.send("ast_0", "SET_CHARGE_RATE", kw=3.0, by="ann", reason="test")
        carried_out = system.history(asset="ast_1", status="COMPLETED", schedule="sch_2")
        assert [one.value_kw for one in carried_out] == [9.0]
    with sqlite3.connect(store) as connection:
        (count,) = connection.execute(
            "SELECT count(*) FROM snapshots WHERE originator_id='ast_0'"
        ).fetchone()
    connection.close()
    assert count == 0


def test_a_schedule_that_cannot_be_read_leaves_the_plans_that_were_taken(
    store: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """They are in the assets' own streams."""
    damage(store, "sch_1", 1)
    with opened(store.parent) as system:
        assert "stream sch_1, version 1" in caplog.text
        wait_until(lambda: all(v.held_charge_kw == 5.0 for v in system.state().values()))
        assert all(v.setpoint_source == "schedule" for v in system.state().values())


@pytest.mark.parametrize(
    ("verb", "code"), [("history", 0), ("state", 0), ("verify", 1), ("tail --since 0", 0)]
)
def test_read_verbs_name_the_row_and_go_on(
    store: Path, verb: str, code: int, caplog: pytest.LogCaptureFixture
) -> None:
    """What else there is is shown; a read model made meanwhile knows what it left out."""
    damage(store, "ast_0", 3)
    assert CliRunner().invoke(setpoint, ["rebuild", str(store)]).exit_code == 0
    name, *options = verb.split()
    done = CliRunner().invoke(setpoint, [name, str(store), *options])
    assert done.exit_code == code
    assert "ast_1" in done.stdout or verb == "verify"
    assert "stream ast_0, version 3" in done.output + caplog.text


def test_a_row_that_makes_no_sense_stops_its_asset_too(
    store: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """It can be read, and nothing can be made of it."""

    def stumbling(state: AssetState, event: events.AssetEvent, at: Instant) -> AssetState:
        if state.asset_id == "ast_0":
            raise ValueError("no sense")
        return evolve(state, event, at)

    monkeypatch.setattr("actors.recovery.evolve", stumbling)
    with sqlite3.connect(store) as connection:
        connection.execute("DELETE FROM snapshots")
    connection.close()
    with opened(store.parent) as system:
        assert system.state()["ast_0"].alarms == ("unreadable",)
        assert "stream ast_0, version 1 (asset.configured) makes no sense" in caplog.text
        assert system.state()["ast_1"].alarms == ()
