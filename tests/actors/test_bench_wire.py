import subprocess
import sys
from array import array

import pytest

from actors.bench import batteries, chargers, modbus, ocpp, registry
from actors.bench.engine import Dispatched
from actors.bench.peer import peer


def test_the_ocpp_bench_counts_what_the_chargers_were_asked() -> None:
    """By engine and library alike, each slot on each charger once; the first is not counted."""
    with peer(ocpp.DEVICES) as devices:
        found = ocpp.dispatch(devices, chargers=3, slots=2)
        again = ocpp.dispatch(devices, chargers=2, slots=1)
    assert (found.commands, again.commands) == (6, 2)
    assert min(found.took_s, found.reference_s) > 0


def test_the_modbus_bench_counts_what_the_batteries_were_written() -> None:
    """By engine and library alike, each slot on each battery once; the first is not counted."""
    with peer(modbus.DEVICES) as devices:
        ports = [int(port) for port in devices.ask("listen", 3, 0.001)]
        found = modbus.dispatch(devices, ports, slots=2)
        written = devices.ask("count", modbus.SETPOINT)
    assert found.commands == 6
    assert min(found.took_s, found.reference_s) > 0
    assert written == ["0", "0"]


def test_a_charger_that_was_not_asked_is_an_error() -> None:
    """What did not arrive at the other process has no speed."""
    with peer(ocpp.DEVICES) as devices, pytest.raises(ValueError, match="0 charging profiles"):
        ocpp._check(devices, 1)  # noqa: SLF001 - what ends each run


def test_a_battery_that_was_not_written_is_an_error() -> None:
    """What did not arrive at the other process has no speed."""
    with peer(modbus.DEVICES) as devices, pytest.raises(ValueError, match="0 setpoints"):
        modbus._check(devices, 1)  # noqa: SLF001 - what ends each run


def test_devices_say_what_they_could_not_do() -> None:
    """A bench does not wait for an answer that will not come, and they go on."""
    with peer(ocpp.DEVICES) as devices:
        with pytest.raises(ChildProcessError, match="connect failed: ConnectionRefused"):
            devices.ask("connect", 1, 1)
        with pytest.raises(ChildProcessError, match="dance failed: ValueError dance"):
            devices.ask("dance")
        assert devices.ask("close") == ["0"]


def test_a_process_of_devices_that_has_ended_is_told() -> None:
    """Whether the pipe still takes the question or not."""
    with peer("actors.bench") as devices, pytest.raises(ChildProcessError, match="ended"):
        devices.ask("close")


@pytest.mark.parametrize("module", [ocpp.DEVICES, modbus.DEVICES])
def test_devices_end_with_their_bench(module: str) -> None:
    """When the pipe closes, whatever the reason."""
    ended = subprocess.run([sys.executable, "-m", module], input="", text=True, check=False)
    assert ended.returncode == 0


def test_a_row_has_the_median_of_what_each_run_came_to() -> None:
    """And not the ratio of the medians: figure and limit of one run belong together."""
    runs = [Dispatched(100, 1.0, 0.5), Dispatched(100, 4.0, 8.0), Dispatched(100, 2.0, 1.6)]
    row = registry._dispatched("ocpp", runs, "the same", 0.8)  # noqa: SLF001 - as the benches do
    assert row["ratio"] == 0.8
    assert row["value"] == 50.0
    assert row["limit"] == 62.5


class TestFrames:
    def test_a_server_s_frame_is_taken_once_it_is_complete(self) -> None:
        """Short ones and longer ones, whatever follows."""
        for length in (0, 1, 125, 126, 3_000):
            payload = b"x" * length
            longer = b"\x81\x7e" + length.to_bytes(2, "big")
            whole = (longer if length > 125 else bytes((0x81, length))) + payload
            assert all(chargers.frame(whole[:end]) is None for end in range(len(whole)))
            assert chargers.frame(whole + b"more") == (1, payload, b"more")

    def test_a_charger_masks_what_it_sends(self) -> None:
        """A server has to refuse a frame that is not."""
        assert chargers.masked(1, b"hi") == b"\x81\x82\0\0\0\0hi"
        assert chargers.masked(1, b"x" * 200)[:8] == b"\x81\xfe\x00\xc8\0\0\0\0"


class TestRegisters:
    def test_what_was_written_is_read(self) -> None:
        """Function 6 writes one word, function 16 several; both echo where."""
        words = array("H", [0] * 8)
        assert batteries.reply(words, bytes.fromhex("0600021234")) == bytes.fromhex("0600021234")
        many = bytes.fromhex("1000030002040005fffe")
        assert batteries.reply(words, many) == bytes.fromhex("1000030002")
        read = bytes.fromhex("0300020003")
        assert batteries.reply(words, read) == bytes.fromhex("030612340005fffe")

    def test_what_is_not_there_is_an_exception(self) -> None:
        """An address behind the last, and a function that there is not."""
        words = array("H", [0] * 8)
        assert batteries.reply(words, bytes.fromhex("0300070002")) == bytes.fromhex("8302")
        assert batteries.reply(words, bytes.fromhex("0200000001")) == bytes.fromhex("8201")
