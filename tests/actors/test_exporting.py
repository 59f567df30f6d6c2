"""Evidence in a file: a part of the log that can be verified by itself."""

import csv
import json
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import pandas as pd
import pytest
from click.testing import CliRunner

from actors.audit import StoreAudit
from actors.cli import setpoint
from actors.exporting import verify_export
from actors.reading import VOCABULARY, Reader
from actors.store import open_store
from actors.testing.logs import START_US, depot_log
from engine.codec import Codec
from engine.errors import StoreCorrupt, UsageError
from engine.types import US_PER_S, from_us

CODEC = Codec(VOCABULARY)
ROWS = depot_log(3, 6, 4).rows


@pytest.fixture
def audit(tmp_path: Path) -> Iterator[StoreAudit]:
    """Give what can be asked of the store of a small depot."""
    store = open_store(f"sqlite:///{tmp_path / 'a.db'}")
    store.append(ROWS)
    yield StoreAudit(Reader(store, CODEC))
    store.close()


def test_the_whole_log_is_evidence(audit: StoreAudit, tmp_path: Path) -> None:
    """Every row as it is, what it says beside it, and the file verifies by itself."""
    done = audit.export(tmp_path / "all.jsonl")
    header, *lines = (tmp_path / "all.jsonl").read_text().splitlines()
    assert done.rows == len(lines) == len(ROWS)
    assert json.loads(header)["rows_before"] == 0
    assert json.loads(lines[0])["event"]["timezone"] == "UTC"
    found = verify_export(tmp_path / "all.jsonl", CODEC)
    assert found.ok
    assert found.assets == 3
    assert str(found.last_seal) == str(done.last) == str(audit.verify().last_seal)


@pytest.mark.parametrize("minutes", [(1, 3), (None, 2), (4, None), (0, 1)])
def test_a_range_has_whole_transactions_and_verifies(
    audit: StoreAudit, tmp_path: Path, minutes: tuple[int | None, int | None]
) -> None:
    """All that happened in that time is in it, and it follows the seal that it names."""
    start, end = (
        None if one is None else from_us(START_US + one * 60 * US_PER_S) for one in minutes
    )
    path = tmp_path / "part.jsonl"
    done = audit.export(path, start, end)
    lines = [json.loads(line) for line in path.read_text().splitlines()[1:]]
    found = verify_export(path, CODEC)
    assert found.problems == ()
    assert (found.rows, found.seals) == (done.rows, done.seals) == (len(lines), done.seals)
    assert lines[-1]["topic"] == "log.sealed"
    inside = [
        one.position
        for one in audit.events()
        if one.header.stream != "log"
        and (start is None or from_us(one.header.at_us) >= start)
        and (end is None or from_us(one.header.at_us) < end)
    ]
    assert set(inside) <= {line["position"] for line in lines}
    assert done.rows < len(ROWS)


def test_evidence_that_was_changed_shows(audit: StoreAudit, tmp_path: Path) -> None:
    """A row that is gone, another's bytes, an end that was cut off before a seal told elsewhere."""
    path = tmp_path / "part.jsonl"
    done = audit.export(path, from_us(START_US), from_us(START_US + 120 * US_PER_S))
    lines = path.read_text().splitlines()
    path.write_text("\n".join((*lines[:3], *lines[4:])) + "\n")
    assert not verify_export(path, CODEC).ok
    one, other = json.loads(lines[3]), json.loads(lines[4])
    changed = json.dumps({**one, "row": other["row"]})
    path.write_text("\n".join((*lines[:3], changed, *lines[4:])) + "\n")
    assert not verify_export(path, CODEC).ok
    seals = [n for n, line in enumerate(lines) if '"log.sealed"' in line]
    path.write_text("\n".join(lines[: seals[-2] + 1]) + "\n")
    assert verify_export(path, CODEC).ok
    (cut,) = verify_export(path, CODEC, [done.last]).problems
    assert "the log ends with seal" in str(cut)


def test_tables_have_the_same_rows(audit: StoreAudit, tmp_path: Path) -> None:
    """CSV, an event's fields as JSON."""
    audit.export(tmp_path / "all.csv")
    with (tmp_path / "all.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == len(ROWS)
    assert json.loads(rows[0]["event"])["timezone"] == "UTC"
    assert [row["topic"] for row in rows] == [row.topic for row in ROWS]


def test_parquet_needs_its_extra(audit: StoreAudit, tmp_path: Path) -> None:
    """Without it that is said, and nothing is left behind."""
    if find_spec("pyarrow") is None:
        with pytest.raises(UsageError, match=r"pip install 'setpoint\[parquet\]'"):
            audit.export(tmp_path / "all.parquet")
        assert not list(tmp_path.glob("all.*"))
    else:
        audit.export(tmp_path / "all.parquet")
        assert len(pd.read_parquet(tmp_path / "all.parquet")) == len(ROWS)


def test_what_cannot_be_exported_is_refused_and_leaves_nothing(
    audit: StoreAudit, tmp_path: Path
) -> None:
    """Another ending, a file that is there, a time without events, a file that is no export."""
    (tmp_path / "there.jsonl").write_text("{}\n")
    with pytest.raises(UsageError, match=r"ends with \.jsonl, \.csv or \.parquet"):
        audit.export(tmp_path / "all.txt")
    with pytest.raises(UsageError, match="is there already"):
        audit.export(tmp_path / "there.jsonl")
    with pytest.raises(UsageError, match="no event was recorded in that time"):
        audit.export(tmp_path / "none.jsonl", "2001-01-01T00:00:00Z", "2001-01-02T00:00:00Z")
    (tmp_path / "taken.jsonl.part").mkdir()
    with pytest.raises(UsageError, match=r"taken\.jsonl cannot be written"):
        audit.export(tmp_path / "taken.jsonl")
    (tmp_path / "taken.jsonl.part").rmdir()
    with pytest.raises(UsageError, match="cannot be written: No such file or directory"):
        audit.export(tmp_path / "nowhere" / "all.jsonl")
    with pytest.raises(UsageError, match="cannot be read: No such file or directory"):
        verify_export(tmp_path / "nothing.jsonl", CODEC)
    with pytest.raises(UsageError, match="is no export"):
        verify_export(tmp_path / "there.jsonl", CODEC)
    audit.export(tmp_path / "all.jsonl")
    with (tmp_path / "all.jsonl").open("a") as file:
        file.write("nothing\n")
    with pytest.raises(StoreCorrupt, match="is no row"):
        verify_export(tmp_path / "all.jsonl", CODEC)
    assert not list(tmp_path.glob("*.part"))


def test_the_verbs_export_and_verify(audit: StoreAudit, tmp_path: Path) -> None:
    """Without the store the file is verified as well."""
    store, file = str(tmp_path / "a.db"), str(tmp_path / "out.jsonl")
    done = CliRunner().invoke(setpoint, ["export", store, file, "--to", "2100-01-01T00:00:00Z"])
    assert done.exit_code == 0, done.output
    assert f"{len(ROWS)} rows" in done.output
    checked = CliRunner().invoke(setpoint, ["verify", file])
    assert checked.exit_code == 0, checked.output
    assert "nothing wrong" in checked.output
    assert str(audit.verify().last_seal) in checked.output
