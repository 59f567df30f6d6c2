"""Verbs that read a store: while an engine runs on it, and afterwards."""

import threading
from collections.abc import Iterator, Mapping
from typing import Final

import attrs
import click
import msgspec

from actors.audit import StoreAudit, filters_of
from actors.cli.output import Listing, emit, fields_of, formats, json_line
from actors.cli.places import control_socket, is_site_file, moment_of, reader_of
from actors.clock import wall_now
from actors.control import NotReachable, request
from actors.reading import Reader
from actors.recovery import recover
from engine.asset.view import FIELDS, view_json, view_of
from engine.codec import Record
from engine.history import Change, CommandRecord, to_json
from engine.types import Instant, iso, to_us

PLACE = click.argument("place", metavar="SITE|STORE", type=click.Path())

_COMMANDS: Final = Listing(
    "Commands",
    ("due_at", "asset_id", "type", "value_kw", "applied_kw", "status", "reason", "id"),
    fields_of(CommandRecord),
)
_ASSETS: Final = Listing(
    "Assets",
    (
        *("asset_id", "state", "connected", "stale", "setpoint_kw", "setpoint_source"),
        *("measured_kw", "soc_pct", "open_commands", "alarms"),
    ),
    FIELDS,
)
_CHANGES: Final = Listing(
    "Changes", ("at", "asset_id", "field", "before", "after", "topic"), fields_of(Change)
)
_CHAIN: Final = Listing("Events", ("at", "topic", "text"), ("position", "at", "topic", "text"))
_LOG: Final = Listing(
    "Log", (), ("position", "stream", "version", "topic", "at", "wall", "cause", "event")
)


@click.command()
@PLACE
@click.option("--asset", help="Only this asset's.")
@click.option("--type", "type_", help="Only of this type, e.g. SET_CHARGE_RATE.")
@click.option("--status", help="Only with this status, e.g. FAILED.")
@click.option("--cause", help="Only of this cause, e.g. schedule or rule:renew.")
@click.option("--schedule", help="Only this schedule's.")
@click.option("--since", metavar="TIME", help="Due at or after this time.")
@click.option("--until", metavar="TIME", help="Due before this time.")
@formats
def history(place: str, form: str | None, **filters: str | None) -> None:
    """List commands by due time, planned ones included, with their lifecycle."""
    given = filters_of(
        asset=filters["asset"],
        type=filters["type_"],
        status=filters["status"],
        cause=filters["cause"],
        schedule=filters["schedule"],
        since=moment_of(filters["since"]),
        until=moment_of(filters["until"]),
    )
    with reader_of(place) as reader:
        emit(map(to_json, reader.history(given)), form, _COMMANDS)


@click.command()
@PLACE
@click.argument("command_id", metavar="ID")
@formats
def show(place: str, command_id: str, form: str | None) -> None:
    """Show one command: its cause, its lifecycle, every attempt and the answers as received."""
    with reader_of(place) as reader:
        row = to_json(reader.command(command_id))
    if form is not None:
        emit([row], form, _COMMANDS)
        return
    click.echo(msgspec.json.format(msgspec.json.encode(row), indent=2).decode())


@click.command()
@PLACE
@click.option("--at", metavar="TIME", help="As it was known then, plan time; from the store.")
@formats
def state(place: str, at: str | None, form: str | None) -> None:
    """Show every asset as it is known now; from the store alone when no engine runs."""
    emit(_states(place) if at is None else _states_at(place, at), form, _ASSETS)


def _states_at(place: str, at: str) -> list[Mapping[str, object]]:
    with reader_of(place) as reader:
        return [view_json(view) for view in StoreAudit(reader).state_at(at).values()]


@click.command()
@PLACE
@click.option("--from", "start", required=True, metavar="TIME", help="The earlier moment.")
@click.option("--to", "end", required=True, metavar="TIME", help="The later moment.")
@formats
def diff(place: str, start: str, end: str, form: str | None) -> None:
    """Show what was another at one moment than at another, and which event made it so."""
    with reader_of(place) as reader:
        changes = StoreAudit(reader).diff(start, end)
    rows = [{**attrs.asdict(change), "at": iso(to_us(change.at))} for change in changes]
    emit(rows, form, _CHANGES)


@click.command()
@PLACE
@click.argument("asset")
@click.option("--at", metavar="TIME", help="The moment, plan time; now if it is left out.")
@formats
def why(place: str, asset: str, at: str | None, form: str | None) -> None:
    """Say why an asset's setpoint is what it is, and show the events that it rests on."""
    with reader_of(place) as reader:
        told = StoreAudit(reader).why(asset, at)
    row = told.to_json()
    if form == "json":
        click.echo(json_line(row))
        return
    if form is None:
        click.echo(told.sentence)
    chain = [
        {"position": one.position, "at": iso(to_us(one.at)), "topic": one.topic, "text": one.text}
        for one in told.chain
    ]
    emit(chain, form, _CHAIN)


def _states(place: str) -> list[Mapping[str, object]]:
    if is_site_file(place):
        try:
            answered: list[Mapping[str, object]] = request(control_socket(place), "state", {}, 5.0)
        except NotReachable:
            pass
        else:
            return answered
    with reader_of(place) as reader:
        recovered = recover(reader)
    for asset_id, why in recovered.unreadable.items():
        click.echo(f"{asset_id}: {why}", err=True)
    now_us = to_us(wall_now())
    return [
        view_json(view_of(one, Instant(now_us, now_us)))
        for one in recovered.assets.values()
        if one.rules is not None
    ]


@click.command()
@PLACE
@click.option("--since", type=int, default=None, metavar="N", help="Begin behind position N.")
@click.option("--follow/--no-follow", default=False, help="Wait for what is committed next.")
@formats
def tail(place: str, since: int | None, form: str | None, *, follow: bool) -> None:
    """Print events in the order of the log; the last twenty, or all behind --since."""
    with reader_of(place) as reader:
        records = _following(reader, since, follow=follow)
        if form is not None:
            emit(map(_row, records), form, _LOG)
            return
        for record in records:
            click.echo(_line(record))


def _following(reader: Reader, since: int | None, *, follow: bool) -> Iterator[Record]:
    last = 0
    waiting = threading.Event()
    records = _first(reader, since)
    while True:
        for record in records:
            yield record
            last = record.position or last
        if not follow:
            return
        waiting.wait(0.5)
        records = reader.readable(last)


def _first(reader: Reader, since: int | None) -> Iterator[Record]:
    if since is not None:
        reader.check_behind(since)
        return reader.readable(since)
    newest = reader.last_position()
    return reader.readable(max(0, newest - 20))


def _row(record: Record) -> dict[str, object]:
    header = record.header
    return {
        "position": record.position,
        "stream": header.stream,
        "version": header.version,
        "topic": record.topic,
        "at": iso(header.at_us),
        "wall": iso(header.wall_us),
        "cause": header.cause,
        "event": msgspec.to_builtins(record.event, builtin_types=()),
    }


def _line(record: Record) -> str:
    brief = {
        key: value
        for key, value in msgspec.to_builtins(record.event).items()
        if value not in (None, [], {}, "") and key not in {"plan", "plans", "payload"}
    }
    header = record.header
    return (
        f"{record.position}  {iso(header.at_us)}  {header.stream}  {record.topic}  "
        f"{msgspec.json.encode(brief).decode()}"
    )
