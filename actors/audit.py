"""What people ask of the record afterwards, of a running system as of a store."""

import abc
from collections.abc import Iterator
from datetime import datetime
from typing import TypedDict, Unpack

from actors.reading import Reader
from engine.codec import Record
from engine.errors import UsageError
from engine.history import Filters, History
from engine.types import to_us
from engine.verification import Verification


class Wanted(TypedDict, total=False):
    """Which commands to look at; what is left out, or None, takes all. Times are due times."""

    asset: str | None
    type: str | None
    status: str | None
    cause: str | None
    schedule: str | None
    since: datetime | None
    until: datetime | None


def filters_of(**wanted: Unpack[Wanted]) -> Filters:
    """Return filters from what somebody named.

    Raises:
        UsageError: there is no such type, status or cause.
        ValueError: a time has no time zone.
    """
    since, until = wanted.get("since"), wanted.get("until")
    try:
        return Filters(
            asset=wanted.get("asset"),
            type=wanted.get("type"),
            status=wanted.get("status"),
            cause=wanted.get("cause"),
            schedule=wanted.get("schedule"),
            since_us=None if since is None else to_us(since),
            until_us=None if until is None else to_us(until),
        )
    except ValueError as error:
        raise UsageError(str(error)) from None


class Audit(abc.ABC):
    """The questions; whoever has a store to read can answer them."""

    @property
    @abc.abstractmethod
    def _reader(self) -> Reader:
        """The store that is asked."""

    def events(self, *, after: int = 0) -> Iterator[Record]:
        """Return all committed events behind a position, in the order of the log."""
        return self._reader.records(after)

    def history(self, **wanted: Unpack[Wanted]) -> History:
        """Return the commands that pass the filters, planned ones included, by due time.

        Raises:
            UsageError: there is no such type, status or cause, or a time has no time zone.
        """
        return self._reader.history(filters_of(**wanted))

    def verify(self) -> Verification:
        """Check that the store is what the engine wrote: seals, streams, folds, snapshots.

        Raises:
            StoreCorrupt: the file itself is damaged.
        """
        return self._reader.verify()
