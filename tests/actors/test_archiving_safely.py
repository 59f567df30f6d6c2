"""What an archive must not lose: plans in force, schedule ids, and rows, whatever goes wrong."""

from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

from actors.archiving import archive
from actors.audit import StoreAudit
from actors.reading import VOCABULARY, Reader
from actors.recovery import accepted_again, recover
from actors.store import Store, open_store
from actors.testing.logs import depot_log
from engine.codec import Codec, Row
from engine.seals import STREAM as LOG

pytestmark = pytest.mark.timeout(120)

CODEC: Final = Codec(VOCABULARY)


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
