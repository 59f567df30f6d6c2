"""The verb that shows what a schedule would send."""

from pathlib import Path

import click

from actors.adapters import spelling_adapters
from actors.cli.output import Listing, counted, emit, formats
from actors.cli.places import moment_of, reader_of, site_of
from actors.dry_run import Told, planned
from actors.recovery import recover
from engine.dry_run import FIELDS, to_json
from engine.intake import Intent
from engine.types import to_us


@click.command()
@click.argument("site", type=click.Path())
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--start-at", metavar="TIME", help="Take the schedule as of this time.")
@formats
def plan(site: str, file: Path, start_at: str | None, form: str | None) -> None:
    """Show every command that a schedule file would send, payloads included.

    Nothing is recorded, no socket is opened and no secret is needed. Without --start-at the
    whole file counts, also what is past. What the devices told of themselves is read from the
    site's own file, where it has one.
    """
    from engine.frames import load_file, read_schedule

    found = site_of(site)
    begin = moment_of(start_at)
    rules = {one.rules.asset_id: one.rules for one in found.assets}
    intake = read_schedule(
        load_file(file, found.timezone),
        rules,
        Intent(timezone=found.timezone),
        now_us=None if begin is None else to_us(begin),
        load=found.has_import_limit,
    )
    commands = planned(intake, found, spelling_adapters(found), _told(found.store_url))
    columns = ("due_at", "asset_id", "type", "value_kw", "applied_kw", "protocol", "problem")
    listing = Listing(counted(len(commands), "command"), columns, FIELDS)
    emit(map(to_json, commands), form, listing)
    if found.has_import_limit or found.export_limit_w is not None:
        click.echo(
            "the site's limits are not applied here: they depend on what holds then", err=True
        )
    for clamp in intake.clamped:
        click.echo(f"clamped: {clamp}", err=True)
    if intake.ignored_columns:
        click.echo(f"ignored columns: {', '.join(intake.ignored_columns)}", err=True)


def _told(store_url: str) -> Told:
    """Return what devices told of themselves, from a store that is a file; nothing without one."""
    kind, _, path = store_url.partition(":///")
    if kind != "sqlite" or not Path(path).is_file():
        return {}
    with reader_of(store_url) as reader:
        assets = recover(reader).assets
    return {asset_id: state.device.capabilities for asset_id, state in assets.items()}
