"""Evidence on the real protocols: what a charger allows, what its meter says, what becomes of both."""

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pandas as pd
import pytest

from actors.sim.timetable import Arrival
from actors.standing import PlanStart
from actors.testing.simulation import Simulation
from engine.history import CommandRecord, histories
from engine.types import to_us

START = datetime(2026, 3, 2, 6, tzinfo=UTC)
SITE = """
[site]
id = "sit_test"
[ocpp]
listen = "127.0.0.1:0"
security_profile = 0
[defaults]
command_timeout_seconds = 5
settle_s = 60
[[asset]]
id = "ast_a"
kind = "ev_charger"
schedule_key = "a"
adapter = "ocpp"
charge_point = "CP-1"
max_kw = 22
fallback_kw = 4.2
verify = "{verify}"
"""


def made(folder: Path, verify: str, *quirks: str, arrives_s: float = 0.0) -> Simulation:
    """Return a charger with quirks at which a vehicle arrives; 11 kW are planned, then 7 kW."""
    file = folder / "site.toml"
    file.write_text(SITE.format(verify=verify), encoding="utf-8")
    start = PlanStart(to_us(START), 1.0)
    run = Simulation.of(file, 1, start=start, arrivals={"CP-1": (Arrival(1, arrives_s),)})
    for quirk in quirks:
        run.charger("ast_a").fail(quirk)
    return run


def planned(run: Simulation) -> list[CommandRecord]:
    """Return what became of the two planned commands, five minutes apart."""
    index = pd.date_range(START, periods=2, freq="5min")
    run.submit(pd.DataFrame({"ev_a_kw": [11.0, 7.0]}, index=index))
    run.run_until("2026-03-02T06:09:00+00:00")
    return [one for one in histories(run.records()) if one.cause.kind == "schedule"]


@pytest.fixture
def ended() -> Iterator[list[Simulation]]:
    """Yield runs to end; each one's promises hold."""
    runs: list[Simulation] = []
    yield runs
    for run in runs:
        run.stop()
        assert run.judged().violations == ()
        assert run.verified().problems == ()
        run.close()


@pytest.mark.parametrize(
    ("verify", "quirks", "arrives_s", "expected"),
    [
        ("ack", (), 0.0, ("COMPLETED", "ack", None)),
        ("composite", (), 0.0, ("COMPLETED", "composite", None)),
        ("measured", (), 0.0, ("COMPLETED", "measured", None)),
        ("auto", (), 0.0, ("COMPLETED", "measured", None)),
        ("auto", (), 9_000.0, ("COMPLETED", "composite", None)),
        ("auto", ("no_composite",), 9_000.0, ("COMPLETED", "ack", "no evidence")),
        ("auto", ("clock_behind",), 0.0, ("COMPLETED", "measured", None)),
        (
            "composite",
            ("accept_ignore",),
            0.0,
            ("FAILED", "composite", "accepted, no effect: it allows 22.0 kW against 7.0 kW"),
        ),
        (
            "measured",
            ("accept_ignore",),
            0.0,
            ("FAILED", "measured", "accepted, no effect: measured 11.0 kW against 7.0 kW"),
        ),
        (
            "auto",
            ("accept_ignore",),
            0.0,
            ("FAILED", "measured", "accepted, no effect: measured 11.0 kW against 7.0 kW"),
        ),
    ],
)
def test_a_decrease_is_completed_by_what_there_is_to_see(
    tmp_path: Path,
    ended: list[Simulation],
    verify: str,
    quirks: tuple[str, ...],
    arrives_s: float,
    expected: tuple[str, str, str | None],
) -> None:
    """The kind of evidence is on record, and what was found where there is none."""
    run = made(tmp_path, verify, *quirks, arrives_s=arrives_s)
    ended.append(run)
    last = planned(run)[-1]
    assert (last.status, last.evidence, last.reason) == expected
    alarms = run.state()["ast_a"].alarms
    assert ("decrease_failed" in alarms) is (last.status == "FAILED")
