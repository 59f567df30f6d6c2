"""The verb that makes the read model anew."""

import click

from actors.cli.output import progress_bar
from actors.cli.places import shown, store_url
from actors.following import rebuild as rebuilt
from actors.reading import VOCABULARY
from actors.store import open_store
from actors.store.tables import place_of
from engine.codec import Codec


@click.command()
@click.argument("place", metavar="SITE|STORE", type=click.Path())
def rebuild(place: str) -> None:
    """Make the read model, from which history is answered, anew from the log.

    Nothing is lost by it: the model is made from the log alone. An engine may run meanwhile.
    """
    url = store_url(place)
    store = open_store(url, read_only=True)
    try:
        with progress_bar("rebuild") as progress:
            rows = rebuilt(place_of(url), store, Codec(VOCABULARY), progress)
    finally:
        store.close()
    click.echo(f"{shown(place_of(url)).removeprefix('sqlite:///')}: {rows:,} rows")
