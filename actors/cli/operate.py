"""Verbs that act on a running engine, through its control socket."""

from collections.abc import Callable, Mapping
from typing import Any, TypeVar

import click
import msgspec

from actors.cli.numbers import POWER_KW, WAIT_S
from actors.cli.places import control_socket, moment_of
from actors.control import request
from engine.errors import UsageError

F = TypeVar("F", bound=Callable[..., Any])

_ANSWER_S = 30.0
_SET_FORM = "SITE ASSET KW --until TIME|unplugged ..."


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
@click.option("--kw", type=POWER_KW, help="The power of a SET_CHARGE_RATE or SET_DISCHARGE_RATE.")
@click.option("--operative/--inoperative", default=True, help="For CHANGE_AVAILABILITY.")
@click.option("--wait", "wait_s", type=WAIT_S, metavar="S", help="Wait so long for the end.")
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


class _Override(click.Group):
    """``override SITE ASSET KW`` sets one, ``override clear SITE ASSET`` ends it."""

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Take what does not begin with ``clear`` as an override to set."""
        if args[0] == "clear":
            return super().resolve_command(ctx, args)
        return "set", self.get_command(ctx, "set"), args

    def format_usage(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Show both forms."""
        formatter.write_usage(ctx.command_path, _SET_FORM)
        formatter.write_usage(f"{ctx.command_path} clear", "SITE ASSET ...")

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Show the options of both."""
        for name in ("set", "clear"):
            command = self.get_command(ctx, name)
            if command is not None:
                with formatter.section(command.get_short_help_str(80).rstrip(".")):
                    rows = [one.get_help_record(ctx) for one in command.get_params(ctx)]
                    formatter.write_dl([row for row in rows if row is not None])


class _Nameless(click.Context):
    """A form of a verb that is called by the verb's own name."""

    @property
    def command_path(self) -> str:
        """The verb's, as it was typed."""
        return super().command_path if self.parent is None else self.parent.command_path


class _Form(click.Command):
    """A command whose usage leaves its own name out."""

    context_class = _Nameless


@click.group(cls=_Override, context_settings={"ignore_unknown_options": True})
def override() -> None:
    """Outrank the plan with a power of your own until a time, or until the vehicle leaves.

    KW is signed for a battery: charging is positive, -20 discharges it. The override ends by
    itself, survives restarts and goes on record. `pause` is one of 0 that ends only by `resume`.
    """


@override.command("set", cls=_Form, context_settings={"ignore_unknown_options": True})
@click.argument("site", type=click.Path())
@click.argument("asset")
@click.argument("kw", type=POWER_KW)
@click.option("--until", required=True, metavar="TIME|unplugged", help="When it ends, plan time.")
@_who
def _set(site: str, asset: str, kw: float, **options: str) -> None:
    """Set an override and print the id of its command."""
    if options["until"] != "unplugged":
        moment_of(options["until"])
    result = _ask(site, "override", {"asset": asset, "kw": kw, **options})
    click.echo(f"{result['id']} {result['status']}")


@override.command("clear")
@click.argument("site", type=click.Path())
@click.argument("asset")
@_who
def _clear(site: str, asset: str, by: str, reason: str) -> None:
    """End an override; the plan rules again at once."""
    _ask(site, "clear_override", {"asset": asset, "by": by, "reason": reason})
    click.echo(f"{asset}: cleared")


@click.command()
@click.argument("site", type=click.Path())
@click.argument("asset")
@click.argument("action")
@click.argument("payload", metavar="JSON")
@click.option("--wait", "wait_s", type=WAIT_S, metavar="S", help="Wait so long for the end.")
@_who
def call(site: str, asset: str, action: str, payload: str, **options: Any) -> None:  # noqa: ANN401 - click's options
    """Send any ACTION of the asset's protocol, e.g. UnlockConnector '{"connectorId": 1}'.

    It is recorded like every command and never repeated. With --wait the answer is printed as it
    was received; exit status 1 if it is not COMPLETED in time.
    """
    try:
        given = msgspec.json.decode(payload, type=dict[str, Any])
    except msgspec.MsgspecError as error:
        raise UsageError(f"the payload is no JSON object: {error}") from None
    wait_s = options.pop("wait_s")
    args = {"asset": asset, "action": action, "payload": given, "wait_s": wait_s, **options}
    result = _ask(site, "call", args, wait_s=wait_s or 0.0)
    click.echo(f"{result['id']} {result['status']}")
    for answer in result.get("answers", ()):
        click.echo(answer)
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
    """End the pause of one asset, or of all; put back to work what was given up after crashes."""
    _each("resume", site, asset, by, reason)


@click.command("stop-all")
@click.argument("site", type=click.Path())
@_who
def stop_all(site: str, by: str, reason: str) -> None:
    """Pause every asset: 0 kW until resumed."""
    _each("stop_all", site, None, by, reason)
