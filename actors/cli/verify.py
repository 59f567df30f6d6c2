"""The verb that checks a store against its seals."""

from pathlib import Path
from typing import Final

import click

from actors.cli.output import Listing, counted, emit, formats, json_line, progress_bar
from actors.cli.places import reader_of
from actors.exporting import verify_export
from actors.reading import VOCABULARY
from engine.codec import Codec
from engine.errors import UsageError
from engine.seals import SealMark, parse_mark
from engine.verification import Verification
from engine.verification.result import to_json

_PROBLEMS: Final = Listing("Problems", (), ("position", "stream", "version", "what"))


@click.command()
@click.argument("place", metavar="SITE|STORE|EXPORT", type=click.Path())
@click.option(
    "--seal",
    "seals",
    multiple=True,
    metavar="N:DIGEST",
    help="A seal that was noted down before: it has to be there as it was.",
)
@formats
def verify(place: str, seals: tuple[str, ...], form: str | None) -> None:
    """Check that a store is what the engine wrote: seals, streams, folds, snapshots, read model.

    Each problem names the row that it concerns. That rows were cut off at the very end shows only
    against a later seal: note down the one that is printed, and give it to the next --seal.
    """
    known = tuple(map(_mark, seals))
    if Path(place).suffix == ".jsonl":
        found = verify_export(Path(place), Codec(VOCABULARY), known)
    else:
        with reader_of(place) as reader, progress_bar("verify") as progress:
            found = reader.verify(known, progress)
    _print(found, form)
    if not found.ok:
        raise click.exceptions.Exit(1)


def _mark(text: str) -> SealMark:
    try:
        return parse_mark(text)
    except ValueError as error:
        raise UsageError(str(error)) from None


def _print(found: Verification, form: str | None) -> None:
    if form == "json":
        click.echo(json_line(to_json(found)))
        return
    if form == "csv":
        rows = ({key: getattr(one, key) for key in _PROBLEMS.fields} for one in found.problems)
        emit(rows, form, _PROBLEMS)
        return
    for one in found.problems:
        click.echo(str(one))
    if found.more:
        click.echo(f"and {found.more:,} more")
    count = len(found.problems) + found.more
    told = "nothing wrong" if found.ok else counted(count, "problem")
    click.echo(
        f"{counted(found.rows, 'row')}, {counted(found.seals, 'seal')}, "
        f"{counted(found.streams, 'stream')}, {counted(found.assets, 'asset')}: {told}"
    )
    if found.last_seal is not None:
        click.echo(f"last seal {found.last_seal}")
