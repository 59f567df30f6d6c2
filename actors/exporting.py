"""Evidence in a file: a part of the log with its seals, for people and for another Setpoint."""

import base64
import contextlib
import csv
import io
import itertools
import json
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any, BinaryIO, Final, TypeAlias

import attrs
import msgspec

from actors.store import Progress, Store
from engine.archives import STREAM as ARCHIVE
from engine.archives import Bases
from engine.codec import Codec, Record, Row
from engine.errors import StoreCorrupt, UsageError
from engine.seals import BEGINNING, STREAM, LogSealed, SealMark, digest_of, parse_mark
from engine.types import iso
from engine.verification import Verification, Verifier

VERSION: Final = 1
COLUMNS: Final = (
    *("position", "stream", "version", "topic", "at", "wall", "cause", "correlation", "event"),
    "row",
)
_EVERY: Final = 2_000  # rows from one sign of progress to the next


Span: TypeAlias = tuple[int | None, int | None]
"""From a moment until before another, microseconds since 1970 UTC; null where it is open."""


@attrs.frozen
class Export:
    """What was written: rows, seals among them, and the seal before and at the end."""

    rows: int
    seals: int
    after: SealMark
    last: SealMark


@attrs.define
class _Part:
    """Which transactions are meant: from behind ``after`` up to the position of a seal."""

    after: SealMark = BEGINNING
    begin: int = 0
    end: int = 0
    last: SealMark = BEGINNING
    rows: int = 0
    seals: int = 0


def export(store: Store, codec: Codec, path: Path, span: Span, progress: Progress) -> Export:
    """Write the transactions with events in a span of time (plan clock).

    They are whole, with their seals, so that the file can be verified by itself. What the file is
    its name tells: ``.jsonl`` (evidence, with the bytes of every row), ``.csv`` or ``.parquet``.
    It appears when it is whole.

    Raises:
        UsageError: there is a file already, its name ends otherwise, it cannot be written, or
            nothing is in the range.
        StoreCorrupt: a row cannot be read.
        StoreUnavailable: the store cannot be used.
    """
    write = _WRITERS.get(path.suffix)
    if write is None:
        *others, last = _WRITERS
        endings = f"{', '.join(others)} or {last}"
        raise UsageError(f"{path.name}: an export's name ends with {endings}")
    if path.exists():
        raise UsageError(f"{path} is there already")
    part = _part(store, codec, span)
    if not part.rows:
        raise UsageError("no event was recorded in that time")
    try:
        with _whole(path) as file:
            write(file, part, _told(_rows_of(store, part), codec, part.rows, progress))
    except OSError as error:
        raise UsageError(f"{path} cannot be written: {error.strerror}") from error
    return Export(part.rows, part.seals, part.after, part.last)


@contextlib.contextmanager
def _whole(path: Path) -> Iterator[BinaryIO]:
    """Give a file that is at ``path`` when all of it is written, or nowhere."""
    aside = path.with_name(f"{path.name}.part")
    try:
        with aside.open("wb") as file:
            yield file
        aside.replace(path)
    finally:
        aside.unlink(missing_ok=True)


def verify_export(path: Path, codec: Codec, known: Iterable[SealMark] = ()) -> Verification:
    """Return what is wrong with an exported file of evidence.

    Raises:
        UsageError: it is none, or cannot be read.
    """
    try:
        with path.open("rb") as file:
            verifier = Verifier(codec, after=_header(file.readline(), path), known=tuple(known))
            for number, line in enumerate(file, start=2):
                verifier.feed(_row(line, number, path))
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {error.strerror}") from error
    return verifier.finish()


# --- which rows


def _part(store: Store, codec: Codec, span: Span) -> _Part:
    """Return which transactions have events in a time: from the first of them to the last."""
    part = _Part()
    before, position = _beginning(store, codec, span)
    rows = seals = 0  # since the first that is meant
    found = False
    for row in store.read_all(position):
        record = codec.decode(row)
        rows += 1
        if row.stream != STREAM or not isinstance(record.event, LogSealed):
            found = found or _is_in(record.header.at_us, *span)
            continue
        seals += 1
        mark = SealMark(record.event.n, digest_of((row,)), record.event.first + record.event.count)
        if found and not part.rows:
            part.after, part.begin = before, position
        if found:
            part.end, part.last, part.rows, part.seals = row.position or 0, mark, rows, seals
        if not part.rows:
            rows = seals = 0
        found, before, position = False, mark, row.position or 0
    return part


def _beginning(store: Store, codec: Codec, span: Span) -> tuple[SealMark, int]:
    """Return the seal behind which all rows are there, and its position.

    Raises:
        UsageError: the time begins before, in what was moved to an archive; names the file.
    """
    archived = Bases.of(codec.decode(row).event for row in store.read_stream(ARCHIVE)).archived
    if archived is None:
        return BEGINNING, 0
    if span[0] is not None and span[0] < archived.at_us:
        raise UsageError(f"that begins in the archive {archived.file}: export it from there")
    last = next(itertools.islice(store.read_all(), archived.kept.count - 1, None))
    return archived.mark, last.position or 0


def _is_in(at_us: int, start_us: int | None, end_us: int | None) -> bool:
    return (start_us is None or start_us <= at_us) and (end_us is None or at_us < end_us)


def _rows_of(store: Store, part: _Part) -> Iterator[Row]:
    for row in store.read_all(part.begin):
        if (row.position or 0) > part.end:
            return
        yield row


# --- how they are written

_Told = Iterator[dict[str, object]]


def _told(rows: Iterable[Row], codec: Codec, total: int, progress: Progress) -> _Told:
    for done, row in enumerate(rows):
        if done % _EVERY == 0:
            progress(done, total)
        yield _line(row, codec.decode(row))
    progress(total, total)


def _line(row: Row, record: Record) -> dict[str, object]:
    header = record.header
    return {
        "position": row.position,
        "stream": row.stream,
        "version": row.version,
        "topic": row.topic,
        "at": iso(header.at_us),
        "wall": iso(header.wall_us),
        "cause": header.cause,
        "correlation": header.correlation,
        "event": msgspec.to_builtins(record.event),
        "row": base64.b64encode(row.state).decode(),
    }


def _write_lines(file: BinaryIO, part: _Part, rows: _Told) -> None:
    header = {
        "setpoint_export": VERSION,
        "after": str(part.after),
        "rows_before": part.after.rows,
        "rows": part.rows,
        "last": str(part.last),
    }
    file.write(msgspec.json.encode(header) + b"\n")
    file.writelines(msgspec.json.encode(row) + b"\n" for row in rows)


def _write_csv(file: BinaryIO, part: _Part, rows: _Told) -> None:
    del part
    text = io.TextIOWrapper(file, "utf-8", newline="", write_through=True)
    writer = csv.DictWriter(text, COLUMNS, lineterminator="\n")
    writer.writeheader()
    for row in rows:
        writer.writerow({**row, "event": msgspec.json.encode(row["event"]).decode()})
    text.detach()


def _write_parquet(file: BinaryIO, part: _Part, rows: _Told) -> None:
    from engine import frames  # noqa: PLC0415 - pandas is imported lazily

    del part
    flat = ({**row, "event": msgspec.json.encode(row["event"]).decode()} for row in rows)
    frame = frames.to_frame(flat, COLUMNS)
    try:
        frame.to_parquet(file)
    except ImportError as error:
        raise UsageError(f"Parquet needs pip install 'setpoint[parquet]': {error}") from None


_WRITERS: Final[dict[str, Callable[[BinaryIO, _Part, _Told], None]]] = {
    ".jsonl": _write_lines,
    ".csv": _write_csv,
    ".parquet": _write_parquet,
}


# --- how they are read


def _header(line: bytes, path: Path) -> SealMark:
    try:
        told: dict[str, Any] = json.loads(line)
        if told["setpoint_export"] != VERSION:
            raise UsageError(f"{path} was written by a newer version")
        mark = parse_mark(told["after"]) if told["rows_before"] else BEGINNING
        return SealMark(mark.n, mark.digest, int(told["rows_before"]))
    except (ValueError, KeyError, TypeError) as error:
        raise UsageError(f"{path} is no export of a log: {error}") from None


def _row(line: bytes, number: int, path: Path) -> Row:
    try:
        told: dict[str, Any] = json.loads(line)
        state = base64.b64decode(told["row"], validate=True)
        return Row(told["stream"], told["version"], told["topic"], state, told["position"])
    except (ValueError, KeyError, TypeError) as error:
        raise StoreCorrupt(f"{path}, line {number} is no row: {error}") from None
