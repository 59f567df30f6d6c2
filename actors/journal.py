"""The journal: the one place where events become durable, in batches, sealed, in order."""

import logging
import queue
import threading
from collections.abc import Callable, Sequence
from typing import Final

from msgspec import Struct

from actors.appends import Append, Committed, Refused, Writer
from actors.clock import Clocks
from actors.store import Store, VersionConflict
from engine.codec import Codec, Header, Record, Row
from engine.errors import StoreUnavailable
from engine.seals import FIRST, STREAM, LogSealed, checksums_of, digest_of

logger = logging.getLogger("setpoint")

BATCH: Final = 5_000
"""Events of one transaction, at the most (one append is never split)."""


class _Behind(Struct, frozen=True):
    """Wants to know when all that was appended before it is stored; closes a writer then."""

    reached: Callable[[], object]
    writer: Writer | None = None


class Batch(Struct, frozen=True, gc=False):
    """What one transaction stores: rows with their seal, what is in them, whom they serve."""

    rows: list[Row]
    entries: list[tuple[Header, str, object]]
    appends: list[Append]


class Hooks:
    """Whom the journal tells: of committed records, of a store that is lost, back, or taken.

    ``idle`` is called when everything is committed that waited. All on the journal's thread.
    """

    def __init__(self) -> None:
        """Tell nobody yet."""
        self.committed: list[Callable[[Sequence[Record]], None]] = []
        self.idle: list[Callable[[], None]] = []
        self.lost: Callable[[str], None] = lambda _: None
        self.back: Callable[[], None] = lambda: None
        self.fenced: Callable[[str], None] = lambda _: None


class Journal:
    """Commits what waits at the same time in one transaction, on a thread of its own."""

    def __init__(self, store: Store, codec: Codec, *, instance: str, clocks: Clocks) -> None:
        """Continue a store's log as a new epoch; nothing is written before `start`."""
        self.hooks = Hooks()
        self._store = store
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
        # A SimpleQueue takes and gives without the interpreter's lock being fought for.
        self._waiting: queue.SimpleQueue[Append | _Behind | None] = queue.SimpleQueue()
        self._closing = threading.Event()
        self._over: str | None = None
        self._fencing = threading.Lock()
        self._fenced = False
        self._thread = threading.Thread(target=self._run, name="journal", daemon=True)

    def start(self) -> None:
        """Begin to commit."""
        self._thread.start()

    def append(self, append: Append) -> None:
        """Have events stored; never blocks. Any thread."""
        if self._over is None:
            self._waiting.put(append)
            if self._over is not None:
                self._refuse_waiting()
        else:
            append.reply(Refused(self._over))

    def depth(self) -> int:
        """Return how many appends wait. Any thread."""
        return self._waiting.qsize()

    def flush(self, timeout_s: float) -> bool:
        """Wait until all that waits now is stored; return whether that was in time. Any thread."""
        reached = threading.Event()
        self._put_behind(_Behind(reached.set))
        return reached.wait(timeout_s)

    def retire(self, writer: Writer, then: Callable[[], object]) -> None:
        """Store what a writer has appended, drop what it may append later, then call. Any thread.

        ``then`` is called on the journal's thread and has to be quick.
        """
        self._put_behind(_Behind(then, writer))

    def _put_behind(self, behind: _Behind) -> None:
        self._waiting.put(behind)
        if self._over is not None:
            self._refuse_waiting()

    def close(self, timeout_s: float) -> bool:
        """Commit what waits as long as there is time, then refuse the rest. Twice is once."""
        self._waiting.put(None)
        if self._thread.is_alive():
            self._thread.join(timeout_s)
        ended = not self._thread.is_alive()
        self._end("the engine is closed")
        return ended

    def taken_over(self, who: str) -> None:
        """Stop for good: the store belongs to another engine. Any thread; twice is once."""
        with self._fencing:
            if self._fenced:
                return
            self._fenced = True
        reason = f"{who} took the store over; this one has stopped"
        logger.error(reason)
        self._end(reason)
        self.hooks.fenced(reason)

    # --- the journal's thread

    def _run(self) -> None:
        going_on = True
        while going_on and self._over is None:
            appends, reached, going_on = self._take()
            try:
                self._commit(appends)
            except Exception as error:
                logger.exception("the journal failed")
                self._end(f"the journal failed: {type(error).__name__}")
                for append in appends:
                    self._answer(append, Refused("the journal failed"))
            if reached is not None:
                self._reach(reached)
            self._tell_idle()

    def _tell_idle(self) -> None:
        if self._over is not None or not self._waiting.empty():
            return
        for listener in self.hooks.idle:
            try:
                listener()
            except Exception:
                logger.exception("a listener of the journal failed")

    def _take(self) -> tuple[list[Append], _Behind | None, bool]:
        """Wait for something; return all that waits, up to a batch, and whether to go on.

        What comes behind one who waits for all before it is left for the next time.
        """
        taken: list[Append] = []
        count = 0
        one = self._waiting.get()
        while one is not None:
            if isinstance(one, _Behind):
                return taken, one, True
            taken.append(one)
            count += len(one.events)
            if count >= BATCH or self._waiting.empty():
                return taken, None, True
            one = self._waiting.get()
        return taken, None, False

    def _reach(self, behind: _Behind) -> None:
        """Tell who waited that all is stored, or never will be."""
        if behind.writer is not None:
            behind.writer.closed = True
        try:
            behind.reached()
        except Exception:
            logger.exception("who waited for the journal failed")

    def _commit(self, appends: Sequence[Append]) -> None:
        batch = self._encode(appends)
        if not batch.appends:
            return
        positions = self._store_rows(batch)
        if positions is None:
            for append in batch.appends:
                self._answer(append, Refused(self._over or "the engine is closed"))
            return
        self._tell(batch, positions)

    def _encode(self, appends: Sequence[Append]) -> Batch:
        """Turn appends into rows; one that does not continue its stream is refused by itself."""
        batch = Batch([], [], [])
        for append in appends:
            if append.writer is not None and append.writer.closed:
                logger.warning("dropped what a revoked handler of %s appended", append.stream)
                continue
            last = self._versions.get(append.stream, 0)
            if append.expected != last:
                reason = f"{append.stream} is at version {last}, not {append.expected}"
                self._answer(append, Refused(reason, for_good=False))
                continue
            self._encode_or_refuse(append, batch)
        if batch.appends:
            self._seal(batch)
        return batch

    def _encode_or_refuse(self, append: Append, batch: Batch) -> None:
        """Turn an append into rows; one that cannot be is refused, and the others go on."""
        before = len(batch.rows)
        try:
            self._encode_one(append, batch)
        except Exception as error:
            logger.exception("events of %s cannot be stored", append.stream)
            del batch.rows[before:], batch.entries[before:]
            reason = f"cannot be stored: {type(error).__name__}"
            self._answer(append, Refused(reason, for_good=False))

    def _encode_one(self, append: Append, batch: Batch) -> None:
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

    def _seal(self, batch: Batch) -> None:
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

    def _store_rows(self, batch: Batch) -> Sequence[int] | None:
        """Store a batch, however long it takes; None when it never will be."""
        wait_s = 0.1
        lost = False
        while True:
            try:
                positions = self._attempt(batch, again=lost)
            except StoreUnavailable as error:
                if not lost:
                    lost = True
                    logger.warning("%s; nothing is sent until it can be", error)
                    self.hooks.lost(str(error))
                if self._wait(wait_s):
                    return None
                wait_s = min(2 * wait_s, 1.0)
                continue
            if lost and positions is not None:
                logger.warning("the store can be used again")
                self.hooks.back()
            return positions

    def _attempt(self, batch: Batch, *, again: bool) -> Sequence[int] | None:
        """Store a batch unchanged; what a lost answer hid counts as stored."""
        if again:
            stored = self._stored_after_all(batch)
            if stored is not None:
                return stored
        try:
            return self._store.append(batch.rows)
        except VersionConflict:
            stored = self._stored_after_all(batch)
            if stored is not None:
                return stored
            self._fence()
            return None

    def _stored_after_all(self, batch: Batch) -> Sequence[int] | None:
        """Return a batch's positions if its seal, so all of it, is in the store as it is here."""
        seal = batch.rows[-1]
        found = self._store.row(seal.stream, seal.version)
        if found is None or found.state != seal.state:
            return None
        last = self._store.last_position()
        return range(last - len(batch.rows) + 1, last + 1)

    def _fence(self) -> None:
        newest = self._store.last_row(STREAM)
        seal = None if newest is None else self._codec.decode(newest).event
        who = "another engine" if seal is None else f"engine {seal.instance}, epoch {seal.epoch}"
        self.taken_over(who)

    def _wait(self, wait_s: float) -> bool:
        """Wait before the next try; return whether there will be none."""
        return self._closing.wait(wait_s)

    def _tell(self, batch: Batch, positions: Sequence[int]) -> None:
        records = [
            Record(header, topic, event, position)
            for (header, topic, event), position in zip(batch.entries, positions, strict=True)
        ]
        at = 0
        for append in batch.appends:
            end = at + len(append.events)
            self._answer(append, Committed(positions[at:end]))
            at = end
        for listener in self.hooks.committed:
            try:
                listener(records)
            except Exception:
                logger.exception("a listener of the journal failed")

    def _answer(self, append: Append, answer: object) -> None:
        try:
            append.reply(answer)
        except Exception:
            logger.exception("the answer to an append of %s failed", append.stream)

    def _end(self, reason: str) -> None:
        """Refuse everything that waits, and all that is still to come."""
        self._over = self._over or reason
        self._closing.set()
        self._refuse_waiting()

    def _refuse_waiting(self) -> None:
        while not self._waiting.empty():
            try:
                one = self._waiting.get_nowait()
            except queue.Empty:
                return
            if isinstance(one, Append):
                self._answer(one, Refused(self._over or "the engine is closed"))
            elif one is not None:
                self._reach(one)
