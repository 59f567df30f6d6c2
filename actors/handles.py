"""A command in somebody's hands: how far it is, and waiting for its end."""

import asyncio
import threading
from collections.abc import Callable, Generator
from concurrent.futures import Future
from typing import Protocol

from actors.bus import BusThread
from engine.bus import Event, Subscription
from engine.commands import FINAL, CommandStatus
from engine.history import CommandRecord

_STATUS_OF = {
    "COMMAND_DISPATCHED": CommandStatus.DISPATCHED,
    "COMMAND_ACKNOWLEDGED": CommandStatus.ACKNOWLEDGED,
    "COMMAND_COMPLETED": CommandStatus.COMPLETED,
    "COMMAND_FAILED": CommandStatus.FAILED,
    "COMMAND_TIMED_OUT": CommandStatus.TIMED_OUT,
    "COMMAND_CANCELLED": CommandStatus.CANCELLED,
}


class Wait(Protocol):
    """How to wait for a future; see `actors.runtime.Runtime.result`."""

    def __call__(self, future: "Future[None]", timeout_s: float | None) -> None:
        """Wait; raises TimeoutError when it takes too long."""


class Watch:
    """Remembers the last status of each command of one asset, from before it is created on."""

    def __init__(self, bus: BusThread, asset_id: str, wait: Wait) -> None:
        """Begin to listen."""
        self._lock = threading.Lock()
        self._statuses: dict[str, CommandStatus] = {}
        self._ends: dict[str, list[Future[None]]] = {}
        self._asset_id = asset_id
        self._wait = wait
        self._subscription: Subscription = bus.subscribe(self._heard, *_STATUS_OF)

    def _heard(self, event: Event) -> None:
        """Note a command's status. The bus thread."""
        if event.asset_id != self._asset_id:
            return
        command_id = str(event.data["command_id"])
        with self._lock:
            status = self._statuses[command_id] = _STATUS_OF[event.type]
            ends = self._ends.pop(command_id, []) if status in FINAL else []
        for end in ends:
            if end.set_running_or_notify_cancel():
                end.set_result(None)

    def status(self, command_id: str) -> CommandStatus:
        """Return how far a command is."""
        with self._lock:
            return self._statuses.get(command_id, CommandStatus.PENDING)

    def end(self, command_id: str) -> "Future[None]":
        """Return a future of a command's end, its caller's own: who cancels it waits no more."""
        end: Future[None] = Future()
        with self._lock:
            if self._statuses.get(command_id) in FINAL:
                end.set_result(None)
            else:
                self._ends.setdefault(command_id, []).append(end)
        return end

    def wait(self, end: "Future[None]", timeout_s: float | None) -> None:
        """Wait until a command has come to its end.

        Raises:
            TimeoutError: it had not in time.
        """
        self._wait(end, timeout_s)

    def close(self) -> None:
        """Listen no more."""
        self._subscription.cancel()


class CommandHandle:
    """One command that was asked for; await it, or wait for its record."""

    def __init__(
        self, command_id: str, watch: Watch, record: Callable[[str], CommandRecord]
    ) -> None:
        """Hold a command; ``record`` reads it from the store."""
        self.id = command_id
        self._watch = watch
        self._record = record

    @property
    def status(self) -> CommandStatus:
        """How far the command is now."""
        return self._watch.status(self.id)

    def wait(self, timeout: float | None = None) -> CommandRecord:
        """Return the command's record once it is over; ``timeout`` is in seconds, null for ever.

        Raises:
            TimeoutError: it was not over within ``timeout`` seconds.
        """
        end = self._watch.end(self.id)
        try:
            return self._ended(
                end, None if timeout is None else min(timeout, threading.TIMEOUT_MAX)
            )
        except TimeoutError:
            end.cancel()
            raise TimeoutError(f"{self.id} is still {self.status} after {timeout} s") from None

    def __await__(self) -> Generator[object, None, CommandRecord]:
        """Wait for the end without blocking the event loop."""
        return self._awaited().__await__()

    async def _awaited(self) -> CommandRecord:
        end = self._watch.end(self.id)
        try:
            return await asyncio.to_thread(self._ended, end, None)
        finally:
            # Whoever gives up waiting takes the thread along: asyncio ends only after its threads.
            end.cancel()

    def _ended(self, end: "Future[None]", timeout_s: float | None) -> CommandRecord:
        self._watch.wait(end, timeout_s)
        self._watch.close()
        return self._record(self.id)
