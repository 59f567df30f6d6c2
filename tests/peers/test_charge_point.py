"""Schedules and commands by hand reach charge points that were built on another OCPP library."""

from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import pytest

from actors.testing.site import TestSite
from tests.peers.node import running, wait_until
from tests.peers.ocpp_peer import OcppPeer, charge_points

WHO: Final = ("--by", "anna", "--reason", "a test", "--wait", "20")
POINTS: Final = {"CP-1": ("a", "b"), "CP-2": ("c",)}
SLOTS: Final = 20
History = list[dict[str, Any]]
Depot = tuple[TestSite, dict[str, OcppPeer]]


def write_schedule(path: Path) -> Path:
    """Write quarter-hours in which nearly everything changes, down to zero and up again."""
    lines = ["timestamp,ev_a_kw,ev_b_kw,ev_c_kw"]
    for slot in range(SLOTS):
        time = f"2025-03-12T{slot // 4:02}:{slot % 4 * 15:02}:00+01:00"
        a, b = (7.4, 11.0, 0.0, 3.68)[slot % 4], 3.6 + slot % 3
        lines.append(f"{time},{a},{b},{22.0 if slot % 5 else 6.9}")
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def planned(history: History) -> History:
    """Return the commands that a schedule is the cause of."""
    return [one for one in history if one["cause"]["kind"] == "schedule"]


def assert_logs_agree(peers: dict[str, OcppPeer], history: History) -> None:
    """Each control frame is one recorded attempt's and came once; each was as the standard says."""
    attempts = [attempt for one in history for attempt in one["attempts"]]
    sent = {one["id"] for one in attempts if one["outcome"] != "not_sent"}
    lost = {one["id"] for one in attempts if one["outcome"] in {"link_lost", "unknown"}}
    frames = Counter(
        frame.id for peer in peers.values() for frame in peer.frames() if frame.is_control
    )
    assert set(frames.values()) <= {1}
    seen = {frame.split(".")[0] for frame in frames}
    assert seen <= sent <= seen | lost
    assert not [line for peer in peers.values() for line in peer.complaints()]


def place_of(payload: dict[str, Any]) -> int:
    """Return the connector, or the EVSE, that a message is for."""
    place: int = payload["connectorId"] if "connectorId" in payload else payload["evseId"]
    return place


def last_limit(peer: OcppPeer, connector: int, history: History) -> float:
    """Return the limit of the last profile that a schedule is the cause of, in watts."""
    own = {attempt["id"] for one in planned(history) for attempt in one["attempts"]}
    payloads = [
        frame.payload
        for frame in peer.frames()
        if frame.is_control
        and frame.id.split(".")[0] in own
        and place_of(frame.payload) == connector
    ]
    old = payloads[-1].get("csChargingProfiles")
    schedule = (
        payloads[-1]["chargingProfile"]["chargingSchedule"][0]
        if old is None
        else old["chargingSchedule"]
    )
    limit: float = schedule["chargingSchedulePeriod"][0]["limit"]
    return limit if schedule["chargingRateUnit"] == "W" else limit * 230 * 3


@pytest.fixture(params=["1.6", "2.0.1"])
def depot(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Depot]:
    """Give a charge point of two connectors and one of one, all with vehicles."""
    with charge_points(tmp_path, POINTS, version=request.param) as made:
        yield made


@pytest.mark.timeout(150)
def test_a_day_reaches_every_connector(depot: Depot) -> None:
    """All commands are COMPLETED at two seconds a slot, and the last frame is the last row."""
    site, peers = depot
    done = site.setpoint(
        "run",
        str(site.file),
        "--schedule",
        str(write_schedule(site.folder / "plan.csv")),
        "--start-at",
        "2025-03-12T00:00:00+01:00",
        "--speed",
        "450",
        "--until-done",
    )
    history: History = site.history()
    assert done.returncode == 0, done.stderr
    assert {"COMPLETED"} == {one["status"] for one in planned(history)}
    assert len(planned(history)) == 48
    assert_logs_agree(peers, history)
    last = [
        last_limit(peers["CP-1"], 1, history),
        last_limit(peers["CP-1"], 2, history),
        last_limit(peers["CP-2"], 1, history),
    ]
    assert last == [3_680.0, 4_600.0, 22_000.0]


@pytest.mark.timeout(150)
def test_commands_by_hand_do_what_they_say(depot: Depot) -> None:
    """A transaction begins and ends, a connector goes out of service, a limit is given back."""
    site, peers = depot
    one, two = peers["CP-2"], peers["CP-1"]

    def send(asset: str, kind: str, *arguments: str) -> None:
        done = site.setpoint("send", str(site.file), asset, kind, *arguments, *WHO)
        assert done.returncode == 0, done.stderr
        assert "COMPLETED" in done.stdout

    with running(site):
        send("ast_c", "SET_CHARGE_RATE", "--kw", "6.9")
        assert one.connector().limit_w == pytest.approx(6_900, abs=70)
        send("ast_c", "START_CHARGING")
        wait_until(lambda: one.connector().power_w > 0, "it charges")
        assert one.connector().limit_w == pytest.approx(6_900, abs=70)
        send("ast_c", "SET_CHARGE_RATE", "--kw", "0")
        wait_until(lambda: one.connector().power_w == 0, "it pauses")
        send("ast_c", "SET_CHARGE_RATE", "--kw", "11.04")
        wait_until(lambda: one.connector().power_w > 10_000, "it draws what it may")
        send("ast_c", "STOP_CHARGING")
        wait_until(lambda: one.connector().transaction_id is None, "it has stopped")
        send("ast_b", "CHANGE_AVAILABILITY", "--inoperative")
        wait_until(lambda: two.connector(2).status == "Unavailable", "it is out of service")
        assert two.connector(1).operative
        send("ast_b", "CHANGE_AVAILABILITY", "--operative")
        wait_until(lambda: two.connector(2).operative, "it is back in service")
        send("ast_c", "RELEASE")
        wait_until(lambda: one.connector().limit_w == 22_080, "nothing limits it")
    assert_logs_agree(peers, site.history())


@pytest.mark.timeout(150)
def test_a_connection_that_breaks_costs_nothing(depot: Depot) -> None:
    """What was asked for meanwhile goes out once it is back, and the others did not wait."""
    site, peers = depot
    with running(site):
        for kw in ("5.52", "8.28", "2.76"):
            peers["CP-1"].hang_up()
            for asset in ("ast_a", "ast_c"):
                arguments = (asset, "SET_CHARGE_RATE", "--kw", kw, *WHO)
                done = site.setpoint("send", str(site.file), *arguments)
                assert done.returncode == 0, done.stderr
            watts = pytest.approx(1_000 * float(kw), abs=70)
            assert peers["CP-1"].connector().limit_w == watts
            assert peers["CP-2"].connector().limit_w == watts
    history: History = site.history()
    assert {"COMPLETED"} == {one["status"] for one in history}


@pytest.mark.timeout(150)
def test_a_fault_holds_what_raises_power_until_it_is_over(depot: Depot) -> None:
    """Its neighbour on the same charge point goes on."""
    site, peers = depot
    point = peers["CP-1"]

    def state() -> str:
        states: dict[Any, Any] = {one["asset_id"]: one for one in site.rows("state")}
        return str(states["ast_a"]["state"])

    def send(asset: str, *more: str) -> Any:  # noqa: ANN401 - a finished process
        rate = ("SET_CHARGE_RATE", "--kw", "6.9")
        return site.setpoint("send", str(site.file), asset, *rate, *WHO[:4], *more)

    with running(site):
        point.fault(1, on=True)
        wait_until(lambda: state() == "FAULTED", "the fault is known")
        assert send("ast_a").returncode == 0
        assert send("ast_b", "--wait", "20").returncode == 0
        assert point.connector(2).limit_w == pytest.approx(6_900, abs=70)
        assert 1 not in [place_of(one.payload) for one in point.frames() if one.is_control]
        point.fault(1, on=False)
        wait_until(lambda: point.connector(1).limit_w < 7_000, "it goes out")
        wait_until(lambda: state() == "PREPARING", "it is well again")
    assert_logs_agree(peers, site.history())
