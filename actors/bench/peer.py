"""A process with devices that a bench talks to over sockets: both of its ends.

The two talk in lines: the bench asks on the process's standard input, the process answers on its
standard output. It ends when its input does, however the bench ended.
"""

import asyncio
import signal
import subprocess
import sys
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from typing import Final

_END_S: Final = 10.0
_FAILED: Final = "failed:"

Answering = Callable[[list[str]], Awaitable[str]]
"""What answers the words of a line with a line."""


class Peer:
    """The bench's end."""

    def __init__(self, process: "subprocess.Popen[str]") -> None:
        """Talk to a process that runs."""
        self._process = process

    def ask(self, *words: object) -> list[str]:
        """Ask something and return the words of the answer.

        Raises:
            ChildProcessError: the process has ended, or could not do it.
        """
        if self._process.stdin is None or self._process.stdout is None:
            raise ChildProcessError("the devices have no pipes")
        try:
            self._process.stdin.write(" ".join(map(str, words)) + "\n")
            self._process.stdin.flush()
            answer = self._process.stdout.readline()
        except BrokenPipeError:
            answer = ""
        if not answer:
            raise ChildProcessError(f"the devices have ended when asked to {words[0]}")
        if answer.startswith(_FAILED):
            raise ChildProcessError(f"{words[0]} {answer}".strip())
        return answer.split()


@contextmanager
def peer(module: str) -> Iterator[Peer]:
    """Give a process that runs a module of devices; it has ended afterwards."""
    process = subprocess.Popen(  # noqa: S603 - this interpreter, and a module of our own
        [sys.executable, "-m", module],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        yield Peer(process)
    finally:
        _end(process)


def _end(process: "subprocess.Popen[str]") -> None:
    try:
        process.communicate(timeout=_END_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.communicate()


# --- the devices' end


def serve(answering: Answering) -> None:
    """Answer line after line until the input ends; Ctrl-C is for the bench to hear."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    asyncio.run(_serve(answering))


async def _serve(answering: Answering) -> None:
    reader = asyncio.StreamReader()
    loop = asyncio.get_running_loop()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    while line := await reader.readline():
        try:
            answer = await answering(line.decode().split())
        except (OSError, ValueError) as error:
            answer = f"{_FAILED} {type(error).__name__} {error}"
        sys.stdout.write(answer + "\n")
        sys.stdout.flush()
