"""The verb that copies a live store."""

from pathlib import Path

import click

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
    store = open_store(store_url(place), read_only=True)
    try:
        with click.progressbar(length=100, label="backup") as bar:

            def progress(done: int, total: int) -> None:
                bar.update(round(100 * done / max(total, 1)) - bar.pos)

            store.backup(file, progress)
    finally:
        store.close()
    click.echo(f"{file}: {file.stat().st_size:,} bytes")
