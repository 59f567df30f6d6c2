"""Seals: what was changed, left out or put in shows, and where."""

from collections.abc import Callable

import pytest
from msgspec.structs import replace

from engine.codec import Codec, Header, Row
from engine.seals import FIRST, STREAM, TOPIC, LogSealed, broken_seals, digest_of

CODEC = Codec({TOPIC: LogSealed})


def log(batches: int = 3, size: int = 2) -> list[Row]:
    """Return a log of sealed batches."""
    rows: list[Row] = []
    previous = FIRST
    for n in range(1, batches + 1):
        batch = [Row(f"s{n}", k + 1, "t", b"%d-%d" % (n, k)) for k in range(size)]
        seal = LogSealed(n, size, len(rows) + 1, digest_of(batch), previous, 1, "i")
        row = CODEC.encode(Header(1, STREAM, n, 0, 0), seal)
        previous = digest_of((row,))
        rows += [*batch, row]
    return [replace(row, position=place) for place, row in enumerate(rows, 1)]


def without(place: int) -> Callable[[list[Row]], list[Row]]:
    """Return what takes a row out."""
    return lambda rows: rows[:place] + rows[place + 1 :]


def changed(place: int, **what: object) -> Callable[[list[Row]], list[Row]]:
    """Return what changes a row."""
    return lambda rows: [replace(row, **what) if place == n else row for n, row in enumerate(rows)]


def swapped(rows: list[Row]) -> list[Row]:
    """Swap the first two rows."""
    return [rows[1], rows[0], *rows[2:]]


def test_an_untouched_log_holds() -> None:
    """An empty one too."""
    assert not list(broken_seals(log(), CODEC))
    assert not list(broken_seals([], CODEC))


@pytest.mark.parametrize(
    ("tamper", "told"),
    [
        (changed(3, state=b"other"), "position 4"),
        (changed(0, version=9), "position 1"),
        (changed(0, topic="other"), "position 1"),
        (changed(0, stream="other"), "position 1"),
        (without(0), "seal 1 covers 2 rows, 1 are there"),
        (without(4), "seal 2 covers 2 rows"),
        (swapped, "position 2"),
        (without(5), "seal 2 is missing"),
        (lambda rows: rows[3:], "seal 1 is missing"),
        (changed(5, state=b"junk"), "position 6, stream log"),
        (lambda rows: [*rows, Row("x", 1, "t", b"late", 10)], "behind the last seal"),
    ],
    ids=range(11),
)
def test_tampering_shows_and_names_the_row(
    tamper: Callable[[list[Row]], list[Row]], told: str
) -> None:
    """A byte, a version, a row, a seal."""
    problems = list(broken_seals(tamper(log()), CODEC))
    assert problems
    assert told in problems[0]


def test_a_seal_that_was_made_anew_does_not_follow_the_one_before() -> None:
    """Changing the rows and their seal breaks the next seal."""
    rows = log()
    batch = [replace(rows[0], state=b"forged"), rows[1]]
    seal = LogSealed(1, 2, 1, digest_of(batch), FIRST, 1, "i")
    forged = [*batch, CODEC.encode(Header(1, STREAM, 1, 0, 0), seal), *rows[3:]]
    assert any("does not follow" in problem for problem in broken_seals(forged, CODEC))


def test_a_seal_that_begins_elsewhere_is_told() -> None:
    """Its place in the log is part of it."""
    batch = [Row("s", 1, "t", b"x", 1)]
    seal = LogSealed(1, 1, 5, digest_of(batch), FIRST, 1, "i")
    rows = [*batch, CODEC.encode(Header(1, STREAM, 1, 0, 0), seal)]
    assert "begins at row 5, not 1" in next(iter(broken_seals(rows, CODEC)))


def test_an_empty_batch_is_named_by_its_seal() -> None:
    """There is no row to name."""
    seal = LogSealed(2, 0, 1, digest_of([]), FIRST, 1, "i")
    rows = [CODEC.encode(Header(1, STREAM, 1, 0, 0), seal)]
    assert next(iter(broken_seals(rows, CODEC))).startswith("seal 2")
