"""OCPP 2.0.1 stations with several EVSEs that do not say where their transactions are."""

from collections.abc import Callable

import pytest

from actors.sim.timetable import Arrival
from actors.testing.planning import plan_from_now
from actors.testing.simulation import Simulation

ASSET = """
[[asset]]
id = "ast_{n}"
kind = "ev_charger"
schedule_key = "{n}"
adapter = "ocpp"
charge_point = "CP-1"
connector = {n}
max_kw = 22
fallback_kw = 4.2
"""
SITE = """
[site]
id = "sit_test"
[ocpp]
listen = "127.0.0.1:0"
security_profile = 0
""" + "".join(ASSET.format(n=n) for n in (1, 2))
Site = Callable[..., Simulation]


def charging(site: Site, quirk: str) -> Simulation:
    """Return a station at which two vehicles charge, one after the other."""
    system = site(
        SITE,
        arrivals={"CP-1": (Arrival(1, 0.0), Arrival(2, 40.0))},
        quirks={"CP-1": (quirk,)},
        versions={"CP-1": "2.0.1"},
    )
    system.advance(10)
    plan_from_now(system, ev_1_kw=(7.0,) * 4, ev_2_kw=(9.0,) * 4)
    system.advance(170)
    return system


def powers(system: Simulation) -> list[float | None]:
    """Return what is measured of both."""
    views = system.state()
    return [views[f"ast_{n}"].measured_kw for n in (1, 2)]


@pytest.mark.parametrize("quirk", ["evse_once", "evse_never"])
def test_both_vehicles_charge_by_their_plans(setpoint_site: Site, quirk: str) -> None:
    """Their powers are not mixed up."""
    system = charging(setpoint_site, quirk)
    assert powers(system) == [pytest.approx(7.0, abs=0.3), pytest.approx(9.0, abs=0.3)]
    transactions = {view.transaction_id for view in system.state().values()}
    assert None not in transactions
    assert len(transactions) == 2
    system.assert_promises()


def test_a_station_that_names_its_evse_once_is_known_after_a_restart(setpoint_site: Site) -> None:
    """The transaction is on record, and tells whose power it is."""
    system = charging(setpoint_site, "evse_once")
    system.restart()
    system.advance(150)
    assert powers(system) == [pytest.approx(7.0, abs=0.3), pytest.approx(9.0, abs=0.3)]
    system.assert_promises()


def test_a_station_that_never_names_its_evse_is_known_by_who_is_occupied(
    setpoint_site: Site,
) -> None:
    """A setpoint goes to the transaction itself, which is on record before it is answered."""
    system = charging(setpoint_site, "evse_never")
    for number, limit_w in ((1, 7_000), (2, 9_000)):
        connector = system.charger(f"ast_{number}").connector(number)
        assert connector.transaction_id == system.state()[f"ast_{number}"].transaction_id
        assert connector.limit_w == limit_w
