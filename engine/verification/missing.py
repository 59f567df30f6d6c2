"""Rows that are gone, told of in runs: stream by stream, version by version."""

from collections.abc import Collection, Iterator, Mapping
from itertools import groupby

from engine.discrepancy import Discrepancy
from engine.seals import Missing, identity_of
from engine.verification.streams import Gap

Name = tuple[str, int]
"""A row's stream and version."""


def of_seals(missing: Mapping[int, Missing], names: Mapping[int, Name]) -> Iterator[Discrepancy]:
    """Yield the rows that their seals tell of, by `identity_of` them, a run as one.

    For those without a name it is not known which they were.
    """
    named = [(names[one], missing[one]) for one in missing if one in names]
    known = sorted(named, key=lambda one: one[0])
    for _, run in groupby(enumerate(known), key=lambda one: (one[1][0][0], one[1][0][1] - one[0])):
        rows = [row for _, row in run]
        (stream, version), first = rows[0]
        what = f"missing: row {first.number} of the log, {first.between}"
        if len(rows) > 1:
            what += f", and those after it up to version {rows[-1][0][1]}"
        yield Discrepancy(first.place, None, stream, version, what)
    for identity, one in missing.items():
        if identity not in names:
            what = f"missing: row {one.number} of the log, {one.between}"
            yield Discrepancy(one.place, None, None, None, what)


def of_gap(gap: Gap, explained: Collection[int]) -> Discrepancy | None:
    """Return what a stream lacks before a row, if no seal explains it."""
    versions = range(gap.first, min(gap.last, gap.first + len(explained)) + 1)
    if all(identity_of(gap.stream, version) in explained for version in versions):
        return None
    what = "missing" if gap.first == gap.last else f"missing, and those up to version {gap.last}"
    what += f": it was to come in front of position {gap.position}"
    return Discrepancy(gap.place, None, gap.stream, gap.first, what)
