"""The verb about register profiles: check one, and see what it would write."""

from collections.abc import Iterable
from typing import Final

import click

from actors.cli.numbers import Number
from actors.cli.output import counted, json_line
from actors.profiles import register_profile
from engine.adapters.base import Frame
from engine.adapters.explained import explained, fail_safe, writes_json
from engine.adapters.registers import RegisterProfile
from engine.config.defaults import LONGEST_S

_LEASES_S: Final = Number(min=0, min_open=True, max=LONGEST_S)


@click.group()
def profile() -> None:
    """Check a register profile: a battery's registers as data."""


@profile.command()
@click.argument("file")
@click.option(
    "--lease", "lease_s", type=_LEASES_S, default=900.0, help="failsafe_after_s, for timers."
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def check(file: str, *, lease_s: float, as_json: bool) -> None:
    """Check a profile, a .toml FILE or a built-in one by its name; nothing is opened.

    All problems are told at once, with file and line. Without any it is told what the profile
    writes for charge, discharge, idle and release. Exit status 2 if it cannot be used.
    """
    found = register_profile(file)
    if as_json:
        click.echo(json_line(_json(found, lease_s)))
        return
    if found.learns:
        click.echo(f"{found.name}: {found.source}; `setpoint probe` shows what it leads to")
        return
    click.echo(f"{found.name}: {found.control}, {counted(len(found.registers), 'register')}")
    click.echo(f"source: {found.source}")
    for line in explanation(found, 1, lease_s):
        click.echo(line)


def explanation(found: RegisterProfile, unit: int, lease_s: float) -> Iterable[str]:
    """Yield what a profile writes for each mode, line by line, and what happens without it."""
    for mode, frames in explained(found, unit, lease_s).items():
        yield f"{mode}:"
        for frame in frames:
            yield f"  {_line(frame)}"
    read = ", ".join(one.role for one in found.telling)
    yield f"read back: {read or 'nothing, as it cannot be read'}"
    yield f"without the engine: {fail_safe(found, lease_s)}"


def _line(frame: Frame) -> str:
    body = frame.body
    if_needed = ", only if it reads otherwise (flash)" if "persistent" in body else ""
    place = f"{body['address']} (0x{body['address']:04X})"
    return f"{place} = {body['values']}  {body['role']}, function {body['function']}{if_needed}"


def _json(found: RegisterProfile, lease_s: float) -> dict[str, object]:
    known = {"name": found.name, "source": found.source, "learns": found.learns}
    if found.learns:
        return known
    return known | {
        "control": found.control,
        "registers": len(found.registers),
        "writes": writes_json(explained(found, 1, lease_s)),
        "read_back": [one.role for one in found.telling],
        "fail_safe": fail_safe(found, lease_s),
    }
