"""The option that lets a simulated device misbehave."""

from collections.abc import Callable, Mapping
from typing import Any

import click

from engine.errors import UsageError

_HELP = "help"


def quirk_option(
    quirks: Mapping[str, str], known: Callable[[str], str]
) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Return the option ``--quirk``; with ``help`` it tells all names, a line each.

    ``known`` returns a quirk's name, and raises UsageError or ValueError where there is none.
    """

    def named(context: click.Context, option: click.Parameter, value: tuple[str, ...]) -> Any:  # noqa: ANN401 - as click has it
        del option
        if _HELP in value:
            width = max(map(len, quirks))
            for name, what in sorted(quirks.items()):
                click.echo(f"{name:{width}}  {what}")
            context.exit()
        try:
            return tuple(map(known, value))
        except (UsageError, ValueError) as error:
            raise UsageError(f"{error}; --quirk help lists them") from None

    return click.option(
        "--quirk",
        "quirks",
        multiple=True,
        metavar="NAME",
        callback=named,
        is_eager=True,
        help="Misbehave, in as many ways as you name; --quirk help lists them.",
    )
