"""What a store says at the start: every asset, the schedules and the site.

Each asset is rebuilt from its snapshot and the part of its stream behind it, so that a start takes
time by the number of assets and what they did lately, not by the length of the log.
"""

import logging
from collections.abc import Iterator, Mapping

import attrs

from actors.accepted import SCHEDULES, Accepted, decode_accepted
from actors.reading import Reader, is_asset
from engine import events
from engine.archives import Bases
from engine.asset import AssetState, evolve
from engine.asset.snapshot import decode
from engine.codec import Record, Row
from engine.errors import StoreCorrupt
from engine.site import SiteState
from engine.types import AssetId, Instant, ScheduleId

logger = logging.getLogger("setpoint")


@attrs.frozen
class Recovery:
    """The state of everything after the last event of the log.

    ``snapshots`` has the versions of the assets' snapshots, ``position`` the log's last position.
    ``unreadable`` says of each asset whose stream cannot be read which row it is; it is in no
    other field.
    """

    assets: dict[AssetId, AssetState]
    accepted: Accepted
    site: SiteState
    snapshots: dict[AssetId, int]
    position: int
    unreadable: dict[AssetId, str] = attrs.field(factory=dict)


def recover(reader: Reader) -> Recovery:
    """Rebuild everything from a store.

    An asset or a schedule of which a row cannot be read is left out: the others go on.

    Raises:
        StoreCorrupt: a row of the site's own stream cannot be read.
    """
    position = reader.last_position()
    bases = reader.bases
    versions = reader.last_versions()
    kept = {AssetId(row.stream): row for row in reader.snapshots()}
    schedules = kept.pop(AssetId(SCHEDULES), None)
    assets = {}
    unreadable = {}
    for asset_id, version in _assets(versions):
        try:
            start = _beginning(bases, asset_id, kept.get(asset_id), version)
            assets[asset_id] = _folded(reader, start, version)
        except StoreCorrupt as error:
            unreadable[asset_id] = str(error)
    return Recovery(
        assets,
        _accepted(reader, schedules, versions),
        reader.site(),
        {asset_id: row.version for asset_id, row in kept.items()},
        position,
        unreadable,
    )


def accepted_again(reader: Reader) -> Accepted:
    """Return the schedules accepted so far, by the snapshot of them and their streams."""
    return _accepted(reader, reader.snapshot(SCHEDULES), reader.last_versions())


def rebuilt(reader: Reader, asset_id: AssetId) -> AssetState:
    """Rebuild one asset from its snapshot and its stream.

    Raises:
        StoreCorrupt: a row cannot be read.
    """
    row = reader.snapshot(asset_id)
    return _folded(reader, _beginning(reader.bases, asset_id, row, None), None)


def _beginning(bases: Bases, asset_id: AssetId, row: Row | None, version: int | None) -> AssetState:
    """Return what a snapshot says; if it is of no use, or ahead of its stream, the stream's base.

    Raises:
        StoreCorrupt: the base cannot be read.
    """
    base = bases.state(asset_id)
    state = None if row is None else decode(row.state)
    if state is None or (version is not None and state.version > version):
        return base
    return max(state, base, key=lambda one: one.version)


def _folded(reader: Reader, state: AssetState, version: int | None) -> AssetState:
    if state.version != version:
        for record in reader.stream(state.asset_id, state.version):
            state = _evolved(state, record)
    return state


def _evolved(state: AssetState, record: Record) -> AssetState:
    header = record.header
    try:
        return evolve(state, record.event, Instant(header.at_us, header.wall_us))
    except Exception as error:
        where = f"stream {header.stream}, version {header.version} ({record.topic})"
        raise StoreCorrupt(f"the row at {where} makes no sense: {error!r}") from error


def _assets(versions: Mapping[str, int]) -> Iterator[tuple[AssetId, int]]:
    for stream, version in versions.items():
        if is_asset(stream):
            yield AssetId(stream), version


def _accepted(reader: Reader, row: Row | None, versions: Mapping[str, int]) -> Accepted:
    """Return what a snapshot of the schedules and their streams say; at least the log's base.

    What the base leaves out are the plans: of every schedule that is there they are read.
    """
    accepted = Accepted() if row is None else decode_accepted(row.state)
    base = reader.bases.schedules
    if accepted.sequence < base.sequence:
        there = frozenset(stream for stream in versions if stream.startswith("sch_"))
        accepted = Accepted(base.sequence, base.digests, wanted=there)
    return accepted.after(_schedules(reader, accepted, versions))


def _schedules(
    reader: Reader, accepted: Accepted, versions: Mapping[str, int]
) -> Iterator[events.ScheduleReceived]:
    """Yield the schedules that a snapshot leaves out: newer ones, and those still in force."""
    for stream in versions:
        if stream.startswith("sch_") and accepted.lacks(ScheduleId(stream)):
            yield from _received(reader, stream)


def _received(reader: Reader, stream: str) -> Iterator[events.ScheduleReceived]:
    """Yield a schedule's event; one that cannot be read is not offered to its assets again."""
    try:
        for record in reader.stream(stream):
            if isinstance(record.event, events.ScheduleReceived):
                yield record.event
    except StoreCorrupt as error:
        logger.error("%s; the assets go on with the plans that they have taken", error)  # noqa: TRY400 - the row says it all
