"""A charger that somebody else keeps from charging is asked what it allows: in both versions."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from actors.sim.timetable import Arrival
from actors.standing import PlanStart
from actors.testing.simulation import Simulation
from engine import events
from engine.types import to_us

START = datetime(2026, 3, 2, 6, tzinfo=UTC)
SITE = """
[site]
id = "sit_test"
[ocpp]
listen = "127.0.0.1:0"
security_profile = 0
[defaults]
settle_s = 60
reassert_s = 120
[[asset]]
id = "ast_a"
kind = "ev_charger"
schedule_key = "a"
adapter = "ocpp"
charge_point = "CP-1"
max_kw = 22
fallback_kw = 4.2
"""


def profile(version: str, limit: float) -> dict[str, Any]:
    """Return the SetChargingProfile by which another limits the station as a whole."""
    schedule = {
        "chargingRateUnit": "W",
        "chargingSchedulePeriod": [{"startPeriod": 0, "limit": limit}],
        "startSchedule": "2026-03-02T06:00:00Z",
    }
    own = {"stackLevel": 0, "chargingProfileKind": "Absolute"}
    if version == "1.6":
        own |= {"chargingProfileId": 9, "chargingProfilePurpose": "ChargePointMaxProfile"}
        return {"connectorId": 0, "csChargingProfiles": {**own, "chargingSchedule": schedule}}
    own |= {"id": 9, "chargingProfilePurpose": "ChargingStationMaxProfile"}
    return {"evseId": 0, "chargingProfile": {**own, "chargingSchedule": [{"id": 9, **schedule}]}}


def charging(folder: Path, version: str) -> Simulation:
    """Return a charger that has given 7 kW for three minutes, of 11 that its vehicle takes."""
    file = folder / "site.toml"
    file.write_text(SITE, encoding="utf-8")
    start = PlanStart(to_us(START), 1.0)
    arrivals = {"CP-1": (Arrival(1, 0.0),)}
    run = Simulation.of(file, 1, start=start, arrivals=arrivals, versions={"CP-1": version})
    index = pd.date_range(START, periods=2, freq="30min")
    run.submit(pd.DataFrame({"ev_a_kw": [7.0, 5.0]}, index=index))
    run.run_until("2026-03-02T06:03:00+00:00")
    return run


@pytest.mark.parametrize("version", ["1.6", "2.0.1"])
def test_who_is_kept_from_charging_by_somebody_else_is_told_as_such(
    tmp_path: Path, version: str
) -> None:
    """Found by asking, as nobody tells of it; over once the vehicle charges again."""
    run = charging(tmp_path, version)
    run.call("ast_a", "SetChargingProfile", profile(version, 0.0))
    run.run_until("2026-03-02T06:08:00+00:00")
    assert run.state()["ast_a"].alarms == ("external_limit",)
    assert "limits the charger to 0 kW, since" in run.why("ast_a").sentence
    run.call("ast_a", "SetChargingProfile", profile(version, 22_000.0))
    run.run_until("2026-03-02T06:12:00+00:00")
    assert run.state()["ast_a"].alarms == ()
    told = [one.event for one in run.records() if isinstance(one.event, events.ExternalLimitTold)]
    assert [(one.source, one.limit, one.is_over) for one in told] == [
        ("found", 0.0, False),
        ("found", None, True),
    ]
    run.stop()
    assert run.judged().violations == ()
    assert run.verified().problems == ()
    run.close()


@pytest.mark.parametrize("version", ["1.6", "2.0.1"])
def test_who_gives_more_since_somebody_else_has_cleared_its_profiles_is_set_again(
    tmp_path: Path, version: str
) -> None:
    """Its meter shows it, and it is asked: with evidence by measurement nothing else tells."""
    run = charging(tmp_path, version)
    run.charger("ast_a").station.cabinet.limits.forget()
    run.run_until("2026-03-02T06:06:00+00:00")
    changed = [one.event for one in run.records() if isinstance(one.event, events.DeviceChanged)]
    assert [(one.reaction, one.found.charge_w) for one in changed] == [("set_again", 22_000)]
    assert run.charger("ast_a").connector(1).limit_w == 7_000
    assert run.state()["ast_a"].alarms == ()
    run.stop()
    assert run.judged().violations == ()
    assert run.verified().problems == ()
    run.close()
