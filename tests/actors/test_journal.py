"""The journal: group commit, versions, seals, and a store that fails."""

import sqlite3
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import attrs
import pytest

from actors.appends import Append, Committed, Refused, Writer
from actors.clock import Clocks
from actors.journal import Journal
from actors.store import open_store
from actors.testing.faulty_store import FaultyStore
from engine.codec import Codec, Record
from engine.seals import TOPIC, LogSealed, broken_seals
from engine.types import Instant

NOW = Instant(1, 2)


@attrs.frozen
class Happened:
    """An event of these tests."""

    what: int


CODEC = Codec({"test.happened": Happened, TOPIC: LogSealed})


class Answers:
    """What the journal replied, in order."""

    def __init__(self) -> None:
        """Begin with nothing."""
        self.given: list[object] = []
        self._changed = threading.Condition()

    def __call__(self, answer: object) -> None:
        """Take a reply."""
        with self._changed:
            self.given.append(answer)
            self._changed.notify_all()

    def wait(self, count: int = 1) -> list[object]:
        """Return the replies once there are so many."""
        with self._changed:
            assert self._changed.wait_for(lambda: len(self.given) >= count, 10)
            return self.given


@pytest.fixture
def store(store_url: str) -> Iterator[FaultyStore]:
    """Give a store that can be made to fail."""
    wrapped = FaultyStore(open_store(store_url))
    yield wrapped
    wrapped.close()


@pytest.fixture
def started(store: FaultyStore) -> Iterator[Callable[[], Journal]]:
    """Give a maker of journals on that store, closed at the end."""
    made: list[Journal] = []

    def make() -> Journal:
        journal = Journal(store, CODEC, instance="one", clocks=Clocks())
        made.append(journal)
        journal.start()
        return journal

    yield make
    for journal in made:
        journal.close(5)


def test_what_waits_together_is_committed_together(store: FaultyStore) -> None:
    """One transaction, one seal behind its rows; listeners hear of them in log order."""
    journal = Journal(store, CODEC, instance="one", clocks=Clocks())
    heard: list[Record] = []
    journal.hooks.committed.append(heard.extend)
    answers = Answers()
    for number in range(50):
        journal.append(Append(f"s{number}", 0, (Happened(number),), NOW, answers))
    journal.start()
    assert all(isinstance(one, Committed) for one in answers.wait(50))
    journal.close(5)
    assert store.tries == 1
    assert list(range(1, 52)) == [record.position for record in heard]
    assert heard[-1].topic == TOPIC
    assert not list(broken_seals(store.read_all(), CODEC))


def test_what_cannot_be_encoded_is_refused_alone(
    started: Callable[[], Journal], store: FaultyStore
) -> None:
    """The others of its batch are stored, its stream goes on, and the seals fit."""
    journal = started()
    bad, good, later = Answers(), Answers(), Answers()
    journal.append(Append("a", 0, (Happened(1), object()), NOW, bad))
    journal.append(Append("b", 0, (Happened(1),), NOW, good))
    (refused,) = bad.wait()
    assert isinstance(refused, Refused)
    assert not refused.for_good
    assert isinstance(good.wait()[0], Committed)
    journal.append(Append("a", 0, (Happened(1),), NOW, later))
    assert isinstance(later.wait()[0], Committed)
    assert store.last_versions()["a"] == 1
    assert not list(broken_seals(store.read_all(), CODEC))


def test_a_writer_that_is_retired_is_heard_to_the_end_and_not_beyond(
    started: Callable[[], Journal], store: FaultyStore
) -> None:
    """What it appended before is stored when one is told; what it appends later is dropped."""
    journal = started()
    store.gate.clear()
    before, after, other = Answers(), Answers(), Answers()
    writer = Writer()
    told = threading.Event()
    journal.append(Append("a", 0, (Happened(1),), NOW, before, writer=writer))
    journal.retire(writer, told.set)
    journal.append(Append("a", 1, (Happened(2),), NOW, after, writer=writer))
    journal.append(Append("a", 1, (Happened(3),), NOW, other, writer=Writer()))
    assert not told.is_set()
    store.gate.set()
    assert told.wait(10)
    assert len(before.given) == 1
    assert isinstance(other.wait()[0], Committed)
    assert after.given == []
    assert [CODEC.decode(row).event for row in store.read_all() if row.stream == "a"] == [
        Happened(1),
        Happened(3),
    ]


def test_who_retires_a_writer_of_a_closed_journal_is_told_at_once(
    started: Callable[[], Journal], caplog: pytest.LogCaptureFixture
) -> None:
    """And what that raises is logged."""
    journal = started()
    journal.close(5)

    def fails() -> None:
        raise ValueError

    told = threading.Event()
    journal.retire(Writer(), fails)
    journal.retire(Writer(), told.set)
    assert told.is_set()
    assert "who waited for the journal failed" in caplog.text


def test_a_wrong_version_is_refused_alone(
    started: Callable[[], Journal], store: FaultyStore
) -> None:
    """The others of its batch are stored."""
    journal = started()
    bad, good = Answers(), Answers()
    journal.append(Append("a", 3, (Happened(1),), NOW, bad))
    journal.append(Append("b", 0, (Happened(1), Happened(2)), NOW, good))
    refused = bad.wait()[0]
    assert isinstance(refused, Refused)
    assert "version 0, not 3" in refused.reason
    assert isinstance(good.wait()[0], Committed)
    assert store.last_versions()["b"] == 2


def test_a_store_that_cannot_write_is_waited_for(
    started: Callable[[], Journal], store: FaultyStore
) -> None:
    """Nothing is answered meanwhile; lost and back are told once."""
    journal = started()
    told: list[str] = []
    journal.hooks.lost = lambda _: told.append("lost")
    journal.hooks.back = lambda: told.append("back")
    store.before = 2
    answers = Answers()
    journal.append(Append("a", 0, (Happened(1),), NOW, answers))
    assert isinstance(answers.wait()[0], Committed)
    assert told == ["lost", "back"]
    assert store.tries == 3


def test_a_reply_that_was_lost_after_the_commit_stores_nothing_twice(
    started: Callable[[], Journal], store: FaultyStore
) -> None:
    """The batch is recognised by its own bytes."""
    journal = started()
    store.after = 1
    answers = Answers()
    journal.append(Append("a", 0, (Happened(1),), NOW, answers))
    assert answers.wait() == [Committed(range(1, 2))]
    journal.append(Append("a", 1, (Happened(2),), NOW, answers))
    answers.wait(2)
    assert store.last_position() == 4
    assert not list(broken_seals(store.read_all(), CODEC))


def test_an_engine_whose_store_was_taken_over_stops(
    started: Callable[[], Journal], store: FaultyStore
) -> None:
    """The first commit of a newer epoch fences the older one."""
    old, new = started(), started()
    told: list[str] = []
    old.hooks.fenced = told.append
    answers = Answers()
    new.append(Append("a", 0, (Happened(1),), NOW, answers))
    answers.wait()
    fenced = Answers()
    old.append(Append("b", 0, (Happened(1),), NOW, fenced))
    assert isinstance(fenced.wait()[0], Refused)
    old.append(Append("c", 0, (Happened(1),), NOW, fenced))
    refused = fenced.wait(2)[1]
    assert isinstance(refused, Refused)
    assert "took the store over" in refused.reason
    assert told
    assert "b" not in store.last_versions()


def test_epochs_count_the_engines_of_a_store(
    started: Callable[[], Journal], store: FaultyStore
) -> None:
    """A journal that never committed leaves none."""
    first = started()
    assert first.epoch == 1
    answers = Answers()
    first.append(Append("a", 0, (Happened(1),), NOW, answers))
    answers.wait()
    first.close(5)
    again = started()
    assert again.epoch == 2
    again.append(Append("a", 1, (Happened(2),), NOW, answers))
    answers.wait(2)
    assert not list(broken_seals(store.read_all(), CODEC))


def test_a_closed_journal_refuses(started: Callable[[], Journal]) -> None:
    """What waited was committed first."""
    journal = started()
    answers = Answers()
    journal.append(Append("a", 0, (Happened(1),), NOW, answers))
    assert journal.close(5)
    journal.append(Append("a", 1, (Happened(1),), NOW, answers))
    assert [Committed, Refused] == [type(one) for one in answers.wait(2)]
    journal.flush().result(1)


def test_a_reply_or_listener_that_raises_stops_nobody(started: Callable[[], Journal]) -> None:
    """It is logged."""
    journal = started()

    def broken(_: object) -> None:
        raise ValueError("on purpose")

    journal.hooks.committed.append(broken)
    journal.append(Append("a", 0, (Happened(1),), NOW, broken))
    answers = Answers()
    journal.append(Append("a", 1, (Happened(2),), NOW, answers))
    assert isinstance(answers.wait()[0], Committed)


def test_a_full_disk_is_waited_out(tmp_path: Path) -> None:
    """SQLITE_FULL by a page limit: the batch is kept and stored once there is room."""
    path = tmp_path / "full.db"
    store = open_store(f"sqlite:///{path}")
    limit = sqlite3.connect(path)
    journal = Journal(store, CODEC, instance="one", clocks=Clocks())
    lost = threading.Event()
    journal.hooks.lost = lambda _: lost.set()
    store.limit_pages(limit.execute("PRAGMA page_count").fetchone()[0])  # type: ignore[attr-defined]  # SQLite's own
    journal.start()
    answers = Answers()
    journal.append(Append("a", 0, tuple(Happened(n) for n in range(2_000)), NOW, answers))
    assert lost.wait(10)
    assert not answers.given
    store.limit_pages(1_000_000)  # type: ignore[attr-defined]  # SQLite's own
    assert isinstance(answers.wait()[0], Committed)
    journal.close(5)
    limit.close()
    store.close()


def test_nothing_acknowledged_is_lost_by_a_kill(tmp_path: Path) -> None:
    """Each line that the child printed after a commit is in the store afterwards."""
    script = tmp_path / "child.py"
    script.write_text(
        "import sys\n"
        "from actors.clock import Clocks\n"
        "from actors.appends import Append\n"
        "from actors.journal import Journal\n"
        "from actors.store import open_store\n"
        "from engine.codec import Codec\n"
        "from engine.events import TOPICS, EngineStopped\n"
        "from engine.seals import TOPIC, LogSealed\n"
        "from engine.types import Instant\n"
        "codec = Codec({**TOPICS, TOPIC: LogSealed})\n"
        "store = open_store('sqlite:///' + sys.argv[1])\n"
        "journal = Journal(store, codec, instance='child', clocks=Clocks())\n"
        "journal.start()\n"
        "def go_on(n):\n"
        "    def committed(_):\n"
        "        print(n + 1, flush=True)\n"
        "        go_on(n + 1)\n"
        "    event = EngineStopped(n, 'again')\n"
        "    journal.append(Append('a', n, (event,), Instant(n, n), committed))\n"
        "go_on(0)\n"
        "import threading; threading.Event().wait(60)\n",
        encoding="utf-8",
    )
    path = tmp_path / "a.db"
    child = subprocess.Popen(
        [sys.executable, str(script), str(path)], stdout=subprocess.PIPE, text=True
    )
    assert child.stdout is not None
    acknowledged = 0
    for line in child.stdout:
        acknowledged = int(line)
        if acknowledged >= 50:
            child.kill()
            break
    acknowledged = max([acknowledged, *(int(line) for line in child.stdout)])
    child.wait(10)
    child.stdout.close()
    store = open_store(f"sqlite:///{path}")
    assert acknowledged <= store.last_versions()["a"] <= acknowledged + 1
    assert not list(broken_seals(store.read_all(), Codec({TOPIC: LogSealed})))
    store.close()


def test_an_actor_that_has_read_what_another_engine_wrote_shows_that_there_is_one(
    store: FaultyStore,
) -> None:
    """It goes on behind rows that were not written here: whose the store is, is looked up."""
    mine = Journal(store, CODEC, instance="mine", clocks=Clocks())
    other = Journal(store, CODEC, instance="other", clocks=Clocks())
    answers = Answers()
    other.append(Append("a", 0, (Happened(1),), NOW, answers))
    other.step()
    taken: list[str] = []
    mine.hooks.fenced = taken.append
    mine.append(Append("a", 1, (Happened(2),), NOW, answers))
    mine.step()
    stored, refused = answers.wait(2)
    assert isinstance(stored, Committed)
    assert isinstance(refused, Refused)
    assert refused.for_good
    assert "engine other" in taken[0]
    mine.close(1)
    other.close(1)


def test_a_store_that_is_away_does_not_say_whose_it_is(store: FaultyStore) -> None:
    """Then it is as if nobody else had written."""
    journal = Journal(store, CODEC, instance="mine", clocks=Clocks())
    store.lost = True
    answers = Answers()
    journal.append(Append("a", 1, (Happened(2),), NOW, answers))
    journal.step()
    refused = answers.wait()[0]
    assert isinstance(refused, Refused)
    assert not refused.for_good
    journal.close(1)
