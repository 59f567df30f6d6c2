"""How what is appended becomes rows of the log: encoded, in order, and sealed."""

from msgspec import Struct

from actors.appends import Append
from actors.clock import Clocks
from actors.store import Store
from engine.codec import Codec, Header, Row
from engine.seals import FIRST, STREAM, LogSealed, checksums_of, digest_of


class Batch(Struct, frozen=True, gc=False):
    """What one transaction stores: rows with their seal, what is in them, whom they serve."""

    rows: list[Row]
    entries: list[tuple[Header, str, object]]
    appends: list[Append]


class LogWriter:
    """Continues a store's log as a new epoch. The journal's thread."""

    def __init__(self, store: Store, codec: Codec, instance: str, clocks: Clocks) -> None:
        """Begin behind the log's end."""
        self._codec = codec
        self._instance = instance
        self._clocks = clocks
        self._versions = store.last_versions()
        newest = store.last_row(STREAM)
        seal = None if newest is None else codec.decode(newest).event
        self.epoch = 1 if seal is None else seal.epoch + 1
        self._seals = 0 if seal is None else seal.n
        self._rows = 0 if seal is None else seal.first + seal.count
        self._previous = FIRST if newest is None else digest_of((newest,))

    def misfit(self, append: Append) -> str | None:
        """Return why an append does not continue its stream, null where it does."""
        last = self._versions.get(append.stream, 0)
        if append.expected == last:
            return None
        return f"{append.stream} is at version {last}, not {append.expected}"

    def is_ahead(self, append: Append) -> bool:
        """Return whether an append goes on from rows that were not written here."""
        return append.expected > self._versions.get(append.stream, 0)

    def made(self, seal: LogSealed) -> bool:
        """Return whether a seal was made here."""
        return (seal.epoch, seal.instance) == (self.epoch, self._instance)

    def write(self, append: Append, batch: Batch) -> None:
        """Put an append's rows into a batch: all of them, or none if one cannot be encoded."""
        before = len(batch.rows)
        try:
            self._write(append, batch)
        except BaseException:
            del batch.rows[before:], batch.entries[before:]
            raise

    def _write(self, append: Append, batch: Batch) -> None:
        version = append.expected
        now = append.now
        for event in append.events:
            version += 1
            header = Header(
                self.epoch,
                append.stream,
                version,
                now.plan_us,
                now.device_us,
                append.cause,
                append.correlation,
            )
            row = self._codec.encode(header, event)
            batch.rows.append(row)
            batch.entries.append((header, row.topic, event))
        self._versions[append.stream] = version
        batch.appends.append(append)

    def seal(self, batch: Batch) -> None:
        """Put a seal behind a batch's rows, and the batch behind those before."""
        self._seals += 1
        seal = LogSealed(
            self._seals,
            len(batch.rows),
            self._rows + 1,
            digest_of(batch.rows),
            self._previous,
            self.epoch,
            self._instance,
            checksums_of(batch.rows),
        )
        self._rows += len(batch.rows) + 1
        version = self._versions.get(STREAM, 0) + 1
        self._versions[STREAM] = version
        now = self._clocks.now()
        header = Header(self.epoch, STREAM, version, now.plan_us, now.device_us)
        row = self._codec.encode(header, seal)
        self._previous = digest_of((row,))
        batch.rows.append(row)
        batch.entries.append((header, row.topic, seal))
