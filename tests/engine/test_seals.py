"""Seals: what was changed, left out or put in shows, and where."""

import hashlib
import struct
from collections.abc import Callable

import attrs
import pytest
from msgspec.structs import replace

from engine.codec import Codec, Header, Row
from engine.seals import (
    BEGINNING,
    FIRST,
    STREAM,
    TOPIC,
    LogSealed,
    Placed,
    SealChain,
    SealMark,
    broken_seals,
    chain,
    checksums_of,
    digest_of,
    parse_mark,
)

CODEC = Codec({TOPIC: LogSealed})
Tamper = Callable[[list[Row]], list[Row]]


def sealed(batch: list[Row], n: int, rows: int, previous: bytes) -> Row:
    """Return the seal of a batch, which has so many rows before it."""
    seal = LogSealed(
        n, len(batch), rows + 1, digest_of(batch), previous, 1, "i", checksums_of(batch)
    )
    return CODEC.encode(Header(1, STREAM, n, 0, 0), seal)


def log(batches: int = 4, size: int = 3) -> list[Row]:
    """Return a log of sealed batches: rows 1 to 3 and seal 1 at position 4, and so on."""
    rows: list[Row] = []
    previous = FIRST
    for n in range(1, batches + 1):
        batch = [Row(f"s{n}", k + 1, "t", b"%d-%d" % (n, k)) for k in range(size)]
        own = sealed(batch, n, len(rows), previous)
        previous = digest_of((own,))
        rows += [*batch, own]
    return [replace(row, position=place) for place, row in enumerate(rows, 1)]


def without(*positions: int) -> Tamper:
    """Return what takes rows out."""
    return lambda rows: [row for row in rows if row.position not in positions]


def changed(position: int, **what: object) -> Tamper:
    """Return what changes a row."""
    return lambda rows: [replace(row, **what) if row.position == position else row for row in rows]


def resealed(position: int, **what: object) -> Tamper:
    """Return what changes a field of a seal."""

    def tamper(rows: list[Row]) -> list[Row]:
        row = rows[position - 1]
        record = CODEC.decode(row)
        state = CODEC.encode(record.header, attrs.evolve(record.event, **what)).state
        return changed(position, state=state)(rows)

    return tamper


def swapped(one: int, other: int) -> Tamper:
    """Return what lets two rows change places."""

    def tamper(rows: list[Row]) -> list[Row]:
        rows[one - 1], rows[other - 1] = (
            replace(rows[other - 1], position=one),
            replace(rows[one - 1], position=other),
        )
        return rows

    return tamper


def put_in(row: Row, place: int) -> Tamper:
    """Return what puts a row in."""
    return lambda rows: [*rows[:place], row, *rows[place:]]


FOREIGN = Row("s2", 9, "t", b"forged", 99)
SEAL_CHANGED = "the seal is not as it was made"


def test_an_untouched_log_holds() -> None:
    """An empty one too."""
    assert not list(broken_seals(log(), CODEC))
    assert not list(broken_seals([], CODEC))


def test_positions_need_only_go_up() -> None:
    """A database may skip some; a seal counts rows."""
    rows = [replace(row, position=7 * (row.position or 0)) for row in log()]
    assert not list(broken_seals(rows, CODEC))


@pytest.mark.parametrize(
    ("tamper", "told"),
    [
        (changed(6, state=b"2-X"), ["position 6, stream s2, version 2: was changed after it"]),
        (changed(6, topic="u"), ["position 6, stream s2, version 2: was changed after it"]),
        (changed(6, version=-9), ["position 6, stream s2, version -9: was moved to another"]),
        (changed(6, stream="s9"), ["position 6, stream s9, version 2: was moved to another"]),
        (changed(6, version=9, state=b"X"), ["position 6, stream s2, version 9: is not the row"]),
        (without(6), ["missing: row 6 of the log, between positions 5 and 7"]),
        (without(7), ["missing: row 7 of the log, between positions 6 and 8"]),
        (without(1), ["missing: row 1 of the log, in front of position 2"]),
        (without(5, 6, 7), [f"missing: row {n} of the log, between positions" for n in (5, 6, 7)]),
        (put_in(FOREIGN, 5), ["position 99, stream s2, version 9: was put in after its neigh"]),
        (put_in(FOREIGN, 7), ["position 99, stream s2, version 9: was put in after its neigh"]),
        (
            swapped(5, 7),
            [
                "position 5, stream s2, version 3: is not in its place",
                "position 7, stream s2, version 1: is not in its place",
            ],
        ),
        (
            swapped(3, 6),
            [
                "position 3, stream s2, version 2: is not the row that was sealed here",
                "position 6, stream s1, version 3: is not the row that was sealed here",
            ],
        ),
        (
            without(8),
            ["stream log, version 2: missing: seal 2, between positions 7 and 9; no seal covers"],
        ),
        (
            without(5, 6, 7, 8),
            ["stream log, version 2: missing: seal 2, between positions 4 and 9"],
        ),
        (
            without(4, 8),
            ["stream log, version 1: missing: seals 1 to 2, between positions 7 and 9"],
        ),
        (without(1, 2, 3, 4), ["stream log, version 1: missing: seal 1, in front of position 5"]),
        (without(16), ["position 13, stream s4, version 1: no seal covers the 3 rows from here"]),
        (put_in(FOREIGN, 16), ["position 99, stream s2, version 9: no seal covers the row from"]),
        (changed(8, state=b"junk"), ["the row at position 8, stream log, version 2"]),
        (changed(16, state=b"junk"), ["the row at position 16, stream log, version 4"]),
        (changed(8, version=9), [f"position 8, stream log, version 9: {SEAL_CHANGED}"] * 2),
        (resealed(8, instance="x"), [f"position 8, stream log, version 2: {SEAL_CHANGED}"]),
        (resealed(8, count=2), [f"position 8, stream log, version 2: {SEAL_CHANGED}"] * 2),
        (resealed(8, digest=b"x"), [f"position 8, stream log, version 2: {SEAL_CHANGED}"] * 2),
        (resealed(8, first=9), [f"position 8, stream log, version 2: {SEAL_CHANGED}"] * 2),
        (resealed(8, checksums=b""), [f"position 8, stream log, version 2: {SEAL_CHANGED}"]),
        (resealed(8, previous=b"x"), [f"position 8, stream log, version 2: {SEAL_CHANGED}"]),
        (resealed(16, previous=b"x"), [f"position 12, stream log, version 3: {SEAL_CHANGED}"]),
        (resealed(4, previous=b"x"), [f"position 4, stream log, version 1: {SEAL_CHANGED}"]),
        (
            resealed(12, epoch=0),
            [
                "position 12, stream log, version 3: engine 0 sealed it, behind engine 1",
                f"position 12, stream log, version 3: {SEAL_CHANGED}",
            ],
        ),
    ],
    ids=range(31),
)
def test_tampering_shows_and_names_the_row(tamper: Tamper, told: list[str]) -> None:
    """A byte, a version, a row, a seal: each is told of where it is, and nothing else."""
    problems = list(broken_seals(tamper(log()), CODEC))
    assert len(problems) == len(told)
    for problem, wanted in zip(problems, told, strict=True):
        assert problem.startswith(wanted)


def test_seals_that_changed_places_are_told() -> None:
    """The log goes on behind the later one."""
    problems = list(broken_seals(swapped(4, 8)(log()), CODEC))
    assert problems[0].startswith("stream log, version 1: missing: seal 1")
    assert any("seal 1 comes behind seal 2" in one for one in problems)


def test_a_seal_that_was_made_anew_does_not_follow_the_one_before() -> None:
    """Changing the rows and their seal breaks the next seal."""
    rows = log()
    batch = [replace(rows[0], state=b"forged"), *rows[1:3]]
    forged = [*batch, replace(sealed(batch, 1, 0, FIRST), position=4), *rows[4:]]
    assert list(broken_seals(forged, CODEC)) == [
        f"position 4, stream log, version 1: {SEAL_CHANGED}"
    ]


def test_without_checksums_the_first_row_of_the_transaction_is_told() -> None:
    """Which of them it is cannot be known."""
    rows = resealed(4, checksums=b"")(log(batches=1))
    what = "the rows from here up to seal 1 are not those that it was made of"
    assert list(broken_seals(changed(2, state=b"X")(rows), CODEC)) == [
        f"position 1, stream s1, version 1: {what}"
    ]
    assert list(broken_seals(rows[3:], CODEC)) == [f"position 4, stream log, version 1: {what}"]


def test_an_engine_seals_its_own_rows() -> None:
    """A row of another engine among them is told of."""
    rows = log(batches=1)
    judged = None
    chained = SealChain()
    for place, row in enumerate(rows, 1):
        header = Header(2 if place == 2 else 1, row.stream, row.version, 0, 0)
        record = CODEC.decode(row) if row.stream == STREAM else None
        foreign = None if record else CODEC.decode(replace(rows[3], stream=row.stream))
        if foreign is not None:
            record = replace(foreign, header=header)
        judged = chained.feed(Placed(row, record, place))
    assert judged is not None
    assert [str(one) for one in judged.found] == [
        "position 2, stream s1, version 2: engine 2 wrote it, engine 1 sealed it"
    ]


def test_rows_without_any_seal_are_not_kept_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    """They are told of in portions."""
    monkeypatch.setattr(chain, "MOST_UNSEALED", 2)
    problems = list(broken_seals(log(batches=1, size=5)[:5], CODEC))
    assert [one.split(": ")[1] for one in problems] == [
        "no seal covers the 3 rows from here on",
        "no seal covers the 2 rows from here on",
    ]


def chained(after: SealMark, known: dict[int, bytes], rows: list[Row]) -> list[str]:
    """Return what is wrong with rows behind a seal."""
    seals = SealChain(after, known)
    found: list[str] = []
    for place, row in enumerate(rows, 1):
        record = CODEC.decode(row) if row.stream == STREAM else None
        judged = seals.feed(Placed(row, record, place))
        found += [] if judged is None else map(str, judged.found)
    return [*found, *map(str, seals.finish(99).found)]


def test_a_part_of_a_log_follows_the_seal_before_it() -> None:
    """Another seal before it is told."""
    rows = log()
    behind = SealMark(2, digest_of((rows[7],)), 8)
    assert not chained(behind, {}, rows[8:])
    assert chained(SealMark(2, b"other", 8), {}, rows[8:]) == [
        f"position 12, stream log, version 3: {SEAL_CHANGED}"
    ]


def test_a_seal_that_is_known_has_to_be_there() -> None:
    """So it shows when the end was cut off, or everything was made anew."""
    rows = log()
    own = digest_of((rows[11],))
    assert not chained(BEGINNING, {3: own}, rows)
    assert chained(BEGINNING, {3: own}, rows[:8]) == [
        "stream log, version 3: missing: the log ends with seal 2"
    ]
    assert chained(BEGINNING, {3: b"other"}, rows) == [
        "position 12, stream log, version 3: this is not the seal 3 that was given"
    ]


def test_a_mark_is_written_down_and_read_again() -> None:
    """Number and digest."""
    mark = SealMark(12, bytes(range(32)))
    assert parse_mark(str(mark)) == mark


@pytest.mark.parametrize("text", ["", "12", "x:00", "0:" + "00" * 32, "12:00", "12:zz"])
def test_what_is_no_mark_is_refused(text: str) -> None:
    """A cut or mistyped one is not taken for another seal."""
    with pytest.raises(ValueError, match="is no seal: N:DIGEST"):
        parse_mark(text)


def test_a_digest_can_be_reckoned_from_its_description() -> None:
    """Lengths little-endian, then stream, topic and bytes."""
    row = log()[0]
    parts = struct.pack("<IQII", 2, 1, 1, 3) + b"s1" + b"t" + b"1-0"
    assert digest_of([row]) == hashlib.sha256(parts).digest()
