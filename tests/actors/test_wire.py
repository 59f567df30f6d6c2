"""The tap: what becomes of messages that the faults of the wire strike."""

import pytest

from actors.testing.clocks import ManualTime
from actors.testing.faults import Direction, Fault, Faults
from actors.testing.frames import ModbusSplitter, OcppSplitter
from actors.testing.wire import Piece, Tap

ASSET = "ast_battery"


def frame(number: int, function: int = 6) -> bytes:
    """Return a Modbus message."""
    return (
        number.to_bytes(2, "big")
        + b"\x00\x00\x00\x06\x01"
        + bytes([function])
        + b"\x00\x14\x00\x07"
    )


class Bench:
    """A tap with faults."""

    def __init__(self, *faults: Fault) -> None:
        """Begin with these rules."""
        self.faults = Faults(ManualTime().now_us)
        for fault in faults:
            self.faults.add(fault)
        self.tap = Tap(ModbusSplitter(), self.faults, lambda: (ASSET,))

    def through(self, number: int, direction: Direction = "in", function: int = 6) -> list[Piece]:
        """Send a message through."""
        return self.tap.through(direction, frame(number, function))


def test_without_rules_everything_passes_as_it_is() -> None:
    """A message is held until it is whole."""
    own = Bench()
    assert own.tap.through("in", frame(1)[:5]) == []
    assert [Piece(frame(1))] == own.tap.through("in", frame(1)[5:])
    assert own.faults.injected == []


def test_a_rule_strikes_the_nth_message_that_it_looks_at() -> None:
    """Others' directions and functions do not count; what was struck is on record."""
    own = Bench(Fault(kind="drop", asset=ASSET, direction="in", action=6, nth=2))
    assert [Piece(frame(1))] == own.through(1)
    assert [Piece(frame(2))] == own.through(2, "out")
    assert [Piece(frame(3, 3))] == own.through(3, function=3)
    assert own.through(4) == []
    assert [Piece(frame(5))] == own.through(5)
    (struck,) = own.faults.injected
    assert (struck.kind, struck.asset, struck.direction, struck.action) == ("drop", ASSET, "in", 6)
    assert struck.message_id == 4


def test_a_rule_for_another_asset_strikes_nothing() -> None:
    """It waits."""
    own = Bench(Fault(kind="drop", asset="ast_other"))
    assert [Piece(frame(1))] == own.through(1)


def test_a_rule_that_was_removed_strikes_nothing() -> None:
    """Others stay."""
    first, second = Fault(kind="drop"), Fault(kind="duplicate")
    own = Bench(first, second)
    own.faults.remove(first)
    assert [Piece(frame(1) * 2)] == own.through(1)


def test_rules_that_were_cleared_strike_nothing() -> None:
    """Also those that last."""
    own = Bench(Fault(kind="drop"), Fault(kind="latency"))
    own.faults.clear()
    assert [Piece(frame(1))] == own.through(1)


def test_a_delayed_message_is_a_late_piece() -> None:
    """By as much as the rule says."""
    assert [Piece(frame(1), 2.5)] == Bench(Fault(kind="delay", seconds=2.5)).through(1)


def test_a_duplicated_message_passes_twice() -> None:
    """In one piece."""
    assert [Piece(frame(1) + frame(1))] == Bench(Fault(kind="duplicate")).through(1)


def test_a_reordered_message_changes_places_with_the_next_of_its_direction() -> None:
    """Those of the other direction pass meanwhile."""
    own = Bench(Fault(kind="reorder", direction="in"))
    assert own.through(1) == []
    assert [Piece(frame(2))] == own.through(2, "out")
    assert [Piece(frame(3) + frame(1))] == own.through(3)
    assert [Piece(frame(4))] == own.through(4)


def test_garbage_keeps_the_frame_whole_and_its_body_makes_no_sense() -> None:
    """The head, with its length, is as it was; every byte of the body is another."""
    (piece,) = Bench(Fault(kind="garbage")).through(1)
    assert frame(1)[:7] == piece.data[:7]
    assert len(frame(1)) == len(piece.data)
    assert all(was != now for was, now in zip(frame(1)[7:], piece.data[7:], strict=True))


def test_a_cut_passes_half_and_ends() -> None:
    """The connection ends behind it."""
    assert [Piece(frame(1)[:6], cuts=True)] == Bench(Fault(kind="cut")).through(1)


def test_a_reset_passes_nothing_and_ends() -> None:
    """By a reset."""
    assert [Piece(b"", resets=True)] == Bench(Fault(kind="reset")).through(1)


def test_a_dripping_message_is_whole_after_its_seconds() -> None:
    """Twelve bytes are four drops."""
    pieces = Bench(Fault(kind="drip", seconds=2.0)).through(1)
    assert frame(1) == b"".join(one.data for one in pieces)
    assert [one.delay_s for one in pieces] == [0.5] * 4


@pytest.mark.parametrize("direction", ["in", "out"])
def test_half_open_stops_both_directions_for_good(direction: Direction) -> None:
    """Whichever was struck."""
    own = Bench(Fault(kind="half_open", direction=direction))
    assert not own.tap.is_half_open
    assert own.through(1, direction) == []
    assert own.tap.is_half_open
    assert own.through(2, "in") == []
    assert own.through(3, "out") == []
    assert len(own.faults.injected) == 1


def test_latency_is_added_to_everything_of_its_direction_while_it_lasts() -> None:
    """Two add up, other faults strike all the same, and each is on record once."""
    first = Fault(kind="latency", direction="in", seconds=0.5)
    own = Bench(first, Fault(kind="latency", seconds=0.25), Fault(kind="duplicate", nth=2))
    assert [Piece(frame(1), latency_s=0.75)] == own.through(1)
    assert [Piece(frame(2) * 2, latency_s=0.75)] == own.through(2)
    assert [Piece(frame(3), latency_s=0.25)] == own.through(3, "out")
    own.faults.remove(first)
    assert [Piece(frame(4), latency_s=0.25)] == own.through(4)
    assert [one.kind for one in own.faults.injected] == ["latency", "latency", "duplicate"]


def test_what_is_none_of_the_protocols_messages_is_never_struck() -> None:
    """The opening handshake and a ping pass, whatever rule there is."""
    faults = Faults(ManualTime().now_us)
    faults.add(Fault(kind="drop", times=9))
    tap = Tap(OcppSplitter(), faults, lambda: ())
    handshake, ping = b"GET /CP-1 HTTP/1.1\r\n\r\n", b"\x89\x80abcd"
    assert [Piece(handshake), Piece(ping)] == tap.through("out", handshake + ping)
    assert tap.through("out", b'\x81\x16[2,"1","Heartbeat",{}]') == []
    assert [(one.kind, one.action) for one in faults.injected] == [("drop", "Heartbeat")]
