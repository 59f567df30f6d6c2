"""What is wrong with a log, and at which row it shows."""

from msgspec import Struct


class Discrepancy(Struct, frozen=True, gc=False):
    """Something in a log that is not as it was written, or never should have been written.

    ``place`` counts the log's rows from 1, seals too. ``position`` is the row's in its store, null
    where the row is not there; ``stream`` and ``version`` are null where they cannot be known.
    """

    place: int
    position: int | None
    stream: str | None
    version: int | None
    what: str

    def __str__(self) -> str:
        """Return it as one line: which row, then what."""
        parts = (
            ("position", self.position),
            ("stream", self.stream),
            ("version", self.version),
        )
        where = ", ".join(f"{name} {value}" for name, value in parts if value is not None)
        return f"{where}: {self.what}" if where else self.what
