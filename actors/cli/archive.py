"""The verb that moves the beginning of a log to a file."""

from pathlib import Path

import click

from actors.archiving import archive as archived
from actors.audit import moment
from actors.cli.output import json_line, progress_bar
from actors.cli.places import store_url
from actors.following import rebuild
from actors.reading import VOCABULARY
from actors.store import open_store
from actors.store.tables import place_of
from engine.codec import Codec
from engine.errors import StoreInUse
from engine.types import to_us


@click.command()
@click.argument("place", metavar="SITE|STORE", type=click.Path())
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path))
@click.option(
    "--before", required=True, metavar="TIME", help="Move what was recorded before this plan time."
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def archive(place: str, file: Path, before: str, *, as_json: bool) -> None:
    """Move the oldest part of the log to FILE, a store of its own; no engine may run meanwhile.

    FILE answers history, why, verify and all else that is asked of a store. What stays is what is
    newer, and of the older rows those that the assets still need: an engine starts from it as
    before. The seals of both hold, and verify checks each by itself.
    """
    before_us = to_us(moment(before))
    url = store_url(place)
    open_store(url, read_only=True).close()  # one that is not there is not to be made
    try:
        store = open_store(url)
    except StoreInUse as error:
        raise StoreInUse(f"{error}; stop it first") from None
    try:
        with progress_bar("archive") as progress:
            done = archived(store, file, before_us, progress, place_of(url))
        with progress_bar("rebuild") as progress:
            rebuild(place_of(url), store, Codec(VOCABULARY), progress)
    finally:
        store.close()
    if as_json:
        told = {"file": str(file), "rows": done.rows, "kept": done.kept, "last": str(done.last)}
        click.echo(json_line(told))
        return
    click.echo(f"{file}: {done.rows:,} rows moved, {done.kept:,} of that age stay")
    click.echo(f"last seal {done.last}")
