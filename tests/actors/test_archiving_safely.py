"""What an archive must not lose: plans in force, schedule ids, and rows, whatever goes wrong."""

import contextlib
import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

import pytest
from click.testing import CliRunner

from actors.archiving import archive
from actors.audit import StoreAudit
from actors.cli import setpoint
from actors.following import rebuild
from actors.reading import VOCABULARY, Reader
from actors.recovery import accepted_again, recover
from actors.store import FileLock, Store, VersionConflict, open_store
from actors.store.tables import place_of
from actors.testing.faulty_store import FaultyStore
from actors.testing.logs import START_US, depot_log
from actors.verifying import verify_store
from engine import events
from engine.codec import Codec, Row
from engine.errors import StoreError, StoreInUse, StoreUnavailable, UnknownCommand, UsageError
from engine.history import Filters
from engine.seals import STREAM as LOG
from engine.types import US_PER_S, Instant

pytestmark = pytest.mark.timeout(120)

CODEC: Final = Codec(VOCABULARY)
_DAY_US: Final = 86_400 * US_PER_S


@pytest.fixture
def store(store_url: str) -> Iterator[Store]:
    """Give the store of an engine that was killed: four schedules, and no snapshot."""
    made = open_store(store_url)
    made.append(depot_log(8, 19, 100, schedules=4).rows)
    yield made
    made.close()


def moved(store: Store, path: Path) -> None:
    """Move all but the newest transaction."""
    archive(store, path, _last_seal_us(store), lambda *_: None)


def moved_by(store: FaultyStore, path: Path) -> None:
    """Move the same through a store with faults."""
    archive(store, path, _last_seal_us(store.inner), lambda *_: None)


def _last_seal_us(store: Store) -> int:
    row = store.last_row(LOG)
    assert row is not None
    return CODEC.decode(row).header.at_us


def test_a_plan_in_force_is_offered_after_an_archive_without_a_snapshot(
    store: Store, tmp_path: Path
) -> None:
    """Its schedule came before the cut: the event stays, and is read at the start."""
    before = recover(Reader(store, CODEC)).accepted
    moved(store, tmp_path / "old.db")
    after = recover(Reader(store, CODEC)).accepted
    assert len(before.offers) == 8
    assert (before.offers, before.digests) == (after.offers, after.digests)


def test_a_dispatcher_that_begins_again_knows_the_schedules_that_were_moved(
    store: Store, tmp_path: Path
) -> None:
    """So an id is not taken twice, and no sequence is given again."""
    before = accepted_again(Reader(store, CODEC))
    moved(store, tmp_path / "old.db")
    assert before == accepted_again(Reader(store, CODEC))


@pytest.mark.parametrize(
    "what", [StoreUnavailable("the answer was lost"), KeyboardInterrupt()], ids=["lost", "ctrl-c"]
)
def test_the_file_stays_if_the_store_may_have_been_changed(
    store: Store, tmp_path: Path, caplog: pytest.LogCaptureFixture, what: BaseException
) -> None:
    """The rows are gone from the store: the file is the only place where they are."""
    before = _rows_of(store)
    file = tmp_path / "old.db"
    with pytest.raises(type(what)):
        moved_by(FaultyStore(store, after_archiving=what), file)
    assert f"{file} stays" in caplog.messages[0]
    old = open_store(f"sqlite:///{file}", read_only=True)
    assert before <= _rows_of(store) | _rows_of(old)
    assert not before <= _rows_of(store)
    old.close()


def test_the_file_stays_if_it_is_not_known_what_the_store_did(
    store: Store, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """It did nothing: the warning says how that is told, and another file can be written."""
    before = _rows_of(store)
    with pytest.raises(StoreUnavailable):
        moved_by(FaultyStore(store, full=True), tmp_path / "old.db")
    assert "tail --since 0" in caplog.messages[0]
    assert before == _rows_of(store)
    moved(store, tmp_path / "again.db")
    assert (tmp_path / "old.db").exists()


def test_a_store_that_another_wrote_to_keeps_its_rows(store: Store, tmp_path: Path) -> None:
    """The archive's seal takes a version of the log: whoever has it fences the archive."""
    seal = store.last_row(LOG)
    assert seal is not None
    before = _rows_of(store)
    foreign = Row(LOG, seal.version + 1, seal.topic, seal.state)
    with pytest.raises(VersionConflict):
        moved_by(_Beaten(store, foreign), tmp_path / "old.db")
    assert before | {(foreign.stream, foreign.version, foreign.state)} == _rows_of(store)
    assert not (tmp_path / "old.db").exists()


def test_two_archives_do_not_write_one_file(store: Store, tmp_path: Path) -> None:
    """The second would take the first one's from under it."""
    before = _rows_of(store)
    other = FileLock(tmp_path / "old.db.lock")
    with pytest.raises(StoreInUse):
        moved(store, tmp_path / "old.db")
    assert before == _rows_of(store)
    other.release()
    moved(store, tmp_path / "old.db")
    assert not (tmp_path / "old.db.lock").exists()


def test_a_backup_is_of_one_moment(store_url: str, tmp_path: Path) -> None:
    """Rows that an archive takes out meanwhile are in it, or there is none."""
    store = open_store(store_url)
    store.append(depot_log(40, 19, 500, schedules=4).rows)
    steps: list[int] = []

    def meanwhile(done: int, total: int) -> None:
        del total
        if not steps:
            moved(store, tmp_path / "old.db")
        steps.append(done)

    with contextlib.suppress(StoreUnavailable):
        store.backup(tmp_path / "copy.db", meanwhile)
    copies = [one for one in tmp_path.iterdir() if one.name == "copy.db"]
    assert steps
    for path in copies:
        copy = open_store(f"sqlite:///{path}", read_only=True)
        assert verify_store(copy, CODEC).problems == ()
        copy.close()
    assert bool(copies) == store_url.startswith("sqlite")
    store.close()


def test_the_file_is_on_the_disk_before_the_store_changes(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its content first, then its name in its folder."""
    forced: list[str] = []
    fsync = os.fsync

    def noted(descriptor: int) -> None:
        forced.append(Path(f"/proc/self/fd/{descriptor}").readlink().name)
        fsync(descriptor)

    monkeypatch.setattr("actors.archiving.os.fsync", noted)
    with pytest.raises(StoreUnavailable):
        moved_by(FaultyStore(store, full=True), tmp_path / "old.db")
    assert forced == ["old.db.part", tmp_path.name]


def test_the_read_model_forgets_what_is_moved_before_it_is(
    store: Store, store_url: str, tmp_path: Path
) -> None:
    """If the power fails behind the commit, history does not tell of commands from nowhere."""
    place = place_of(store_url)
    rebuild(place, store, CODEC, lambda *_: None)
    whole = len(Reader(store, CODEC, place).history())
    lost = FaultyStore(store, after_archiving=StoreUnavailable("the answer was lost"))
    with pytest.raises(StoreUnavailable):
        archive(lost, tmp_path / "old.db", _last_seal_us(store), lambda *_: None, place)
    reader = Reader(store, CODEC, place)
    assert len(Reader(store, CODEC).history()) == len(reader.history())
    assert len(reader.history()) < whole
    assert reader.verify().problems == ()
    rebuild(place, store, CODEC, lambda *_: None)
    assert reader.verify().problems == ()
    assert len(Reader(store, CODEC).history()) == len(reader.history())


def test_who_reads_on_is_told_what_was_moved(
    store: Store, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """From a position before the cut nothing is passed over; from the beginning a warning tells."""
    moved(store, tmp_path / "old.db")
    rest = StoreAudit(Reader(store, CODEC))
    everything = [one.position or 0 for one in rest.events()]
    assert "is in the archive old.db, but for" in caplog.messages[0]
    with pytest.raises(UsageError, match=r"is in the archive old\.db: read on there") as refused:
        rest.events(after=everything[0])
    cut = int(str(refused.value).rpartition(" ")[2])
    behind = [one.position for one in rest.events(after=cut)]
    assert [one for one in everything if one > cut] == behind
    with pytest.raises(UsageError):
        rest.events(after=cut - 1)
    old = open_store(f"sqlite:///{tmp_path / 'old.db'}", read_only=True)
    assert old.last_position() == cut
    assert len(caplog.messages) == 1
    old.close()


def test_what_is_not_found_may_be_in_the_archive(
    store: Store, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """A command, or a schedule's commands; what is found needs no such word."""
    reader = Reader(store, CODEC)
    moved_id = reader.history(Filters(schedule="sch_1"))[0].id
    moved(store, tmp_path / "old.db")
    rest = Reader(store, CODEC)
    assert rest.history(Filters(schedule="sch_4"))
    assert caplog.messages == []
    assert not rest.history(Filters(schedule="sch_1"))
    with pytest.raises(UnknownCommand):
        rest.command(moved_id)
    assert ["is in the archive old.db" in one for one in caplog.messages] == [True, True]


def test_the_record_of_the_site_does_not_grow_for_ever(store_url: str, tmp_path: Path) -> None:
    """A charger that is refused each minute leaves a row a minute: they are moved too."""
    log = depot_log(2, 3, 10)
    for day in (1, 2):
        at = Instant(START_US + day * _DAY_US, START_US + day * _DAY_US)
        refused = events.SecurityNoticed("unknown", "CP-X", 1)
        log.commit(*[("site", refused, at)] * 200)
    store = open_store(store_url)
    store.append(log.rows)
    whole = Reader(store, CODEC).site()
    assert whole.notices == 400
    for day in (1, 2):
        file = tmp_path / f"{day}.db"
        archive(store, file, START_US + day * _DAY_US + 1, lambda *_: None)
        assert whole == Reader(store, CODEC).site()
        assert verify_store(store, CODEC).problems == ()
        part = open_store(f"sqlite:///{file}", read_only=True)
        assert verify_store(part, CODEC).problems == ()
        assert 200 * day == Reader(part, CODEC).site().notices
        part.close()
    assert len(list(store.read_stream("site"))) == 1
    store.close()


def test_the_verb_refuses_what_it_cannot_do(tmp_path: Path) -> None:
    """A store that an engine has, with exit status 1; one that is not there, without making it."""
    place, file = tmp_path / "a.db", tmp_path / "old.db"
    had = open_store(f"sqlite:///{place}")
    had.append(depot_log(2, 3, 10).rows)
    verb = ["archive", str(place), str(file), "--before", "2030-01-01T00:00Z"]
    refused = CliRunner().invoke(setpoint, verb)
    assert isinstance(refused.exception, StoreInUse)
    had.close()
    verb[1] = str(tmp_path / "typo.db")
    refused = CliRunner().invoke(setpoint, verb)
    assert isinstance(refused.exception, StoreError)
    assert sorted(one.name for one in tmp_path.iterdir()) == ["a.db", "a.db.lock"]


class _Beaten(FaultyStore):
    """A store to which somebody else writes just before the archive's transaction."""

    def __init__(self, inner: Store, foreign: Row) -> None:
        super().__init__(inner)
        self._foreign = foreign

    def archive(self, rows: Sequence[Row], moved: Sequence[tuple[int, int]]) -> None:
        """As the store, behind the other's row."""
        self.inner.append([self._foreign])
        super().archive(rows, moved)


def _rows_of(store: Store) -> set[tuple[str, int, bytes]]:
    return {(row.stream, row.version, row.state) for row in store.read_all()}
