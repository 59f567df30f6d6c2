"""Malformed messages: drawn from a seed, of every kind, and never the same twice in a row."""

import random

import pytest

from actors.testing.clocks import ManualTime
from actors.testing.faults import Direction, Fault, Faults
from actors.testing.frames import Message, ModbusSplitter, OcppSplitter
from actors.testing.malformed import Malformer, ModbusMalformer, OcppMalformer
from actors.testing.wire import Piece, Tap

CALL = b'[2,"a1","StatusNotification",{"connectorId":1,"errorCode":"NoError","status":"Available"}]'
RESULT = b'[3,"a1",{}]'
ERROR = b'[4,"a1","GenericError","",{}]'
ANSWER = bytes.fromhex("00070000000701030400010002")
KINDS = [
    *(("ocpp", kind) for kind in OcppMalformer.kinds),
    *(("modbus", kind) for kind in ModbusMalformer.kinds),
]


def malformer(protocol: str, seed: int) -> Malformer:
    """Return one of a protocol."""
    return OcppMalformer(seed) if protocol == "ocpp" else ModbusMalformer(seed)


def messages(protocol: str) -> tuple[bytes, ...]:
    """Return right messages."""
    return (CALL, RESULT, ERROR) if protocol == "ocpp" else (ANSWER,)


@pytest.mark.parametrize(("protocol", "kind"), KINDS)
def test_every_kind_takes_every_message(protocol: str, kind: str) -> None:
    """Whatever is drawn; the same seed draws the same."""
    first, second = malformer(protocol, 5), malformer(protocol, 5)
    drawn = [first.of(one, kind) for _ in range(200) for one in messages(protocol)]
    assert drawn == [second.of(one, kind) for _ in range(200) for one in messages(protocol)]
    assert {one.kind for one in drawn} == {kind}
    harmless = {"duplicated", "right", "split", "of_before"}
    changed = [one for one in drawn if one.data not in messages(protocol)]
    assert kind in harmless or changed


@pytest.mark.parametrize("protocol", ["ocpp", "modbus"])
def test_without_a_kind_all_are_drawn(protocol: str) -> None:
    """In an order that follows from the seed."""
    own = malformer(protocol, 1)
    message = messages(protocol)[0]
    drawn = [own.of(message).kind for _ in range(1_000)]
    assert set(drawn) == set(own.kinds)
    other = malformer(protocol, 2)
    assert drawn != [other.of(message).kind for _ in range(1_000)]


def test_what_a_charge_point_says_arrives_malformed_in_a_whole_frame() -> None:
    """The websocket's frame has the new length, masked or not; what it hears is left alone."""
    faults = Faults(ManualTime().now_us)
    faults.add(Fault(kind="malformed", times=1_000))
    tap = Tap(OcppSplitter(), faults, lambda: ("ast_a",))
    for direction, line in (("out", b"GET /CP HTTP/1.1\r\n\r\n"), ("in", b"HTTP/1.1 101\r\n\r\n")):
        tap.through(_way(direction), line)
    heard = bytes((0x81, len(RESULT))) + RESULT
    assert tap.through("in", heard) == [Piece(heard)]
    reader = OcppSplitter()
    reader.feed("out", b"GET /CP HTTP/1.1\r\n\r\n")
    said = bytes((0x81, 0x80 | len(CALL))) + bytes(4) + CALL
    arrived: list[Message] = []
    for _ in range(200):
        (piece,) = tap.through("out", said)
        (message,) = reader.feed("out", piece.data)
        arrived.append(message)
    assert len({one.raw for one in arrived}) > 100
    assert {one.action for one in arrived} > {None, "StatusNotification"}
    assert len(faults.injected) == 200


def _way(direction: str) -> Direction:
    return "in" if direction == "in" else "out"


def test_what_a_battery_answers_arrives_malformed() -> None:
    """In pieces where it is split."""
    faults = Faults(ManualTime().now_us)
    faults.add(Fault(kind="malformed", times=1_000))
    tap = Tap(ModbusSplitter(), faults, lambda: ("ast_b",))
    assert tap.through("in", ANSWER) == [Piece(ANSWER)]
    arrived = [tap.through("out", ANSWER) for _ in range(100)]
    assert {len(pieces) for pieces in arrived} >= {1, 2}


class Bytes:
    """A splitter of somebody's own, to whom each byte is a message."""

    def feed(self, direction: Direction, data: bytes) -> list[Message]:
        """Return a message for each byte."""
        del direction
        return [Message(bytes((one,)), "byte", slice(0, 1)) for one in data]


def test_what_nobody_can_malform_arrives_as_garbage() -> None:
    """A protocol of one's own has that without more."""
    faults = Faults(ManualTime().now_us)
    faults.add(Fault(kind="malformed"))
    tap = Tap(Bytes(), faults, lambda: ("ast_c",))
    assert tap.through("out", b"ab") == [Piece(bytes((0x61 ^ 0x15,))), Piece(b"b")]


@pytest.mark.storm(seeds=5)
def test_malformed_messages_break_no_promise(setpoint_site, setpoint_faults, setpoint_seed) -> None:  # type: ignore[no-untyped-def]  # noqa: ANN001 - fixtures of the plugin
    """A fifth of all that devices say, for an hour; then all is well, and all is done."""
    site = setpoint_site()
    setpoint_faults.add(Fault(kind="malformed", probability=0.2, times=10_000))
    dice = random.Random(setpoint_seed)
    for _ in range(30):
        for asset in site.devices:
            site.send(asset, "SET_CHARGE_RATE", kw=dice.choice((0, 4, 7)), by="anna", reason="x")
        site.advance(30)
    assert len(setpoint_faults.injected) > 20
    site.assert_promises()
    setpoint_faults.clear()
    site.advance(400)
    assert all(view.connected for view in site.state().values())
    site.assert_promises()
