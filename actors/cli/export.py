"""The verb that writes evidence to a file."""

from pathlib import Path

import click

from actors.cli.output import progress_bar
from actors.cli.places import moment_of, reader_of
from engine.types import to_us


@click.command()
@click.argument("place", metavar="SITE|STORE", type=click.Path())
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path))
@click.option("--from", "start", metavar="TIME", help="From this plan time on.")
@click.option("--to", "end", metavar="TIME", help="Until before this plan time.")
def export(place: str, file: Path, start: str | None, end: str | None) -> None:
    """Write a part of the log with its seals to FILE: .jsonl, .csv or .parquet.

    Whole transactions are written, from the first with an event in that time to the last. A .jsonl
    file is evidence: it has the bytes of every row, and `setpoint verify FILE` checks it without
    the store.
    """
    first, last = moment_of(start), moment_of(end)
    span = (None if first is None else to_us(first), None if last is None else to_us(last))
    with reader_of(place) as reader, progress_bar("export") as progress:
        done = reader.export(file, span, progress)
    click.echo(f"{file}: {done.rows:,} rows, {done.seals:,} seals")
    click.echo(f"after seal {done.after}")
    click.echo(f"last seal {done.last}")
