"""Verbs about the site file: write one, check one, hash a password for it."""

import os
from pathlib import Path

import click

from actors.cli.output import counted
from actors.cli.places import shown, site_of, warnings_of
from actors.passwords import hash_password as hashed
from engine.config import site_template
from engine.errors import UsageError


@click.command()
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path), default="site.toml")
def init(file: Path) -> None:
    """Write a commented site file to start from (default: site.toml); never over another."""
    try:
        descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o644)
    except FileExistsError:
        raise UsageError(f"{file} is there already") from None
    except OSError as error:
        raise UsageError(f"{file}: {error.strerror}") from None
    with os.fdopen(descriptor, "w", encoding="utf-8") as out:
        out.write(site_template())
    click.echo(f"{file} written. Next: setpoint check {file}")


@click.command()
@click.argument("site", type=click.Path())
def check(site: str) -> None:
    """Check a site file: all problems at once, with file and line. Opens no socket, no store."""
    found = site_of(site, thorough=True)
    for warning in warnings_of(found):
        click.echo(f"warning: {warning}", err=True)
    click.echo(f"{found.id}: {counted(len(found.assets), 'asset')}, store {shown(found.store_url)}")


@click.command("hash-password")
def hash_password() -> None:
    """Read a password, hidden, and print the ``password_hash`` for the site file."""
    click.echo(hashed(click.prompt("Password", hide_input=True, confirmation_prompt=True)))
