"""The folder in which schedule files are put down."""

import logging
import os
from pathlib import Path

import pytest

from actors.cli.watch_folder import Folder, schedule_id
from engine.errors import UsageError


def put(path: Path, text: str, written_s: int) -> Path:
    """Write a file as if at that time."""
    path.write_text(text, encoding="utf-8")
    os.utime(path, (written_s, written_s))
    return path


def test_what_was_written_last_comes_last(tmp_path: Path) -> None:
    """The names do not matter; what is no schedule file is left out."""
    folder = Folder(tmp_path)
    newer = put(tmp_path / "a.csv", "1", 200)
    older = put(tmp_path / "b.csv", "2", 100)
    put(tmp_path / ".c.csv", "3", 50)
    put(tmp_path / "d.txt", "4", 50)
    (tmp_path / "e.csv").mkdir()
    assert folder.new() == []
    assert folder.new() == [older, newer]
    assert folder.new() == []


def test_a_folder_that_cannot_be_read_has_nothing_new(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """That is told once, and what comes once it is back is found."""
    path = tmp_path / "in"
    path.mkdir()
    folder = Folder(path)
    path.rmdir()
    with caplog.at_level(logging.WARNING, "setpoint"):
        assert folder.new() == []
        assert folder.new() == []
    assert [one.message for one in caplog.records if "cannot be read" in one.message] == [
        caplog.records[0].message
    ]
    path.mkdir()
    made = put(path / "a.csv", "1", 100)
    assert folder.new() == []
    assert folder.new() == [made]


def test_a_file_has_one_id_until_it_is_written_again(tmp_path: Path) -> None:
    """So a file that is still there at the next start is not taken twice."""
    path = put(tmp_path / "a.csv", "1", 100)
    first = schedule_id(path)
    assert schedule_id(path) == first
    put(path, "1", 101)
    again = schedule_id(path)
    put(path, "2", 101)
    assert len({first, again, schedule_id(path)}) == 3
    path.unlink()
    with pytest.raises(UsageError, match="cannot be read"):
        schedule_id(path)


def test_what_is_no_folder_is_refused(tmp_path: Path) -> None:
    """A typing error is told at the start."""
    with pytest.raises(UsageError, match="no folder"):
        Folder(tmp_path / "no")
