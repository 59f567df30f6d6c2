"""Streams: their versions go up by one from the first, and hold what belongs in them."""

from collections.abc import Collection, Iterable, Iterator, Mapping
from itertools import count
from types import MappingProxyType
from typing import Final

from msgspec import Struct

from engine import events
from engine.codec import Record
from engine.seals import Placed, identity_of

_KINDS: Final = (
    ("ast_", "asset."),
    ("sch_", "schedule."),
    ("site", "site."),
    ("archive", "archive."),
)


class Gap(Struct, frozen=True, gc=False):
    """Versions ``first`` to ``last`` of a stream were to come before the row at a place."""

    stream: str
    first: int
    last: int
    place: int
    position: int | None


class StreamVersions:
    """Follows the versions of every stream."""

    def __init__(
        self, *, from_the_start: bool, begins: Mapping[str, int] = MappingProxyType({})
    ) -> None:
        """Begin; unless ``from_the_start`` a stream's first row may have any version.

        ``begins`` has the version behind which a stream begins, where that is not the first.
        """
        self.heads: dict[str, int] = {}
        self.gaps: list[Gap] = []
        self._first: dict[str, int] = {}
        self._names: set[str] = set()
        self._from_the_start = from_the_start
        self._begins = begins

    def feed(self, placed: Placed) -> str | None:
        """Take the next row; return what is wrong with it, but for a gap before it."""
        row = placed.row
        head = self.heads.get(row.stream)
        if head is None:
            begins = self._begins.get(row.stream, 0)
            head = begins if self._from_the_start else row.version - 1
            self._first[row.stream] = row.version
        if row.version <= head:
            return f"it comes behind version {head} of its stream"
        self.heads[row.stream] = row.version
        if row.version > head + 1:
            self.gaps.append(Gap(row.stream, head + 1, row.version - 1, placed.place, row.position))
        if placed.record is not None:
            self._hear(placed.record)
        return _misplaced(row.stream, row.topic)

    def _hear(self, record: Record) -> None:
        """Take note of streams by name: of one that is gone as a whole no row is left."""
        match record.event:
            case events.SiteConfigured(assets=assets):
                self._names.update(assets)
            case events.ScheduleReceived(plans=plans):
                self._names.update(plans)
            case events.PlanReplaced(ref=ref) | events.PlanRejected(ref=ref):
                self._names.add(ref.schedule_id)
            case _:
                return

    def named(self, identities: Collection[int]) -> dict[int, tuple[str, int]]:
        """Return stream and version of those rows, told by `identity_of` them, that can be named.

        They are sought in the gaps, and before and behind what there is of each stream.
        """
        found: dict[int, tuple[str, int]] = {}
        for gap in self.gaps if identities else ():
            # No more of them can be found than there are: a version may be any number.
            last = min(gap.last, gap.first + len(identities))
            for version in range(gap.first, last + 1):
                identity = identity_of(gap.stream, version)
                if identity in identities:
                    found[identity] = (gap.stream, version)
        for name in sorted(self._names | self.heads.keys()) if identities else ():
            found.update(_next_to(name, range(self._first.get(name, 1) - 1, 0, -1), identities))
            found.update(_next_to(name, count(self.heads.get(name, 0) + 1), identities))
        return found


def _next_to(
    stream: str, versions: Iterable[int], identities: Collection[int]
) -> Iterator[tuple[int, tuple[str, int]]]:
    """Yield the versions that are among the rows sought, up to the first that is not."""
    for version in versions:
        identity = identity_of(stream, version)
        if identity not in identities:
            return
        yield identity, (stream, version)


def _misplaced(stream: str, topic: str) -> str | None:
    """Return what is wrong when an event stands in a stream of another kind."""
    for prefix, topics in _KINDS:
        if stream.startswith(prefix):
            return None if topic.startswith(topics) else f"{topic} does not belong in this stream"
    return None
