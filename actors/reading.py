"""What a store says when it is asked: records, histories and states, without an engine."""

import itertools
import logging
from collections.abc import Collection, Iterator, Sequence
from pathlib import Path
from typing import Final

from actors.exporting import Export, Span, export
from actors.read_model import ReadModel
from actors.store import Progress, Store
from actors.store.tables import open_tables
from actors.verifying import verify_store
from engine import archives
from engine.codec import Codec, Record, Row
from engine.errors import StoreCorrupt, StoreError, UnknownAsset, UnknownCommand, UsageError
from engine.events import TOPICS
from engine.history import CommandRecord, Filters, History, histories
from engine.naming import is_text
from engine.seals import STREAM as LOG
from engine.seals import TOPIC, LogSealed, SealMark
from engine.site import SiteState, evolve_site
from engine.types import AssetId, Instant, iso
from engine.verification import Verification

SITE: Final = "site"
"""The site's own stream."""

logger = logging.getLogger("setpoint")

VOCABULARY: Final[dict[str, type]] = {**TOPICS, TOPIC: LogSealed, **archives.TOPICS}
_ALL: Final = Filters()
_LAST_POSITION: Final = 2**63 - 1


def is_asset(stream: str) -> bool:
    """Return whether a stream is an asset's."""
    if not is_text(stream) or stream.startswith("sch_"):
        return False
    return stream not in {"", SITE, LOG, archives.STREAM}


def _is_position(value: object) -> bool:
    return isinstance(value, int) and 0 <= value <= _LAST_POSITION


class Reader:
    """Reads one store; any thread, any number of readers."""

    def __init__(
        self,
        store: Store,
        codec: Codec,
        model_url: str | None = None,
        expected: Collection[str] = (),
    ) -> None:
        """Read this store with this vocabulary, helped by its read model where there is one.

        ``expected`` are the assets of a site file, of which nothing need be on record yet.
        """
        self._store = store
        self._codec = codec
        self._model_url = model_url
        self._expected = expected
        self._bases: archives.Bases | None = None

    @property
    def bases(self) -> archives.Bases:
        """What the log rests on; the beginning of one that was archived is elsewhere."""
        if self._bases is None:
            self._bases = archives.Bases.of(one.event for one in self.stream(archives.STREAM))
        return self._bases

    def readable(self, after: int = 0) -> Iterator[Record]:
        """Return all records that can be read; of the others a warning names the row."""
        for row in self._store.read_all(after):
            try:
                record = self._codec.decode(row)
            except StoreCorrupt as error:
                logger.warning("%s; it is left out", error)
            else:
                yield record

    def records(self, after: int = 0) -> Iterator[Record]:
        """Return all records behind a position, in the order of the log."""
        for row in self._store.read_all(after):
            yield self._codec.decode(row)

    def check_behind(self, after: int) -> None:
        """Make sure that no record behind a position is missing, for who reads on from there.

        From the beginning on it is what the log has; a warning names the archive of the rest.

        Raises:
            UsageError: it is no position, or what comes next was moved to an archive; names the
                file.
        """
        if not _is_position(after):
            raise UsageError(f"a position is from 0 to {_LAST_POSITION}, not {after}")
        archived = self.bases.archived
        cut = 0 if archived is None else self._cut(archived)
        if archived is not None and after < cut:
            moved = f"what came before position {cut} is in the archive {archived.file}"
            if after > 0:
                raise UsageError(f"{moved}: read on there, then here behind {cut}")
            logger.warning("%s, but for %d rows", moved, archived.kept.count)

    def _cut(self, archived: archives.LogArchived) -> int:
        """Return the position of the newest row from before the cut: its seal's."""
        last = next(itertools.islice(self._store.read_all(), archived.kept.count - 1, None), None)
        return 0 if last is None else last.position or 0

    def stream(self, stream: str, after_version: int = 0) -> Iterator[Record]:
        """Return one stream's records behind a version, in the order of their versions."""
        for row in self._store.read_stream(stream, after_version):
            yield self._codec.decode(row)

    def last_versions(self) -> dict[str, int]:
        """Return the newest version of every stream."""
        return self._store.last_versions()

    def snapshots(self) -> Iterator[Row]:
        """Return the snapshot of each stream that has one."""
        return self._store.snapshots()

    def snapshot(self, stream: str) -> Row | None:
        """Return the snapshot of a stream."""
        return self._store.snapshot(stream)

    def last_position(self) -> int:
        """Return the position of the newest record, 0 when there is none."""
        return self._store.last_position()

    def history(self, filters: Filters = _ALL) -> History:
        """Return the commands that pass the filters, by due time.

        Those that were moved to an archive are not among them; a warning says so.

        Raises:
            UnknownAsset: one is asked for of which nothing is on record, and that is not expected.
        """
        asset = filters.asset
        if asset is not None and asset not in self._expected and not self._has(asset):
            raise self._unknown(asset)
        try:
            found = self._from_model(filters)
        except StoreError as error:
            logger.warning("%s; the whole log is read", error)
            found = None
        if found is None:
            found = histories(self.readable(), filters, speed=self.bases.speed)
        self._warn_of_archive(filters, found)
        return found

    def _warn_of_archive(self, filters: Filters, found: History) -> None:
        """Say where the rest is, if old times were asked for or nothing was found."""
        archived = self.bases.archived
        if archived is None:
            return
        asked_us = filters.since_us if filters.since_us is not None else filters.until_us
        if asked_us is None and found:
            return
        if asked_us is None or asked_us < archived.at_us:
            logger.warning("%s", _elsewhere(archived))

    def _from_model(self, filters: Filters) -> History | None:
        """Return what the read model and the log's tail say; null where there is no model."""
        tables = None if self._model_url is None else open_tables(self._model_url, read_only=True)
        if tables is None:
            return None
        model = ReadModel(tables)
        try:
            with model.at_one_moment() as mark:
                if not mark.position or not model.fits(mark, self._store):
                    return None
                for why in mark.left_out:
                    logger.warning("%s; it is left out", why)
                return History(model.commands(filters, self.readable(mark.position)))
        finally:
            model.close()

    # --- what was known when

    def site(self) -> SiteState:
        """Return what the site's own stream says."""
        state = self.bases.site
        for record in self.stream(SITE):
            header = record.header
            state = evolve_site(state, record.event, Instant(header.at_us, header.wall_us))
        return state

    def assets(self) -> list[AssetId]:
        """Return the assets that have a stream, by name."""
        return sorted(AssetId(one) for one in self.last_versions() if is_asset(one))

    def _has(self, asset: str) -> bool:
        return is_asset(asset) and self._store.last_row(asset) is not None

    def _unknown(self, asset: str) -> UnknownAsset:
        if asset in self._expected:
            return UnknownAsset(f"nothing is on record of {asset} yet")
        return UnknownAsset.among(asset, {*self._expected, *self.assets()})

    def until(self, asset: str, until_us: int | None) -> Iterator[Record]:
        """Return an asset's records up to a moment of the plan clock; null: all.

        Raises:
            UnknownAsset: there is no event of it.
            UsageError: what was known of it then was moved to an archive; names the file.
        """
        known = False
        if until_us is not None:
            self._check_reach(asset, until_us)
        for record in self.stream(asset if is_asset(asset) else ""):
            known = True
            if until_us is not None and record.header.at_us > until_us:
                return
            yield record
        if not known:
            raise self._unknown(asset)

    def between(self, asset: str, start_us: int, end_us: int) -> Iterator[Record]:
        """Return what leads to an asset's state at two moments.

        Raises:
            UnknownAsset: there is no event of it.
            UsageError: what was known of it at the first was moved to an archive; names the file.
        """
        self._check_reach(asset, start_us)
        return self.until(asset, end_us)

    def _check_reach(self, asset: str, at_us: int) -> None:
        archived = self.bases.archived
        if archived is not None and self.bases.covers(AssetId(asset), at_us):
            raise UsageError(f"what was known of {asset} then is in the archive {archived.file}")

    def verify(
        self, known: Sequence[SealMark] = (), progress: Progress | None = None
    ) -> Verification:
        """Return what is wrong with the store; see `actors.verifying.verify_store`."""
        return verify_store(self._store, self._codec, known, progress, self._model_url)

    def export(self, path: Path, span: Span, progress: Progress) -> Export:
        """Write a part of the log to a file; see `actors.exporting.export`."""
        return export(self._store, self._codec, path, span, progress)

    def command(self, command_id: str) -> CommandRecord:
        """Return one command.

        Raises:
            UnknownCommand: there is none of that id.
        """
        for record in self.history(Filters(id=command_id)) if is_text(command_id) else ():
            return record
        raise UnknownCommand(f"no command is called {command_id!r}")


def _elsewhere(archived: archives.LogArchived) -> str:
    return f"what was over by {iso(archived.at_us)} is in the archive {archived.file}"
