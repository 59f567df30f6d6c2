"""What a store says when it is asked: records, histories and states, without an engine."""

import logging
from collections.abc import Iterator, Sequence
from typing import Final

from actors.store import Progress, Store
from actors.verifying import verify_store
from engine.codec import Codec, Record, Row
from engine.errors import StoreCorrupt, UnknownCommand
from engine.events import TOPICS
from engine.history import CommandRecord, Filters, History, histories
from engine.seals import TOPIC, LogSealed, SealMark
from engine.verification import Verification

logger = logging.getLogger("setpoint")

VOCABULARY: Final[dict[str, type]] = {**TOPICS, TOPIC: LogSealed}
_ALL: Final = Filters()


class Reader:
    """Reads one store; any thread, any number of readers."""

    def __init__(self, store: Store, codec: Codec) -> None:
        """Read this store with this vocabulary."""
        self._store = store
        self._codec = codec

    def readable(self) -> Iterator[Record]:
        """Return all records that can be read; of the others a warning names the row."""
        for row in self._store.read_all():
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
        """Return the commands that pass the filters, by due time."""
        return histories(self.readable(), filters)

    def verify(
        self, known: Sequence[SealMark] = (), progress: Progress | None = None
    ) -> Verification:
        """Return what is wrong with the store; see `actors.verifying.verify_store`."""
        return verify_store(self._store, self._codec, known, progress)

    def command(self, command_id: str) -> CommandRecord:
        """Return one command.

        Raises:
            UnknownCommand: there is none of that id.
        """
        for record in histories(self.readable(), Filters(id=command_id)):
            return record
        raise UnknownCommand(f"no command is called {command_id!r}")
