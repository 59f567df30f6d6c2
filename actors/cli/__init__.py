"""The ``setpoint`` command. Verbs are imported when they are used, so ``--help`` is quick."""

import difflib
import importlib
import os
import sys
from typing import Final

import click

VERBS: Final = {
    "demo": ("actors.cli.demo", "Run a simulated depot for a day, in less than a minute."),
    "init": ("actors.cli.site", "Write a commented site file to start from."),
    "check": ("actors.cli.site", "Check a site file: all problems at once, nothing is opened."),
    "hash-password": ("actors.cli.site", "Hash a charge point's password for the site file."),
    "plan": ("actors.cli.plan", "Show what a schedule would send; nothing is recorded or sent."),
    "run": ("actors.cli.run", "Run the engine of a site."),
    "send": ("actors.cli.operate", "Send one command by hand."),
    "release": ("actors.cli.operate", "Hand devices back until the next planned change."),
    "pause": ("actors.cli.operate", "Hold an asset, or all, at 0 kW until resumed."),
    "resume": ("actors.cli.operate", "End a pause."),
    "override": ("actors.cli.operate", "Outrank the plan until a time; `override clear` ends it."),
    "call": ("actors.cli.operate", "Send any action of the asset's protocol."),
    "stop-all": ("actors.cli.operate", "Pause every asset."),
    "history": ("actors.cli.read", "List commands with their lifecycle."),
    "report": ("actors.cli.report", "Say how far what was measured is off the plan."),
    "show": ("actors.cli.read", "Show one command with every attempt and answer."),
    "state": ("actors.cli.read", "Show every asset as it is known now."),
    "diff": ("actors.cli.read", "Show what changed between two moments, and by which event."),
    "why": ("actors.cli.read", "Say why an asset's setpoint is what it is."),
    "tail": ("actors.cli.read", "Print events as they are committed."),
    "verify": ("actors.cli.verify", "Check a store against its seals; name what is wrong."),
    "export": ("actors.cli.export", "Write a part of the log with its seals to a file."),
    "rebuild": ("actors.cli.rebuild", "Make the read model anew from the log."),
    "archive": ("actors.cli.archive", "Move the oldest part of the log to a file."),
    "backup": ("actors.cli.backup", "Copy a live store, consistently."),
    "probe": ("actors.cli.probe", "Look at one device: what it is and holds; never writes."),
    "profile": ("actors.cli.profile", "Check a register profile; show what it writes."),
    "sim": ("actors.cli.sim", "Simulate a charger or a battery over a real socket."),
    "bench": ("actors.cli.bench", "Measure, each figure beside its limit."),
}


class _Verbs(click.Group):
    """A group that imports a verb's module when the verb is used."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the verbs in the order in which a newcomer meets them."""
        del ctx
        return list(VERBS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import a verb."""
        del ctx
        if cmd_name not in VERBS:
            return None
        module = importlib.import_module(VERBS[cmd_name][0])
        command = getattr(module, cmd_name.replace("-", "_"))
        if not isinstance(command, click.Command):
            raise TypeError(cmd_name)
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the verb that is called, or name the nearest."""
        if args and args[0] not in VERBS and not args[0].startswith("-"):
            near = difflib.get_close_matches(args[0], VERBS, 1)
            hint = f" Did you mean {near[0]}?" if near else ""
            ctx.fail(f"No verb is called {args[0]!r}.{hint}")
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """List the verbs, none of them imported."""
        del ctx
        with formatter.section("Verbs"):
            formatter.write_dl([(name, text) for name, (_, text) in VERBS.items()])


@click.group(cls=_Verbs, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="setpoint", prog_name="setpoint")
def setpoint() -> None:
    """Get an optimiser's plan onto real chargers and batteries, and prove what was done.

    Exit status: 0 done; 1 the outcome is no; 2 usage or refused input; 3 not reachable.
    """


def main() -> None:
    """Run the command; what is wrong is told in plain lines on stderr."""
    try:
        code = setpoint.main(standalone_mode=False)
    except click.exceptions.Abort:
        code = 130
    except click.ClickException as error:
        error.show()
        code = error.exit_code
    except BrokenPipeError:
        # The reader of our output has gone: nothing is left to say, and nowhere to say it.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        code = 0
    except Exception as error:
        told = _told(error)
        if told is None:
            raise
        message, code = told
        click.echo(message, err=True)
    sys.exit(code if isinstance(code, int) else 0)


def _told(error: Exception) -> tuple[str, int] | None:
    """Return what to say of an error, and the exit status; null for one that should not be.

    The engine, which has the errors, is imported only now: ``--help`` is to be quick.
    """
    from engine.errors import SetpointError, StoreMissing, StoreUnavailable, UsageError
    from engine.naming import is_text

    match error:
        case UsageError() | StoreMissing():
            return str(error), 2
        case StoreUnavailable():
            return str(error), 3
        case SetpointError():
            away = type(error).__name__ == "NotReachable"
            return str(error), 3 if away else getattr(error, "exit", 1)
        case UnicodeEncodeError():
            odd = [one for one in sys.argv if not is_text(one)]
            return (f"{odd[0]!r} is not UTF-8", 2) if odd else None
        case _:
            return None
