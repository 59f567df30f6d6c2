"""The control socket: how the command line reaches the running engine.

A Unix socket, mode 0600, one JSON object a line: ``{"v":1,"op":"send","args":{...}}`` is answered
by ``{"ok":true,"result":{...}}`` or ``{"ok":false,"error":"...","exit":1}``.
"""

import contextlib
import logging
import os
import socket
import stat
import threading
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, Final, TypeAlias

import msgspec

from actors.clock import steady_s
from engine.errors import SetpointError, StoreInUse, UsageError

logger = logging.getLogger("setpoint")

Handler: TypeAlias = Callable[[Mapping[str, Any]], object]

VERSION: Final = 1

REQUEST_BYTES: Final = 1 << 20
"""The longest request that is read."""

ANSWER_BYTES: Final = 1 << 26
"""The longest answer that is read."""

CLIENTS: Final = 32
"""How many clients may be connected at once."""

_ADDRESS_BYTES: Final = 107  # what sun_path holds
_CHUNK_BYTES: Final = 1 << 16
_IDLE_S: Final = 60.0
_WRITE_S: Final = 10.0


class NotReachable(SetpointError):
    """No engine answers at the control socket."""


class Refused(SetpointError):
    """The engine answered with no; ``exit`` is the exit code that it named."""

    def __init__(self, message: str, exit_code: int) -> None:
        super().__init__(message)
        self.exit = exit_code


class _Request(msgspec.Struct, forbid_unknown_fields=True):
    """One line from a client."""

    v: int
    op: str
    args: dict[str, Any] = {}


class _Done(msgspec.Struct, kw_only=True):
    """One line to a client: it was done."""

    ok: bool = True
    result: object


class _Failed(msgspec.Struct, kw_only=True):
    """One line to a client: it was not done."""

    ok: bool = False
    error: str
    exit: int = 1


class _Either(msgspec.Struct):
    """One line from the engine."""

    ok: bool
    result: Any = None
    error: str = "no reason given"
    exit: int = 1


class _Lines:
    """The lines that come in on a socket."""

    def __init__(self, connection: socket.socket, limit: int) -> None:
        self._connection = connection
        self._limit = limit
        self._buffer = bytearray()

    def next(self, timeout_s: float) -> bytes | None:
        """Return the next line without its end, or None at the end.

        Raises:
            TimeoutError: it was not complete in time.
            ValueError: it is longer than the limit.
        """
        deadline_s = steady_s() + timeout_s
        start = 0
        while (end := self._buffer.find(b"\n", start)) < 0:
            start = len(self._buffer)
            if start > self._limit:
                raise ValueError(f"a line has at most {self._limit} bytes")
            self._connection.settimeout(max(0.001, deadline_s - steady_s()))
            received = self._connection.recv(_CHUNK_BYTES)
            if not received:
                return None
            if steady_s() > deadline_s:
                raise TimeoutError
            self._buffer += received
        line = bytes(self._buffer[:end])
        del self._buffer[: end + 1]
        return line


@contextlib.contextmanager
def _address(path: Path) -> Iterator[str]:
    """Give the address of a socket file, by way of its open folder if the path is too long.

    Raises:
        UsageError: even its name alone is too long.
        OSError: the folder cannot be opened.
    """
    if len(os.fsencode(path)) <= _ADDRESS_BYTES:
        yield str(path)
        return
    folder = os.open(path.parent, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        address = f"/proc/self/fd/{folder}/{path.name}"
        if len(os.fsencode(address)) > _ADDRESS_BYTES:
            raise UsageError(f"the name of the control socket is too long: {path.name}")
        yield address
    finally:
        os.close(folder)


class ControlServer:
    """Answers at a control socket: one thread accepts, and each client has a thread of its own.

    So an operation that waits holds up nobody but who asked for it. Handlers get the arguments
    and return what JSON can say; a UsageError is answered with exit 2, anything else with 1.
    """

    def __init__(self, path: str | os.PathLike[str], handlers: Mapping[str, Handler]) -> None:
        self._path = Path(path)
        self._handlers = handlers
        self._listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._lock = threading.Lock()  # over the connections
        self._connections: set[socket.socket] = set()
        self._closing = False
        self._file: tuple[int, int] | None = None
        self._thread = threading.Thread(target=self._accept, name="control", daemon=True)

    def start(self) -> None:
        """Begin to answer; a dead engine's socket file is replaced.

        Raises:
            StoreInUse: an engine answers there.
            UsageError: there can be no socket at that path.
        """
        try:
            self._bind()
        except OSError as error:
            self._listener.close()
            raise UsageError(f"no control socket at {self._path}: {error.strerror}") from error
        except SetpointError:
            self._listener.close()
            raise
        self._listener.listen(CLIENTS)
        self._thread.start()

    def close(self, timeout_s: float = 10.0) -> None:
        """Answer nobody any more and take the socket file away. Twice is once."""
        self._closing = True
        self._unlink()
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)  # wakes accept
        if self._thread.is_alive():
            self._thread.join(timeout_s)
        self._listener.close()
        with self._lock:
            for connection in self._connections:
                with contextlib.suppress(OSError):
                    connection.shutdown(socket.SHUT_RDWR)

    def _bind(self) -> None:
        """Make the socket file."""
        if os.path.lexists(self._path):
            self._clear()
        os.fchmod(self._listener.fileno(), 0o600)  # bind gives the file this mode
        with _address(self._path) as address:
            self._listener.bind(address)
        status = self._path.lstat()
        self._file = (status.st_dev, status.st_ino)

    def _clear(self) -> None:
        """Take away the socket file of an engine that is gone."""
        if not stat.S_ISSOCK(self._path.lstat().st_mode):
            raise UsageError(f"{self._path} is not a socket")
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
            probe.settimeout(0)
            try:
                with _address(self._path) as address:
                    probe.connect(address)
            except ConnectionRefusedError:
                self._path.unlink()
                return
            except BlockingIOError:
                pass  # its queue is full, so it lives
        raise StoreInUse(f"another engine answers at {self._path}")

    def _unlink(self) -> None:
        """Take the socket file away unless another engine has put its own there."""
        with contextlib.suppress(FileNotFoundError):
            status = self._path.lstat()
            if self._file == (status.st_dev, status.st_ino):
                self._path.unlink()

    def _accept(self) -> None:
        """Give each client a thread. The accepting thread."""
        while not self._closing:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                if not self._closing:
                    logger.exception("the control socket failed")
                return
            with self._lock:
                welcome = len(self._connections) < CLIENTS
                if welcome:
                    self._connections.add(connection)
            if welcome:
                threading.Thread(
                    target=self._serve, args=(connection,), name="control-client", daemon=True
                ).start()
            else:
                _send(connection, _Failed(error="too many clients"))
                connection.close()

    def _serve(self, connection: socket.socket) -> None:
        """Answer one client until it goes. Its thread."""
        lines = _Lines(connection, REQUEST_BYTES)
        try:
            while (line := lines.next(_IDLE_S)) is not None:
                if not _send(connection, self._answer(line)):
                    break
        except ValueError as error:
            _send(connection, _Failed(error=str(error), exit=2))
        except OSError:
            logger.debug("a client of the control socket went away")
        finally:
            with self._lock:
                self._connections.discard(connection)
            connection.close()

    def _answer(self, line: bytes) -> _Done | _Failed:
        """Return the answer to one line. A client's thread."""
        try:
            handler, args = self._understand(line)
            return _Done(result=handler(args))
        except UsageError as error:
            return _Failed(error=str(error), exit=2)
        except (SetpointError, TimeoutError) as error:
            return _Failed(error=str(error) or type(error).__name__)
        except Exception as error:
            logger.exception("an operation of the control socket failed")
            return _Failed(error=f"internal error: {type(error).__name__}")

    def _understand(self, line: bytes) -> tuple[Handler, dict[str, Any]]:
        """Return what a line asks for.

        Raises:
            UsageError: it is no request that this engine understands.
        """
        try:
            request = msgspec.json.decode(line, type=_Request)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            raise UsageError(f"not a request: {error}") from error
        if request.v != VERSION:
            raise UsageError(f"this engine speaks version {VERSION}, not {request.v}")
        handler = self._handlers.get(request.op)
        if handler is None:
            raise UsageError(f"no such operation: {request.op}")
        return handler, request.args


def _send(connection: socket.socket, answer: _Done | _Failed) -> bool:
    """Send one line; return False if the client did not take it."""
    try:
        line = msgspec.json.encode(answer)
    except (TypeError, ValueError, RecursionError):
        logger.exception("an answer of the control socket cannot be encoded")
        line = msgspec.json.encode(_Failed(error="the answer cannot be encoded"))
    try:
        connection.settimeout(_WRITE_S)
        connection.sendall(line + b"\n")
    except OSError:
        return False
    return True


def request(
    path: str | os.PathLike[str], op: str, args: Mapping[str, object], timeout_s: float = 10.0
) -> Any:  # noqa: ANN401 -- what the operation gives, as JSON has it
    """Return what the running engine answers to an operation. Any thread.

    Raises:
        NotReachable: no engine answers, or not in time.
        UsageError: the engine refused the input.
        Refused: the engine said no.
    """
    line = msgspec.json.encode({"v": VERSION, "op": op, "args": dict(args)})
    try:
        answered = _exchange(Path(path), line, timeout_s)
        answer = msgspec.json.decode(answered, type=_Either)
    except TimeoutError as error:
        raise NotReachable(f"the engine at {path} gave no answer in {timeout_s:g} s") from error
    except OSError as error:
        raise NotReachable(f"no engine answers at {path}: {error.strerror}") from error
    except ValueError as error:
        raise NotReachable(f"what answers at {path} is no engine: {error}") from error
    if answer.ok:
        return answer.result
    if answer.exit == 2:  # noqa: PLR2004 -- the exit code of refused input
        raise UsageError(answer.error)
    raise Refused(answer.error, answer.exit)


def _exchange(path: Path, line: bytes, timeout_s: float) -> bytes:
    """Send a line and return the answer's."""
    deadline_s = steady_s() + timeout_s
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
        connection.settimeout(timeout_s)
        with _address(path) as address:
            connection.connect(address)
        connection.sendall(line + b"\n")
        answered = _Lines(connection, ANSWER_BYTES).next(deadline_s - steady_s())
    if answered is None:
        raise ConnectionResetError(0, "it hung up")
    return answered
