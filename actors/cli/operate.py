"""Verbs that act on a running engine, through its control socket."""

from collections.abc import Callable, Mapping
from typing import Any, TypeVar

import click

from actors.cli.places import control_socket
from actors.control import request

F = TypeVar("F", bound=Callable[..., Any])

_ANSWER_S = 30.0


def _who(verb: F) -> F:
    """Give a verb ``--by`` and ``--reason``, which go on record."""
    by = click.option("--by", required=True, metavar="WHO", help="Who asks; goes on record.")
    reason = click.option("--reason", required=True, metavar="WHY", help="Why; goes on record.")
    return by(reason(verb))


def _ask(site: str, op: str, args: Mapping[str, object], *, wait_s: float = 0.0) -> Any:  # noqa: ANN401 - JSON
    given = {key: value for key, value in args.items() if value is not None}
    return request(control_socket(site), op, given, _ANSWER_S + wait_s)


@click.command()
@click.argument("site", type=click.Path())
@click.argument("asset")
@click.argument("type")
@click.option("--kw", type=float, help="The power of a SET_CHARGE_RATE or SET_DISCHARGE_RATE.")
@click.option("--operative/--inoperative", default=True, help="For CHANGE_AVAILABILITY.")
@click.option("--wait", "wait_s", type=float, metavar="S", help="Wait so long for the end.")
@_who
def send(site: str, asset: str, type: str, **options: Any) -> None:  # noqa: ANN401 - click's options, the contract's word
    """Send one command by hand and print its id; with --wait, what became of it.

    A rate holds until the next planned change, one hour at most; a paused asset takes none but
    0. Exit status 1 if the command was refused or, with --wait, is not COMPLETED in time.
    """
    wait_s = options.pop("wait_s")
    args = {"asset": asset, "type": type, "wait_s": wait_s, **options}
    result = _ask(site, "send", args, wait_s=wait_s or 0.0)
    click.echo(f"{result['id']} {result['status']}")
    if wait_s is not None and result["status"] != "COMPLETED":
        raise click.exceptions.Exit(1)


def _each(op: str, site: str, asset: str | None, by: str, reason: str) -> None:
    results = _ask(site, op, {"asset": asset, "by": by, "reason": reason})
    failed = False
    for result in results:
        failed = failed or "error" in result
        click.echo(f"{result['asset_id']}: {result.get('error') or result['done']}")
    if failed:
        raise click.exceptions.Exit(1)


@click.command()
@click.argument("site", type=click.Path())
@click.argument("asset", required=False)
@_who
def release(site: str, asset: str | None, by: str, reason: str) -> None:
    """Hand one asset, or all, back to its own control until the next planned change."""
    _each("release", site, asset, by, reason)


@click.command()
@click.argument("site", type=click.Path())
@click.argument("asset", required=False)
@_who
def pause(site: str, asset: str | None, by: str, reason: str) -> None:
    """Hold one asset, or all, at 0 kW until resumed."""
    _each("pause", site, asset, by, reason)


@click.command()
@click.argument("site", type=click.Path())
@click.argument("asset", required=False)
@_who
def resume(site: str, asset: str | None, by: str, reason: str) -> None:
    """End the pause of one asset, or of all that are paused."""
    _each("resume", site, asset, by, reason)


@click.command("stop-all")
@click.argument("site", type=click.Path())
@_who
def stop_all(site: str, by: str, reason: str) -> None:
    """Pause every asset: 0 kW until resumed."""
    _each("stop_all", site, None, by, reason)
