"""The verb that copies a live store."""

import os
from pathlib import Path

import click

from actors.cli.output import progress_bar
from actors.cli.places import store_url
from actors.store import open_store
from engine.errors import UsageError


@click.command()
@click.argument("place", metavar="SITE|STORE", type=click.Path())
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path))
def backup(place: str, file: Path) -> None:
    """Copy a store to FILE, consistently, also while an engine writes to it."""
    if file.exists():
        raise UsageError(f"{file} is there already")
    if not os.access(file.absolute().parent, os.W_OK):
        raise UsageError(f"{file} cannot be written: there is no folder that takes it")
    store = open_store(store_url(place), read_only=True)
    try:
        with progress_bar("backup") as progress:
            store.backup(file, progress)
    finally:
        store.close()
    click.echo(f"{file}: {file.stat().st_size:,} bytes")
