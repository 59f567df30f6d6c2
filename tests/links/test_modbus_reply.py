import pytest

from actors.links.exchange import is_complete, outcome_of, reason_of, reply_fault, request_of
from engine.adapters.base import Frame

SENT_READ = bytes.fromhex("000100000006010300140002")
SENT_WRITE = bytes.fromhex("00010000000601060014090b")
SENT_WRITES = bytes.fromhex("00010000000b011000160002040000090b")


class TestReply:
    @pytest.mark.parametrize(
        ("sent", "got"),
        [
            (SENT_READ, "0001000000070103040000090b"),
            (SENT_READ, "00010000000701030400"),
            (SENT_READ, "0001"),
            (SENT_READ, ""),
            (SENT_READ, "000100000003018302"),
            (SENT_WRITE, "00010000000601060014090b"),
            (SENT_WRITE, "00010000000601060014"),
            (SENT_WRITES, "000100000006011000160002"),
        ],
    )
    def test_a_reply_that_fits_or_is_not_complete_is_let_through(
        self, sent: bytes, got: str
    ) -> None:
        """TCP may deliver it in parts."""
        assert reply_fault(sent, bytes.fromhex(got)) is None

    @pytest.mark.parametrize(
        ("sent", "got", "fault"),
        [
            (SENT_READ, "0002000000070103040000090b", "transaction id 0002, not 0001"),
            (SENT_READ, "0000000000070103040000090b", "transaction id 0000, not 0001"),
            (SENT_READ, "0001000100070103040000090b", "protocol 0001, not 0000"),
            (SENT_READ, "0001000000070203040000090b", "unit 2, not 1"),
            (SENT_READ, "0001000000070104040000090b", "function code 4, not 3"),
            (SENT_READ, "000100000007018304000009", "12 bytes of length 7, not 3"),
            (SENT_READ, "000100000005010302090b", "2 bytes of registers, not 4"),
            (SENT_READ, "0001000000090103040000090b", "13 bytes of length 9, not 7"),
            (SENT_READ, "0001000000070103040000090b00", "14 bytes of length 7, not 7"),
            (SENT_WRITE, "000100000006010600140002", "echo 00140002, not 0014090b"),
            (SENT_WRITE, "000100000006010600150", "echo"),
            (SENT_WRITES, "000100000006011000160001", "echo 00160001, not 00160002"),
            (SENT_WRITE, "0001000000020106", "8 bytes of length 2"),
            (SENT_WRITE, "000100000000", "6 bytes of length 0"),
            (SENT_WRITES, "000100000007011000160002", "12 bytes of length 7, not 6"),
        ],
    )
    def test_a_reply_that_does_not_fit_is_named(self, sent: bytes, got: str, fault: str) -> None:
        """Pymodbus would take most of them for success."""
        found = reply_fault(sent, bytes.fromhex(got[: len(got) // 2 * 2]))
        assert found is not None
        assert found.startswith(fault)

    @pytest.mark.parametrize(
        ("got", "complete"),
        [
            ("0001000000070103040000090b", True),
            ("0001000000070103040000090b0001", True),
            ("000100000003018302", True),
            ("00010000000701030400", False),
            ("0001000000", False),
            ("", False),
        ],
    )
    def test_a_reply_says_how_long_it_is(self, got: str, *, complete: bool) -> None:
        """Once it is all there, what comes behind is another one."""
        assert is_complete(bytes.fromhex(got)) is complete

    def test_exceptions_have_names(self) -> None:
        """Codes 1 to 3 refuse; others may pass."""
        frame = Frame("write", {"role": "mode"})
        assert [outcome_of(code) for code in (1, 2, 3, 4, 11)] == [
            "rejected",
            "rejected",
            "rejected",
            "error",
            "error",
        ]
        assert reason_of(99, frame) == "exception 99: not in the standard, on write of mode"

    def test_a_frame_that_is_none_is_a_bug(self) -> None:
        """Only `translate` makes them."""
        with pytest.raises(TypeError, match="no integer"):
            request_of(Frame("write", {"unit": "1", "function": 6, "address": 20}))
