"""How verbs print: tables for people, JSON lines and CSV for programs."""

import contextlib
import csv
import io
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, TypeVar

import click
import msgspec

F = TypeVar("F", bound=Callable[..., Any])


def formats(verb: F) -> F:
    """Give a verb ``--json`` and ``--csv``; it gets ``form``: json, csv, or None for people."""
    as_csv = click.option("--csv", "form", flag_value="csv", help="Print CSV.")
    as_json = click.option(
        "--json", "form", flag_value="json", help="Print JSON, one object a line."
    )
    return as_json(as_csv(verb))


def json_line(row: Mapping[str, object]) -> str:
    """Return one object as one line of JSON."""
    return msgspec.json.encode(row).decode()


def emit(
    rows: Iterable[Mapping[str, object]], form: str | None, columns: Sequence[str], title: str
) -> None:
    """Print rows; a table has these columns, JSON and CSV have all fields."""
    if form == "json":
        for row in rows:
            click.echo(json_line(row))
    elif form == "csv":
        _emit_csv(rows)
    else:
        _emit_table(list(rows), columns, title)


def _emit_csv(rows: Iterable[Mapping[str, object]]) -> None:
    writer: Any = None
    buffer = io.StringIO()
    for row in rows:
        if writer is None:
            writer = csv.DictWriter(buffer, fieldnames=list(row), lineterminator="\n")
            writer.writeheader()
        writer.writerow({key: _cell(value) for key, value in row.items()})
        click.echo(buffer.getvalue(), nl=False)
        buffer.seek(0)
        buffer.truncate()


def _cell(value: object) -> object:
    if isinstance(value, Mapping | list | tuple):
        return msgspec.json.encode(value).decode()
    return "" if value is None else value


def _emit_table(rows: Sequence[Mapping[str, object]], columns: Sequence[str], title: str) -> None:
    if not sys.stdout.isatty():
        for row in rows:
            click.echo("  ".join(f"{name}={text(row.get(name))}" for name in columns))
        return
    from rich.console import Console
    from rich.table import Table

    table = Table(title=title, header_style="bold")
    for name in columns:
        table.add_column(name)
    for row in rows:
        table.add_row(*(text(row.get(name)) for name in columns))
    Console().print(table)


def text(value: object) -> str:
    """Return a value as people read it."""
    if value is None:
        return "-"
    if isinstance(value, float):
        return f"{value:g}"
    if isinstance(value, list | tuple):
        return " ".join(str(one) for one in value)
    return str(value)


@contextlib.contextmanager
def progress_bar(label: str) -> Iterator[Callable[[int, int], None]]:
    """Show on a terminal how much of how much is done, on standard error."""
    if not sys.stderr.isatty():
        yield lambda *_: None
        return
    with click.progressbar(length=100, label=label, file=sys.stderr) as bar:

        def progress(done: int, total: int) -> None:
            bar.update(round(100 * done / max(total, 1)) - bar.pos)

        yield progress
        progress(1, 1)


def counted(count: int, what: str) -> str:
    """Return a number of things, in words: ``1 asset``, ``1,200 assets``."""
    return f"{count:,} {what}{'' if count == 1 else 's'}"
