"""Schedule files: CSV, JSON and Parquet as frames."""

import csv
import io
import json
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, Final

import attrs
import numpy as np
import pandas as pd

from engine.errors import Problem, ScheduleRefused
from engine.frames.index import localised

_INDEX_NAMES: Final = ("timestamp", "datetime", "time", "index")
_NOTHING: Final = ("", "nan", "NaN")
_SEPARATORS: Final[Mapping[str, str]] = {";": "semicolons", "\t": "tabs", "|": "bars"}


def load_file(path: str | Path, timezone: str | None = None) -> pd.DataFrame:
    """Return a schedule file as a frame, rows and columns as in the file, by time.

    ``.csv``: one header line, commas, decimal points. ``.json``: a list of records
    (``[{"timestamp": …, "ev_1_kw": …}, …]``), or what pandas writes with ``orient="split"``
    (``{"columns", "index", "data"}``) or ``orient="columns"`` (``{column: {time: value}}``).
    ``.parquet``: needs the extra ``setpoint[parquet]``.

    The index is the column named timestamp, datetime, time or index (in any case), else the first.
    Times are ISO 8601 text (in Parquet also times), each with its offset, which may change from row
    to row; they become UTC. Times that all lack an offset are local to ``timezone`` (an IANA name),
    or without one stay naive.

    Raises:
        ScheduleRefused: it cannot be read as one; with the file and, where known, the line.
    """
    file = Path(path)
    try:
        frame, lines = _read(file)
        return _indexed(frame, timezone, lines)
    except ScheduleRefused as refused:
        problems = refused.problems
    except (OSError, OverflowError, RecursionError, ValueError) as error:
        problems = (_unreadable(error),)
    raise ScheduleRefused(tuple(attrs.evolve(p, file=str(file)) for p in problems))


def _read(file: Path) -> tuple[pd.DataFrame, Sequence[int]]:
    reader = _READERS.get(file.suffix.lower())
    if reader is None:
        raise _refused("file_type", f"not a schedule file: expected {', '.join(_READERS)}")
    return reader(file)


def _unreadable(error: Exception) -> Problem:
    if isinstance(error, UnicodeDecodeError):
        return Problem("unreadable", f"not UTF-8: {error.reason}")
    line = error.lineno if isinstance(error, json.JSONDecodeError) else None
    message = error.strerror if isinstance(error, OSError) else None
    return Problem("unreadable", message or str(error), line=line)


def _refused(
    rule: str, message: str, *, value: str | None = None, line: int | None = None
) -> ScheduleRefused:
    return ScheduleRefused((Problem(rule, message, value=value, line=line),))


# --- the formats: each returns a frame and, where known, the line of each row


def _read_csv(file: Path) -> tuple[pd.DataFrame, Sequence[int]]:
    text = io.StringIO(file.read_text(encoding="utf-8-sig"), newline="")
    reader = csv.reader(text, skipinitialspace=True, strict=True)
    rows: list[list[str]] = []
    lines: list[int] = []
    try:
        for row in reader:
            if row and row != [""]:
                rows.append(row)
                lines.append(reader.line_num)
    except csv.Error as error:
        raise _refused("unreadable", str(error), line=reader.line_num) from error
    if not rows:
        raise _refused("empty", "the file is empty")
    header = rows[0]
    _check_separator(header, lines[0])
    ragged = [
        Problem("row_length", f"{len(row)} fields under {len(header)} columns", line=line)
        for row, line in zip(rows, lines, strict=True)
        if len(row) != len(header)
    ]
    if ragged:
        raise ScheduleRefused(tuple(ragged))
    cells = zip(*rows[1:], strict=True) if len(rows) > 1 else [()] * len(header)
    frame = pd.DataFrame({at: _numbers(column) for at, column in enumerate(cells)})
    return frame.set_axis(header, axis=1), lines[1:]


def _check_separator(header: Sequence[str], line: int) -> None:
    """Refuse a header that has something else between its columns than commas."""
    (only,) = header if len(header) == 1 else ("",)
    found = next((name for sign, name in _SEPARATORS.items() if sign in only), None)
    if found is not None:
        message = f"{found} between the columns: write commas, and points in decimals"
        raise _refused("separator", message, value=only, line=line)


def _numbers(cells: Sequence[str]) -> "pd.Series[Any]":
    """Return a column's texts as numbers; those that are none stay texts, empty ones are NaN."""
    texts = pd.Series(cells, dtype=object)
    numbers = pd.to_numeric(texts, errors="coerce").astype(np.float64)
    odd = numbers.isna() & ~texts.isin(_NOTHING)
    return numbers.astype(object).mask(odd, texts) if odd.any() else numbers


def _read_json(file: Path) -> tuple[pd.DataFrame, Sequence[int]]:
    content = json.loads(file.read_bytes(), object_pairs_hook=_unique)
    match content:
        case [*records] if all(isinstance(record, dict) for record in records):
            return pd.DataFrame(records), ()
        case {"columns": list(columns), "index": list(index), "data": list(data)}:
            return pd.DataFrame(data, pd.Index(index, dtype=object), columns), ()
        case {} if all(isinstance(column, dict) for column in content.values()):
            return pd.DataFrame(content), ()
    message = "not a list of records, nor a frame as pandas writes it by split or columns"
    raise _refused("shape", message)


def _unique(pairs: Sequence[tuple[str, object]]) -> dict[str, object]:
    """Return a JSON object; the standard library takes the last of two keys without a word."""
    content = dict(pairs)
    if len(content) < len(pairs):
        key = next(key for key, count in Counter(key for key, _ in pairs).items() if count > 1)
        raise _refused("duplicate_key", "an object has this key twice", value=key)
    return content


def _read_parquet(file: Path) -> tuple[pd.DataFrame, Sequence[int]]:
    try:
        return pd.read_parquet(file), ()
    except ImportError as error:
        message = "Parquet needs the extra setpoint[parquet]: pip install 'setpoint[parquet]'"
        raise _refused("parquet", message) from error


_READERS: Final[Mapping[str, Callable[[Path], tuple[pd.DataFrame, Sequence[int]]]]] = {
    ".csv": _read_csv,
    ".json": _read_json,
    ".parquet": _read_parquet,
}


# --- the index


def _indexed(frame: pd.DataFrame, timezone: str | None, lines: Sequence[int]) -> pd.DataFrame:
    """Return a frame by the times in its index or in one of its columns."""
    if isinstance(frame.index, pd.RangeIndex):
        frame = _by_column(frame)
    index = _times(frame.index, lines)
    if timezone is not None:
        aware, problems = localised(index, timezone)
        if aware is None:
            raise ScheduleRefused(tuple(problems))
        index = aware
    return frame.set_axis(index, axis=0)


def _by_column(frame: pd.DataFrame) -> pd.DataFrame:
    names = [str(name).lower() for name in frame.columns]
    if not names:
        raise _refused("empty", "the file has no columns")
    at = next((names.index(name) for name in _INDEX_NAMES if name in names), 0)
    times = pd.Index(frame.iloc[:, at], dtype=object)
    others = [position for position in range(len(names)) if position != at]
    return frame.iloc[:, others].set_axis(times, axis=0)


def _times(index: pd.Index, lines: Sequence[int]) -> pd.DatetimeIndex:
    """Return times as an index: in UTC where they have offsets, naive where none has."""
    moments = [
        None if absent else _moment(cell)
        for cell, absent in zip(index.tolist(), index.isna().tolist(), strict=True)
    ]
    aware = any(moment is not None and moment.tzinfo is not None for moment in moments)
    problems = []
    for row, moment in enumerate(moments):
        line = lines[row] if lines else None
        if moment is None:
            message = "not a time in ISO 8601"
            problems.append(Problem("not_a_time", message, value=str(index[row]), line=line))
        elif aware and moment.tzinfo is None:
            message = "this time has no offset, and others have"
            problems.append(Problem("naive", message, row=moment.isoformat(), line=line))
    if problems:
        raise ScheduleRefused(tuple(problems))
    found = [moment for moment in moments if moment is not None]
    return pd.to_datetime(found, utc=True) if aware else pd.DatetimeIndex(found)


def _moment(cell: object) -> datetime | None:
    try:
        if isinstance(cell, str):
            return datetime.fromisoformat(cell.strip())
        return cell if isinstance(cell, datetime) else None
    except ValueError:
        return None
