"""``setpoint report``: the five facts of each slot, and how far assets were off their plans."""

from typing import Final

import click

from actors.audit import filters_of
from actors.cli.output import Listing, emit, fields_of, formats
from actors.cli.places import moment_of, reader_of
from actors.cli.read import PLACE
from engine.history import ReportRow, report_of

_SLOTS: Final = Listing(
    "Slots",
    (
        *("kind", "asset_id", "schedule_id", "from_at", "planned_kw", "commanded_kw"),
        *("acknowledged_kw", "applied_kw", "measured_kw", "off_plan_kwh", "off_plan_s", "evidence"),
    ),
    fields_of(ReportRow),
)


@click.command()
@PLACE
@click.option("--schedule", help="Only this schedule's slots.")
@click.option("--asset", help="Only this asset's.")
@click.option("--since", metavar="TIME", help="Slots that begin at or after this time.")
@click.option("--until", metavar="TIME", help="Slots that begin before this time.")
@formats
def report(place: str, form: str | None, **filters: str | None) -> None:
    """Say for each slot what was planned, commanded, acknowledged, applied and measured.

    A total for each asset and schedule follows: the energy (kWh) and the time (s) off the plan, as
    far as anything was measured.
    """
    given = filters_of(
        asset=filters["asset"],
        schedule=filters["schedule"],
        since=moment_of(filters["since"]),
        until=moment_of(filters["until"]),
    )
    with reader_of(place) as reader:
        rows = report_of(reader.history(given))
        emit((row.to_json() for row in rows), form, _SLOTS)
