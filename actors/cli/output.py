"""How verbs print: tables for people, JSON lines and CSV for programs."""

import contextlib
import csv
import functools
import io
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

import attrs
import click
import msgspec

from engine.errors import UsageError


@attrs.frozen
class Listing:
    """What a verb lists: a title and the columns of a table for people, and all fields of a row."""

    title: str
    columns: Sequence[str]
    fields: Sequence[str]


def fields_of(kind: Any) -> tuple[str, ...]:  # noqa: ANN401 - attrs knows no type of its classes
    """Return the names of an attrs class's fields, in their order."""
    return tuple(one.name for one in attrs.fields(kind))


def formats(verb: Callable[..., None]) -> Callable[..., None]:
    """Give a verb ``--json`` and ``--csv``; it gets ``form``: json, csv, or None for people."""

    @functools.wraps(verb)
    def formed(*args: Any, as_json: bool, as_csv: bool, **options: Any) -> None:  # noqa: ANN401 - click's
        if as_json and as_csv:
            raise UsageError("--json or --csv, not both")
        verb(*args, form="json" if as_json else "csv" if as_csv else None, **options)

    json = click.option("--json", "as_json", is_flag=True, help="Print JSON, one object a line.")
    return json(click.option("--csv", "as_csv", is_flag=True, help="Print CSV.")(formed))


def json_line(row: Mapping[str, object]) -> str:
    """Return one object as one line of JSON."""
    return msgspec.json.encode(row).decode()


def emit(rows: Iterable[Mapping[str, object]], form: str | None, listing: Listing) -> None:
    """Print rows: some columns as a table for people, all fields as JSON and CSV."""
    if form == "json":
        for row in rows:
            click.echo(json_line(row))
    elif form == "csv":
        _emit_csv(rows, listing.fields)
    else:
        _emit_table(list(rows), listing.columns, listing.title)


def _emit_csv(rows: Iterable[Mapping[str, object]], fields: Sequence[str]) -> None:
    """Print a header line, also above nothing, and each row as it comes."""
    buffer = io.StringIO()
    writer = csv.DictWriter(buffer, fields, lineterminator="\n")
    writer.writeheader()
    click.echo(buffer.getvalue(), nl=False)
    for row in rows:
        buffer.seek(0)
        buffer.truncate()
        writer.writerow({key: _cell(value) for key, value in row.items()})
        click.echo(buffer.getvalue(), nl=False)


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
