"""The beginning of a log, moved to a file: whole sealed transactions, up to a plan time.

The file is a store of its own, for every verb that reads. What the rest of the log needs of the
older rows stays, and the states on which its streams rest are put on record in one transaction
with the removal: whatever happens, the rows are in the store or in the file.
"""

import contextlib
import logging
import os
import secrets
from collections.abc import Collection, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Final

import attrs

from actors.accepted import Accepted
from actors.appends import Append
from actors.following import forget
from actors.reading import SITE, VOCABULARY, Reader, is_asset
from actors.recovery import recover
from actors.standing import PlanStart, clocks_for
from actors.store import FileLock, Progress, Store, VersionConflict
from actors.store.sqlite import SqliteStore
from actors.verifying import verify_store
from actors.writing import Batch, LogWriter
from engine import archives
from engine.asset import AssetState, evolve, snapshot
from engine.codec import Codec, Record, Row
from engine.errors import StoreError, StoreUnavailable, UsageError
from engine.events import ScheduleReceived
from engine.seals import STREAM as LOG
from engine.seals import LogSealed, SealMark, checksums_of, digest_of
from engine.site import SiteState, evolve_site
from engine.types import AssetId, Instant, iso

logger = logging.getLogger("setpoint")

_PAGE: Final = 5_000
_PASSES: Final = 3  # over the rows that are meant
_NOT_KNOWN: Final = (
    "%s stays: it may have what the store has no more; it is of no use only if the store, "
    "asked with tail --since 0, does not name it"
)


@attrs.frozen
class Archived:
    """What was moved: rows, and how many of the older ones stay; the seal up to which."""

    rows: int
    kept: int
    last: SealMark
    file: Path


@attrs.define
class _Cut:
    """The last transaction that is moved: the position of its seal, and the seal."""

    position: int
    rows: int
    at_us: int
    seal: LogSealed
    digest: bytes


def archive(
    store: Store, path: Path, before_us: int, progress: Progress, model_url: str | None = None
) -> Archived:
    """Move all transactions that were sealed before a plan time to a file.

    The read model in ``model_url`` is forgotten: it knows what is moved. Whoever writes to the
    store next makes it anew, or `actors.following.rebuild`.

    Nobody else may write to the store meanwhile; it is open for writing, which keeps engines off.
    The file is on the disk before the first row leaves the store. From then on it stays, whatever
    happens: what failed may have been done all the same.

    Raises:
        UsageError: there is a file already, it cannot be written, or nothing is that old.
        StoreError: what is to be moved is not as it was written; nothing was moved.
        StoreCorrupt: a row cannot be read.
        StoreInUse: another archive writes the same file.
        StoreUnavailable: the store cannot be used; a warning says so if the file stays.
    """
    with _claimed(path):
        work = _Archiving(store, Codec(VOCABULARY), progress)
        cut = work.cut(before_us)
        work.copy(cut, path)
        try:
            left = work.left(cut, path)
            if model_url is not None:
                forget(model_url)
        except BaseException:
            path.unlink()
            raise
        work.move(left, path)
        return Archived(len(left.moved), left.kept, left.mark, path)


@contextlib.contextmanager
def _claimed(path: Path) -> Iterator[None]:
    """Keep another archive from writing the same file meanwhile."""
    _check_free(path)  # the side file of a store that is there is not ours
    side = path.with_name(f"{path.name}.lock")
    try:
        lock = FileLock(side)
    except StoreUnavailable as error:
        raise UsageError(f"{path} cannot be written: {error}") from error
    try:
        _check_free(path)
        yield
    finally:
        side.unlink(missing_ok=True)
        lock.release()


def _check_free(path: Path) -> None:
    if path.exists():
        raise UsageError(f"{path} is there already")


@attrs.frozen
class _Left:
    """What is to become of the store: new rows, positions that go; how many older rows stay."""

    rows: list[Row]
    moved: list[int]
    kept: int
    mark: SealMark


class _Archiving:
    def __init__(self, store: Store, codec: Codec, progress: Progress) -> None:
        self._store = store
        self._codec = codec
        self._reader = Reader(store, codec)
        self._bases = self._reader.bases
        self._progress = progress
        self._done = self._total = 0

    # --- which rows

    def cut(self, before_us: int) -> _Cut:
        """Return the last seal that was made before a time, of those not archived yet."""
        earlier = self._bases.archived
        found: _Cut | None = None
        for rows, row in enumerate(self._store.read_all(), start=1):
            if row.stream != LOG or (earlier is not None and row.version <= earlier.mark.n):
                continue
            record = self._codec.decode(row)
            if record.header.at_us >= before_us:
                break
            digest = digest_of((row,))
            found = _Cut(row.position or 0, rows, record.header.at_us, record.event, digest)
        if found is None:
            raise UsageError(f"nothing was recorded before {iso(before_us)} that is not archived")
        self._total = _PASSES * found.rows
        return found

    def _rows(self, cut: _Cut) -> Iterator[Row]:
        for row in self._store.read_all():
            if (row.position or 0) > cut.position:
                return
            self._done += 1
            if self._done % _PAGE == 0:
                self._progress(self._done, self._total)
            yield row

    def _records(self, cut: _Cut) -> Iterator[Record]:
        return (self._codec.decode(row) for row in self._rows(cut))

    # --- the file

    def copy(self, cut: _Cut, path: Path) -> None:
        """Write the file; it appears when it is whole, and found to be what it should be."""
        part = path.with_name(f"{path.name}.part")
        part.unlink(missing_ok=True)
        try:
            copied = SqliteStore(str(part))
        except StoreError as error:
            raise UsageError(f"{path} cannot be written: {error}") from error
        try:
            for page in _pages(self._rows(cut)):
                copied.copy(page)
            if self._bases.archived is not None:
                based = self._based(self._bases.archived)
                copied.append(_written(copied, self._codec, based, self._reader.site()))
            wrong = verify_store(copied, self._codec).problems
        except BaseException:
            copied.close()
            part.unlink()
            raise
        copied.close()
        if wrong:
            part.unlink()
            raise StoreError(f"what is to be moved is not as it was written: {wrong[0]}")
        _appear(part, path)

    def _based(self, archived: archives.LogArchived) -> list[object]:
        """Return on what the file's own streams rest, as events of its own."""
        recorded = self._bases.recorded()
        own = attrs.evolve(archived, bases=len(recorded), begins=self._archive_rows())
        return [*recorded, own]

    def _archive_rows(self) -> int:
        first = next(self._reader.stream(archives.STREAM), None)
        return 0 if first is None else first.header.version - 1

    # --- the store

    def left(self, cut: _Cut, path: Path) -> _Left:
        """Return which rows leave the store, and what goes on record about the rest of it."""
        sorting = _Sorting(self._bases, cut, self._begins(cut), self._archive_rows())
        in_force = _in_force(recover(self._reader).accepted)
        for row in self._rows(cut):
            sorting.take(row, self._codec.decode(row), in_force)
        based = sorting.based()
        mark = SealMark(cut.seal.n, cut.digest, cut.seal.first + cut.seal.count)
        told = archives.LogArchived(
            path.name, cut.at_us, mark, sorting.sealed(), sorting.begins_of_archive, len(based)
        )
        rows = _written(self._store, self._codec, [*based, told], self._reader.site())
        return _Left(rows, sorting.moved, len(sorting.kept), mark)

    def move(self, left: _Left, path: Path) -> None:
        """Take the rows out of the store, in one transaction.

        If that fails it is not known what the store has: the answer to a commit can be lost.
        """
        try:
            self._store.archive(left.rows, list(_ranges(left.moved)))
        except VersionConflict:
            path.unlink()
            raise
        except BaseException:
            logger.warning(_NOT_KNOWN, path)
            raise
        self._progress(self._total, self._total)

    def _begins(self, cut: _Cut) -> dict[str, int]:
        """Return the version behind which each asset's stream, and the site's, is still needed."""
        tails: dict[str, archives.Tail] = {}
        site = 0
        for record in self._records(cut):
            stream = record.header.stream
            if stream == SITE:
                site = record.header.version
            elif is_asset(stream):
                if stream not in tails:
                    tails[stream] = archives.Tail(self._bases.state(AssetId(stream)))
                tails[stream].feed(record)
        # The newest row says which version comes next.
        return {stream: tail.begins() for stream, tail in tails.items()} | {SITE: site - 1}


class _Sorting:
    """Sorts the rows up to the cut: those that stay, and those that are moved."""

    def __init__(
        self, bases: archives.Bases, cut: _Cut, begins: Mapping[str, int], moved: int
    ) -> None:
        """Begin; ``moved`` is the version up to which the stream ``archive`` was moved before."""
        self.kept: list[Row] = []
        self.moved: list[int] = []
        self.begins_of_archive = moved
        self._bases = bases
        self._cut = cut
        self._begins = begins
        self._states: dict[AssetId, tuple[AssetState, int]] = {}
        self._site = bases.site
        self._sequence = bases.schedules.sequence
        self._digests = dict(bases.schedules.digests)

    def take(self, row: Row, record: Record, in_force: Collection[str]) -> None:
        """Take the next row."""
        if isinstance(record.event, ScheduleReceived):
            self._digests[row.stream] = record.event.digest
            self._sequence = max(self._sequence, record.event.sequence)
        if self._stays(row, in_force):
            self.kept.append(row)
            return
        self.moved.append(row.position or 0)
        at = Instant(record.header.at_us, record.header.wall_us)
        if row.stream == archives.STREAM:
            self.begins_of_archive = row.version
        elif row.stream == SITE:
            self._site = evolve_site(self._site, record.event, at)
        elif is_asset(row.stream):
            asset_id = AssetId(row.stream)
            known = self._states.get(asset_id)
            before = self._bases.state(asset_id) if known is None else known[0]
            self._states[asset_id] = (evolve(before, record.event, at), at.plan_us)

    def _stays(self, row: Row, in_force: Collection[str]) -> bool:
        """Return whether a row from before the cut is still needed."""
        if row.position == self._cut.position:
            return True
        if row.stream.startswith("sch_"):
            return row.stream in in_force
        return row.version > self._begins.get(row.stream, row.version)

    def based(self) -> list[object]:
        """Return on what the streams rest from now on."""
        assets = dict(self._bases.assets)
        for asset_id, (state, at_us) in sorted(self._states.items()):
            base = archives.AssetBase(asset_id, state.version, at_us, snapshot.encode(state))
            assets[asset_id] = base
        schedules = archives.SchedulesBase(self._sequence, self._digests)
        return archives.Bases(None, assets, schedules, self._site).recorded()

    def sealed(self) -> LogSealed:
        """Return a seal of the rows that stay."""
        count, digest, checksums = len(self.kept), digest_of(self.kept), checksums_of(self.kept)
        seal = self._cut.seal
        return attrs.evolve(seal, count=count, first=1, digest=digest, checksums=checksums)


def _in_force(accepted: Accepted) -> frozenset[str]:
    return frozenset(str(offer.ref.schedule_id) for offer in accepted.offers.values())


def _appear(part: Path, path: Path) -> None:
    """Give a whole file its name, so that it outlives a power failure under that name."""
    try:
        _wait_for_disk(part)
        part.replace(path)
        _wait_for_disk(path.parent)
    except OSError as error:
        raise UsageError(f"{path} cannot be written: {error.strerror}") from error


def _wait_for_disk(path: Path) -> None:
    """Wait until a file, or the names in a folder, outlive a power failure."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _written(store: Store, codec: Codec, happened: list[object], site: SiteState) -> list[Row]:
    """Return events of the stream ``archive`` as rows behind the end of a log, sealed."""
    clocks = clocks_for(site.clock, PlanStart(), empty=False)
    writer = LogWriter(store, codec, secrets.token_hex(8), clocks)
    version = store.last_versions().get(archives.STREAM, 0)
    batch = Batch([], [], [])
    append = Append(archives.STREAM, version, happened, clocks.now(), lambda _: None)
    writer.write(append, batch)
    writer.seal(batch)
    return batch.rows


def _pages(rows: Iterable[Row]) -> Iterator[list[Row]]:
    page: list[Row] = []
    for row in rows:
        page.append(row)
        if len(page) == _PAGE:
            yield page
            page = []
    if page:
        yield page


def _ranges(positions: Iterable[int]) -> Iterator[tuple[int, int]]:
    """Yield runs of positions that follow each other, first and last of each."""
    first = last = None
    for position in positions:
        if first is None or last is None or position != last + 1:
            if first is not None and last is not None:
                yield first, last
            first = position
        last = position
    if first is not None and last is not None:
        yield first, last
