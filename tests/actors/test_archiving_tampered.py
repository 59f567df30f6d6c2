"""Tampering with a store whose beginning was moved to an archive: it is found, and named."""

import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Final

import pytest

from actors.archiving import archive
from actors.reading import VOCABULARY
from actors.store import open_store
from actors.testing.logs import depot_log
from actors.verifying import verify_store
from engine.codec import Codec
from engine.seals import STREAM as LOG

CODEC: Final = Codec(VOCABULARY)


def _sql(statement: str) -> Callable[[sqlite3.Connection], object]:
    return lambda connection: connection.execute(statement)


TAMPERED: Final = {
    "a kept row is changed": (
        _sql(
            "UPDATE stored_events SET state = CAST(state || x'00' AS BLOB) "
            "WHERE rowid = (SELECT min(rowid) FROM stored_events)"
        ),
        "cannot be read",
    ),
    "a kept row is gone": (
        _sql("DELETE FROM stored_events WHERE rowid = (SELECT min(rowid) FROM stored_events)"),
        "missing",
    ),
    "the beginning is gone": (
        _sql(
            "DELETE FROM stored_events WHERE rowid <= "
            "(SELECT min(rowid) FROM stored_events WHERE topic = 'log.sealed' AND rowid > "
            "(SELECT min(rowid) FROM stored_events WHERE topic = 'log.sealed'))"
        ),
        "missing",
    ),
    "a row behind the cut is gone": (
        _sql("DELETE FROM stored_events WHERE rowid = (SELECT max(rowid) - 30 FROM stored_events)"),
        "missing",
    ),
    "the schedules' base is changed": (
        _sql(
            "UPDATE stored_events SET state = CAST(state || x'00' AS BLOB) "
            "WHERE topic = 'archive.schedules_base'"
        ),
        "stream archive, version",
    ),
    **{
        f"{kind} base is changed": (
            _sql(
                "UPDATE stored_events SET state = CAST(state || x'00' AS BLOB) "  # noqa: S608 - our own topics
                f"WHERE topic = 'archive.{kind}_base'"
            ),
            "stream archive, version",
        )
        for kind in ("asset", "site")
    },
    "a base is gone": (
        _sql("DELETE FROM stored_events WHERE topic = 'archive.site_base'"),
        "missing",
    ),
    "the record of it is gone": (
        _sql("DELETE FROM stored_events WHERE topic = 'archive.log_archived'"),
        "missing",
    ),
    "the seal of the cut is gone": (
        _sql(
            "DELETE FROM stored_events WHERE rowid = "
            "(SELECT min(rowid) FROM stored_events WHERE topic = 'log.sealed')"
        ),
        "missing",
    ),
}


@pytest.mark.parametrize("how", TAMPERED)
def test_tampering_shows_behind_an_archive_too(tmp_path: Path, how: str) -> None:
    """In what stays of the old part, in the states that the rest begins with, and behind it."""
    tamper, told = TAMPERED[how]
    path = tmp_path / "depot.db"
    store = open_store(f"sqlite:///{path}")
    store.append(depot_log(4, 19, 60, schedules=4).rows)
    seals = [CODEC.decode(row) for row in store.read_stream(LOG)]
    archive(store, tmp_path / "old.db", seals[-3].header.at_us, lambda *_: None)
    assert verify_store(store, CODEC).problems == ()
    store.close()
    connection = sqlite3.connect(path)
    tamper(connection)
    connection.commit()
    connection.close()
    store = open_store(f"sqlite:///{path}", read_only=True)
    found = verify_store(store, CODEC)
    store.close()
    assert any(told in str(one) for one in found.problems), found.problems
