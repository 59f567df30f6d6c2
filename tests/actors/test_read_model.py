"""The read model: it says what the log says, at once, and can be made anew."""

import contextlib
import itertools
import sqlite3
import threading
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest
from click.testing import CliRunner
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from actors import following, read_model
from actors.cli import setpoint
from actors.following import Follower, rebuild
from actors.kept import Fold
from actors.read_model import ReadModel
from actors.reading import VOCABULARY, Reader
from actors.store import Store, open_store
from actors.store.tables import SqliteTables, open_tables, place_of
from actors.testing.instant import opened
from actors.testing.logs import depot_log
from actors.testing.mixed import SOME_FILTERS, mixed_log
from actors.testing.records import charger, recorded
from actors.testing.waiting import wait_until
from actors.verifying import verify_store
from engine import events
from engine.codec import Codec, Row
from engine.commands import CommandStatus
from engine.errors import StoreUnavailable
from engine.history import Filters, histories
from engine.history.kept import Head
from engine.history.rows import encode
from engine.types import CommandId

CODEC = Codec(VOCABULARY)
MIXED = [
    replace(CODEC.encode(one.header, one.event), version=n)
    for n, one in enumerate(mixed_log(), start=1)
]
LOG = depot_log(3, 6, 4).rows
FILTERS = (Filters(), *SOME_FILTERS, *(Filters(status=one) for one in CommandStatus))


def no_progress(done: int, total: int) -> None:
    """Say nothing."""
    del done, total


@pytest.fixture
def store(store_url: str) -> Iterator[Store]:
    """Give a store with the log of a small depot."""
    made = open_store(store_url)
    made.append(LOG)
    yield made
    made.close()


def followed(rows: list[Row], batch: int) -> tuple[ReadModel, Store]:
    """Return a model in memory that knows a log, read by so many rows at a time."""
    store = open_store("memory:")
    model = ReadModel(SqliteTables(":memory:"))
    fold = Fold()
    for first in range(0, len(rows), batch):
        store.append(rows[first : first + batch])
        if first % 3:
            fold = Fold()
        model.follow(store, CODEC, fold)
    return model, store


@settings(deadline=None)
@given(known=st.integers(0, len(MIXED)), batch=st.integers(1, 12), filters=st.sampled_from(FILTERS))
def test_it_says_what_the_log_says_wherever_it_stands(
    known: int, batch: int, filters: Filters
) -> None:
    """What it knows and what came after give the same commands as the whole log."""
    model, store = followed(MIXED[:known], batch)
    store.append(MIXED[known:])
    tail = [CODEC.decode(row) for row in store.read_all(model.mark.position)]
    assert len(tail) == len(MIXED) - known
    assert tuple(model.commands(filters, tail)) == tuple(histories(mixed_log(), filters))
    model.close()
    store.close()


def test_what_comes_after_a_command_is_over_is_kept_too() -> None:
    """It was let go of at its end, and who follows goes on with what it has in hand."""
    rig = charger()
    rig.answer()
    (over, *_) = histories(recorded(rig))
    assert over.status is CommandStatus.COMPLETED
    tallied = events.PowerTallied(CommandId(over.id), 0, 900, 3_000, 900, 2_700, 0, 0, 0)
    rig.events.append(tallied)
    rig.times.append(rig.times[-1])
    records = recorded(rig)
    store, model, fold = open_store("memory:"), ReadModel(SqliteTables(":memory:")), Fold()
    for record in records:
        store.append([CODEC.encode(record.header, record.event)])
        model.follow(store, CODEC, fold)
    (found, *_) = model.commands(Filters(), ())
    assert found.measured_s is not None
    assert found == histories(records)[0]
    model.close()
    store.close()


def test_it_is_used_where_there_is_one(
    store: Store, store_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The log itself is read only behind its position."""
    reader = Reader(store, CODEC, place_of(store_url))
    whole = reader.history()
    assert len(whole) == 18
    assert rebuild(place_of(store_url), store, CODEC, no_progress) == len(LOG)
    asked: list[int] = []
    read_all = store.read_all

    def watched(after: int = 0) -> Iterator[Row]:
        asked.append(after)
        return read_all(after)

    monkeypatch.setattr(store, "read_all", watched)
    assert reader.history() == whole
    assert reader.command(whole[3].id) == whole[3]
    assert asked
    assert min(asked) == store.last_position()


def test_a_model_of_another_log_is_not_used_and_is_made_anew(
    store: Store, store_url: str, tmp_path: Path
) -> None:
    """A file that was restored from a backup beside a newer model, say."""
    other = open_store(f"sqlite:///{tmp_path / 'other.db'}")
    other.append(depot_log(1, 9, 4).rows)
    rebuild(place_of(store_url), other, CODEC, no_progress)
    other.close()
    reader = Reader(store, CODEC, place_of(store_url))
    assert reader.history() == histories(reader.records())
    tables = open_tables(place_of(store_url))
    assert tables is not None
    model = ReadModel(tables)
    while model.follow(store, CODEC, Fold()):
        pass
    assert model.fits(model.mark, store)
    assert model.mark.position == store.last_position()
    assert reader.history() == histories(reader.records())
    model.close()


def test_a_model_that_cannot_be_read_is_done_without(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """It is disposable, and says so."""
    url = f"sqlite:///{tmp_path / 'a.db'}"
    store = open_store(url)
    store.append(LOG)
    (tmp_path / "a.read.db").write_bytes(b"no database at all" * 100)
    assert len(Reader(store, CODEC, place_of(url)).history()) == 18
    assert "the whole log is read" in caplog.text
    assert rebuild(place_of(url), store, CODEC, no_progress) == len(LOG)
    assert "is damaged" in caplog.text
    caplog.clear()
    assert len(Reader(store, CODEC, place_of(url)).history()) == 18
    assert not caplog.text
    store.close()


def test_a_model_that_is_just_being_made_is_as_none(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """There is a file, and nothing in it yet: the log is read, and nothing is wrong with it."""
    url = f"sqlite:///{tmp_path / 'a.db'}"
    store = open_store(url)
    store.append(LOG)
    with contextlib.closing(sqlite3.connect(tmp_path / "a.read.db")) as session:
        session.execute("PRAGMA journal_mode=WAL")
    assert open_tables(place_of(url), read_only=True) is None
    assert len(Reader(store, CODEC, place_of(url)).history()) == 18
    assert verify_store(store, CODEC, model_url=place_of(url)).problems == ()
    assert not caplog.text
    store.close()


@pytest.mark.parametrize("table", ["commands", "plans", "heads"])
def test_a_model_with_a_damaged_row_is_done_without_and_made_anew(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, table: str
) -> None:
    """Also when the row could still be read, and would say something else."""
    url = f"sqlite:///{tmp_path / 'a.db'}"
    store = open_store(url)
    store.append(LOG)
    rebuild(place_of(url), store, CODEC, no_progress)
    tables = SqliteTables(str(tmp_path / "a.read.db"))
    for number, data in tables.rows(f"SELECT rowid, state FROM {table}"):  # noqa: S608 - our own
        value = data[:-1] + bytes([data[-1] ^ 1])
        tables.run(f"UPDATE {table} SET state = ? WHERE rowid = ?", [(value, number)])  # noqa: S608 - our own
    tables.close()
    whole = histories(map(CODEC.decode, LOG))
    assert Reader(store, CODEC, place_of(url)).history() == whole
    assert "the read model is damaged" in caplog.text
    assert "the whole log is read" in caplog.text
    found = Reader(store, CODEC, place_of(url)).verify()
    assert any("the read model" in one.what for one in found.problems)
    store.close()


def test_damaged_names_are_told(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """They say which assets a schedule is for."""
    url = f"sqlite:///{tmp_path / 'a.db'}"
    store = open_store(url)
    store.append(LOG)
    rebuild(place_of(url), store, CODEC, no_progress)
    tables = SqliteTables(str(tmp_path / "a.read.db"))
    tables.run("UPDATE names SET names = CAST(? || id AS BLOB)", [("x",)])
    tables.run("UPDATE heads SET state = ?", [(encode(Head()),)])
    tables.close()
    assert Reader(store, CODEC, place_of(url)).history() == histories(map(CODEC.decode, LOG))
    assert "damaged: names of a schedule; the whole log is read" in caplog.text
    store.close()


def test_a_follower_makes_a_damaged_model_anew(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """At the next commit of an asset of which something is damaged."""
    url = f"sqlite:///{tmp_path / 'a.db'}"
    store = open_store(url)
    half = len(LOG) // 2
    store.append(LOG[:half])
    rebuild(place_of(url), store, CODEC, no_progress)
    tables = SqliteTables(str(tmp_path / "a.read.db"))
    tables.run("UPDATE heads SET state = ?", [(b"damaged",)])
    tables.close()
    store.append(LOG[half:])
    follower = Follower(place_of(url), store, CODEC)
    follower.start()
    follower.close(20)
    assert "it is made anew" in caplog.text
    caplog.clear()
    reader = Reader(store, CODEC, place_of(url))
    assert reader.history() == histories(map(CODEC.decode, LOG))
    assert not caplog.text
    store.close()


def test_what_another_version_kept_is_made_anew(tmp_path: Path) -> None:
    """Nothing of it is taken for what this version keeps."""
    store = open_store("memory:")
    store.append(LOG)
    tables = SqliteTables(str(tmp_path / "a.read.db"))
    model = ReadModel(tables)
    model.follow(store, CODEC, Fold())
    mark = msgspec.msgpack.encode(replace(model.mark, version=0))
    tables.run("UPDATE meta SET value = ?", [(mark,)])
    tables.run("UPDATE heads SET state = ?", [(b"older",)])
    assert model.mark.position == 0
    model.follow(store, CODEC, Fold())
    assert tuple(model.commands(Filters(), ())) == tuple(histories(map(CODEC.decode, LOG)))
    model.close()
    store.close()


def test_it_is_kept_beside_an_engine(tmp_path: Path) -> None:
    """After a clean stop nothing of the log is left to be read."""
    with opened(tmp_path):
        pass
    url = f"sqlite:///{tmp_path / 't.db'}"
    store = open_store(url, read_only=True)
    tables = open_tables(place_of(url), read_only=True)
    assert tables is not None
    model = ReadModel(tables)
    assert model.mark.position == store.last_position() > 0
    model.close()
    store.close()


def test_a_follower_goes_on_where_another_was(
    store: Store, store_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever follows as well, each row is taken once."""
    monkeypatch.setattr(read_model, "BATCH", 7)
    tables = open_tables(place_of(store_url))
    assert tables is not None
    model = ReadModel(tables)
    folds = (Fold(), Fold())
    for fold in itertools.islice(itertools.cycle(folds), 4):
        model.follow(store, CODEC, fold)
    assert model.mark.position > 0
    model.close()
    follower = Follower(place_of(store_url), store, CODEC)
    follower.start()
    follower.close(20)
    reader = Reader(store, CODEC, place_of(store_url))
    assert reader.history() == histories(reader.records())


class Rests(threading.Event):
    """Lets time pass instead of waiting, and keeps how long that was."""

    def __init__(self, clock: list[float]) -> None:
        """Begin unset."""
        super().__init__()
        self.clock = clock
        self.taken_s: list[float] = []

    def wait(self, timeout: float | None = None) -> bool:
        """Rest."""
        self.taken_s.append(round(timeout or 0.0, 6))
        self.clock[0] += timeout or 0.0
        return self.is_set()


def test_a_follower_rests_beside_an_engine_that_is_busy(
    store: Store, store_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nine times as long as it worked; once it is near enough, until there is nothing to do."""
    clock, read_all = [1_000.0], store.read_all

    def slowly(after: int = 0) -> Iterator[Row]:
        clock[0] += 0.01
        return read_all(after)

    monkeypatch.setattr(store, "read_all", slowly)
    monkeypatch.setattr(following, "steady_s", lambda: clock[0])
    monkeypatch.setattr(following, "_QUIET_S", 5.0)
    monkeypatch.setattr(following, "_BEHIND", len(LOG) - 20)
    monkeypatch.setattr(read_model, "BATCH", 10)
    follower = Follower(place_of(store_url), store, CODEC)
    follower._closing = rests = Rests(clock)  # noqa: SLF001 - nothing else shows how long it rests
    follower.committed([CODEC.decode(row) for row in store.read_all()])
    follower.start()
    wait_until(lambda: len(rests.taken_s) >= 3)
    follower.close(20)
    assert rests.taken_s == [0.09, 0.09, 4.79]  # 5 s behind the commit


def test_a_follower_outlives_a_store_that_was_away(
    store: Store,
    store_url: str,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """It says so once, and goes on with the next commit."""
    away = threading.Event()
    away.set()
    read_all = store.read_all

    def read(after: int = 0) -> Iterator[Row]:
        if away.is_set():
            raise StoreUnavailable("away")
        return read_all(after)

    monkeypatch.setattr(store, "read_all", read)
    follower = Follower(place_of(store_url), store, CODEC)
    follower.start()
    for _ in range(2):
        follower.committed(())
        wait_until(lambda: "the read model is behind: away" in caplog.text)
    away.clear()
    follower.committed(())
    follower.close(20)
    assert caplog.text.count("behind") == 1
    tables = open_tables(place_of(store_url), read_only=True)
    assert tables is not None
    assert ReadModel(tables).mark.position == store.last_position()
    tables.close()


def test_the_verb_makes_it_anew(tmp_path: Path) -> None:
    """And says what it read."""
    url = f"sqlite:///{tmp_path / 'a.db'}"
    store = open_store(url)
    store.append(LOG)
    store.close()
    done = CliRunner().invoke(setpoint, ["rebuild", str(tmp_path / "a.db")])
    assert done.exit_code == 0
    assert f"a.read.db: {len(LOG)} rows" in done.stdout
    assert CliRunner().invoke(setpoint, ["rebuild", str(tmp_path / "none.db")]).exit_code == 1
