"""What came of verifying a log."""

import attrs

from engine.discrepancy import Discrepancy
from engine.seals import SealMark


@attrs.frozen
class Verification:
    """What is wrong with a log, in its order, and how much was looked at.

    ``problems`` are the first so many; ``more`` counts the others. ``rows`` counts the seals too.
    ``last_seal`` stands for everything up to the log's end, null where there is none: that nothing
    was cut off behind it shows only against a later seal that was told elsewhere (``known``).
    """

    problems: tuple[Discrepancy, ...]
    more: int
    rows: int
    seals: int
    streams: int
    assets: int
    last_seal: SealMark | None
    known: tuple[SealMark, ...] = ()

    @property
    def ok(self) -> bool:
        """Whether nothing is wrong."""
        return not self.problems


def to_json(verification: Verification) -> dict[str, object]:
    """Return a verification as plain values."""
    last = verification.last_seal
    return {
        "ok": verification.ok,
        "rows": verification.rows,
        "seals": verification.seals,
        "streams": verification.streams,
        "assets": verification.assets,
        "last_seal": None if last is None else {"n": last.n, "digest": last.digest.hex()},
        "known_seals": [str(mark) for mark in verification.known],
        "problems": [
            {
                "position": one.position,
                "stream": one.stream,
                "version": one.version,
                "what": one.what,
            }
            for one in verification.problems
        ],
        "more_problems": verification.more,
    }
