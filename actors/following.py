"""The read model follows the log: in quiet moments beside an engine, or at once when asked."""

import logging
import threading
from collections.abc import Sequence
from typing import Final

from actors.clock import steady_s
from actors.kept import Fold
from actors.read_model import ReadModel
from actors.store import Progress, Store
from actors.store.tables import open_tables
from engine.codec import Codec, Record
from engine.errors import StoreCorrupt, StoreError

logger = logging.getLogger("setpoint")

_QUIET_S: Final = 0.2
"""Nothing was committed for so long: the engine has time."""
_BEHIND: Final = 50_000
"""So many records behind the log it follows all the same, now and then."""
_FAR_BEHIND: Final = 1_000_000
"""And so many behind, at once."""
_REST: Final = 9
"""So many times as long as it worked it rests, beside an engine that is busy."""


def rebuild(url: str, store: Store, codec: Codec, progress: Progress) -> int:
    """Make a read model anew from the log; return how many rows that took.

    Raises:
        StoreUnavailable: the log or the model cannot be used.
    """
    tables = open_tables(url)
    if tables is None:
        return 0
    model = ReadModel(tables)
    try:
        model.clear()
        fold, total, done = Fold(), store.last_position(), 0
        while taken := model.follow(store, codec, fold):
            done += taken
            progress(min(fold.position, total), total)
        return done
    finally:
        model.close()


def forget(url: str) -> None:
    """Empty a read model, if there is one: until it is made anew the log is asked.

    Raises:
        StoreUnavailable: it cannot be written.
    """
    tables = open_tables(url)
    if tables is None:
        return
    model = ReadModel(tables)
    try:
        model.clear()
    finally:
        model.close()


class Follower:
    """Keeps a read model up to date, on a thread of its own.

    The model is an optimisation: one that cannot be written is not missed.
    """

    def __init__(self, url: str, store: Store, codec: Codec) -> None:
        """Follow this store's log; nothing happens before `start`."""
        self._url = url
        self._store = store
        self._codec = codec
        self._news = threading.Event()
        self._closing = threading.Event()
        self._deadline_s = 0.0
        self._committed_s = 0.0
        self._newest: int | None = None
        self._reached = 0  # a position; what was there before this one's first is not counted
        self._thread = threading.Thread(target=self._run, name="read model", daemon=True)

    def start(self) -> None:
        """Begin to follow."""
        self._thread.start()

    def committed(self, records: Sequence[Record]) -> None:
        """Take note of a commit. The journal's thread."""
        newest = (records[-1].position or 0) if records else self._newest
        if self._newest is None:
            self._reached = (newest or 0) - len(records)
        self._newest = newest
        self._committed_s = steady_s()
        self._news.set()

    def close(self, timeout_s: float) -> None:
        """Follow to the end as long as there is time. Twice is once."""
        self._deadline_s = steady_s() + timeout_s
        self._closing.set()
        self._news.set()
        if self._thread.is_alive():
            self._thread.join(timeout_s)

    def _run(self) -> None:
        """Follow whenever there is something new; a failure is told once, and tried again."""
        model: ReadModel | None = None
        failed = closing = False
        while not closing:
            self._news.wait()
            self._news.clear()
            closing = self._wait_for_quiet()
            try:
                model = model or self._opened()
                if model is None:
                    return
                self._catch_up(model)
                failed = False
            except StoreError as error:
                if not failed:
                    logger.warning("the read model is behind: %s", error)
                failed = True
                _close(model)
                model = None
            except Exception:
                logger.exception("the read model is not kept any more")
                break
        _close(model)

    def _opened(self) -> ReadModel | None:
        tables = open_tables(self._url)
        return None if tables is None else ReadModel(tables)

    def _wait_for_quiet(self, worked_s: float = 0.0) -> bool:
        """Wait until the engine has time, or long enough; return whether it is closing."""
        rested_s = steady_s() + _REST * worked_s
        while (behind := (self._newest or 0) - self._reached) < _FAR_BEHIND:
            until_s = self._committed_s + _QUIET_S
            if behind >= _BEHIND:
                until_s = min(until_s, rested_s)
            left_s = until_s - steady_s()
            if left_s <= 0:
                break
            if self._closing.wait(left_s):
                return True
        return self._closing.is_set()

    def _catch_up(self, model: ReadModel) -> None:
        """Follow as far as the log, or the time, goes; a damaged model is made anew."""
        try:
            self._follow(model)
        except StoreCorrupt as error:
            logger.warning("%s; it is made anew", error)
            model.clear()
            self._follow(model)

    def _follow(self, model: ReadModel) -> None:
        fold, began_s = Fold(), steady_s()
        while model.follow(self._store, self._codec, fold):
            self._reached = fold.position
            if self._wait_for_quiet(steady_s() - began_s) and steady_s() > self._deadline_s:
                return
            began_s = steady_s()


def _close(model: ReadModel | None) -> None:
    """Let go of a model, if there is one."""
    if model is not None:
        model.close()
