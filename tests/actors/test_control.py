import json
import os
import socket
import stat
import threading
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from actors.control import CLIENTS, REQUEST_BYTES, ControlServer, NotReachable, Refused, request
from engine.errors import StoreInUse, StoreUnavailable, UnknownAsset, UsageError

WAIT_S = 10.0


class Engine:
    """What the handlers reach."""

    def __init__(self) -> None:
        self.entered = threading.Event()
        self.gate = threading.Event()

    def echo(self, args: Mapping[str, Any]) -> object:
        """Return the arguments."""
        return dict(args)

    def wait(self, _args: Mapping[str, Any]) -> str:
        """Return when the gate is open."""
        self.entered.set()
        return "in time" if self.gate.wait(WAIT_S) else "too late"

    def unknown(self, _args: Mapping[str, Any]) -> None:
        """Refuse the input."""
        raise UnknownAsset("no asset x")

    def unavailable(self, _args: Mapping[str, Any]) -> None:
        """Say no."""
        raise StoreUnavailable("the disk is full")

    def late(self, _args: Mapping[str, Any]) -> None:
        """Run out of time, without a word."""
        raise TimeoutError

    def broken(self, _args: Mapping[str, Any]) -> None:
        """Fail with something that is nobody's business."""
        raise LookupError("a secret")

    def odd(self, _args: Mapping[str, Any]) -> object:
        """Return what JSON cannot say."""
        return {"at": object()}


@pytest.fixture
def engine() -> Engine:
    """What the handlers reach."""
    return Engine()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where the socket is."""
    return tmp_path / "c.sock"


def make(path: Path, engine: Engine) -> ControlServer:
    """Return a server that has not begun."""
    names = ("echo", "wait", "unknown", "unavailable", "late", "broken", "odd")
    return ControlServer(path, {name: getattr(engine, name) for name in names})


@pytest.fixture
def server(path: Path, engine: Engine) -> Iterator[ControlServer]:
    """A server that answers."""
    server = make(path, engine)
    server.start()
    yield server
    engine.gate.set()
    server.close()


@pytest.fixture
def client(server: ControlServer, path: Path) -> Iterator[socket.socket]:  # noqa: ARG001 -- it has to run
    """A client that speaks for itself."""
    with socket.socket(socket.AF_UNIX) as client:
        client.settimeout(WAIT_S)
        client.connect(str(path))
        yield client


def say(client: socket.socket, line: bytes) -> object:
    """Send a line and return what the answer's line says."""
    client.sendall(line + b"\n")
    return json.loads(client.makefile("rb").readline())


@pytest.mark.usefixtures("server")
def test_an_operation_is_answered_with_its_result(path: Path) -> None:
    """Arguments and result are JSON, with any letters and lines."""
    args = {"asset": "ast_1", "kw": 2.5, "reason": "Prüfung\nzwei", "until": None}

    assert request(path, "echo", args) == args


def test_the_lines_are_those_of_the_contract(client: socket.socket) -> None:
    """One object each way, in plain JSON."""
    client.sendall(b'{"v":1,"op":"echo","args":{"a":1}}\n')
    assert client.recv(1_000) == b'{"ok":true,"result":{"a":1}}\n'

    client.sendall(b'{"v":1,"op":"unavailable"}\n')
    assert client.recv(1_000) == b'{"ok":false,"error":"the disk is full","exit":1}\n'


@pytest.mark.usefixtures("server")
def test_refused_input_is_a_usage_error_on_both_sides(path: Path) -> None:
    """Exit 2."""
    with pytest.raises(UsageError, match="no asset x"):
        request(path, "unknown", {})


@pytest.mark.usefixtures("server")
@pytest.mark.parametrize(
    ("op", "message"), [("unavailable", "the disk is full"), ("late", "TimeoutError")]
)
def test_a_no_is_refused_with_its_exit_code(path: Path, op: str, message: str) -> None:
    """Exit 1."""
    with pytest.raises(Refused, match=message) as caught:
        request(path, op, {})
    assert caught.value.exit == 1


@pytest.mark.usefixtures("server")
def test_an_engine_that_fails_says_so_and_keeps_the_details_to_its_log(
    path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """And answers the next one."""
    with pytest.raises(Refused, match="internal error: LookupError"):
        request(path, "broken", {})
    with pytest.raises(Refused, match="cannot be encoded"):
        request(path, "odd", {})
    assert request(path, "echo", {}) == {}
    assert "a secret" in caplog.text


@pytest.mark.parametrize(
    ("line", "error"),
    [
        (b"", "not a request"),
        (b"hello", "not a request"),
        (b"\xff\xfe", "not a request"),
        (b"[" * 100_000, "not a request"),
        (b'{"v":1,"op":"echo","args":{"a":"\xff"}}', "not a request"),
        (b'{"v":1}', "not a request"),
        (b'{"v":1,"op":"echo","extra":1}', "not a request"),
        (b'{"v":1,"op":"echo","args":[]}', "not a request"),
        (b'{"v":2,"op":"echo"}', "version 1, not 2"),
        (b'{"v":1,"op":"nothing"}', "no such operation: nothing"),
    ],
    ids=[
        "empty",
        "text",
        "binary",
        "deep",
        "letters",
        "no-op",
        "unknown",
        "list",
        "version",
        "operation",
    ],
)
def test_what_is_no_request_is_answered_and_the_next_one_is_heard(
    client: socket.socket, line: bytes, error: str
) -> None:
    """Exit 2."""
    answer = say(client, line)

    assert isinstance(answer, dict)
    assert error in answer["error"]
    assert (answer["ok"], answer["exit"]) == (False, 2)
    assert say(client, b'{"v":1,"op":"echo"}') == {"ok": True, "result": {}}


def test_requests_may_come_in_pieces_and_together(client: socket.socket) -> None:
    """A line ends where it ends."""
    client.sendall(b'{"v":1,"op":"ec')
    client.sendall(b'ho","args":{"n":1}}\n{"v":1,"op":"echo","args":{"n":2}}\n')
    reader = client.makefile("rb")

    assert [json.loads(reader.readline())["result"]["n"] for _ in range(2)] == [1, 2]


def test_a_line_without_end_is_cut_off(client: socket.socket) -> None:
    """It is answered, and then the connection ends."""
    sender = threading.Thread(target=flood, args=(client,))
    sender.start()
    answers = client.makefile("rb")
    answer = json.loads(answers.readline())
    sender.join(WAIT_S)

    assert answer["exit"] == 2
    assert "at most" in answer["error"]


def flood(client: socket.socket) -> None:
    """Send more than a line may have."""
    try:
        client.sendall(b"x" * (REQUEST_BYTES + 1))
    except OSError:
        return


@pytest.mark.usefixtures("server")
def test_an_operation_that_waits_holds_up_nobody_else(path: Path, engine: Engine) -> None:
    """Each client has a thread of its own."""
    answers: list[object] = []
    waiter = threading.Thread(target=lambda: answers.append(request(path, "wait", {}, WAIT_S)))
    waiter.start()
    assert engine.entered.wait(WAIT_S)

    assert request(path, "echo", {"n": 1}) == {"n": 1}
    engine.gate.set()
    waiter.join(WAIT_S)
    assert answers == ["in time"]


@pytest.mark.usefixtures("server")
def test_too_many_clients_are_turned_away(path: Path) -> None:
    """The number of threads is bounded."""
    clients = [socket.socket(socket.AF_UNIX) for _ in range(CLIENTS)]
    for client in clients:
        client.connect(str(path))
        assert say(client, b'{"v":1,"op":"echo"}') == {"ok": True, "result": {}}

    with pytest.raises((Refused, NotReachable)):
        request(path, "echo", {})
    for client in clients:
        client.close()


@pytest.mark.usefixtures("server")
def test_a_client_that_goes_away_is_forgotten(path: Path) -> None:
    """Also in the middle of a line."""
    with socket.socket(socket.AF_UNIX) as client:
        client.connect(str(path))
        client.sendall(b'{"v":1')

    assert request(path, "echo", {}) == {}


@pytest.mark.usefixtures("server")
def test_a_client_does_not_wait_for_ever(path: Path, engine: Engine) -> None:
    """An engine that gives no answer is not reachable."""
    with pytest.raises(NotReachable, match=r"no answer in 0\.05 s"):
        request(path, "wait", {}, timeout_s=0.05)
    engine.gate.set()


def test_an_engine_that_closes_hangs_up_on_who_waits(
    server: ControlServer, path: Path, engine: Engine
) -> None:
    """The client learns of it at once."""
    errors: list[NotReachable] = []

    def wait() -> None:
        with pytest.raises(NotReachable) as caught:
            request(path, "wait", {}, WAIT_S)
        errors.append(caught.value)

    waiter = threading.Thread(target=wait)
    waiter.start()
    assert engine.entered.wait(WAIT_S)
    server.close()
    waiter.join(WAIT_S)

    assert "hung up" in str(errors[0])


def test_no_engine_is_not_reachable(path: Path) -> None:
    """Neither without a file, nor with a dead engine's, nor without a folder."""
    with pytest.raises(NotReachable, match="no engine answers"):
        request(path, "echo", {})
    leave_behind(path)
    with pytest.raises(NotReachable, match="no engine answers"):
        request(path, "echo", {})
    with pytest.raises(NotReachable, match="no engine answers"):
        request(path.parent / ("x" * 100) / "c.sock", "echo", {})


def test_what_answers_nonsense_is_no_engine(path: Path) -> None:
    """Whatever it is."""
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))
        listener.listen()

        def answer() -> None:
            connection, _ = listener.accept()
            with connection:
                connection.recv(1_000)
                connection.sendall(b"HTTP/1.1 400 Bad Request\n")

        thread = threading.Thread(target=answer)
        thread.start()
        with pytest.raises(NotReachable, match="is no engine"):
            request(path, "echo", {}, WAIT_S)
        thread.join(WAIT_S)


def leave_behind(path: Path) -> None:
    """Leave a socket file that nobody listens at."""
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(path))


def test_a_dead_engines_file_is_replaced(path: Path, engine: Engine) -> None:
    """After a crash the next engine just starts."""
    leave_behind(path)
    server = make(path, engine)
    server.start()

    assert request(path, "echo", {}) == {}
    server.close()


@pytest.mark.usefixtures("server")
def test_a_live_engine_keeps_its_socket(path: Path, engine: Engine) -> None:
    """The second one is refused, and its closing changes nothing."""
    second = make(path, engine)
    with pytest.raises(StoreInUse, match="another engine"):
        second.start()
    second.close()

    assert request(path, "echo", {}) == {}


def test_a_file_that_is_no_socket_is_left_alone(path: Path, engine: Engine) -> None:
    """A slip in the site file deletes nothing."""
    path.write_text("precious")

    with pytest.raises(UsageError, match="not a socket"):
        make(path, engine).start()
    assert path.read_text() == "precious"


def test_a_folder_that_is_not_there_is_refused(path: Path, engine: Engine) -> None:
    """With the reason."""
    with pytest.raises(UsageError, match="No such file"):
        make(path.parent / "missing" / "c.sock", engine).start()


@pytest.mark.parametrize("umask", [0o000, 0o022, 0o077])
def test_only_the_owner_may_connect(path: Path, engine: Engine, umask: int) -> None:
    """Mode 0600 from the first moment, whatever the umask."""
    before = os.umask(umask)
    try:
        server = make(path, engine)
        server.start()
    finally:
        os.umask(before)

    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    server.close()


def test_a_long_path_works(tmp_path: Path, engine: Engine) -> None:
    """A socket's address has 107 bytes, a path may have more."""
    folder = tmp_path / ("d" * 120)
    folder.mkdir()
    path = folder / "c.sock"
    server = make(path, engine)
    server.start()

    assert request(path, "echo", {"n": 1}) == {"n": 1}
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    server.close()
    assert not path.exists()


def test_a_name_that_is_too_long_is_refused(tmp_path: Path, engine: Engine) -> None:
    """By itself it does not fit an address."""
    with pytest.raises(UsageError, match="too long"):
        make(tmp_path / ("s" * 120), engine).start()


def test_a_closed_server_leaves_nothing_behind(server: ControlServer, path: Path) -> None:
    """Neither file nor thread; closing twice is closing once."""
    request(path, "echo", {})
    server.close()
    server.close()

    assert not path.exists()
    assert "control" not in {thread.name for thread in threading.enumerate()}


def test_a_file_that_another_engine_put_there_is_left_alone(
    server: ControlServer, path: Path
) -> None:
    """Each takes away its own."""
    path.unlink()
    path.write_text("another's")
    server.close()

    assert path.read_text() == "another's"
