"""The verb that measures."""

import click

from actors.cli.collector import settle
from actors.cli.output import json_line, text


@click.command()
@click.argument("names", metavar="[NAME]...", nargs=-1)
@click.option("--runs", type=click.IntRange(1, 100), default=5, help="Repetitions of each.")
@click.option("--full", is_flag=True, help="Also the long ones.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line.")
def bench(names: tuple[str, ...], runs: int, *, full: bool, as_json: bool) -> None:
    """Measure each bench beside the limit it is judged by; without a name, all of them.

    start, submit, convert and dispatch are of a running engine. ocpp and modbus are of one on real
    sockets, with 500 chargers or 50 batteries in another process that the bare library asks too.
    rebuild (a million events in 10,000 streams), recover (the same with snapshots) and history (one
    asset among a million commands) prepare a store first, which takes a minute.

    The ratio is higher for better; it is compared within one run on one machine.
    """
    from actors.bench.registry import measured

    settle()

    for row in measured(names, runs, full=full):
        if as_json:
            click.echo(json_line(row))
        else:
            ratio = "" if row["ratio"] is None else f"  {text(row['ratio'])} x {row['limit_name']}"
            floor = "" if row["floor"] is None else f"  (floor {text(row['floor'])})"
            click.echo(f"{row['bench']:<10} {text(row['value'])} {row['unit']}{ratio}{floor}")
