"""The verb that simulates devices, over real sockets."""

import asyncio
import contextlib
import os
import signal
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

import click

from actors.cli.numbers import SPEED
from actors.cli.places import moment_of
from actors.cli.quirk import quirk_option
from actors.cli.tls import calling, listening, tls_options
from actors.clock import wall_now
from actors.sim.battery_quirks import QUIRKS as BATTERY_QUIRKS
from actors.sim.battery_quirks import known_quirk
from actors.sim.charger import ChargerSetup, SimCharger
from actors.sim.connector import Arrival
from actors.sim.quirks import QUIRKS as CHARGER_QUIRKS
from actors.sim.quirks import quirk_named
from actors.sim.sunspec import simulated
from actors.sim.vehicle import Vehicle
from actors.sim.versions import VERSIONS
from actors.sim.wirelog import WireLog
from engine.errors import UsageError

_LAST_PORT: Final = 65_535


@click.group()
def sim() -> None:
    """Simulate a charger or a battery over a real socket, until Ctrl-C."""


def _opened(wire_log: Path | None) -> WireLog:
    try:
        return WireLog(wire_log)
    except OSError as error:
        raise UsageError(f"{wire_log}: {error.strerror}") from None


def until_stopped(work: Callable[[], Awaitable[None]], stop: Callable[[], Awaitable[None]]) -> None:
    """Run something until it ends, or until SIGINT or SIGTERM."""

    async def attend() -> None:
        stopping = asyncio.Event()
        loop = asyncio.get_running_loop()
        for each in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(each, stopping.set)
        running = asyncio.ensure_future(work())
        waiting = asyncio.ensure_future(stopping.wait())
        await asyncio.wait({running, waiting}, return_when=asyncio.FIRST_COMPLETED)
        waiting.cancel()
        await stop()
        running.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await running

    asyncio.run(attend())


@sim.command()
@click.option("--url", required=True, help="The central system, such as ws://127.0.0.1:9000.")
@click.option("--id", "identity", required=True, help="The charge point's identity.")
@click.option("--password-env", metavar="V", help="The variable that has the password.")
@tls_options
@click.option("--version", type=click.Choice(list(VERSIONS)), default="1.6")
@click.option("--connectors", type=click.IntRange(1, 100), default=1)
@click.option(
    "--plug-in", metavar="TIME", multiple=True, help="A vehicle comes at this time, or now."
)
@quirk_option(CHARGER_QUIRKS, quirk_named)
@click.option("--speed", type=SPEED, default=1.0, help="How fast vehicles charge.")
@click.option("--seed", type=int, default=0)
@click.option("--wire-log", type=click.Path(path_type=Path), help="Log every frame as JSON lines.")
def charger(  # noqa: PLR0913 - the contract's options
    *,
    url: str,
    identity: str,
    password_env: str | None,
    version: str,
    connectors: int,
    plug_in: tuple[str, ...],
    quirks: tuple[str, ...],
    speed: float,
    seed: int,
    wire_log: Path | None,
    **tls: str | None,
) -> None:
    """Simulate an OCPP charge point that connects to a central system."""
    _check_place(url, identity)
    password = None if password_env is None else os.environ.get(password_env)
    if password_env is not None and password is None:
        raise UsageError(f"the environment has no {password_env}")
    arrivals = tuple(
        Arrival(number % connectors + 1, _seconds_until(text, speed), Vehicle())
        for number, text in enumerate(plug_in)
    )
    log = _opened(wire_log)
    made = SimCharger(
        ChargerSetup(
            identity,
            url,
            wall_now,
            connectors,
            password,
            speed,
            seed,
            frozenset(quirks),
            arrivals,
            version=version,
            tls=calling(url, **tls),
        ),
        log,
    )
    until_stopped(made.run, made.stop)
    log.close()


def _check_place(url: str, identity: str) -> None:
    """Refuse what no charge point can connect to; it would try again and again, and say nothing."""
    try:
        parts = urlsplit(url)
        is_one = parts.scheme in {"ws", "wss"} and bool(parts.hostname) and parts.port != 0
    except ValueError:
        is_one = False
    if not is_one:
        raise UsageError(f"--url {url!r} is no central system: ws://HOST:PORT or wss://HOST:PORT")
    if not identity.strip():
        raise UsageError("--id must not be empty")


def _seconds_until(text: str, speed: float) -> float:
    if text == "now":
        return 0.0
    due = moment_of(text)
    return 0.0 if due is None else max(0.0, (due - wall_now()).total_seconds() * speed)


@sim.command()
@click.option("--listen", required=True, metavar="HOST:PORT", help="Where to listen; port 0: any.")
@click.option(
    "--profile",
    default="generic-battery",
    help="A register profile, its .toml file, or the model of a SunSpec map: sunspec, sunspec-704.",
)
@click.option("--unit", type=click.IntRange(1, 255), default=1)
@quirk_option(BATTERY_QUIRKS, known_quirk)
@click.option("--wire-log", type=click.Path(path_type=Path), help="Log every frame as JSON lines.")
@tls_options
def battery(
    *,
    listen: str,
    profile: str,
    unit: int,
    quirks: tuple[str, ...],
    wire_log: Path | None,
    **tls: str | None,
) -> None:
    """Simulate a Modbus TCP battery."""
    host, _, port = listen.rpartition(":")
    if not host or not port.isdecimal() or int(port) > _LAST_PORT:
        raise UsageError(f"{listen!r} is not HOST:PORT")
    secured = listening(**tls)
    log = _opened(wire_log)
    made = simulated(profile, unit, wire_log=log)
    made.fail(*quirks)

    async def serve() -> None:
        try:
            taken = await made.start(host, int(port), secured)
        except OSError as error:
            raise UsageError(f"nothing can listen at {listen}: {error.strerror}") from None
        click.echo(f"modbus at {host}:{taken}, unit {unit}")
        await made.until(lambda: False)

    until_stopped(serve, made.stop)
    log.close()
