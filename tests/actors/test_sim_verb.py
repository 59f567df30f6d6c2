"""What `setpoint sim` says of where a device cannot be."""

import socket

import pytest
from click.testing import CliRunner

from actors.cli import setpoint
from engine.errors import UsageError


def charger_refused(*arguments: str) -> str:
    """Return why a charger is not simulated."""
    done = CliRunner().invoke(setpoint, ["sim", "charger", *arguments])
    return str(done.exception) if isinstance(done.exception, UsageError) else done.stderr


@pytest.mark.parametrize(
    "url", ["http://h", "nonsense", "ws://", "ws://h:0", "ws://h:99999", "ws://[::1", "", "wss:h"]
)
def test_a_charger_connects_to_a_websocket(url: str) -> None:
    """To another URL it would try to for ever, without a word."""
    told = charger_refused("--url", url, "--id", "CP")
    assert told == f"--url {url!r} is no central system: ws://HOST:PORT or wss://HOST:PORT"


def test_what_a_charger_is_called_and_how_fast_it_is_makes_sense() -> None:
    """A name that is there, a speed above 0, a quirk that there is."""
    there = ("--url", "ws://127.0.0.1:1", "--id")
    assert charger_refused(*there, " ") == "--id must not be empty"
    for speed in ("nan", "inf", "0", "-1"):
        assert "Invalid value for '--speed'" in charger_refused(*there, "CP", "--speed", speed)
    told = charger_refused(*there, "CP", "--quirk", "nope")
    assert told == "a charger has no quirk 'nope'; --quirk help lists them"


def refused(listen: str, *more: str) -> str:
    """Return why a battery does not listen there."""
    error = CliRunner().invoke(setpoint, ["sim", "battery", "--listen", listen, *more]).exception
    assert isinstance(error, UsageError)
    return str(error)


@pytest.mark.parametrize("listen", ["nope", "127.0.0.1:99999", "127.0.0.1:²", ":5020"])
def test_an_address_is_a_host_and_a_port(listen: str) -> None:
    """A port is a number, and not too great."""
    assert "is not HOST:PORT" in refused(listen)


def test_a_port_that_is_taken_is_told_in_a_line() -> None:
    """It is nothing to trace back."""
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        assert refused(f"127.0.0.1:{port}").startswith(f"nothing can listen at 127.0.0.1:{port}: ")


def test_a_wire_log_that_cannot_be_written_is_told_in_a_line() -> None:
    """Before anything listens."""
    told = refused("127.0.0.1:0", "--wire-log", "/nowhere/wire.jsonl")
    assert told == "/nowhere/wire.jsonl: No such file or directory"
