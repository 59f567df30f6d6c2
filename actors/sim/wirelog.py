"""The wire log of a simulated device: each frame that passed its socket, as the device saw it."""

import json
import os
import threading
from collections.abc import Callable
from typing import Literal, TextIO, TypeAlias

import attrs

from actors.clock import wall_now
from engine.types import iso, to_us

Direction: TypeAlias = Literal["in", "out"]


@attrs.frozen
class WireEntry:
    """One frame; ``t`` is wall time, ISO 8601 UTC with microseconds and ``Z``.

    ``direction`` is seen from the device. OCPP: ``message_id`` is the unique id, ``action`` the
    action's name; Modbus: the transaction id and the function code.
    """

    t: str
    device: str
    protocol: str
    direction: Direction
    message_id: str | int | None
    action: str | int | None
    payload: object


def _wall_us() -> int:
    return to_us(wall_now())


class WireLog:
    """Keeps every entry and, with a path, writes each as one JSON line, flushed. Any thread.

    What reached the file stays there when the device's process is killed, so a test can hold it
    against the store. A file that exists is added to.
    """

    def __init__(
        self,
        path: str | os.PathLike[str] | None = None,
        *,
        wall_us: Callable[[], int] = _wall_us,
    ) -> None:
        """Open the file, if one is named."""
        self.entries: list[WireEntry] = []
        self._wall_us = wall_us
        self._lock = threading.Lock()
        self._file: TextIO | None = None
        if path is not None:
            self._file = open(path, "a", encoding="utf-8")  # noqa: SIM115, PTH123 - open until `close`

    def write(  # noqa: PLR0913 - the contract's keys of one line
        self,
        device: str,
        protocol: str,
        direction: Direction,
        *,
        message_id: str | int | None,
        action: str | int | None,
        payload: object,
    ) -> WireEntry:
        """Add one frame, stamped with the wall time of now, and return it."""
        with self._lock:
            entry = WireEntry(
                iso(self._wall_us()), device, protocol, direction, message_id, action, payload
            )
            self.entries.append(entry)
            if self._file is not None:
                line = json.dumps(attrs.asdict(entry, recurse=False), default=str)
                self._file.write(line + "\n")
                self._file.flush()
            return entry

    def close(self) -> None:
        """Close the file; the entries stay. Twice is once."""
        with self._lock:
            if self._file is not None:
                self._file.close()
                self._file = None
