"""Charge points of OCPP 1.6 and 2.0.1 at one site: a plan, people and trouble reach both alike.

The engine and the devices are real but for threads, sockets and clocks.
"""

from collections.abc import Callable
from typing import Any

import pandas as pd
import pytest

from actors.sim.charger import SimCharger
from actors.sim.quirks import QUIRKS
from actors.testing.faults import Fault
from actors.testing.simulation import Simulation
from engine.commands import FINAL
from engine.history import CommandRecord

Sites = Callable[..., Simulation]

SITE = """
[site]
id = "sit_test"
[ocpp]
listen = "127.0.0.1:0"
security_profile = 0
versions = ["1.6", "2.0.1"]
[defaults]
command_timeout_seconds = 5
"""
CHARGER = """
[[asset]]
id = "ast_{key}"
kind = "ev_charger"
schedule_key = "{key}"
adapter = "ocpp"
charge_point = "{point}"
connector = {connector}
max_kw = 22
fallback_kw = 4.2
start = "{start}"
"""
OLD, NEW, TWIN = "ast_old", "ast_new", "ast_twin"
NEW_POINT = "CP-NEW"


def site_of(make: Sites, *, start: str = "charger", **how: Any) -> Simulation:  # noqa: ANN401 - of Simulation
    """Return a site of a charge point of 1.6 and a station of 2.0.1 with two EVSEs."""
    places = (("old", "CP-OLD", 1), ("new", NEW_POINT, 1), ("twin", NEW_POINT, 2))
    chargers = (
        CHARGER.format(key=key, point=point, connector=connector, start=start)
        for key, point, connector in places
    )
    return make("".join([SITE, *chargers]), versions={NEW_POINT: "2.0.1"}, **how)


def submit(site: Simulation, *, slot: str = "1h", **kw: list[float]) -> None:
    """Submit powers by schedule key, from now on, slot by slot."""
    begin = pd.Timestamp(site.plan_now).ceil("s")
    index = pd.date_range(begin, periods=len(next(iter(kw.values()))), freq=slot)
    site.submit(pd.DataFrame({f"ev_{key}_kw": values for key, values in kw.items()}, index=index))


def station_of(site: Simulation) -> SimCharger:
    """Return the charge point of 2.0.1, and let it boot."""
    station = site.charger(NEW)
    assert site.wait_for(station.booted.is_set)
    return station


def frames(device: SimCharger, action: str) -> list[Any]:
    """Return the payloads of the calls of an action that a device got."""
    return [
        entry.payload
        for entry in device.wire_log.entries
        if (entry.direction, entry.action) == ("in", action)
    ]


def of(site: Simulation, asset: str, **how: Any) -> list[CommandRecord]:  # noqa: ANN401 - of history
    """Return an asset's commands."""
    return list(site.history(asset=asset, **how))


def test_a_plan_reaches_both(setpoint_site: Sites) -> None:
    """A vehicle that charges gets a TxProfile with its transaction's id, whatever an id is."""
    site = site_of(setpoint_site)
    station = station_of(site)
    for asset in (OLD, NEW):
        site.charger(asset).plug_in(1)
    site.advance(5)
    submit(site, old=[7.0, 11.0], new=[7.0, 11.0], twin=[6.0, 0.0])
    site.advance(30)
    assert station.connector(1).limit_w == pytest.approx(7_000, abs=1)
    assert site.charger(OLD).connector(1).limit_w == pytest.approx(7_000, abs=1)
    assert station.connector(2).limit_w == pytest.approx(6_000, abs=1)
    last = [p["chargingProfile"] for p in frames(station, "SetChargingProfile") if p["evseId"] == 1]
    assert last[-1]["chargingProfilePurpose"] == "TxProfile"
    assert last[-1]["transactionId"] == station.connector(1).transaction_id
    views = site.state()
    assert views[NEW].transaction_id == station.connector(1).transaction_id
    assert [views[each].state for each in (OLD, NEW, TWIN)] == [
        "CHARGING",
        "CHARGING",
        "AVAILABLE",
    ]
    site.advance(3_600)
    assert station.connector(1).limit_w == pytest.approx(11_000, abs=1)
    assert station.connector(2).limit_w == 0.0
    planned = [one for one in site.history() if one.cause.kind == "schedule"]
    assert {"COMPLETED"} == {one.status for one in planned}
    site.assert_promises()


def test_a_charge_by_hand_goes_through_its_states(setpoint_site: Sites) -> None:
    """Started and stopped by the engine, paused in between; the vehicle leaves."""
    site = site_of(setpoint_site)
    station = station_of(site)
    station.station.cabinet.starts_itself = False
    station.plug_in(1)
    site.advance(2)
    seen = [site.state()[NEW].state]

    def by_hand(kind: str, kw: float | None = None) -> None:
        handle = site.send(NEW, kind, kw=kw, by="anna", reason="a test")
        assert site.wait_for(lambda: handle.status == "COMPLETED", 30)
        site.advance(2)
        seen.append(site.state()[NEW].state)

    by_hand("START_CHARGING")
    by_hand("SET_CHARGE_RATE", kw=0.0)
    by_hand("SET_CHARGE_RATE", kw=9.0)
    by_hand("STOP_CHARGING")
    station.unplug(1)
    site.advance(2)
    seen.append(site.state()[NEW].state)
    assert seen == ["PREPARING", "CHARGING", "SUSPENDED", "CHARGING", "FINISHING", "AVAILABLE"]
    site.assert_promises()


def test_out_of_service_is_over_when_the_station_says_so(setpoint_site: Sites) -> None:
    """Scheduled during a transaction, and completed on the StatusNotification."""
    site = site_of(setpoint_site)
    station = station_of(site)
    station.plug_in(1)
    site.advance(5)
    submit(site, new=[7.0, 7.0], twin=[7.0, 7.0], old=[7.0, 7.0])
    site.advance(5)
    away = site.send(NEW, "CHANGE_AVAILABILITY", by="anna", reason="a test", operative=False)
    site.advance(5)
    assert site.state()[NEW].state == "CHARGING"
    assert away.status == "ACKNOWLEDGED"
    station.unplug(1)
    assert site.wait_for(lambda: site.state()[NEW].state == "UNAVAILABLE", 10)
    assert away.status == "COMPLETED"
    back = site.send(NEW, "CHANGE_AVAILABILITY", by="anna", reason="a test", operative=True)
    assert site.wait_for(lambda: back.status == "COMPLETED", 10)
    assert site.wait_for(lambda: site.state()[NEW].state == "AVAILABLE", 10)
    site.assert_promises()


def test_what_happened_offline_is_history(setpoint_site: Sites) -> None:
    """The state is that of now: one transaction has ended, another one runs."""
    site = site_of(setpoint_site)
    station = station_of(site)
    station.plug_in(1)
    site.advance(5)
    submit(site, new=[7.0, 7.0], twin=[7.0, 7.0], old=[7.0, 7.0])
    site.advance(10)
    first = station.connector(1).transaction_id
    station.fail("offline")
    site.advance(5)
    assert not site.state()[NEW].connected
    station.unplug(1)
    site.advance(120)
    station.heal("offline")
    assert site.wait_for(lambda: site.state()[NEW].state == "AVAILABLE", 20)
    assert site.state()[NEW].transaction_id is None
    station.plug_in(1)
    assert site.wait_for(lambda: site.state()[NEW].state == "CHARGING", 20)
    assert site.state()[NEW].transaction_id not in {None, first}
    assert site.wait_for(lambda: station.connector(1).limit_w < 7_001, 20)
    site.assert_promises()


def test_a_restart_finds_the_transaction_that_runs(setpoint_site: Sites) -> None:
    """The engine was away; the station says nothing by itself."""
    site = site_of(setpoint_site)
    station = station_of(site)
    station.plug_in(1)
    site.advance(5)
    submit(site, new=[7.0, 9.0], twin=[7.0, 9.0], old=[7.0, 9.0])
    site.advance(10)
    site.stop()
    site.restart()
    assert site.wait_for(lambda: site.state()[NEW].state == "CHARGING", 60)
    assert site.state()[NEW].transaction_id == station.connector(1).transaction_id
    assert site.wait_for(lambda: abs(station.connector(1).limit_w - 7_000) < 1, 60)
    site.advance(3_600)
    assert station.connector(1).limit_w == pytest.approx(9_000, abs=1)
    site.assert_promises()


@pytest.mark.parametrize("quirk", sorted(set(QUIRKS) - {"offline"}))
def test_a_station_with_a_quirk_costs_no_promise(setpoint_site: Sites, quirk: str) -> None:
    """A plan, a charge that begins and ends, a loss of power; then every command is over."""
    site = site_of(setpoint_site)
    station = station_of(site)
    station.fail(quirk)
    station.plug_in(1)
    site.advance(5)
    submit(site, old=[7.0, 0.0], new=[7.0, 0.0], twin=[6.0, 9.0], slot="10min")
    site.advance(60)
    site.world.faults.add(Fault(kind="reboot", asset=NEW))
    site.advance(600)
    assert [one.kind for one in site.world.faults.injected] == ["reboot"]
    station.unplug(1)
    site.advance(900)
    station.heal(quirk)
    site.advance(120)
    started = [one for one in site.history() if one.attempts]
    assert {NEW, OLD, TWIN} == {one.asset_id for one in started}
    assert [one.id for one in site.history() if one.status not in FINAL] == []
    site.assert_promises()
