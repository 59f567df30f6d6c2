"""The journal: the one place where events become durable, in batches, sealed, in order."""

import logging
import queue
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from typing import Final

import attrs
from msgspec import Struct

from actors.appends import Append, Committed, Refused, Writer
from actors.clock import Clocks
from actors.store import Store, VersionConflict
from actors.writing import Batch, LogWriter
from engine.codec import Codec, Record
from engine.errors import StoreUnavailable
from engine.seals import STREAM
from engine.types import US_PER_S

logger = logging.getLogger("setpoint")

BATCH: Final = 5_000
"""Events of one transaction, at the most (one append is never split)."""

_AGAIN_S: Final = (0.1, 1.0)
"""The first and the longest pause before a store that failed is tried again."""


class _Behind(Struct, frozen=True):
    """Wants to know when all that was appended before it is stored; closes a writer then."""

    reached: Callable[[], object]
    writer: Writer | None = None


@attrs.define
class _Round:
    """What one transaction is to store, and who waits behind it.

    ``batch`` has the appends that continue their streams. ``wait_s`` is the pause before the next
    try, 0 before the first; ``again_us`` is its end (device clock).
    """

    appends: Sequence[Append]
    behind: _Behind | None = None
    batch: Batch | None = None
    wait_s: float = 0.0
    again_us: int = 0


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

    def __init__(
        self,
        store: Store,
        codec: Codec,
        *,
        instance: str,
        clocks: Clocks,
        most: Callable[[], int] = lambda: BATCH,
    ) -> None:
        """Continue a store's log as a new epoch; nothing is written before `start`.

        ``most`` is asked for each transaction how many events it takes.
        """
        self.hooks = Hooks()
        self._store = store
        self._codec = codec
        self._clocks = clocks
        self._most = most
        self._writer = LogWriter(store, codec, instance, clocks)
        # A SimpleQueue takes and gives without the interpreter's lock being fought for.
        self._waiting: queue.SimpleQueue[Append | _Behind | None] = queue.SimpleQueue()
        self._stuck: _Round | None = None
        self._ending = False
        self._closing = threading.Event()
        self._over: str | None = None
        self._fencing = threading.Lock()
        self._fenced = False
        self._thread = threading.Thread(target=self._run, name="journal", daemon=True)

    @property
    def epoch(self) -> int:
        """How many engines have written to the store, this one included."""
        return self._writer.epoch

    def start(self) -> None:
        """Begin to commit."""
        self._thread.start()

    def step(self) -> bool:
        """Commit what waits now in the caller's thread, in place of `start`.

        Returns whether there was anything to do. For runs without threads.
        """
        due_us = self.due_us()
        idle = self._waiting.empty() if due_us is None else self._clocks.device_us() < due_us
        if idle or self._over is not None:
            return False
        self._round()
        return True

    def due_us(self) -> int | None:
        """Return when a store that failed is tried again (device clock), null while none has."""
        return None if self._stuck is None else self._stuck.again_us

    def append(self, append: Append) -> None:
        """Have events stored; never blocks. Any thread."""
        if self._over is None:
            self._waiting.put(append)
            if self._over is not None:
                self._refuse_waiting()
        else:
            append.reply(Refused(self._over))

    def flush(self) -> "Future[None]":
        """Return what is done once all that waits now is stored, or never will be. Any thread."""
        reached: Future[None] = Future()
        self._put_behind(_Behind(lambda: reached.set_result(None)))
        return reached

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
        else:
            while self.step():
                pass
        ended = not self._thread.is_alive() and self._stuck is None
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
        while self._over is None and not (self._ending and self._stuck is None):
            if self._stuck is not None:
                self._closing.wait(self._stuck.wait_s)
            self._round()
        self._give_up()

    def _round(self) -> None:
        """Commit all that waits, or try again to store what could not be."""
        going = self._stuck or self._next()
        self._stuck = None
        try:
            if self._over is None:
                self._commit(going)
        except Exception as error:
            logger.exception("the journal failed")
            self._end(f"the journal failed: {type(error).__name__}")
        if self._over is not None:
            self._refuse(going)
        elif self._stuck is None:
            self._tell_idle()

    def _refuse(self, going: _Round) -> None:
        """Answer for what could not be stored, and never will be."""
        appends = going.appends if going.batch is None else going.batch.appends
        for append in appends:
            self._answer(append, Refused(self._over or "the engine is closed"))
        self._reach(going.behind)

    def _give_up(self) -> None:
        """Refuse what waits for another try."""
        stuck, self._stuck = self._stuck, None
        if stuck is not None:
            self._refuse(stuck)

    def _tell_idle(self) -> None:
        if not self._waiting.empty():
            return
        for listener in self.hooks.idle:
            try:
                listener()
            except Exception:
                logger.exception("a listener of the journal failed")

    def _next(self) -> _Round:
        """Wait for something; return all that waits, up to a batch.

        What comes behind one who waits for all before it is left for the next time.
        """
        taken: list[Append] = []
        count, most = 0, self._most()
        while (one := self._waiting.get()) is not None:
            if isinstance(one, _Behind):
                return _Round(taken, one)
            taken.append(one)
            count += len(one.events)
            if count >= most or self._waiting.empty():
                break
        self._ending = one is None
        return _Round(taken)

    def _reach(self, behind: _Behind | None) -> None:
        """Tell who waited that all before is stored, or never will be."""
        if behind is None:
            return
        if behind.writer is not None:
            behind.writer.closed = True
        try:
            behind.reached()
        except Exception:
            logger.exception("who waited for the journal failed")

    def _commit(self, going: _Round) -> None:
        """Store a batch and tell of it, or have it tried again."""
        if going.batch is None:
            going.batch = self._batch(going.appends)
        batch = going.batch
        if batch.appends:
            try:
                positions = self._attempt(batch, again=going.wait_s > 0)
            except StoreUnavailable as error:
                self._put_off(going, error)
                return
            if positions is None:  # another engine has the store
                return
            if going.wait_s:
                logger.warning("the store can be used again")
                self.hooks.back()
            self._tell(batch, positions)
        self._reach(going.behind)

    def _put_off(self, going: _Round, error: StoreUnavailable) -> None:
        """Keep a batch as it is until the store can be tried again."""
        first_s, longest_s = _AGAIN_S
        if not going.wait_s:
            logger.warning("%s; nothing is sent until it can be", error)
            self.hooks.lost(str(error))
        going.wait_s = min(2 * going.wait_s, longest_s) or first_s
        going.again_us = self._clocks.device_us() + round(going.wait_s * US_PER_S)
        self._stuck = going

    def _batch(self, appends: Sequence[Append]) -> Batch:
        """Turn appends into rows; one that does not continue its stream is refused by itself."""
        batch = Batch([], [], [])
        for append in appends:
            if append.writer is not None and append.writer.closed:
                logger.warning("dropped what a revoked handler of %s appended", append.stream)
                continue
            reason = self._writer.misfit(append)
            if reason is None:
                self._encode_or_refuse(append, batch)
                continue
            if self._writer.is_ahead(append):
                self._look_at_head()
            self._answer(append, Refused(self._over or reason, for_good=self._over is not None))
        if batch.appends:
            self._writer.seal(batch)
        return batch

    def _look_at_head(self) -> None:
        """Stop, if the log's head is another engine's: an actor has read what that one wrote."""
        try:
            newest = self._store.last_row(STREAM)
        except StoreUnavailable as error:
            logger.debug("the log's head could not be read: %s", error)
            return
        seal = None if newest is None else self._codec.decode(newest).event
        if seal is not None and not self._writer.made(seal):
            self._fence()

    def _encode_or_refuse(self, append: Append, batch: Batch) -> None:
        """Turn an append into rows; one that cannot be is refused, and the others go on."""
        try:
            self._writer.write(append, batch)
        except Exception as error:
            logger.exception("events of %s cannot be stored", append.stream)
            reason = f"cannot be stored: {type(error).__name__}"
            self._answer(append, Refused(reason, for_good=False))

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
        if not self._thread.is_alive():
            self._give_up()

    def _refuse_waiting(self) -> None:
        while not self._waiting.empty():
            try:
                one = self._waiting.get_nowait()
            except queue.Empty:
                return
            if isinstance(one, Append):
                self._answer(one, Refused(self._over or "the engine is closed"))
            else:
                self._reach(one)
