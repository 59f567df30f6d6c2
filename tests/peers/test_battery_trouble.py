"""A battery of another make loses power, refuses, goes deaf; and the engine is killed."""

import signal
from collections.abc import Iterable, Sequence
from importlib.resources import files
from pathlib import Path
from typing import Any, Final

import pytest

from actors.testing.site import TestSite
from tests.peers.modbus_peer import MAKES, ModbusPeer, Pair, Write, peer_site, recorded_writes
from tests.peers.node import running, states, wait_until

WHO: Final = ("--by", "anna", "--reason", "a test")
SHORT: Final = "[defaults]\ncommand_timeout_seconds = 4\n"
SLOTS: Final = 60  # more than a test sees that does not run to the end
CHANGE: Final = 6  # the slot in which the battery turns from charging to discharging
CHARGING: Final = (12_500, 0)
DISCHARGING: Final = (0, 20_000)
HALF: Final = Write(20, (0,), 6, answered=False)
History = list[dict[str, Any]]


def write_schedule(path: Path, slots: int) -> Path:
    """Write quarter-hours: both chargers change in each, the battery once."""
    lines = ["timestamp,ev_a_kw,ev_b_kw,battery_charge_kw,battery_discharge_kw"]
    for slot in range(slots):
        time = f"2025-03-12T{slot // 4:02}:{slot % 4 * 15:02}:00+01:00"
        battery = "12.5,0" if slot < CHANGE else "0,20"
        lines.append(f"{time},{7.4 + slot % 2},{11 - slot % 3},{battery}")
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def day_of(site: TestSite, slots: int = SLOTS) -> tuple[str, ...]:
    """Return the arguments of a run through that schedule, two and a half seconds a slot."""
    schedule = write_schedule(site.folder / "plan.csv", slots)
    start = ("--start-at", "2025-03-12T00:00:00+01:00", "--speed", "360")
    return ("--schedule", str(schedule), *start)


def slots_begun(site: TestSite) -> int:
    """Return how many rates a charger was sent: one a slot, and one or two as it connects."""
    return sum(
        (one.direction, one.action) == ("in", "SetChargingProfile")
        for one in site.charger("a").wire_log.entries
    )


def is_in_order(part: Iterable[object], whole: Sequence[object]) -> bool:
    """Return whether a sequence is another one with some left out."""
    rest = iter(whole)
    return all(one in rest for one in part)


def assert_nothing_unrecorded(site: TestSite, peer: ModbusPeer) -> None:
    """Each write that reached the battery is in the store, in order, and never both powers were."""
    recorded = [(one.address, one.values) for one in recorded_writes(site)]
    assert is_in_order([(one.address, one.values) for one in peer.writes()], recorded)
    assert not [one for one in peer.pairs() if one.charge_w and one.discharge_w]


def send(site: TestSite, kind: str, kw: str, *more: str) -> "tuple[int, str]":
    """Send a rate to the battery by hand; return exit status and what was said."""
    done = site.setpoint("send", str(site.file), "ast_battery", kind, "--kw", kw, *more, *WHO)
    return done.returncode, done.stdout + done.stderr


def rate(site: TestSite, kw: float) -> dict[str, Any]:
    """Return the first command of that rate."""
    history: History = site.history()
    return next(one for one in history if one["value_kw"] == kw)


def outcomes(one: dict[str, Any]) -> list[str]:
    """Return how each attempt of a command ended."""
    return [attempt["outcome"] for attempt in one["attempts"]]


@pytest.mark.timeout(200)
@pytest.mark.parametrize(
    ("make", "off_in", "back_in", "slots"),
    [
        *((make, 1, 1, 12) for make in MAKES),
        # It is tried to connect 0.5, 1.5, 3.5, 7.5 and 15.5 s after the power cut.
        ("modbus-serial", CHANGE - 1, CHANGE + 3, 20),
    ],
)
def test_a_power_cut_delays_nobody_and_is_made_good(
    tmp_path: Path, make: str, off_in: int, back_in: int, slots: int
) -> None:
    """Back before or after its next change, the battery gets the setpoint of then again."""
    with peer_site(tmp_path, ("a", "b"), make=make) as (site, peer):
        engine = site.started("run", str(site.file), *day_of(site, slots), "--until-done")
        wait_until(lambda: slots_begun(site) >= off_in, f"slot {off_in}")
        wait_until(lambda: peer.panel().pair_w == CHARGING, "it charges")
        peer.kill()
        wait_until(lambda: slots_begun(site) >= back_in, f"slot {back_in}")
        peer.start()
        if back_in < CHANGE:
            wait_until(lambda: peer.panel().pair_w == CHARGING, "it charges again")
        wait_until(lambda: peer.panel().pair_w == DISCHARGING, "it discharges")
        status = engine.wait(120)
        history: History = site.history()
        assert_nothing_unrecorded(site, peer)
    planned = [one for one in history if one["cause"]["kind"] == "schedule"]
    chargers = [one for one in planned if one["asset_id"] != "ast_battery"]
    assert status == 0, (tmp_path / "err.txt").read_text()
    assert len(chargers) == 2 * slots
    assert {"COMPLETED"} == {one["status"] for one in planned}
    # A form may be refused while a transaction begins; nothing is late, lost or not known.
    assert {"accepted"} == {outcomes(one)[-1] for one in chargers}
    assert {"accepted", "rejected"} >= {each for one in chargers for each in outcomes(one)}


@pytest.mark.timeout(150)
@pytest.mark.parametrize(
    ("code", "outcome", "named", "attempts"),
    [(2, "rejected", "illegal data address", 1), (4, "error", "device failure", 2)],
)
def test_a_refusal_is_recorded_by_its_name(
    tmp_path: Path, code: int, outcome: str, named: str, attempts: int
) -> None:
    """What cannot work is tried once, a failure again; the battery keeps what it held."""
    with peer_site(tmp_path, extra="[defaults]\nmax_retries = 1\n") as (site, peer):
        with running(site):
            assert send(site, "SET_CHARGE_RATE", "5", "--wait", "20")[0] == 0
            # A change of state is a reason to try again what was refused.
            wait_until(lambda: states(site)[0]["state"] == "CHARGING", "it is seen to charge")
            peer.refuse(code)
            status, said = send(site, "SET_CHARGE_RATE", "9", "--wait", "20")
            assert (status, "FAILED" in said) == (1, True)
            assert peer.panel().pair_w == (5_000, 0)
            peer.refuse(None)
            assert send(site, "SET_CHARGE_RATE", "8", "--wait", "20")[0] == 0
            assert peer.panel().pair_w == (8_000, 0)
        failed = rate(site, 9.0)
        assert_nothing_unrecorded(site, peer)
        refused = [one for one in peer.writes() if one.exception is not None]
    assert f"exception {code}: {named}" in failed["reason"]
    assert outcomes(failed) == [outcome] * attempts
    assert [one.values for one in refused] == [(9_000,)] * attempts


@pytest.mark.timeout(150)
@pytest.mark.parametrize(
    ("make", "obeys"), [("modbus-serial", True), ("modbus-serial", False), ("libmodbus", False)]
)
def test_a_write_without_an_answer_is_looked_into(
    tmp_path: Path, make: str, *, obeys: bool
) -> None:
    """Done in silence it is not done again, not heard at all it is: the registers tell."""
    with peer_site(tmp_path, make=make, extra=SHORT) as (site, peer):
        with running(site):
            assert send(site, "SET_CHARGE_RATE", "5", "--wait", "20")[0] == 0
            peer.deaf(60.0, ("write",), obeys=obeys)
            assert send(site, "SET_CHARGE_RATE", "9")[0] == 0
            wait_until(lambda: peer.writes()[-1].values == (9_000,), "the write came")
            peer.deaf(0.0)
            wait_until(lambda: not states(site)[0]["open_commands"], "it has come to an end")
            assert peer.panel().pair_w == (9_000, 0)
        late = rate(site, 9.0)
        assert_nothing_unrecorded(site, peer)
        written = [one for one in peer.writes() if one.values == (9_000,)]
    assert outcomes(late)[0] in {"timed_out", "unknown"}
    assert (late["status"], late["evidence"]) == ("COMPLETED", "readback")
    assert len(written) == (1 if obeys else 2)


@pytest.mark.timeout(200)
@pytest.mark.parametrize(
    ("make", "halfway"),
    [
        ("modbus-serial", False),
        ("modbus-serial", True),
        ("jsmodbus", False),
        ("libmodbus", True),
    ],
)
def test_a_killed_engine_goes_on_where_it_should_be(
    tmp_path: Path, make: str, *, halfway: bool
) -> None:
    """Killed in a slot or between the halves of a pair: started again, the slot of then holds."""
    with peer_site(tmp_path, ("a", "b"), make=make) as (site, peer):
        engine = site.started("run", str(site.file), *day_of(site))
        wait_until(lambda: slots_begun(site) >= CHANGE - 2, "some slots")
        wait_until(lambda: peer.panel().pair_w == CHARGING, "it charges")
        if halfway:
            peer.deaf(60.0, ("write",), obeys=True)
            wait_until(lambda: peer.writes()[-1] == HALF, "the first half of the change")
        engine.send_signal(signal.SIGKILL)
        engine.wait(10)
        assert_nothing_unrecorded(site, peer)
        assert peer.panel().pair_w == ((0, 0) if halfway else CHARGING)
        if halfway:
            peer.deaf(0.0)
        with running(site):
            wait_until(lambda: peer.panel().pair_w == DISCHARGING, "it discharges")
        assert_nothing_unrecorded(site, peer)


@pytest.mark.timeout(200)
def test_a_plan_clock_that_stood_when_the_engine_was_killed_runs_in_the_next(
    tmp_path: Path,
) -> None:
    """The first setpoint is out and a charger has not reported: the day begins all the same."""
    with peer_site(tmp_path, ("a", "b")) as (site, peer):
        site.depot.do(site.charger("a").stop())
        engine = site.started("run", str(site.file), *day_of(site))
        wait_until(lambda: peer.panel().pair_w == CHARGING, "it charges")
        engine.send_signal(signal.SIGKILL)
        engine.wait(10)
        again = site.started("run", str(site.file))
        wait_until(lambda: peer.panel().pair_w == DISCHARGING, "it discharges")
        again.send_signal(signal.SIGINT)
        assert again.wait(30) == 0
        history: History = site.history()
        assert_nothing_unrecorded(site, peer)
    own = [one for one in history if str(one["cause"]["column"]).startswith("battery")]
    assert {"COMPLETED"} == {one["status"] for one in own}


@pytest.mark.timeout(150)
@pytest.mark.parametrize("obeys", [True, False])
def test_an_answer_that_nobody_lived_to_hear(tmp_path: Path, *, obeys: bool) -> None:
    """Killed between write and answer, the engine finds out what became of the write."""
    with peer_site(tmp_path) as (site, peer):
        engine = site.started("run", str(site.file))
        wait_until(lambda: send(site, "SET_CHARGE_RATE", "5", "--wait", "20")[0] == 0, "it charges")
        peer.deaf(60.0, ("write",), obeys=obeys)
        assert send(site, "SET_CHARGE_RATE", "9")[0] == 0
        wait_until(lambda: peer.writes()[-1].values == (9_000,), "the write came")
        engine.send_signal(signal.SIGKILL)
        engine.wait(10)
        assert_nothing_unrecorded(site, peer)
        peer.deaf(0.0)
        with running(site):
            wait_until(lambda: peer.panel().pair_w == (9_000, 0), "it holds what was asked for")
            wait_until(lambda: states(site)[0]["charge_kw"] == 9.0, "the engine knows")
            wait_until(lambda: not states(site)[0]["open_commands"], "it has come to an end")
        asked = rate(site, 9.0)
        assert_nothing_unrecorded(site, peer)
    assert outcomes(asked)[0] == "unknown"
    assert asked["status"] == "COMPLETED"


@pytest.mark.timeout(150)
@pytest.mark.parametrize("make", MAKES)
def test_a_battery_is_kept_awake_and_falls_back_without_its_engine(
    tmp_path: Path, make: str
) -> None:
    """A watchdog of eight seconds trips when the engine is killed, and never while it lives."""
    with peer_site(tmp_path, make=make, watchdogS=8, fallbackW=-700) as (site, peer):
        shipped = files("engine.adapters") / "profiles" / "generic-battery.toml"
        profile = shipped.read_text(encoding="utf-8").replace("timeout_s = 60", "timeout_s = 8")
        (tmp_path / "quick.toml").write_text(profile, encoding="utf-8")
        with site.file.open("a", encoding="utf-8") as file:
            file.write('profile = "quick.toml"\n')
        engine = site.started("run", str(site.file))
        wait_until(lambda: send(site, "SET_CHARGE_RATE", "5", "--wait", "20")[0] == 0, "it charges")
        wait_until(lambda: heartbeats(peer) >= 4, "four heartbeats")
        assert peer.panel().pair_w == (5_000, 0)
        assert not [one for one in peer.pairs() if one.by == "watchdog"]
        engine.send_signal(signal.SIGKILL)
        engine.wait(10)
        wait_until(lambda: peer.pairs()[-1] == Pair(0, 700, "watchdog"), "it helps itself")


def heartbeats(peer: ModbusPeer) -> int:
    """Return how many heartbeats came."""
    return sum(isinstance(one, Write) and not one.is_control for one in peer.entries())


@pytest.mark.timeout(150)
def test_a_faulted_battery_is_left_alone_until_it_recovers(tmp_path: Path) -> None:
    """A rate above zero is held while it says FAULTED, and goes out by itself afterwards."""
    with peer_site(tmp_path) as (site, peer), running(site):
        peer.fault(on=True)
        wait_until(lambda: states(site)[0]["state"] == "FAULTED", "it says so")
        assert send(site, "SET_CHARGE_RATE", "6", "--wait", "1")[0] == 1
        history: History = site.history()
        assert (history[0]["status"], history[0]["reason"]) == ("PENDING", "held:faulted")
        assert not peer.writes()
        peer.fault(on=False)
        wait_until(lambda: peer.panel().pair_w == (6_000, 0), "it charges")
        wait_until(lambda: not states(site)[0]["open_commands"], "it has come to an end")
        assert site.history()[0]["status"] == "COMPLETED"
