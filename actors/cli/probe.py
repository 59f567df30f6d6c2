"""The verb that looks at a device: what it is, what it holds, what would be written."""

import asyncio
from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING

import attrs
import click

from actors.cli.output import json_line
from actors.cli.places import control_socket, site_of
from actors.cli.profile import explanation
from actors.control import NotReachable, request
from actors.profiles import register_profile
from engine.adapters.explained import Told, explained, fail_safe, writes_json
from engine.adapters.modbus import ModbusOptions
from engine.config import AssetConfig

if TYPE_CHECKING:
    from actors.probing import Probe


@click.command()
@click.argument("site", type=click.Path())
@click.argument("asset")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def probe(site: str, asset: str, *, as_json: bool) -> None:
    """Look at one device; nothing is ever written to it.

    A battery is connected to, whether an engine runs or not: each register of its profile is shown
    as it came and as a value, its SunSpec map if it has one, and what would be written. A charger
    connects to the engine by itself, so that the running engine is asked what it knows of it.

    Exit status 1 if the device is not the one of its profile, or what it says makes no sense; 3 if
    it, or the engine, cannot be reached.
    """
    config = site_of(site).asset(asset)
    if isinstance(config.options, ModbusOptions):
        _battery(site, config, config.options, as_json=as_json)
    else:
        _known(site, asset, as_json=as_json)


# --- a battery


def _battery(site: str, config: AssetConfig, options: ModbusOptions, *, as_json: bool) -> None:
    from actors.probing import Prober

    if _engine_runs(site):
        click.echo("an engine runs: a device with room for one client may leave it now", err=True)
    prober = Prober(options, register_profile(options.profile))
    found = asyncio.run(prober.probe())
    if found is None:
        why = "takes the connection, but does not answer" if prober.is_mute else "cannot be reached"
        raise NotReachable(f"{_place(options)} {why}")
    lease_s = config.rules.failsafe_after_s
    if as_json:
        click.echo(json_line(_probe_json(config.rules.asset_id, options, found, lease_s)))
    else:
        click.echo(f"{config.rules.asset_id} at {_place(options)}, profile {options.profile}")
        for line in (*_identity(found.facts), *map(_told_line, found.told)):
            click.echo(line)
        for line in _explanation(options, found, lease_s):
            click.echo(line)
    if not found.is_good:
        raise click.exceptions.Exit(1)


def _place(options: ModbusOptions) -> str:
    return f"{options.host}:{options.port} unit {options.unit}"


def _explanation(options: ModbusOptions, found: "Probe", lease_s: float) -> Iterable[str]:
    if found.profile is None:
        return (f"not usable: {found.problem}",)
    return explanation(found.profile, options.unit, lease_s)


def _probe_json(
    asset_id: str, options: ModbusOptions, found: "Probe", lease_s: float
) -> dict[str, object]:
    known: dict[str, object] = {
        "asset_id": asset_id,
        "host": options.host,
        "port": options.port,
        "unit": options.unit,
        "profile": options.profile,
        "good": found.is_good,
        "problem": found.problem,
        "sunspec": dict(found.facts),
        "registers": [attrs.asdict(one) for one in found.told],
    }
    if found.profile is not None:
        known["writes"] = writes_json(explained(found.profile, options.unit, lease_s))
        known["fail_safe"] = fail_safe(found.profile, lease_s)
    return known


def _engine_runs(site: str) -> bool:
    try:
        request(control_socket(site), "ping", {}, 2.0)
    except NotReachable:
        return False
    return True


def _identity(facts: Mapping[str, str]) -> Iterator[str]:
    if not facts:
        yield "SunSpec: no map at 40000, 0 or 50000"
        return
    names = [facts[key] for key in ("manufacturer", "model", "version", "serial") if key in facts]
    yield f"SunSpec: map at {facts['sunspec']}, {' '.join(names)}"
    yield f"models: {facts['models']}"


def _told_line(one: Told) -> str:
    words = " ".join(f"{word:04x}" for word in one.words) or "-"
    value = "-" if one.value is None else f"{one.value:g}"
    note = "" if one.is_good else f"  {one.verdict}"
    return f"{one.address:>6} {one.space:<8} {one.role:<28} {words:<10} {value:>12}{note}"


# --- a charger, or an adapter of somebody's own


def _known(site: str, asset: str, *, as_json: bool) -> None:
    try:
        known = request(control_socket(site), "probe", {"asset": asset})
    except NotReachable:
        raise NotReachable(
            f"{asset} connects to the engine by itself, and no engine of {site} runs to ask"
        ) from None
    if as_json:
        click.echo(json_line(known))
    else:
        for name, value in known.items():
            if name != "capabilities":
                click.echo(f"{name}: {value}")
        for name, value in sorted(known["capabilities"].items()):
            click.echo(f"  {name}: {value}")
    if not known["connected"]:
        raise click.exceptions.Exit(3)
