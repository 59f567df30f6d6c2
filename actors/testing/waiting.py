"""Waiting for what other threads and processes do, in tests."""

import threading
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Final

from actors.clock import steady_s

if TYPE_CHECKING:
    from subprocess import Popen

_LOOK_S: Final = 0.01


def wait_until(
    condition: Callable[[], bool], limit_s: float = 40.0, engines: "Iterable[Popen[str]]" = ()
) -> None:
    """Return once something is so.

    Raises:
        TimeoutError: it is not in time.
        ChildProcessError: one of these engines ended meanwhile.
    """
    tick, end_s = threading.Event(), steady_s() + limit_s
    while not condition():
        if steady_s() > end_s:
            raise TimeoutError
        if any(engine.poll() is not None for engine in engines):
            raise ChildProcessError("an engine ended")
        tick.wait(_LOOK_S)
