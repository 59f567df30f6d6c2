"""Devices that are programs of their own, in Node or in Python, and engines beside them."""

import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import attrs
import msgspec

from actors.clock import steady_s
from actors.control import NotReachable, request
from actors.testing.site import TestSite

_TICK_S: Final = 0.05


@attrs.define
class Node:
    """One program: it gets its settings as JSON, and a line of JSON for everything it is told."""

    script: Path
    folder: Path
    _process: "subprocess.Popen[str] | None" = None

    @property
    def errors(self) -> Path:
        """The file of what it complains about."""
        return self.folder / f"{self.script.stem}.txt"

    def start(self, settings: dict[str, object]) -> str:
        """Start it and return the line that it prints once it runs."""
        program = "node" if self.script.suffix == ".js" else sys.executable
        with self.errors.open("a") as err:
            self._process = subprocess.Popen(
                [program, str(self.script), msgspec.json.encode(settings).decode()],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=err,
                text=True,
            )
        return self._line()

    def tell(self, command: dict[str, object]) -> str:
        """Tell it something and return its answer."""
        process = self._process
        if process is None or process.stdin is None:
            raise RuntimeError(f"{self.script.stem} does not run")
        process.stdin.write(msgspec.json.encode(command).decode() + "\n")
        process.stdin.flush()
        return self._line()

    def kill(self) -> None:
        """End it at once. Twice is once."""
        process, self._process = self._process, None
        if process is not None:
            process.kill()
            process.communicate()

    def _line(self) -> str:
        """Return the next line that it prints; pytest's time-out ends a wait for none."""
        process = self._process
        line = process.stdout.readline() if process is not None and process.stdout else ""
        if not line:
            raise RuntimeError(self.errors.read_text(encoding="utf-8"))
        return line


def whole_lines(log: Path) -> list[bytes]:
    """Return the lines of a log that another process writes; the last may not be whole yet."""
    return log.read_bytes().split(b"\n")[:-1]


@contextmanager
def running(site: TestSite, *arguments: str) -> Iterator[None]:
    """Keep an engine running, ready with every asset; at the end it is stopped and has to say 0."""
    process = site.started("run", str(site.file), *arguments)
    try:
        wait_until(lambda: _is_ready(site), "the engine is ready")
        yield
    finally:
        process.send_signal(signal.SIGINT)
        stopped = process.wait(30)
    if stopped:
        raise RuntimeError((site.folder / "err.txt").read_text(encoding="utf-8"))


def states(site: TestSite) -> list[dict[str, Any]]:
    """Return what the running engine says of each asset, asked without the command line."""
    told: Any = request(str(site.folder / ".sit_test.sock"), "state", {})
    return list(told)


def _is_ready(site: TestSite) -> bool:
    try:
        known = states(site)
    except NotReachable:
        return False
    return bool(known) and all(one["state_known"] and one["connected"] for one in known)


def wait_until(condition: Callable[[], bool], what: str, timeout_s: float = 60.0) -> None:
    """Look again and again until a condition holds.

    Raises:
        TimeoutError: it did not hold in time; says what was waited for.
    """
    tick, until_s = threading.Event(), steady_s() + timeout_s
    while not condition():
        if steady_s() > until_s:
            raise TimeoutError(f"{what}: not in {timeout_s:g} s")
        tick.wait(_TICK_S)
