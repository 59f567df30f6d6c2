"""kill -9 at random moments, again and again: the promise holds against the devices' own logs.

Ten rounds on each store run with the suite; ``SETPOINT_KILL_ROUNDS`` asks for more.
"""

import contextlib
import json
import os
import random
import signal
from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path
from subprocess import Popen, TimeoutExpired
from typing import Any, Final

import attrs
import pytest

from actors.cli.places import reader_of
from actors.testing.promises import Judgement, judge
from actors.testing.site import TestSite, simulated_site
from actors.testing.waiting import wait_until
from engine import events
from engine.codec import Record
from engine.types import AssetId, to_us

ROUNDS: Final = int(os.environ.get("SETPOINT_KILL_ROUNDS", "10"))
HEARTBEAT: Final = frozenset({30})
START: Final = "2025-03-30T00:00:00+01:00"
SLOTS: Final = 8
SPEED: Final = 600
"""A slot of one and a half seconds: time enough for a command on a busy machine."""


@pytest.fixture
def site(tmp_path: Path, store_url: str) -> Iterator[TestSite]:
    """Give a site of two chargers and a battery, with a schedule beside it."""
    store = f'[store]\nurl = "{store_url}"\n'
    with simulated_site(tmp_path, ("a", "b"), extra=store) as made:
        write_schedule(tmp_path / "plan.csv")
        yield made


def write_schedule(path: Path) -> None:
    """Write quarter-hours in which every asset changes all the time."""
    lines = ["timestamp,ev_a_kw,ev_b_kw,battery_charge_kw,battery_discharge_kw"]
    for slot in range(SLOTS):
        charge, discharge = ((12.5, 0), (0, 20), (3.2, 0))[slot % 3]
        at = f"2025-03-30T{slot // 4:02}:{slot % 4 * 15:02}:00+01:00"
        lines.append(f"{at},{(7.4, 11, 0)[slot % 3]},{3.6 + slot % 2},{charge},{discharge}")
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")


@attrs.define
class Round:
    """One site under one seed: what is killed when."""

    site: TestSite
    random: random.Random
    kills: list[str] = attrs.field(factory=list)

    def run(self) -> None:
        """Kill the engine some times, then let it go on to the end."""
        for _ in range(self.random.randint(1, 3)):
            engine = self.site.started(*self._arguments(), "--json")
            moment, wait = self._moment()
            wait(engine)
            self.kills.append(f"{moment}: {len(self._seen())} frames seen")
            engine.send_signal(signal.SIGKILL)
            engine.wait(10)
        done = self.site.setpoint(*self._arguments(), "--until-done", timeout_s=100)
        assert done.returncode in {0, 1}, done.stderr
        assert not done.stderr or "Traceback" not in done.stderr

    def _arguments(self) -> tuple[str, ...]:
        """Return how the engine is started every time; what it knows already changes nothing."""
        plan = str(self.site.folder / "plan.csv")
        how = ("--schedule", plan, "--start-at", START, "--speed", str(SPEED))
        return ("run", str(self.site.file), *how)

    def _moment(self) -> tuple[str, Callable[["Popen[str]"], None]]:
        """Return when to kill: after a time, or after so many more lines of the wire logs."""
        if self.random.random() < 0.4:
            wait_s = self.random.uniform(0.3, 4.0)
            return f"after {wait_s:.2f} s", lambda engine: _let_run(engine, wait_s)
        more = self.random.randint(1, 40)
        target = len(self._seen()) + more
        return f"after {more} frames", lambda engine: self._until(engine, target)

    def _until(self, engine: "Popen[str]", count: int) -> None:
        wait_until(lambda: len(self._seen()) >= count or engine.poll() is not None, 60)

    def _seen(self) -> list[object]:
        entries = list(self.site.battery.wire_log.entries)
        for log in self.site.depot.logs().values():
            entries += log.entries
        return [entry for entry in entries if entry.direction == "in"]

    def judged(self, records: list[Record]) -> Judgement:
        """Hold the log against what the devices saw."""
        chargers = {key: self.site.charger(key).wire_log.entries for key in self.site.keys}
        battery = {AssetId("ast_battery"): (self.site.battery.wire_log.entries, HEARTBEAT)}
        return judge(records, chargers, battery)


def _let_run(engine: "Popen[str]", seconds: float) -> None:
    """Give an engine that long, or until it ends."""
    with contextlib.suppress(TimeoutExpired):
        engine.wait(seconds)


@pytest.mark.timeout(300)
@pytest.mark.parametrize("seed", range(ROUNDS))
def test_the_promise_holds_after_kills_at_random(
    site: TestSite, seed: int, record_property: Callable[[str, object], None]
) -> None:
    """P1 to P5, P8 and P9, and every command whose slot began afterwards is COMPLETED."""
    played = Round(site, random.Random(seed))
    played.run()
    with reader_of(str(site.file)) as reader:
        records = list(reader.records())
        verification = reader.verify()
    judgement = played.judged(records)
    told = {**judgement.counts, "kills": len(played.kills)}
    record_property("promise", told)
    print(f"seed {seed}: {played.kills} {told}")  # noqa: T201 - the counts are part of the report
    assert judgement.violations == ()
    assert verification.problems == ()
    assert judgement.counts["OCPP control frames"] > 5
    assert judgement.counts["Modbus writes"] > 3
    lost = list(lost_of(site.folder / "out.txt", records))
    assert lost == []
    assert not_completed(site, records) == []


def lost_of(out: Path, records: list[Record]) -> Iterator[str]:
    """Yield what was told to people and is not in the store (P1)."""
    by_position = {one.position: one for one in records}
    for line in out.read_text().splitlines():
        try:
            row: dict[str, Any] = json.loads(line)
        except ValueError:
            continue  # a line that the kill cut off
        if row.get("position") is None:
            continue
        found = by_position.get(row["position"])
        if found is None or row["asset_id"] not in {None, found.header.stream}:
            yield line


def not_completed(site: TestSite, records: list[Record]) -> list[dict[str, object]]:
    """Return the planned commands that are not COMPLETED, due after their device was back.

    It is back when it has told its state; until then nothing is known of it, and an increase waits.
    One that does not come back counts from the start, behind which no more may have been planned.
    """
    start = [one for one in records if isinstance(one.event, events.EngineStarted)][-1]
    after = [one for one in records if (one.position or 0) > (start.position or 0)]
    back: dict[str, int] = {}
    for one in after:
        if isinstance(one.event, events.StateChanged):
            back.setdefault(one.header.stream, one.header.at_us)
    history: list[dict[str, Any]] = site.history()
    return [
        one
        for one in history
        if one["cause"]["kind"] == "schedule"
        and one["status"] != "COMPLETED"
        and _due_us(one) > back.get(one["asset_id"], start.header.at_us)
    ]


def _due_us(command: dict[str, Any]) -> int:
    return to_us(datetime.fromisoformat(command["due_at"]))
