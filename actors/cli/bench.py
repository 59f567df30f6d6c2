"""The verb that measures."""

from pathlib import Path

import click

from actors.cli.collector import settle
from actors.cli.output import json_line, text


@click.command()
@click.argument("names", metavar="[NAME]...", nargs=-1)
@click.option("--runs", type=click.IntRange(1, 100), default=5, help="Repetitions of each.")
@click.option("--full", is_flag=True, help="Also the long ones.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line.")
@click.option(
    "--plots",
    type=click.Path(file_okay=False, path_type=Path),
    metavar="DIR",
    help="Also fill DIR/benchmarks.md with the rows, and plot growth as DIR/benchmarks/*.svg.",
)
def bench(
    names: tuple[str, ...], runs: int, *, full: bool, as_json: bool, plots: Path | None
) -> None:
    """Measure each bench beside the limit it is judged by; without a name, all but the long ones.

    \b
    of a running engine, 10,000 assets on devices in this process:
      start         ready on an empty store
      submit        a day's schedule, until it is committed
      dispatch      every asset changes at every slot, each command durable before it is sent
      replan        a rolling schedule in which a tenth of the assets changed
      lateness      from due to handed to the link, 1,000 assets due at one instant
      lateness_10k  the same with 10,000
      memory        an idle asset after a restart
    of an engine on real sockets, beside the bare library:
      ocpp          500 chargers in another process
      modbus        50 batteries in another process, which answer at once
      modbus_20ms   the same, answering after 20 ms as batteries do
    of its parts:
      convert       a day's schedule to packed plans
      rebuild       a million events in 10,000 streams
      recover       the same with snapshots
      history       of one asset among a million commands
    long, with --full or by name:
      dispatch_threads  dispatch beside the same actors with a thread each
      growth_assets     dispatch, re-plan and restart of 1,000, 10,000 and 50,000 assets
      growth_events     the same on 10,000 to ten million stored events
      scale             2,000 chargers on real websockets for 10 minutes, then all reconnect
      soak              a month of plan time in 12 minutes, and whether memory grows

    rebuild, recover and history prepare a store first. The ratio is higher for better; it is
    compared within one run on one machine.
    """  # noqa: D301 - click's own mark for lines that stay as they are
    from actors.bench.page import Page
    from actors.bench.registry import measured

    page = None if plots is None else Page.of(plots)
    settle()
    rows = []
    for row in measured(names, runs, full=full):
        rows.append(row)
        if as_json:
            click.echo(json_line(row))
        else:
            name = f"{row['bench']} {text(row['size'])}" if "size" in row else row["bench"]
            ratio = "" if row["ratio"] is None else f"  {text(row['ratio'])} x {row['limit_name']}"
            floor = "" if row["floor"] is None else f"  (floor {text(row['floor'])})"
            click.echo(f"{name:<10} {text(row['value'])} {row['unit']}{ratio}{floor}")
    if page is not None:
        page.fill(rows)
