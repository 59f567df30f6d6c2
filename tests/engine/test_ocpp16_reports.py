"""OCPP 1.6: what charge points say of themselves, junk included."""

from datetime import UTC, datetime
from typing import Any

import pytest

from engine.adapters.ocpp16_reports import status_of
from engine.adapters.samples import instant, is_now_somewhere, measured, moment


@pytest.mark.parametrize(
    ("status", "state", "detail"),
    [
        ("Available", "AVAILABLE", {}),
        ("Preparing", "PREPARING", {}),
        ("Charging", "CHARGING", {}),
        ("SuspendedEV", "SUSPENDED", {"suspended_by": "ev"}),
        ("SuspendedEVSE", "SUSPENDED", {"suspended_by": "evse"}),
        ("Finishing", "FINISHING", {}),
        ("Reserved", "AVAILABLE", {"reserved": "yes"}),
        ("Unavailable", "UNAVAILABLE", {}),
        ("Occupied", None, {}),
    ],
)
def test_a_status_is_mapped_to_a_state(
    status: str, state: str | None, detail: dict[str, str]
) -> None:
    """A status that nobody knows keeps its own words."""
    seen = status_of({"connectorId": 1, "status": status, "timestamp": "2025-06-03T08:00:00Z"})
    assert (seen.state, seen.raw, dict(seen.detail)) == (state, status, detail)
    assert seen.reported_at == datetime(2025, 6, 3, 8, tzinfo=UTC)
    assert not seen.whole_device


def test_a_status_in_other_letters_is_the_same() -> None:
    """As it was put it is kept."""
    seen = status_of({"connectorId": 1, "status": " suspendedEv "})
    assert (seen.state, seen.raw) == ("SUSPENDED", " suspendedEv ")
    assert dict(seen.detail) == {"suspended_by": "ev"}


def test_a_fault_keeps_its_codes_and_connector_0_speaks_for_all() -> None:
    """What the charger says is wrong is worth keeping."""
    seen = status_of(
        {
            "connectorId": 0,
            "status": "Faulted",
            "errorCode": "GroundFailure",
            "vendorErrorCode": "E7",
        }
    )
    assert dict(seen.detail) == {"error_code": "GroundFailure", "vendor_code": "E7"}
    assert seen.whole_device
    assert dict(status_of({"connectorId": 1, "status": "Faulted"}).detail) == {}


def test_a_warning_is_kept_too_and_junk_is_not() -> None:
    """An error code may come with any status; NoError is none."""
    seen = status_of({"connectorId": 1, "status": "Charging", "errorCode": "HighTemperature"})
    assert dict(seen.detail) == {"error_code": "HighTemperature"}
    assert dict(status_of({"status": "Charging", "errorCode": "NoError"}).detail) == {}
    assert dict(status_of({"status": "Charging", "errorCode": ["x"]}).detail) == {}


@pytest.mark.parametrize("text", [None, "yesterday", 5, "0001-01-01T00:00:00+23:00"])
def test_what_is_no_time_is_none(text: object) -> None:
    """And a time without an offset is UTC."""
    assert moment(text) is None
    assert moment("2025-06-03T08:00:00") == datetime(2025, 6, 3, 8, tzinfo=UTC)


def values(*samples: dict[str, Any], at: str = "2025-06-03T08:00:00Z") -> dict[str, Any]:
    """Return a meter value."""
    return {"timestamp": at, "sampledValue": list(samples)}


POWER = "Power.Active.Import"


def test_power_and_state_of_charge_are_read() -> None:
    """The phase-less total wins over the phases, and the newest value over older ones."""
    seen = measured(
        {
            "meterValue": [
                values({"value": "1", "measurand": POWER, "unit": "kW"}, at="2025-06-03T07:00:00Z"),
                values(
                    {"value": "7400", "measurand": POWER, "unit": "W"},
                    {"value": "2400", "measurand": POWER, "unit": "W", "phase": "L1"},
                    {"value": "55.5", "measurand": "SoC"},
                ),
                values({"value": "2", "measurand": POWER, "unit": "kW"}, at="2025-06-03T06:00:00Z"),
                values({"value": "9"}),
            ]
        }
    )
    assert seen is not None
    assert seen.power_kw == pytest.approx(7.4)
    assert seen.soc_pct == 55.5


def test_phases_are_summed_where_there_is_no_total() -> None:
    """Watts are meant where no unit is given."""
    samples = [{"value": "1000", "measurand": POWER, "phase": f"L{n}"} for n in (1, 2, 3)]
    samples += [{"value": "1000", "measurand": POWER, "phase": "L1-N"}]  # L1 once more
    samples += [{"value": "9000", "measurand": POWER, "location": "Inlet"}]
    seen = measured({"meterValue": [values(*samples, at="?")]})
    assert seen is not None
    assert seen.power_kw == pytest.approx(3.0)
    assert seen.measured_at is None


@pytest.mark.parametrize(
    "payload",
    [
        {},
        {"meterValue": "x"},
        {"meterValue": ["x", {"sampledValue": "x"}, {"sampledValue": ["x"]}]},
        {"meterValue": [values({"value": "NaN", "measurand": POWER})]},
        {"meterValue": [values({"value": "x", "measurand": POWER})]},
        {"meterValue": [values({"value": 10**400, "measurand": POWER})]},
        {"meterValue": [values({"value": "1e300", "measurand": POWER})]},
        {"meterValue": [values({"value": "1", "measurand": POWER, "unit": ["W"]})]},
        {"meterValue": [values({"measurand": POWER})]},
        {"meterValue": [values({"value": "1", "measurand": POWER, "unit": "horses"})]},
        {"meterValue": [values({"value": "1", "measurand": "Voltage"})]},
    ],
)
def test_junk_measures_nothing(payload: dict[str, Any]) -> None:
    """And raises nothing."""
    assert measured(payload) is None


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("2026-03-02T06:00:00Z", "2026-03-02T06:00:00+00:00"),
        ("2026-03-02T07:00:00+01:00", "2026-03-02T06:00:00+00:00"),
        ("2026-03-02T06:00:00", "None"),
        ("soon", "None"),
        (7, "None"),
    ],
)
def test_a_time_without_an_offset_is_of_no_known_zone(text: object, told: str) -> None:
    """It says nothing of a clock."""
    found = instant(text)
    assert ("None" if found is None else found.isoformat()) == told


@pytest.mark.parametrize(
    ("lag_s", "is_now"),
    [(0, True), (-7_230, True), (18_050, True), (18_300, False), (60, True), (90_000, False)],
)
def test_a_local_time_may_be_the_present_of_some_zone(lag_s: int, is_now: bool) -> None:  # noqa: FBT001 - a case
    """Zones are whole quarters of an hour apart."""
    assert is_now_somewhere(lag_s * 1_000_000) == is_now
