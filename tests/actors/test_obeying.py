"""Evidence on the real protocols: what a charger allows, what its meter says, and what not."""

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import attrs
import pandas as pd
import pytest

from actors.sim.timetable import Arrival
from actors.standing import PlanStart
from actors.testing.simulation import Simulation
from engine.history import CommandRecord, Filters, histories, report_of
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


def made(folder: Path, case: "Case") -> Simulation:
    """Return a charger with its quirk, at which a vehicle arrives."""
    file = folder / "site.toml"
    file.write_text(SITE.format(verify=case.verify), encoding="utf-8")
    start = PlanStart(to_us(START), 1.0)
    arrivals = {"CP-1": (Arrival(1, case.arrives_s),)}
    run = Simulation.of(file, 1, start=start, arrivals=arrivals)
    if case.quirk is not None:
        run.charger("ast_a").fail(case.quirk)
    return run


def planned(run: Simulation) -> list[CommandRecord]:
    """Return what became of 11 kW, and of 7 kW five minutes later."""
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


IGNORED = "accepted, no effect: measured 11.0 kW against 7.0 kW"
ALLOWED = "accepted, no effect: it allows 22.0 kW against 7.0 kW"
NOBODY = 9_000.0


@attrs.frozen
class Case:
    """A charger, when its vehicle comes, and what becomes of a decrease."""

    verify: str
    expected: tuple[str, str, str | None]
    quirk: str | None = None
    arrives_s: float = 0.0


@pytest.mark.parametrize(
    "case",
    [
        Case("ack", ("COMPLETED", "ack", None)),
        Case("ack", ("COMPLETED", "ack", None), "accept_ignore"),
        Case("composite", ("COMPLETED", "composite", None)),
        Case("composite", ("FAILED", "composite", ALLOWED), "accept_ignore"),
        Case("measured", ("COMPLETED", "measured", None)),
        Case("measured", ("FAILED", "measured", IGNORED), "accept_ignore"),
        Case("measured", ("COMPLETED", "ack", "nothing to measure"), arrives_s=NOBODY),
        Case("auto", ("COMPLETED", "measured", None)),
        Case("auto", ("COMPLETED", "measured", None), "clock_behind"),
        Case("auto", ("FAILED", "measured", IGNORED), "accept_ignore"),
        Case("composite", ("COMPLETED", "composite", None), "exceeds_limit"),
        Case("auto", ("FAILED", "measured", IGNORED), "exceeds_limit"),
        Case("auto", ("COMPLETED", "measured", None), "slow_vehicle"),
        Case("auto", ("COMPLETED", "measured", None), "queued_meter"),
        Case("auto", ("COMPLETED", "composite", None), arrives_s=NOBODY),
        Case("auto", ("FAILED", "composite", ALLOWED), "accept_ignore", NOBODY),
        Case("auto", ("COMPLETED", "ack", "no evidence"), "no_composite", NOBODY),
    ],
)
def test_a_decrease_is_completed_by_what_there_is_to_see(
    tmp_path: Path, ended: list[Simulation], case: Case
) -> None:
    """The kind of evidence is on record, and what was found where there is none."""
    run = made(tmp_path, case)
    ended.append(run)
    last = planned(run)[-1]
    assert (last.status, last.evidence, last.reason) == case.expected
    alarms = run.state()["ast_a"].alarms
    assert ("decrease_failed" in alarms) is (last.status == "FAILED")


def test_a_charger_that_drifts_is_off_its_plan(tmp_path: Path, ended: list[Simulation]) -> None:
    """It held its setpoint at first, which was evidence; what came then is in the report."""
    run = made(tmp_path, Case("auto", ("COMPLETED", "measured", None), "drifts"))
    ended.append(run)
    assert [one.status for one in planned(run)] == ["COMPLETED", "COMPLETED"]
    run.run_until("2026-03-02T06:11:00+00:00")
    second = run.report(cause="schedule")[1]
    assert (second.planned_kw, second.evidence) == (7.0, "measured")
    assert second.measured_kw == pytest.approx(9.0, abs=0.7)
    assert second.above_plan_kwh == pytest.approx(0.16, abs=0.06)
    assert (second.off_plan_s or 0) > 200


def test_a_report_is_the_same_from_the_log_and_after_a_restart(tmp_path: Path) -> None:
    """Of the slots that are over; the five facts of each, and how far it was off the plan."""
    run = made(tmp_path, Case("auto", ("COMPLETED", "measured", None)))
    index = pd.date_range(START, periods=3, freq="5min")
    run.submit(pd.DataFrame({"ev_a_kw": [11.0, 7.0, 0.0]}, index=index))
    run.run_until("2026-03-02T06:06:00+00:00")
    assert run.state()["ast_a"].planned_kw == 7.0
    run.restart()
    run.run_until("2026-03-02T06:12:00+00:00")
    report = run.report(cause="schedule")
    of_the_log = histories(run.records(), Filters(cause="schedule"))
    assert list(report) == list(report_of(of_the_log))
    first = report[0]
    assert (first.planned_kw, first.commanded_kw, first.acknowledged_kw) == (11.0, 11.0, 11.0)
    assert first.measured_s == pytest.approx(300, abs=30)
    assert first.measured_kw == pytest.approx(11.0, abs=2.0)
    assert [row.kind for row in report] == ["slot", "slot", "slot", "total"]
    assert report.totals[0].off_plan_s is not None
    run.stop()
    assert run.verified().problems == ()
    run.close()
