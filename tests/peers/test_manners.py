"""One charge from its beginning to its end, with charge points that each have their own manners."""

from pathlib import Path
from typing import Any, Final

import pytest

from actors.testing.site import TestSite
from tests.peers.node import running, states, wait_until
from tests.peers.ocpp_peer import charge_points
from tests.peers.test_charge_point import WHO, History, assert_logs_agree

POINT: Final = {"CP-1": ("a",)}
MANNERS: Final = [
    ("1.6", ()),
    ("1.6", ("shy", "only_power")),
    ("1.6", ("silent", "second_start")),
    ("1.6", ("no_return", "forgetful", "chatty")),
    ("2.0.1", ()),
    ("2.0.1", ("only_power", "no_states")),
    ("2.0.1", ("cable_first", "second_start")),
    ("2.0.1", ("no_return", "forgetful", "chatty")),
]


def send(site: TestSite, kind: str, *arguments: str, wait: bool = True) -> None:
    """Send a command by hand; wait until it has ended well, unless told otherwise."""
    who = WHO if wait else WHO[:4]
    done = site.setpoint("send", str(site.file), "ast_a", kind, *arguments, *who)
    assert done.returncode == 0, done.stderr
    assert not wait or "COMPLETED" in done.stdout


def state_of(site: TestSite) -> dict[str, Any]:
    """Return the state of the one asset."""
    (state,) = states(site)
    return state


@pytest.mark.timeout(200)
@pytest.mark.parametrize(("version", "manners"), MANNERS)
def test_a_charge_from_beginning_to_end(
    tmp_path: Path, version: str, manners: tuple[str, ...]
) -> None:
    """Each command ends as it should, whatever the charge point says of itself meanwhile."""
    reset = {"1.6": '{"type": "Soft"}', "2.0.1": '{"type": "Immediate"}'}[version]
    with charge_points(tmp_path, POINT, version=version, manners=manners) as (site, peers):
        point = peers["CP-1"]
        with running(site):
            send(site, "SET_CHARGE_RATE", "--kw", "6.9")
            assert point.connector().limit_w == pytest.approx(6_900, abs=70)
            send(site, "START_CHARGING")
            wait_until(lambda: point.connector().power_w > 0, "it charges")
            assert point.connector().limit_w == pytest.approx(6_900, abs=70)
            wait_until(lambda: state_of(site)["measured_kw"] is not None, "the meter is heard")
            running_id = state_of(site)["transaction_id"]
            assert running_id == point.connector().transaction_id
            send(site, "SET_CHARGE_RATE", "--kw", "3.68")
            wait_until(lambda: point.connector().limit_w < 3_700, "it slows down")
            send(site, "CHANGE_AVAILABILITY", "--inoperative", wait=False)
            send(site, "STOP_CHARGING")
            wait_until(lambda: point.connector().status == "Unavailable", "it is out of service")
            assert point.connector().transaction_id is None
            send(site, "CHANGE_AVAILABILITY", "--operative")
            wait_until(lambda: point.connector().operative, "it is back in service")
            boots = len(boots_of(point))
            call = ("call", str(site.file), "ast_a", "Reset", reset, *WHO)
            done = site.setpoint(*call)
            assert done.returncode == 0, done.stderr
            wait_until(lambda: len(boots_of(point)) > boots, "it boots")
            wait_until(lambda: point.connector().limit_w < 3_700, "its limit is there again")
            wait_until(lambda: not state_of(site)["open_commands"], "all has ended")
        history: History = site.history()
        assert [one for one in history if one["status"] != "COMPLETED"] == []
        assert_logs_agree(peers, history)
        assert not [one for one in point.frames() if (one.direction, one.kind) == ("in", "error")]


def boots_of(point: Any) -> list[Any]:  # noqa: ANN401 - frames of a peer
    """Return the BootNotifications that a charge point has said."""
    return [one for one in point.frames() if one.action == "BootNotification"]


@pytest.mark.timeout(150)
def test_a_station_without_charging_profiles_still_starts_and_stops(tmp_path: Path) -> None:
    """What it does not know ends as unsupported, and is not asked for again and again."""
    manners = ("no_profiles",)
    with charge_points(tmp_path, POINT, version="2.0.1", manners=manners) as (site, peers):
        point = peers["CP-1"]
        with running(site):
            rate = ("send", str(site.file), "ast_a", "SET_CHARGE_RATE", "--kw", "6.9", *WHO)
            done = site.setpoint(*rate)
            assert (done.returncode, "FAILED" in done.stdout) == (1, True)
            send(site, "START_CHARGING")
            wait_until(lambda: point.connector().power_w > 0, "it charges")
            send(site, "STOP_CHARGING")
            wait_until(lambda: point.connector().transaction_id is None, "it has stopped")
        history: History = site.history()
        assert_logs_agree(peers, history)
    reasons = [one["reason"] for one in history if one["type"] == "SET_CHARGE_RATE"]
    assert set(reasons) == {"unsupported"}
    asked = [one for one in point.frames() if one.action == "SetChargingProfile"]
    assert len(asked) <= 8  # one for each thing that has happened


@pytest.mark.timeout(150)
@pytest.mark.parametrize("version", ["1.6", "2.0.1"])
def test_a_second_start_is_not_a_second_transaction(tmp_path: Path, version: str) -> None:
    """Whether the charge point accepts it or not, the command ends, and one transaction runs."""
    manners = ("second_start",)
    with charge_points(tmp_path, POINT, version=version, manners=manners) as (site, peers):
        point = peers["CP-1"]
        with running(site):
            send(site, "START_CHARGING")
            wait_until(lambda: point.connector().power_w > 0, "it charges")
            first = point.connector().transaction_id
            again = site.setpoint("send", str(site.file), "ast_a", "START_CHARGING", *WHO)
            assert again.returncode in {0, 1}, again.stderr
            assert state_of(site)["transaction_id"] == first
            send(site, "STOP_CHARGING")
            wait_until(lambda: point.connector().transaction_id is None, "it has stopped")
        assert_logs_agree(peers, site.history())


@pytest.mark.timeout(150)
def test_what_happens_while_the_line_is_dead_is_told_afterwards(tmp_path: Path) -> None:
    """The station's own queue: its vehicle has gone, and another one has come."""
    with charge_points(tmp_path, POINT, version="2.0.1") as (site, peers):
        point = peers["CP-1"]
        with running(site):
            send(site, "SET_CHARGE_RATE", "--kw", "6.9")
            send(site, "START_CHARGING")
            wait_until(lambda: point.connector().power_w > 0, "it charges")
            first = point.connector().transaction_id
            point.hang_up()
            point.unplug()
            point.plug()
            point.swipe()
            second = point.connector().transaction_id
            assert second not in {None, first}
            wait_until(lambda: state_of(site)["transaction_id"] == second, "it is known")
            wait_until(lambda: state_of(site)["state"] == "CHARGING", "it charges again")
            wait_until(lambda: point.connector().limit_w < 7_000, "its limit is there")
            profiles = [one for one in point.frames() if one.action == "SetChargingProfile"]
            last = profiles[-1].payload["chargingProfile"]
            assert last.get("transactionId") in {None, second}
        offline = [
            one.payload
            for one in point.frames()
            if one.action == "TransactionEvent" and one.direction == "out"
        ]
        assert [one["transactionInfo"]["transactionId"] for one in offline if one.get("offline")]
        assert_logs_agree(peers, site.history())
