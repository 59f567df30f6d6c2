"""Schedules and commands by hand reach a battery that was built on another Modbus library."""

import os
from collections import Counter
from collections.abc import Sequence
from itertools import groupby
from pathlib import Path
from typing import Any, Final

import pytest

from actors.testing.site import TestSite
from tests.peers.modbus_peer import MAKES, ModbusPeer, peer_site, recorded_writes
from tests.peers.node import running, wait_until

DATA = os.environ.get("SETPOINT_TEST_DATA")
WHO: Final = ("--by", "anna", "--reason", "a test")
REST: Final = (0, 0)

# Charge and discharge in kW as an optimiser writes them: with residue, to the watt, to the limit.
DAY: Final = [
    (12.5, 0.0),
    (0.0, 20.0),
    (3.2142, 0.0),
    (3.2142, 0.0),
    (3.215, -0.0),  # a watt more: no change
    (0.0, 1e-9),
    (0.0, 50.0),
    (50.0, 0.0),
    (0.0, 0.0),
    (2.3146946, 0.0),
    (2.3166946, 0.0),  # two watts more: a change
    (0.0, 7.25),
    (0.0, 7.0),
    (0.0, 0.002),
    (0.002, 0.0),
    (11.0, 0.0),
    (0.0, 33.3334),
    (0.0, 33.3334),
    (4.0011, 0.0),
    (0.0, 0.0),
    (0.0, 49.9996),
    (1.5, 0.0),
    (0.0, 1.5),
    (6.7897, 0.0),
]
History = list[dict[str, Any]]


def write_schedule(path: Path, rows: Sequence[tuple[float, float]]) -> Path:
    """Write quarter-hours of charge and discharge in kW."""
    lines = ["timestamp,battery_charge_kw,battery_discharge_kw"]
    for slot, (charge, discharge) in enumerate(rows):
        time = f"2025-03-12T{slot // 4:02}:{slot % 4 * 15:02}:00+01:00"
        lines.append(f"{time},{charge},{discharge}")
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def held_pairs(rows: Sequence[tuple[float, float]]) -> list[tuple[int, int]]:
    """Return the pairs in watts that a battery goes through, from rest and to rest again."""
    pairs = [REST]
    for row in rows:
        new = tuple(round(1_000 * power_kw) for power_kw in row)
        old = pairs[-1]
        changed = [abs(a - b) > 1 for a, b in zip(new, old, strict=True)]
        charge_w, discharge_w = (n if c else o for n, o, c in zip(new, old, changed, strict=True))
        if all(changed) and any(old):
            pairs.append(REST)
        pairs.append((charge_w, discharge_w))
    return [pair for pair, _ in groupby([*pairs, REST])]


def planned(history: History) -> History:
    """Return the commands that a schedule is the cause of."""
    return [one for one in history if one["cause"]["kind"] == "schedule"]


def attempts_of(history: History) -> dict[str, Any]:
    """Return every attempt by its id."""
    return {attempt["id"]: attempt for one in history for attempt in one["attempts"]}


def assert_logs_agree(site: TestSite, peer: ModbusPeer, history: History) -> None:
    """What was sent by the store is what the battery was written, each once and in order."""
    attempts = attempts_of(history)
    sent = [
        (one.address, one.values)
        for one in recorded_writes(site)
        if attempts[one.attempt_id]["outcome"] != "not_sent"
    ]
    assert sent == [(one.address, one.values) for one in peer.writes()]
    assert_never_both(peer)


def assert_never_both(peer: ModbusPeer) -> None:
    """At no moment the battery was told to charge and to discharge."""
    assert not [one for one in peer.pairs() if one.charge_w and one.discharge_w]


def last_of_schedule(site: TestSite, history: History) -> tuple[int, tuple[int, ...]]:
    """Return address and words of the last write that a schedule is the cause of."""
    own = {attempt for one in planned(history) for attempt in attempts_of([one])}
    write = [one for one in recorded_writes(site) if one.attempt_id in own][-1]
    return write.address, write.values


@pytest.mark.timeout(200)
@pytest.mark.parametrize("make", MAKES)
def test_a_day_is_held_to_the_watt(tmp_path: Path, make: str) -> None:
    """All commands are COMPLETED, and the battery went through these pairs and no other."""
    schedule = write_schedule(tmp_path / "plan.csv", DAY)
    with peer_site(tmp_path, make=make) as (site, peer):
        done = site.setpoint(
            "run",
            str(site.file),
            "--schedule",
            str(schedule),
            "--start-at",
            "2025-03-12T00:00:00+01:00",
            "--speed",
            "450",
            "--until-done",
            timeout_s=180.0,
        )
        history: History = site.history()
        assert done.returncode == 0, done.stderr
        assert {"COMPLETED"} == {one["status"] for one in planned(history)}
        assert {"readback"} == {one["evidence"] for one in planned(history)}
        assert len(planned(history)) == 32
        assert_logs_agree(site, peer, history)
        assert last_of_schedule(site, history) == (20, (6_790,))
        held = [(one.charge_w, one.discharge_w) for one in peer.pairs()]
        assert held_pairs(DAY) == [pair for pair, _ in groupby(held)]
        assert {"accepted"} == {one["outcome"] for one in attempts_of(history).values()}


if DATA is not None:  # without the files it is not generated

    @pytest.mark.timeout(240)
    def test_a_real_week_goes_out_in_fast_motion(tmp_path: Path) -> None:
        """The number of commands is the schedule's own; hardly any is too late.

        A slot is over before a charger has shown what it does.
        """
        with peer_site(tmp_path, ("0", "1")) as (site, peer):
            done = site.setpoint(
                "run",
                str(site.file),
                "--schedule",
                str(Path(DATA or "") / "emhass_30min.csv"),
                "--start-at",
                "2025-03-12T01:00:00+01:00",
                "--speed",
                "9000",
                "--force",
                "--until-done",
                timeout_s=220.0,
            )
            history: History = site.history()
            assert_logs_agree(site, peer, history)
        statuses = Counter((one["status"], one["reason"]) for one in planned(history))
        assert done.returncode == 0, done.stderr
        assert sum(statuses.values()) == 452
        completed = statuses["COMPLETED", None] + statuses["COMPLETED", "overtaken"]
        assert completed >= 0.95 * 452
        assert statuses["CANCELLED", "superseded"] == 452 - completed


BY_HAND: Final = [
    ("SET_CHARGE_RATE", ("--kw", "5"), (5_000, 0)),
    ("SET_DISCHARGE_RATE", ("--kw", "7.5"), (0, 7_500)),
    ("RELEASE", (), REST),
    ("SET_CHARGE_RATE", ("--kw", "2.3147"), (2_315, 0)),
    ("STOP_CHARGING", (), REST),
    ("SET_DISCHARGE_RATE", ("--kw", "50"), (0, 50_000)),
]


@pytest.mark.timeout(200)
@pytest.mark.parametrize("make", MAKES)
def test_commands_by_hand_are_obeyed_and_on_record(tmp_path: Path, make: str) -> None:
    """Rates, a release, a stop: COMPLETED, and in the battery's registers when send returns."""
    with peer_site(tmp_path, make=make) as (site, peer):
        with running(site):
            for kind, value, pair_w in BY_HAND:
                done = site.setpoint(
                    "send", str(site.file), "ast_battery", kind, *value, "--wait", "20", *WHO
                )
                assert done.returncode == 0, done.stderr
                assert "COMPLETED" in done.stdout
                assert pair_w == peer.panel().pair_w
        history: History = site.history()
        by_hand = [one for one in history if one["cause"]["kind"] == "operator"]
        assert [one[0] for one in BY_HAND] == [one["type"] for one in by_hand]
        assert {"anna"} == {one["cause"]["by"] for one in by_hand}
        assert {"COMPLETED"} == {one["status"] for one in history}
        assert_logs_agree(site, peer, history)
        assert peer.panel().pair_w == REST  # handed back on stop


@pytest.mark.timeout(120)
def test_stop_all_is_rest_until_resumed(tmp_path: Path) -> None:
    """A running discharge ends, and after resume a new one is taken."""
    with peer_site(tmp_path) as (site, peer):
        battery = (str(site.file), "ast_battery")
        rate = ("SET_DISCHARGE_RATE", "--kw", "8", *WHO)
        with running(site):
            assert site.setpoint("send", *battery, *rate, "--wait", "20").returncode == 0
            assert peer.panel().pair_w == (0, 8_000)
            assert site.setpoint("stop-all", str(site.file), *WHO).returncode == 0
            wait_until(lambda: peer.panel().pair_w == REST, "it rests")
            assert site.setpoint("resume", str(site.file), *WHO).returncode == 0
            again = site.setpoint("send", *battery, *rate, "--wait", "20")
            assert again.returncode == 0, again.stderr
            assert peer.panel().pair_w == (0, 8_000)
        assert_logs_agree(site, peer, site.history())
