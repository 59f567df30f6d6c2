"""What people ask of the record afterwards, of a running system as of a store."""

import abc
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, tzinfo
from os import PathLike
from pathlib import Path
from typing import Final, TypeAlias, TypedDict, Unpack
from zoneinfo import ZoneInfo

from msgspec.structs import replace

from actors.clock import wall_now
from actors.exporting import Export
from actors.reading import Reader
from engine.adapters.base import AssetView
from engine.asset.view import view_of
from engine.codec import Record
from engine.errors import UsageError
from engine.events import ClockSet, ClockStarted
from engine.history import (
    Changes,
    Filters,
    History,
    Report,
    asset_state,
    changes_of,
    report_of,
)
from engine.naming import instead_of, is_text
from engine.site import SiteState
from engine.types import AssetId, Instant, iso, to_us
from engine.verification import Verification
from engine.why import Explanation, explain

_FIRST_US: Final = to_us(datetime.min.replace(tzinfo=UTC))
_LAST_US: Final = to_us(datetime.max.replace(tzinfo=UTC))
_NO_YEAR: Final = "is not in the years 1 to 9999 of UTC"


def moment(text: str) -> datetime:
    """Return a time that somebody typed: ISO 8601 with an offset.

    Raises:
        UsageError: it is no time, has no offset, or is not in the years that there are.
    """
    try:
        parsed = datetime.fromisoformat(text)
    except ValueError:
        raise UsageError(f"{text!r} is no ISO 8601 time") from None
    if parsed.tzinfo is None:
        whole = text if "T" in text or " " in text else f"{text}T00:00"
        raise UsageError(f"{text!r} has no offset: write {whole}+01:00, or {whole}Z")
    try:
        return parsed.astimezone(UTC)
    except OverflowError:
        raise UsageError(f"{text!r} {_NO_YEAR}") from None


Time: TypeAlias = datetime | str
"""A moment of the plan clock: an aware datetime, or ISO 8601 with an offset."""


def _us(time: Time) -> int:
    if not isinstance(time, datetime | str):
        raise UsageError(f"{time!r} is no time: give an aware datetime, or ISO 8601 with an offset")
    try:
        moment_us = to_us(moment(time) if isinstance(time, str) else time)
    except ValueError as error:
        raise UsageError(str(error)) from None
    if not _FIRST_US <= moment_us <= _LAST_US:
        raise UsageError(f"{time} {_NO_YEAR}")
    return moment_us


class Wanted(TypedDict, total=False):
    """Which commands to look at; what is left out, or None, takes all. Times are due times."""

    asset: str | None
    type: str | None
    status: str | None
    cause: str | None
    schedule: str | None
    since: Time | None
    until: Time | None


def filters_of(**wanted: Unpack[Wanted]) -> Filters:
    """Return filters from what somebody named.

    Raises:
        UsageError: there is no such type, status or cause, an id is no text, a time is none or has
            no time zone, or the end comes before the start.
        TypeError: there is no such filter.
    """
    _check_names(wanted)
    since, until = wanted.get("since"), wanted.get("until")
    since_us, until_us = (None if one is None else _us(one) for one in (since, until))
    if since_us is not None and until_us is not None and until_us < since_us:
        raise UsageError(f"{iso(until_us)} comes before {iso(since_us)}")
    try:
        return Filters(
            asset=wanted.get("asset"),
            type=wanted.get("type"),
            status=wanted.get("status"),
            cause=wanted.get("cause"),
            schedule=wanted.get("schedule"),
            since_us=since_us,
            until_us=until_us,
        )
    except ValueError as error:
        raise UsageError(str(error)) from None


def _check_names(wanted: Mapping[str, object]) -> None:
    """Refuse a filter that there is not, which would let everything pass, and ids of no kind."""
    known = Wanted.__optional_keys__
    for name in wanted:
        if name not in known:
            raise TypeError(f"there is no filter {name!r}; {instead_of(name, known)}")
    for name in ("asset", "schedule"):
        value = wanted.get(name)
        if value is not None and not is_text(value):
            raise UsageError(f"{name} is text, not {value!r}")


class Audit(abc.ABC):
    """The questions; whoever has a store to read can answer them."""

    @property
    @abc.abstractmethod
    def _reader(self) -> Reader:
        """The store that is asked."""

    def events(self, *, after: int = 0) -> Iterator[Record]:
        """Return all committed events behind a position, in the order of the log.

        Raises:
            UsageError: it is no position, or what comes next was moved to an archive; names the
                file.
        """
        self._reader.check_behind(after)
        return self._reader.records(after)

    def history(self, **wanted: Unpack[Wanted]) -> History:
        """Return the commands that pass the filters, planned ones included, by due time.

        Raises:
            UnknownAsset: nothing is on record of that asset.
            UsageError: there is no such type, status or cause, or a time has no time zone.
        """
        return self._reader.history(filters_of(**wanted))

    def report(self, **wanted: Unpack[Wanted]) -> Report:
        """Return what was planned, commanded, acknowledged, applied and measured, slot by slot.

        A total for each asset and schedule follows. Filters are those of `history`.

        Raises:
            UnknownAsset: nothing is on record of that asset.
            UsageError: there is no such type, status or cause, or a time has no time zone.
        """
        return report_of(self.history(**wanted))

    def state_at(self, time: Time) -> Mapping[str, AssetView]:
        """Return every asset as it was known at a moment.

        What is not recorded is null: the last sign of life, measured power, state of charge;
        ``stale`` says only whether the device was connected and had told its state.

        Raises:
            UsageError: it is no time, or has no time zone.
            StoreCorrupt: a row cannot be read.
        """
        reader, until_us = self._reader, _us(time)
        views = {}
        for asset in reader.assets():
            records = reader.until(asset, until_us)
            state = asset_state(records, until_us, reader.bases.state(asset))
            if state.rules is not None:
                view = view_of(state, Instant(until_us, until_us))
                views[str(asset)] = replace(view, stale=not (view.connected and view.state_known))
        return views

    def diff(self, start: Time, end: Time) -> Changes:
        """Return what was another at ``end`` than at ``start``, and which events made it so.

        Raises:
            UsageError: one is no time, has no time zone, or the end comes before the start.
            StoreCorrupt: a row cannot be read.
        """
        reader, start_us, end_us = self._reader, _us(start), _us(end)
        if end_us < start_us:
            raise UsageError(f"{end} comes before {start}")
        return Changes(
            change
            for asset in reader.assets()
            for change in changes_of(
                reader.between(asset, start_us, end_us), reader.bases.state(asset), start_us, end_us
            )
        )

    def why(self, asset: str, time: Time | None = None) -> Explanation:
        """Return why an asset's setpoint was what it was at a moment, or is what it is now.

        Raises:
            UnknownAsset: there is no event of it.
            UsageError: it is no time, or has no time zone.
            StoreCorrupt: a row cannot be read.
        """
        reader = self._reader
        until_us = None if time is None else _us(time)
        records = list(reader.until(asset, until_us))
        site = reader.site()
        now = _now(records, _plan_now_us(site) if until_us is None else until_us, site)
        return explain(records, reader.bases.state(AssetId(asset)), now, _zone(site))

    def export(
        self, path: str | PathLike[str], start: Time | None = None, end: Time | None = None
    ) -> Export:
        """Write the log from ``start`` until before ``end``, with its seals, to a file.

        Its name ends with .jsonl (evidence that `setpoint verify` can check), .csv or .parquet.

        Raises:
            UsageError: there is a file already, its name ends otherwise, nothing is in the range,
                or a time is none.
            StoreCorrupt: a row cannot be read.
        """
        span = (None if start is None else _us(start), None if end is None else _us(end))
        return self._reader.export(Path(path), span, lambda *_: None)

    def verify(self) -> Verification:
        """Check that the store is what the engine wrote: seals, streams, folds, snapshots, model.

        Raises:
            StoreCorrupt: the file itself is damaged.
        """
        return self._reader.verify()


class StoreAudit(Audit):
    """The same questions of a store that nobody need be running."""

    def __init__(self, reader: Reader) -> None:
        """Ask this store."""
        self._asked = reader

    @property
    def _reader(self) -> Reader:
        return self._asked


def _plan_now_us(site: SiteState) -> int:
    """Return what the plan clock shows now, whether or not an engine runs."""
    now_us = to_us(wall_now())
    match site.clock:
        case ClockSet(plan_us=plan_us):
            return plan_us
        case ClockStarted(wall_us=wall_us, plan_us=plan_us, speed=speed):
            return plan_us + round((now_us - wall_us) * speed)
        case _:
            return now_us


def _now(records: Sequence[Record], plan_us: int, site: SiteState) -> Instant:
    """Return a moment on both clocks, the device clock reckoned from the last record."""
    if not records:
        return Instant(plan_us, plan_us)
    last = records[-1].header
    passed_us = max(0, plan_us - last.at_us)
    if isinstance(site.clock, ClockStarted):
        passed_us = round(passed_us / site.clock.speed)
    return Instant(max(plan_us, last.at_us), last.wall_us + passed_us)


def _zone(site: SiteState) -> tzinfo:
    return UTC if site.configured is None else ZoneInfo(site.configured.timezone)
