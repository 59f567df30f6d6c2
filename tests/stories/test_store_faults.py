"""P7: no store, no new attempt. Devices are answered meanwhile, and it goes on by itself."""

import os
import sqlite3
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from shutil import rmtree
from tempfile import mkdtemp
from typing import Any, Final

import attrs
import pandas as pd
import pytest

import actors.running
from actors.clock import wall_now
from actors.store import Store, open_store
from actors.system import ActorSystem
from actors.testing.faulty_store import FaultyStore
from actors.testing.postgres import PostgresServer, postgres_server
from actors.testing.promises import Judgement, judge
from actors.testing.site import TestSite, simulated_site
from actors.testing.waiting import wait_until
from engine import events
from engine.bus import Event
from engine.codec import Record
from engine.types import AssetId, to_us

AWAY_S: Final = float(os.environ.get("SETPOINT_STORE_AWAY_S", "3"))
"""How long the store is away; 30 by option."""
POSTGRES: Final = os.environ.get("SETPOINT_TEST_POSTGRES")
SMALL_DISK: Final = os.environ.get("SETPOINT_TEST_SMALL_DISK")
"""A folder on a small file system (a tmpfs of some megabytes) that may be filled."""
BACK_S: Final = 10.0
LOST: Final = "nothing is sent until it can be"
HEARTBEAT: Final = frozenset({30})
SLOT_S: Final = 2
_UNDER_WAY_S: Final = 3.0  # what was committed may be sent for a second yet, and is seen later


@attrs.define
class Engine:
    """An engine in this process on simulated devices, and what its people were told."""

    site: TestSite
    system: ActorSystem
    store: FaultyStore
    told: list[Event] = attrs.field(factory=list)

    def control_frames_since(self, wall_us: int) -> list[object]:
        """Return what came to the devices after a moment and changes what they do."""
        found = [*self.site.control_frames(), *self.site.writes()]
        return [
            one
            for one in found
            if to_us(datetime.fromisoformat(one.t)) > wall_us and not _is_heartbeat(one.payload)
        ]

    def answered(self) -> tuple[int, int]:
        """Return how many answers the charger and how many polls the battery has had."""
        charger = self.site.charger("a").wire_log.entries
        battery = self.site.battery.wire_log.entries
        return (
            sum((one.direction, one.action) == ("in", "Heartbeat") for one in charger),
            sum((one.direction, one.action) == ("in", 3) for one in battery),
        )

    def records(self) -> list[Record]:
        """Return the whole log."""
        return list(self.system.events())

    def judged(self) -> Judgement:
        """Hold the log against the devices."""
        chargers = {key: self.site.charger(key).wire_log.entries for key in self.site.keys}
        battery = {AssetId("ast_battery"): (self.site.battery.wire_log.entries, HEARTBEAT)}
        return judge(self.records(), chargers, battery)


def _is_heartbeat(payload: Any) -> bool:  # noqa: ANN401 - as a wire log has it
    return isinstance(payload, dict) and payload.get("address") in HEARTBEAT


@contextmanager
def running(folder: Path, url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Engine]:
    """Open an engine on a store that a test can get at."""
    opened: list[FaultyStore] = []

    def opening(url: str, *, take_over: bool = False) -> Store:
        opened.append(FaultyStore(open_store(url, take_over=take_over)))
        return opened[-1]

    monkeypatch.setattr(actors.running, "open_store", opening)
    extra = f'heartbeat_seconds = 1\n[store]\nurl = "{url}"\n'
    with (
        simulated_site(folder, ("a", "b"), extra=extra) as site,
        ActorSystem.open(site.file) as system,
    ):
        engine = Engine(site, system, opened[-1])
        system.subscribe(engine.told.append)
        yield engine


def plan(slots: int) -> pd.DataFrame:
    """Return slots of two seconds in which everything changes, from a moment from now on."""
    start = wall_now() + timedelta(seconds=1)
    index = pd.date_range(start, periods=slots, freq=f"{SLOT_S}s")
    return pd.DataFrame(
        {
            "ev_a_kw": [(7.4, 11.0)[n % 2] for n in range(slots)],
            "ev_b_kw": [(3.6, 4.6)[n % 2] for n in range(slots)],
            "battery_charge_kw": [(12.5, 0.0)[n % 2] for n in range(slots)],
            "battery_discharge_kw": [(0.0, 20.0)[n % 2] for n in range(slots)],
        },
        index=index,
    )


@contextmanager
def locked(engine: Engine, folder: Path) -> Iterator[None]:
    """Somebody else holds the file's write lock."""
    del engine
    other = sqlite3.connect(folder / "a.db", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    yield
    other.execute("ROLLBACK")
    other.close()


@contextmanager
def full(engine: Engine, folder: Path) -> Iterator[None]:
    """The disk is full, by SQLite's own limit of pages (SQLITE_FULL)."""
    with sqlite3.connect(folder / "a.db") as other:
        pages = other.execute("PRAGMA page_count").fetchone()[0]
    other.close()
    inner: Any = engine.store.inner
    inner.limit_pages(pages)
    yield
    inner.limit_pages(1_000_000_000)


@contextmanager
def slow(engine: Engine, folder: Path) -> Iterator[None]:
    """An append takes as long as the fault lasts."""
    del folder
    engine.store.gate.clear()
    yield
    engine.store.gate.set()


@contextmanager
def failing(engine: Engine, folder: Path) -> Iterator[None]:
    """Every append fails."""
    del folder
    engine.store.before = 1_000_000
    yield
    engine.store.before = 0


@pytest.mark.timeout(150 + 4 * AWAY_S)
@pytest.mark.parametrize("fault", [locked, full, slow, failing])
def test_without_a_store_nothing_new_is_sent_and_it_goes_on_by_itself(
    fault: Any,  # noqa: ANN401 - one of the functions above
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Locked, full, slow and failing."""
    with running(tmp_path, f"sqlite:///{tmp_path / 'a.db'}", monkeypatch) as engine:
        noticed = (lambda: True) if fault is slow else (lambda: LOST in caplog.text)
        live_through(engine, fault(engine, tmp_path), noticed)
        assert_told_of(engine, lost=fault is not slow)


def live_through(
    engine: Engine,
    fault: Any,  # noqa: ANN401 - a context manager
    noticed: Callable[[], bool],
) -> None:
    """Let a fault come and go while the schedule runs; ``noticed`` is whether it has come."""
    system = engine.system
    system.submit(plan(round(AWAY_S) + 13))
    wait_until(lambda: len(engine.control_frames_since(0)) > 6)
    tick = threading.Event()
    with fault:
        wait_until(noticed)  # a full disk may have room for a little yet
        tick.wait(_UNDER_WAY_S)
        began_us = to_us(wall_now())
        charger, battery = engine.answered()
        engine.site.depot.do(engine.site.charger("b").connector(1).unplug())
        tick.wait(AWAY_S)
        wait_until(lambda: engine.answered()[0] > charger and engine.answered()[1] > battery)
        assert engine.control_frames_since(began_us) == []
        lifted_us = to_us(wall_now())
        before = len(engine.told)
    wait_until(lambda: len(engine.told) > before, BACK_S)
    wait_until(lambda: bool(engine.control_frames_since(lifted_us)), BACK_S)
    wait_until(system.is_done, 3 * AWAY_S + 60)
    assert_in_order(engine, lifted_us)


def assert_in_order(engine: Engine, lifted_us: int) -> None:
    """Nothing that was told is lost; what was due after the fault is COMPLETED."""
    records = engine.records()
    positions = {one.position for one in records}
    assert {one.position for one in engine.told if one.position is not None} <= positions
    assert engine.judged().violations == ()
    assert engine.system.verify().problems == ()
    later = [
        one
        for one in engine.system.history(cause="schedule")
        if to_us(one.due_at) > lifted_us + 1_000_000 * BACK_S and one.asset_id != "ast_b"
    ]
    assert later
    assert {one.status.value for one in later} == {"COMPLETED"}


def assert_told_of(engine: Engine, *, lost: bool) -> None:
    """People and the record hear of a store that was away, one that was only slow is none."""
    kinds = [type(one.event) for one in engine.records()]
    assert kinds.count(events.StoreLost) == lost
    assert kinds.count(events.StoreBack) == lost
    alarms = [one for one in engine.told if one.data.get("alarm") == "store_lost"]
    assert len(alarms) == lost


@pytest.mark.timeout(150)
def test_replies_that_are_lost_after_the_commit_store_and_send_nothing_twice(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each is found out about, and the run goes on."""
    with running(tmp_path, f"sqlite:///{tmp_path / 'a.db'}", monkeypatch) as engine:
        engine.system.submit(plan(16))
        for _ in range(5):
            engine.store.after = 1
            wait_until(lambda: engine.store.after == 0)
            seen = len(engine.control_frames_since(0))
            wait_until(partial(_more_than, engine, seen))
        wait_until(engine.system.is_done, 80)
        assert engine.judged().violations == ()
        assert engine.system.verify().problems == ()
        done = {one.status.value for one in engine.system.history(cause="schedule")}
        assert done <= {"COMPLETED", "CANCELLED"}
        assert [type(one.event) for one in engine.records()].count(events.StoreBack) >= 5


def _more_than(engine: Engine, seen: int) -> bool:
    return len(engine.control_frames_since(0)) > seen


@pytest.fixture
def server() -> Iterator[PostgresServer]:
    """Give a PostgreSQL server that can be stopped."""
    with postgres_server() as made:
        yield made


@contextmanager
def stopped(server: PostgresServer) -> Iterator[None]:
    """The server is stopped, and started again."""
    server.stop()
    yield
    server.start()


@pytest.mark.timeout(180 + 4 * AWAY_S)
@pytest.mark.parametrize("store", ["postgres"] if POSTGRES else [])
def test_a_server_that_is_stopped_and_started_is_waited_for(
    store: str,
    server: PostgresServer,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """PostgreSQL ends as in a crash, and comes back."""
    with running(tmp_path, f"{server.url}?schema={store}", monkeypatch) as engine:
        live_through(engine, stopped(server), lambda: LOST in caplog.text)
        assert_told_of(engine, lost=True)


@contextmanager
def filled(folder: Path) -> Iterator[None]:
    """The file system has no room left."""
    ballast = folder / "ballast"
    with ballast.open("wb", buffering=0) as file, suppress(OSError):
        while True:
            file.write(bytes(4_096))
    yield
    ballast.unlink()


@pytest.mark.timeout(150 + 4 * AWAY_S)
@pytest.mark.parametrize("disk", [SMALL_DISK] if SMALL_DISK else [])
def test_a_file_system_without_room_is_waited_out(
    disk: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Only where ``SETPOINT_TEST_SMALL_DISK`` names one."""
    folder = Path(mkdtemp(dir=disk))
    with running(tmp_path, f"sqlite:///{folder / 'a.db'}", monkeypatch) as engine:
        live_through(engine, filled(Path(disk)), lambda: LOST in caplog.text)
        assert_told_of(engine, lost=True)
    rmtree(folder)
