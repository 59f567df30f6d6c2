"""Who looks at a clock, draws lots or reads a file, in code that promises to be pure."""

import gc
import sys
from collections.abc import Callable
from types import FrameType
from typing import Any, Final, TypeVar

T = TypeVar("T")

_IMPURE: Final = frozenset(
    {
        "time.time",
        "time.time_ns",
        "time.monotonic",
        "time.monotonic_ns",
        "time.perf_counter",
        "time.perf_counter_ns",
        "time.clock_gettime",
        "time.clock_gettime_ns",
        "time.gmtime",
        "time.localtime",
        "time.sleep",
        "datetime.now",
        "datetime.utcnow",
        "datetime.today",
        "date.today",
        "posix.urandom",
        "posix.getrandom",
        "Random.random",
        "Random.getrandbits",
        "_io.open",
        "io.open",
        "_socket.socket",
        "builtins.print",
    }
)


def impure_calls(function: Callable[[], T]) -> tuple[T, list[str]]:
    """Return what a function returns, and which clocks, lots and files it asked on the way.

    Sees the functions that are built into the interpreter, by which all others have to go.
    """
    found: list[str] = []

    def watch(frame: FrameType, event: str, called: Any) -> None:  # noqa: ANN401 - as sys has it
        del frame
        if event == "c_call" and (name := _name(called)) in _IMPURE:
            found.append(name)

    before, collects = sys.getprofile(), gc.isenabled()
    gc.disable()  # a collection on the way calls the hooks of others, who may look at a clock
    sys.setprofile(watch)
    try:
        return function(), found
    finally:
        sys.setprofile(before)
        if collects:
            gc.enable()


def _name(called: Any) -> str:  # noqa: ANN401 - a built-in function or method
    owner = getattr(called, "__self__", None)
    if isinstance(owner, type):
        place = owner.__name__
    elif called.__module__ is not None:
        place = called.__module__
    else:
        place = type(owner).__name__
    return f"{place}.{called.__name__}"
