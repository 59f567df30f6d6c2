"""The store: durable, locked, readable beside its writer, copied whole."""

import os
import sqlite3
from pathlib import Path

import pytest

from actors.store import SqliteStore, VersionConflict, file_system, open_store
from engine.codec import Row
from engine.errors import StoreError, StoreInUse, StoreMissing, StoreUnavailable


def rows(stream: str, count: int, first: int = 1) -> list[Row]:
    """Return rows of one stream."""
    return [Row(stream, first + n, "t", b"x%d" % n) for n in range(count)]


def test_rows_come_back_in_the_order_of_the_log(store_url: str) -> None:
    """Positions follow each other, over the pages of a long log too."""
    store = open_store(store_url)
    positions = [*store.append(rows("a", 3)), *store.append(rows("b", 6_000))]
    assert list(range(1, 6_004)) == positions
    assert positions == [row.position for row in store.read_all()]
    assert next(iter(store.read_all(after=4))).position == 5
    assert [row.version for row in store.read_stream("a")] == [1, 2, 3]
    assert [row.version for row in store.read_stream("a", after_version=2)] == [3]
    assert store.last_versions() == {"a": 3, "b": 6_000}
    assert store.last_position() == 6_003
    store.close()


def test_one_row_and_the_last_row_are_found(store_url: str) -> None:
    """What is not there is None."""
    store = open_store(store_url)
    store.append(rows("a", 2))
    assert Row("a", 2, "t", b"x1") == store.last_row("a")
    assert Row("a", 1, "t", b"x0") == store.row("a", 1)
    assert store.row("a", 3) is None
    assert store.last_row("b") is None
    store.close()


def test_a_version_that_is_there_refuses_the_whole_batch(store_url: str) -> None:
    """Nothing of the batch is stored."""
    store = open_store(store_url)
    store.append(rows("a", 1))
    with pytest.raises(VersionConflict):
        store.append([*rows("b", 1), *rows("a", 1)])
    assert store.last_versions() == {"a": 1}
    store.close()


def test_every_commit_waits_for_the_disk(tmp_path: Path) -> None:
    """WAL and synchronous=FULL are set on the connection that writes."""
    store = open_store(f"sqlite:///{tmp_path / 'a.db'}")
    assert isinstance(store, SqliteStore)
    assert store.pragmas() == ("wal", 2)
    store.close()


def test_a_second_writer_is_refused_until_the_first_has_closed(store_url: str) -> None:
    """The lock is the operating system's on a side file, or the database session's."""
    first = open_store(store_url)
    is_file = store_url.startswith("sqlite")
    holder = f"process {os.getpid()} holds a.db.lock" if is_file else r"held from .+ since 20\d\d-"
    with pytest.raises(StoreInUse, match=f"another engine has the store.*{holder}"):
        open_store(store_url)
    first.close()
    open_store(store_url).close()


def test_a_lock_that_nobody_signed_is_a_lock(tmp_path: Path) -> None:
    """As those of older versions, or on a full disk."""
    first = open_store(f"sqlite:///{tmp_path / 'a.db'}")
    (tmp_path / "a.db.lock").write_text("")
    with pytest.raises(StoreInUse, match=r"another engine has the store: a\.db\.lock is locked"):
        open_store(f"sqlite:///{tmp_path / 'a.db'}")
    first.close()


def test_a_reader_sees_what_is_committed_and_writes_nothing(store_url: str) -> None:
    """Beside the writer, and when it has gone."""
    writer = open_store(store_url)
    writer.append(rows("a", 1))
    reader = open_store(store_url, read_only=True)
    assert reader.last_position() == 1
    writer.append(rows("a", 1, first=2))
    assert reader.last_position() == 2
    with pytest.raises(StoreUnavailable):
        reader.append(rows("a", 1, first=3))
    reader.close()
    writer.close()
    again = open_store(store_url, read_only=True)
    assert again.last_position() == 2
    again.close()


def test_reading_what_is_not_there_makes_no_file(tmp_path: Path) -> None:
    """A typing error in a path is told, and leaves nothing behind."""
    with pytest.raises(StoreError, match="no store"):
        open_store(f"sqlite:///{tmp_path / 'no.db'}", read_only=True)
    assert not list(tmp_path.iterdir())


def test_places_and_urls_that_cannot_be_are_refused(tmp_path: Path) -> None:
    """A folder that is not there, a scheme that is not known, a file that is no database."""
    with pytest.raises(StoreError, match="folder"):
        open_store(f"sqlite:///{tmp_path / 'no' / 'a.db'}")
    with pytest.raises(StoreError, match="begins with sqlite:/// or postgresql://"):
        open_store("mysql://localhost/x")
    (tmp_path / "text.db").write_text("this is no database at all, " * 100)
    for read_only in (False, True):
        with pytest.raises(StoreMissing, match=r"text\.db is no store"):
            open_store(f"sqlite:///{tmp_path / 'text.db'}", read_only=read_only)
        with pytest.raises(StoreMissing, match="is a folder, not a store"):
            open_store(f"sqlite:///{tmp_path}", read_only=read_only)


def test_a_file_that_cannot_be_read_is_told_in_a_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever the operating system has against it."""
    open_store(f"sqlite:///{tmp_path / 'a.db'}").close()
    monkeypatch.setattr(Path, "open", lambda *_: (_ for _ in ()).throw(OSError(13, "not for you")))
    with pytest.raises(StoreUnavailable, match=r"a\.db cannot be read: not for you"):
        open_store(f"sqlite:///{tmp_path / 'a.db'}", read_only=True)


def test_a_store_is_read_where_nothing_can_be_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """From a medium that is only read, say: nothing is made beside it."""
    writer = open_store(f"sqlite:///{tmp_path / 'a b?.db'}")
    writer.append(rows("a", 2))
    writer.close()
    before = sorted(tmp_path.iterdir())
    monkeypatch.setattr("actors.store.places.os.access", lambda *_: False)
    reader = open_store(f"sqlite:///{tmp_path / 'a b?.db'}", read_only=True)
    assert reader.last_position() == 2
    assert before == sorted(tmp_path.iterdir())
    reader.close()


def test_a_place_that_takes_no_lock_is_told(tmp_path: Path) -> None:
    """A folder stands where the lock's file is to be."""
    (tmp_path / "a.db.lock").mkdir()
    with pytest.raises(StoreUnavailable, match=r"a\.db\.lock cannot be written"):
        open_store(f"sqlite:///{tmp_path / 'a.db'}")


def test_a_network_file_system_is_recognised(tmp_path: Path) -> None:
    """SQLite's locks do not hold there."""
    mounts = tmp_path / "mounts"
    mounts.write_text("/dev/a / ext4 rw 0 0\nserver:/x /mnt/depot nfs4 rw 0 0\n")
    assert file_system(Path("/mnt/depot/a.db"), mounts) == "nfs4"
    assert file_system(Path("/mnt/other/a.db"), mounts) == "ext4"
    assert not file_system(Path("/mnt"), tmp_path / "nowhere")


def test_a_locked_store_is_unavailable_and_no_more(tmp_path: Path) -> None:
    """Another process's lock is an error that makes trying again worth while."""
    store = open_store(f"sqlite:///{tmp_path / 'a.db'}")
    other = sqlite3.connect(tmp_path / "a.db", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(StoreUnavailable, match="locked"):
        store.append(rows("a", 1))
    other.execute("ROLLBACK")
    other.close()
    assert list(store.append(rows("a", 1))) == [1]
    store.close()


def test_a_backup_of_a_live_store_is_whole(store_url: str, tmp_path: Path) -> None:
    """What is written meanwhile is in it or not, but never half."""
    store = open_store(store_url)
    store.append(rows("a", 5_000))
    told: list[tuple[int, int]] = []
    store.backup(tmp_path / "b.db", lambda done, all_: told.append((done, all_)))
    store.append(rows("a", 1, first=5_001))
    copy = open_store(f"sqlite:///{tmp_path / 'b.db'}", read_only=True)
    assert copy.last_position() == 5_000
    assert told[-1][0] == told[-1][1]
    copy.close()
    store.close()


def test_a_full_disk_is_full_for_each_connection(tmp_path: Path) -> None:
    """Whichever of them has its turn, and until there is room: a second one is in use meanwhile."""
    store = open_store(f"sqlite:///{tmp_path / 'a.db'}")
    assert isinstance(store, SqliteStore)
    store.append([Row("a", 1, "t", b"x" * 50_000)])
    store.backup(tmp_path / "b.db", lambda *_: store.limit_pages(1))
    for _ in range(4):
        with pytest.raises(StoreUnavailable, match="full"):
            store.append([Row("a", 2, "t", b"x" * 50_000)])
    store.backup(tmp_path / "c.db", lambda *_: store.limit_pages(1_000_000))
    for version in range(2, 6):
        store.append([Row("a", version, "t", b"x" * 50_000)])
    store.close()


def test_a_store_in_memory_is_its_own(tmp_path: Path) -> None:
    """Two of them share nothing."""
    one, other = open_store("memory:"), open_store("memory:")
    one.append(rows("a", 1))
    assert one.last_position() == 1
    assert other.last_position() == 0
    one.close()
    other.close()
    assert not list(tmp_path.iterdir())


def test_snapshots_are_kept_one_a_stream(store_url: str) -> None:
    """The newest; they are no part of the log."""
    store = open_store(store_url)
    store.save_snapshots([Row("a", 1, "s", b"one"), Row("b", 2, "s", b"two")])
    store.save_snapshots([Row("a", 7, "s", b"seven")])
    assert sorted(store.snapshots(), key=lambda row: row.stream) == [
        Row("a", 7, "s", b"seven"),
        Row("b", 2, "s", b"two"),
    ]
    assert store.snapshot("b") == Row("b", 2, "s", b"two")
    assert store.snapshot("c") is None
    assert store.last_position() == 0
    store.close()


def test_an_empty_batch_is_no_transaction(store_url: str) -> None:
    """There is nothing to store."""
    store = open_store(store_url)
    assert list(store.append([])) == []
    store.close()
