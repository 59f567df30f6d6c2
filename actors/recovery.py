"""What a store says at the start: every asset, the schedules and the site.

Each asset is rebuilt from its snapshot and the part of its stream behind it, so that a start takes
time by the number of assets and what they did lately, not by the length of the log.
"""

from collections.abc import Iterable, Iterator, Mapping

import attrs

from actors.accepted import SCHEDULES, Accepted, decode_accepted
from actors.reading import Reader
from engine import events
from engine.asset import AssetState, evolve
from engine.asset.snapshot import decode
from engine.codec import Record, Row
from engine.seals import STREAM as LOG
from engine.site import SiteState, evolve_site
from engine.types import AssetId, Instant, ScheduleId

SITE = "site"


@attrs.frozen
class Recovery:
    """The state of everything after the last event of the log.

    ``snapshots`` has the versions of the assets' snapshots, ``position`` the log's last position.
    """

    assets: dict[AssetId, AssetState]
    accepted: Accepted
    site: SiteState
    snapshots: dict[AssetId, int]
    position: int


def recover(reader: Reader) -> Recovery:
    """Rebuild everything from a store.

    Raises:
        StoreCorrupt: a row cannot be read.
    """
    position = reader.last_position()
    versions = reader.last_versions()
    kept = {AssetId(row.stream): row for row in reader.snapshots()}
    schedules = kept.pop(AssetId(SCHEDULES), None)
    accepted = Accepted() if schedules is None else decode_accepted(schedules.state)
    assets = {}
    for asset_id, version in _assets(versions):
        start = _beginning(asset_id, kept.get(asset_id), version)
        assets[asset_id] = _folded(reader, start, version)
    return Recovery(
        assets,
        accepted.after(_schedules(reader, accepted, versions)),
        _site(reader.stream(SITE)),
        {asset_id: row.version for asset_id, row in kept.items()},
        position,
    )


def rebuilt(reader: Reader, asset_id: AssetId) -> AssetState:
    """Rebuild one asset from its snapshot and its stream.

    Raises:
        StoreCorrupt: a row cannot be read.
    """
    return _folded(reader, _beginning(asset_id, reader.snapshot(asset_id), None), None)


def _beginning(asset_id: AssetId, row: Row | None, version: int | None) -> AssetState:
    """Return what a snapshot says; nothing if it is of no use, or ahead of its stream."""
    state = None if row is None else decode(row.state)
    if state is None or (version is not None and state.version > version):
        return AssetState(asset_id)
    return state


def _folded(reader: Reader, state: AssetState, version: int | None) -> AssetState:
    if state.version != version:
        for record in reader.stream(state.asset_id, state.version):
            header = record.header
            state = evolve(state, record.event, Instant(header.at_us, header.wall_us))
    return state


def _assets(versions: Mapping[str, int]) -> Iterator[tuple[AssetId, int]]:
    for stream, version in versions.items():
        if stream not in {SITE, LOG} and not stream.startswith("sch_"):
            yield AssetId(stream), version


def _schedules(
    reader: Reader, accepted: Accepted, versions: Mapping[str, int]
) -> Iterator[events.ScheduleReceived]:
    """Yield the schedules that a snapshot leaves out: newer ones, and those still in force."""
    for stream in versions:
        if stream.startswith("sch_") and accepted.lacks(ScheduleId(stream)):
            for record in reader.stream(stream):
                if isinstance(record.event, events.ScheduleReceived):
                    yield record.event


def _site(records: Iterable[Record]) -> SiteState:
    state = SiteState()
    for record in records:
        header = record.header
        state = evolve_site(state, record.event, Instant(header.at_us, header.wall_us))
    return state
