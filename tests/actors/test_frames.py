"""Messages in streams of bytes: websocket frames of OCPP-J, and Modbus TCP."""

import json

import pytest

from actors.testing.faults import Direction
from actors.testing.frames import Message, ModbusSplitter, OcppSplitter, Splitter

MASK = b"\x01\x02\x03\x04"
REQUEST = b"GET /ocpp/CP-1 HTTP/1.1\r\nHost: here\r\n\r\n"
RESPONSE = b"HTTP/1.1 101 Switching Protocols\r\n\r\n"
WRITE = bytes.fromhex("0001 0000 0006 01 06 0014 0007".replace(" ", ""))
READ = bytes.fromhex("0002 0000 0006 01 03 000a 0002".replace(" ", ""))
REFUSED = bytes.fromhex("0001 0000 0003 01 86 02".replace(" ", ""))


def websocket(text: bytes, *, masked: bool = False, opcode: int = 1) -> bytes:
    """Return a frame with the shortest length that its text can have [RFC 6455, 5.2]."""
    length, bit = len(text), 0x80 if masked else 0
    if length < 126:
        head = bytes([0x80 | opcode, bit | length])
    elif length < 65_536:
        head = bytes([0x80 | opcode, bit | 126]) + length.to_bytes(2, "big")
    else:
        head = bytes([0x80 | opcode, bit | 127]) + length.to_bytes(8, "big")
    if not masked:
        return head + text
    return head + MASK + bytes(byte ^ MASK[place % 4] for place, byte in enumerate(text))


def call(own_id: str, action: str, filler: int = 0) -> bytes:
    """Return a CALL, longer by a filler."""
    return json.dumps([2, own_id, action, {"vendorErrorCode": "x" * filler}]).encode()


def opened() -> OcppSplitter:
    """Return a splitter that both handshakes have passed."""
    splitter = OcppSplitter()
    splitter.feed("out", REQUEST)
    splitter.feed("in", RESPONSE)
    return splitter


def byte_by_byte(splitter: Splitter, direction: Direction, data: bytes) -> list[Message]:
    """Return the messages of bytes that come one at a time."""
    return [
        message
        for place in range(len(data))
        for message in splitter.feed(direction, data[place : place + 1])
    ]


# --- websocket frames


def test_the_opening_handshake_is_a_message_of_its_own_in_each_direction() -> None:
    """It has no action, and it names the charge point."""
    splitter = OcppSplitter()
    assert [Message(REQUEST)] == byte_by_byte(splitter, "out", REQUEST)
    assert splitter.identity == "CP-1"
    assert [Message(RESPONSE)] == byte_by_byte(splitter, "in", RESPONSE)


def test_the_first_frame_may_come_with_the_handshake() -> None:
    """In one chunk."""
    frame = websocket(call("1", "BootNotification"), masked=True)
    found = OcppSplitter().feed("out", REQUEST + frame)
    assert [one.action for one in found] == [None, "BootNotification"]
    assert REQUEST + frame == b"".join(one.raw for one in found)


@pytest.mark.parametrize("masked", [False, True])
@pytest.mark.parametrize("filler", [0, 200, 70_000])
def test_a_frame_of_any_length_is_found_byte_by_byte(filler: int, masked: bool) -> None:  # noqa: FBT001 - a parameter
    """7, 16 and 64 bits of length, masked or not; the body is what follows the head."""
    text = call("1", "Heartbeat", filler)
    frame = websocket(text, masked=masked)
    splitter = opened()
    head = len(frame) - len(text)
    found = splitter.feed("out", frame[: head + 1]) + splitter.feed("out", frame[head + 1 : -1])
    assert found == []
    found = splitter.feed("out", frame[-1:])
    assert [Message(frame, "Heartbeat", slice(head, len(frame)), "1")] == found
    if filler < 70_000:
        assert [one.action for one in byte_by_byte(opened(), "out", frame)] == ["Heartbeat"]


def test_two_frames_in_one_chunk_are_two_messages() -> None:
    """And a third one that has only begun is kept."""
    frames = [websocket(call(str(n), action)) for n, action in enumerate(("Reset", "ClearCache"))]
    third = websocket(call("3", "GetConfiguration"))
    splitter = opened()
    found = splitter.feed("in", b"".join(frames) + third[:5])
    assert [one.action for one in found] == ["Reset", "ClearCache"]
    assert [one.action for one in splitter.feed("in", third[5:])] == ["GetConfiguration"]


@pytest.mark.parametrize("opcode", [0, 2, 8, 9, 10])
def test_a_frame_that_is_no_text_has_no_action(opcode: int) -> None:
    """Continuations, binary frames, close, ping and pong."""
    frame = websocket(b"\x03\xe8", masked=True, opcode=opcode)
    assert [Message(frame)] == opened().feed("out", frame)


@pytest.mark.parametrize("text", [b"{", b"{}", b"[3]", b'[3, "nobody asked", {}]'])
def test_text_that_is_no_call_and_no_known_answer_has_no_action(text: bytes) -> None:
    """It is a message all the same."""
    assert [one.action for one in opened().feed("in", websocket(text))] == [None]


@pytest.mark.parametrize("answer", [b'[3, "7", {}]', b'[4, "7", "GenericError", "", {}]'])
def test_an_answer_has_the_action_of_its_call(answer: bytes) -> None:
    """Results and errors, in the other direction."""
    splitter = opened()
    splitter.feed("in", websocket(call("7", "SetChargingProfile")))
    found = splitter.feed("out", websocket(answer, masked=True))
    assert [one.action for one in found] == ["SetChargingProfile"]


# --- Modbus TCP


def test_a_modbus_message_is_found_byte_by_byte() -> None:
    """Its action is the function code, its body what follows the unit."""
    assert [Message(WRITE, 6, slice(7, 12), 1)] == byte_by_byte(ModbusSplitter(), "in", WRITE)


def test_two_modbus_messages_in_one_chunk_are_two() -> None:
    """And the rest is kept, for each direction its own."""
    splitter = ModbusSplitter()
    assert [one.raw for one in splitter.feed("in", WRITE + READ + WRITE[:9])] == [WRITE, READ]
    assert [one.raw for one in splitter.feed("out", READ)] == [READ]
    assert [one.raw for one in splitter.feed("in", WRITE[9:])] == [WRITE]


def test_a_modbus_exception_has_the_function_that_was_refused() -> None:
    """Without the bit that marks it."""
    assert [one.action for one in ModbusSplitter().feed("out", REFUSED)] == [6]


@pytest.mark.parametrize("length", [0, 1])
def test_a_modbus_head_without_a_function_has_no_action(length: int) -> None:
    """What comes after it is found."""
    empty = b"\x00\x01\x00\x00" + length.to_bytes(2, "big") + b"\x01"[:length]
    found = ModbusSplitter().feed("in", empty + WRITE)
    assert [(empty, None), (WRITE, 6)] == [(one.raw, one.action) for one in found]
