"""A second engine takes the store over: the first sends nothing more, whatever it had in hand."""

import os
import random
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import attrs
import pytest

from actors.cli.places import reader_of
from actors.testing.promises import CONTROL_ACTIONS, WRITES, judge
from actors.testing.proxy import Proxy
from actors.testing.site import TestSite, free_port, simulated_site
from actors.testing.waiting import wait_until
from engine import events
from engine.codec import Record
from engine.types import US_PER_S, AssetId

POSTGRES: Final = os.environ.get("SETPOINT_TEST_POSTGRES")
ROUNDS: Final = 20 if POSTGRES else 0
HEARTBEAT: Final = frozenset({30})
START: Final = "2025-03-30T00:00:00+01:00"


@attrs.define
class Pair:
    """Two site files of one store; each engine reaches the battery by a proxy of its own.

    The charger's proxy is pointed from the first engine to the second.
    """

    site: TestSite
    store: str
    second: Path
    batteries: tuple[Proxy, Proxy]
    charger: Proxy
    second_ocpp: int


@pytest.fixture
def pair(tmp_path: Path, store_url: str) -> Iterator[Pair]:
    """Give a charger and a battery that two engines can be put in front of."""
    with simulated_site(tmp_path, ("a",)) as site:
        text = site.file.read_text()
        depot, first_ocpp, second_ocpp = site.depot, free_port(), free_port()
        charger = Proxy("ocpp", first_ocpp, port=site.ocpp_port)
        depot.do(charger.start())
        battery_port = int(text.rsplit("port = ", 1)[1].split()[0])
        batteries = (Proxy("modbus", battery_port), Proxy("modbus", battery_port))
        for proxy in batteries:
            depot.do(proxy.start())
        store = f'[store]\nurl = "{store_url}"\n'
        head = text.replace("[ocpp]", f"{store}[ocpp]")
        second = tmp_path / "elsewhere" / "site.toml"
        second.parent.mkdir()
        for path, ocpp, proxy in (
            (site.file, first_ocpp, batteries[0]),
            (second, second_ocpp, batteries[1]),
        ):
            mine = head.replace(f":{site.ocpp_port}", f":{ocpp}")
            path.write_text(mine.replace(f"port = {battery_port}", f"port = {proxy.port}"))
        write_schedule(tmp_path / "plan.csv")
        yield Pair(site, store_url, second, batteries, charger, second_ocpp)
        for proxy in (*batteries, charger):
            depot.do(proxy.stop())


def write_schedule(path: Path) -> None:
    """Write 40 quarter-hours in which everything changes all the time."""
    lines = ["timestamp,ev_a_kw,battery_charge_kw,battery_discharge_kw"]
    for slot in range(40):
        charge, discharge = ((12.5, 0), (0, 20))[slot % 2]
        at = f"2025-03-30T{slot // 4:02}:{slot % 4 * 15:02}:00+01:00"
        lines.append(f"{at},{(7.4, 11)[slot % 2]},{charge},{discharge}")
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")


def _controls(pair: Pair) -> int:
    return len(pair.site.control_frames()) + len(pair.site.writes())


@pytest.mark.timeout(200)
@pytest.mark.parametrize("store_url", ["postgres"] if POSTGRES else [], indirect=True)
@pytest.mark.parametrize("seed", range(ROUNDS))
def test_no_frame_of_the_old_engine_comes_behind_the_new_ones_first(pair: Pair, seed: int) -> None:
    """The first engine is stopped in the middle, and woken when the second has begun."""
    site, chance = pair.site, random.Random(seed)
    plan = ("--schedule", str(site.folder / "plan.csv"))
    how = ("--start-at", START, "--speed", "900")
    first = site.started("run", str(site.file), *plan, *how)
    enough = chance.randint(3, 12)
    wait_until(lambda: bool(site.control_frames()) and _controls(pair) >= enough, 60, (first,))
    first.send_signal(signal.SIGSTOP)
    before = _controls(pair)
    second = site.started("run", str(pair.second), "--take-over")
    site.depot.do(pair.charger.point(pair.second_ocpp))
    enough = before + chance.randint(1, 4)
    wait_until(lambda: _controls(pair) >= enough, 60, (second,))
    first.send_signal(signal.SIGCONT)
    assert first.wait(30) == 1
    both = len(site.control_frames())
    wait_until(lambda: _controls(pair) >= before + 8, 60, (second,))
    wait_until(lambda: len(site.control_frames()) > both, 60, (second,))
    second.send_signal(signal.SIGINT)
    assert second.wait(30) == 0
    assert "took the store over; this one has stopped" in (site.folder / "err.txt").read_text()
    assert_fenced(pair)


def _is_attempt(record: Record) -> bool:
    return isinstance(record.event, events.AttemptStarted)


def assert_fenced(pair: Pair) -> None:
    """Everything in the devices' logs is on record, and nothing old comes behind the new."""
    site = pair.site
    with reader_of(str(site.file)) as reader:
        records = list(reader.records())
        assert reader.verify().problems == ()
    battery = {AssetId("ast_battery"): (site.battery.wire_log.entries, HEARTBEAT)}
    found = judge(records, {"a": site.charger("a").wire_log.entries}, battery)
    assert found.violations == ()
    old, new = (
        [one.at_s for one in proxy.messages() if one.direction == "in" and one.action in WRITES]
        for proxy in pair.batteries
    )
    assert old
    assert new
    assert max(old) < min(new)
    engines = [one for one in records if isinstance(one.event, events.EngineStarted)]
    taken = engines[1].header.wall_us
    waited = taken + 2 * US_PER_S
    assert not [one for one in records if _is_attempt(one) and taken <= one.header.wall_us < waited]
    epochs = {
        one.event.attempt_id: one.header.epoch
        for one in records
        if isinstance(one.event, events.AttemptStarted)
    }
    seen = [
        epochs[str(entry.message_id).split(".", maxsplit=1)[0]]
        for entry in site.charger("a").wire_log.entries
        if entry.direction == "in" and entry.action in CONTROL_ACTIONS
    ]
    assert seen == sorted(seen)
    assert len(set(seen)) == 2
    assert taken > engines[0].header.wall_us
