"""A store of 100,000 events, tampered with in every way: verify names the row."""

import shutil
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Final, TypeAlias

import msgspec
import pytest
from msgspec.structs import replace

from actors.accepted import FIELDS, SCHEDULES, encode_accepted
from actors.following import rebuild
from actors.kept import MARK
from actors.reading import VOCABULARY, Reader
from actors.recovery import recover
from actors.snapshots import Snapshots
from actors.store import open_store
from actors.store.tables import place_of
from actors.testing.logs import asset_name, depot_log
from engine.asset import snapshot
from engine.codec import Codec, Row
from engine.seals import SealMark
from engine.verification import Verification

pytestmark = pytest.mark.timeout(120)

ASSETS: Final = 500
CODEC: Final = Codec(VOCABULARY)
NOBODY: Final = Row("", 0, "", b"")
BAY: Final = asset_name(7)
OTHER: Final = asset_name(8)
LAST: Final = 5 + 2 * 98
"""The last version of every asset's stream."""

AHEAD: Final = "the snapshot is of a version that its stream does not have"

Tampering: TypeAlias = Callable[[sqlite3.Connection], object]


@pytest.fixture(scope="module")
def untouched(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give a store of 100,000 events and the snapshots of all its assets."""
    path = tmp_path_factory.mktemp("depot") / "depot.db"
    store = open_store(f"sqlite:///{path}")
    rows = depot_log(ASSETS, 98, 1_000).rows
    store.append(rows)
    assert len(rows) > 100_000
    snapshots = Snapshots(store, {})
    recovery = recover(Reader(store, CODEC))
    for state in recovery.assets.values():
        snapshots.offer(state)
    snapshots.write(everything=True)
    store.close()
    return path


def verified(path: Path, *known: SealMark) -> Verification:
    """Return what is found in a store."""
    store = open_store(f"sqlite:///{path}", read_only=True)
    try:
        return Reader(store, CODEC).verify(known)
    finally:
        store.close()


def found_in(untouched: Path, folder: Path, tamper: Tampering) -> list[str]:
    """Return what is found in a copy that was tampered with."""
    copy = folder / "copy.db"
    shutil.copy(untouched, copy)
    connection = sqlite3.connect(copy)
    with connection:
        tamper(connection)
    connection.close()
    found = verified(copy)
    assert found.ok is not bool(found.problems)
    return [str(one) for one in found.problems]


def test_an_untouched_store_passes(untouched: Path) -> None:
    """All of it was looked at."""
    found = verified(untouched)
    assert found.problems == ()
    assert (found.assets, found.streams) == (ASSETS, ASSETS + 2)
    assert found.rows == 100_000 + 500 + 2 + found.seals


def test_a_backup_passes(untouched: Path, tmp_path: Path) -> None:
    """Its last seal is the store's own."""
    store = open_store(f"sqlite:///{untouched}", read_only=True)
    store.backup(tmp_path / "copy.db", lambda *_: None)
    store.close()
    found = verified(tmp_path / "copy.db")
    assert found.ok
    assert found.last_seal == verified(untouched).last_seal


def position_of(connection: sqlite3.Connection, stream: str, version: int) -> int:
    """Return where a row stands in the log."""
    found = connection.execute(
        "SELECT rowid FROM stored_events WHERE originator_id=? AND originator_version=?",
        (stream, version),
    ).fetchone()
    return int(found[0])


def test_a_changed_byte_is_named(untouched: Path, tmp_path: Path) -> None:
    """By position, stream and version."""
    where = []

    def tamper(connection: sqlite3.Connection) -> None:
        position = position_of(connection, BAY, 50)
        where.append(position)
        (state,) = connection.execute(
            "SELECT state FROM stored_events WHERE rowid=?", (position,)
        ).fetchone()
        changed = state[:-40] + bytes([state[-40] ^ 1]) + state[-39:]
        connection.execute("UPDATE stored_events SET state=? WHERE rowid=?", (changed, position))

    (problem,) = found_in(untouched, tmp_path, tamper)
    assert problem.startswith(f"position {where[0]}, stream {BAY}, version 50: ")
    assert "was changed after it was sealed" in problem


@pytest.mark.parametrize("version", [1, 50, LAST])
def test_a_missing_event_is_named(untouched: Path, tmp_path: Path, version: int) -> None:
    """The first, one in the middle, the last of a stream."""
    (problem,) = found_in(
        untouched,
        tmp_path,
        lambda one: one.execute(
            "DELETE FROM stored_events WHERE originator_id=? AND originator_version=?",
            (BAY, version),
        ),
    )
    assert problem.startswith(f"stream {BAY}, version {version}: missing: row ")


def test_a_missing_stream_is_named(untouched: Path, tmp_path: Path) -> None:
    """Every event of it, as the site named its asset."""
    problems = found_in(
        untouched,
        tmp_path,
        lambda one: one.execute("DELETE FROM stored_events WHERE originator_id=?", (BAY,)),
    )
    assert problems[0].startswith(f"stream {BAY}, version 1: missing: row ")
    assert all(f"stream {BAY}," in one for one in problems)


def swap(connection: sqlite3.Connection, column: str) -> None:
    """Swap one column of two events of a stream that follow each other."""
    first, second = (position_of(connection, BAY, version) for version in (60, 61))
    select = f"SELECT {column} FROM stored_events WHERE rowid=?"  # noqa: S608 - a test's own
    one, other = (connection.execute(select, (at,)).fetchone()[0] for at in (first, second))
    update = f"UPDATE stored_events SET {column}=? WHERE rowid=?"  # noqa: S608 - a test's own
    for value, position in ((-1, first), (one, second), (other, first)):
        connection.execute(update, (value, position))


def test_swapped_payloads_are_named(untouched: Path, tmp_path: Path) -> None:
    """Both rows."""
    problems = found_in(untouched, tmp_path, lambda one: swap(one, "state"))
    assert [one.split(": ")[0].split(", ", 1)[1] for one in problems] == [
        f"stream {BAY}, version {version}" for version in (60, 61)
    ]


def test_swapped_versions_are_named(untouched: Path, tmp_path: Path) -> None:
    """Each row says that it was moved."""
    problems = found_in(untouched, tmp_path, lambda one: swap(one, "originator_version"))
    assert {one.split(": ")[0].split(", ", 1)[1] for one in problems} == {
        f"stream {BAY}, version {version}" for version in (60, 61)
    }


def test_swapped_rows_are_named(untouched: Path, tmp_path: Path) -> None:
    """Whole rows that changed places in the log."""

    def tamper(connection: sqlite3.Connection) -> None:
        first, second = (position_of(connection, BAY, version) for version in (60, 61))
        for old, new in ((first, -1), (second, first), (-1, second)):
            connection.execute("UPDATE stored_events SET rowid=? WHERE rowid=?", (new, old))

    problems = found_in(untouched, tmp_path, tamper)
    assert {one.split(": ")[0].split(", ", 1)[1] for one in problems} == {
        f"stream {BAY}, version {version}" for version in (60, 61)
    }


def test_a_removed_seal_is_named(untouched: Path, tmp_path: Path) -> None:
    """One in the middle of the log."""
    (problem,) = found_in(
        untouched,
        tmp_path,
        lambda one: one.execute(
            "DELETE FROM stored_events WHERE originator_id='log' AND originator_version=40"
        ),
    )
    assert problem.startswith("stream log, version 40: missing: seal 40")


def test_rows_cut_off_at_the_end_show_against_a_seal_that_was_noted(
    untouched: Path, tmp_path: Path
) -> None:
    """Without one nothing can tell."""
    noted = verified(untouched).last_seal
    assert noted is not None
    copy = tmp_path / "copy.db"
    shutil.copy(untouched, copy)
    with sqlite3.connect(copy) as connection:
        (last,) = connection.execute(
            "SELECT rowid FROM stored_events WHERE originator_id='log' "
            "ORDER BY originator_version DESC LIMIT 1 OFFSET 1"
        ).fetchone()
        connection.execute("DELETE FROM stored_events WHERE rowid>?", (last,))
        connection.execute("DELETE FROM snapshots")
    connection.close()
    assert verified(copy).ok
    (problem,) = verified(copy, noted).problems
    assert (
        str(problem)
        == f"stream log, version {noted.n}: missing: the log ends with seal {noted.n - 1}"
    )


def test_a_stale_snapshot_is_named(untouched: Path, tmp_path: Path) -> None:
    """An older state that says that it is the newest."""

    def tamper(connection: sqlite3.Connection) -> None:
        (body,) = connection.execute(
            "SELECT state FROM snapshots WHERE originator_id=?", (OTHER,)
        ).fetchone()
        state = snapshot.decode(body)
        assert state is not None
        stale = snapshot.encode(replace(state, form=state.form + 1))
        connection.execute("UPDATE snapshots SET state=? WHERE originator_id=?", (stale, OTHER))

    assert found_in(untouched, tmp_path, tamper) == [
        f"stream {OTHER}, version {LAST}: the snapshot is not the state that the events lead to"
    ]


def test_a_snapshot_that_is_damaged_or_ahead_is_named(untouched: Path, tmp_path: Path) -> None:
    """A start passes over the first; the second would hide what happens next."""

    def tamper(connection: sqlite3.Connection) -> None:
        connection.execute("UPDATE snapshots SET state=x'93' WHERE originator_id=?", (OTHER,))
        connection.execute(
            "UPDATE snapshots SET originator_version=? WHERE originator_id=?", (LAST + 1, BAY)
        )

    assert found_in(untouched, tmp_path, tamper) == [
        f"stream {OTHER}, version {LAST}: the snapshot cannot be read",
        f"stream {BAY}, version {LAST + 1}: {AHEAD}",
    ]


def modelled(untouched: Path, folder: Path, tamper: Tampering) -> list[str]:
    """Return what is found in a copy whose read model was tampered with."""
    copy = folder / "copy.db"
    shutil.copy(untouched, copy)
    url = f"sqlite:///{copy}"
    store = open_store(url, read_only=True)
    rebuild(place_of(url), store, CODEC, lambda *_: None)
    connection = sqlite3.connect(folder / "copy.read.db")
    with connection:
        tamper(connection)
    connection.close()
    found = Reader(store, CODEC, place_of(url)).verify()
    store.close()
    return [str(one) for one in found.problems]


def test_a_read_model_that_agrees_passes(untouched: Path, tmp_path: Path) -> None:
    """It is made anew and compared."""
    assert modelled(untouched, tmp_path, lambda connection: connection.execute("SELECT 1")) == []


def of_another_version(connection: sqlite3.Connection) -> None:
    """Let another version have kept the model, in other words."""
    ((data,),) = connection.execute("SELECT value FROM meta WHERE key = 'mark'").fetchall()
    mark = msgspec.msgpack.encode(replace(MARK.decode(data), version=0))
    connection.execute("UPDATE meta SET value = ? WHERE key = 'mark'", (mark,))
    connection.execute("UPDATE commands SET state = ?", (b"older",))


def test_a_read_model_of_another_version_is_passed_over(untouched: Path, tmp_path: Path) -> None:
    """Nobody reads it, and the next engine makes it anew: after an update nothing is wrong."""
    assert modelled(untouched, tmp_path, of_another_version) == []


@pytest.mark.parametrize(
    ("statement", "what"),
    [
        (
            "UPDATE commands SET status='FAILED' WHERE asset='ast_bay_7' AND id LIKE '%.6.3'",
            f"stream {BAY}: the read model disagrees about cmd_1.6.3",
        ),
        (
            "DELETE FROM commands WHERE asset='ast_bay_7' AND id IN ('cmd_1.6.3', 'cmd_1.6.4')",
            f"stream {BAY}: the read model disagrees about cmd_1.6.3, and 1 more",
        ),
        (
            (
                "UPDATE plans SET state=(SELECT state FROM plans WHERE asset='ast_bay_8')"
                " WHERE asset='ast_bay_7'"
            ),
            f"stream {BAY}: the read model disagrees about the plans",
        ),
        (
            "UPDATE plans SET state=x'00' WHERE asset='ast_bay_7'",
            "the read model cannot be read: the read model is damaged: a row is not as it was kept",
        ),
    ],
)
def test_a_read_model_that_disagrees_is_named(
    untouched: Path, tmp_path: Path, statement: str, what: str
) -> None:
    """With the asset, and the command that it is about."""
    assert modelled(untouched, tmp_path, lambda one: one.execute(statement)) == [what]


def test_a_log_that_was_cut_off_shows_against_its_read_model(
    untouched: Path, tmp_path: Path
) -> None:
    """The model knows more than there is."""
    copy = tmp_path / "copy.db"
    shutil.copy(untouched, copy)
    url = f"sqlite:///{copy}"
    store = open_store(url, read_only=True)
    rebuild(place_of(url), store, CODEC, lambda *_: None)
    last = store.last_position()
    seal = next(n for n in range(last - 1, 0, -1) if (store.row_at(n) or NOBODY).stream == "log")
    with sqlite3.connect(copy) as connection:
        connection.execute("DELETE FROM snapshots")
        connection.execute("DELETE FROM stored_events WHERE rowid > ?", (seal,))
    connection.close()
    (found,) = Reader(store, CODEC, place_of(url)).verify().problems
    store.close()
    assert f"knows the log up to position {last}, and the log ends at {seal}" in str(found)


def insert_schedules(connection: sqlite3.Connection, body: bytes) -> None:
    """Put in a snapshot of the schedules."""
    connection.execute(
        "INSERT INTO snapshots VALUES (?,?,?,?)", (SCHEDULES, 1, "snapshot.schedules", body)
    )


def test_a_snapshot_of_the_schedules_by_another_version_is_passed_over(
    untouched: Path, tmp_path: Path
) -> None:
    """As a start does."""
    other = msgspec.msgpack.encode([FIELDS + 1, "whatever", {"comes": "next"}])
    assert found_in(untouched, tmp_path, lambda one: insert_schedules(one, other)) == []


@pytest.mark.parametrize("body", [b"\x93", encode_accepted(1, {}, {}).state])
def test_a_wrong_snapshot_of_the_schedules_is_named(
    untouched: Path, tmp_path: Path, body: bytes
) -> None:
    """It says which schedules are in force."""
    assert found_in(untouched, tmp_path, lambda one: insert_schedules(one, body)) == [
        f"stream {SCHEDULES}, version 1: the snapshot is not what the schedules' events lead to"
    ]
